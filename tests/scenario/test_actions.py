"""Stories of authors and administrators who give commands, over the real stores and the real engine."""

import json
from dataclasses import replace
from itertools import count as numbers

import pytest

from adapters.postgres.administrators import PostgresAdministrators
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.session_files import PostgresSessionFiles
from adapters.postgres.uploads import PostgresUploads
from core.accepting import Acceptance
from core.access import Access
from core.actions import Actions
from core.attached import RECORDING
from core.channels import Listens
from core.domain import Attachment, Author, DeliveryKey, Exchange, Message, Origin, TicketState
from core.inbox import Ending, Incoming, Thread
from core.ingestions import JobState
from core.meter import Unmetered
from core.outbox import Purpose, Settled, Target
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from ingest.attachments import SessionAttachments
from ingest.background import DeliveryReporter, Ingestions
from ingest.pipeline import Ingestion, Limits
from tests.scenario.house import Collected, ask_engine, make_engine, make_tools, save_document

VACATION = "How many vacation days do full-time employees have?"
HANDBOOK = {
    "Time off": "Full-time employees have 28 days of paid vacation in a calendar year.",
    "Expenses": "Lunch is reimbursed up to 18 euro a day when you travel.",
}
UNKNOWN = "What colour is the president's bicycle?"


class Office:
    """Frontdesk over a database, and people who write to it."""

    def __init__(self, database):
        self.database = database
        self.inbox, self.uploads = PostgresInbox(database), PostgresUploads(database)
        self.access = Access(PostgresAdministrators(database))
        tools = make_tools(database, self.access)
        self.sessions, self.tickets, self.knowledge = tools.sessions, tools.tickets, tools.knowledge
        self.channels, self.outbox, self.jobs = tools.channels, tools.outbox, tools.jobs
        self.acceptance = Acceptance(self.inbox, Unmetered())
        self.actions = Actions(tools)
        self.engine = make_engine(database, commands=self.actions, channels=self.channels)
        self._numbers = numbers(1)

    async def say(
        self,
        text,
        author="U9",
        channel="general",
        thread="t",
        platform=Platform.SLACK,
        attachments=(),
        direct=False,
    ):
        """Write a message; return the answer as it is kept for the platform."""
        place, files = Place(platform, channel, thread), tuple(attachments)
        writer = Author(author, author.title())
        message = Message(1, place, writer, text, installation="W1", attachments=files, direct=direct)
        number = next(self._numbers)
        address = {"reply_to": number}
        incoming = Incoming(message, "W1", f"e{number}", f"m{number}", address=address)
        accepted = await self.acceptance.accept(incoming)
        batch = await self.inbox.claim(Thread(1, "W1", place))
        target = Target(1, "W1", place, author, address, f"m{number}")
        delivery = await self.outbox.open(target, Purpose.ANSWER, inbox_id=accepted.inbox_id)
        key = DeliveryKey(delivery.outbox_id, delivery.claim)
        answer = await ask_engine(self.engine, replace(batch.message, delivery=key))
        await self.outbox.keep(delivery, answer)
        await self.outbox.settle(delivery, Settled.SENT)
        await self.inbox.end(batch, Ending.ANSWERED)
        return answer

    async def text(self, text, author="U9", **where):
        """Write a message; return the words of the answer."""
        return (await self.say(text, author, **where)).text

    async def work_off(self, number):
        """Do a job as a worker does that can send nothing itself; return what is told of its end."""
        reporter = DeliveryReporter(self.outbox, lambda platform: None)
        ingestion = Ingestion(self.knowledge, None, Limits())
        await Ingestions(self.jobs, self.knowledge, ingestion, self.uploads, reporter).run(1, number)
        async with self.database.tenant(1) as connection:
            return await connection.fetchval("select content ->> 'text' from outbox order by outbox_id desc limit 1")

    async def promote(self, author="boss", **where):
        """Make an author an administrator the way people do."""
        code = await self.access.invite(1)
        assert "administrator now" in await self.text(f"/admin {code}", author, **where)
        return code


