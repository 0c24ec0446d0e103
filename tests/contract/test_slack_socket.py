"""Socket Mode against a loopback Slack that drops, freezes and refreshes connections."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from adapters.slack.listen import Dispatcher
from adapters.slack.parts import Reply
from adapters.slack.socket import Pace, Sockets
from core.errors import ChannelUnavailable, UsageError
from core.meter import Unmetered
from core.payloads import text_at
from tests.platform.slack_server import SlackServer

PACE = Pace(ping_s=0.4, retry_s=0.02, longest_retry_s=0.2, leave_s=0.5, drain_s=5.0)


class Taken:
    """A router that notes what it is given and answers as it is told."""

    def __init__(self):
        self.events, self.forms = [], []
        self.replies = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def _take(self, payload):
        self.events.append(payload)
        await self.gate.wait()
        return self.replies.pop(0) if self.replies else Reply()

    async def event(self, payload, request_id=""):
        return await self._take(payload)

    async def command(self, payload, request_id=""):
        await self._take(payload)
        return Reply(body={"text": f"You said {payload['text']}"})

    async def interaction(self, payload, request_id=""):
        return await self._take(payload)

    def texts(self):
        return [text_at(payload, "event", "text") for payload in self.events]


class Office:
    def __init__(self, slack, taken, sockets, task):
        self.slack, self.taken, self.sockets, self.task = slack, taken, sockets, task
        self.workspace = slack.workspace()
        self.ann = slack.user(self.workspace, "ann")
        self.channel = slack.channel(self.workspace, "general", self.ann)

    async def say(self, text):
        await self.slack.say(self.channel, self.ann, text)

    async def connected(self, count=2):
        await self.slack.until(lambda: self.sockets.connected == count and len(self.slack.open_sockets()) >= count)

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def opened(pace=PACE, connections=2):
    async with SlackServer(ack_s=3.0, time_scale=0.02) as slack, aiohttp.ClientSession() as session:
        slack.rates.enabled = False
        taken = Taken()
        sockets = Sockets(
            session,
            slack.app.app_token,
            Dispatcher(taken, Unmetered()),
            Unmetered(),
            api_url=slack.api_url,
            connections=connections,
            pace=pace,
        )
        office = Office(slack, taken, sockets, asyncio.create_task(sockets.run()))
        try:
            await office.connected(connections)
            yield office
        finally:
            await office.stop()


@pytest.mark.parametrize("connections", [2, 3])
async def test_events_come_over_any_of_the_connections(connections):
    async with opened(connections=connections) as office:
        for number in range(6):
            await office.say(f"Question {number}")
        assert office.taken.texts() == [f"Question {number}" for number in range(6)]
        assert {id(socket) for socket, _ in office.slack.sockets.sent} == {
            id(socket) for socket in office.slack.open_sockets()
        }
        assert await office.sockets.look() == {"connections": float(connections)}


async def test_an_envelope_is_acknowledged_when_it_is_stored_and_not_before():
    async with opened() as office:
        office.taken.gate.clear()
        saying = asyncio.create_task(office.say("A question"))
        await office.slack.until(lambda: office.taken.events)
        assert office.slack.acks == []
        office.taken.gate.set()
        await saying
        assert [ack.ok for ack in office.slack.acks] == [True]


async def test_an_envelope_that_was_not_stored_comes_again():
    async with opened() as office:
        office.slack.rules.ack_s = 0.3
        office.taken.replies = [Reply(503)]
        await office.say("A question")
        assert [ack.ok for ack in office.slack.acks] == [False, True]
        assert office.taken.texts() == ["A question"] * 2


async def test_a_command_is_answered_with_its_acknowledgement():
    async with opened() as office:
        ack = await office.slack.command(office.channel, office.ann, "/ask", "why")
        assert ack.body == {"text": "You said why"}


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_connection_that_slack_ends_is_replaced(reason):
    async with opened() as office:
        before = office.slack.open_sockets()
        await office.slack.disconnect(reason)
        await office.slack.until(lambda: not set(before) & set(office.slack.open_sockets()))
        await office.connected()
        await office.say("A question")
        assert office.taken.texts() == ["A question"]


async def test_the_next_connection_is_open_before_the_last_is_let_go():
    async with opened() as office:
        one = office.slack.open_sockets()[0]
        await one.wire.send_json({"type": "disconnect", "reason": "warning"})
        await office.slack.until(lambda: len(office.slack.open_sockets()) == 3)
        assert one in office.slack.open_sockets()
        await office.slack.until(lambda: one not in office.slack.open_sockets())


async def test_connections_that_break_are_opened_again():
    async with opened() as office:
        for _ in range(3):
            before = office.slack.open_sockets()
            office.slack.sockets.drop()
            await office.slack.until(lambda before=before: not set(before) & set(office.slack.open_sockets()))
            await office.connected()
        await office.say("A question")
        assert office.taken.texts() == ["A question"]


async def test_a_connection_that_answers_no_ping_is_replaced():
    async with opened() as office:
        frozen = office.slack.open_sockets()
        for socket in frozen:
            socket.frozen = True
        await office.slack.until(lambda: any(socket not in frozen for socket in office.slack.open_sockets()))
        await office.connected()


async def test_a_connection_over_which_nothing_comes_is_replaced_though_it_answers_pings():
    pace = Pace(ping_s=5.0, silent_s=0.3, retry_s=0.02, longest_retry_s=0.2, leave_s=0.1)
    async with opened(pace) as office:
        before = office.slack.open_sockets()
        await office.slack.until(lambda: not set(before) & set(office.slack.open_sockets()))
        await office.slack.until(lambda: len(office.slack.open_sockets()) >= 2)


async def test_what_is_being_stored_when_we_stop_is_acknowledged():
    async with opened() as office:
        office.taken.gate.clear()
        saying = asyncio.create_task(office.say("A question"))
        await office.slack.until(lambda: office.taken.events)
        stopping = asyncio.create_task(office.stop())
        await asyncio.sleep(0.05)
        office.taken.gate.set()
        await asyncio.gather(saying, stopping)
        assert [ack.ok for ack in office.slack.acks] == [True]
        await office.slack.until(lambda: not office.slack.open_sockets())
        with pytest.raises(ChannelUnavailable):
            await office.sockets.look()


async def test_slack_that_is_away_is_asked_until_it_is_back():
    async with opened() as office:
        office.slack.misbehave("apps.connections.open", "http_500", "reset", "internal_error")
        office.slack.sockets.drop()
        await office.slack.until(lambda: not office.slack.api.faults["apps.connections.open"])
        await office.connected()


async def test_slack_that_wants_us_to_wait_is_not_asked_before():
    async with opened() as office:
        office.slack.rates.close("apps.connections.open", office.slack.app.app_id, 1.0)
        office.slack.sockets.drop()
        await office.slack.until(lambda: len(office.slack.early_calls) == 1)  # the one that hears of it
        await office.connected()
        assert len(office.slack.early_calls) == 1


@pytest.mark.parametrize("raw", ["", "no json", "[]", '{"type": "events_api"}', '{"envelope_id": 5, "payload": {}}'])
async def test_an_odd_message_breaks_nothing(raw):
    async with opened() as office:
        for socket in office.slack.open_sockets():
            await socket.wire.send_str(raw)
        await office.say("A question")
        assert office.taken.texts() == ["A question"]


@pytest.mark.parametrize("more", [{"accepts_response_payload": True}, {}])
async def test_an_envelope_that_comes_over_every_connection_is_handled_once(more):
    async with opened() as office:
        office.taken.gate.clear()
        form = {"command": "/ask", "text": "why", "channel_id": "C1", "user_id": "U1", "team_id": "T1"}
        for socket in office.slack.open_sockets():
            await socket.wire.send_json({"envelope_id": "e1", "type": "slash_commands", "payload": form, **more})
        await office.slack.until(lambda: office.taken.events)
        office.taken.gate.set()
        await office.slack.until(lambda: len(office.slack.violations) == 2)  # the fake knows no such envelope
        assert [violation.detail.count("You said why") for violation in office.slack.violations] == [1, 1]
        await office.slack.open_sockets()[0].wire.send_json({"envelope_id": "e1", "payload": form})
        await office.slack.until(lambda: len(office.slack.violations) == 3)
        assert len(office.taken.events) == 1


async def test_an_envelope_of_a_kind_nobody_knows_is_acknowledged():
    async with opened() as office:
        socket = office.slack.open_sockets()[0]
        before = len(office.slack.violations)
        envelope = {"envelope_id": "e-new", "type": "something_new", "payload": {"type": "new"}}
        await socket.wire.send_str(json.dumps(envelope))
        await office.slack.until(lambda: len(office.slack.violations) > before)  # it knows no such envelope
        assert "e-new" in office.slack.violations[-1].detail


@pytest.mark.parametrize(("token", "connections"), [("xoxb-1", 2), ("xapp-1", 1), ("xapp-1", 11)])
async def test_settings_that_cannot_work_are_refused(token, connections):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UsageError):
            Sockets(session, token, None, Unmetered(), api_url="https://slack.com/api/", connections=connections)
