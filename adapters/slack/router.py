"""What becomes of everything Slack sends, over HTTP and over sockets alike; nothing slow is done here."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from adapters.slack.files import ticketed
from adapters.slack.inbound import Bot, File, Heard, Ignored, Seen, Titled, from_event, people_in
from adapters.slack.markup import escape, to_mrkdwn
from adapters.slack.outbound import reason_view, sound
from adapters.slack.parts import Parts, Reply
from adapters.slack.payload import installation_of
from adapters.slack.pressed import COMMAND, WISH, Pressed, from_command, from_interaction
from core import wording
from core.beside import Beside, NowAndThen
from core.commands import Parsed, Rights, parse
from core.domain import Answer, Attachment, TicketState
from core.errors import ChannelUnavailable, Overloaded, Refused, Rejected, StoreUnavailable, UsageError
from core.inbox import Incoming, Kind
from core.language import detect
from core.meter import Counted
from core.payloads import Json, object_at, text_at
from core.places import Platform

AT_ONCE_S = 2.5
"""For what is answered with the acknowledgement itself, which Slack wants within 3 s."""
_TRIGGER_S = 1.0  # to wait for a turn: a trigger_id is worth nothing after three seconds
_MOST_WORDS = 20  # words to people that are on their way at once; the rest is left unsaid
_WORD_EVERY_S = 30.0  # to one person
_ROUTED = ("message", "app_mention", "reaction_added", "agent_session_stopped", "agent_session_title_changed")
_LONGEST_QUESTION = 300  # characters of it in an acknowledgement
_NOT_NOW = "I cannot work right now; please try again in a minute."
_TOO_SLOW = "This took too long; please try again."

_log = logging.getLogger(__name__)

_TAKEN = Reply()
_AGAIN = Reply(503)  # nothing was stored; Slack delivers an event again


class Router:
    """Route events, commands and interactions."""

    def __init__(self, parts: Parts, *, prefix: str = "/frontdesk") -> None:
        self._parts = parts
        self._prefix = prefix
        self._beside = Beside(_MOST_WORDS)
        self._told = NowAndThen(_WORD_EVERY_S)

    async def event(self, payload: Json, request_id: str = "") -> Reply:
        """Take an event in; everything is acknowledged but what could not be stored."""
        payload = await self._placed(payload)
        kind = text_at(payload, "event", "type")
        if text_at(payload, "type") == "app_rate_limited":
            return self._rate_limited(payload)
        handled = await self._at_once(kind, payload) if self._is_theirs(kind, payload) else None
        if handled is not None or kind not in _ROUTED:
            return handled or _TAKEN
        seen = await self._seen(payload, request_id, people_in(payload))
        return seen if isinstance(seen, Reply) else await self._follow(from_event(payload, seen), payload, seen)

    async def command(self, payload: Json, request_id: str = "") -> Reply:
        """Carry a slash command out at once, or take it in."""
        payload = await self._placed(payload)
        handled = await self._at_once("command", payload)
        if handled is not None:
            return handled
        seen = await self._seen(payload, request_id, people_in(payload))
        if isinstance(seen, Reply):
            return seen
        return await self._follow(from_command(payload, seen, self._prefix), payload, seen)

    async def interaction(self, payload: Json, request_id: str = "") -> Reply:
        """Carry what was pressed, chosen or sent out at once, or take it in."""
        payload = await self._placed(payload)
        handled = await self._at_once(text_at(payload, "type"), payload)
        if handled is not None:
            return handled
        message = object_at(payload, "message")
        seen = await self._seen(payload, request_id, people_in(message) if message else ())
        if isinstance(seen, Reply):
            return seen
        return await self._follow(from_interaction(payload, seen), payload, seen)

    async def close(self) -> None:
        """Let go of words that are on their way."""
        await self._beside.close()

    async def _placed(self, payload: Json) -> Json:
        """Name the workspace where PAYLOAD does not, as emulators send it: there is only the one of the token."""
        if installation_of(payload):
            return payload
        try:
            token = await self._parts.workspaces.of("")
        except (Rejected, StoreUnavailable, ChannelUnavailable):
            return payload
        return {**payload, "team_id": token.team_id}

    def _is_theirs(self, kind: str, payload: Json) -> bool:
        """Tell whether an event goes to the interactions first: of messages, only those in the channel of tickets."""
        interactions = self._parts.interactions
        return interactions is not None and (
            kind not in _ROUTED or interactions.hears(payload, installation_of(payload))
        )

    async def _at_once(self, kind: str, payload: Json) -> Reply | None:
        """Have PAYLOAD handled within the time that Slack waits; None where it is nobody's."""
        if self._parts.interactions is None:
            return None
        try:
            async with asyncio.timeout(AT_ONCE_S):
                handled = await self._parts.interactions.handle(kind, payload, installation_of(payload))
        except TimeoutError:
            _log.warning("%s was not handled within %s s", kind, AT_ONCE_S)
            return _say(_TOO_SLOW) if kind == "command" else _TAKEN
        except (StoreUnavailable, ChannelUnavailable) as error:
            return self._not_stored(error, payload)
        except (Refused, UsageError) as error:
            _log.warning("%s was not handled: %s", kind, error)
            return _say(str(error)) if kind == "command" else _TAKEN
        return None if handled is None else Reply(body=handled.body)

    async def _seen(self, payload: Json, request_id: str, mentioned: tuple[str, ...]) -> Seen | Reply:
        """Find out whose workspace it is, who we are there, and the names of those who are mentioned."""
        team_id = installation_of(payload)
        try:
            tenant_id = await self._parts.workspaces.tenant_of(team_id)
            token = await self._parts.workspaces.of(team_id)
        except Rejected as error:
            _log.warning("An event of a workspace that is not ours: %s", error)
            return _TAKEN
        except (StoreUnavailable, ChannelUnavailable) as error:
            return self._not_stored(error, payload)
        if tenant_id is None:
            return _TAKEN
        bot = Bot(token.bot_user_id, token.bot_id, token.app_id)
        others = [user_id for user_id in mentioned if user_id != bot.user_id]
        names = await self._parts.people.names(team_id, others) if others else {}
        return Seen(tenant_id, bot, names, request_id, time.time())

    async def _follow(self, found: Heard | Titled | Pressed | Ignored, payload: Json, seen: Seen) -> Reply:
        try:
            if isinstance(found, Ignored):
                _log.debug("ignored: %s", found.reason)
                return _TAKEN
            if isinstance(found, Heard):
                return await self._take(found)
            if isinstance(found, Pressed):
                return await self._show(found, seen.tenant_id)
            if self._parts.rename is not None:
                await self._parts.rename(seen.tenant_id, installation_of(payload), found.place, found.title)
        except StoreUnavailable as error:
            return self._not_stored(error, payload)
        return _TAKEN

    async def _take(self, heard: Heard) -> Reply:
        if not await self._parts.listening.concerns_us(heard):
            return _TAKEN
        incoming = await self._with_author(await self._unless_idle(heard.incoming))
        instant = await self._instantly(incoming)
        if instant is not None:
            return _say(to_mrkdwn(instant.text))
        known = await self._known_files(incoming) if heard.files else ()
        kept = () if known else await self._keep_files(incoming, heard.files)
        try:
            accepted = await self._parts.acceptance.accept(_with_files(incoming, known or kept))
        except Overloaded as error:
            await self._parts.files.drop(incoming.message.tenant_id, kept)
            return self._too_busy(incoming, error)
        except UsageError as error:
            _log.warning("An event cannot be stored and is dropped: %s", error)
            return _TAKEN
        if accepted.duplicate:
            await self._parts.files.drop(incoming.message.tenant_id, kept)
            if incoming.message_id.startswith(WISH):
                self._beside.start(self._tell_of_ticket(incoming))
        elif heard.may_say_why:
            self._beside.start(self._ask_why(heard))
        return _looking(incoming)

    async def _known_files(self, incoming: Incoming) -> tuple[Attachment, ...]:
        """Return the files that came with a message which is edited: those that were read are not read again."""
        if incoming.kind is not Kind.EDIT or self._parts.files_of is None:
            return ()
        return await self._parts.files_of(incoming.thread, incoming.message_id)

    async def _keep_files(self, incoming: Incoming, files: Sequence[File]) -> tuple[Attachment, ...]:
        """Keep a ticket for each file of what will be answered."""
        if incoming.kind not in (Kind.MESSAGE, Kind.EDIT):
            return ()
        tenant_id, secret = incoming.message.tenant_id, self._parts.file_secret
        tickets = [ticketed(file, incoming.installation, tenant_id, secret) for file in files]
        return await self._parts.files.keep(tenant_id, tickets)

    async def _with_author(self, incoming: Incoming) -> Incoming:
        """Note what Slack says of the author: all is asked at once, because Slack waits."""
        message, told, names = incoming.message, incoming.message.administrator, dict[str, str]()
        author_id = message.author.author_id
        parsed = parse(message.text) if incoming.kind in (Kind.MESSAGE, Kind.EDIT) else None
        if parsed is None or not _asks_for_rights(parsed):
            outsider = await self._is_outsider(incoming)
        else:
            people, team_id = self._parts.people, incoming.installation
            asked = people.is_administrator(team_id, author_id), people.names(team_id, (author_id,))
            told, names, outsider = await asyncio.gather(*asked, self._is_outsider(incoming))
        hint = message.language_hint or await self._language_of(incoming)
        author = replace(message.author, name=message.author.name or names.get(author_id, ""))
        known = replace(message, author=author, administrator=told, outsider=outsider, language_hint=hint)
        return replace(incoming, message=known)

    async def _language_of(self, incoming: Incoming) -> str:
        """Name the language the author of a question reads Slack in, where it is known: nobody waits for it."""
        if incoming.kind not in (Kind.MESSAGE, Kind.EDIT):
            return ""
        author_id = incoming.message.author.author_id
        return await self._parts.people.language(incoming.installation, author_id, within_s=0.0)

    async def _is_outsider(self, incoming: Incoming) -> bool:
        """Tell whether the author of a question, or whoever else reads the answer, is an outsider."""
        if self._parts.outsiders is None or incoming.kind not in (Kind.MESSAGE, Kind.EDIT):
            return False
        return await self._parts.outsiders.concerns(incoming)

    async def _instantly(self, incoming: Incoming) -> Answer | None:
        """Carry out a slash command that needs no work, so that what it holds, a code for example, is not stored."""
        if self._parts.commands is None or not incoming.event_id.startswith(COMMAND):
            return None
        if incoming.kind is not Kind.MESSAGE:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(AT_ONCE_S):
                return await self._parts.commands.instant(incoming.message)
        return None

    async def _show(self, pressed: Pressed, tenant_id: int) -> Reply:
        if self._parts.show is None:
            return _TAKEN
        try:
            async with asyncio.timeout(AT_ONCE_S):
                handled = await self._parts.show(pressed, tenant_id)
        except (TimeoutError, Rejected, ChannelUnavailable) as error:
            _log.warning("%s was not shown: %s", pressed.what, error)
            return _TAKEN
        return Reply(body=handled.body) if handled is not None else _TAKEN

    def _not_stored(self, error: Exception, payload: Json) -> Reply:
        """Have an event delivered again; a command comes once, so its author is told; a button shows it by itself."""
        _log.warning("Something from Slack was not taken: %s", error)
        return _say(_NOT_NOW) if text_at(payload, "command") else _AGAIN

    def _rate_limited(self, payload: Json) -> Reply:
        """Note that Slack delivers no more to us for the rest of the hour; what it held back does not come later."""
        _log.error("Slack holds back events of %s: over 30,000 in an hour", text_at(payload, "team_id"))
        self._parts.meter.count(Counted.REFUSED, platform=Platform.SLACK.value, tenant="", reason="overloaded")
        return _TAKEN

    def _too_busy(self, incoming: Incoming, error: Overloaded) -> Reply:
        """Say that it is too much, where only the author reads it: to a command at once, else a little later."""
        if incoming.event_id.startswith(COMMAND):
            return _say(str(error))
        who = incoming.installation, incoming.message.author.author_id
        if incoming.kind in (Kind.MESSAGE, Kind.EDIT) and self._told.may_tell(who):
            self._beside.start(self._tell(incoming, str(error)))
        return _TAKEN

    async def _ask_why(self, heard: Heard) -> None:
        """Open the form that asks what was wrong; the rating counts without it."""
        address = heard.incoming.address
        rated = {name: str(address.get(name, "")) for name in ("channel", "thread_ts", "ts")}
        author_id = heard.incoming.message.author.author_id
        language = await self._parts.people.language(heard.incoming.installation, author_id)
        view = reason_view({**rated, "message": heard.incoming.target}, language)
        await self._parts.api.call(
            "views.open",
            team_id=heard.incoming.installation,
            patience_s=_TRIGGER_S,
            trigger_id=heard.may_say_why,
            view=view,
        )

    async def _unless_idle(self, incoming: Incoming) -> Incoming:
        """Let the word "stop" be answered where there is nothing to stop."""
        asks = self._parts.is_answering
        if incoming.kind is not Kind.STOP or not incoming.message.text or asks is None or await asks(incoming.thread):
            return incoming
        return replace(incoming, kind=Kind.MESSAGE)

    async def _tell_of_ticket(self, incoming: Incoming) -> None:
        """Say to whoever asks for a person once more how the ticket stands."""
        ticket = await self._parts.ticket_of(incoming.thread, incoming.message_id) if self._parts.ticket_of else None
        if ticket is not None:
            language = incoming.message.language_hint
            named = wording.say(wording.TICKET, language, number=ticket.number)
            await self._tell(incoming, f"{named}: {wording.say(_STATES[ticket.state], language)}")

    async def _tell(self, incoming: Incoming, text: str) -> None:
        address = incoming.address
        thread_ts = address["thread_ts"] if address["thread_ts"] != address.get("ts") else None
        where = {"channel": address["channel"], "user": address["user"], "thread_ts": thread_ts}
        if address.get("response_url"):
            await self._parts.api.respond(address["response_url"], _words(text))
        else:
            await self._parts.api.call("chat.postEphemeral", team_id=incoming.installation, text=text, **where)


