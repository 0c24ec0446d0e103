"""Stories of the desk over a real PostgreSQL: whatever is edited, deleted, stopped or killed, one answer stands."""

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from adapters.embedded.extractive import ExtractiveAnswerer
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.given import PostgresGivenAnswers
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.signals import PostgresInterruptions, open_signals
from adapters.postgres.tickets import PostgresTickets
from core.channels import ChannelSettings
from core.desk import Desk
from core.documents import Passage
from core.domain import Answer, Attachment, Author, Draft, Message, Origin, Role, TicketState
from core.errors import Busy, ChannelUnavailable, Refused, Rejected
from core.escalation import TicketPolicy
from core.inbox import MAX_TRIES, Ending, Incoming, Kind, State, Thread
from core.outbox import Doubt, Purpose, Target
from core.places import Place, Platform
from core.tracing import request_id
from core.wording import NO_WEIGHTS
from tests.scenario.house import make_engine, save_document

VACATION = "How many vacation days do full-time employees have?"
LUNCH = "Up to how much is lunch reimbursed?"
HANDBOOK = {
    "Time off": "Full-time employees have 28 days of paid vacation in a calendar year.",
    "Expenses": "Lunch is reimbursed up to 18 euro a day when you travel.",
}
PLACE = Place(Platform.API, "general", "t")
THREAD = Thread(1, "ours", PLACE)
STEPS = ("claimed", "opened", "answered", "kept", "posted", "settled", "ended")


class Killed(BaseException):
    """What a kill looks like from inside: nothing that follows is done."""


class Recorder:
    """A platform that keeps what it was sent, knows keys where it is told so, and fails as it is told."""

    platform = Platform.API

    def __init__(self, doubt=Doubt.KEYED):
        self.doubt = doubt
        self.messages = {}  # what stands there
        self.keys = {}
        self.posts = 0
        self.signals = 0
        self.failures = []  # raised by the next sends, one each
        self.kill_in_window = False
        self._ids = count(1)

    async def working(self, target):
        self.signals += 1

    def reply(self, posting):
        return _Reply(self, posting)

    async def withdraw(self, posting):
        for sent in posting.delivery.sent:
            self.messages.pop(sent.message_id, None)
            await posting.forget(sent.part)

    async def post(self, key, text):
        if self.failures:
            raise self.failures.pop(0)
        self.posts += 1
        if self.doubt is not Doubt.KEYED or key not in self.keys:
            self.keys[key] = f"m{next(self._ids)}"
            self.messages[self.keys[key]] = text
        if self.kill_in_window:
            self.kill_in_window = False
            raise Killed
        return self.keys[key]

    def edit(self, message_id, text):
        if self.failures:
            raise self.failures.pop(0)
        self.messages[message_id] = text

    @property
    def texts(self):
        return list(self.messages.values())


class _Reply:
    def __init__(self, platform, posting):
        self._platform = platform
        self._posting = posting
        self._text = ""

    async def write(self, text):
        self._text += text
        await self._show(self._text)

    async def restart(self):
        self._text = ""

    async def finish(self, answer):
        notice = answer.notice.replace(NO_WEIGHTS, "")  # true of all answers here
        await self._show(f"{answer.text} {notice}".strip())

    async def _show(self, text):
        known = self._posting.message_id(0)
        if known is None:
            await self._posting.post(0, lambda key: self._platform.post(key, text))
        else:
            self._platform.edit(known, text)


class Writer:
    """An answerer that writes one piece, and the rest once it is let."""

    name = "writer"
    judges = False

    def __init__(self):
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.asked = []
        self.cancelled = 0

    async def answer(self, request, reply):
        self.asked.append(request.text)
        await reply.write("The first half [1]")
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        await reply.write(" and the second.")
        return Draft("The first half [1] and the second.", resolved=True)


class Counting:
    """A Meter that remembers."""

    def __init__(self):
        self.counts = Counter()
        self.times = []

    def count(self, what, by=1, **labels):
        self.counts[what.value] += by

    def time(self, what, seconds, **labels):
        self.times.append(what.value)


