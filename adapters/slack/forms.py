"""The forms of administrators: opened within the life of a trigger, checked as they are submitted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.slack import modals
from adapters.slack.api import Token
from adapters.slack.files import ticketed
from adapters.slack.home import Home
from adapters.slack.inbound import File
from adapters.slack.modals import AddForm, Opened, Wrong
from adapters.slack.payload import id_at
from adapters.slack.people import People
from adapters.slack.pressed import command_text
from adapters.slack.tickets import TicketThreads
from core import command_words as words
from core.actions_call import Tools
from core.commands import Parsed, parse
from core.documents import KnowledgeBase
from core.domain import Attachment, Author, Message
from core.errors import ChannelUnavailable, FrontdeskError, NotFound, Rejected, StoreUnavailable
from core.file_tickets import FileTickets
from core.ingestions import IngestionJobs, job_target
from core.installations import Installations
from core.outbox import Target
from core.payloads import object_at, text_at
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from core.wording import say

_OPENING_S = 2.0  # how long the opening of a form may wait for its turn
_RIGHTS_S = 10.0  # for what Slack says of a person while the word of patience stands there
_AT_ONCE_S = 1.5  # the same where Slack waits for our answer
_LANGUAGE_S = 0.5  # for the language of the word of patience, of the three seconds its trigger works

Json = dict[str, Any]
Start = Callable[[Coroutine[Any, Any, None], str], None]

_log = logging.getLogger(__name__)


class Calls(Protocol):
    """The part of SlackApi that is used here."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> Json:
        """Call a method of the Web API."""

    async def respond(self, response_url: str, body: Mapping[str, Any]) -> None:
        """Send BODY to a response_url."""


class Workspaces(Protocol):
    """Know where the app is installed."""

    async def of(self, team_id: str) -> Token:
        """Return the token of a workspace; raises Rejected where the app is not installed there."""

    async def tenant_of(self, team_id: str) -> int | None:
        """Tell whose a workspace is; None where it is nobody's."""

    def forget(self, team_id: str) -> None:
        """Ask anew at the next call."""


@dataclass(frozen=True, slots=True)
class Means:
    """What interactions work with."""

    api: Calls
    workspaces: Workspaces
    people: People
    tools: Tools
    files: FileTickets
    home: Home
    file_secret: bytes  # signs what names a file (adapters/slack/files.py)
    installations: Installations | None = None  # None: the one token of the settings
    tickets: TicketThreads | None = None  # None: nobody answers tickets in Slack
    prefix: str = "/frontdesk"


@dataclass(frozen=True, slots=True)
class Who:
    """Who does something, and where."""

    tenant_id: int
    team_id: str
    user_id: str
    channel: str

    @property
    def place(self) -> Place:
        """Name the channel as a place."""
        return Place(Platform.SLACK, self.channel)


async def find_who(means: Means, team_id: str, user_id: str, channel: str) -> Who | None:
    """Say who somebody is to us; None where the workspace is nobody's."""
    tenant_id = await means.workspaces.tenant_of(team_id)
    return Who(tenant_id, team_id, user_id, channel) if tenant_id is not None and user_id else None


