"""From an update of the Bot API to what Frontdesk does about it: pure functions over its JSON.

Fields of a wrong type count as missing, for a malformed update must not hold up its chat: Telegram would send it again
and everything behind it would wait. Photos and files sent together (an album) arrive as one message each, with the same
media_group_id, which names the message they are; earlier.py puts them together.
core.telegram.org/bots/api#update
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.telegram.addressed import Written, is_for, written
from adapters.telegram.buttons import Action, Press, read_data
from adapters.telegram.sender import address, is_private, place_in, sender, unanswered
from adapters.telegram.sender import author as author_of
from adapters.telegram.taken import attachments, replied, word_for
from core import commands
from core.channels import Listens
from core.domain import Attachment, Author, Message
from core.errors import UsageError
from core.inbox import Incoming, Kind
from core.language import hint_of
from core.payloads import Json, flag_at, integer_at, object_at, objects_at, text_at
from core.places import Place

ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "stopped_message_generation",
)
"""What is asked for in setWebhook and getUpdates."""

_GONE = ("left", "kicked")
_RATED = {
    **dict.fromkeys(("👍", "❤", "🔥", "👏", "🎉", "🤩", "🙏", "👌", "💯", "🏆", "😍", "🤝", "🫡"), 1),
    **dict.fromkeys(("👎", "💩", "🤮", "😡", "🤬", "🖕", "😢", "💔"), -1),
}
_EDITS_PER_S = 1 << 20  # room for several edits within one second, which have the same edit_date
_START = re.compile(r"/start(?:\s+([A-Za-z0-9_-]{1,64}))?\s*")
_LINKED = re.compile(r"(help|human|new|language|admin)(?:[_-](.+))?")


@dataclass(frozen=True, slots=True)
class Bot:
    """The bot that an update came to."""

    tenant_id: int
    bot_id: int
    username: str  # without the @
    token_id: str = ""  # the id in its token where that is another, as with servers that stand in for Telegram

    @property
    def installation(self) -> str:
        """Name the bot as the settings do."""
        return self.token_id or str(self.bot_id)


@dataclass(frozen=True, slots=True)
class Membership:
    """What became of the bot in a chat."""

    place: Place
    user_id: str  # who did it
    present: bool  # added or unblocked; else removed or blocked
    private: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A group that was upgraded to a supergroup: its settings and conversations go on in another chat."""

    chat_id: int  # before
    new_chat_id: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What an update asks for: an event to be stored, a button to be answered, a change of a chat, or nothing."""

    incoming: Incoming | None = None
    word: str = ""  # what the author of INCOMING is told instead of an answer: it holds nothing that is read
    moved: Moved | None = None
    press: Press | None = None  # answerCallbackQuery is due
    membership: Membership | None = None
    ignored: str = ""  # why there is nothing to do


def hear(
    update: Any,
    bot: Bot,
    *,
    listens: Listens = Listens.MENTION,
    albums: Collection[str] = (),
    request_id: str = "",
) -> Heard:
    """Read an update; LISTENS is what the channel's settings say of messages that do not name the bot.

    ALBUMS are the media_group_ids of which a message was for the bot: in a group only the one with the caption says so.
    Raises UsageError where it is no update at all.
    """
    if not isinstance(update, Mapping) or integer_at(update, "update_id") is None:
        raise UsageError("This is no update of Telegram; it has no update_id.")
    about = _About(update, bot, listens, albums, request_id)
    for kind, read in _READERS.items():
        payload = object_at(update, kind)
        if payload:
            return read(about, payload)
    return Heard(ignored="an update of a kind that is not used here")


def place_of(update: Any) -> Place | None:
    """Name the place an update comes from, so that its settings can be looked up; None where there is none."""
    for kind in _READERS:
        payload = object_at(update, kind)
        chat = object_at(payload, "chat") or object_at(object_at(payload, "message"), "chat")
        if chat:
            return place_in(object_at(payload, "message") if kind == "callback_query" else payload)
    return None


@dataclass(frozen=True, slots=True)
class _About:
    """An update and what it came to."""

    update: Json
    bot: Bot
    listens: Listens
    albums: Collection[str]
    request_id: str

    def incoming(
        self,
        payload: Json,
        author: Author,
        message: Message | None = None,
        *,
        kind: Kind = Kind.MESSAGE,
        message_id: str = "",
        revision: int = 0,
        target: str = "",
        reply_to: int | None = None,
        detail: Json | None = None,
    ) -> Incoming:
        """Make the event of a payload that has a chat; without MESSAGE it says nothing."""
        update_id = str(integer_at(self.update, "update_id"))
        return Incoming(
            message=message or self.message(payload, author, ""),
            installation=self.bot.installation,
            event_id=update_id,
            message_id=message_id or f"update:{update_id}",
            kind=kind,
            revision=revision,
            target=target,
            address=address(payload, reply_to),
            detail=detail or {},
            request_id=self.request_id,
        )

    def message(self, payload: Json, author: Author, said: str) -> Message:
        """Make what AUTHOR says in the payload's place."""
        return Message(self.bot.tenant_id, place_in(payload), author, said, installation=self.bot.installation)


