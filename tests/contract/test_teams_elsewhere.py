"""Clients on this machine that are not Teams: what they leave out, and what their connectors cannot do."""

import json
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.outbox import PostgresOutbox
from adapters.teams.authenticate import Unauthenticated
from adapters.teams.channel import TeamsChannel
from adapters.teams.inbound import Heard, Seen, from_activity
from adapters.teams.local import TENANT, completed
from adapters.teams.outbound import message_of, typing
from adapters.teams.reading import FILE, FOREIGN_HOST, NO_ADDRESS
from adapters.teams.references import References
from adapters.teams.stream import Manner
from adapters.teams.transport import Transport
from core.attached import PICTURE
from core.documents import Citation
from core.domain import Answer, Origin
from core.errors import Busy, ChannelUnavailable, Uncertain
from core.outbox import Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from tests.platform.teams_bot import open_bot

SOURCE = Citation(1, 1, 1, "Time off", "time-off.md", None, "28 days")
ANSWER = Answer("You have 28 days [1].", Origin.DOCUMENTS, None, (SOURCE,), model="m")
OTHER = Answer("You have 30 days [1].", Origin.DOCUMENTS, None, (SOURCE,), model="m")
DIRECT_LINE = {
    "type": "message",
    "channelId": "emulator",
    "id": "7e6d",
    "from": {"id": "user1", "name": "You"},
    "conversation": {"id": "c1"},
    "text": "How many days?",
}
"""What offline-directline 1.3.1 sends, less the serviceUrl: there is neither a tenant nor a recipient."""


class Connector:
    """Take what is posted and answer the rest as it is told."""

    def __init__(self):
        self.posted, self.changed = [], []
        self.names, self.update_status, self.delete_status = True, 200, 200
        self.url = ""
        self.instead = None  # status, headers and text of whatever answers in its place

    @web.middleware
    async def intercept(self, request, handler):
        if self.instead is None:
            return await handler(request)
        status, headers, text = self.instead
        return web.Response(status=status, headers=headers, text=text)

    async def post(self, request):
        self.posted.append(await request.json())
        return web.json_response({"id": f"m{len(self.posted)}"} if self.names else None)

    async def put(self, request):
        if self.update_status == 200:
            self.changed.append(await request.json())
        return web.json_response({}, status=self.update_status)

    async def delete(self, request):
        return web.Response(status=self.delete_status)

    @property
    def messages(self):
        return [one["text"] for one in self.posted if one["type"] == "message"]