@pytest.fixture
async def office(database, kb):
    made = Office(database)
    for title, sentence in HANDBOOK.items():
        source = f"https://example.com/{title.replace(' ', '-')}"
        await save_document(made.knowledge, kb, title, sentence, source=source)
    return made


async def test_a_question_after_ask_is_answered_like_any_other(office):
    answer = await office.say(f"/ask {VACATION}")
    assert (answer.origin, "28 days" in answer.text) == (Origin.DOCUMENTS, True)


async def test_a_command_is_no_part_of_the_conversation(office):
    await office.say(VACATION)
    for command in ("/history", "/tickets", "/kb list", "/nonsense", "/ask"):
        await office.say(command)
    [session] = await office.sessions.sessions(1)
    assert session.turns == 2


async def test_new_begins_a_conversation_once(office):
    await office.say(VACATION)
    first, *_ = await office.sessions.sessions(1)
    assert await office.text("/new") == "A new conversation."
    await office.text("/new")
    sessions = await office.sessions.sessions(1)
    assert [session.turns for session in sorted(sessions, key=lambda session: session.turns)] == [0, 2]
    assert "Nothing has been said" in await office.text("/history")
    assert first.session_id in {session.session_id for session in sessions}


async def test_history_shows_the_last_turns(office):
    assert "Nothing has been said" in await office.text("/history")
    await office.say(VACATION)
    await office.say("What is reimbursed for lunch?")
    shown = await office.text("/history 2")
    assert "**You**: What is reimbursed for lunch?" in shown
    assert "18 euro" in shown
    assert VACATION not in shown
    assert VACATION in await office.text("/history")
    assert "`/history [TURNS]`" in await office.text("/history all")


async def test_history_names_each_of_those_who_ask_in_one_thread(office):
    await office.say(VACATION)
    await office.say("What is reimbursed for lunch?", author="u7")
    shown = await office.text("/history", author="u7")
    assert f"**U9**: {VACATION}" in shown
    assert "**You**: What is reimbursed for lunch?" in shown


async def test_the_list_of_tickets_holds_only_those_one_has_asked_for(office):
    await office.say(VACATION)
    await office.say("/human", author="u7")
    assert await office.text("/tickets") == "There are no open tickets."
    assert "**1**" in await office.text("/tickets", author="u7")


async def test_a_conversation_becomes_a_favourite(office):
    assert "ask something first" in await office.text("/favourite")
    await office.say(VACATION)
    await office.say("/favorite")
    assert (await office.sessions.sessions(1))[0].favourite
    await office.say("/favourite off")
    assert not (await office.sessions.sessions(1))[0].favourite


async def test_a_chosen_language_is_spoken_until_it_is_left_open_again(office):
    assert await office.text("/language deutsch") == "Von jetzt an antworte ich in dieser Sprache."
    assert await office.text("/new") == "Ein neues Gespräch."
    await office.say("/language de")
    assert await office.text("/stop") == "Es gibt nichts anzuhalten: Ich schreibe gerade keine Antwort."
    answer = await office.say(UNKNOWN)
    assert answer.text.startswith("Dazu habe ich in den Dokumenten")
    await office.say("/language auto")
    assert not (await office.sessions.sessions(1))[0].language_chosen
    assert "`/language [LANGUAGE|auto]`" in await office.text("/language klingon")


async def test_the_language_of_a_channel_is_that_of_its_commands(office):
    await office.promote()
    await office.say("/channel language=fr", "boss")
    assert await office.text("/tickets") == "Il n’y a pas de ticket ouvert."


async def test_what_is_written_with_the_wish_for_a_person_is_the_question(office):
    answer = await office.say("/human my printer is on fire")
    assert answer.ticket_number == 1
    assert "my printer is on fire" in await office.text("/tickets")
    await office.promote()
    assert "author: my printer is on fire" in await office.text("/tickets show 1", "boss", channel="desk")


