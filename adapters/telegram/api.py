"""Call the Bot API: paced, its refusals as our errors, and no token in any text; core.telegram.org/bots/api.

python-telegram-bot writes requests and reads responses. Its limiter is left out: it paces no private chats, and frees
a halt as soon as another call ends. Results stay plain JSON, so that one object it cannot read stops none beside it.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)

from adapters.telegram.limited import HOLD_S, Limits
from adapters.telegram.responses import UNKNOWN_METHOD, Request, TooMany
from core.errors import Busy, ChannelUnavailable, FrontdeskError, Rejected, Uncertain, UsageError
from core.pacing import TELEGRAM_BOT, TELEGRAM_GROUP, TELEGRAM_PRIVATE, Pacer, Rate, Rule, Slot
from core.payloads import integer_at, text_at

BASE_URL = "https://api.telegram.org"
PATIENCE_S = 5.0  # for a turn, before the caller is told to come back
_TIMEOUT_S = 15.0
_UPLOAD_S = 60.0
_CONNECTIONS = 64
_POLLING_CONNECTIONS = 4  # with one alone, a torn poll wedges the next ones for good

_SET_WEBHOOK = Rule((Rate(1, 1.0),))  # the server's own limit, which it answers with 429
_MESSAGES = ("send", "edit", "copy", "forward")
_MAKING = ("send", "copy", "forward")  # calls that make something new each time
_MAKING_NOTHING = ("sendChatAction", "sendMessageDraft")
_UNPACED = ("sendChatAction",)  # no message: it only heeds what Telegram told us to wait
_OF_A_MESSAGE = ("edit", "delete")
_EVERYWHERE = ("getMe", "sendMessage")  # every server has them: who does not know them is none, or not there yet
_DOUBT_S = 60.0  # for which a method is taken to be missing: it may have been a proxy that said so
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)

# The library writes whole requests, and httpx every address with the token in it.
for _name, _level in (("telegram", logging.CRITICAL), ("httpx", logging.WARNING), ("httpcore", logging.WARNING)):
    logging.getLogger(_name).setLevel(_level)

_log = logging.getLogger(__name__)


class Refusal(Rejected):
    """Say that Telegram refuses a call, and in which words."""

    def __init__(self, method: str, description: str) -> None:
        super().__init__(f"Telegram refuses {method}: {description[:300].rstrip('.')}.")
        self.method, self.description = method, description.lower()

    def says(self, *words: str) -> bool:
        """Tell whether one of WORDS, in small letters, stands in the description."""
        return any(word in self.description for word in words)

    @property
    def is_of_method(self) -> bool:
        """Tell whether the server does not know the method at all."""
        return self.description == UNKNOWN_METHOD.lower()


class Conflicted(Busy):
    """Say that somebody else reads the bot's updates, or a webhook does."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who a bot is."""

    bot_id: int
    username: str = ""


class _Bot(Bot):
    """The library's bot with one way for all methods, those it does not know included."""

    async def call(self, method: str, arguments: Mapping[str, Any], read_timeout_s: float) -> Any:
        """Call METHOD and return the JSON of its result; do_api_request would warn of every method it knows."""
        return await self._post(method, dict(arguments), read_timeout=read_timeout_s)


def bot_id_of(token: str) -> str:
    """Return the bot's id, the part of its token that is no secret; raises UsageError where TOKEN is none."""
    bot_id, _, rest = token.partition(":")
    if not (bot_id.isascii() and bot_id.isdigit() and len(rest) >= 10):
        raise UsageError("A token of Telegram looks like 123456:ABC...; copy it from @BotFather again.")
    return bot_id