@asynccontextmanager
async def serving(connector):
    app = web.Application(middlewares=[connector.intercept])
    activities = "/of/{client}/v3/conversations/{conversation}/activities"
    app.add_routes([web.post(activities, connector.post), web.put(activities + "/{id}", connector.put)])
    app.add_routes([web.delete(activities + "/{id}", connector.delete)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    connector.url = f"http://127.0.0.1:{runner.addresses[0][1]}/of/somebody"
    yield connector
    await runner.cleanup()


class Desk:
    """A channel that answers at a connector."""

    def __init__(self, connector, database, session):
        self.connector, self.now = connector, 1_000.0
        self.outbox = PostgresOutbox(database)
        references = References(PostgresConversations(database))
        self.transport = Transport(session, None, PreferredPacer(), "")
        self.channel = TeamsChannel(self.transport, references, manner=Manner(clock=lambda: self.now))

    async def posting(self, channel_id="msteams"):
        address = {"serviceUrl": self.connector.url, "channelId": channel_id, "conversation": "c1", "scope": "personal"}
        target = Target(1, "local/bot", Place(Platform.TEAMS, "c1", "c1"), "user1", {**address, "bot": "bot"}, "q1")
        return Posting(self.outbox, await self.outbox.open(target, Purpose.ANSWER), self.channel.doubt)

    async def again(self, posting):
        """Open the delivery as a worker does that takes it over."""
        delivery = await self.outbox.reopen(1, posting.delivery.outbox_id)
        return Posting(self.outbox, delivery, self.channel.doubt)

    async def grow(self, posting):
        reply = self.channel.reply(posting)
        await self.channel.working(posting.delivery.target)
        for piece in ("You have", " 28 days", " of vacation"):
            self.now += 2
            await reply.write(piece)
        return reply


@pytest.fixture
async def desk(database):
    async with serving(Connector()) as connector, aiohttp.ClientSession() as session:
        yield Desk(connector, database, session)


def streamed(activities):
    return [one for one in activities for entity in one.get("entities", ()) if entity["type"] == "streaminfo"]


async def test_where_a_stream_is_given_no_id_the_answer_stands_there_once_and_whole(desk):
    desk.connector.names = False
    reply = await desk.grow(await desk.posting())
    assert len(streamed(desk.connector.posted)) == 1
    await reply.finish(ANSWER)
    await reply.finish(ANSWER)
    assert desk.connector.messages == ["You have 28 days [1]."]
    assert len(streamed(desk.connector.posted)) == 1
    assert desk.connector.changed == []


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_an_answer_that_cannot_be_changed_is_given_anew(desk, status):
    desk.connector.update_status = desk.connector.delete_status = status
    posting = await desk.posting("emulator")
    reply = desk.channel.reply(posting)
    await reply.finish(ANSWER)
    again = await desk.again(posting)
    await desk.channel.reply(again).finish(OTHER)
    assert desk.connector.messages == ["You have 28 days [1].", "You have 30 days [1]."]
    await desk.channel.withdraw(again)
    assert again.delivery.sent == ()


async def test_a_message_without_an_id_is_given_anew_too(desk):
    desk.connector.names = False
    posting = await desk.posting("emulator")
    await desk.channel.reply(posting).finish(ANSWER)
    again = await desk.again(posting)
    await desk.channel.reply(again).finish(OTHER)
    assert desk.connector.messages == ["You have 28 days [1].", "You have 30 days [1]."]
    assert desk.connector.changed == []


@pytest.mark.parametrize("channel_id", ["directline", "webchat", "emulator"])
async def test_other_channels_are_shown_no_streams_and_buttons_that_web_chat_knows(desk, channel_id):
    reply = await desk.grow(await desk.posting(channel_id))
    await reply.finish(ANSWER)
    await reply.finish(OTHER)
    (answer,) = [one for one in desk.connector.posted if one["type"] == "message"]
    assert streamed(desk.connector.posted) == []
    assert {one["type"] for one in desk.connector.posted} == {"typing", "message"}
    (changed,) = desk.connector.changed
    for shown in (answer, changed):
        written = json.dumps(shown["attachments"])
        assert "Action.Execute" not in written
        assert '"Action.Submit", "title": "I need a person"' in written
        assert '"frontdesk": "human"' in written


async def test_in_teams_answers_grow_and_buttons_are_executed(desk):
    reply = await desk.grow(await desk.posting())
    await reply.finish(ANSWER)
    assert [one["entities"][0]["streamType"] for one in streamed(desk.connector.posted)][-2:] == ["streaming", "final"]
    assert "Action.Execute" in json.dumps(desk.connector.posted[-1]["attachments"])


# What answers in a connector's place


@pytest.mark.parametrize("page", ["<html>Sign in to the network.</html>", "[]", '"ok"', "OK"])
async def test_a_page_of_a_proxy_is_no_word_of_a_connector(desk, page):
    address = {"serviceUrl": desk.connector.url, "conversation": "c1"}
    desk.connector.instead = (200, {}, page)
    with pytest.raises(Uncertain):
        await desk.transport.send(address, message_of("x"))
    for call in (
        desk.transport.send(address, typing()),
        desk.transport.update(address, "m1", message_of("x")),
        desk.transport.delete(address, "m1"),
        desk.transport.open_personal(address),
    ):
        with pytest.raises(ChannelUnavailable) as raised:
            await call
        assert not isinstance(raised.value, Uncertain)


@pytest.mark.parametrize("page", ["", "\r\n", "null", "{}"])
async def test_a_connector_may_say_nothing(desk, page):
    address = {"serviceUrl": desk.connector.url, "conversation": "c1"}
    desk.connector.instead = (202, {}, page)
    assert await desk.transport.send(address, message_of("x")) == ""
    await desk.transport.delete(address, "m1")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("nan", 1.0), ("-inf", 1.0), ("inf", 300.0), ("0", 1.0), ("soon", 1.0), ("", 1.0)],
)
async def test_whatever_is_said_of_coming_again_is_a_time(desk, header, seconds):
    desk.connector.instead = (429, {"Retry-After": header}, "")
    with pytest.raises(Busy) as raised:
        await desk.transport.send({"serviceUrl": desk.connector.url, "conversation": "c1"}, message_of("x"))
    assert raised.value.retry_after_s == seconds


