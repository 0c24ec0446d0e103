"""Servers that stand in for Telegram: they lack methods, say so in many ways, and answer in shapes of their own."""

import asyncio

from aiohttp import web

from tests.platform.telegram_server import TelegramServer

# How a method is answered that a server does not have, as those say it that people test their bots with.
UNKNOWN = {
    "404 of the Bot API": (404, {"ok": False, "error_code": 404, "description": "Not Found: method not found"}),
    "404 with a page": (404, "<html><pre>Cannot POST /bot/method</pre></html>"),
    "404 with a detail": (404, {"detail": "Not Found"}),
    "405": (405, {"detail": "Method Not Allowed"}),
    "501": (501, ""),
    "500 in words": (500, {"message": "API method 'x' is not supported. Check out the list of methods"}),
    "200 with an error": (200, {"ok": False, "error_code": 404, "description": "Not Found"}),
    "a list": (404, [1]),
}


class StandIn(TelegramServer):
    """A small Telegram without the methods LACKS, each answered with UNKNOWN, and with RESULTS of its own.

    What `stray` lists for a method is the answer to its next calls, which are not done.
    """

    def __init__(self, *, lacks=(), unknown=UNKNOWN["404 of the Bot API"], results=None, **more):
        super().__init__(**more)
        self.lacks = {name.lower() for name in lacks}
        self.unknown = unknown
        self.results = {name.lower(): result for name, result in (results or {}).items()}
        self.stray = {}
        self.polls = asyncio.Condition()
        self.polled = 0

    async def _take(self, request):
        name = request.match_info["method"].lower()
        if name == "getupdates":
            async with self.polls:
                self.polled += 1
                self.polls.notify_all()
        if name in self.lacks:
            self.calls.append((name, {}))
            return _said(*self.unknown)
        if self.stray.get(name):
            self.calls.append((name, {}))
            return _said(*self.stray[name].pop(0))
        response = await super()._take(request)
        if name in self.results and response.status == 200:
            return web.json_response({"ok": True, "result": self.results[name]})
        return response


def _said(status, body):
    if isinstance(body, str):
        return web.Response(status=status, text=body, content_type="text/html")
    return web.json_response(body, status=status)
