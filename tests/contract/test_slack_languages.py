"""Forms, the Home and what is said beside them speak the language their reader has chosen in Slack."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp
import pytest

from adapters.postgres.administrators import PostgresAdministrators
from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.pacing import PostgresPacing
from adapters.postgres.uploads import PostgresUploads
from adapters.slack.api import FixedTokens, SlackApi
from adapters.slack.files import TICKET_TYPE
from adapters.slack.forms import Means
from adapters.slack.home import Home, Shown, home_view
from adapters.slack.interactions import Interactions
from adapters.slack.listen import Dispatcher, Listener
from adapters.slack.manifest import PROMPTS
from adapters.slack.markup import to_mrkdwn
from adapters.slack.modals import (
    Opened,
    Wrong,
    add_view,
    channel_view,
    loading_view,
    message_view,
    read_add,
    read_channel,
)
from adapters.slack.oauth import OneWorkspace
from adapters.slack.outbound import reason_view, render
from adapters.slack.outsiders import Outsiders
from adapters.slack.parts import Parts
from adapters.slack.people import People, person_of
from adapters.slack.pressed import FEEDBACK, HUMAN, PASSAGE
from adapters.slack.router import Router
from adapters.slack.sources import Shown as Passages
from adapters.web.server import make_app, run_server
from bots.threads import KeptThreads
from core import command_words as words
from core import wording
from core.accepting import Acceptance
from core.access import Access
from core.channels import DEFAULTS, ChannelSettings, Listens
from core.checks import Health
from core.commands import parse
from core.documents import Citation
from core.domain import Answer, Exchange, Origin, Session, Ticket, TicketState
from core.escalation import wants_person
from core.file_tickets import FileTickets
from core.inbox import Thread
from core.listening import Listening
from core.meter import Unmetered
from core.pacing import PreferredPacer
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from core.wording import TRANSLATIONS, say
from tests.platform.slack_blocks import check_view
from tests.platform.slack_payloads import view_state
from tests.platform.slack_server import SlackServer
from tests.platform.slack_state import View
from tests.scenario.house import make_tools

TENANT = 1
SECRET = "a signing secret"
LANGUAGES = ("en", *TRANSLATIONS)
LOCALES = {"de": "de-DE", "es": "es-LA", "fr": "fr-FR"}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = ["travel-2026", "vpn-2026"]
SAME = {"API", "Slack", "Teams", "Telegram", "Web", "Frontdesk", "English", "Deutsch", "Español", "Français", *NAMES}
"""What is written alike in every language."""


def a_session(favourite):
    place = Place(Platform.SLACK, "D1", "1.1")
    return Session(uuid4(), place, "U1", "2026?", favourite=favourite, turns=2, created_at=NOON, updated_at=NOON)


SESSIONS = [a_session(True), a_session(False)]
FULL = Shown(
    SESSIONS, [Ticket(n, None, state, "?", "", "", "", NOON, NOON) for n, state in enumerate(TicketState)], NAMES
)


def views(language):
    """Make every view there is in LANGUAGE, in its fullest and its emptiest form."""
    opened = Opened("U1", "C1", "D1", language)
    return {
        "add": add_view(opened, NAMES),
        "first": add_view(opened, []),
        "channel": channel_view(opened, ChannelSettings(tuple(NAMES[:1])), NAMES),
        "bare": channel_view(opened, DEFAULTS, []),
        "loading": loading_view(words.ADD_DOCUMENTS, language),
        "saved": message_view(words.HOW_I_ANSWER, say(words.FORM_SAVED, language), language),
        "reason": reason_view({"channel": "C1", "ts": "1.1", "thread_ts": ""}, language),
        "home": home_view(FULL, "D1", language),
        "empty home": home_view(Shown([], [], []), "", language),
    }


def texts(value, path=""):
    """Map where a text stands in a view to the text."""
    if isinstance(value, list):
        found = [texts(held, f"{path}/{at}") for at, held in enumerate(value)]
    elif isinstance(value, dict) and isinstance(value.get("text"), str):
        return {path: value["text"]}
    elif isinstance(value, dict):
        found = [texts(held, f"{path}/{name}") for name, held in value.items()]
    else:
        return {}
    return {where: text for held in found for where, text in held.items()}


# Views


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", views("en"))
def test_every_view_keeps_to_slacks_limits_in_every_language(name, language):
    check_view(views(language)[name], "home" if "home" in name else "modal")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["add", "first", "channel", "bare", "loading", "saved", "reason"])
def test_nothing_in_a_form_is_cut_short_or_left_in_english(name, language):
    english, said = texts(views("en")[name]), texts(views(language)[name])
    assert len(english) >= 3
    assert said == {where: say(text, language) for where, text in english.items()}
    if language != "en":
        same = {text for where, text in said.items() if text == english[where]}
        assert same <= SAME | {"Console"}


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("name", ["home", "empty home"])
def test_nothing_in_the_home_is_left_in_english(name, language):
    english, said = texts(views("en")[name]), texts(views(language)[name])
    assert said.keys() == english.keys()
    assert {text for where, text in said.items() if text == english[where]} <= {
        "Frontdesk",
        "• travel-2026\n• vpn-2026",
    }


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize(
    ("block", "error", "values"),
    [
        ("urls", words.NOT_AN_ADDRESS, {"urls": "vpn"}),
        ("urls", words.TOO_MANY_ADDRESSES, {"urls": " ".join(f"https://example.com/{n}" for n in range(51))}),
        ("urls", words.NOTHING_IN_FORM, {}),
        ("new_kb", words.BAD_KB_NAME, {"urls": "https://example.com", "new_kb": "n" * 61}),
        ("new_kb", words.BAD_KB_NAME, {"urls": "https://example.com", "new_kb": "a\u200bb"}),
        ("new_kb", words.CHOOSE_KB, {"urls": "https://example.com"}),
    ],
)
def test_what_is_wrong_in_a_form_is_said_in_its_language(language, block, error, values):
    wrong = read_add(filled(add_view(Opened("U1", "C1", "D1", language), NAMES), **values))
    assert isinstance(wrong, Wrong)
    given = {"address": "vpn", "example": "https://…", "limit": 60 if block == "new_kb" else 50}
    assert wrong.errors[block] == say(error, language).format(**given) != error.format(**given)


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize(
    ("block", "error", "values"),
    [
        ("threshold", words.BAD_THRESHOLD, {"threshold": "close"}),
        ("listens", words.CHOOSE_FROM_LIST, {"listens": "never"}),
    ],
)
def test_what_is_wrong_for_a_channel_is_said_in_its_language(language, block, error, values):
    view = filled(channel_view(Opened("U1", "C1", "", language), DEFAULTS, NAMES))
    for name, value in values.items():
        view["state"]["values"][name][name] = {"value": value, "selected_option": {"value": value}}
    wrong = read_channel(view, DEFAULTS)
    assert wrong == Wrong({block: say(error, language)})
    assert wrong.errors[block] != error


def filled(content, **values):
    view = View("V1", "T1", "U1", check_view(content, "modal"), "hash", [])
    return view.shown() | {"state": view_state(view, values)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_prompts_of_the_pane_do_what_they_say_in_every_language(language):
    (help_title, help_message), (person_title, person_message) = PROMPTS
    assert parse(f"/{say(help_message, language)}").name == "help"
    assert wants_person(say(person_message, language))
    if language != "en":
        assert say(help_title, language) != help_title
        assert say(person_title, language) != person_title
        assert say(person_message, language) != person_message


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de-DE", "de"),
        ("es-LA", "es"),
        ("fr-FR", "fr"),
        ("en-GB", "en"),
        ("ja-JP", "ja"),
        ("", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_locale_of_slack_names_a_language(locale, language):
    assert person_of({"id": "U1", "name": "ann", "team_id": "T1", "locale": locale}, "T1").language == language


def test_a_guest_of_another_organisation_has_a_language_too():
    assert person_of({"id": "U1", "name": "ann", "team_id": "T2", "locale": "de-DE"}, "T1").language == "de"


# Against a small Slack


async def a_ticket(_thread, _message_id):
    return Ticket(7, None, TicketState.OPEN, "?", "", "", "", NOON, NOON)


class Office:
    """The router with forms and the Home behind a real listener, over a database."""

    def __init__(self, slack, database, session):
        self.slack = slack
        self.workspace = slack.workspace()
        self.admin = slack.user(self.workspace, "ada", admin=True)
        self.ben = slack.user(self.workspace, "ben")
        self.general = slack.channel(self.workspace, "general", self.admin, self.ben)
        workspaces = OneWorkspace(FixedTokens(self.workspace.bot_token, session, base_url=slack.api_url), TENANT)
        self.api = SlackApi(session, workspaces, PreferredPacer(PostgresPacing(database)), base_url=slack.api_url)
        self.people = People(self.api)
        self.inbox, files = PostgresInbox(database), FileTickets(PostgresUploads(database), TICKET_TYPE)
        self.tools = make_tools(database, Access(PostgresAdministrators(database), {Platform.SLACK}))
        home = Home(self.api, self.tools, people=self.people)
        means = self.means = Means(self.api, workspaces, self.people, self.tools, files, home, b"a secret of the tests")
        self.interactions = Interactions(means)
        self.router = Router(
            Parts(
                workspaces=workspaces,
                acceptance=Acceptance(self.inbox, Unmetered()),
                listening=Listening(self.tools.channels, KeptThreads(self.inbox, PostgresAuthors(database))),
                people=self.people,
                api=self.api,
                meter=Unmetered(),
                files=files,
                file_secret=means.file_secret,
                outsiders=Outsiders(self.people),
                interactions=self.interactions,
                show=Passages(self.api, PostgresOutbox(database), people=self.people).show,
                ticket_of=a_ticket,
            )
        )

    def use(self, people):
        """Look people up through PEOPLE where a form is made."""
        self.interactions = Interactions(replace(self.means, people=people))
        self.router._parts = replace(self.router._parts, interactions=self.interactions)

    async def close(self):
        await self.interactions.close()
        await self.router.close()
        await self.people.close()

    async def form(self, user, text="kb add"):
        """Give a command and return the form that opens."""
        assert (await self.slack.command(self.general, user, "/frontdesk", text)).ok
        await self.interactions.settled()
        return self.slack.modals(user)[-1]

    async def post(self, answer):
        """Post an answer that no outbox holds any more; return the message."""
        (part,) = render(answer, 7)
        where = {"team_id": self.workspace.team_id, "channel": self.general.channel_id}
        said = await self.api.call("chat.postMessage", **where, text=part.text, blocks=part.blocks)
        return next(message for message in self.slack.state.messages if message.ts == said["ts"])

    async def taken(self, thread=""):
        """Return the message that waits in a thread of the channel."""
        place = Place(Platform.SLACK, self.general.channel_id, thread)
        return (await self.inbox.claim(Thread(TENANT, self.workspace.team_id, place))).message


@pytest.fixture
async def office(database):
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackServer(signing_secret=SECRET, time_scale=0.0))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        opened = Office(slack, database, session)
        listener = Listener(Dispatcher(opened.router, Unmetered()), SECRET, Unmetered())
        app = make_app(routes=listener.routes(), health=Health({}))
        host, port = await stack.enter_async_context(run_server(app, "127.0.0.1", 0))
        slack.rules.request_url = f"http://{host}:{port}/slack/events"
        yield opened
        await opened.close()
        await slack.settled()
        assert [found for found in slack.violations if found.code != "expired_trigger_id"] == []


@pytest.mark.parametrize("language", TRANSLATIONS)
async def test_a_form_its_errors_and_its_outcome_are_in_the_senders_language(office, language):
    office.admin.locale = LOCALES[language]
    view = await office.form(office.admin)
    assert view.content["title"]["text"] == say(words.ADD_DOCUMENTS, language)
    ack = await office.slack.submit(view, office.admin, urls="vpn", new_kb="vpn")
    assert ack.body["errors"] == {"urls": say(words.NOT_AN_ADDRESS, language, address="vpn", example="https://…")}
    await office.slack.submit(view, office.admin, urls="https://example.com/a", new_kb="vpn")
    (section,) = view.content["blocks"]
    assert say(words.JOB_STARTED, language, number=1, name="vpn", count=1) in section["text"]["text"]
    assert say(words.ENDS_UNDER_APPS, language) in section["text"]["text"]
    job = await office.tools.jobs.job(TENANT, 1)
    assert job.language == language
    assert job.target.place.channel == office.slack.direct(office.admin).channel_id


async def test_a_knowledge_base_that_a_form_made_in_vain_is_known_as_such(office):
    """Nothing was added to it, so it is not kept; one that was there before is."""
    await office.tools.knowledge.create(TENANT, "before", EMPLOYEE_PLATFORMS)
    ended = []
    for number, name in enumerate(("before", "new"), start=1):
        view = await office.form(office.admin)
        await office.slack.submit(view, office.admin, urls="https://example.com/a", new_kb=name)
        await office.tools.jobs.cancel(TENANT, number)
        ended.append((await office.tools.jobs.job(TENANT, number)).was_in_vain)
    assert ended == [False, True]


@pytest.mark.parametrize("language", TRANSLATIONS)
async def test_a_channel_is_set_in_the_language_of_whoever_sets_it(office, language):
    office.admin.locale = LOCALES[language]
    view = await office.form(office.admin, "channel")
    assert view.content["submit"]["text"] == say(words.SAVE, language)
    await office.slack.submit(view, office.admin, listens="always")
    assert say(words.FORM_SAVED, language) in json.dumps(view.content, ensure_ascii=False)


async def test_a_knowledge_base_that_is_gone_is_named_in_the_senders_language(office):
    office.admin.locale = "fr-FR"
    await office.tools.knowledge.create(TENANT, "vpn", EMPLOYEE_PLATFORMS)
    view = await office.form(office.admin, "channel")
    await office.tools.knowledge.remove(TENANT, "vpn")
    ack = await office.slack.submit(view, office.admin, kb=["vpn"])
    assert ack.body["errors"] == {"kb": say(words.KB_GONE, "fr", name="vpn")}


async def test_a_channel_whose_only_knowledge_base_is_gone_can_still_be_set(office):
    place = Place(Platform.SLACK, office.general.channel_id)
    await office.tools.knowledge.create(TENANT, "vpn", EMPLOYEE_PLATFORMS)
    await office.tools.channels.save(TENANT, place, ChannelSettings(("vpn",)))
    await office.tools.knowledge.remove(TENANT, "vpn")
    view = await office.form(office.admin, "channel")
    ack = await office.slack.submit(view, office.admin, listens="always")
    assert ack.body["response_action"] == "update"
    assert (await office.tools.channels.settings(TENANT, place)).listens is Listens.ALWAYS


async def test_two_people_in_one_channel_read_each_their_own_language(office):
    office.admin.locale, office.ben.locale = "de-DE", "es-ES"
    refusal = say(words.ONLY_ADMINISTRATORS, "es", command="`/frontdesk kb add`")
    assert (await office.form(office.admin)).content["submit"]["text"] == say(words.ADD, "de")
    refused = await office.form(office.ben)
    assert refused.content["blocks"][0]["text"]["text"] == to_mrkdwn(refusal)


@pytest.mark.parametrize("locale", ["nl-NL", "", "??"])
async def test_a_language_without_a_catalogue_reads_english(office, locale):
    office.admin.locale = locale
    assert (await office.form(office.admin)).content["title"]["text"] == words.ADD_DOCUMENTS


async def test_a_slow_slack_delays_the_language_and_not_the_form(office):
    office.admin.locale = "de-DE"
    office.slack.api.slow_s["users.info"] = 1.0
    await office.slack.command(office.general, office.admin, "/kb", "add")
    first = await office.slack.until(lambda: office.slack.modals(office.admin))
    assert first[-1].content["title"]["text"] == words.ADD_DOCUMENTS
    await office.interactions.settled()
    view = office.slack.modals(office.admin)[-1]
    assert view.content["title"]["text"] == say(words.ADD_DOCUMENTS, "de")


class Late:
    """The way to Slack, which says who people are once it is known that their rights are looked at."""

    def __init__(self, api):
        self._api, self.rights_asked = api, asyncio.Event()

    async def call(self, method, *, team_id, **arguments):
        if method == "users.info":
            await self.rights_asked.wait()
        return await self._api.call(method, team_id=team_id, **arguments)


class LatePeople(People):
    async def is_administrator(self, team_id, user_id, **within):
        self._api.rights_asked.set()
        return await super().is_administrator(team_id, user_id, **within)

    async def language(self, team_id, user_id, *, within_s):
        return await super().language(team_id, user_id, within_s=within_s / 100)


@pytest.mark.parametrize(("text", "title"), [("kb add", words.ADD_DOCUMENTS), ("channel", words.HOW_I_ANSWER)])
async def test_a_form_speaks_the_language_that_came_with_the_look_at_the_rights(office, text, title):
    office.admin.locale = office.ben.locale = "de-DE"
    for user, word in ((office.admin, title), (office.ben, None)):
        office.use(LatePeople(Late(office.api)))
        view = await office.form(user, text)
        refused = say(words.ONLY_ADMINISTRATORS, "de", command=f"`/frontdesk {text}`")
        shown = view.content["title"]["text"] if word else view.content["blocks"][0]["text"]["text"]
        assert shown == (say(word, "de") if word else to_mrkdwn(refused))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_wish_for_a_person_is_answered_in_the_language_of_the_answer_pressed(office, language):
    office.ben.locale = "de-DE" if language != "de" else "fr-FR"
    message = await office.post(Answer("Ask the desk.", Origin.DOCUMENTS, None, language=language))
    await office.slack.press(message, office.ben, HUMAN)
    assert (await office.taken(message.ts)).language_hint == language
    await office.slack.press(message, office.ben, HUMAN)
    (told,) = await office.slack.until(
        lambda: [said for said in office.slack.seen(office.general, office.ben) if said.ephemeral_to]
    )
    named, waits = say(wording.TICKET, language, number=7), say(wording.TICKET_WAITS, language)
    assert told.text == f"{named}: {waits}"


async def test_a_form_that_comes_too_late_is_told_in_its_readers_language(office):
    office.admin.locale = "fr-FR"
    office.slack.misbehave("views.open", "expired_trigger_id")
    await office.slack.command(office.general, office.admin, "/kb", "add")
    await office.interactions.settled()
    said = [message.text for message in office.slack.seen(office.general, office.admin)]
    assert say(words.FORM_TOO_LATE, "fr") in said


@pytest.mark.parametrize("language", TRANSLATIONS)
async def test_the_home_and_the_pane_speak_the_language_of_their_reader(office, language):
    office.ben.locale = LOCALES[language]
    place = Place(Platform.SLACK, office.general.channel_id, "1.000100")
    session = await office.tools.sessions.open(TENANT, place, office.ben.user_id)
    said = Exchange(asked="VPN?", answered="Yes.", question="VPN?", origin=Origin.DOCUMENTS)
    await office.tools.sessions.save_exchange(TENANT, session.session_id, said)
    await office.slack.open_home(office.ben)
    await office.slack.open_home(office.ben, tab="messages")
    await office.interactions.settled()
    shown = json.dumps(office.slack.home(office.ben).content, ensure_ascii=False)
    for word in (words.HOME_TICKETS, words.NO_TICKETS, words.HOME_CONVERSATIONS, words.HOME_FAVOURITE):
        assert f'"{say(word, language)}"' in shown
    prompts = office.slack.state.prompts[office.slack.direct(office.ben).channel_id]
    assert [prompt["title"] for prompt in prompts] == [say(title, language) for title, _ in PROMPTS]
    assert prompts[1]["message"] == say(words.PROMPT_PERSON, language)


@pytest.mark.parametrize("language", TRANSLATIONS)
async def test_why_an_answer_was_bad_is_asked_in_the_language_of_whoever_rates_it(office, language):
    office.ben.locale = LOCALES[language]
    message = await office.post(Answer("Ask the desk.", Origin.DOCUMENTS, None))
    await office.slack.press(message, office.ben, FEEDBACK, False)
    view = (await office.slack.until(lambda: office.slack.modals(office.ben)))[-1]
    assert view.content["title"]["text"] == say(wording.YOUR_FEEDBACK, language)


async def test_that_a_source_is_gone_is_said_in_the_language_of_whoever_looks_for_it(office):
    office.ben.locale = "de-DE"
    source = Citation(1, 1, 1, "vpn.md", "/srv/vpn.md", 1, "Ask the desk.")
    message = await office.post(Answer("Ask the desk [1].", Origin.DOCUMENTS, None, citations=(source,)))
    await office.slack.press(message, office.ben, f"{PASSAGE}:1")
    (view,) = office.slack.modals(office.ben)
    assert view.content["blocks"][0]["text"]["text"] == say(wording.SOURCE_GONE, "de")


@pytest.mark.parametrize("language", TRANSLATIONS)
async def test_the_language_of_a_question_that_tells_none_is_that_of_slack(office, language):
    office.ben.locale = LOCALES[language]
    await office.slack.command(office.general, office.ben, "/ask", "VPN?")
    (shown,) = [message.text for message in office.slack.seen(office.general, office.ben) if message.ephemeral_to]
    assert say(wording.LOOKING, language) in shown
    assert (await office.taken(f"private:{office.ben.user_id}")).language_hint == language