# What is left out


def test_what_a_client_leaves_out_is_made_up():
    found = completed(DIRECT_LINE)
    assert (found["channelData"], found["recipient"]["id"], found["id"]) == ({"tenant": {"id": TENANT}}, "bot", "7e6d")
    assert isinstance(from_activity(found, Seen(1)), Heard)
    nameless = {**DIRECT_LINE, "id": ""}
    assert completed(nameless)["id"] != completed(nameless)["id"]
    in_teams = {**DIRECT_LINE, "channelId": "msteams", "channelData": {"tenant": {"id": "t"}}, "recipient": {"id": "b"}}
    assert completed(in_teams) == in_teams
    elsewhere = {**in_teams, "channelId": "directline", "channelData": {"tenant": {"id": "t"}, "postBack": True}}
    assert completed(elsewhere)["channelData"] == {"tenant": {"id": TENANT}, "postBack": True}
    odd = {**DIRECT_LINE, "channelData": "x", "recipient": None, "attachments": [1, {"contentType": 2}]}
    assert isinstance(from_activity(completed(odd), Seen(1)), Heard)


def test_a_file_is_where_its_address_says():
    def read(*attachments):
        found = from_activity(
            completed({**DIRECT_LINE, "attachments": list(attachments)}), Seen(1, "", ("127.0.0.1:9",))
        )
        return [file.reference for file in found.files], [one.reason for one in found.incoming.message.attachments]

    plain = {"contentType": "text/markdown", "name": "a.md", "contentUrl": "http://127.0.0.1:9/a.md"}
    assert read(plain) == (["teams:http://127.0.0.1:9/a.md"], [])
    assert read({**plain, "contentUrl": "http://127.0.0.1:8/a.md"}) == ([], [FOREIGN_HOST])
    assert read({**plain, "contentUrl": "data:text/markdown;base64,QQ=="}) == ([], [NO_ADDRESS])
    assert read({**plain, "contentType": "image/png"}) == ([], [PICTURE])
    assert read({"contentType": "text/html", "content": "<p>a</p>"}) == ([], [])
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": {}, "contentUrl": plain["contentUrl"]}
    assert read(card) == ([], [])
    in_teams = {"contentType": FILE, "name": "a.md", "content": {"downloadUrl": plain["contentUrl"]}}
    assert read(in_teams) == (["teams:http://127.0.0.1:9/a.md"], [])


async def test_direct_line_is_answered_where_authentication_is_off_and_not_where_it_is_on(database, addresses):
    async with open_bot(database, addresses) as bot:
        said = {**DIRECT_LINE, "serviceUrl": bot.teams.service_url(bot.chat), "channelId": "msteams"}
        headers = bot.teams.keys.headers(said["serviceUrl"])
        async with bot.session.post(bot.url, json=said, headers=headers) as response:
            assert response.status == 200
        bot.served[TENANT] = 1
        async with bot.session.post(bot.url, json={**said, "recipient": {"id": "b"}}, headers=headers) as response:
            assert response.status == 200
        assert await bot.rows() == []
        bot.transport._tokens = None
        async with AsyncExitStack() as stack:
            await bot.serve(stack, authenticator=Unauthenticated())
            for _ in range(2):
                async with bot.session.post(bot.url, json={**said, "channelId": "emulator"}) as response:
                    assert response.status == 200
            (row,) = await bot.rows()
            assert (row["installation"], row["author_id"], row["kind"]) == (f"{TENANT}/bot", "user1", "message")
            for elsewhere in ("https://smba.trafficmanager.net/amer/", "http://10.0.0.1/", ""):
                async with bot.session.post(bot.url, json={**said, "serviceUrl": elsewhere}) as response:
                    assert (response.status, "this machine alone" in await response.text()) == (403, True)
            pressed = {**said, "channelId": "emulator", "id": "8", "text": "", "value": {"frontdesk": "human"}}
            async with bot.session.post(bot.url, json=pressed) as response:
                assert response.status == 200
            assert [row["installation"] for row in await bot.rows()] == [f"{TENANT}/bot"] * 2
