"""What becomes of an update, whichever way it came: stored before anybody is told so, its button answered at once."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapters.telegram.api import TelegramApi
from adapters.telegram.buttons import Action, Press, read_data
from adapters.telegram.completed import completed, dated
from adapters.telegram.earlier import Earlier, after, is_idle_stop
from adapters.telegram.files import ticketed
from adapters.telegram.inbound import Bot, Heard, Moved, hear, place_of
from adapters.telegram.limits import CALLBACK_S
from adapters.telegram.outbound import alert
from adapters.telegram.posting import where_of
from adapters.telegram.pressed import Opened, weigh
from adapters.telegram.sources import Sources
from core import wording
from core.beside import Beside, NowAndThen
from core.channels import ChannelSettings, Listens
from core.commands import parse
from core.domain import Answer, Origin
from core.errors import Busy, ChannelUnavailable, Overloaded, StoreUnavailable, UsageError
from core.file_tickets import FileTickets
from core.inbox import Incoming, Kind, Thread
from core.meter import Counted, Meter, Unmetered
from core.outbox import Purpose, target_of
from core.payloads import object_at, text_at
from core.places import Place, Platform
from core.taking import Accepts, Enqueues, Instant, carry_out_secretly

SECRET_QUERY = "secret"  # noqa: S105 - the name of the parameter
"""The parameter of the webhook's address that holds the secret for a server which may not send it otherwise."""

_SETTINGS_S = 5.0  # for which a group's settings are remembered
_MOST_WORDS = 100  # calls on their way at once beside the answers; more are left out
_WORD_EVERY_S = 30.0  # to one author
_KIND_WORD_EVERY_S = 3.0  # to one author, who is told what is not read
_REMEMBERED_S = 600.0  # for which a message is known that Telegram delivers again

_QUESTIONS = ("ask", "human")  # commands whose answers everybody may read while they grow

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """A bot and whose it is."""

    api: TelegramApi
    tenant_id: int
    secret: str = field(repr=False)  # what Telegram sends with each update
    administrators: frozenset[str] = frozenset()  # ids of people who may administer


class Channels(Protocol):
    """The part of core/channels.py's ChannelStore that is used here."""

    async def settings(self, tenant_id: int, place: Place) -> ChannelSettings:
        """Look up the settings of the channel of PLACE."""


class Moves(Protocol):
    """Let channels go on under another id."""

    async def move(
        self, tenant_id: int, platform: Platform, channel: str, new_channel: str, address: dict[str, object]
    ) -> None:
        """Move what was decided and said there; ADDRESS is where its tickets are answered now."""


class Known(Earlier, Opened, Protocol):
    """What is looked up of what came before."""