class Office:
    """Everything a desk needs, on one database."""

    def __init__(self, database, signals):
        self.inbox = PostgresInbox(database)
        self.outbox = PostgresOutbox(database)
        self.sessions = PostgresSessions(database)
        self.tickets = PostgresTickets(database)
        self.given = PostgresGivenAnswers(database)
        self.channels = PostgresChannels(database)
        self.platform = Recorder()
        self.meter = Counting()
        self.answerer = ExtractiveAnswerer(None)
        self.commands = None
        self.attachments = None
        self.kill_at = None
        self.patience_s = 60.0
        self._database = database
        self._signals = signals
        self._events = count(1)

    def at(self, step):
        if step == self.kill_at:
            self.kill_at = None
            raise Killed

    async def _answerers(self, bot):
        return self.answerer

    def desk(self):
        engine = make_engine(
            self._database,
            answerers=self._answerers,
            commands=self.commands,
            attachments=self.attachments,
            channels=self.channels,
        )
        return Desk(
            inbox=self.inbox,
            outbox=self.outbox,
            interruptions=PostgresInterruptions(self._signals, self._database),
            engine=engine,
            channels={Platform.API: self.platform},
            sessions=self.sessions,
            tickets=self.tickets,
            given=self.given,
            meter=self.meter,
            at=self.at,
            patience_s=self.patience_s,
        )

    async def say(self, text, message_id=None, **more):
        number = next(self._events)
        message = more.pop("message", None) or Message(1, PLACE, Author("u1"), text)
        incoming = Incoming(message, "ours", f"e{number}", message_id or f"q{number}", request_id=f"r{number}", **more)
        return await self.inbox.accept(incoming)

    async def serve(self):
        await self.desk().serve(THREAD)

    async def serve_whatever_happens(self):
        """Serve again after each kill and each failure, as the runtime does."""
        for _ in range(10):
            try:
                return await self.serve()
            except (Killed, ChannelUnavailable, ValueError):
                pass
        raise AssertionError("the thread is never free")

    async def entry(self, accepted):
        return await self.inbox.entry(1, accepted.inbox_id)

    async def turns(self):
        session = await self.sessions.open(1, PLACE, "u1")
        return [(turn.role, turn.text) for turn in await self.sessions.turns(1, session.session_id)]


@pytest.fixture
async def office(database, addresses, knowledge):
    kb = await knowledge.create(1, "handbook", (Platform.API,))
    for title, sentence in HANDBOOK.items():
        await save_document(knowledge, kb, title, sentence, source=f"/{title}.md")
    async with open_signals(addresses.application) as signals:
        yield Office(database, signals)


async def interrupted_while_writing(office, *, by):
    """Let an answer begin, accept what BY accepts, and serve to the end."""
    office.answerer = Writer()
    serving = asyncio.create_task(office.serve())
    await office.answerer.begun.wait()
    office.answerer.begun.clear()
    await by()
    return serving


async def test_a_question_is_answered_once_and_its_row_says_so(office):
    asked = await office.say(VACATION)
    await office.serve()
    entry = await office.entry(asked)
    assert (entry.state, entry.ending, entry.answered_by) == (State.ENDED, Ending.ANSWERED, asked.inbox_id)
    assert len(office.platform.texts) == 1
    assert "28 days" in office.platform.texts[0]
    assert [role for role, _ in await office.turns()] == [Role.AUTHOR, Role.ASSISTANT]
    assert office.meter.counts["answered"] == 1
    assert office.platform.signals >= 1
    await office.serve()
    assert office.platform.posts == 1


async def test_messages_that_waited_together_get_one_answer(office):
    first, second = await office.say(VACATION), await office.say(LUNCH)
    await office.serve()
    assert len(office.platform.texts) == 1
    assert {(await office.entry(row)).answered_by for row in (first, second)} == {first.inbox_id}
    assert await office.turns() != []


async def test_a_stop_keeps_what_was_written_with_its_source(office):
    asked = await office.say(VACATION)
    serving = await interrupted_while_writing(office, by=lambda: office.say("", kind=Kind.STOP, target="q1"))
    await serving
    assert office.answerer.cancelled == 1
    assert office.platform.texts == ["The first half [1] Stopped."]
    assert (await office.entry(asked)).ending is Ending.STOPPED
    session = await office.sessions.open(1, PLACE, "u1")
    *_, said = await office.sessions.turns(1, session.session_id)
    assert (said.text, said.origin) == ("The first half [1]", Origin.STOPPED)
    assert said.citations[0].source == "/Time off.md"


async def test_a_stop_with_nothing_to_stop_is_silent(office):
    stop = await office.say("", kind=Kind.STOP)
    await office.serve()
    assert office.platform.texts == []
    assert (await office.entry(stop)).ending is Ending.DONE