async def test_a_person_is_asked_for_and_their_answer_comes_back(office, owner):
    await office.say(UNKNOWN)
    answer = await office.say("/human")
    assert (answer.origin, answer.ticket_number) == (Origin.PERSON, 1)
    assert UNKNOWN in await office.text("/tickets")
    assert await office.text("/tickets", "U2") == "There are no open tickets."
    await office.promote()
    assert UNKNOWN in await office.text("/tickets", "boss", channel="desk")
    assert "author: What colour" in await office.text("/tickets show 1", "boss", channel="desk")
    said = await office.text('/tickets answer #1 It is "red=1",\n\nas ever.', "boss", channel="desk")
    assert said == "Ticket 1 is answered, and the answer is on its way to the author."
    row = await owner.fetchrow("select * from outbox where purpose = 'person'")
    sent = await office.outbox.reopen(1, row["outbox_id"])
    assert sent.content.text == 'A person answered ticket 1:\n\nIt is "red=1",\n\nas ever.'
    assert (sent.target.author_id, sent.target.place.channel) == ("U9", "general")
    assert sent.target.address["reply_to"] == 1  # where the ticket was opened
    job = await owner.fetchrow("select args, lock from procrastinate_jobs where queue_name = 'deliveries'")
    assert json.loads(job["args"])["outbox_id"] == row["outbox_id"]
    assert 'It is "red=1"' in await office.text("/history")


async def test_a_repeated_answer_is_kept_once(office):
    await office.say(UNKNOWN)
    await office.promote()
    for _ in range(2):
        await office.say("/tickets answer 1 Red.", "boss")
    assert (await office.tickets.ticket(1, 1)).answer == "Red."
    await office.say("/tickets answer 1 Dark red.", "boss")
    assert (await office.tickets.ticket(1, 1)).answer == "Red.\n\nDark red."


async def test_a_ticket_is_taken_over_and_given_back(office):
    await office.say(UNKNOWN)
    await office.promote()
    assert "`/tickets answer 1 ...`" in await office.text("/tickets take 1", "boss", channel="desk")
    assert (await office.sessions.sessions(1))[0].taken_over
    assert await office.text(VACATION) == ""
    assert VACATION in (await office.tickets.ticket(1, 1)).transcript
    assert "again" in await office.text("/tickets close 1", "boss", channel="desk")
    assert (await office.tickets.ticket(1, 1)).state is TicketState.CLOSED
    assert "28 days" in await office.text(VACATION)
    assert "is closed" in await office.text("/tickets answer 1 Late.", "boss", channel="desk")
    assert "is closed" in await office.text("/tickets take 1", "boss", channel="desk")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/tickets show 7", "There is no ticket 7."),
        ("/tickets close 99999999999", "Write it so: `/tickets close NUMBER`"),
        ("/tickets show x", "Write it so: `/tickets show NUMBER`"),
        ("/tickets answer 1", "Write it so: `/tickets answer NUMBER TEXT`"),
        ("/tickets sell 1", "Write it so: `/tickets show|answer|take|close`"),
        ("/stats never", "Write it so: `/stats [DAYS]`"),
        ("/stats 4000", "Write it so: `/stats [DAYS]`"),
        ("/kb scope handbook", "Write it so: `/kb add|list|show|remove|refresh|search|channel|jobs|cancel`"),
        ("/kb show", "Write it so: `/kb show NAME`"),
        ("/kb remove", "Write it so: `/kb remove NAME [DOCUMENT] [yes]`"),
        ("/kb search", "Write it so: `/kb search WORDS [kb=NAME]`"),
        ("/kb cancel x", "Write it so: `/kb cancel NUMBER`"),
        ("/kb cancel 7", "There is no job 7."),
        ("/kb show travel", "There is no knowledge base travel. There are: handbook"),
        ("/admin remove", "Write it so: `/admin remove ID`"),
        ("/admin remove nobody", "`nobody` is not on the list of administrators."),
        ("/channel loud", "Write it so: `/channel "),
        ("/channel listen=always", "There is no option `listen` here."),
        ("/channel listens=never", "`never` cannot be chosen for listens. Possible are: mention, always, question"),
        ("/channel kb=travel", "There is no knowledge base travel. There are: handbook"),
        ("/kb channel platforms=slack", "`slack` cannot be chosen for platforms."),
        ("/kb add", "There is nothing to add"),
        ("/kb add /etc/passwd", "There is nothing to add"),
        ("/kb add https://example.com file:///etc/passwd", "Nothing was added: `file:///etc/passwd` is no address"),
        ("/kb add https://example.com platforms=pager", "Write it so: `/kb add"),
        ("/export pdf", "Write it so: `/export [markdown|json]`"),
        ("/favourite maybe", "Write it so: `/favourite [off]`"),
        ("/tikets", "There is no command `/tikets`. Did you mean `/tickets`?"),
        ("/qqqqqqq", "There is no command `/qqqqqqq`; write `/help` to see them all."),
        ("/ask", "Write it so: `/ask QUESTION`"),
    ],
)
async def test_what_cannot_be_done_is_said_plainly(office, command, said):
    await office.promote()
    assert (await office.text(command, "boss")).startswith(said)
    assert await office.jobs.jobs(1) == []


