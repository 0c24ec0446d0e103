"""Routes for those who watch: alive, ready, and figures."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from adapters.web.requests import Unauthorized, bearer, same_secret
from core.checks import Health

Metrics = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Write the figures in the format that an Accept header asks for; return them with their content type."""


def health_routes(health: Health, metrics: Metrics | None = None, metrics_token: str = "") -> list[web.RouteDef]:
    """Make the routes; with METRICS_TOKEN the figures are for those alone who show it."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        report = await health.report()
        parts = {
            name: {"state": part.state, "required": part.required, **part.figures}
            for name, part in report.parts.items()
        }
        body = {"status": "ok" if report.ready else "unavailable", "parts": parts}
        return web.json_response(body, status=200 if report.ready else 503)

    routes = [web.get("/health/live", live), web.get("/health/ready", ready)]
    return [*routes, _metrics_route(metrics, metrics_token)] if metrics else routes


def _metrics_route(metrics: Metrics, token: str) -> web.RouteDef:
    async def figures(request: web.Request) -> web.Response:
        if token and not same_secret(bearer(request.headers), token):
            raise Unauthorized("The figures ask for a bearer token; send the one of the settings.")
        body, content_type = await metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return web.get("/metrics", figures)
