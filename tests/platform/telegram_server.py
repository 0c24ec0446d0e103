"""A small Telegram on loopback that keeps the Bot API's rules.

`async with TelegramServer() as telegram:` serves the API at `telegram.base_url`, to which a token is appended, and
files at `telegram.base_file_url`. Everything refused is in `telegram.violations`; `telegram.early_calls` counts calls
within the time that a Retry-After asked for. What people do is in telegram_people.py.
"""

import asyncio
import json
import re
from typing import Any

from aiohttp import hdrs, web

from tests.platform import telegram_media, telegram_methods, telegram_settings
from tests.platform.telegram_call import METHODS, Call, Upload
from tests.platform.telegram_flood import Flood
from tests.platform.telegram_people import People
from tests.platform.telegram_state import ApiError, Bot, Clock, Draft, File, State, Violation
from tests.platform.telegram_updates import Delivery, Updates

__all__ = [
    "ApiError",
    "Clock",
    "Delivery",
    "File",
    "TelegramServer",
    "telegram_media",
    "telegram_methods",
    "telegram_settings",
]

_TOKEN = re.compile(r"\d{1,10}:[A-Za-z0-9_-]{20,}")
_GET_METHODS = ("get", "setwebhook", "deletewebhook", "close", "logout")
_MOST_BODY = 60_000_000


class TelegramServer(People):
    """The API's server; SCALE shortens the waits of polls and of webhooks' retries, not those of the clock."""

    def __init__(self, *, clock: Clock | None = None, scale: float = 1.0) -> None:
        self.clock = clock or Clock()
        self.scale = scale
        self.state = State(self.clock)
        self.flood = Flood(self.clock)
        self.updates = Updates(self.clock, scale)
        self.updates.respond = self._respond
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.refusals = 0  # calls answered as if the server were out
        self._outages: list[int] = []
        self._drops = 0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> "TelegramServer":
        app = web.Application(client_max_size=_MOST_BODY)
        app.router.add_route("*", "/bot{token}/{method}", self._take)
        app.router.add_route("*", "/file/bot{token}/{path:.+}", self._file)
        app.router.add_route("*", "/{rest:.*}", self._nowhere)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        await self.updates.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.updates.close()
        for bot in self.state.bots.values():
            if bot.poll is not None and not bot.poll.done():
                bot.poll.cancel()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        return f"{self.url}/file/bot"

    @property
    def violations(self) -> list[Violation]:
        return self.state.violations

    @property
    def early_calls(self) -> int:
        return self.flood.early_calls

    @property
    def deliveries(self) -> list[Delivery]:
        """List the attempts to deliver to webhooks, as they ended."""
        return self.updates.log

    # Faults

    def be_busy(self, bot: Bot, seconds: float, chat_id: int = 0) -> None:
        """Answer what sends to a chat, with 0 to any, with a Retry-After."""
        self.flood.hold(bot, chat_id, seconds)

    def be_out(self, calls: int, status: int = 502) -> None:
        """Answer the next calls with a server error, without doing what they ask."""
        self._outages += [status] * calls

    def drop_responses(self, calls: int) -> None:
        """Do what the next calls that send ask, and close the connection without a response."""
        self._drops += calls

    def live_drafts(self, chat: Any) -> list[Draft]:
        """List the drafts a person sees now."""
        now = self.clock.now()
        return [draft for draft in chat.drafts.values() if not draft.finished and now - draft.at < 30.0]

    def lost_drafts(self, chat: Any) -> list[Draft]:
        """List the drafts that disappeared without a message in their place."""
        now = self.clock.now()
        return [draft for draft in chat.drafts.values() if not draft.finished and now - draft.at >= 30.0]

    # HTTP

    async def _take(self, request: web.Request) -> web.StreamResponse:
        token, name = request.match_info["token"], request.match_info["method"].lower()
        try:
            bot = self._bot(token)
            self._break_down(name)
            arguments, uploads = await _arguments(request)
            result = await self.call(bot, name, arguments, uploads)
        except ApiError as error:
            return self._refuse(name, error)
        if self._drops and name.startswith("send") and name != "sendchataction":
            self._drops -= 1
            assert request.transport is not None
            request.transport.abort()
        description = {}
        if isinstance(result, tuple):
            result, said = result
            description = {"description": said}
        return web.json_response({"ok": True, "result": result, **description})

    async def call(
        self, bot: Bot, name: str, arguments: dict[str, str], uploads: dict[str, Upload] | None = None
    ) -> Any:
        """Run a method; raises ApiError."""
        self.calls.append((name, arguments))
        if name not in METHODS:
            raise ApiError(404, "Not Found: method not found")
        return await METHODS[name](Call(self, bot, name, arguments, uploads or {}))

    def _break_down(self, name: str) -> None:
        if self._outages and not name.startswith("get"):
            self.refusals += 1
            raise ApiError(self._outages.pop(0), "Bad Gateway")

    def _bot(self, token: str) -> Bot:
        if not _TOKEN.fullmatch(token):
            raise ApiError(404, "Not Found")
        if token not in self.state.bots:
            raise ApiError(401, "Unauthorized")
        return self.state.bots[token]

    def _refuse(self, name: str, error: ApiError) -> web.Response:
        self.violations.append(Violation(name, error.code, error.description))
        body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
        if error.parameters:
            body["parameters"] = error.parameters
        retry = {hdrs.RETRY_AFTER: str(error.parameters["retry_after"])} if error.code == 429 else {}
        return web.json_response(body, status=error.code, headers=retry)

    async def _respond(self, bot: Bot, said: str) -> None:
        """Run the method that a webhook's response names."""
        try:
            body = json.loads(said)
            name = str(body.pop("method", "")).lower()
            if name and not name.startswith(_GET_METHODS):
                await self.call(bot, name, {key: _written(value) for key, value in body.items()})
        except ValueError:
            return
        except ApiError as error:
            self._refuse("webhook response", error)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self.state.paths.get((request.match_info["token"], request.match_info["path"]))
        if file is None:
            return self._refuse("file", ApiError(404, "Not Found"))
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _nowhere(self, _: web.Request) -> web.StreamResponse:
        return self._refuse("", ApiError(404, "Not Found"))


async def _arguments(request: web.Request) -> tuple[dict[str, str], dict[str, Upload]]:
    """Merge the arguments of the query and of the body, in whatever form it comes."""
    found = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        body = await request.text()
        try:
            given = json.loads(body) if body.strip() else {}
        except ValueError as error:
            raise ApiError(400, "Bad Request: can't parse JSON object") from error
        if not isinstance(given, dict):
            raise ApiError(400, "Bad Request: strings with arguments expected")
        return found | {key: _written(value) for key, value in given.items() if value is not None}, uploads
    for key, value in (await request.post()).items():
        if isinstance(value, str):
            found[key] = value
        elif isinstance(value, web.FileField):
            uploads[key] = Upload(value.filename, value.content_type, await asyncio.to_thread(value.file.read))
    return found, uploads


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