class Forms:
    """Open forms and do what they say."""

    def __init__(self, means: Means, start: Start) -> None:
        self._means = means
        self._start = start  # lets work go on in the background

    async def open(self, payload: Mapping[str, Any], team_id: str) -> bool:
        """Open the form that a command asks for; False where it asks for none."""
        parsed = parse(command_text(text_at(payload, "command"), text_at(payload, "text"), self._means.prefix))
        form = _form_of(parsed) if parsed else ""
        means, user_id = self._means, text_at(payload, "user_id")
        who = await find_who(means, team_id, user_id, text_at(payload, "channel_id")) if form else None
        if parsed is None or who is None:
            return False
        trigger, url = text_at(payload, "trigger_id"), text_at(payload, "response_url")
        if form == modals.ADD:
            make, title = self._make_add(who, parsed.options.get("kb", "")), words.ADD_DOCUMENTS
        else:
            make, title = self._make_channel(who), words.HOW_I_ANSWER
        self._start(self._present(who, trigger, url, title, make), "a form")
        return True

    async def _present(self, who: Who, trigger_id: str, response_url: str, title: str, make: Awaitable[Json]) -> None:
        """Open a form: first a word of patience, within the life of the trigger, then the form itself."""
        making = asyncio.ensure_future(make)
        api, team_id = self._means.api, who.team_id
        language = await self._language(who, within_s=_LANGUAGE_S)
        try:
            opened = await api.call(
                "views.open",
                team_id=team_id,
                patience_s=_OPENING_S,
                trigger_id=trigger_id,
                view=modals.loading_view(title, language),
            )
        except (Rejected, ChannelUnavailable) as error:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            _log.warning("a form was not opened: %s", error)
            await api.respond(response_url, {"response_type": "ephemeral", "text": say(words.FORM_TOO_LATE, language)})
            return
        try:
            view = await making
        except FrontdeskError as error:
            _log.warning("a form was not shown: %s", error)
            view = modals.message_view(title, say(words.FORM_NOT_NOW, language), language)
        await api.call("views.update", team_id=team_id, view_id=text_at(opened, "view", "id"), view=view)

    async def _language(self, who: Who, *, within_s: float) -> str:
        """Name the language somebody reads Slack in."""
        return await self._means.people.language(who.team_id, who.user_id, within_s=within_s) or "en"

    async def _make_add(self, who: Who, kb_name: str) -> Json:
        language, refusal = await self._admit(who, "kb add")
        if refusal:
            return modals.message_view(words.ADD_DOCUMENTS, refusal, language)
        if self._means.tools.jobs is None:
            return modals.message_view(words.ADD_DOCUMENTS, say(words.NOT_HERE, language), language)
        said = await self._means.api.call("conversations.open", team_id=who.team_id, users=who.user_id)
        opened = Opened(who.user_id, who.channel, text_at(said, "channel", "id"), language)
        return modals.add_view(opened, await self._names(who), kb_name)

    async def _make_channel(self, who: Who) -> Json:
        language, refusal = await self._admit(who, "channel")
        if refusal:
            return modals.message_view(words.HOW_I_ANSWER, refusal, language)
        settings = await self._means.tools.channels.settings(who.tenant_id, who.place)
        opened = Opened(who.user_id, who.channel, language=language)
        return modals.channel_view(opened, settings, await self._names(who))

    async def _names(self, who: Who) -> list[str]:
        return [base.name for base in await self._means.tools.knowledge.knowledge_bases(who.tenant_id)]

    async def _admit(self, who: Who, command: str) -> tuple[str, str]:
        """Name the language of whoever wants a form, and why they may not have it; empty where they may."""
        await self._language(who, within_s=_RIGHTS_S)
        may = await self._may(who, within_s=_RIGHTS_S)
        language = await self._language(who, within_s=0.0)  # the look at the rights may have brought it
        return language, self._refusal(may, command, language)

    async def _may(self, who: Who, *, within_s: float) -> bool | None:
        """Tell whether somebody may administer; None where it is not known. The rule is that of core/access.py."""
        named = await self._means.people.is_administrator(who.team_id, who.user_id, within_s=within_s)
        message = Message(
            who.tenant_id, who.place, Author(who.user_id), "", installation=who.team_id, administrator=named
        )
        if await self._means.tools.access.is_administrator(message):
            return True
        return None if named is None else False

    def _refusal(self, may: bool | None, command: str, language: str) -> str:
        if may:
            return ""
        if may is None:
            return say(words.RIGHTS_UNKNOWN, language)
        return say(words.ONLY_ADMINISTRATORS, language, command=f"`{self._means.prefix} {command}`")

    async def submit(self, payload: Mapping[str, Any], team_id: str) -> Json | None:
        """Do what a form says and return what Slack shows then; None where the form is none of ours."""
        view = object_at(payload, "view")
        steps = {modals.ADD: (self._add, "urls", "kb add"), modals.CHANNEL: (self._save, "listens", "channel")}
        if text_at(view, "callback_id") not in steps:
            return None
        step, first_block, command = steps[text_at(view, "callback_id")]
        opened = modals.read_opened(view)
        again = modals.errors_of(Wrong({first_block: say(words.NOTHING_SAVED, opened.language)}))
        try:
            who = await find_who(self._means, team_id, id_at(payload, "user"), opened.channel)
            if who is None:
                return again
            may = await self._may(who, within_s=_AT_ONCE_S)
            if refusal := self._refusal(may, command, opened.language):
                return modals.errors_of(Wrong({first_block: refusal}))
            return await step(who, view, opened)
        except (StoreUnavailable, ChannelUnavailable):
            return again

    async def _add(self, who: Who, view: Mapping[str, Any], opened: Opened) -> Json:
        form, jobs, language = modals.read_add(view), self._means.tools.jobs, opened.language
        if isinstance(form, Wrong):
            return modals.errors_of(form)
        if jobs is None:
            return _told(words.ADD_DOCUMENTS, say(words.NOT_HERE, language), language)
        try:
            base, is_new = await self._base(who, form)
            number = await self._begin(who, form, opened, jobs, base, is_new=is_new)
        except NotFound:  # removed while the form was being carried out
            return modals.errors_of(Wrong({"new_kb": say(words.KB_GONE, language, name=form.kb_name)}))
        count = len(form.addresses) + len(form.files)
        started = say(words.JOB_STARTED, language, number=number, name=base.name, count=count)
        return _told(words.ADD_DOCUMENTS, f"{started} {say(words.ENDS_UNDER_APPS, language)}", language)

    async def _base(self, who: Who, form: AddForm) -> tuple[KnowledgeBase, bool]:
        """Return the knowledge base that a form names, and whether it is made just now."""
        knowledge, tenant_id = self._means.tools.knowledge, who.tenant_id
        is_new = form.kb_name not in await self._names(who)
        base = await knowledge.create(tenant_id, form.kb_name, form.platforms or EMPLOYEE_PLATFORMS)
        if form.platforms or form.channels:
            platforms, channels = form.platforms or base.platforms, form.channels or base.channels
            base = await knowledge.set_scope(tenant_id, base.name, platforms, channels)
        return base, is_new

    async def _begin(
        self, who: Who, form: AddForm, opened: Opened, jobs: IngestionJobs, base: KnowledgeBase, *, is_new: bool
    ) -> int:
        """Start the job; what it brings is told in the direct conversation with whoever started it."""
        kept = await asyncio.gather(*(self._keep(who, file) for file in form.files))
        told_in = opened.told_in or who.channel
        address = {"team": who.team_id, "channel": told_in, "user": who.user_id, "user_team": who.team_id}
        where = Target(who.tenant_id, who.team_id, Place(Platform.SLACK, told_in), who.user_id, address)
        target = job_target(where, opened.language, new_base=is_new)
        return await jobs.start(who.tenant_id, base.name, form.addresses, kept, author_id=who.user_id, target=target)

    async def _keep(self, who: Who, file: File) -> Attachment:
        """Keep a ticket for a file; the worker fetches the file itself."""
        ticket = ticketed(file, who.team_id, who.tenant_id, self._means.file_secret)
        return await self._means.files.keep_one(who.tenant_id, ticket)

    async def _save(self, who: Who, view: Mapping[str, Any], opened: Opened) -> Json:
        channels = self._means.tools.channels
        before = await channels.settings(who.tenant_id, who.place)
        settings = modals.read_channel(view, before)
        if isinstance(settings, Wrong):
            return modals.errors_of(settings)
        known = (*await self._names(who), *before.knowledge_bases)
        gone = next((name for name in settings.knowledge_bases if name not in known), None)
        if gone is not None:  # removed while the form was open
            return modals.errors_of(Wrong({"kb": say(words.KB_GONE, opened.language, name=gone)}))
        if settings != before:
            await channels.save(who.tenant_id, who.place, settings)
        return _told(words.HOW_I_ANSWER, say(words.FORM_SAVED, opened.language), opened.language)


def _told(title: str, said: str, language: str) -> Json:
    """Say in place of a form what became of it."""
    return modals.shown_instead(modals.message_view(title, said, language))


def _form_of(parsed: Parsed) -> str:
    """Tell which form a command opens: none where it says everything itself, or is another one."""
    verb = parsed.verb.name if parsed.verb else ""
    plain = not parsed.unknown_option and len(parsed.words) == (1 if parsed.name == "kb" else 0)
    if parsed.name == "kb" and verb == "add" and plain and set(parsed.options) <= {"kb"}:
        return modals.ADD
    is_channel = parsed.name == "channel" or (parsed.name == "kb" and verb == "channel")
    return modals.CHANNEL if is_channel and plain and not parsed.options else ""