@pytest.mark.parametrize(
    "command",
    [
        "/kb",
        "/kb list",
        "/kb add https://example.com",
        "/KB Remove handbook yes",
        '/kb "remove" handbook yes',
        "/channel",
        "/channel listens=always",
        "/stats",
        "/tickets show 1",
        "/tickets answer 1 No.",
        "/tickets take 1",
        "/tickets close 1",
        "/admin invite",
        "/admin list",
        "/admin remove boss",
    ],
)
async def test_whoever_is_no_administrator_is_told_whom_to_ask(office, command):
    await office.promote()
    await office.say(UNKNOWN)
    before = await office.tickets.ticket(1, 1)
    said = await office.text(command)
    assert said.startswith("Only administrators may write")
    assert "ask one of them" in said
    assert (await office.tickets.ticket(1, 1)) == before
    assert (await office.channels.settings(1, Place(Platform.SLACK, "general"))).listens is Listens.MENTION
    assert await office.knowledge.knowledge_base(1, "handbook")
    assert len(await office.access.administrators(1)) == 1


async def test_the_first_administrator_invites_the_second(office):
    code = await office.promote("boss")
    said = await office.text("/admin invite", "boss")
    invited = said.split("`")[1]
    assert "administrator now" in await office.text(invited, "U2")
    assert "not valid" in await office.text(f"/admin {code}", "U3")
    assert "not valid" in await office.text(invited, "U3")
    assert await office.text("/admin list", "U2") == "- `U2` U2 (slack)\n- `boss` Boss (slack)"
    assert "no longer" in await office.text("/admin remove boss", "U2")
    assert (await office.text("/kb", "boss")).startswith("Only administrators")


async def test_a_code_tried_again_after_a_crash_does_not_scold_its_administrator(office):
    code = await office.promote("boss")
    assert "administrator now" in await office.text(f"/admin {code}", "boss")


async def test_a_code_is_nowhere_kept_once_it_was_tried(office, owner):
    code = await office.promote("boss")
    assert "not valid" in await office.text(f"/admin {code}", "U3")
    assert await owner.fetchval("select count(*) from turns") == 0
    rows = await owner.fetch("select body::text from inbox union all select content::text from outbox")
    assert len(rows) == 4
    assert not any(code in row["body"] for row in rows)
    first = await office.inbox.entry(1, await owner.fetchval("select min(inbox_id) from inbox"))
    assert first.incoming.message.text == "/admin ***"
    assert "administrator now" in await office.text("/admin ***", "boss")  # the same row again after a crash