async def test_an_edit_while_the_answer_is_written_is_answered_in_the_same_message(office):
    asked = await office.say(VACATION)
    serving = await interrupted_while_writing(office, by=lambda: office.say(LUNCH, "q1", kind=Kind.EDIT, revision=1))
    await office.answerer.begun.wait()
    office.answerer.may_end.set()
    await serving
    assert office.answerer.asked == [VACATION, LUNCH]
    assert office.platform.texts == ["The first half [1] and the second."]
    assert office.platform.posts == 1
    assert (await office.entry(asked)).ending is Ending.EDITED
    assert [text for role, text in await office.turns() if role is Role.AUTHOR] == [LUNCH]


async def test_an_edit_after_the_answer_changes_the_answer_in_place(office):
    await office.say(VACATION)
    await office.serve()
    before = dict(office.platform.messages)
    for revision, text in enumerate((LUNCH, VACATION, LUNCH), start=1):
        await office.say(text, "q1", kind=Kind.EDIT, revision=revision)
        await office.serve()
    assert office.platform.messages.keys() == before.keys()
    assert "18 euro" in office.platform.texts[0]
    assert [text for role, text in await office.turns() if role is Role.AUTHOR] == [LUNCH]


async def test_an_edit_of_one_of_two_answers_both_again(office):
    await office.say("How many vacation days are there?")
    await office.say("Thanks a lot in advance for looking that up.")
    await office.serve()
    await office.say(LUNCH, "q1", kind=Kind.EDIT, revision=1)
    await office.serve()
    assert len(office.platform.texts) == 1
    [asked] = [text for role, text in await office.turns() if role is Role.AUTHOR]
    assert asked.splitlines() == ["Thanks a lot in advance for looking that up.", LUNCH]


@pytest.mark.parametrize("step", STEPS)
async def test_an_edit_is_answered_in_place_wherever_its_worker_dies(office, step):
    await office.say(VACATION)
    await office.serve()
    before = office.platform.messages.keys()
    await office.say(LUNCH, "q1", kind=Kind.EDIT, revision=1)
    office.kill_at = step
    await office.serve_whatever_happens()
    assert office.platform.messages.keys() == before
    assert "18 euro" in office.platform.texts[0]
    assert [text for role, text in await office.turns() if role is Role.AUTHOR] == [LUNCH]


async def test_a_deleted_question_takes_its_answer_and_its_turns_with_it(office):
    await office.say(VACATION)
    await office.serve()
    deleted = await office.say("", "q1", kind=Kind.DELETE)
    await office.serve()
    assert office.platform.texts == []
    assert await office.turns() == []
    assert (await office.entry(deleted)).ending is Ending.DONE


async def test_an_answer_that_was_edited_in_place_goes_with_its_question_too(office):
    await office.say(VACATION)
    await office.serve()
    await office.say(LUNCH, "q1", kind=Kind.EDIT, revision=1)
    await office.serve()
    await office.say("", "q1", kind=Kind.DELETE)
    await office.serve()
    assert (office.platform.texts, await office.turns()) == ([], [])


async def test_what_was_answered_together_with_a_deleted_message_is_answered_alone(office):
    await office.say(VACATION)
    await office.say(LUNCH)
    await office.serve()
    await office.say("", "q1", kind=Kind.DELETE)
    await office.serve()
    assert len(office.platform.texts) == 1
    assert "18 euro" in office.platform.texts[0]
    assert [text for role, text in await office.turns() if role is Role.AUTHOR] == [LUNCH]


async def test_a_question_deleted_while_it_is_answered_leaves_nothing(office):
    asked = await office.say(VACATION)
    serving = await interrupted_while_writing(office, by=lambda: office.say("", "q1", kind=Kind.DELETE))
    await serving
    assert office.answerer.cancelled == 1
    assert (office.platform.texts, await office.turns()) == ([], [])
    assert (await office.entry(asked)).ending is Ending.DELETED


async def test_a_rating_is_kept_with_the_answer_and_the_last_word_counts(office, database):
    await office.say(VACATION)
    await office.serve()
    for rating in (1, -1):
        detail = {"rating": rating, "reason": "not mine"}
        await office.say("", kind=Kind.FEEDBACK, target="m1", detail=detail)
        await office.serve()
    async with database.tenant(1) as connection:
        kept = await connection.fetch("select author_id, rating, reason from feedback")
    assert [tuple(row) for row in kept] == [("u1", -1, "not mine")]


