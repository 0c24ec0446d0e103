"""The HTTP channel's members of the contract: an application that reads its answers, and one that is called."""

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
from aiohttp import web

from adapters.web.callback import sign

KEY = "http-member-key-0123456789"
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two characters").decode()
INSTALLATION = "shop"
LIMIT = 4_000


class _Http:
    """Sends what a person writes to the HTTP channel."""

    def __init__(self, session, base_url, contract):
        self._session = session
        self._base_url = f"{base_url}/http/{INSTALLATION}"
        self._contract = contract
        self._headers = {"Authorization": f"Bearer {KEY}"}
        self._numbers = count(1)
        self._events = {}  # message id -> the event that brought it
        self._revisions = {}
        self.limit = LIMIT

    async def _send(self, **body):
        async with self._session.post(f"{self._base_url}/events", json=body, headers=self._headers) as response:
            given = await response.json()
        accepted = self._contract.Accepted(200 <= response.status < 300, bool(given.get("duplicate")))
        if accepted.acknowledged and not accepted.duplicate:
            self._follow(body, given["id"])
        return accepted

    def _follow(self, body, inbox_id):
        """Read on from an event, where one's answers are read."""

    def _body(self, thread, author, **more):
        return {
            "event_id": f"e{next(self._numbers)}",
            "channel": "c1",
            "thread": thread,
            "author": {"id": author},
            **more,
        }

    async def ask(self, text, *, thread="t1", author="u1", files=None):
        body = self._body(thread, author, text=text, message_id=f"m{next(self._numbers)}")
        if files:
            body["files"] = [
                {"name": name, "media_type": "text/plain", "content": base64.b64encode(data).decode()}
                for name, data in files.items()
            ]
        self._events[body["message_id"]] = body
        assert (await self._send(**body)).acknowledged
        return body["message_id"]

    async def try_to_ask(self, text, *, thread="t1"):
        return await self._send(**self._body(thread, "u1", text=text))

    async def edit(self, message_id, text):
        self._revisions[message_id] = self._revisions.get(message_id, 0) + 1
        await self._about(message_id, kind="edit", text=text, revision=self._revisions[message_id])

    async def delete(self, message_id):
        await self._about(message_id, kind="delete")

    async def _about(self, message_id, **more):
        asked = self._events[message_id]
        body = self._body(asked["thread"], asked["author"]["id"], message_id=message_id, **more)
        assert (await self._send(**body)).acknowledged

    async def stop(self, *, thread="t1"):
        assert (await self._send(**self._body(thread, "u1", kind="stop"))).acknowledged

    async def rate(self, rating, *, thread="t1"):
        target = await self._newest_id(thread)
        assert (
            await self._send(**self._body(thread, "u1", kind="feedback", rating=rating, target=target))
        ).acknowledged

    async def redeliver(self, message_id):
        return await self._send(**self._events[message_id])


class PulledMember(_Http):
    """An application that follows the events of each message, and reads notices."""

    name = "http, read"
    is_called = False
    refused = 0

    def __init__(self, session, base_url, contract):
        super().__init__(session, base_url, contract)
        self._threads = {}  # thread -> {what is shown: Seen}
        self._known = {}  # inbox id -> message id of its answer
        self._readers = []
        self._original = {}  # message id -> inbox id
        self.faults = contract.Faults()

    @property
    def posted(self):
        return sum(len(shown) for shown in self._threads.values())

    def _follow(self, body, inbox_id):
        if body.get("kind") == "delete":  # what was shown for the message may be taken back
            original = self._original[body["message_id"]]
            self._readers.append(asyncio.ensure_future(self._read(body["thread"], inbox_id, then=original)))
            return
        if "message_id" in body:
            self._original[body["message_id"]] = inbox_id
        self._readers.append(asyncio.ensure_future(self._read(body["thread"], inbox_id)))

    async def _read(self, thread, inbox_id, then=None):
        url = f"{self._base_url}/messages/{inbox_id}/events"
        async with self._session.get(url, headers=self._headers) as response:
            assert response.status == 200
            fields = {}
            async for raw in response.content:
                line = raw.decode().rstrip("\n")
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self._show(thread, inbox_id, fields["event"], json.loads(fields["data"]))
                    fields = {}
        if then is not None:
            await self._read(thread, then)

    def _show(self, thread, inbox_id, kind, data):
        shown = self._threads.setdefault(thread, {})
        draft = f"draft of {inbox_id}"
        if kind == "text":
            shown[draft] = self._contract.Seen(getattr(shown.get(draft), "text", "") + data["text"])
            return
        if kind != "working":
            shown.pop(draft, None)
        if kind == "answer":
            sources = tuple(citation["source"] for citation in data["citations"])
            shown[data["message_id"]] = self._contract.Seen(data["text"], sources)
            self._known[inbox_id] = data["message_id"]
        elif kind in ("withdrawn", "ended"):
            shown.pop(self._known.get(inbox_id) if kind == "withdrawn" else None, None)

    async def seen(self, thread="t1"):
        query = {"channel": "c1", "thread": thread}
        async with self._session.get(f"{self._base_url}/notices", params=query, headers=self._headers) as response:
            notices = (await response.json())["notices"]
        said = [self._contract.Seen(notice["text"]) for notice in notices]
        return [*self._threads.get(thread, {}).values(), *said]

    async def is_settled(self):
        for reader in self._readers:
            if reader.done():
                reader.result()
        return all(reader.done() for reader in self._readers)

    async def _newest_id(self, thread):
        return list(self._threads[thread])[-1]

    async def close(self):
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


