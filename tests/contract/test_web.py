"""The web server and the HTTP channel over real sockets and a real PostgreSQL."""

import asyncio
import base64
import json
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from adapters.postgres.events import PostgresEvents
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.web.http_channel import Caps, HttpChannel, Installation
from adapters.web.requests import read_body
from adapters.web.server import Limits, make_app, run_server
from core.accepting import Acceptance
from core.checks import Health, Probe
from core.domain import Answer, DeliveryKey, Origin
from core.errors import FrontdeskError, Overloaded, Refused, StoreUnavailable, UsageError
from core.inbox import Ending
from core.meter import Unmetered
from core.outbox import Posting, Purpose, Target
from core.places import Place, Platform
from core.pulled import EventKind, PulledChannel
from core.tracing import request_id

KEYS = {
    "shop": Installation(1, "shop-key-0123456789"),
    "till": Installation(1, "till-key-0123456789"),
    "bank": Installation(2, "bank-key-0123456789"),
}
BODY = {"event_id": "e1", "author": {"id": "u1", "name": "Jo"}, "channel": "help", "thread": "t1", "text": "How long?"}
ANSWER = Answer("20 days.", Origin.DOCUMENTS, None)


async def look():
    return {}


@asynccontextmanager
async def served(*routes, health=None, limits=None, **more):
    limits = limits or Limits()
    app = make_app(routes=routes, health=health or Health({}), limits=limits, **more)
    async with (
        run_server(app, "127.0.0.1", 0, limits=limits) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield client


def raising(error):
    async def handler(_):
        raise error

    return web.get("/", handler)


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (UsageError("Send an id."), 400, "bad_request", None),
        (Refused("Not here."), 403, "refused", None),
        (Overloaded("Too much.", 7.2), 429, "overloaded", "7"),
        (StoreUnavailable("Too many streams."), 503, "unavailable", "1"),
    ],
)
async def test_errors_become_status_codes_with_their_sentence(error, status, code, retry_after):
    async with served(raising(error)) as client, client.get("/", headers={"X-Request-Id": "r-1"}) as response:
        body = await response.json()
    assert (response.status, response.headers.get("Retry-After")) == (status, retry_after)
    assert body == {"error": {"code": code, "message": str(error), "request_id": "r-1"}}
    assert response.headers["X-Request-Id"] == "r-1"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in response.headers


@pytest.mark.parametrize(("kind", "status"), [(StoreUnavailable, 503), (Refused, 403)])
async def test_what_a_driver_said_is_for_the_log_alone(kind, status):
    async def handler(_):
        raise kind("PostgreSQL at db.internal denied it.") from OSError("no route to db.internal")

    async with served(web.get("/", handler)) as client, client.get("/") as response:
        assert response.status == status
        assert "internal" not in await response.text()


@pytest.mark.parametrize("error", [FrontdeskError("syntax error in select"), KeyError("secret")])
async def test_a_defect_shows_nothing_of_itself(error):
    async with served(raising(error)) as client, client.get("/") as response:
        text = await response.text()
    assert response.status == 500
    assert "select" not in text
    assert "secret" not in text
    assert json.loads(text)["error"]["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("sent", [b"no-http\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"tell-tale" * 1_000 + b"\r\n\r\n"])
async def test_what_is_no_http_fills_no_log(caplog, sent):
    caplog.set_level(logging.INFO)
    async with served(raising(UsageError("x"))) as client:
        reader, writer = await asyncio.open_connection(client._base_url.host, client._base_url.port)
        writer.write(sent)
        assert b" 400 " in await reader.readline()
        writer.close()
    assert [record for record in caplog.records if record.levelno > logging.INFO or record.exc_info] == []
    assert "tell-tale" not in caplog.text


async def test_unknown_paths_and_methods_are_refused_in_the_same_form():
    async with served(raising(UsageError("x"))) as client:
        async with client.get("/nothing") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, "not_found")
        async with client.put("/") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


async def test_the_request_id_is_there_for_whoever_works_on_the_request():
    async def handler(_):
        return web.json_response({"id": request_id.get()})

    async with served(web.get("/", handler)) as client:
        async with client.get("/", headers={"X-Request-Id": "r-2"}) as response:
            assert await response.json() == {"id": "r-2"}
        async with client.get("/", headers={"X-Request-Id": "no good"}) as response:
            assert await response.json() == {"id": response.headers["X-Request-Id"]}


async def take(request):
    return web.json_response({"bytes": len(await read_body(request, at_most=100, within_s=0.3))})


