"""What listens and answers for as long as a process runs: inbox, desk, channels, jobs, health and figures."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from adapters.postgres.events import PostgresEvents
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.pacing import PostgresPacing
from adapters.postgres.readings import read_pool, read_queues, read_unsettled
from adapters.postgres.signals import Signals, open_signals
from adapters.queue.worker import failures
from adapters.telemetry.prometheus import PrometheusMeter
from adapters.web.callback import Callback, CallbackClient
from adapters.web.http_channel import HttpChannel, Installation
from adapters.web.outbound import ApiChannel, CallbackChannel
from bots.housekeeping import Housekeeping
from bots.platforms import Means, Plugged, open_platforms
from bots.settings import Settings, tenants
from bots.store import Say
from bots.wiring import Frontdesk, make_acceptance, make_desk, open_frontdesk
from core.accepting import Acceptance
from core.checks import Health, Look, Probe
from core.desk import Desk
from core.errors import Unavailable, UsageError
from core.inbox import Accepted, Incoming, Thread
from core.outbox import Channel
from core.pacing import PacingStore, PreferredPacer
from core.places import Place, Platform
from core.pulled import PulledChannel
from core.tracing import Tracer, Untraced, bound
from ingest.background import DeliveryReporter, Ingestions

DELIVERY_TRIES = 200  # some three hours; then a platform that does not answer has refused


class TracedAcceptance:
    """An Acceptance whose part in each request is recorded."""

    def __init__(self, acceptance: Acceptance, tracer: Tracer) -> None:
        self._acceptance = acceptance
        self._tracer = tracer

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store INCOMING, as Acceptance.accept does."""
        platform, tenant_id = incoming.message.place.platform.value, incoming.message.tenant_id
        with (
            bound(incoming.request_id, tenant=tenant_id, platform=platform),
            self._tracer.begin("accept", tenant=tenant_id, platform=platform, kind=incoming.kind.value) as span,
        ):
            accepted = await self._acceptance.accept(incoming)
            span.note(row=accepted.inbox_id, duplicate=accepted.duplicate)
            return accepted


