"""The web server: one aiohttp application with what no route should have to think of."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError

from adapters.web.connections import Watch
from adapters.web.health import Metrics, health_routes
from adapters.web.requests import SECURITY_HEADERS, error_response, http_error, internal_error, request_id_of
from core.checks import Health
from core.errors import FrontdeskError, UsageError
from core.tracing import request_id as current_request_id

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WATCH = web.AppKey("watch", Watch)
ENDING = web.AppKey("ending", asyncio.Event)
"""Set when the server stops: streams end, and their readers come back to another process."""

_log = logging.getLogger(__name__)
_access_log = logging.getLogger(f"{__name__}.access")


def _is_ours(record: logging.LogRecord) -> bool:
    """Let no stranger fill the log with tracebacks by sending what is no HTTP, or repeat in it what they sent."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        _log.info("a request that is no HTTP was refused (%s)", type(error).__name__)
        return False
    return True


logging.getLogger("aiohttp.server").addFilter(_is_ours)


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may be."""

    wait_s: float = 8.0  # for a whole header
    idle_s: float = 75.0  # between two requests; longer than load balancers rest, or they meet a closed door
    sockets: int = 2_000
    stop_s: float = 5.0  # for requests under way when the server stops
    header_bytes: int = 32_768  # of one line: a forged token of that length is refused as one, not as no HTTP


def make_app(
    *,
    routes: Sequence[web.RouteDef],
    health: Health,
    metrics: Metrics | None = None,
    metrics_token: str = "",
    limits: Limits | None = None,
) -> web.Application:
    """Make the application of ROUTES, with health and figures beside them."""
    limits = limits or Limits()
    app = web.Application(middlewares=[_guard])
    app[WATCH] = Watch(wait_s=limits.wait_s, idle_s=limits.idle_s, sockets=limits.sockets)
    app[ENDING] = asyncio.Event()
    app.add_routes([*health_routes(health, metrics, metrics_token), *routes])
    app.on_shutdown.append(_end_streams)
    app.on_response_prepare.append(_add_headers)
    return app


async def _end_streams(app: web.Application) -> None:
    app[ENDING].set()


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = current_request_id.get()
    response.headers.pop("Server", None)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, watch its connection, and turn every error into a response."""
    request_id = request_id_of(request.headers)
    current_request_id.set(request_id)
    with request.app[WATCH].answering(request.transport):
        try:
            return await handler(request)
        except FrontdeskError as error:
            response = error_response(error, request_id)
            if response.status >= 500 or (response.status == 403 and error.__cause__ is not None):
                _log.warning("%s %s: %s", request.method, request.path, error, exc_info=response.status == 500)
            return response
        except web.HTTPException as error:
            return http_error(error, request_id)
        except ConnectionError:  # the caller has gone; nobody is left to tell
            raise
        except Exception:  # noqa: BLE001 - the one place where a defect becomes a response, and the server goes on
            _log.exception("%s %s failed", request.method, request.path)
            return internal_error(request_id)


@asynccontextmanager
async def run_server(
    app: web.Application,
    host: str,
    port: int,
    *,
    limits: Limits | None = None,
    access_log: type[AbstractAccessLogger] | None = None,
) -> AsyncIterator[tuple[str, int]]:
    """Serve APP on HOST and PORT, 0 for any free one, and yield the address; ACCESS_LOG hears of each request.

    Raises UsageError where the port cannot be had. At the end requests under way have LIMITS.stop_s to finish.
    """
    limits = limits or Limits()
    logged = {"access_log_class": access_log, "access_log": _access_log} if access_log else {"access_log": None}
    runner = web.AppRunner(
        app,
        **logged,
        shutdown_timeout=limits.stop_s,
        keepalive_timeout=limits.idle_s,
        lingering_time=2.0,
        auto_decompress=False,  # a signature is over the bytes as they came, and a small body may unpack to a huge one
        max_line_size=limits.header_bytes,
        max_field_size=limits.header_bytes,
    )
    await runner.setup()
    try:
        server = await _listen(app[WATCH].wrap(_factory(runner)), host, port)
        try:
            async with app[WATCH].looking():
                yield server.sockets[0].getsockname()[:2]
        finally:
            server.close()
    finally:
        await runner.cleanup()


def _factory(runner: web.AppRunner) -> Callable[[], asyncio.Protocol]:
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    return runner.server


async def _listen(factory: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(factory, host, port, backlog=1024)
    except OSError as error:
        raise UsageError(f"Port {port} of {host} cannot be had ({error.strerror}); choose another.") from error