class CallbackMember(_Http):
    """An application that is called, with rules of its own that it enforces."""

    name = "http, called"
    is_called = True

    def __init__(self, session, base_url, contract, fake):
        super().__init__(session, base_url, contract)
        self._fake = fake

    @property
    def faults(self):
        return self._fake.faults

    @property
    def posted(self):
        return self._fake.made

    @property
    def refused(self):
        return self._fake.refused

    def be_busy(self, seconds):
        self._fake.busy_s = seconds

    def be_out(self, calls):
        self._fake.out = calls

    async def seen(self, thread="t1"):
        return [
            self._contract.Seen(
                message["text"], tuple(c["source"] for c in message.get("answer", {}).get("citations", ()))
            )
            for message in self._fake.messages.values()
            if message["thread"] == thread
        ]

    async def is_settled(self):
        return True

    async def _newest_id(self, thread):
        return [number for number, message in self._fake.messages.items() if message["thread"] == thread][-1]

    async def close(self):
        pass


class FakeApplication:
    """An application that minds every rule of a callback."""

    def __init__(self, contract):
        self.faults = contract.Faults()
        self.messages = {}
        self.made = 0
        self.busy_s = 0
        self.out = 0
        self.refused = 0
        self._keys = {}
        self._busy_until = 0.0

    def routes(self):
        return [
            web.post("/hooks/messages", self._post),
            web.put("/hooks/messages/{id}", self._put),
            web.delete("/hooks/messages/{id}", self._delete),
        ]

    async def _checked(self, request):
        """Return the body, or the refusal that every call may meet."""
        raw = await request.read()
        now = time.time()
        webhook_id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        if abs(now - timestamp) > 300 or request.headers["webhook-signature"] != sign(
            SECRET, webhook_id, timestamp, raw
        ):
            self.faults.forged += 1
            raise web.HTTPUnauthorized
        if now < self._busy_until:
            self.faults.early += 1
        if self.busy_s:
            self.refused += 1
            self._busy_until, seconds, self.busy_s = now + self.busy_s, self.busy_s, 0
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(seconds)})
        if self.out:
            self.refused += 1
            self.out -= 1
            raise web.HTTPServiceUnavailable
        body = json.loads(raw)
        if len(body.get("text", "")) > LIMIT:
            self.faults.too_long += 1
            raise web.HTTPBadRequest
        if body.get("text", "").count("```") % 2:
            self.faults.unreadable += 1
        return body

    async def _post(self, request):
        body = await self._checked(request)
        key = request.headers["Idempotency-Key"]
        if key not in self._keys:
            self.made += 1
            self._keys[key] = f"a{self.made}"
            self.messages[self._keys[key]] = body
        return web.json_response({"id": self._keys[key]}, status=201)

    async def _put(self, request):
        body = await self._checked(request)
        if request.match_info["id"] not in self.messages:
            raise web.HTTPNotFound
        self.messages[request.match_info["id"]] = body
        return web.json_response({})

    async def _delete(self, request):
        await self._checked(request)
        self.messages.pop(request.match_info["id"], None)
        return web.json_response({})


@asynccontextmanager
async def pulled(contract, open_house):
    """Open the member that reads."""
    async with open_house({"http_keys": {INSTALLATION: KEY}}) as house, aiohttp.ClientSession() as session:
        member = PulledMember(session, house.base_url, contract)
        yield house, member
        await member.close()


@asynccontextmanager
async def called(contract, open_house):
    """Open the member that is called."""
    fake = FakeApplication(contract)
    app = web.Application()
    app.add_routes(fake.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = {
        "http_keys": {INSTALLATION: KEY},
        "http_callbacks": {INSTALLATION: f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"},
        "http_callback_secrets": {INSTALLATION: SECRET},
    }
    async with open_house(settings) as house, aiohttp.ClientSession() as session:
        yield house, CallbackMember(session, house.base_url, contract, fake)
    await runner.cleanup()