async def test_after_a_takeover_the_bot_is_silent_and_the_person_reads_along(office):
    await office.say("May I bring my dog to the office?")
    await office.serve()
    ticket = (await office.tickets.tickets(1))[0]
    await office.say("", kind=Kind.TAKEOVER)
    await office.serve()
    asked = await office.say(VACATION)
    await office.serve()
    assert (await office.entry(asked)).ending is Ending.TAKEN_OVER
    assert len(office.platform.texts) == 1
    assert (await office.turns())[-1] == (Role.AUTHOR, VACATION)
    assert (await office.tickets.ticket(1, ticket.number)).transcript.endswith(f"author: {VACATION}")


async def test_a_takeover_ends_the_answer_under_way_and_loses_no_word(office):
    asked = await office.say(VACATION)
    serving = await interrupted_while_writing(office, by=lambda: office.say("", kind=Kind.TAKEOVER))
    await serving
    assert office.answerer.cancelled == 1
    assert office.platform.texts == []
    assert (await office.entry(asked)).ending is Ending.TAKEN_OVER
    assert await office.turns() == [(Role.AUTHOR, VACATION)]


class Poison:
    """An answerer that breaks on whatever it is asked."""

    name = "poison"
    judges = False
    tries = 0

    async def answer(self, request, reply):
        self.tries += 1
        raise ValueError(request.text)


async def test_a_poison_message_ends_after_three_tries_with_a_ticket_and_the_next_is_answered(office):
    office.answerer = poison = Poison()
    asked = await office.say(VACATION)
    await office.serve_whatever_happens()
    entry = await office.entry(asked)
    ticket = (await office.tickets.tickets(1))[0]
    assert poison.tries == 3
    assert (entry.ending, entry.ticket_number) == (Ending.FAILED, ticket.number)
    assert (ticket.question, ticket.state) == (VACATION, TicketState.OPEN)
    assert office.platform.texts == [
        "I could not answer this, although I tried several times. "
        f"I opened ticket {ticket.number}; a person will answer here."
    ]
    assert office.meter.counts["dead_letters"] == 1
    assert (await office.tickets.target(1, ticket.number)).message_id == "q1"
    office.answerer = ExtractiveAnswerer(None)
    await office.say(LUNCH)
    await office.serve()
    assert "18 euro" in office.platform.texts[-1]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("text", [VACATION, "May I bring my dog to the office?", "hello", " "])
async def test_wherever_a_worker_dies_one_answer_stands_and_one_ticket_at_most(office, text, step):
    asked = await office.say(text)
    office.kill_at = step
    await office.serve_whatever_happens()
    entry = await office.entry(asked)
    assert (entry.state, entry.ending) == (State.ENDED, Ending.ANSWERED)
    assert (len(office.platform.texts), office.platform.posts) == (1, 1)
    assert len(await office.turns()) == (0 if text == " " else 2)
    assert len(await office.tickets.tickets(1)) == ("dog" in text)


@pytest.mark.parametrize("step", [*STEPS, None])
async def test_a_worker_that_dies_on_a_stop_a_deletion_or_a_takeover_is_followed_by_another(office, step):
    await office.say(VACATION)
    await office.serve()
    for kind in (Kind.STOP, Kind.DELETE, Kind.TAKEOVER):
        event = await office.say("", "q1" if kind is Kind.DELETE else None, kind=kind)
        office.kill_at = step
        await office.serve_whatever_happens()
        assert (await office.entry(event)).ending is Ending.DONE
    assert office.platform.texts == []


@pytest.mark.parametrize(
    ("doubt", "standing", "ending", "doubts"),
    [
        (Doubt.KEYED, 1, Ending.ANSWERED, 1),
        (Doubt.REPEAT, 2, Ending.ANSWERED, 1),
        (Doubt.GIVE_UP, 1, Ending.FAILED, 1),
    ],
)
async def test_a_death_between_the_platforms_acceptance_and_our_record_ends_as_the_channel_chose(
    office, doubt, standing, ending, doubts
):
    office.platform = Recorder(doubt)
    office.platform.kill_in_window = True
    asked = await office.say(VACATION)
    await office.serve_whatever_happens()
    entry = await office.entry(asked)
    assert (entry.ending, len(office.platform.texts)) == (ending, standing)
    assert (entry.ticket_number is not None) is (ending is Ending.FAILED)
    assert office.meter.counts["doubts"] == doubts