async def test_an_instant_command_needs_neither_inbox_nor_outbox(office, owner):
    message = Message(1, Place(Platform.SLACK, "general"), Author("U9"), "/help kb", installation="W1")
    answer = await office.actions.instant(message)
    assert (answer.origin, answer.session_id) == (Origin.COMMAND, None)
    code = await office.access.invite(1)
    assert "administrator now" in (await office.actions.instant(replace(message, text=f"/admin {code}"))).text
    assert await owner.fetchval("select count(*) from inbox") == 0
    for text in ("/history", "/ask why?", "/human", "/kb list", "why?", "/etc/hosts"):
        assert await office.actions.instant(replace(message, text=text)) is None, text
    assert "Did you mean" in (await office.actions.instant(replace(message, text="/hepl"))).text


async def test_help_shows_what_its_reader_may_do(office):
    assert "/kb" not in await office.text("/help")
    assert "/kb" not in await office.text("help")
    await office.promote()
    assert "/kb add" in await office.text("/help", "boss")
    assert "`/history 20`" in await office.text("/help history")
    greeting = await office.text("/start from-the-website", platform=Platform.TELEGRAM)
    assert greeting.startswith("Hello!")
    assert "`/human`" in greeting


async def test_a_channel_is_told_how_to_answer(office):
    await office.promote()
    assert "`listens`: mention" in await office.text("/channel", "boss")
    await office.say("/channel kb=handbook listens=always threshold=0.8 tickets=off", "boss")
    shown = await office.text("/kb channel language=es", "boss")
    assert "- `kb`: handbook\n- `listens`: always\n- `threshold`: 0.8" in shown
    answer = await office.say(UNKNOWN)
    assert answer.ticket_number is None
    assert answer.text.startswith("No he encontrado nada")
    assert "defaults apply" not in await office.text("/channel reset", "boss")  # it is said in Spanish
    assert (await office.channels.settings(1, Place(Platform.SLACK, "general"))).listens is Listens.MENTION


async def test_a_knowledge_base_grows_by_addresses_and_files(office):
    await office.promote()
    upload_id = await office.uploads.put(1, "menu.txt", "text/plain", b"Soup on Mondays.", limit_bytes=100)
    files = [
        Attachment("menu.txt", "text/plain", 16, upload_id),
        Attachment("film.mp4", "video/mp4", 9, None, "recordings are not read"),
    ]
    said = await office.text(
        "/kb add https://example.com/canteen <https://example.com/menu> kb=canteen platforms=telegram",
        "boss",
        attachments=files,
    )
    assert said.startswith("Job 1 adds to canteen. Number of documents: 3.")
    assert "film.mp4 was not taken: recordings are not read" in said
    assert "People in this channel do not read canteen: it answers on telegram only." in said
    job = await office.jobs.job(1, 1)
    assert (job.kb_name, job.author_id, job.state) == ("canteen", "boss", JobState.WAITING)
    assert job.target.address["reply_to"] > 0
    assert "**1** (waiting)" in await office.text("/kb jobs", "boss")
    assert "Job 1 ends" in await office.text("/kb cancel 1", "boss")
    assert (await office.jobs.job(1, 1)).state is JobState.CANCELLED


@pytest.mark.parametrize(
    ("platform", "direct", "said"),
    [
        (Platform.SLACK, False, "I will write to you how it ends."),
        (Platform.SLACK, True, "I will say here how it ends."),
        (Platform.TEAMS, False, "I will say here how it ends."),
        (Platform.TELEGRAM, True, "I will say here how it ends."),
    ],
)
async def test_whoever_adds_documents_is_told_where_they_hear_of_the_end(office, platform, direct, said):
    where = {"platform": platform, "direct": direct}
    await office.promote(**where)
    assert f"Number of documents: 1. {said}" in await office.text("/kb add https://example.com/a", "boss", **where)
    assert (await office.text("/kb refresh handbook", "boss", **where)).endswith(f"again. {said}")


