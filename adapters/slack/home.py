"""The App Home and the agent pane: one's own sessions and tickets, what can be asked about, prompts and titles.

docs.slack.dev/surfaces/app-home, docs.slack.dev/ai/agent-sessions
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from adapters.slack.api import Refusal
from adapters.slack.limits import SECTION_TEXT, SESSION_TITLE, SUGGESTED_PROMPTS
from adapters.slack.manifest import PROMPTS
from adapters.slack.markup import escape
from adapters.slack.outsiders import Outsiders
from adapters.slack.people import People
from core import command_words as words
from core.actions_call import Tools
from core.domain import Answer, Session, Ticket, TicketState
from core.errors import ChannelUnavailable, NotFound, Rejected, StoreUnavailable
from core.outbox import Target
from core.places import Place, Platform, Reader
from core.wording import say

NEW = "home_new"
FAVOURITE = "home_favourite"
"""The action ids of the buttons; the value of a favourite is ID:1 or ID:0, so that pressing twice does no harm."""

_SESSIONS = 10
_LOOKED_AT = 50  # of the author's sessions, to find those of Slack
_TICKETS = 10
_BASES = 30
_LINE = 150  # characters of a title or a question
_LANGUAGE_S = 5.0  # nobody waits for a Home as for an answer
_QUIET = ("session_not_found", "invalid_thread_ts", "channel_not_found", "missing_scope", "not_allowed_token_type")
_STATES = {
    TicketState.OPEN: words.TICKET_STATE_OPEN,
    TicketState.ANSWERED: words.TICKET_STATE_ANSWERED,
    TicketState.CLOSED: words.TICKET_STATE_CLOSED,
}

_log = logging.getLogger(__name__)

Json = dict[str, Any]


class Calls(Protocol):
    """The part of SlackApi that is used here."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the Web API."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the Home of one person shows."""

    sessions: Sequence[Session]
    tickets: Sequence[Ticket]
    knowledge_bases: Sequence[str]  # that may be read in the conversation with the app


class Home:
    """Publish Homes, suggest prompts, and carry out what is pressed there."""

    def __init__(
        self,
        api: Calls,
        tools: Tools,
        *,
        prompts: Sequence[tuple[str, str]] = PROMPTS,
        outsiders: Outsiders | None = None,
        people: People | None = None,
    ) -> None:
        """Take PROMPTS as title and message, both in English; without PEOPLE everybody reads English."""
        self._api = api
        self._tools = tools
        self._outsiders = outsiders
        self._people = people
        self._prompts = prompts

    async def publish(self, tenant_id: int, team_id: str, user_id: str, channel: str = "") -> None:
        """Show USER_ID their Home; raises as SlackApi.call does, and StoreUnavailable."""
        outsider = self._outsiders is not None and await self._outsiders.is_outsider(team_id, user_id)
        shown = await self._look(tenant_id, Reader(Place(Platform.SLACK, channel), user_id, outsider=outsider))
        view = home_view(shown, channel, await self._language(team_id, user_id))
        await self._api.call("views.publish", team_id=team_id, user_id=user_id, view=view)

    async def suggest(self, team_id: str, channel: str, user_id: str = "") -> None:
        """Suggest prompts in the agent pane; where Slack does not allow it, those of the manifest stay."""
        language = await self._language(team_id, user_id)
        prompts = [
            {"title": say(title, language), "message": say(message, language)}
            for title, message in self._prompts[:SUGGESTED_PROMPTS]
        ]
        try:
            await self._api.call(
                "assistant.threads.setSuggestedPrompts", team_id=team_id, channel_id=channel, prompts=prompts
            )
        except (Rejected, ChannelUnavailable) as error:
            _log.info("no prompts were suggested: %s", error)

    async def entitle(self, target: Target, answer: Answer) -> None:
        """Give a session of the agent pane the title we keep, once its first question is answered.

        To be called after an answer was sent; its failure is nobody's trouble.
        """
        if answer.session_id is None or not target.place.thread or not target.place.channel.startswith("D"):
            return
        try:
            session = await self._tools.sessions.session(target.tenant_id, answer.session_id)
            if session.turns > 2 or not session.title:
                return
            where = {"channel_id": target.place.channel, "thread_ts": target.place.thread}
            title = session.title[:SESSION_TITLE]
            await self._api.call(
                "agents.sessions.rename", team_id=target.installation, patience_s=0.0, **where, title=title
            )
        except Refusal as refusal:
            if refusal.code not in _QUIET:
                _log.warning("a session has no title in Slack: %s", refusal)
        except (NotFound, Rejected, ChannelUnavailable, StoreUnavailable) as error:
            _log.info("a session has no title in Slack: %s", error)

    async def press(self, tenant_id: int, user_id: str, action: Mapping[str, Any], channel: str) -> bool:
        """Carry out what was pressed in a Home; False where it is none of ours. Raises StoreUnavailable."""
        name, value = str(action.get("action_id") or ""), str(action.get("value") or "")
        if name == NEW:
            if channel:
                await self._tools.sessions.start(tenant_id, Place(Platform.SLACK, channel), user_id)
            return True
        if not name.startswith(FAVOURITE):
            return False
        session_id, _, wanted = value.partition(":")
        try:
            session = await self._tools.sessions.session(tenant_id, UUID(session_id))
        except (ValueError, NotFound):  # deleted meanwhile
            return True
        if session.author_id == user_id and session.place.platform is Platform.SLACK:
            await self._tools.sessions.set_favourite(tenant_id, session.session_id, favourite=wanted == "1")
        return True

    async def _language(self, team_id: str, user_id: str) -> str:
        """Name the language somebody reads Slack in."""
        if self._people is None:
            return "en"
        return await self._people.language(team_id, user_id, within_s=_LANGUAGE_S) or "en"

    async def _look(self, tenant_id: int, reader: Reader) -> Shown:
        tools, user_id = self._tools, reader.author_id
        kept = await tools.sessions.sessions(tenant_id, author_id=user_id, limit=_LOOKED_AT)
        sessions = [session for session in kept if session.place.platform is Platform.SLACK and session.turns]
        tickets = await tools.authors.tickets(tenant_id, Platform.SLACK, user_id)
        readable = {kb_id for kb_id, _ in await tools.retriever.readable(tenant_id, reader, ())}
        kept_bases = await tools.knowledge.knowledge_bases(tenant_id)
        bases = [base.name for base in kept_bases if base.kb_id in readable and base.documents]
        return Shown(sessions[:_SESSIONS], tickets[:_TICKETS], bases[:_BASES])


def home_view(shown: Shown, channel: str = "", language: str = "en") -> Json:
    """Make a Home from what it shows; CHANNEL is the direct conversation with the app."""
    blocks = [_header("Frontdesk"), _section(say(words.HOME_HOW, language))]
    if channel:
        blocks.append({"type": "actions", "elements": [_button(NEW, say(words.HOME_NEW, language), channel)]})
    blocks.append(_header(say(words.HOME_SOURCES, language)))
    sources = "\n".join(f"• {_short(name)}" for name in shown.knowledge_bases)
    blocks.append(_section(sources or say(words.HOME_NO_SOURCES, language)))
    blocks.append(_header(say(words.HOME_TICKETS, language)))
    tickets = "\n".join(_ticket(ticket, language) for ticket in shown.tickets)
    blocks.append(_section(tickets or say(words.NO_TICKETS, language)))
    blocks.append(_header(say(words.HOME_CONVERSATIONS, language)))
    sessions = [_session(session, language) for session in shown.sessions]
    blocks += sessions or [_section(say(words.HOME_NOTHING_SAID, language))]
    return {"type": "home", "private_metadata": channel, "blocks": blocks}


def _ticket(ticket: Ticket, language: str) -> str:
    return f"• *{ticket.number}* ({say(_STATES[ticket.state], language)}) {_short(ticket.question)}"


def _session(session: Session, language: str) -> Json:
    star = "★ " if session.favourite else ""
    title = _short(session.title or str(session.session_id)[:8])
    date = f"{session.updated_at:%Y-%m-%d}"
    said = say(words.HOME_CONVERSATION, language, date=date, count=session.turns)
    label = words.HOME_NO_FAVOURITE if session.favourite else words.HOME_FAVOURITE
    value = f"{session.session_id}:{int(not session.favourite)}"
    button = _button(f"{FAVOURITE}:{session.session_id}", say(label, language), value)
    return {**_section(f"{star}*{title}*\n{said}"), "accessory": button}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return escape(line if len(line) <= _LINE else line[: _LINE - 1] + "…")


def _header(text: str) -> Json:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _section(text: str) -> Json:
    shown = text if len(text) <= SECTION_TEXT else text[: SECTION_TEXT - 1].rsplit("\n", 1)[0]
    return {"type": "section", "text": {"type": "mrkdwn", "text": shown}}


def _button(action_id: str, label: str, value: str) -> Json:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action_id, "text": text, "value": value}