async def test_a_platform_that_wants_us_to_wait_costs_no_try(office):
    asked = await office.say(VACATION)
    office.platform.failures = [Busy("Wait.", 1.0) for _ in range(6)]
    for _ in range(6):
        with pytest.raises(Busy):
            await office.serve()
    await office.serve()
    assert (await office.entry(asked)).ending is Ending.ANSWERED
    assert len(office.platform.texts) == 1


async def test_a_platform_that_stays_away_is_given_up_with_a_ticket(office):
    asked = await office.say(VACATION)
    office.patience_s = 0
    office.platform.failures = [ChannelUnavailable("It does not answer.") for _ in range(20)]
    await office.serve_whatever_happens()
    entry = await office.entry(asked)
    assert entry.ending is Ending.FAILED
    assert (await office.tickets.ticket(1, entry.ticket_number)).question == VACATION


async def test_a_platform_that_is_away_for_a_while_uses_up_no_tries(office):
    asked = await office.say(VACATION)
    office.platform.failures = [ChannelUnavailable("It does not answer.") for _ in range(8)]
    await office.serve_whatever_happens()
    entry = await office.entry(asked)
    assert (entry.ending, entry.tries) == (Ending.ANSWERED, 1)


async def test_an_answer_the_platform_refuses_is_told_to_a_person(office):
    asked = await office.say(VACATION)
    office.platform.failures = [Rejected("The channel is archived."), Rejected("The channel is archived.")]
    await office.serve()
    entry = await office.entry(asked)
    assert (entry.ending, entry.reason) == (Ending.FAILED, "The channel is archived.")
    assert (await office.tickets.ticket(1, entry.ticket_number)).reason.endswith("The channel is archived.")


async def test_a_worker_that_stops_gives_the_message_back_and_costs_no_try(office):
    asked = await office.say(VACATION)
    office.answerer = Writer()
    for _ in range(5):
        serving = asyncio.create_task(office.serve())
        await office.answerer.begun.wait()
        office.answerer.begun.clear()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert await office.turns() == []
    office.answerer.may_end.set()
    await office.serve()
    assert (await office.entry(asked)).ending is Ending.ANSWERED
    assert office.platform.texts == ["The first half [1] and the second."]


async def test_a_worker_that_was_taken_over_changes_nothing(office):
    asked = await office.say(VACATION)
    office.answerer = Writer()
    slow = asyncio.create_task(office.serve())
    await office.answerer.begun.wait()
    office.answerer.may_end.set()
    await office.inbox.claim(THREAD)
    office.answerer = ExtractiveAnswerer(None)
    await office.serve()
    await slow
    assert (await office.entry(asked)).ending is Ending.ANSWERED
    assert [role for role, _ in await office.turns()] == [Role.AUTHOR, Role.ASSISTANT]
    assert len(office.platform.texts) == 1


async def test_a_stored_delivery_is_sent_and_an_absent_one_is_no_trouble(office):
    target = Target(1, "ours", PLACE, "u1")
    content = Answer("Yes, on Fridays.", Origin.PERSON, None)
    outbox_id = await office.outbox.enqueue(target, Purpose.PERSON, content)
    office.platform.failures = [ChannelUnavailable("It does not answer.")]
    with pytest.raises(ChannelUnavailable):
        await office.desk().deliver(1, outbox_id)
    await office.desk().deliver(1, outbox_id)
    await office.desk().deliver(1, outbox_id + 1)
    assert office.platform.texts == ["Yes, on Fridays."]


class Commands:
    """One command."""

    async def run(self, message, reply):
        if message.text != "/ping":
            return None
        await reply.write("pong")
        return Answer("pong", Origin.COMMAND, None)


async def test_commands_come_first_and_are_no_turns(office):
    office.commands = Commands()
    await office.say("/ping")
    await office.serve()
    assert (office.platform.texts, await office.turns()) == (["pong"], [])
    await office.say(f"/ask {VACATION}")
    await office.serve()
    assert [text for role, text in await office.turns() if role is Role.AUTHOR] == [VACATION]


class Denied:
    """Commands whose database denies it."""

    async def run(self, message, reply):
        raise Refused("PostgreSQL at db.internal denied it.") from OSError("denied")


async def test_what_a_database_says_is_told_to_no_author(office):
    office.commands = Denied()
    accepted = await office.say("/ping")
    for _ in range(MAX_TRIES):
        with pytest.raises(Refused):
            await office.serve()
    await office.serve()
    assert (await office.entry(accepted)).ending is Ending.FAILED
    assert not any("db.internal" in text for text in office.platform.texts)