# Messages


def _message(about: _About, payload: Json) -> Heard:
    return _said(about, payload, Kind.MESSAGE)


def _edited(about: _About, payload: Json) -> Heard:
    return _said(about, payload, Kind.EDIT)


def _said(about: _About, payload: Json, kind: Kind) -> Heard:
    if (moved := _moved(payload)) is not None:
        return Heard(moved=moved)
    reason = unanswered(payload, about.bot.bot_id)
    message_id = integer_at(payload, "message_id")
    if reason or message_id is None:
        return Heard(ignored=reason or "a message without an id")
    found = written(payload, about.bot.bot_id, about.bot.username)
    word = word_for(payload) if not found.text and kind is Kind.MESSAGE else ""
    files = () if word else attachments(payload) or replied(payload, found)
    if not (found.text or files or word):
        return Heard(ignored="a service message")
    listens = Listens.MENTION if word else about.listens
    if not is_private(payload) and not is_for(found, payload, about.bot.bot_id, listens, about.albums):
        return Heard(ignored="a message to others")
    return Heard(_event(about, payload, kind, message_id, found, files), word=word)


def _moved(payload: Json) -> Moved | None:
    """Read the message that says so in the old chat, or the one in the new chat."""
    chat_id = integer_at(object_at(payload, "chat"), "id")
    before, after = integer_at(payload, "migrate_from_chat_id"), integer_at(payload, "migrate_to_chat_id")
    if chat_id is None or (before is None and after is None):
        return None
    return Moved(chat_id, after) if after is not None else Moved(before or 0, chat_id)


def _event(
    about: _About, payload: Json, kind: Kind, message_id: int, found: Written, files: tuple[Attachment, ...]
) -> Incoming:
    said, detail = _started(found.text)
    author = sender(payload)
    message = Message(
        about.bot.tenant_id,
        place_in(payload),
        author,
        said,
        attachments=files,
        installation=about.bot.installation,
        language_hint=hint_of(text_at(object_at(payload, "from"), "language_code")),
        direct=is_private(payload),
    )
    group = text_at(payload, "media_group_id")
    if group:
        detail["album"] = group
    parsed = commands.parse(said)
    if parsed is not None and parsed.name == "stop" and kind is Kind.MESSAGE:
        return about.incoming(payload, author, kind=Kind.STOP, reply_to=message_id, detail=detail)
    return about.incoming(
        payload,
        author,
        message,
        kind=kind,
        message_id=f"album:{group}" if group else str(message_id),
        revision=_revision(about, payload) if kind is Kind.EDIT or group else 0,
        reply_to=message_id,
        detail=detail,
    )


def _revision(about: _About, payload: Json) -> int:
    edited = min(max(integer_at(payload, "edit_date") or integer_at(payload, "date") or 1, 1), 1 << 40)
    return edited * _EDITS_PER_S + (integer_at(about.update, "update_id") or 0) % _EDITS_PER_S