async def test_what_is_added_and_refused_is_told_in_the_language_of_the_conversation(office, database):
    await office.promote()
    await office.say("/language de", "boss")
    film = Attachment("film.mp4", "video/mp4", 9, None, RECORDING)
    said = await office.text("/kb add http://169.254.169.254/ kb=neu", "boss", attachments=[film])
    assert "film.mp4 wurde nicht angenommen: Aufnahmen werden nicht gelesen;" in said
    assert "- **1** (wartet): Dokumente kommen zu neu hinzu: 1 von 2" in await office.text("/kb jobs", "boss")
    text = await office.work_off(1)
    assert "Auftrag 1, Dokumente für neu: fertig; 2 abgelehnt." in text
    assert "- abgelehnt: film.mp4: Aufnahmen werden nicht gelesen;" in text
    assert "- abgelehnt: http://169.254.169.254/: 169.254.169.254 liegt in einem privaten Netz (" in text
    await office.say("/kb add http://169.254.169.254/ kb=handbook", "boss")
    await office.work_off(2)
    assert " – abgelehnt: 169.254.169.254 liegt in einem privaten Netz" in await office.text(
        "/kb show handbook", "boss"
    )


async def test_a_knowledge_base_made_for_nothing_but_refused_addresses_does_not_stay(office):
    await office.promote()
    await office.say("/kb add http://169.254.169.254/ kb=travel", "boss")
    assert "Nothing was added, so the knowledge base travel is not kept." in await office.work_off(1)
    assert [base.name for base in await office.knowledge.knowledge_bases(1)] == ["handbook"]
    assert await office.jobs.jobs(1) == []
    await office.say("/kb add http://169.254.169.254/ kb=handbook", "boss")
    assert "is not kept" not in await office.work_off(2)
    await office.knowledge.create(1, "plans", EMPLOYEE_PLATFORMS)
    await office.say("/kb add http://169.254.169.254/ kb=plans", "boss")
    assert "is not kept" not in await office.work_off(3)
    assert [base.name for base in await office.knowledge.knowledge_bases(1)] == ["handbook", "plans"]


async def test_a_new_knowledge_base_stays_for_whatever_is_there_or_comes(office):
    await office.promote()
    upload_id = await office.uploads.put(1, "menu.txt", "text/plain", b"Soup on Mondays.", limit_bytes=100)
    menu = Attachment("menu.txt", "text/plain", 16, upload_id)
    await office.say("/kb add http://169.254.169.254/ kb=canteen", "boss", attachments=[menu])
    assert "done; 1 indexed, 1 refused." in await office.work_off(1)
    await office.say("/kb add http://169.254.169.254/ kb=travel", "boss")
    await office.say("/kb add http://169.254.169.254/more kb=travel", "boss")
    await office.work_off(2)
    assert [base.name for base in await office.knowledge.knowledge_bases(1)] == ["canteen", "handbook", "travel"]


async def test_a_file_that_is_not_read_is_said_so_in_the_language_of_the_conversation(office, database):
    files = SessionAttachments(office.uploads, PostgresSessionFiles(database), None)
    office.engine = make_engine(database, commands=office.actions, attachments=files)
    await office.say(VACATION)
    await office.say("/language de")
    film = Attachment("film.mp4", "video/mp4", 9, 7)
    said = await office.text("", attachments=[film])
    assert said == (
        "film.mp4 wurde nicht gelesen: Aufnahmen werden nicht gelesen; schreiben Sie, was darin gesagt wird."
    )


async def test_what_is_added_goes_to_the_only_knowledge_base_there_is(office):
    await office.promote()
    assert "adds to handbook" in await office.text("/kb add https://example.com/more", "boss")
    await office.knowledge.create(1, "travel", EMPLOYEE_PLATFORMS)
    assert "adds to default" in await office.text("/kb add https://example.com/more", "boss")
    await office.say("/kb add https://example.com/more kb=travel channels=here", "boss")
    base = await office.knowledge.knowledge_base(1, "travel")
    assert (base.platforms, base.channels) == (tuple(EMPLOYEE_PLATFORMS), ("general",))
    await office.say("/kb add https://example.com/more kb=travel channels=all", "boss")
    assert (await office.knowledge.knowledge_base(1, "travel")).channels == ()