class Intake:
    """Take updates in."""

    def __init__(
        self,
        acceptance: Accepts,
        channels: Channels,
        files: FileTickets,
        sources: Sources,
        outbox: Enqueues,
        earlier: Known,
        *,
        moves: Moves | None = None,
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
        self._moves = moves
        self._commands = commands
        self._meter = meter or Unmetered()
        self._clock = clock
        self._beside = Beside(_MOST_WORDS)
        self._told = NowAndThen(_WORD_EVERY_S, clock=clock)
        self._told_kindly = NowAndThen(_KIND_WORD_EVERY_S, clock=clock)
        self._worded = NowAndThen(_REMEMBERED_S, clock=clock)
        self._pressed = NowAndThen(CALLBACK_S, clock=clock)
        self._settings: dict[tuple[int, str], tuple[float, Listens]] = {}

    async def take(self, account: Account, update: Any, request_id: str = "") -> None:
        """Take UPDATE in; when this returns, it may be acknowledged.

        What can never be taken is logged. Raises StoreUnavailable, and ChannelUnavailable where it is not known yet
        who the bot is: then it is to be delivered again.
        """
        if account.api.stands_in:
            update = completed(update)
        try:
            heard = await self._hear(account, update, request_id)
            said = await self._carry_out(account, heard, update)
        except UsageError as error:
            self.refuse(account, str(error))
            return
        if heard.press is not None and heard.press.query_id and self._pressed.may_tell(heard.press.query_id):
            self._beside.start(self._answer(account, heard.press, update, said))
        if heard.ignored:
            _log.debug("ignored: %s", heard.ignored)

    def refuse(self, account: Account, reason: str) -> None:
        """Log what can never be taken in, and count it; delivered again, it would hold up its chat."""
        _log.warning("An update of the bot %s is dropped: %s", account.api.name, reason)
        tenant = str(account.tenant_id)
        self._meter.count(Counted.REFUSED, platform=Platform.TELEGRAM.value, tenant=tenant, reason="unreadable")

    async def close(self) -> None:
        """Let go of calls that are on their way."""
        await self._beside.close()

    async def _carry_out(self, account: Account, heard: Heard, update: Mapping[str, Any]) -> str:
        """Store what was heard; return what a button is answered where it is to do nothing."""
        incoming, said = heard.incoming, ""
        if heard.moved is not None:
            await self._move(account, heard.moved)
        if incoming is not None and heard.press is not None:
            language = _language_of(update)
            incoming, said = await weigh(heard.press, incoming, self._sources, self._earlier, language)
        if incoming is not None and heard.word:
            await self._say_kindly(incoming, heard.word)
        elif incoming is not None:
            await self._store(account, incoming)
        return said

    async def _move(self, account: Account, moved: Moved) -> None:
        """Let a group go on as the supergroup that it has become."""
        account.api.redirect(moved.chat_id, moved.new_chat_id)
        if self._moves is not None:
            address: dict[str, object] = {"chat_id": moved.new_chat_id, "chat_type": "supergroup"}
            old, new = str(moved.chat_id), str(moved.new_chat_id)
            await self._moves.move(account.tenant_id, Platform.TELEGRAM, old, new, address)
        self._settings.clear()

    async def _say_kindly(self, incoming: Incoming, word: str) -> None:
        """Answer what holds nothing to be read, each message once and nobody all the time."""
        message = incoming.message
        who = incoming.installation, message.place.channel, message.author.author_id
        if self._worded.may_tell((*who, incoming.message_id)) and self._told_kindly.may_tell(who):
            language = message.language_hint or "en"
            answer = Answer(wording.say(word, language), Origin.COMMAND, None, language=language)
            try:
                await self._outbox.enqueue(target_of(incoming), Purpose.NOTICE, answer)
            except StoreUnavailable:
                self._worded.forget((*who, incoming.message_id))
                self._told_kindly.forget(who)
                raise

    async def _hear(self, account: Account, update: Any, request_id: str) -> Heard:
        try:
            me = await account.api.me()
        except UsageError as error:  # the token, not the update, is wrong
            raise ChannelUnavailable(str(error)) from error
        if account.api.stands_in:
            update = await self._with_button(account, update)
        bot = Bot(account.tenant_id, me.bot_id, me.username, account.api.bot_id)
        heard = hear(update, bot, request_id=request_id)
        if heard.ignored and isinstance(update, Mapping):
            listens, albums = await self._listens(account, update), await self._known_album(account, update)
            if albums or listens is not Listens.MENTION:
                heard = hear(update, bot, listens=listens, albums=albums, request_id=request_id)
        if account.api.stands_in and heard.incoming is not None:
            return replace(heard, incoming=dated(heard.incoming, update))
        return heard

    async def _with_button(self, account: Account, update: Any) -> Any:
        """Name the message of a button where the server does not."""
        query = object_at(update, "callback_query")
        message, place = object_at(query, "message"), place_of(update)
        outbox_id = read_data("", text_at(query, "data"), "").outbox_id
        if not message or "message_id" in message or place is None or not outbox_id:
            return update
        found = await self._sources.message_of(account.tenant_id, account.api.bot_id, place, outbox_id)
        if not found.isdecimal():
            return update
        return {**update, "callback_query": {**query, "message": {**message, "message_id": int(found)}}}

    async def _known_album(self, account: Account, update: Mapping[str, Any]) -> tuple[str, ...]:
        """Name the album that UPDATE is a part of, where an earlier part of it was for the bot."""
        album, place = text_at(object_at(update, "message"), "media_group_id"), place_of(update)
        if not album or place is None:
            return ()
        thread = Thread(account.tenant_id, account.api.bot_id, place)
        return (album,) if await self._earlier.find(thread, f"album:{album}") is not None else ()

    async def _listens(self, account: Account, update: Mapping[str, Any]) -> Listens:
        """Look up which messages of a group are answered; a group writes much that is not for us."""
        written = object_at(update, "message") or object_at(update, "edited_message")
        place = place_of(update) if text_at(object_at(written, "chat"), "type") in ("group", "supergroup") else None
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
        if await carry_out_secretly(incoming, self._commands, self._outbox):
            return
        idle = await is_idle_stop(self._earlier, incoming)
        if await self._is_new(account, incoming) and idle:
            await self._say_idle(incoming)

    async def _is_new(self, account: Account, incoming: Incoming) -> bool:
        """Store INCOMING with its files; False where it is there already or is too much."""
        message = incoming.message
        tickets = [ticketed(attachment, account.api, message.tenant_id) for attachment in message.attachments]
        kept = await self._files.keep(message.tenant_id, tickets)
        new = [attachment for attachment in kept if attachment not in message.attachments]
        try:
            accepted = await self._acceptance.accept(replace(incoming, message=replace(message, attachments=kept)))
        except Overloaded as error:
            await self._files.drop(message.tenant_id, new)
            self._tell(account, incoming, str(error))
            return False
        if accepted.duplicate:
            await self._files.drop(message.tenant_id, new)
        return not accepted.duplicate

    async def _say_idle(self, incoming: Incoming) -> None:
        """Say that there is no answer to stop."""
        answer = None
        if self._commands is not None:
            answer = await self._commands.instant(replace(incoming.message, text="/stop"))
        if answer is not None:  # for everybody to read, as is the answer that it was to stop
            await self._outbox.enqueue(target_of(incoming), Purpose.NOTICE, replace(answer, private=False))

    def _tell(self, account: Account, incoming: Incoming, words: str) -> None:
        """Tell an author that it is too much, now and then."""
        who = incoming.installation, incoming.message.author.author_id
        if incoming.kind in (Kind.MESSAGE, Kind.EDIT) and self._told.may_tell(who):
            self._beside.start(self._call(account, "sendMessage", text=words, **where_of(incoming.address)))

    async def _answer(self, account: Account, press: Press, update: Mapping[str, Any], said: str) -> None:
        """Answer a button, so that its clock stops, with SAID where it did nothing; a short passage is the answer."""
        language = _language_of(update)
        if press.action is Action.SHOW:
            await self._show(account, press, update, language)
            return
        shown = press.action is None or bool(said) or None
        usual = wording.BUTTON_GONE if press.action is None else _SAID.get(press.action, "")
        said = said or wording.say(usual, language)
        words = alert(said) if said else None
        await self._call(account, "answerCallbackQuery", callback_query_id=press.query_id, text=words, show_alert=shown)

    async def _show(self, account: Account, press: Press, update: Mapping[str, Any], language: str) -> None:
        place = place_of(update)
        found = None
        if place is not None:
            found = await self._sources.find(account.tenant_id, account.api.bot_id, place, press)
        short = self._sources.short(found, press.number) if found else wording.say(wording.SOURCE_GONE, language)
        more = {"text": alert(short), "show_alert": True} if short else {}
        await self._call(account, "answerCallbackQuery", callback_query_id=press.query_id, **more)
        if place is not None and found is not None and not short:
            await self._sources.show(account.api, found, press, place)

    async def _call(self, account: Account, method: str, **arguments: Any) -> None:
        """Call once more where Telegram wants us to wait; what it refuses, such as a query too old, is over."""
        try:
            await account.api.call(method, **arguments)
        except Busy as busy:
            if busy.retry_after_s <= _WORD_EVERY_S:
                await asyncio.sleep(busy.retry_after_s)
                await account.api.call(method, **arguments)


def _language_of(update: Mapping[str, Any]) -> str:
    """Name the language of whoever pressed a button."""
    return text_at(object_at(object_at(update, "callback_query"), "from"), "language_code")[:2] or "en"


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


_SAID = {Action.UP: wording.RATED, Action.DOWN: wording.RATED}