_STATES = {
    TicketState.OPEN: wording.TICKET_WAITS,
    TicketState.ANSWERED: wording.TICKET_HAS_ANSWER,
    TicketState.CLOSED: wording.TICKET_IS_OVER,
}


def _looking(incoming: Incoming) -> Reply:
    """Acknowledge what was taken in: a command shows its question, which nothing else would do, and that we are at it.

    Slack lets nobody replace that by the answer, so it stays above it: github.com/slackapi/bolt-js/issues/2287.
    """
    parsed = parse(incoming.message.text)
    asks = parsed is None or (parsed.name == "ask" and bool(parsed.text))
    if not incoming.event_id.startswith(COMMAND) or incoming.kind is not Kind.MESSAGE or not asks:
        return _TAKEN
    question = " ".join((parsed.text if parsed else incoming.message.text).split())
    language = detect(question[:1_000], default=incoming.message.language_hint or "en")
    shown = question if len(question) <= _LONGEST_QUESTION else question[: _LONGEST_QUESTION - 1].rstrip() + "…"
    return _say(f"> {escape(sound(shown))}\n{wording.say(wording.LOOKING, language)}")


def _asks_for_rights(parsed: Parsed) -> bool:
    """Tell whether what a command does depends on who gives it: also a list that is longer for administrators."""
    verbs = parsed.command.verbs if parsed.command else ()
    shows_more = parsed.name == "help" or any(verb.rights is Rights.ADMINISTRATOR for verb in verbs)
    return shows_more or parsed.rights is Rights.ADMINISTRATOR


def _with_files(incoming: Incoming, files: tuple[Attachment, ...]) -> Incoming:
    return replace(incoming, message=replace(incoming.message, attachments=files)) if files else incoming


def _words(text: str) -> dict[str, Any]:
    return {"response_type": "ephemeral", "replace_original": False, "text": text}


def _say(text: str) -> Reply:
    return Reply(body=_words(text))