async def test_a_body_over_the_limit_is_refused_before_it_is_read():
    async def endless():
        while True:
            yield b"x" * 64

    async with served(web.post("/", take)) as client:
        for body in (b"x" * 101, endless()):
            async with client.post("/", data=body) as response:
                assert response.status == 413
        async with client.post("/", data=b"x" * 100) as response:
            assert await response.json() == {"bytes": 100}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
    ],
    ids=["no bytes", "half a header", "half a body", "half a chunk"],
)
async def test_stalled_sockets_are_closed_while_others_are_served(said):
    async with served(web.post("/", take), limits=Limits(wait_s=0.5)) as client:
        host, port = client._base_url.host, client._base_url.port
        stalled = [await asyncio.open_connection(host, port) for _ in range(200)]
        for _, writer in stalled:
            writer.write(said)
        async with client.get("/health/live") as response:
            assert response.status == 200
        for reader, writer in stalled:
            await reader.read()  # ends when the server hangs up, else the test never does
            writer.close()


async def test_half_a_second_request_is_closed_as_half_a_first_one_is():
    async with served(limits=Limits(wait_s=0.5)) as client:
        reader, writer = await asyncio.open_connection(client._base_url.host, client._base_url.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        await reader.read()
        writer.close()


async def test_a_socket_that_rests_between_two_requests_is_closed_after_a_while():
    async with served(limits=Limits(wait_s=30.0, idle_s=0.5)) as client:
        reader, writer = await asyncio.open_connection(client._base_url.host, client._base_url.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"ok" in await reader.read()
        writer.close()


async def test_there_are_never_more_sockets_than_the_cap():
    async with served(limits=Limits(wait_s=30.0, sockets=3)) as client:
        host, port = client._base_url.host, client._base_url.port
        kept = [await asyncio.open_connection(host, port) for _ in range(3)]
        refused, writer = await asyncio.open_connection(host, port)
        assert await refused.read() == b""
        writer.close()
        reader, resting = kept[0]
        resting.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with client.get("/health/live") as response:  # in the place of the one that rests
            assert response.status == 200
        await reader.read()
        for _, each in kept:
            each.close()


async def test_health_names_the_parts_and_no_internals():
    away = False

    async def store():
        if away:
            raise StoreUnavailable("PostgreSQL at db.internal:5432 does not answer.")
        return {"queue_age_s": 0.5}

    async def cache():
        raise StoreUnavailable("Redis at redis.internal is gone.")

    health = Health({"postgresql": Probe(store), "redis": Probe(cache, required=False)}, fresh_s=0.0)
    async with served(health=health) as client:
        async with client.get("/health/ready") as response:
            body = await response.json()
        assert (response.status, body["status"]) == (200, "ok")
        assert body["parts"]["postgresql"] == {"state": "ok", "required": True, "queue_age_s": 0.5}
        assert body["parts"]["redis"]["state"] == "down"
        away = True
        async with client.get("/health/ready") as response:
            text = await response.text()
        assert response.status == 503
        assert "internal" not in text
        async with client.get("/health/live") as response:
            assert response.status == 200


async def test_a_part_that_hangs_is_down():
    async def hang():
        await asyncio.Event().wait()

    health = Health({"model": Probe(hang)}, timeout_s=0.05)
    async with served(health=health) as client, client.get("/health/ready") as response:
        assert response.status == 503


async def test_metrics_ask_for_their_token():
    async def metrics(accept):
        return f"accepted_total 1 {accept}\n".encode(), "application/openmetrics-text; version=1.0.0; charset=utf-8"

    async with served(metrics=metrics, metrics_token="a-token-for-metrics") as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
            async with client.get("/metrics", headers=headers) as response:
                assert response.status == 401
        right = {"Authorization": "Bearer a-token-for-metrics", "Accept": "application/openmetrics-text"}
        async with client.get("/metrics", headers=right) as response:
            assert await response.text() == "accepted_total 1 application/openmetrics-text\n"
            assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")


class Commands:
    """Answers /help at once and hangs on everything else that begins so."""

    async def instant(self, message):
        if message.text == "/help":
            return Answer("Commands: ...", Origin.COMMAND, None)
        if message.text == "/hang":
            await asyncio.Event().wait()
        return None


@dataclass
class Channel:
    client: aiohttp.ClientSession
    inbox: PostgresInbox
    outbox: PostgresOutbox
    events: PostgresEvents
    uploads: PostgresUploads

    async def call(self, method, path, installation="shop", key=None, body=None, **more):
        token = key if key is not None else KEYS[installation].key
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        data = json.dumps(body).encode() if body is not None else None
        url = f"/http/{installation}/{path}"
        async with self.client.request(method, url, headers=headers, data=data, **more) as response:
            return response.status, await response.json()

    async def send(self, installation="shop", key=None, **change):
        return await self.call("POST", "events", installation, key, {**BODY, **change})


@pytest.fixture
async def channel(database, inbox, other_tenant):
    async with AsyncExitStack() as stack:
        outbox, events, uploads = PostgresOutbox(database), PostgresEvents(database), PostgresUploads(database)
        opened = HttpChannel(
            installations=KEYS,
            acceptance=Acceptance(inbox, Unmetered()),
            inbox=inbox,
            outbox=outbox,
            events=events,
            notices=events,
            uploads=uploads,
            commands=Commands(),
            caps=Caps(file_bytes=1_000),
        )
        client = await stack.enter_async_context(served(*opened.routes()))
        yield Channel(client, inbox, outbox, events, uploads)


async def answered(channel, inbox_id, *pieces, answer=ANSWER):
    entry = await channel.inbox.entry(1, inbox_id)
    batch = await channel.inbox.claim(entry.incoming.thread)
    message = entry.incoming.message
    target = Target(1, "shop", message.place, message.author.author_id, {}, entry.incoming.message_id)
    delivery = await channel.outbox.open(target, Purpose.ANSWER, inbox_id=batch.lead.inbox_id)
    pulled = PulledChannel(Platform.API, channel.events, clock=iter(range(100)).__next__)
    reply = pulled.reply(Posting(channel.outbox, delivery, pulled.doubt))
    for piece in pieces:
        await reply.write(piece)
    await channel.outbox.keep(delivery, answer)
    await reply.finish(answer)
    await channel.inbox.end(batch, Ending.ANSWERED)


def parsed(stream):
    found = []
    for block in stream.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


async def stream(channel, inbox_id, after=None):
    headers = {"Authorization": f"Bearer {KEYS['shop'].key}", **({"Last-Event-ID": after} if after else {})}
    async with channel.client.get(f"/http/shop/messages/{inbox_id}/events", headers=headers) as response:
        assert response.content_type == "text/event-stream"
        return parsed(await response.text())


async def test_an_event_is_accepted_once(channel):
    status, body = await channel.send()
    assert status == 202
    assert body == {
        "accepted": True,
        "duplicate": False,
        "id": body["id"],
        "events": f"/http/shop/messages/{body['id']}/events",
    }
    status, again = await channel.send()
    assert (status, again["duplicate"], again["id"]) == (200, True, body["id"])
    entry = await channel.inbox.entry(1, body["id"])
    assert entry.incoming.message.text == "How long?"
    assert entry.incoming.request_id


async def test_an_unknown_installation_and_a_wrong_key_look_the_same_and_nothing_is_read(channel):
    answers = [
        await channel.send("shop", key="shop-key-wrong"),
        await channel.send("shop", key=""),
        await channel.send("nobody", key=KEYS["shop"].key),
        await channel.send("nobody", key="0" * 32),
        await channel.send("shop", key=KEYS["bank"].key),
        await channel.call("POST", "events", "nobody", "x", None),
    ]
    for status, body in answers:
        body["error"].pop("request_id")
        assert (status, body) == (401, answers[0][1])


def test_a_short_key_is_no_key():
    with pytest.raises(UsageError, match="shorter than 16"):
        HttpChannel(
            installations={"shop": Installation(1, "")},
            acceptance=None,
            inbox=None,
            outbox=None,
            events=None,
            notices=None,
            uploads=None,
        )


async def test_a_body_at_fault_is_refused_in_words(channel):
    for change, named in (
        ({"tenant_id": 2}, "tenant_id"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"text": ""}, "text"),
    ):
        status, body = await channel.send(**change)
        assert (status, body["error"]["code"]) == (400, "bad_request")
        assert f'"{named}"' in body["error"]["message"]
    headers = {"Authorization": f"Bearer {KEYS['shop'].key}"}
    for raw in (b"", b"{", b"[]", b"\xff", b'{"event_id": NaN}', b"[" * 100_000):
        async with channel.client.post("/http/shop/events", headers=headers, data=raw) as response:
            assert response.status == 400


async def test_what_a_caller_did_wrong_is_no_warning_of_ours(channel, caplog):
    for change in ({"session": "none"}, {"kind": "nothing"}, {"files": [{"name": "a", "content": "!"}]}):
        assert (await channel.send(**change))[0] == 400
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_text_that_no_database_keeps_is_cleaned(channel):
    status, body = await channel.send(text="a\u0000b \ud800 c", author={"id": "u1", "name": "J\u0000o"})
    assert status == 202
    entry = await channel.inbox.entry(1, body["id"])
    assert entry.incoming.message.text == "ab \ufffd c"


async def test_files_are_kept_and_what_is_not_is_named(channel):
    files = [
        {"name": "a.txt", "media_type": "text/plain", "content": base64.b64encode(b"hello").decode()},
        {"name": "b.bin", "content": base64.b64encode(b"x" * 2_000).decode()},
    ]
    _, body = await channel.send(files=files)
    first, second = (await channel.inbox.entry(1, body["id"])).incoming.message.attachments
    assert (await channel.uploads.get(1, first.upload_id)).data == b"hello"
    assert (second.upload_id, "limit" in second.reason) == (None, True)


async def test_the_answer_is_streamed_and_can_be_read_again(channel):
    _, body = await channel.send()
    reading = asyncio.create_task(stream(channel, body["id"]))
    await answered(channel, body["id"], "20 ", "days.")
    found = await reading
    assert [kind for _, kind, _ in found if kind != "working"] == ["text", "text", "answer"]
    assert found[-1][2]["text"] == "20 days."
    texts = [(event_id, data["text"]) for event_id, kind, data in found if kind == "text"]
    assert [text for _, text in texts] == ["20 ", "days."]
    assert [kind for _, kind, _ in await stream(channel, body["id"], after=texts[0][0])] == ["text", "answer"]
    status, shown = await channel.call("GET", f"messages/{body['id']}")
    assert (status, shown["state"], shown["ending"], shown["answer"]["text"]) == (200, "ended", "answered", "20 days.")


async def test_a_last_event_id_that_is_none_is_refused(channel):
    _, body = await channel.send()
    for odd in ("drop table", f"{body['id']}.{2**31}", f"{2**63}.1"):
        status, error = await channel.call("GET", f"messages/{body['id']}/events", headers={"Last-Event-ID": odd})
        assert (status, error["error"]["code"]) == (400, "bad_request")


async def test_messages_of_others_are_not_there(channel):
    _, body = await channel.send()
    missing = await channel.call("GET", "messages/999999", "bank")
    for path in (f"messages/{body['id']}", f"messages/{body['id']}/events"):
        status, error = await channel.call("GET", path, "bank")
        assert status == missing[0] == 404
        assert (
            str(body["id"]) not in error["error"]["message"].replace("999999", "")
            or "no message" in error["error"]["message"]
        )


async def test_a_command_that_can_be_answered_at_once_is(channel):
    body = {"event_id": "i1", "command": "/help", "author": {"id": "u1"}}
    status, answer = await channel.call("POST", "interactions", body=body)
    assert (status, answer["answer"]["text"]) == (200, "Commands: ...")
    status, accepted = await channel.call("POST", "interactions", body={**body, "command": "/history"})
    assert (status, accepted["duplicate"]) == (202, False)


async def test_a_command_that_takes_too_long_goes_the_ordinary_way(channel):
    body = {"event_id": "i2", "command": "/hang", "author": {"id": "u1"}}
    status, accepted = await channel.call("POST", "interactions", body=body)
    assert (status, accepted["accepted"]) == (202, True)


async def test_notices_are_read_within_a_place(channel):
    place = Place(Platform.API, "help", "t1")
    await channel.outbox.enqueue(Target(1, "shop", place, "u1"), Purpose.PERSON, Answer("Yes.", Origin.PERSON, None))
    status, body = await channel.call("GET", "notices", params={"channel": "help", "thread": "t1"})
    assert (status, [notice["text"] for notice in body["notices"]]) == (200, ["Yes."])
    status, body = await channel.call("GET", "notices", "bank", params={"channel": "help", "thread": "t1"})
    assert body == {"notices": []}
    for params in ({"after": "x"}, {"channel": "a\x00b"}, {"thread": "x" * 201}):
        assert (await channel.call("GET", "notices", params=params))[0] == 400


async def test_without_postgresql_the_sender_is_told_to_come_back(channel, database):
    database._pool.terminate()
    status, body = await channel.send()
    assert (status, body["error"]["code"]) == (503, "unavailable")


async def test_a_withdrawn_answer_is_told_to_its_readers(channel):
    _, body = await channel.send()
    await answered(channel, body["id"], "20 days.")
    delivery = await channel.outbox.of_entry(1, body["id"])
    opened = await channel.outbox.reopen(1, delivery.outbox_id)
    pulled = PulledChannel(Platform.API, channel.events)
    await pulled.withdraw(Posting(channel.outbox, opened, pulled.doubt))
    found = await channel.events.since(1, body["id"], 0)
    assert found[-1].kind is EventKind.WITHDRAWN
    assert DeliveryKey(opened.outbox_id, opened.claim).claim == delivery.claim + 1
    assert [kind for _, kind, _ in await stream(channel, body["id"])][-1] == "withdrawn"
