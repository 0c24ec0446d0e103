"""The HTTP channel: an application of the organisation's own sends what its users write, and reads or hears answers."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from aiohttp import web

from adapters.web.inbound import GivenFile, given_files, incoming, interaction, place_of
from adapters.web.requests import BODY_BYTES, Unauthorized, bearer, parse_object, read_body, same_secret
from adapters.web.server import ENDING
from core.attached import Uploads
from core.domain import Answer, Attachment, Message
from core.errors import NotFound, StoreUnavailable, TooLarge, Unavailable, UsageError
from core.inbox import Accepted, Entry
from core.meter import Counted, Meter, Timed, Unmetered
from core.outbox import Delivery, Purpose
from core.places import Place, Platform
from core.pulled import Event, EventLog, Rows, answer_data, follow
from core.taking import Accepts, Instant
from core.tracing import request_id

KEEP_ALIVE_S = 10.0
INSTANT_S = 2.5
_WRITE_S = 10.0  # until a reader of a stream who does not read is let go
_ID = r"{id:[0-9]{1,18}}"
_NOBODY = "0" * 32
_NO_MESSAGE = "There is no such message."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    """An application that may use the channel."""

    tenant_id: int
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caps:
    """How large a request may be."""

    file_bytes: int = 10 * 1024 * 1024
    body_bytes: int = 24 * 1024 * 1024  # of an event with files; base64 is a third longer
    body_s: float = 5.0
    streams: int = 500  # open at once


class Deliveries(Protocol):
    """The part of the outbox that is read here."""

    async def of_entry(self, tenant_id: int, inbox_id: int) -> Delivery | None:
        """Look up the delivery that answered a row of the inbox."""


class Notices(Protocol):
    """Read what was said to a place without a question."""

    async def said(
        self, tenant_id: int, installation: str, place: Place, *, after: int = 0
    ) -> list[tuple[int, Purpose, Answer]]:
        """List a person's words and notices, by outbox id."""