def _started(said: str) -> tuple[str, dict[str, Any]]:
    """Turn a deep link's parameter into the command it names, language_de into /language de; others are noted."""
    found = _START.fullmatch(said)
    if found is None or not found[1]:
        return said, {}
    linked = _LINKED.fullmatch(found[1])
    if linked is None:
        return "/start", {"start": found[1]}
    return f"/{linked[1]} {linked[2] or ''}".strip(), {"start": found[1]}


# Everything else


def _pressed(about: _About, query: Json) -> Heard:
    query_id, message, user = text_at(query, "id"), object_at(query, "message"), object_at(query, "from")
    chat_id, message_id = integer_at(object_at(message, "chat"), "id"), integer_at(message, "message_id")
    if not query_id or chat_id is None or message_id is None or integer_at(user, "id") is None:
        return (
            Heard(press=Press(query_id), ignored="a button without its message")
            if query_id
            else Heard(ignored="a button without an id")
        )
    press = read_data(query_id, text_at(query, "data"), str(message_id))
    return Heard(_of_press(about, press, message, author_of(user)), press=press)


def _of_press(about: _About, press: Press, message: Json, author: Author) -> Incoming | None:
    answer_id = integer_at(message, "message_id")
    match press.action:
        case Action.UP | Action.DOWN:
            rating = {"rating": 1 if press.action is Action.UP else -1, "reason": ""}
            return about.incoming(message, author, kind=Kind.FEEDBACK, target=press.message_id, detail=rating)
        case Action.HUMAN:
            asked = about.message(message, author, "/human")
            return about.incoming(message, author, asked, message_id=f"human:{answer_id}", reply_to=answer_id)
        case Action.STOP:
            return about.incoming(message, author, kind=Kind.STOP, target=press.message_id)
        case _:
            return None


def _member(_: _About, payload: Json) -> Heard:
    chat, status = object_at(payload, "chat"), text_at(object_at(payload, "new_chat_member"), "status")
    if integer_at(chat, "id") is None or not status:
        return Heard(ignored="a change of membership without its chat")
    user_id = author_of(object_at(payload, "from")).author_id
    present = status not in _GONE
    return Heard(membership=Membership(place_in(payload), user_id, present, is_private(payload)))


def _reacted(about: _About, payload: Json) -> Heard:
    """Rate by the reaction that says most; where one that rated is gone, nothing is said any more."""
    message_id, user = integer_at(payload, "message_id"), object_at(payload, "user")
    before, rating = (_rating(objects_at(payload, field)) for field in ("old_reaction", "new_reaction"))
    if message_id is None or integer_at(user, "id") is None or integer_at(object_at(payload, "chat"), "id") is None:
        return Heard(ignored="a reaction without its author or message")
    if rating == before or flag_at(user, "is_bot"):
        return Heard(ignored="a reaction that is no rating")
    detail = {"rating": rating, "reason": ""}
    return Heard(about.incoming(payload, author_of(user), kind=Kind.FEEDBACK, target=str(message_id), detail=detail))


def _rating(reactions: Collection[Json]) -> int:
    signs = (text_at(reaction, "emoji").rstrip("\ufe0f") for reaction in reactions)
    return next((_RATED[sign] for sign in signs if sign in _RATED), 0)


def _stopped(about: _About, payload: Json) -> Heard:
    """Stop what grows in a draft; drafts are in private chats alone, whose id is that of the user."""
    chat_id, topic = integer_at(object_at(payload, "chat"), "id"), integer_at(payload, "message_thread_id")
    if chat_id is None:
        return Heard(ignored="a stop without its chat")
    within = {**payload, "is_topic_message": topic is not None}
    return Heard(about.incoming(within, Author(str(chat_id)), kind=Kind.STOP))


_READERS = {
    "message": _message,
    "edited_message": _edited,
    "callback_query": _pressed,
    "my_chat_member": _member,
    "message_reaction": _reacted,
    "stopped_message_generation": _stopped,
}