async def test_a_knowledge_base_may_be_named_in_either_way(office):
    await office.promote()
    assert await office.text("/kb show kb=handbook", "boss") == await office.text("/kb show handbook", "boss")
    await office.knowledge.create(1, "car park", EMPLOYEE_PLATFORMS)
    assert "adds to car park" in await office.text('/kb add "car park" https://example.com/more', "boss")
    assert "`handboko` is no address" in await office.text("/kb add handboko https://example.com/more", "boss")
    assert 'There are: "car park", handbook' in await office.text("/kb show car park", "boss")
    asked = await office.text("/kb remove kb=handbook https://example.com/Time-off", "boss")
    assert asked.startswith("This removes `https://example.com/Time-off` from handbook.")
    assert 'kb remove "car park" yes' in await office.text('/kb remove kb="car park"', "boss")


async def test_a_knowledge_base_is_looked_through_and_refreshed(office):
    await office.promote()
    assert await office.text("/kb", "boss") == ("- **handbook** (documents: 2, passages: 2): console, slack, teams")
    shown = await office.text("/kb show handbook", "boss")
    assert "- Time off (`https://example.com/Time-off`)" in shown
    assert "28 days" in await office.text("/kb search vacation days kb=handbook", "boss")
    assert "Nothing was found" in await office.text("/kb search vacation kb=travel", "boss")
    assert "fetches the pages of handbook" in await office.text("/kb refresh handbook", "boss")
    [job] = await office.jobs.jobs(1)
    assert job.total == 2


async def test_an_administrator_searches_what_their_channel_may_read(office):
    await office.promote(platform=Platform.TELEGRAM)
    said = await office.text("/kb search vacation days", "boss", platform=Platform.TELEGRAM)
    assert said == "Nothing was found that may be read in this channel."


async def test_removing_asks_first(office):
    await office.promote()
    source = "https://example.com/Expenses"
    said = await office.text(f"/kb remove handbook {source}", "boss")
    assert said.endswith(f"write `/kb remove handbook {source} yes`")
    assert "There is no document" in await office.text("/kb remove handbook nothing yes", "boss")
    await office.say(f"/kb remove handbook {source} yes", "boss")
    assert (await office.knowledge.knowledge_base(1, "handbook")).documents == 1
    assert "`/kb remove handbook yes`" in await office.text("/kb remove handbook", "boss")
    assert (await office.knowledge.knowledge_base(1, "handbook")).documents == 1
    await office.say("/kb remove handbook yes", "boss")
    assert await office.knowledge.knowledge_bases(1) == []


async def test_an_author_takes_their_conversations_along(office):
    assert "nothing of yours" in await office.text("/export")
    await office.say(VACATION)
    await office.say("What is reimbursed for lunch?", thread="another")
    await office.say(VACATION, "U2", thread="of U2")
    await office.say(VACATION, thread="elsewhere", platform=Platform.TEAMS)
    markdown = (await office.say("/export")).file
    assert (markdown.name, markdown.media_type) == ("frontdesk.md", "text/markdown")
    assert markdown.text.count("**You**") == 2
    assert "28 days" in markdown.text
    kept = json.loads((await office.say("/export json")).file.text)["sessions"]
    assert sorted(session["title"] for session in kept) == [VACATION, "What is reimbursed for lunch?"]
    assert kept[0]["turns"][1]["sources"][0]["label"]


async def test_a_long_conversation_is_exported_whole(office):
    place = Place(Platform.SLACK, "general", "t")
    session = await office.sessions.open(1, place, "U9")
    for number in range(120):
        exchange = Exchange(f"question {number}", f"answer {number}", "", Origin.DOCUMENTS)
        await office.sessions.save_exchange(1, session.session_id, exchange)
    kept = json.loads((await office.say("/export json")).file.text)["sessions"]
    assert [turn["text"] for turn in kept[0]["turns"]][::2] == [f"question {number}" for number in range(120)]


