"""A call of a method: its arguments as the server reads them, and what they name."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.platform.telegram_entities import ParseError, checked_link, parse_html
from tests.platform.telegram_markdown import parse_markdown_v2
from tests.platform.telegram_state import ApiError, Bot, Chat, Json, Message, bad_request, forbidden

if TYPE_CHECKING:
    from tests.platform.telegram_updates import Updates

TEXT = 4096
RAW_BYTES = 1 << 15
_DROPPED = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_EMPTY = re.compile(
    r"[\s\u00ad\u115f\u1160\u180e\u200b-\u200f\u2060-\u2064\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff9-\ufffc\U000e0000-\U000e0fff]*"
)


@dataclass
class Upload:
    """A file of a multipart request."""

    name: str
    media_type: str
    data: bytes


@dataclass
class Call:
    """One request of a bot."""

    server: Any  # TelegramServer
    bot: Bot
    method: str
    arguments: dict[str, str]
    uploads: dict[str, Upload] = field(default_factory=dict)

    @property
    def state(self):
        return self.server.state

    @property
    def updates(self) -> "Updates":
        return self.server.updates

    def text(self, name: str) -> str:
        return self.arguments.get(name, "")

    def number(self, name: str, default: int = 0) -> int:
        found = re.match(r"\s*([+-]?\d+)", self.text(name))
        return int(found[1]) if found else default

    def flag(self, name: str) -> bool:
        return self.text(name).strip().lower() in ("true", "yes", "1")

    def json(self, name: str) -> Any:
        written = self.text(name)
        if not written:
            return None
        try:
            return json.loads(written)
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error

    def chat(self) -> Chat:
        """Find the chat and make sure that the bot may send there."""
        chat = self.known_chat()
        if chat.kind == "private":
            if chat.blocked:
                raise forbidden("bot was blocked by the user")
            if not chat.started:
                raise forbidden("bot can't initiate conversation with a user")
        elif chat.members.get(self.bot.bot_id, "left") in ("left", "kicked"):
            kicked = chat.members.get(self.bot.bot_id) == "kicked"
            ending = f"kicked from the {chat.kind} chat" if kicked else f"not a member of the {chat.kind} chat"
            raise forbidden(f"bot {'was' if kicked else 'is'} {ending}")
        return chat

    def known_chat(self) -> Chat:
        given = self.text("chat_id").strip()
        if not given:
            raise bad_request("chat_id is empty")
        if given.startswith("@"):
            named = (chat for chat in self.state.chats.values() if chat.username.lower() == given[1:].lower())
            chat = next(named, None)
        else:
            chat = self.state.find(self.bot, self.number("chat_id"))
        if chat is None:
            raise bad_request("chat not found")
        if chat.moved_to:
            raise ApiError(
                400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.moved_to
            )
        return chat

    def own_message(self, chat: Chat, action: str) -> Message:
        message = chat.messages.get(self.number("message_id"))
        if message is None:
            raise bad_request(f"message to {action} not found")
        if message.sender is not self.bot.user:
            raise bad_request(f"message can't be {action}ed")
        return message

    def topic(self, chat: Chat) -> int | None:
        """Read message_thread_id; the General topic has none, and elsewhere there are no topics."""
        if not self.text("message_thread_id"):
            return None
        topic = self.number("message_thread_id")
        if topic not in chat.topics:
            raise bad_request("message thread not found")
        if chat.topics[topic] == "closed":
            raise bad_request("TOPIC_CLOSED")
        return topic

    def replied(self, chat: Chat) -> Message | None:
        parameters = self.json("reply_parameters") or {}
        given = parameters.get("message_id") or self.number("reply_to_message_id")
        if not given:
            return None
        message = chat.messages.get(int(given))
        lenient = parameters.get("allow_sending_without_reply") or self.flag("allow_sending_without_reply")
        if message is None and not lenient:
            raise bad_request("message to be replied not found")
        return message

    def formatted(self, name: str = "text", limit: int = TEXT, *, may_be_empty: bool = False) -> tuple[str, list[Json]]:
        """Read a text with its markup; raises ApiError as the server does."""
        written = self.text(name)
        if not written and may_be_empty:
            return "", []
        if not written:
            raise bad_request(f"{'message ' if name == 'text' else ''}{name} is empty")
        if len(written.encode("utf-8", "surrogatepass")) > RAW_BYTES:
            raise bad_request(f"{'message' if name == 'text' else name} is too long")
        text, entities = self._parsed(written)
        text = _CONTROL.sub(" ", _DROPPED.sub("", text)).rstrip()
        if not text.strip() or _EMPTY.fullmatch(text):
            if may_be_empty:
                return "", []
            raise bad_request("text must be non-empty")
        if len(text.encode("utf-16-le")) // 2 > limit:
            raise bad_request(f"{'message' if name == 'text' else 'message caption'} is too long")
        return text, entities

    def _parsed(self, written: str) -> tuple[str, list[Json]]:
        mode = self.text("parse_mode").lower()
        if mode in ("", "none"):
            return written, self.json("entities") or []
        if mode not in ("html", "markdownv2"):
            raise bad_request("unsupported parse_mode")
        try:
            text, entities = (parse_html if mode == "html" else parse_markdown_v2)(written)
        except ParseError as error:
            raise bad_request(f"can't parse entities: {error}") from error
        return text, [entity.shown() for entity in entities]

    def keyboard(self) -> Json | None:
        """Read reply_markup."""
        markup = self.json("reply_markup")
        if markup is None:
            return None
        if not isinstance(markup, dict) or not isinstance(markup.get("inline_keyboard", []), list):
            raise bad_request("object expected as reply markup")
        rows = [row for row in markup.get("inline_keyboard", []) if row]
        for button in (button for row in rows for button in row):
            _check_button(button)
        return {"inline_keyboard": rows} if rows else None


def _check_button(button: Json) -> None:
    if not str(button.get("text", "")).strip():
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be of type String')
    if "callback_data" in button:
        if not 1 <= len(str(button["callback_data"]).encode()) <= 64:
            raise bad_request("BUTTON_DATA_INVALID")
    elif "url" in button:
        if not checked_link(str(button["url"])):
            raise bad_request(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
    else:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")


Method = Callable[[Call], Awaitable[Any]]
METHODS: dict[str, Method] = {}


def method(function: Method) -> Method:
    """Register a method under its name in the API, whose case does not matter: send_message is sendMessage."""
    METHODS[function.__name__.replace("_", "").lower()] = function
    return function


def conflict(description: str) -> ApiError:
    return ApiError(409, f"Conflict: {description}")
