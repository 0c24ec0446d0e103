"""One structured log line for each HTTP request."""

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, StreamResponse

from core.tracing import bound

_QUIET = ("/health", "/metrics")  # asked every few seconds by machines


class AccessLog(AbstractAccessLogger):
    """Write method, path, status, seconds and bytes with headers; of the query nothing, it may hold a secret.

    The request id is that of the response's X-Request-Id.
    """

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:  # noqa: A002, RUF100
        """Write one line."""
        quiet = response.status < 400 and request.path.startswith(_QUIET)
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status,
            "seconds": round(time, 6),
            "bytes": response.body_length,
            "remote": request.remote or "",
        }
        with bound(response.headers.get("X-Request-Id", "")):
            (self.logger.debug if quiet else self.logger.info)("request", extra=fields)