async def test_whoever_is_forgotten_leaves_nothing_but_tickets(office, owner):
    await office.say("My secret wish is a red bicycle.")
    await office.say(VACATION, thread="another")
    await office.say("Is lunch reimbursed, says U2?", "U2", thread="of U2")
    await office.say("Somebody writes in the thread of U2: lunch?", thread="of U2")
    upload_id = await office.uploads.put(1, "cv.txt", "text/plain", b"Ann", limit_bytes=100)
    await office.say("Read my file", thread="another", attachments=[Attachment("cv.txt", "text/plain", 3, upload_id)])
    answered = await owner.fetchval("select min(outbox_id) from outbox")
    for author in ("U9", "U2"):
        await owner.execute("insert into feedback values (1, $1, $2, 1)", answered, author)
    warning = await office.text("/forget")
    assert "`/forget yes`" in warning
    assert len(await office.sessions.sessions(1, author_id="U9")) == 2

    said = await office.text("/forget yes")
    assert said.startswith("I have deleted everything I kept of you. Conversations: 2, contributions: 8, files: 1,")
    assert await office.sessions.sessions(1, author_id="U9") == []
    everywhere = await owner.fetchval(
        "select string_agg(rest, ' ') from (select body::text as rest from inbox where author_id = 'ann' "
        "union all select content::text from outbox where author_id = 'ann' "
        "union all select text from turns union all select summary from sessions) kept"
    )
    for words in ("bicycle", "vacation", "Somebody writes", "cv.txt"):
        assert words not in everywhere
    assert "says U2" in everywhere
    assert await owner.fetchval("select count(*) from uploads") == 0
    assert [row["author_id"] for row in await owner.fetch("select author_id from feedback")] == ["U2"]
    for row in await owner.fetch("select inbox_id from inbox"):
        await office.inbox.entry(1, row["inbox_id"])
    assert "Conversations: 0, contributions: 0" in await office.text("/forget yes")


async def test_forgetting_says_which_tickets_stay(office):
    await office.say(UNKNOWN)
    assert (await office.text("/forget yes")).endswith("Tickets that stay with those who answer them: 1.")
    await office.promote()
    said = await office.text("/tickets answer 1 Red.", "boss")
    assert "on its way" in said
    assert "cannot be taken over" in await office.text("/tickets take 1", "boss")


async def test_the_same_id_on_another_platform_is_somebody_else(office):
    await office.say(VACATION, "42")
    await office.say("/forget yes", "42", platform=Platform.TELEGRAM)
    assert len(await office.sessions.sessions(1, author_id="42")) == 1


async def test_figures_show_what_happened(office, owner):
    await office.promote()
    await office.say(VACATION)
    await office.say(UNKNOWN)
    await office.say(UNKNOWN.lower().removesuffix("?"), "U2", thread="2")
    await office.say("And who painted it in which workshop?", thread="3")
    answered = await owner.fetchval("select min(outbox_id) from outbox")
    await owner.execute("insert into feedback values (1, $1, 'ann', -1)", answered)
    shown = await office.text("/stats 7", "boss")
    assert "- Messages: 6, by people: 3" in shown
    assert "- Answered: command 1, documents 1, nothing found 3" in shown
    assert "- Without an answer in the documents: 3" in shown
    assert "- Tickets opened: 3, open now: 3" in shown
    assert "- Rated well: 0, rated badly: 1" in shown
    assert f"- 2 × {UNKNOWN}" in shown
    await owner.execute("update turns set created_at = now() - interval '10 days'")
    await owner.execute("update inbox set received_at = now() - interval '10 days'")
    assert "- Messages: 1, by people: 1" in await office.text("/stats 7", "boss")
    assert f"- 2 × {UNKNOWN}" in await office.text("/stats 30", "boss")
    assert UNKNOWN not in await office.text("/stats 7", "boss")


async def test_without_background_jobs_nothing_can_be_added(office):
    tools = replace(office.actions._tools, jobs=None)
    message = Message(1, Place(Platform.CONSOLE, "c"), Author("u"), "", administrator=True)
    for text in ("/kb add https://example.com", "/kb refresh handbook", "/kb jobs", "/kb cancel 1"):
        answer = await Actions(tools).run(replace(message, text=text), Collected())
        assert "no background jobs run" in answer.text
