"""What becomes of an update, whichever way it came: stored before anybody is told so, its button answered at once."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapters.telegram.api import TelegramApi
from adapters.telegram.buttons import Action, Press
from adapters.telegram.earlier import Earlier, after, is_idle_stop
from adapters.telegram.files import FileTickets
from adapters.telegram.inbound import Bot, Heard, hear, place_of
from adapters.telegram.outbound import alert
from adapters.telegram.payload import record, text
from adapters.telegram.posting import where_of
from adapters.telegram.sources import Sources
from core import wording
from core.channels import ChannelSettings, Listens
from core.commands import parse
from core.domain import Answer, Message
from core.errors import Busy, ChannelUnavailable, Overloaded, Rejected, UsageError
from core.inbox import Accepted, Incoming, Kind, Thread
from core.meter import Counted, Meter, Unmetered
from core.outbox import Purpose, Target
from core.places import Place, Platform

_SETTINGS_S = 5.0  # for which a group's settings are remembered
_MOST_WORDS = 100  # calls on their way at once beside the answers; more are left out
_WORD_EVERY_S = 30.0  # to one author

_QUESTIONS = ("ask", "human")  # commands whose answers everybody may read while they grow

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """A bot and whose it is."""

    api: TelegramApi
    tenant_id: int
    secret: str = field(repr=False)  # what Telegram sends with each update
    administrators: frozenset[str] = frozenset()  # ids of people who may administer


class Accepts(Protocol):
    """The part of core/accepting.py's Acceptance that is used here."""

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store an event."""


class Channels(Protocol):
    """The part of core/channels.py's ChannelStore that is used here."""

    async def settings(self, tenant_id: int, place: Place) -> ChannelSettings:
        """Look up the settings of the channel of PLACE."""


class Instant(Protocol):
    """The part of core/actions.py's Actions that is used here."""

    async def instant(self, message: Message) -> Answer | None:
        """Do what MESSAGE commands where that is quick; else None."""


