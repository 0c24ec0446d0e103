"""The methods that send pictures, albums and copies, and put reactions."""

from tests.platform.telegram_call import Call, Upload, method
from tests.platform.telegram_methods import CAPTION, not_modified, post
from tests.platform.telegram_state import Chat, Json, bad_request

ALBUM = (2, 10)
_GROUPED = ("document", "photo", "video", "audio")


@method
async def send_photo(call: Call) -> Json:
    chat = call.chat()
    return post(call, chat, *_captioned(call, {"photo": _file(call, "photo", call.text("photo"))}))


@method
async def send_media_group(call: Call) -> list[Json]:
    chat, items = call.chat(), call.json("media")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise bad_request("can't parse media JSON object")
    if not ALBUM[0] <= len(items) <= ALBUM[1]:
        raise bad_request("media group must include 2-10 items")
    album = str(next(call.state.ids) * 4_294_967_291)
    shown = [_grouped(call, item, album) for item in items]
    return [post(call, chat, "", [], media) for media in shown]


def _grouped(call: Call, item: Json, album: str) -> Json:
    kind = str(item.get("type", ""))
    if kind not in _GROUPED:
        raise bad_request(f"type of {kind or 'media'} can't be used in a media group")
    caption = {"caption": item["caption"]} if item.get("caption") else {}
    return {kind: _file(call, kind, str(item.get("media", ""))), "media_group_id": album, **caption}


def _captioned(call: Call, media: Json) -> tuple[str, list[Json], Json]:
    caption, entities = call.formatted("caption", CAPTION, may_be_empty=True)
    return "", entities, media | ({"caption": caption} if caption else {})


def _file(call: Call, kind: str, given: str) -> Json | list[Json]:
    """Show the file that is uploaded, or that was before; a photo in its one size."""
    upload = call.uploads.get(kind) or call.uploads.get(given.removeprefix("attach://"))
    file = call.state.files.get(given) if upload is None else _added(call, upload)
    if file is None:
        raise bad_request(f"there is no {kind} in the request" if not given else "wrong remote file identifier")
    shown = file.shown()
    if kind != "photo":
        return shown | ({} if kind == "document" else {"duration": 1, "width": 90, "height": 90})
    return [{name: shown[name] for name in ("file_id", "file_unique_id", "file_size")} | {"width": 90, "height": 90}]


def _added(call: Call, upload: Upload):
    if not upload.data:
        raise bad_request("file must be non-empty")
    return call.state.add_file(upload.name, upload.media_type, upload.data)


@method
async def edit_message_caption(call: Call) -> Json:
    chat = call.chat()
    message = call.own_message(chat, "edit")
    if not message.media:
        raise bad_request("there is no caption in the message to edit")
    caption, entities = call.formatted("caption", CAPTION, may_be_empty=True)
    markup = call.keyboard()
    if (caption, entities, markup) == (message.media.get("caption", ""), message.entities, message.markup):
        raise not_modified()
    call.server.flood.check(call.bot, chat)
    message.media = {name: held for name, held in message.media.items() if name != "caption"}
    message.media |= {"caption": caption} if caption else {}
    message.entities, message.markup, message.edit_date = entities, markup, call.state.clock.date()
    return message.shown()


@method
async def forward_message(call: Call) -> Json:
    chat, message = call.chat(), _original(call, "forward")
    origin = {"type": "user", "sender_user": message.sender.shown(), "date": message.date}
    return post(call, chat, message.text, message.entities, {**message.media, "forward_origin": origin})


@method
async def copy_message(call: Call) -> Json:
    chat, message = call.chat(), _original(call, "copy")
    return {"message_id": post(call, chat, message.text, message.entities, dict(message.media))["message_id"]}


def _original(call: Call, action: str):
    source: Chat | None = call.state.find(call.bot, call.number("from_chat_id"))
    if source is None:
        raise bad_request("chat not found")
    message = source.messages.get(call.number("message_id"))
    if message is None:
        raise bad_request(f"message to {action} not found")
    return message


@method
async def set_message_reaction(call: Call) -> bool:
    chat, given = call.chat(), call.json("reaction") or []
    message = chat.messages.get(call.number("message_id"))
    if message is None:
        raise bad_request("message to react not found")
    if len(given) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    message.reactions[call.bot.bot_id] = given
    return True


@method
async def get_chat_member_count(call: Call) -> int:
    chat = call.chat()
    return 2 if chat.kind == "private" else sum(status not in ("left", "kicked") for status in chat.members.values())
