"""The Teams channel against a loopback connector and a real outbox, on a clock of the test's own."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest

from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.teams.channel import TeamsChannel
from adapters.teams.earlier import EarlierAnswers
from adapters.teams.outbound import message_of
from adapters.teams.references import References
from adapters.teams.stream import Manner
from adapters.teams.tokens import Password, Tokens
from adapters.teams.transport import Refusal, Transport
from core import wording
from core.documents import Citation, Outcome
from core.domain import Answer, Author, File, Message, Origin
from core.errors import Busy, ChannelUnavailable
from core.inbox import Incoming
from core.ingestions import Job, JobState, SourceResult
from core.meter import Unmetered
from core.outbox import Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from core.sending import Sender, with_answerer
from ingest.background import DeliveryReporter
from tests.platform.teams_rules import actions_of
from tests.platform.teams_server import TeamsServer

SOURCE = Citation(1, 1, 1, "Time off", "https://wiki.example/a", None, "28 days")
ANSWER = Answer("You have 28 days [1].", Origin.DOCUMENTS, None, (SOURCE,), model="m")


JOB = Job(
    3, 1, "handbook", JobState.RUNNING, 1, 2, "reading", (), "", False, "", None, None, *[datetime.now(UTC)] * 2, None
)
RESULTS = (SourceResult("a.md", Outcome.INDEXED), SourceResult("b.md", Outcome.REFUSED, "it is empty"))


class Desk:
    """A channel, a person, and the conversations they are in."""

    def __init__(self, teams, database, session):
        self.teams = teams
        self.now = 1_000.0
        self.tenant = teams.tenant()
        self.ann, self.bob = teams.user(self.tenant, "ann"), teams.user(self.tenant, "bob")
        self.chat, self.group = teams.personal(self.ann), teams.group(self.ann, self.bob)
        self.room = teams.channel(self.ann, self.bob)
        self.stopped = []
        self.outbox = PostgresOutbox(database)
        self.conversations = PostgresConversations(database)
        tokens = Tokens(Password(session, teams.app_id, teams.secret, teams.token_tenant, teams.url))
        self.transport = Transport(session, tokens, PreferredPacer(), teams.app_id, hosts=(teams.host,))
        self.inbox = PostgresInbox(database, author_limit=1_000)
        manner = Manner(self.stop, clock=lambda: self.now, earlier=EarlierAnswers(self.inbox, self.outbox))
        self.channel = TeamsChannel(self.transport, References(self.conversations), manner=manner)

    async def stop(self, target):
        self.stopped.append(target.message_id)

    def target(self, chat=None, conversation="", **more):
        chat = chat or self.chat
        conversation = conversation or chat.conversation_id
        address = {
            "serviceUrl": self.teams.service_url(chat),
            "conversation": conversation,
            "tenant": self.tenant.tenant_id,
            "bot": self.teams.state.bot_id,
            "user": self.ann.user_id,
            "scope": chat.scope,
            **more,
        }
        place = Place(Platform.TEAMS, chat.conversation_id, conversation)
        return Target(1, "bot", place, self.ann.aad_id, address, "m1")

    async def posting(self, chat=None, **more):
        delivery = await self.outbox.open(self.target(chat, **more), Purpose.ANSWER)
        return Posting(self.outbox, delivery, self.channel.doubt)

    async def asked(self, chat, **more):
        """Take a message in; return where it is answered, and its delivery."""
        target = replace(self.target(chat, **more), message_id=f"m{len(self.teams.state.messages)}{more}")
        message = Message(1, target.place, Author(target.author_id), "a question", installation="bot")
        event = Incoming(message, "bot", target.message_id, target.message_id, address=target.address)
        accepted = await self.inbox.accept(event)
        delivery = await self.outbox.open(target, Purpose.ANSWER, inbox_id=accepted.inbox_id)
        return target, Posting(self.outbox, delivery, self.channel.doubt)

    async def again(self, posting):
        """Open the delivery as a worker does that takes it over."""
        delivery = await self.outbox.reopen(1, posting.delivery.outbox_id)
        return Posting(self.outbox, delivery, self.channel.doubt)

    def shown(self, chat=None, user=None):
        return self.teams.answers(chat or self.chat, user=user)


@pytest.fixture
async def desk(database):
    async with TeamsServer(time_scale=0.0) as teams, aiohttp.ClientSession() as session:
        teams.connector.rates.enabled = False
        yield Desk(teams, database, session)
        assert [one for one in teams.violations if one.rule != "send"] == []


async def test_an_answer_grows_and_ends_with_its_sources(desk):
    posting = await desk.posting(locale="de-AT")
    reply = desk.channel.reply(posting)
    await desk.channel.working(posting.delivery.target)
    (shown,) = desk.shown()
    assert shown.stream.informative == "Ich sehe nach …"
    for piece in ("You have", " 28 days", " of vacation"):
        desk.now += 2
        await reply.write(piece)
    assert (shown.stream.state, shown.text) == ("streaming", "You have 28 days of vacation")
    await reply.finish(ANSWER)
    (shown,) = desk.shown()
    assert (shown.text, shown.stream.state, shown.is_labelled) == ("You have 28 days [1].", "final", True)
    assert [one["appearance"]["name"] for one in shown.citations] == ["Time off"]
    assert shown.feedback == "default"
    await reply.finish(ANSWER)
    assert len(desk.shown()) == 1


async def test_a_stream_keeps_its_pace_and_its_text(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    for piece in "abcdefgh":
        await reply.write(piece)
        desk.now += 0.5
    (shown,) = desk.shown()
    assert shown.stream.updates == ["a", "abcd", "abcdefg"]
    await reply.restart()
    desk.now += 2
    await reply.write("something else")
    assert shown.stream.updates[-1] == "abcdefg"
    await reply.finish(ANSWER)
    assert desk.shown()[0].text == "You have 28 days [1]."


async def test_a_reader_who_presses_stop_is_heard_while_nothing_new_comes(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await reply.write("You have")
    desk.teams.stop(desk.chat)
    desk.now += 4
    await desk.channel.working(posting.delivery.target)
    assert desk.stopped == ["m1"]
    desk.now += 4
    await reply.write(" more")
    await reply.finish(Answer("You have more", Origin.STOPPED, None, notice="Stopped.", language="de"))
    assert [one.text for one in desk.shown()] == ["You have\n\n*Angehalten.*"]


async def test_what_is_refused_because_of_a_stop_was_never_shown(desk):
    source = replace(SOURCE, source="/srv/policy.md")
    reply = desk.channel.reply(await desk.posting())
    await reply.write("You have 28 days [1]. ")
    desk.teams.stop(desk.chat)
    desk.now += 4
    await reply.write("And more.")
    await reply.finish(replace(ANSWER, text="You have 28 days [1]. And more.", citations=(source,)))
    (shown,) = desk.shown()
    assert shown.text == "You have 28 days [1].\n\n*Stopped.*"
    assert [claim["position"] for claim in shown.citations] == [1]
    assert "Time off" in json.dumps(shown.cards)


async def test_a_stop_that_comes_with_the_last_word_is_minded(desk):
    reply = desk.channel.reply(await desk.posting())
    await reply.write("You have")
    desk.teams.stop(desk.chat)
    await reply.finish(ANSWER)
    assert [one.text for one in desk.shown()] == ["You have\n\n*Stopped.*"]
    assert desk.stopped == ["m1"]


PARAGRAPH = 'A paragraph of some length [1], "quoted".\n\n'


async def test_an_answer_too_long_to_grow_can_be_stopped(desk):
    sources = tuple(Citation(n, n, n, f"Source {n}", f"/srv/{n}.md", None, "words " * 200) for n in range(1, 11))
    reply = desk.channel.reply(await desk.posting())
    marks = "".join(f"[{n}]" for n in range(1, 11))
    await reply.write(f"Sources {marks}.\n\n")
    for _ in range(5):
        desk.now += 2
        await reply.write(PARAGRAPH * 80)
    before = len(desk.teams.connector.calls)
    desk.now += 2
    await desk.channel.working(reply._line.target)
    assert len(desk.teams.connector.calls) == before + 1
    assert desk.stopped == []
    desk.teams.stop(desk.chat)
    desk.now += 2
    await desk.channel.working(reply._line.target)
    assert desk.stopped == ["m1"]
    text = f"Sources {marks}.\n\n{PARAGRAPH * 400}"
    await reply.finish(Answer(text, Origin.STOPPED, None, sources, model="m"))
    texts = [one.text for one in desk.shown()]
    assert len(texts) <= 2
    assert texts[-1].endswith("*Stopped.*")
    assert sum(text.count("A paragraph") for text in texts) == 240


async def test_an_answer_that_is_too_large_with_the_word_that_it_was_stopped_comes_in_parts_or_stays(desk):
    for refusals, messages in ((1, 1), (2, 2), (4, 1)):
        desk.transport._pacer = PreferredPacer()
        reply = desk.channel.reply(await desk.posting())
        for _ in range(2):
            desk.now += 2
            await reply.write(PARAGRAPH * 100)
        desk.teams.stop(desk.chat)
        desk.teams.misbehave("update", *["http_413"] * refusals)
        begun = len(desk.shown()) - 1
        await reply.finish(replace(ANSWER, text=PARAGRAPH * 200))
        shown = desk.shown()[begun:]
        assert len(shown) >= messages
        assert sum(one.text.count("A paragraph") for one in shown) == 200
        assert shown[-1].text.endswith("*Stopped.*") is (refusals < 4)


async def test_the_working_signal_and_the_text_keep_the_same_pace(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    working = asyncio.ensure_future(desk.channel.working(posting.delivery.target))
    while not reply._lock.locked():  # noqa: ASYNC110 - a lock tells nobody that it was taken
        await asyncio.sleep(0)
    await reply.write("You have")
    await working
    assert len([one for one in desk.teams.connector.calls if one[0] == "send"]) == 1
    desk.now += 2
    await reply.write(" 28")
    assert desk.shown()[0].text == "You have 28"


async def test_an_answer_that_is_stopped_by_a_command_ends_with_what_was_shown(desk):
    reply = desk.channel.reply(await desk.posting())
    await reply.write("You have")
    await reply.write(" 28 days")
    await reply.finish(Answer("You have 28 days", Origin.STOPPED, None, notice="Stopped."))
    (shown,) = desk.shown()
    assert (shown.text, shown.stream.state) == ("You have\n\n*Stopped.*", "final")


async def test_a_worker_that_takes_a_stopped_answer_over_shows_what_there_is_of_it(desk):
    posting = await desk.posting()
    await desk.channel.reply(posting).write("You have")
    desk.teams.stop(desk.chat)
    taken = desk.channel.reply(await desk.again(posting))
    await taken.finish(Answer("You have", Origin.STOPPED, None, notice="Stopped."))
    assert [one.text for one in desk.shown()] == ["You have\n\n*Stopped.*"]


async def test_a_long_stream_goes_on_as_a_message(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await reply.write("One")
    desk.now += 101
    desk.teams.clock.advance(101)
    await reply.write(" two")
    (shown,) = desk.shown()
    assert (shown.stream.state, shown.text) == ("final", "One two")
    desk.now += 30
    desk.teams.clock.advance(30)
    await reply.write(" three")
    assert shown.text == "One two three"
    await reply.finish(ANSWER)
    assert [one.text for one in desk.shown()] == ["You have 28 days [1]."]


async def test_a_worker_that_takes_over_goes_on_with_the_same_message(desk):
    posting = await desk.posting()
    await desk.channel.reply(posting).write("You ha")
    taken = desk.channel.reply(await desk.again(posting))
    await taken.write("You have 28")
    await taken.finish(ANSWER)
    (shown,) = desk.shown()
    assert (shown.text, shown.stream.state) == ("You have 28 days [1].", "final")


async def test_what_was_withdrawn_is_gone_and_its_stream_is_over(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await reply.write("You have")
    await desk.channel.withdraw(posting)
    assert desk.shown() == []
    assert posting.delivery.sent == ()
    again = desk.channel.reply(await desk.posting())
    desk.now += 5
    await again.write("Anew")
    assert [one.stream.state for one in desk.shown()] == ["streaming"]


async def test_where_streams_are_not_allowed_one_message_comes(desk):
    desk.teams.connector.streams.enabled = False
    reply = desk.channel.reply(await desk.posting())
    await reply.write("You have")
    await reply.finish(ANSWER)
    assert [one.text for one in desk.shown()] == ["You have 28 days [1]."]


async def test_groups_and_channels_get_one_message_in_their_thread(desk):
    conversation = f"{desk.room.conversation_id};messageid=1"
    for chat, where in ((desk.group, ""), (desk.room, conversation)):
        posting = await desk.posting(chat, conversation=where)
        reply = desk.channel.reply(posting)
        await desk.channel.working(posting.delivery.target)
        await reply.write("You have")
        assert desk.shown(chat) == []
        await reply.finish(ANSWER)
        (shown,) = desk.shown(chat)
        assert (shown.conversation, len(shown.citations)) == (where or chat.conversation_id, 1)
    assert desk.teams.state.typing == [desk.group.conversation_id]


async def test_a_long_answer_comes_in_parts_that_are_withdrawn_where_they_are_too_many(desk):
    text = "\n\n".join(f"Paragraph {number} {'with words ' * 60}" for number in range(40))
    posting = await desk.posting()
    await desk.channel.reply(posting).finish(Answer(text, Origin.DOCUMENTS, None))
    assert len(desk.shown()) > 1
    again = await desk.again(posting)
    await desk.channel.reply(again).finish(ANSWER)
    assert [one.text for one in desk.shown()] == ["You have 28 days [1]."]


async def test_what_teams_finds_too_large_comes_in_smaller_parts(desk):
    desk.teams.misbehave("send", "http_413")
    text = "\n\n".join(["A paragraph of some length that says nothing at all."] * 150)
    await desk.channel.reply(await desk.posting()).finish(Answer(text, Origin.DOCUMENTS, None))
    shown = desk.shown()
    assert len(shown) > 1
    assert sum(one.text.count("A paragraph") for one in shown) == 150


async def test_a_private_answer_in_a_group_is_seen_by_its_author_alone(desk):
    private = Answer("Only for you.", Origin.COMMAND, None, private=True)
    await desk.channel.reply(await desk.posting(desk.group)).finish(private)
    assert [one.text for one in desk.shown(desk.group, desk.ann)] == ["Only for you."]
    assert desk.shown(desk.group, desk.bob) == []


async def test_a_file_asked_for_in_a_group_is_offered_in_the_personal_chat(desk):
    answer = Answer("Here.", Origin.COMMAND, None, private=True, file=File("a.txt", "text/plain", "words"))
    posting = await desk.posting(desk.group)
    await desk.channel.reply(posting).finish(answer)
    text, offer = desk.shown(desk.chat)
    assert text.text == "Here."
    assert offer.attachments[0]["content"]["acceptContext"] == {"outbox": posting.delivery.outbox_id}
    assert "private chat" in desk.shown(desk.group)[0].text
    await desk.channel.withdraw(posting)
    assert desk.shown(desk.chat) == desk.shown(desk.group) == []


async def test_a_public_answer_is_never_changed_into_one_for_its_author_alone(desk):
    """An edited question may be one whose answer is private, and a private one may become public."""
    private = Answer("Only for you.", Origin.COMMAND, None, private=True)
    file = replace(private, file=File("a.txt", "text/plain", "words"))
    long = replace(ANSWER, text="\n\n".join(["A paragraph of some length. " * 40] * 30))
    posting = await desk.posting(desk.group)
    for answer, to_all, to_ann, in_person in (
        (ANSWER, ["You have"], ["You have"], 0),
        (private, [], ["Only for"], 0),
        (ANSWER, ["You have"], ["You have"], 0),
        (file, ["I have answered"], ["I have answered"], 2),
        (long, ["A paragr"] * 4, ["A paragr"] * 4, 0),
        (file, ["I have answered"], ["I have answered"], 2),
        (ANSWER, ["You have"], ["You have"], 0),
        (private, [], ["Only for"], 0),
        (private, [], ["Only for"], 0),
    ):
        posting = await desk.again(posting)
        await desk.channel.reply(posting).finish(answer)
        for user, seen in ((desk.bob, to_all), (desk.ann, to_ann)):
            assert [one.text[:8] for one in desk.shown(desk.group, user)] == [begin[:8] for begin in seen]
        assert len(desk.shown(desk.chat)) == in_person
    assert not any("Only" in one["text"] for message in desk.teams.state.messages for one in message.edits[:-1])
    await desk.channel.withdraw(posting)
    assert desk.shown(desk.group, desk.ann) == desk.shown(desk.chat) == []


async def test_what_only_its_author_sees_can_be_found_by_its_message(desk):
    _, posting = await desk.asked(desk.group)
    await desk.channel.reply(posting).finish(replace(ANSWER, private=True))
    (shown,) = desk.shown(desk.group, desk.ann)
    found = await desk.outbox.of_message(1, "bot", desk.target(desk.group).place, shown.activity_id)
    assert found.outbox_id == posting.delivery.outbox_id


async def test_where_nobody_can_be_told_alone_their_personal_chat_is_gone_on_with(desk):
    private = Answer("Only for you.", Origin.COMMAND, None, private=True)
    posting = await desk.posting(desk.group)
    desk.teams.misbehave("send", "http_400")
    for words in ("Only for you.", "And this too."):
        posting = await desk.again(posting)
        await desk.channel.reply(posting).finish(replace(private, text=words))
        assert [one.text for one in desk.shown(desk.chat)] == [words]
        (told,) = desk.shown(desk.group, desk.ann)
        assert "private chat" in told.text


async def test_a_file_asked_for_by_a_slash_command_is_offered_too(desk):
    answer = Answer("Here.", Origin.COMMAND, None, private=True, file=File("a.txt", "text/plain", "words"))
    await desk.channel.reply(await desk.posting(desk.group, private=True)).finish(answer)
    assert desk.shown(desk.chat)[-1].attachments[0]["name"] == "a.txt"
    assert desk.shown(desk.group, desk.bob) == []
    assert "private chat" in desk.shown(desk.group, desk.ann)[0].text


async def test_a_welcome_has_prompts(desk):
    await desk.channel.reply(await desk.posting(welcome=True)).finish(Answer("Hello", Origin.SMALL_TALK, None))
    assert len(desk.shown()[0].body["suggestedActions"]["actions"]) == 3


async def test_the_newest_address_is_called(desk):
    old = desk.target()
    desk.teams.move("emea")
    await desk.conversations.note(desk.target())
    delivery = await desk.outbox.open(old, Purpose.PERSON)
    await desk.channel.reply(Posting(desk.outbox, delivery, desk.channel.doubt)).finish(ANSWER)
    assert len(desk.shown()) == 1


async def test_a_conversation_that_has_been_silent_is_found_where_the_others_are_now(desk):
    old = desk.target()
    await desk.conversations.note(old)
    desk.teams.move("emea")
    await desk.conversations.note(desk.target(desk.group))
    delivery = await desk.outbox.open(old, Purpose.PERSON)
    await desk.channel.reply(Posting(desk.outbox, delivery, desk.channel.doubt)).finish(ANSWER)
    assert len(desk.shown()) == 1
    kept = await desk.conversations.newest(old)
    assert kept["serviceUrl"] == desk.teams.service_url(desk.chat) != old.address["serviceUrl"]


async def test_nobody_is_followed_to_a_host_that_is_not_the_services(desk):
    elsewhere = replace(
        desk.target(desk.group), address={**desk.target().address, "serviceUrl": "https://evil.example/"}
    )
    await desk.conversations.note(elsewhere)
    delivery = await desk.outbox.open(desk.target(), Purpose.PERSON)
    desk.teams.move("emea")
    with pytest.raises(Refusal, match="404"):
        await desk.channel.reply(Posting(desk.outbox, delivery, desk.channel.doubt)).finish(ANSWER)


async def test_an_answer_to_a_private_question_can_be_shared(desk):
    await desk.channel.reply(await desk.posting(desk.group, private=True)).finish(ANSWER)
    (shown,) = desk.shown(desk.group, desk.ann)
    buttons = [action for card in shown.cards for action in actions_of(card)]
    assert [button["title"] for button in buttons] == ["I need a person", "Share with chat"]
    assert [button["data"]["private"] for button in buttons] == [True, True]
    assert shown.targeted_to == desk.ann.user_id


# What comes later


async def test_the_card_of_a_ticket_says_so_when_a_person_has_answered(desk):
    for chat, more in ((desk.chat, {}), (desk.group, {}), (desk.group, {"private": True})):
        target, posting = await desk.asked(chat, **more)
        opened = Answer("I opened ticket 7.", Origin.NOTHING_FOUND, None, ticket_number=7)
        await desk.outbox.keep(posting.delivery, opened)
        await desk.channel.reply(posting).finish(opened)
        assert "A person will answer here." in json.dumps(desk.shown(chat, desk.ann)[-1].cards)
        delivery = await desk.outbox.open(target, Purpose.PERSON)
        said = Answer(f"{wording.person_answered(7)}\n\nIn March.", Origin.PERSON, None, ticket_number=7)
        await desk.channel.reply(Posting(desk.outbox, delivery, desk.channel.doubt)).finish(said)
        *_, ticket, words = desk.shown(chat, desk.ann)
        assert "A person has answered." in json.dumps(ticket.cards)
        assert (ticket.text, words.cards) == ("I opened ticket 7.", [])
        assert actions_of(ticket.cards[0]) == []


async def test_a_ticket_whose_card_cannot_be_changed_is_answered_all_the_same(desk):
    target, posting = await desk.asked(desk.chat)
    opened = Answer("I opened ticket 7.", Origin.NOTHING_FOUND, None, ticket_number=7)
    await desk.outbox.keep(posting.delivery, opened)
    await desk.channel.reply(posting).finish(opened)
    desk.teams.misbehave("update", "http_502")
    delivery = await desk.outbox.open(target, Purpose.PERSON)
    said = Answer(f"{wording.person_answered(7)}\n\nIn March.", Origin.PERSON, None, ticket_number=7)
    await desk.channel.reply(Posting(desk.outbox, delivery, desk.channel.doubt)).finish(said)
    assert "In March." in desk.shown()[-1].text


async def test_an_ingestion_is_one_message_from_its_command_to_its_end(desk):
    for chat in (desk.chat, desk.group):
        target, posting = await desk.asked(chat)
        started = Answer("Job 3 adds to handbook.", Origin.COMMAND, None, job=3, private=True)
        job = replace(JOB, target=target)
        reporter = DeliveryReporter(desk.outbox, {Platform.TEAMS: desk.channel}.get)
        too_early = await reporter.report(job, final=False)
        await desk.outbox.keep(posting.delivery, started)
        assert desk.shown(chat, desk.ann) == []
        await desk.channel.reply(posting).finish(started)
        (shown,) = desk.shown(chat, desk.ann)
        assert (shown.text, "Job 3 adds" in json.dumps(shown.cards)) == ("**Job 3**", True)
        job = replace(job, outbox_id=await reporter.report(replace(job, outbox_id=too_early), final=False))
        assert desk.shown(chat, desk.ann) == [shown]
        assert "1 of 2, reading" in json.dumps(shown.cards)
        ended = replace(job, state=JobState.DONE, done=2, results=RESULTS)
        await reporter.report(ended, final=True)
        assert desk.shown(chat, desk.ann) == [shown]
        assert len(desk.shown(chat)) == (1 if chat is desk.chat else 0)
        said = json.dumps(shown.cards)
        assert ("indexed: a.md" in said, "refused: b.md: it is empty" in said) == (True, True)


async def test_a_short_ingestion_waits_for_the_answer_to_its_command(desk):
    target, posting = await desk.asked(desk.chat)
    started = Answer("Job 3 adds to handbook.", Origin.COMMAND, None, job=3, private=True)
    await desk.outbox.keep(posting.delivery, started)
    delivery = await desk.outbox.open(target, Purpose.NOTICE)
    ended = Posting(desk.outbox, delivery, desk.channel.doubt)
    with pytest.raises(Busy):
        await desk.channel.reply(ended).finish(replace(started, text="done"))
    await desk.channel.reply(posting).finish(started)
    await desk.channel.reply(ended).finish(replace(started, text="done"))
    (shown,) = desk.shown()
    assert "done" in json.dumps(shown.cards)


async def test_whoever_answered_a_ticket_hears_that_their_words_did_not_arrive(desk):
    desk.chat.blocked = True
    answerer = replace(desk.target(desk.group), author_id="an administrator")
    target = with_answerer(desk.target(), answerer, "de")
    said = Answer("In March.", Origin.PERSON, None, ticket_number=7)
    outbox_id = await desk.outbox.enqueue(target, Purpose.PERSON, said)
    sender = Sender(desk.outbox, {Platform.TEAMS: desk.channel}, Unmetered(), lambda _: None)
    await sender.deliver(1, outbox_id)
    told = await desk.outbox.of_id(1, outbox_id + 1)
    assert told.target == answerer
    assert told.content.text.startswith("Ihre Antwort auf Ticket 7 wurde nicht zugestellt: Teams refuses it: 403")


async def test_a_lost_answer_is_given_again_and_a_lost_end_is_not(desk):
    desk.teams.misbehave("send", "lost")
    posting = await desk.posting(desk.group)
    await desk.channel.reply(posting).finish(ANSWER)
    assert (len(desk.shown(desk.group)), posting.doubtful) == (2, 1)
    reply = desk.channel.reply(await desk.posting())
    await reply.write("You have")
    desk.teams.misbehave("send", "lost")
    with pytest.raises(ChannelUnavailable):
        await reply.finish(ANSWER)
    await reply.finish(ANSWER)
    assert [one.text for one in desk.shown()] == ["You have 28 days [1]."]


async def test_refusals_have_our_names(desk):
    address, message = desk.target().address, message_of("x")
    for fault, error in (
        ("busy_3", Busy),
        ("http_412", ChannelUnavailable),
        ("http_502", ChannelUnavailable),
        ("http_504", ChannelUnavailable),
        ("http_500", ChannelUnavailable),
        ("http_501", Refusal),
        ("http_400", Refusal),
    ):
        desk.teams.misbehave("send", fault)
        with pytest.raises(error):
            await desk.transport.send(address, message, patience_s=0.0)
        if fault == "busy_3":
            with pytest.raises(Busy):
                await desk.transport.send(address, message, patience_s=0.0)
            desk.transport._pacer = PreferredPacer()
            desk.teams.connector.rates._closed_until.clear()
    assert desk.teams.early_calls == []
    desk.chat.blocked = True
    with pytest.raises(Refusal, match="MessageWritesBlocked"):
        await desk.transport.send(address, message)
    for url in (
        "https://evil.example/",
        "http://smba.trafficmanager.net/",
        "https://smba.trafficmanager.net.evil.example",
    ):
        with pytest.raises(Refusal, match="token"):
            await desk.transport.send({**address, "serviceUrl": url}, message)


async def test_the_bytes_on_the_wire_carry_every_field(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await reply.write("You have")
    await reply.finish(ANSWER)
    first, last = (body for operation, _, body in desk.teams.connector.calls if operation == "send")
    assert first["entities"] == [{"type": "streaminfo", "streamType": "streaming", "streamSequence": 1}]
    stream, root = last["entities"]
    assert stream == {"type": "streaminfo", "streamType": "final", "streamId": desk.shown()[0].activity_id}
    assert (root["@type"], root["citation"][0]["position"]) == ("Message", 1)
    assert datetime.now(UTC) >= posting.delivery.sent[0].at