class HttpChannel:
    """The routes of the channel."""

    def __init__(
        self,
        *,
        installations: Mapping[str, Installation],
        acceptance: Accepts,
        inbox: Rows,
        outbox: Deliveries,
        events: EventLog,
        notices: Notices,
        uploads: Uploads,
        commands: Instant | None = None,
        meter: Meter | None = None,
        caps: Caps | None = None,
    ) -> None:
        """Open the channel for INSTALLATIONS, by name; raises UsageError for one with a key that is none."""
        for name, installation in installations.items():
            if len(installation.key) < 16:
                raise UsageError(
                    f"The key of the installation {name} is shorter than 16 characters; make a longer one."
                )
        self._installations = installations
        self._acceptance = acceptance
        self._inbox = inbox
        self._outbox = outbox
        self._events = events
        self._notices = notices
        self._uploads = uploads
        self._commands = commands
        self._meter = meter or Unmetered()
        self._caps = caps or Caps()
        self._streams = 0

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        at = "/http/{installation}"
        return [
            web.post(f"{at}/events", self._take),
            web.post(f"{at}/interactions", self._interact),
            web.get(f"{at}/messages/{_ID}", self._show, allow_head=False),
            web.get(f"{at}/messages/{_ID}/events", self._stream, allow_head=False),
            web.get(f"{at}/notices", self._list_notices, allow_head=False),
        ]

    def _who(self, request: web.Request) -> tuple[str, int]:
        """Name the installation and its tenant; one that is not there and a wrong key look the same."""
        name = request.match_info["installation"]
        known = self._installations.get(name)
        right = same_secret(bearer(request.headers), known.key if known else _NOBODY)
        if known is None or not right:
            self._meter.count(Counted.REFUSED, platform=Platform.API.value, tenant="", reason="forged")
            raise Unauthorized("The key is not that of this installation; send it as Authorization: Bearer KEY.")
        return name, known.tenant_id

    async def _take(self, request: web.Request) -> web.Response:
        begun_s = time.monotonic()
        name, tenant_id = self._who(request)
        raw = await read_body(request, at_most=self._caps.body_bytes, within_s=self._caps.body_s)
        body = parse_object(raw) if len(raw) <= BODY_BYTES else await asyncio.to_thread(parse_object, raw)
        given = given_files(body, self._caps.file_bytes)
        event = incoming(tenant_id, name, body, tuple(_not_taken(file, "") for file in given), request_id.get())
        attachments = [await self._keep(tenant_id, file) for file in given]  # only of a body that is right
        event = replace(event, message=replace(event.message, attachments=tuple(attachments))) if given else event
        accepted = await self._acceptance.accept(event)
        if accepted.duplicate:
            await self._drop(tenant_id, attachments)
        self._meter.time(Timed.ACKNOWLEDGED, time.monotonic() - begun_s, platform=Platform.API.value)
        return _accepted(name, accepted)

    async def _keep(self, tenant_id: int, file: GivenFile) -> Attachment:
        if file.reason:
            return _not_taken(file, file.reason)
        try:
            upload_id = await self._uploads.put(
                tenant_id, file.name, file.media_type, file.data, limit_bytes=self._caps.file_bytes
            )
        except TooLarge as error:
            return _not_taken(file, str(error))
        return Attachment(file.name, file.media_type, len(file.data), upload_id)

    async def _drop(self, tenant_id: int, attachments: list[Attachment]) -> None:
        """Drop files that came a second time; where that fails they are purged with the old ones."""
        for attachment in attachments:
            if attachment.upload_id is not None:
                with suppress(StoreUnavailable):
                    await self._uploads.delete(tenant_id, attachment.upload_id)

    async def _interact(self, request: web.Request) -> web.Response:
        name, tenant_id = self._who(request)
        body = parse_object(await read_body(request, within_s=self._caps.body_s))
        event = interaction(tenant_id, name, body, request_id.get())
        answer = await self._at_once(event.message)
        if answer is not None:
            return web.json_response({"answer": answer_data(answer)})
        return _accepted(name, await self._acceptance.accept(event))

    async def _at_once(self, message: Message) -> Answer | None:
        if self._commands is None:
            return None
        try:
            async with asyncio.timeout(INSTANT_S):
                return await self._commands.instant(message)
        except TimeoutError:
            return None

    async def _entry(self, request: web.Request) -> tuple[str, int, Entry]:
        """Look up the row of a request, within what its key may see."""
        name, tenant_id = self._who(request)
        inbox_id = int(request.match_info["id"])
        try:
            entry = await self._inbox.entry(tenant_id, inbox_id)
        except NotFound as error:
            raise NotFound(_NO_MESSAGE) from error
        if entry.incoming.installation != name or entry.incoming.message.place.platform is not Platform.API:
            raise NotFound(_NO_MESSAGE)
        return name, tenant_id, entry

    async def _show(self, request: web.Request) -> web.Response:
        name, tenant_id, entry = await self._entry(request)
        delivery = await self._outbox.of_entry(tenant_id, entry.inbox_id)
        answer = answer_data(delivery.content) if delivery and delivery.content else None
        return web.json_response(
            {
                "id": entry.inbox_id,
                "state": entry.state,
                "ending": entry.ending,
                "reason": entry.reason,
                "ticket": entry.ticket_number or (answer or {}).get("ticket_number"),
                "answered_by": entry.answered_by,
                "message_id": delivery.sent[0].message_id if delivery and delivery.sent else None,
                "answer": answer,
                "events": _events_path(name, entry.inbox_id),
            }
        )

    async def _list_notices(self, request: web.Request) -> web.Response:
        name, tenant_id = self._who(request)
        query = request.query
        after = query.get("after", "0")
        if not (after.isdecimal() and after.isascii() and len(after) <= 18):
            raise UsageError("The query's after must be the id of a notice.")
        found = await self._notices.said(tenant_id, name, place_of(query), after=int(after))
        notices = [{"id": number, "purpose": purpose, **answer_data(answer)} for number, purpose, answer in found]
        return web.json_response({"notices": notices})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        _, tenant_id, entry = await self._entry(request)
        after = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        if self._streams >= self._caps.streams:
            raise Unavailable("Too many streams are open here; try again soon.")
        self._streams += 1
        try:
            async with aclosing(follow(self._inbox, self._events, tenant_id, entry.inbox_id, after=after)) as events:
                return await _send_events(request, events)
        finally:
            self._streams -= 1


async def _send_events(request: web.Request, events: AsyncIterator[Event | None]) -> web.StreamResponse:
    """Write EVENTS as server-sent events until the final one, or until the server stops."""
    first = await anext(events, None)  # what is refused is refused before the stream begins
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    ending, loop = request.app[ENDING], asyncio.get_running_loop()
    event, written_at = first, loop.time()
    while not ending.is_set():
        if event is not None or loop.time() - written_at >= KEEP_ALIVE_S:
            await _write(response, as_text(event) if event else ": still here\n\n")
            written_at = loop.time()
        try:
            event = await anext(events)
        except StopAsyncIteration:
            break
        except StoreUnavailable as error:  # the reader comes back with the last id
            _log.warning("A stream of events ends: %s", error)
            break
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, text: str) -> None:
    try:
        async with asyncio.timeout(_WRITE_S):
            await response.write(text.encode())
    except TimeoutError as error:
        raise ConnectionResetError("the reader does not read") from error


def as_text(event: Event) -> str:
    """Write an event as the HTML standard has it; JSON has no line breaks of its own."""
    name = f"id: {event.event_id}\n" if event.event_id else ""
    return f"{name}event: {event.kind}\ndata: {json.dumps(event.data, default=str)}\n\n"


def _accepted(name: str, accepted: Accepted) -> web.Response:
    body = {
        "accepted": True,
        "duplicate": accepted.duplicate,
        "id": accepted.inbox_id,
        "events": _events_path(name, accepted.inbox_id),
    }
    return web.json_response(body, status=200 if accepted.duplicate else 202)


def _events_path(name: str, inbox_id: int) -> str:
    return f"/http/{name}/messages/{inbox_id}/events"


def _not_taken(file: GivenFile, reason: str) -> Attachment:
    return Attachment(file.name, file.media_type, len(file.data), None, reason)
