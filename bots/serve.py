"""A process that listens, works, or both, from its first check to its last breath."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

from aiohttp import web

from adapters.queue.worker import Worker
from adapters.telemetry.access import AccessLog
from adapters.web.server import make_app, run_server
from bots.platforms import wants_any, wrong_settings
from bots.service import Service, callbacks, open_service
from bots.settings import Settings
from bots.store import Say, keep_alive, open_store
from bots.wiring import open_embedder
from core.errors import FrontdeskError, UsageError

CLOSING_S = 1.5  # after the drain, for whatever else must end
SHORTEST_KEY = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process is to do."""

    host: str
    port: int | None  # None: it does not listen
    events: bool  # whether platforms may send to it; else it shows health and figures alone
    work: bool
    concurrency: int


async def serve(settings: Settings, plan: Plan, say: Say, *, at: Callable[[str], None] = lambda _: None) -> None:
    """Do as PLAN says until SIGTERM or SIGINT, then let go of everything within DRAIN_S and a little.

    SAY hears where it listens; AT, of each boundary between two steps of an answer. Raises UsageError with everything
    that is wrong, before anything is begun.
    """
    stopping = asyncio.Event()
    with _signals(stopping, settings.drain_s + CLOSING_S):
        await refuse_half_configured(settings, plan)
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(open_service(settings, say, at=at))
            await _run(settings, plan, service, say, stopping)


async def _run(settings: Settings, plan: Plan, service: Service, say: Say, stopping: asyncio.Event) -> None:
    worker = _worker(plan, service) if plan.work else None
    server = service.frontdesk.store.server
    alive = asyncio.create_task(keep_alive(server)) if server else None
    try:
        async with asyncio.TaskGroup() as group:
            if worker is not None:
                group.create_task(_work(worker, settings.drain_s, stopping))
            if plan.events:
                for run in service.background:
                    group.create_task(_beside(run, stopping))
            if plan.port is not None:
                app = _app(settings, plan, service, worker)
                group.create_task(_listen(app, plan.host, plan.port, say, stopping))
            else:
                say(f"Working, on up to {plan.concurrency} answers at once.")
    finally:
        if alive is not None:
            alive.cancel()


def _worker(plan: Plan, service: Service) -> Worker:
    return Worker(
        service.frontdesk.store.url,
        service.tasks,
        concurrency=plan.concurrency,
        name=f"{socket.gethostname()}-{os.getpid()}",
        meter=service.meter,
        sweep=service.sweep,
    )


def _app(settings: Settings, plan: Plan, service: Service, worker: Worker | None) -> web.Application:
    key = settings.metrics_key
    return make_app(
        routes=service.routes if plan.events else (),
        health=service.health((lambda: worker.is_working) if worker else None),
        metrics=service.meter.expose,
        metrics_token=key.get_secret_value() if key else "",
    )


async def _listen(app: web.Application, host: str, port: int, say: Say, stopping: asyncio.Event) -> None:
    async with run_server(app, host, port, access_log=AccessLog) as (_, bound):
        say(f"Listening on http://{f'[{host}]' if ':' in host else host}:{bound}")
        await stopping.wait()


async def _beside(run: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
    """Run what a platform needs until the process stops; what fails is begun again, and the rest goes on meanwhile."""
    stop = asyncio.create_task(stopping.wait())
    pause_s = 1.0
    while not stop.done():
        task = asyncio.ensure_future(run())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        (error,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(error, Exception):  # it has nothing more to do, or the process stops
            break
        _log.error("a platform's connection has ended and is begun again: %s", error, exc_info=error)
        await asyncio.wait({stop}, timeout=pause_s)
        pause_s = min(pause_s * 2, 60.0)
    stop.cancel()


async def _work(worker: Worker, drain_s: float, stopping: asyncio.Event) -> None:
    run = asyncio.create_task(worker.run(), name="worker")
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({run, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    await worker.drain(drain_s)
    await run


@contextmanager
def _signals(stopping: asyncio.Event, longest_s: float) -> Iterator[None]:
    """Set STOPPING at the first signal and end the process LONGEST_S later whatever hangs; a second one ends it now."""
    loop = asyncio.get_running_loop()
    timer = threading.Timer(longest_s, os._exit, (0,))
    timer.daemon = True

    def stop(number: int, _: object) -> None:
        if timer.is_alive():
            os._exit(128 + number)
        timer.start()  # here and not on the event loop, which may be what hangs
        loop.call_soon_threadsafe(begin)

    def begin() -> None:
        _log.info("stopping")
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def refuse_half_configured(settings: Settings, plan: Plan) -> None:
    """Look at everything that is needed; raises UsageError with the list of all that is wrong."""
    checks: list[Awaitable[list[str]]] = [_database(settings), _embedder(settings), _port(plan)]
    wrong = [line for found in await asyncio.gather(*checks) for line in found] + _settings(settings, plan)
    if wrong:
        raise UsageError("\n- ".join(["Frontdesk does not start half-configured:", *wrong]))
    await _warn_of_redis(settings)


async def _database(settings: Settings) -> list[str]:
    try:
        async with open_store(settings, _log.info):
            return []
    except FrontdeskError as error:
        return [str(error)]


async def _embedder(settings: Settings) -> list[str]:
    try:
        async with open_embedder(settings):
            return []
    except FrontdeskError as error:
        return [str(error)]


async def _port(plan: Plan) -> list[str]:
    if not plan.port:
        return []
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, plan.host, plan.port)
    except OSError as error:
        return [f"Port {plan.port} of {plan.host} cannot be had ({os.strerror(error.errno or 0)}); choose another."]
    server.close()
    return []


def _settings(settings: Settings, plan: Plan) -> list[str]:
    wrong = [
        f"HTTP_KEYS: the key of {name} is shorter than {SHORTEST_KEY} characters; make a longer one."
        for name, key in settings.http_keys.items()
        if len(key) < SHORTEST_KEY
    ]
    wrong += [
        f"HTTP_CALLBACKS names {name}, which HTTP_KEYS does not; give it a key."
        for name in settings.http_callbacks
        if name not in settings.http_keys
    ]
    if settings.models and not settings.openai_api_key and not settings.openai_base_url:
        wrong.append("MODELS is set, but neither OPENAI_API_KEY nor OPENAI_BASE_URL; set one of them.")
    try:
        callbacks(settings)
    except UsageError as error:
        wrong.append(f"HTTP_CALLBACKS, HTTP_CALLBACK_SECRETS: {error}")
    wrong += wrong_settings(settings, plan.host if plan.events else None)
    if plan.events and not (settings.http_keys or wants_any(settings)):
        _log.warning("neither HTTP_KEYS nor a platform is set: nobody can send messages here")
    return wrong


async def _warn_of_redis(settings: Settings) -> None:
    if settings.redis_url is None:
        return
    from adapters.redis.link import open_link  # noqa: PLC0415 - slow to import, seldom wanted

    async with open_link(settings.redis_url.get_secret_value()) as link:
        if not await link.call(lambda client: client.ping()):
            _log.warning("Redis does not answer: answers are not shared, and PostgreSQL keeps the pace")
