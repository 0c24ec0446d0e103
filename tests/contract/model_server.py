"""A loopback chat server that keeps the API's rules and misbehaves on command, and a page that an answer goes to."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

from aiohttp import web

PARAMETERS = {"model", "messages", "stream", "max_tokens", "max_completion_tokens", "temperature", "stream_options"}

CUT, STALL = object(), object()  # what a stream may do between its bytes
DONE = b"data: [DONE]\n\n"


def chunk(content=None, finish=None, **more):
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "model": "m-2026", "choices": [choice], **more}
    return f"data: {json.dumps(chunk)}\n\n".encode()


COUNT = chunk(choices=[], usage={"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 26})
WHOLE = (chunk(""), chunk("Lunch"), chunk(" is 20."), chunk(finish="stop"), COUNT, DONE)


def stream(*parts, content_type="text/event-stream", pause_s=0.0):
    async def answer(request):
        response = web.StreamResponse(headers={"content-type": content_type})
        await response.prepare(request)
        for part in parts:
            if part is CUT:
                await asyncio.sleep(0.02)  # let the bytes before it arrive
                request.transport.abort()
            elif part is STALL:
                await asyncio.Event().wait()
            else:
                await response.write(part)
                await asyncio.sleep(pause_s)
        return response

    return answer


def reply(status, body, content_type="application/json", **headers):
    async def answer(request):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, content_type=content_type, headers=named)

    return answer


def error(status, message="no", code=None, param=None, **headers):
    return reply(status, {"error": {"message": message, "type": "error", "code": code, "param": param}}, **headers)


async def reset(request):
    request.transport.abort()
    return web.Response()


async def no_http(request):
    request.transport.write(b"I am not a web server\r\n\r\n")
    return await reset(request)


def strict(*refused):
    """Refuse the parameters REFUSED one by one, as OpenAI does, and answer without them."""

    async def answer(request):
        body = await request.json()
        for name in refused:
            if name in body:
                return await error(400, f"Unsupported parameter: '{name}'.", "unsupported_parameter", name)(request)
        return await stream(*WHOLE)(request)

    return answer


# One answer in all the forms servers give it.
SAME_ANSWER = {
    "one packet": [b"".join(WHOLE)],
    "byte by byte": [b"".join(WHOLE)[i : i + 1] for i in range(len(b"".join(WHOLE)))],
    "CRLF": [b"".join(WHOLE).replace(b"\n", b"\r\n")],
    "keep-alives": [b": wait\n\n", chunk("Lunch"), b":\n\n", chunk(" is 20."), chunk(finish="stop"), COUNT, DONE],
    "no last blank line": [*WHOLE[:-2], COUNT.strip()],
    "no [DONE]": WHOLE[:-1],
    "no end of the stream": [*WHOLE, STALL],
    "a cut behind the text": [*WHOLE[:-1], CUT],
    "ending with the last piece": [chunk("Lunch is"), chunk(" 20.", "stop"), COUNT, DONE],
    "text behind the ending": [*WHOLE[:-2], chunk(" Or 30."), COUNT, DONE],
    "an empty ending": [chunk("Lunch is 20.", ""), *WHOLE[3:]],
    "another word for stop": [chunk("Lunch is 20."), chunk(finish="eos_token"), COUNT, DONE],
    "reasoning aside": [b'data: {"choices":[{"delta":{"reasoning_content":"Hm.","content":null}}]}\n\n', *WHOLE],
    "filter results first": [chunk(choices=[], prompt_filter_results=[{}]), *WHOLE],
}

# What passes: asking again heals it.
RETRIED = {
    "500": error(500),
    "503 with HTML": reply(503, "<html>busy</html>", "text/html"),
    "429": error(429),
    "408": error(408),
    "409": error(409),
    "reset before the headers": reset,
    "no HTTP": no_http,
    "cut in the middle": stream(chunk("Lunch"), CUT),
    "clean early end": stream(chunk("Lunch"), DONE),
    "nothing at all": stream(),
    "half an event": stream(chunk("Lunch"), b'data: {"choi', CUT),
    "error in the stream": stream(
        chunk("Lunch"), b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    ),
    "error event": stream(chunk("Lunch"), b'event: error\ndata: {"message":"overloaded"}\n\n'),
    "502 in the stream": stream(b'data: {"error":{"code":502,"message":"bad gateway"},"choices":[]}\n\n'),
    "error as a string": stream(b'data: {"error":"overloaded"}\n\n'),
}

# What does not: asking again would bring the same.
FINAL = {
    "400": error(400),
    "401": error(401),
    "403": error(403),
    "404": error(404),
    "422": reply(422, {"detail": [{"loc": ["body", "model"], "msg": "wrong"}]}),
    "quota used up": error(429, code="insufficient_quota"),
    "400 in the stream": stream(chunk("Lunch"), b'data: {"error":{"code":400,"message":"bad"}}\n\n'),
    "rubbish": stream(chunk("Lunch"), b"data: {rubbish\n\n", *WHOLE),
    "a list": stream(chunk("Lunch"), b"data: []\n\n", *WHOLE),
    "choices of another shape": stream(b'data: {"choices":[7]}\n\n', *WHOLE),
    "content of another shape": stream(b'data: {"choices":[{"delta":{"content":{"a":1}}}]}\n\n', *WHOLE),
    "broken UTF-8": stream(b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', *WHOLE),
    "deep nesting": stream(b"data: " + b"[" * 100_000 + b"\n\n", *WHOLE),
    "HTML with 200": reply(200, "<html>Log in</html>", "text/html"),
    "plain text": reply(200, "ok", "text/plain"),
    "JSON that is cut": reply(200, '{"choices": [{"message"'),
    "an unknown type": stream(*WHOLE, content_type="application/x-ndjson"),
    "filtered": stream(chunk("Lunch"), chunk(finish="content_filter"), DONE),
    "a call of a tool": stream(chunk("Lunch"), chunk(finish="tool_calls"), DONE),
    "empty": stream(chunk(""), chunk(finish="stop"), COUNT, DONE),
    "blank": stream(chunk(" \n"), chunk(finish="stop"), COUNT, DONE),
    "nothing within the limit": stream(chunk(finish="length"), COUNT, DONE),
    "endless": stream(*([b": " + b"x" * (1 << 20) + b"\n"] * 40)),
}

# How servers say that the messages are too long.
TOO_LONG = {
    "OpenAI": error(400, "This is too long.", "context_length_exceeded", "messages"),
    "vLLM": error(400, "'max_tokens' is too large: 50. This model's maximum context length is 20 tokens."),
    "llama.cpp": error(400, "the request exceeds the available context size, try increasing it"),
    "413": reply(413, "too large", "text/plain"),
    "in the stream": stream(b'data: {"error":{"code":"context_length_exceeded","message":"too long"}}\n\n'),
}


def fault_of(body, headers):
    """Check a request against the API's rules."""
    if headers.get("authorization") != "Bearer secret" or headers.get("content-type") != "application/json":
        return "headers"
    if unknown := set(body) - PARAMETERS:
        return f"unknown parameters {unknown}"
    if not body["messages"] or any(set(message) != {"role", "content"} for message in body["messages"]):
        return "messages"
    if ("max_tokens" in body) == ("max_completion_tokens" in body) or body["stream"] is not True:
        return "limits"
    return ""


class ModelServer:
    """Play a script: one behaviour for each request, the last one for all that follow."""

    def __init__(self):
        self.script, self.bodies, self.arrivals_s, self.peers = [stream(*WHOLE)], [], [], set()
        self.base_url, self.hung_up = "", asyncio.Event()

    @property
    def requests(self):
        return len(self.bodies)

    async def handle(self, request):
        body = await request.json()
        if fault := fault_of(body, request.headers):
            return await error(418, fault)(request)
        behaviour = self.script[min(self.requests, len(self.script) - 1)]
        self.bodies.append(body)
        self.arrivals_s.append(time.monotonic())
        self.peers.add(request.transport.get_extra_info("peername"))
        try:
            return await behaviour(request)
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up.set()
            raise


@asynccontextmanager
async def running_server():
    server = ModelServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


class Page:
    """What a reader sees while an answer is written."""

    def __init__(self):
        self.text, self.restarts = "", 0
        self.begun, self.taken_back = asyncio.Event(), asyncio.Event()

    async def write(self, text):
        assert text
        text.encode()
        self.text += text
        self.begun.set()

    async def restart(self):
        assert self.text, "nothing to take back"
        self.text, self.restarts = "", self.restarts + 1
        self.taken_back.set()