class TelegramApi:
    """Call methods of the Bot API as one bot."""

    def __init__(
        self,
        name: str,
        token: str,
        pacer: Pacer,
        *,
        base_url: str = BASE_URL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name  # as the settings call it
        self.bot_id = bot_id_of(token)
        self._pacer = pacer
        self._file_url = f"{base_url.rstrip('/')}/file/bot{token}"
        self._key = hashlib.sha256(f"frontdesk telegram\x00{token}".encode()).digest()
        timeouts: dict[str, Any] = {
            "read_timeout": _TIMEOUT_S,
            "write_timeout": _TIMEOUT_S,
            "connect_timeout": 5.0,
            "pool_timeout": 5.0,
            "media_write_timeout": _UPLOAD_S,
        }
        self._calling = Request(connection_pool_size=_CONNECTIONS, **timeouts)
        self._polling = Request(connection_pool_size=_POLLING_CONNECTIONS, **timeouts)
        self._bot = _Bot(
            token,
            base_url=f"{base_url.rstrip('/')}/bot",
            base_file_url=f"{base_url.rstrip('/')}/file/bot",
            request=self._calling,
            get_updates_request=self._polling,
        )
        self._me: Me | None = None
        self._lock = asyncio.Lock()
        self._moved: dict[str, int] = {}
        self._clock = clock
        self._limits = Limits(clock)
        self.refused = ""  # what Telegram says of the token, where it refuses it
        self.stands_in = base_url.rstrip("/") != BASE_URL  # whether it is a server that may keep to less than Telegram
        self._lacking: dict[str, float] = {}  # methods that the server does not know, until when that is believed

    def lacks(self, method: str) -> bool:
        """Tell whether the server said a moment ago that it does not know METHOD."""
        return self._lacking.get(method, float("-inf")) > self._clock()

    def sign(self, purpose: str, text: str) -> str:
        """Sign TEXT by the token, as 64 hexadecimal digits: every process that has the token can tell."""
        return hmac.digest(self._key, f"{purpose}\x00{text}".encode(), hashlib.sha256).hex()

    @property
    def file_secret(self) -> bytes:
        """Return what tickets of files are signed with."""
        return bytes.fromhex(self.sign("file", self.bot_id))

    async def me(self) -> Me:
        """Tell who the bot is; raises UsageError where Telegram refuses the token, else as `call` does."""
        async with self._lock:
            if self._me is None:
                try:
                    said = await self.call("getMe")
                except UsageError as error:
                    self.refused = str(error)
                    raise
                except Refusal as refusal:
                    _log.warning("It is not known what people call the bot %s: %s", self.name, refusal)
                    said = None
                self.refused = ""
                user_id = integer_at(said, "id")  # a server that stands in for Telegram may name any
                self._me = Me(int(self.bot_id) if user_id is None else user_id, text_at(said, "username"))
            return self._me

    async def call(
        self, method: str, *, patience_s: float | None = PATIENCE_S, timeout_s: float = _TIMEOUT_S, **arguments: Any
    ) -> Any:
        """Call METHOD and return its result as JSON; an argument that is None is left out.

        Raises Refusal where Telegram refuses, Busy where it would take longer than PATIENCE_S to get a turn (None:
        there is no limit) or Telegram wants us to wait, ChannelUnavailable where it does not answer, and Uncertain
        where that leaves open whether a message was made.
        """
        moved = self._moved.get(str(arguments.get("chat_id")))
        if moved is not None:
            arguments = _elsewhere(method, arguments, moved)
        chat_id = arguments.get("chat_id")
        slots = slots_of(self.bot_id, method, chat_id)
        if method != "getUpdates":
            await self._pacer.wait(slots, most_s=patience_s)
        try:
            return await self._call(method, arguments, timeout_s, slots)
        except ChatMigrated as error:
            self.redirect(chat_id, error.new_chat_id)
        return await self.call(method, patience_s=patience_s, timeout_s=timeout_s, **arguments)

    def redirect(self, chat_id: Any, new_chat_id: int) -> None:
        """Send to another chat what is for a group that was upgraded."""
        self._moved[str(chat_id)] = new_chat_id

    async def download(self, file_path: str) -> bytes:
        """Return the bytes of a file that getFile named; raises as `call` does."""
        try:
            url = f"{self._file_url}/{quote(file_path)}"
            return bytes(await self._calling.retrieve(url, read_timeout=_UPLOAD_S))
        except TelegramError as error:
            raise as_ours(self.name, "the file", error) from None

    async def close(self) -> None:
        """Close the connections."""
        for request in (self._calling, self._polling):
            await request.shutdown()

    async def _send(self, method: str, arguments: Mapping[str, Any], timeout_s: float) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            async with asyncio.timeout(timeout_s + _UPLOAD_S):
                return await self._bot.call(method, given, timeout_s)
        except TimeoutError:
            raise NetworkError("It did not end in time.") from httpx.ReadTimeout("")

    async def _call(self, method: str, arguments: Mapping[str, Any], timeout_s: float, slots: Sequence[Slot]) -> Any:
        """Send, and hold back whom a Retry-After is for; raises ChatMigrated and what `call` raises."""
        counted, strange = bool(slots[0].rates), False
        try:
            async with self._limits.one_at_a_time() if counted else nullcontext():
                strange = counted and self._limits.note(slots[-1].key)
                result = await self._send(method, arguments, timeout_s)
        except ChatMigrated:
            raise
        except TelegramError as error:
            ours = as_ours(self.name, method, error)
            if self.stands_in and isinstance(ours, Refusal) and ours.is_of_method:
                self._lacking[method] = self._clock() + _DOUBT_S
            if isinstance(ours, Busy) and not isinstance(ours, Conflicted):
                await self._pacer.hold(slots[-1].key, ours.retry_after_s)
                if counted and self._limits.is_for_all(slots[-1].key, strange=strange):
                    await self._pacer.hold(slots[0].key, min(HOLD_S, ours.retry_after_s))
            raise ours from None  # the address in the library's own error holds the token
        self._lacking.pop(method, None)
        return result


def _elsewhere(method: str, arguments: Mapping[str, Any], chat_id: int) -> dict[str, Any]:
    """Name the chat that a group has become; raises Refusal for what changes one of its messages, which stay behind."""
    if method.startswith(_OF_A_MESSAGE) and "message_id" in arguments:
        raise Refusal(method, f"message to {'edit' if method.startswith('edit') else 'delete'} not found")
    return {**arguments, "chat_id": chat_id, "reply_parameters": None, "message_thread_id": None}


def slots_of(bot_id: str, method: str, chat_id: Any = None) -> list[Slot]:
    """Name what a call is paced by: for a message, an edit or a draft the bot and its chat.

    The last one named is held where Telegram wants us to wait.
    """
    bot = TELEGRAM_BOT.slot("telegram", bot_id)
    if method == "setWebhook":
        return [Slot(bot.key, ()), _SET_WEBHOOK.slot("telegram", bot_id, method)]
    if chat_id is None:
        return [Slot(bot.key, ()), Slot(f"{bot.key}\x1f{method}", ())]
    rule = TELEGRAM_GROUP if str(chat_id).startswith(("-", "@")) else TELEGRAM_PRIVATE
    chat = rule.slot("telegram", bot_id, str(chat_id))
    if method.startswith(_MESSAGES) and method not in _UNPACED:
        return [bot, chat]
    return [Slot(bot.key, ()), Slot(chat.key, ())]


def as_ours(name: str, method: str, error: TelegramError) -> FrontdeskError:
    """Turn the library's errors into ours."""
    if isinstance(error, TooMany):
        return Busy("Telegram wants us to wait.", error.retry_after_s)
    if isinstance(error, Conflict):
        return Conflicted(f"Telegram answers {method}: {error.message}", 5.0)
    if isinstance(error, InvalidToken):
        return _of_token(name, method, error)
    if isinstance(error, BadRequest | Forbidden):
        return _of_method(Refusal(method, error.message))
    return _of_network(method, error)


def _of_method(refusal: Refusal) -> FrontdeskError:
    """Take a server that does not know what every server does for one that is away."""
    if refusal.is_of_method and refusal.method in _EVERYWHERE:
        return ChannelUnavailable(f"Telegram did not take {refusal.method}; check TELEGRAM_API_URL. It is tried again.")
    return refusal


def _of_token(name: str, method: str, error: InvalidToken) -> FrontdeskError:
    """Read what the library takes for a wrong token: 401 is one, 404 an unknown method or a token of a wrong form."""
    refused = f"Telegram refuses the token of the bot {name}; copy it from @BotFather again."
    unauthorized = "unauthorized" in error.message.lower()
    if method == "getMe" and (unauthorized or error.message == UNKNOWN_METHOD):  # a page has other words
        return UsageError(refused)
    # What is to be sent waits for the right token.
    return ChannelUnavailable(refused) if unauthorized else _of_method(Refusal(method, UNKNOWN_METHOD))


def _of_network(method: str, error: TelegramError) -> FrontdeskError:
    made = method.startswith(_MAKING) and method not in _MAKING_NOTHING
    cause, said = error.__cause__, error.message.lower()
    if isinstance(cause, _NOT_SENT):
        return ChannelUnavailable("Telegram cannot be reached; check the network and TELEGRAM_API_URL.")
    if "entity too large" in said:
        return Refusal(method, "Request Entity Too Large")
    # Any status but this one says that the request failed as a whole.
    answered = isinstance(error, NetworkError) and not isinstance(cause, httpx.HTTPError) and "gateway time" not in said
    if made and not answered:
        return Uncertain(f"Telegram did not answer {method}, so it may have done it or not.")
    return ChannelUnavailable(f"Telegram did not do {method} right now; it is tried again.")
