"""The Teams channel against a loopback connector and a real outbox, on a clock of the test's own."""

from datetime import UTC, datetime

import aiohttp
import pytest

from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.outbox import PostgresOutbox
from adapters.teams.channel import TeamsChannel
from adapters.teams.outbound import message_of
from adapters.teams.references import References
from adapters.teams.stream import Manner
from adapters.teams.tokens import Password, Tokens
from adapters.teams.transport import Refusal, Transport
from core.documents import Citation
from core.domain import Answer, File, Origin
from core.errors import Busy, ChannelUnavailable
from core.outbox import Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from tests.platform.teams_server import TeamsServer

SOURCE = Citation(1, 1, 1, "Time off", "https://wiki.example/a", None, "28 days")
ANSWER = Answer("You have 28 days [1].", Origin.DOCUMENTS, None, (SOURCE,), model="m")


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
        manner = Manner(self.stop, clock=lambda: self.now)
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
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await desk.channel.working(posting.delivery.target)
    (shown,) = desk.shown()
    assert shown.stream.informative == "is looking it up …"
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
    await reply.finish(Answer("You have", Origin.STOPPED, None))
    assert [one.text for one in desk.shown()] == ["You have"]


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
