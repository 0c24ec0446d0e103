"""Calls to an application over a loopback server that misbehaves: each failure becomes the error of ours it is."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import pytest
from aiohttp import web

from adapters.postgres.outbox import PostgresOutbox
from adapters.web.callback import Callback, CallbackClient
from adapters.web.outbound import CallbackChannel
from core.domain import Answer, Origin
from core.errors import Busy, ChannelUnavailable, Rejected, Uncertain
from core.outbox import Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform

RAW_KEY = b"a secret of thirty-two characters"
SECRET = "whsec_" + base64.b64encode(RAW_KEY).decode()
TARGET = Target(1, "shop", Place(Platform.API, "c1", "t1"), "u1", {"callback": {"order": 17}}, "m1")


class Application:
    """Remembers its calls and answers them as it is told, in turn; then as it should."""

    def __init__(self):
        self.calls = []
        self.script = []
        self.shown = {}
        self._numbers = count(1)
        self._keys = {}

    async def handle(self, request):
        raw = await request.read()
        self.calls.append((request.method, request.headers, raw))
        if self.script:
            return await self.script.pop(0)(request)
        body = json.loads(raw)
        if request.method == "POST":
            number = self._keys.setdefault(request.headers["Idempotency-Key"], f"a{next(self._numbers)}")
            self.shown[number] = body["text"]
            return web.json_response({"id": number})
        self.shown.pop(body["id"], None)
        if request.method == "PUT":
            self.shown[body["id"]] = body["text"]
        return web.json_response({})

    @property
    def methods(self):
        return [method for method, _, _ in self.calls]


def status(code, body=None, **headers):
    async def answer(_):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body if body is not None else {}, status=code, headers=named)

    return answer


def text(content):
    async def answer(_):
        return web.Response(text=content)

    return answer


async def hang(_):
    await asyncio.Event().wait()


async def cut(request):
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def served(handler):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/"
    await runner.cleanup()


@pytest.fixture
async def application():
    return Application()


@pytest.fixture
async def callback(application):
    async with served(application.handle) as url:
        yield Callback(url, SECRET, limit=80)


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield CallbackClient(session, timeout_s=0.5)


async def test_a_call_is_signed_over_its_id_its_time_and_its_bytes(application, callback, client):
    assert await client.post(callback, "12:0", {"text": "20 days."}) == "a1"
    ((_, headers, raw),) = application.calls
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    expected = base64.b64encode(hmac.digest(RAW_KEY, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["Idempotency-Key"] == headers["webhook-id"] == "12:0"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    assert json.loads(raw) == {"type": "message.created", "text": "20 days."}


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (status(400), Rejected),
        (status(401), Rejected),
        (status(302, Location="http://169.254.169.254/"), Rejected),
        (status(200, {"id": ""}), Rejected),
        (status(200, {"id": ["a1"]}), Rejected),
        (status(200, []), Rejected),
        (text("ok"), Rejected),
        (text("[" * 50_000), Rejected),
        (text("x" * 100_000), Rejected),
        (status(408), ChannelUnavailable),
        (status(500), ChannelUnavailable),
        (status(503), ChannelUnavailable),
        (hang, Uncertain),
        (cut, Uncertain),
    ],
)
async def test_a_post_that_fails_says_how(application, callback, client, behaviour, error):
    application.script = [behaviour]
    with pytest.raises(error) as raised:
        await client.post(callback, "12:0", {"text": "x"})
    assert type(raised.value) is error
    assert len(application.calls) == 1


async def test_a_busy_application_says_for_how_long(application, callback, client):
    application.script = [status(429, Retry_After="7")]
    with pytest.raises(Busy) as raised:
        await client.post(callback, "12:0", {"text": "x"})
    assert raised.value.retry_after_s == 7


@pytest.mark.parametrize("behaviour", [hang, cut, status(502)])
async def test_an_edit_in_doubt_can_simply_be_repeated(application, callback, client, behaviour):
    application.script = [behaviour] * 5  # the client itself tries once more
    with pytest.raises(ChannelUnavailable) as raised:
        await client.edit(callback, "a/1", {"text": "x"})
    assert type(raised.value) is ChannelUnavailable


async def test_what_is_gone_already_is_deleted(application, callback, client):
    application.script = [status(404), status(410), status(403)]
    await client.delete(callback, "a1", {})
    await client.delete(callback, "a1", {})
    with pytest.raises(Rejected):
        await client.delete(callback, "a1", {})


async def test_nobody_there_is_no_doubt(client):
    async with served(hang) as url:
        pass
    with pytest.raises(ChannelUnavailable) as raised:
        await client.post(Callback(url, SECRET), "12:0", {"text": "x"})
    assert type(raised.value) is ChannelUnavailable


class Line:
    """A delivery and what sends it, with a clock that the test moves."""

    def __init__(self, client, callback, outbox):
        self.now = 0.0
        self.outbox = outbox
        self.channel = CallbackChannel(client, {"shop": callback}, PreferredPacer(), clock=lambda: self.now)

    async def open(self):
        delivery = await self.outbox.open(TARGET, Purpose.ANSWER)
        self.posting = Posting(self.outbox, delivery, self.channel.doubt)
        return self.channel.reply(self.posting)

    async def reopen(self):
        delivery = await self.outbox.reopen(1, self.posting.delivery.outbox_id)
        self.posting = Posting(self.outbox, delivery, self.channel.doubt)
        return self.channel.reply(self.posting)


@pytest.fixture
async def line(client, callback, database):
    return Line(client, callback, PostgresOutbox(database))


def answer(text):
    return Answer(text, Origin.DOCUMENTS, None)


async def test_an_answer_grows_in_one_message_at_a_pace(application, line):
    reply = await line.open()
    for piece in ("20", " days", " a", " year"):
        await reply.write(piece)
    assert application.methods == ["POST"]
    line.now = 1.0
    await reply.write(".")
    assert application.shown == {"a1": "20 days a year."}
    await reply.finish(answer("20 days a year [1]."))
    assert application.methods == ["POST", "PUT", "PUT"]
    last = json.loads(application.calls[-1][2])
    assert (last["text"], last["final"], last["answer"]["origin"]) == ("20 days a year [1].", True, "documents")
    assert (last["in_reply_to"], last["callback"], last["part"]) == ("m1", {"order": 17}, 0)


async def test_a_long_answer_has_parts_and_a_shorter_one_later_takes_them_back(application, line):
    reply = await line.open()
    await reply.finish(
        answer("\n\n".join(f"Paragraph {number} of this answer, at some length." for number in range(5)))
    )
    assert len(application.shown) == 5
    reply = await line.reopen()
    await reply.finish(answer("Short."))
    assert application.shown == {"a1": "Short."}
    assert [sent.part for sent in line.posting.delivery.sent] == [0]


async def test_a_failure_while_it_grows_is_made_good_at_the_end(application, line):
    application.script = [status(500), status(429, Retry_After="0")]
    reply = await line.open()
    await reply.write("20")
    line.now = 10.0
    await reply.write(" days")
    await reply.finish(answer("20 days."))
    assert application.shown == {"a1": "20 days."}


async def test_no_call_comes_before_the_application_wants_one(application, line):
    application.script = [status(429, Retry_After="30")]
    reply = await line.open()
    await reply.write("20")
    line.now = 20.0
    await reply.write(" days")
    with pytest.raises(Busy) as raised:
        await reply.finish(answer("20 days."))
    assert raised.value.retry_after_s > 20
    assert application.methods == ["POST"]


async def test_a_post_in_doubt_is_repeated_under_its_key(application, line):
    async def accepted_and_cut(request):
        application.script.clear()
        await application.handle(request)
        return await cut(request)

    application.script = [accepted_and_cut]
    reply = await line.open()
    await reply.finish(answer("20 days."))
    assert application.shown == {"a1": "20 days."}
    assert line.posting.doubtful == 1
    assert len({headers["Idempotency-Key"] for _, headers, _ in application.calls}) == 1


async def test_a_restart_takes_back_what_was_shown(application, line):
    reply = await line.open()
    await reply.write("Nonsense")
    line.now = 1.0
    await reply.restart()
    assert application.shown == {"a1": "…"}


async def test_an_answer_is_withdrawn_with_all_its_parts(application, line):
    reply = await line.open()
    await reply.finish(
        answer("\n\n".join(f"Paragraph {number} of this answer, at some length." for number in range(3)))
    )
    await line.channel.withdraw(line.posting)
    assert application.shown == {}
    assert line.posting.delivery.sent == ()