class Enqueues(Protocol):
    """The part of the outbox that is used here."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer) -> int:
        """Store something to be sent by whichever worker is free."""


class Intake:
    """Take updates in."""

    def __init__(
        self,
        acceptance: Accepts,
        channels: Channels,
        files: FileTickets,
        sources: Sources,
        outbox: Enqueues,
        earlier: Earlier,
        *,
        commands: Instant | None = None,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._acceptance = acceptance
        self._channels = channels
        self._files = files
        self._sources = sources
        self._outbox = outbox
        self._earlier = earlier
        self._commands = commands
        self._meter = meter or Unmetered()
        self._clock = clock
        self._calls: set[asyncio.Task[None]] = set()
        self._told: dict[tuple[str, str], float] = {}
        self._settings: dict[tuple[int, str], tuple[float, Listens]] = {}

    async def take(self, account: Account, update: Any, request_id: str = "") -> None:
        """Take UPDATE in; when this returns, it may be acknowledged.

        What can never be taken is logged. Raises StoreUnavailable, and ChannelUnavailable where it is not known yet
        who the bot is: then it is to be delivered again.
        """
        try:
            heard = await self._hear(account, update, request_id)
            if heard.incoming is not None:
                await self._store(account, heard.incoming)
        except UsageError as error:
            self.refuse(account, str(error))
            return
        if heard.press is not None and heard.press.query_id:
            self._soon(self._answer(account, heard.press, update))
        if heard.ignored:
            _log.debug("ignored: %s", heard.ignored)

    def refuse(self, account: Account, reason: str) -> None:
        """Log what can never be taken in, and count it; delivered again, it would hold up its chat."""
        _log.warning("An update of the bot %s is dropped: %s", account.api.name, reason)
        tenant = str(account.tenant_id)
        self._meter.count(Counted.REFUSED, platform=Platform.TELEGRAM.value, tenant=tenant, reason="unreadable")

    async def close(self) -> None:
        """Let go of calls that are on their way."""
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _hear(self, account: Account, update: Any, request_id: str) -> Heard:
        try:
            me = await account.api.me()
        except UsageError as error:  # the token, not the update, is wrong
            raise ChannelUnavailable(str(error)) from error
        bot = Bot(account.tenant_id, me.bot_id, me.username)
        heard = hear(update, bot, request_id=request_id)
        if heard.ignored and isinstance(update, Mapping):
            listens, albums = await self._listens(account, update), await self._known_album(account, update)
            if albums or listens is not Listens.MENTION:
                heard = hear(update, bot, listens=listens, albums=albums, request_id=request_id)
        return heard

    async def _known_album(self, account: Account, update: Mapping[str, Any]) -> tuple[str, ...]:
        """Name the album that UPDATE is a part of, where an earlier part of it was for the bot."""
        album, place = text(record(update, "message"), "media_group_id"), place_of(update)
        if not album or place is None:
            return ()
        thread = Thread(account.tenant_id, account.api.bot_id, place)
        return (album,) if await self._earlier.find(thread, f"album:{album}") is not None else ()

    async def _listens(self, account: Account, update: Mapping[str, Any]) -> Listens:
        """Look up which messages of a group are answered; a group writes much that is not for us."""
        written = record(update, "message") or record(update, "edited_message")
        place = place_of(update) if text(record(written, "chat"), "type") in ("group", "supergroup") else None
        if place is None:
            return Listens.MENTION
        key, now_s = (account.tenant_id, place.channel), self._clock()
        known = self._settings.get(key)
        if known is None or now_s - known[0] >= _SETTINGS_S:
            settings = await self._channels.settings(account.tenant_id, place)
            self._settings = {each: held for each, held in self._settings.items() if now_s - held[0] < _SETTINGS_S}
            self._settings[key] = known = (now_s, settings.listens)
        return known[1]

    async def _store(self, account: Account, incoming: Incoming) -> None:
        changed = await after(self._earlier, incoming)
        if changed is None:
            return
        incoming = _marked(account, changed)
        if await self._is_done(incoming):
            return
        idle = await is_idle_stop(self._earlier, incoming)
        if await self._is_new(account, incoming) and idle:
            await self._say_idle(incoming)

    async def _is_new(self, account: Account, incoming: Incoming) -> bool:
        """Store INCOMING with its files; False where it is there already or is too much."""
        kept = await self._files.keep(account.api, incoming)
        try:
            accepted = await self._acceptance.accept(kept)
        except Overloaded as error:
            await self._files.drop(kept, incoming)
            self._tell(account, incoming, str(error))
            return False
        if accepted.duplicate:
            await self._files.drop(kept, incoming)
        return not accepted.duplicate

    async def _is_done(self, incoming: Incoming) -> bool:
        """Carry out at once what must not be stored on its way: the code that makes an administrator."""
        parsed = parse(incoming.message.text) if incoming.kind is Kind.MESSAGE and self._commands else None
        if parsed is None or parsed.name != "admin" or self._commands is None:
            return False
        answer = await self._commands.instant(incoming.message)
        if answer is None:
            return False
        await self._outbox.enqueue(_target(incoming), Purpose.NOTICE, answer)
        return True

    async def _say_idle(self, incoming: Incoming) -> None:
        """Say that there is no answer to stop."""
        answer = None
        if self._commands is not None:
            answer = await self._commands.instant(replace(incoming.message, text="/stop"))
        if answer is not None:  # for everybody to read, as is the answer that it was to stop
            await self._outbox.enqueue(_target(incoming), Purpose.NOTICE, replace(answer, private=False))

    def _tell(self, account: Account, incoming: Incoming, words: str) -> None:
        """Tell an author that it is too much, now and then."""
        key, now_s = (incoming.installation, incoming.message.author.author_id), self._clock()
        if incoming.kind in (Kind.MESSAGE, Kind.EDIT) and key not in self._told:
            self._soon(self._call(account, "sendMessage", text=words, **where_of(incoming.address)))
        self._told = {who: at_s for who, at_s in self._told.items() if now_s - at_s < _WORD_EVERY_S}
        self._told.setdefault(key, now_s)

    async def _answer(self, account: Account, press: Press, update: Mapping[str, Any]) -> None:
        """Answer a button, so that its clock stops; a passage that is short is the answer itself."""
        query = record(update, "callback_query")
        language = text(record(query, "from"), "language_code")[:2] or "en"
        if press.action is Action.SHOW:
            await self._show(account, press, update, language)
            return
        said = wording.BUTTON_GONE if press.action is None else _SAID.get(press.action, "")
        words = alert(wording.say(said, language)) if said else None
        shown = press.action is None or None
        await self._call(account, "answerCallbackQuery", callback_query_id=press.query_id, text=words, show_alert=shown)

    async def _show(self, account: Account, press: Press, update: Mapping[str, Any], language: str) -> None:
        place = place_of(update)
        found = None
        if place is not None:
            found = await self._sources.find(account.tenant_id, account.api.bot_id, place, press)
        short = self._sources.short(found, press.number) if found else wording.say(wording.SOURCE_GONE, language)
        more = {"text": alert(short), "show_alert": True} if short else {}
        await self._call(account, "answerCallbackQuery", callback_query_id=press.query_id, **more)
        if found is not None and not short:
            await self._sources.show(account.api, found, press)

    async def _call(self, account: Account, method: str, **arguments: Any) -> None:
        """Call once more where Telegram wants us to wait; what it refuses, such as a query too old, is over."""
        try:
            await account.api.call(method, **arguments)
        except Busy as busy:
            if busy.retry_after_s <= _WORD_EVERY_S:
                await asyncio.sleep(busy.retry_after_s)
                await account.api.call(method, **arguments)

    def _soon(self, call: Coroutine[Any, Any, None]) -> None:
        """Make a call beside the acknowledgement, which does not wait for it."""
        if len(self._calls) >= _MOST_WORDS:
            call.close()
            return
        task = asyncio.create_task(_logged(call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)


def _marked(account: Account, incoming: Incoming) -> Incoming:
    """Note whether an administrator of the settings wrote it, and whether it is a command."""
    if incoming.kind not in (Kind.MESSAGE, Kind.EDIT):
        return incoming
    if account.administrators:
        told = incoming.message.author.author_id in account.administrators
        incoming = replace(incoming, message=replace(incoming.message, administrator=told))
    parsed = parse(incoming.message.text)
    if parsed is not None and parsed.name not in _QUESTIONS:
        incoming = replace(incoming, address={**incoming.address, "command": True})
    return incoming


def _target(incoming: Incoming) -> Target:
    message = incoming.message
    return Target(
        tenant_id=message.tenant_id,
        installation=incoming.installation,
        place=message.place,
        author_id=message.author.author_id,
        address=incoming.address,
        message_id=incoming.message_id,
        request_id=incoming.request_id,
    )


_SAID = {Action.UP: wording.RATED, Action.DOWN: wording.RATED}


async def _logged(call: Coroutine[Any, Any, None]) -> None:
    try:
        await call
    except (Rejected, ChannelUnavailable) as error:
        _log.info("A call beside the answers was not made: %s", error)