@dataclass(frozen=True, slots=True)
class Service:
    """Everything `serve` and `worker` work with."""

    frontdesk: Frontdesk
    acceptance: TracedAcceptance
    inbox: PostgresInbox
    desk: Desk
    housekeeping: Housekeeping
    ingestions: Ingestions
    meter: PrometheusMeter
    probes: Mapping[str, Look]  # of what is not the database
    routes: tuple[web.RouteDef, ...]
    background: tuple[Callable[[], Awaitable[None]], ...]  # run where events are taken

    @property
    def tasks(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """Name what the jobs of adapters/queue do."""
        return {"serve_thread": self._serve_thread, "deliver": self._deliver, "ingest": self._ingest}

    async def sweep(self) -> None:
        """Keep house; raises StoreUnavailable."""
        await self.housekeeping.sweep()

    def health(self, is_working: Callable[[], bool] | None = None) -> Health:
        """Look at the database, at what else is there, and at the worker where there is one."""

        async def database() -> Mapping[str, float]:
            await self.frontdesk.database.version()
            return {}

        async def worker() -> Mapping[str, float]:
            if is_working is not None and not is_working():
                raise Unavailable("The worker does not work.")
            return {}

        others = {**self.probes, **({"worker": worker} if is_working else {})}
        return Health({"database": Probe(database), **{name: Probe(look, False) for name, look in others.items()}})

    async def _serve_thread(self, tenant_id: int, platform: str, installation: str, channel: str, thread: str) -> None:
        await self.desk.serve(Thread(tenant_id, installation, Place(Platform(platform), channel, thread)))

    async def _deliver(self, tenant_id: int, outbox_id: int) -> None:
        await self.desk.deliver(tenant_id, outbox_id, last_try=failures.get() >= DELIVERY_TRIES)

    async def _ingest(self, tenant_id: int, ingestion_id: int) -> None:
        await self.ingestions.run(tenant_id, ingestion_id)


@asynccontextmanager
async def open_service(
    settings: Settings, say: Say, *, at: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Service]:
    """Open Frontdesk with all that listens and works; AT hears of each boundary between two steps of an answer."""
    async with open_frontdesk(settings, say) as frontdesk, extend(frontdesk, at=at) as service:
        yield service


@asynccontextmanager
async def extend(frontdesk: Frontdesk, *, at: Callable[[str], None] = lambda _: None) -> AsyncIterator[Service]:
    """Open what listens and works around FRONTDESK; raises UsageError for settings that cannot be."""
    settings = frontdesk.settings
    async with AsyncExitStack() as stack:
        signals = await stack.enter_async_context(open_signals(frontdesk.store.url))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stores, probes = await _shared(settings, stack)
        pacer = PreferredPacer(*stores, PostgresPacing(frontdesk.database))
        meter, events = _meter(frontdesk), PostgresEvents(frontdesk.database, signals)
        hooks = callbacks(settings)
        callback = CallbackChannel(CallbackClient(session, meter=meter), hooks, pacer)
        channels: dict[Platform, Channel] = {
            Platform.API: ApiChannel(PulledChannel(Platform.API, events), callback, hooks),
            Platform.CONSOLE: PulledChannel(Platform.CONSOLE, events),
        }
        tracer = await stack.enter_async_context(_tracer(settings))
        inbox = PostgresInbox(
            frontdesk.database, waiting_limit=settings.waiting_limit, author_limit=settings.author_per_minute
        )
        acceptance = TracedAcceptance(make_acceptance(settings, inbox, meter), tracer)
        means = Means(frontdesk, session, pacer, inbox, acceptance, meter)
        plugged = await stack.enter_async_context(open_platforms(means))
        plugged.channels.update(channels)
        plugged.probes.update(probes)
        yield _put_together(means, acceptance, signals, events, plugged, meter, tracer, at)


def _put_together(
    means: Means,
    acceptance: TracedAcceptance,
    signals: Signals,
    events: PostgresEvents,
    plugged: Plugged,
    meter: PrometheusMeter,
    tracer: Tracer,
    at: Callable[[str], None],
) -> Service:
    frontdesk, inbox = means.frontdesk, means.inbox
    settings, database = frontdesk.settings, frontdesk.database
    outbox, channels = PostgresOutbox(database), plugged.channels
    reporter = DeliveryReporter(outbox, channels.get)
    ingestions = Ingestions(
        PostgresIngestions(database), frontdesk.knowledge, frontdesk.ingestion, frontdesk.uploads, reporter
    )
    http = HttpChannel(
        installations=installations(settings),
        acceptance=acceptance,
        inbox=inbox,
        outbox=outbox,
        events=events,
        notices=events,
        uploads=frontdesk.uploads,
        commands=frontdesk.actions,
        meter=meter,
    )
    return Service(
        frontdesk=frontdesk,
        acceptance=acceptance,
        inbox=inbox,
        desk=make_desk(frontdesk, inbox, signals, channels, meter, tracer, at),
        housekeeping=Housekeeping(frontdesk, inbox),
        ingestions=ingestions,
        meter=meter,
        probes=plugged.probes,
        routes=(*http.routes(), *plugged.routes),
        background=tuple(plugged.background),
    )


def _meter(frontdesk: Frontdesk) -> PrometheusMeter:
    database, known = frontdesk.database, tenants(frontdesk.settings)
    return PrometheusMeter(
        tenants=known,
        readers=[
            lambda: read_queues(database),
            lambda: read_unsettled(database, known),
            lambda: read_pool(database),
        ],
    )


@asynccontextmanager
async def _tracer(settings: Settings) -> AsyncIterator[Tracer]:
    """Send traces where SETTINGS say so; raises UsageError where what sends them is not installed."""
    if settings.otel_exporter_otlp_endpoint is None:
        yield Untraced()
        return
    try:
        from adapters.telemetry.tracing import open_tracer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("OTEL_EXPORTER_OTLP_ENDPOINT is set; install frontdesk[otel], which sends traces.") from error
    async with open_tracer(f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces") as tracer:
        yield tracer


async def _shared(settings: Settings, stack: AsyncExitStack) -> tuple[list[PacingStore], dict[str, Look]]:
    """Open what all processes share besides the database: nothing, or Redis."""
    if settings.redis_url is None:
        return [], {}
    from adapters.redis.link import open_link  # noqa: PLC0415 - slow to import, seldom wanted
    from adapters.redis.pacing import RedisPacing  # noqa: PLC0415

    link = await stack.enter_async_context(open_link(settings.redis_url.get_secret_value()))

    async def look() -> Mapping[str, float]:
        if not await link.call(lambda client: client.ping()):
            raise Unavailable("Redis does not answer.")
        return {}

    return [RedisPacing(link)], {"redis": look}


def installations(settings: Settings) -> dict[str, Installation]:
    """Name who may use the HTTP channel."""
    return {name: Installation(settings.tenant_id, key) for name, key in settings.http_keys.items()}


def callbacks(settings: Settings) -> dict[str, Callback]:
    """Name where they want their answers; raises UsageError for what cannot be one."""
    secrets = settings.http_callback_secrets
    return {name: Callback(url, secrets.get(name, "")) for name, url in settings.http_callbacks.items()}
