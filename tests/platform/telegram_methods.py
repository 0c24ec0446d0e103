"""The methods that send and change messages."""

import json

from tests.platform.telegram_call import Call, method
from tests.platform.telegram_state import (
    CALLBACK_S,
    ApiError,
    Chat,
    Draft,
    Json,
    Message,
    bad_request,
    forbidden,
    member_shown,
)

CAPTION = 1024
DOWNLOAD_BYTES = 20 << 20
ACTIONS = frozenset(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker "
    "find_location record_video_note upload_video_note".split()
)
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)


def not_modified() -> ApiError:
    return bad_request(_NOT_MODIFIED)


def post(call: Call, chat: Chat, text: str, entities: list[Json], media: Json | None = None) -> Json:
    topic, reply_to, markup = call.topic(chat), call.replied(chat), call.keyboard()
    call.server.flood.check(call.bot, chat)
    for draft in chat.drafts.values():
        draft.finished = True
    previews = (call.json("link_preview_options") or {}).get("is_disabled") is not True
    message = Message(
        chat.next_id(), chat, call.bot.user, call.state.clock.date(), text, entities, topic, reply_to, media or {},
        markup, previews=previews, sent_at=call.state.clock.now(),
    )  # fmt: skip
    return chat.add(message).shown()


@method
async def send_message(call: Call) -> Json:
    chat = call.chat()
    return post(call, chat, *call.formatted())


@method
async def send_rich_message(call: Call) -> Json:
    chat, rich = call.chat(), call.json("rich_message") or {}
    written = rich.get("markdown") or rich.get("html") or ""
    if not written.strip():
        raise bad_request("message text is empty")
    return post(call, chat, "", [], {"rich_message": rich})


@method
async def send_message_draft(call: Call) -> bool:
    return _draft(call, *call.formatted(may_be_empty=True))


@method
async def send_rich_message_draft(call: Call) -> bool:
    return _draft(call, json.dumps(call.json("rich_message") or {}), [])


def _draft(call: Call, text: str, entities: list[Json]) -> bool:
    chat = call.known_chat()
    if chat.kind != "private":
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    call.chat()
    draft_id = call.number("draft_id")
    if draft_id == 0:
        raise bad_request("draft identifier must be non-zero")
    topic = call.topic(chat)
    call.server.flood.check(call.bot, chat)
    chat.drafts[draft_id] = Draft(draft_id, text, entities, call.state.clock.now(), topic, call.flag("can_stop"))
    return True


@method
async def send_document(call: Call) -> Json:
    chat = call.chat()
    given = call.text("document").removeprefix("attach://")
    upload = call.uploads.get("document") or call.uploads.get(given)
    if upload is not None:
        if len(upload.data) > 50_000_000:
            raise bad_request("file is too big")
        if not upload.data:
            raise bad_request("file must be non-empty")
        file = call.state.add_file(upload.name, upload.media_type, upload.data)
    else:
        file = call.state.files.get(given)
    if file is None:
        raise bad_request("there is no document in the request" if not given else "wrong remote file identifier")
    caption, entities = call.formatted("caption", CAPTION, may_be_empty=True)
    return post(call, chat, "", entities, {"document": file.shown(), **({"caption": caption} if caption else {})})


@method
async def edit_message_text(call: Call) -> Json:
    chat = call.chat()
    message = call.own_message(chat, "edit")
    if message.media:
        raise bad_request("there is no text in the message to edit")
    text, entities = call.formatted()
    markup = call.keyboard()
    if (text, entities, markup) == (message.text, message.entities, message.markup):
        raise not_modified()
    call.server.flood.check(call.bot, chat)
    message.text, message.entities, message.markup = text, entities, markup
    message.edit_date = call.state.clock.date()
    return message.shown()


@method
async def edit_message_reply_markup(call: Call) -> Json:
    chat = call.chat()
    message = call.own_message(chat, "edit")
    markup = call.keyboard()
    if markup == message.markup:
        raise not_modified()
    call.server.flood.check(call.bot, chat)
    message.markup = markup
    return message.shown()


@method
async def delete_message(call: Call) -> bool:
    chat = call.chat()
    message = chat.messages.get(call.number("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    administrator = chat.members.get(call.bot.bot_id) == "administrator"
    old = call.state.clock.now() - message.sent_at > 48 * 3600
    if (message.sender is not call.bot.user and chat.kind != "private" and not administrator) or old:
        raise bad_request("message can't be deleted for everyone" if old else "message can't be deleted")
    del chat.messages[message.message_id]
    chat.deleted.append(message.message_id)
    return True


@method
async def answer_callback_query(call: Call) -> bool:
    query = call.state.queries.get(call.text("callback_query_id"))
    if query is None or query.bot_id != call.bot.bot_id or call.state.clock.now() - query.at > CALLBACK_S:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(call.text("text")) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    query.answered = {"text": call.text("text"), "show_alert": call.flag("show_alert")}
    return True


@method
async def send_chat_action(call: Call) -> bool:
    chat = call.chat()
    call.topic(chat)
    if call.text("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat.actions.append(call.text("action"))
    return True


@method
async def get_file(call: Call) -> Json:
    file = call.state.files.get(call.text("file_id"))
    if file is None:
        raise bad_request("invalid file_id" if call.text("file_id") else "file_id not specified")
    if file.size > DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    path = f"documents/file_{file.file_id[-8:]}"
    call.state.paths[call.bot.token, path] = file
    shown = file.shown()
    return {name: shown[name] for name in ("file_id", "file_unique_id", "file_size")} | {"file_path": path}


@method
async def get_chat(call: Call) -> Json:
    chat = call.chat()
    return chat.shown() | {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _GIFTS}


_GIFTS = dict.fromkeys(
    ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), True
)


@method
async def get_chat_member(call: Call) -> Json:
    chat, user_id = call.chat(), call.number("user_id")
    if user_id not in call.state.users:
        raise bad_request("user not found")
    if chat.kind == "private":
        return member_shown(call.state.users[user_id], "member")
    return member_shown(call.state.users[user_id], chat.members.get(user_id, "left"))


@method
async def get_chat_administrators(call: Call) -> list[Json]:
    chat = call.chat()
    if chat.kind == "private":
        raise bad_request("there are no administrators in the private chat")
    statuses = ("creator", "administrator")
    return [
        member_shown(call.state.users[user_id], status)
        for user_id, status in chat.members.items()
        if status in statuses
    ]


@method
async def leave_chat(call: Call) -> bool:
    chat = call.chat()
    if chat.kind == "private":
        raise forbidden("chat member status can't be changed in private chats")
    chat.members[call.bot.bot_id] = "left"
    return True