async def test_one_id_leads_from_the_request_through_the_log_to_the_end(office, caplog):
    caplog.set_level(logging.INFO, "core.desk")
    seen = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append((record.getMessage(), request_id.get()))
    logging.getLogger("core.desk").addHandler(handler)
    accepted = await office.say(VACATION)
    try:
        await office.serve()
    finally:
        logging.getLogger("core.desk").removeHandler(handler)
    assert seen == [(f"row {accepted.inbox_id} has ended", "r1")]


async def test_an_apology_that_had_to_wait_is_still_a_failure(office):
    office.answerer = Poison()
    accepted = await office.say(VACATION)
    for _ in range(MAX_TRIES):
        with pytest.raises(ValueError, match=r"How many"):
            await office.serve()
    office.platform.failures = [Busy("Wait.", 1.0)]
    with pytest.raises(Busy):
        await office.serve()
    await office.serve()
    entry = await office.entry(accepted)
    assert (entry.ending, entry.ticket_number) == (Ending.FAILED, 1)
    assert len(office.platform.texts) == len(await office.tickets.tickets(1)) == 1
    assert office.meter.counts["dead_letters"] == 1


class Files:
    """A reader of files that knows one text."""

    def __init__(self):
        self.taken = []

    async def take(self, tenant_id, session_id, attachments, language):
        self.taken += [attachment.name for attachment in attachments]
        return tuple(f"{each.name} was not read: pictures are not." for each in attachments if each.name == "cat.png")

    async def search(self, tenant_id, session_id, question, vector, limit):
        if "lease" not in question or "lease.pdf" not in self.taken:
            return ()
        text = "The lease ends on the last day of June."
        return (Passage(-1000, -1, "", "lease.pdf", "lease.pdf", (), None, text, 3.0, 1.0, None),)


async def test_files_are_read_for_their_session_alone(office):
    office.attachments = Files()
    files = (Attachment("lease.pdf", "application/pdf", 10, 1), Attachment("cat.png", "image/png", 10, 2))
    await office.say("", message=Message(1, PLACE, Author("u1"), "", attachments=files))
    await office.serve()
    assert office.platform.texts == [
        "I have read lease.pdf. What would you like to know? cat.png was not read: pictures are not."
    ]
    await office.say("When does the lease end?")
    await office.serve()
    assert "last day of June" in office.platform.texts[-1]
    session = await office.sessions.open(1, PLACE, "u1")
    *_, said = await office.sessions.turns(1, session.session_id)
    assert (said.citations[0].source, said.private) == ("lease.pdf", True)


class Talkative(Files):
    """Find something near in the file, whatever is asked."""

    async def search(self, tenant_id, session_id, question, vector, limit):
        text = "A full-time employee of the landlord keeps the keys."
        return (Passage(-1000, -1, "", "lease.pdf", "lease.pdf", (), None, text, 0.5, 0.5, None),)


async def test_a_file_sent_earlier_does_not_stand_before_what_answers_better(office):
    office.attachments = Talkative()
    files = (Attachment("lease.pdf", "application/pdf", 10, 1),)
    await office.say("", message=Message(1, PLACE, Author("u1"), "", attachments=files))
    await office.serve()
    await office.say(VACATION)
    await office.serve()
    assert "28 days" in office.platform.texts[-1]
    assert "landlord" not in office.platform.texts[-1]


async def test_what_was_hidden_on_the_way_in_is_told(office):
    message = Message(1, PLACE, Author("u1"), VACATION, hidden=("card number", "card number"))
    desk_engine = office.desk()
    await office.say("", message=message)
    await desk_engine.serve(THREAD)
    assert "card number" in office.platform.texts[0]
    assert "before anything was stored" in office.platform.texts[0]


async def test_a_channels_settings_decide(office):
    place = replace(PLACE, thread="")
    settings = ChannelSettings(knowledge_bases=("nothing",), language="de", tickets=TicketPolicy.OFF)
    await office.channels.save(1, place, settings)
    await office.say(VACATION)
    await office.serve()
    assert await office.tickets.tickets(1) == []
    assert office.platform.texts[0].startswith("Dazu habe ich")


async def test_a_language_the_author_chose_is_not_detected(office):
    session = await office.sessions.open(1, PLACE, "u1")
    await office.sessions.choose_language(1, session.session_id, "fr")
    await office.say("May I bring my dog to the office?")
    await office.serve()
    assert (await office.sessions.session(1, session.session_id)).language == "fr"
    assert "ticket" in office.platform.texts[0]
    assert not office.platform.texts[0].startswith("I ")
