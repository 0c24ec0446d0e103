"""The doors of a small Slack: the Web API, files, response URLs, OAuth and sockets."""

import asyncio
import base64
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.platform import slack_methods_more as _more
from tests.platform.slack_blocks import check_blocks
from tests.platform.slack_delivery import Sockets
from tests.platform.slack_methods import METHODS, Call, Method
from tests.platform.slack_rates import T1, T3, T4, RateLimits
from tests.platform.slack_state import Json, Message, ResponseUrl, SlackError, State, Workspace

LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in</body></html>"
FLAGS = {"include_all_metadata", "include_locale", "reply_broadcast", "unfurl_links", "unfurl_media"}
SETTLED_ELSEWHERE = {"oauth.v2.access": T4, "apps.connections.open": T1, "auth.revoke": T3, "apps.uninstall": T1}
assert _more.STATUSES  # importing it registers its methods


@dataclass(frozen=True)
class App:
    """The app's own secrets."""

    app_id: str
    app_token: str
    client_id: str
    client_secret: str


class Dropped(Exception):
    """The connection ends without an answer."""


def _decoded(name: str, value: Any) -> Any:
    """Read an argument of a query or a form: structures are JSON there, and flags are words."""
    if name in FLAGS and value in ("1", "0", "true", "false"):
        return value in ("1", "true")
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


async def arguments_of(request: web.Request) -> tuple[Json, str]:
    """Merge a call's query, form and JSON arguments; return them and the token.

    A token in JSON does not count; structures inside a query or a form are JSON.
    """
    arguments: Json = {name: _decoded(name, value) for name, value in request.query.items()}
    token = str(arguments.pop("token", ""))
    if request.content_type == "application/json":
        body = json.loads(await request.read() or b"{}")
        arguments |= {name: value for name, value in body.items() if name != "token"}
    elif request.can_read_body:
        form = await request.post()
        arguments |= {name: _decoded(name, value) for name, value in form.items()}
        token = str(arguments.pop("token", "")) or token
    header = request.headers.get("Authorization", "")
    return arguments, header[7:].strip() if header.lower().startswith("bearer ") else token


async def uploaded(request: web.Request) -> bytes:
    """Read the bytes of a file, which the SDKs send as they are or as the one part of a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    parts = [part for part in (await request.post()).values() if isinstance(part, web.FileField)]
    return parts[0].file.read() if parts else b""


def login_of(request: web.Request, arguments: Json) -> tuple[str, str]:
    """Return the client id and secret, from the header or the arguments."""
    header = request.headers.get("Authorization", "")
    if header.lower().startswith("basic "):
        name, _, secret = base64.b64decode(header[6:]).decode().partition(":")
        return name, secret
    return str(arguments.get("client_id") or ""), str(arguments.get("client_secret") or "")


@dataclass
class Api:
    """Answer what the app asks."""

    state: State
    app: App
    rates: RateLimits
    sockets: Sockets
    announce: Any  # (workspace, event type, event) -> None
    base_url: str = ""
    calls: list[tuple[str, Json]] = field(default_factory=list)  # every call that was carried out
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # what happens to the next calls
    slow_s: dict[str, float] = field(default_factory=dict)  # how long a method takes

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/api/{method}", self.handle),
            web.get("/files-pri/{place}/download/{name}", self.download),
            web.post("/upload/v1/{file_id}", self.upload),
            web.post("/respond/{key}", self.respond),
            web.get("/oauth/v2/authorize", self.authorize),
            web.get("/link/", self.sockets.serve),
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        arguments, token = await arguments_of(request)
        await asyncio.sleep(self.slow_s.get(name, 0.0))
        try:
            answer = self._answer(name, arguments, token, request)
        except SlackError as error:
            return self._refusal(name, error)
        except Dropped:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response({"ok": True, **answer})

    def _refusal(self, name: str, error: SlackError) -> web.Response:
        self.state.violate(name, error.code, "; ".join(error.details))
        if error.code.startswith("http_"):
            return web.Response(status=int(error.code.removeprefix("http_")), text="upstream error")
        if error.code == "ratelimited":
            headers = {"Retry-After": str(error.more["retry_after_s"])}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        body: Json = {"ok": False, "error": error.code, **error.more}
        if error.details:
            body["response_metadata"] = {"messages": [f"[ERROR] {detail}" for detail in error.details]}
            body["errors"] = list(error.details)
        return web.json_response(body)

    def _answer(self, name: str, arguments: Json, token: str, request: web.Request) -> Json:
        fault = self.faults[name].pop(0) if self.faults[name] else ""
        if fault == "reset":
            raise Dropped
        if fault == "nameless":
            return {}
        if fault not in ("", "lost", "unnamed", "unreadable"):
            raise SlackError(fault, **({"retry_after_s": 1} if fault == "ratelimited" else {}))
        answer = self._carry_out(name, arguments, token, request)
        self.calls.append((name, arguments))
        if fault == "lost":
            raise Dropped
        if fault == "unreadable":
            raise SlackError("http_200")
        return {} if fault == "unnamed" else answer

    def _carry_out(self, name: str, arguments: Json, token: str, request: web.Request) -> Json:
        if name in SETTLED_ELSEWHERE:
            self._keep_pace(name, self.app.app_id, SETTLED_ELSEWHERE[name])
            return self._of_the_app(name, arguments, token, request)
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        workspace = self.authenticate(token)
        self._pace(name, method, workspace, arguments)
        call = Call(self.state, workspace, arguments, self.announce, self.base_url)
        if method.scope:
            call.need(method.scope)
        return method.run(call)

    def authenticate(self, token: str) -> Workspace:
        if not token:
            raise SlackError("not_authed")
        if token in self.state.revoked:
            raise SlackError("token_revoked")
        workspace = self.state.workspace_of(token)
        if workspace is None:
            raise SlackError("invalid_auth")
        if not workspace.installed:
            raise SlackError("account_inactive")
        return workspace

    def _pace(self, name: str, method: Method, workspace: Workspace, arguments: Json) -> None:
        key, tier = workspace.team_id, method.tier
        if name == "chat.postMessage":
            key += f":{arguments.get('channel')}"
        if workspace.commercial and name in ("conversations.history", "conversations.replies"):
            tier = T1
        self._keep_pace(name, key, tier)

    def _keep_pace(self, name: str, key: str, tier: int) -> None:
        if wait_s := self.rates.wait_s(name, key, tier):
            raise SlackError("ratelimited", key, retry_after_s=wait_s)

    def _of_the_app(self, name: str, arguments: Json, token: str, request: web.Request) -> Json:
        if name == "apps.connections.open":
            if token != self.app.app_token:
                raise SlackError("invalid_auth" if token else "not_authed")
            return {"url": self.sockets.ticket(self.base_url)}
        if name == "oauth.v2.access":
            return self._exchange(arguments, *login_of(request, arguments))
        workspace = self.authenticate(token)
        if name == "auth.revoke":
            if str(arguments.get("test", "")) not in ("1", "true", "True"):
                self.state.revoked.add(token)
                self.announce(workspace, "tokens_revoked", {"tokens": {"bot": [workspace.bot_user_id], "oauth": []}})
            return {"revoked": True}
        self._check_login(*login_of(request, arguments))
        workspace.installed = False
        self.announce(workspace, "app_uninstalled", {})
        return {}

    def _check_login(self, client_id: str, client_secret: str) -> None:
        if client_id != self.app.client_id:
            raise SlackError("invalid_client_id")
        if client_secret != self.app.client_secret:
            raise SlackError("bad_client_secret")

    def _exchange(self, arguments: Json, client_id: str, client_secret: str) -> Json:
        self._check_login(client_id, client_secret)
        code = self.state.codes.pop(str(arguments.get("code")), None)
        if code is None:
            raise SlackError("invalid_code")
        team_id, redirect_uri = code
        if redirect_uri and arguments.get("redirect_uri") != redirect_uri:
            raise SlackError("bad_redirect_uri")
        workspace = self.state.workspaces[team_id]
        workspace.installed, workspace.bot_token = True, f"xoxb-{self.state.identifier('token')}"
        return {
            "access_token": workspace.bot_token,
            "token_type": "bot",
            "scope": ",".join(sorted(workspace.scopes)),
            "bot_user_id": workspace.bot_user_id,
            "app_id": workspace.app_id,
            "team": {"id": team_id, "name": workspace.name},
            "enterprise": None,
            "is_enterprise_install": False,
            "authed_user": {"id": next(iter(self.state.users))},
        }

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """Agree to an installation into the workspace named by TEAM, the first one where none is."""
        if request.query.get("client_id") != self.app.client_id:
            return web.Response(status=400, text="invalid_client_id")
        team_id = request.query.get("team") or next(iter(self.state.workspaces))
        self.state.workspaces[team_id].scopes |= {s for s in request.query.get("scope", "").split(",") if s}
        code, back = self.state.identifier("code"), request.query.get("redirect_uri", "")
        self.state.codes[code] = (team_id, back)
        state = request.query.get("state", "")
        sign = "&" if "?" in back else "?"
        raise web.HTTPFound(f"{back}{sign}code={code}&state={state}")

    async def download(self, request: web.Request) -> web.Response:
        """Send a file; without the right to it a login page, with status 200 as Slack does."""
        file = self.state.files.get(request.match_info["place"].partition("-")[2])
        header = request.headers.get("Authorization", "")
        workspace = self.state.workspace_of(header.removeprefix("Bearer ")) if header.startswith("Bearer ") else None
        allowed = workspace and workspace.installed and "files:read" in workspace.scopes
        if file is None or workspace is None or not allowed or file.team_id != workspace.team_id:
            self.state.violate("file", "login_page", "no token" if workspace is None else "files:read")
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        return web.Response(body=file.content, content_type=file.mimetype)

    async def upload(self, request: web.Request) -> web.Response:
        file = self.state.files.get(request.match_info["file_id"])
        if file is None or file.complete:
            return web.Response(status=404, text="not found")
        file.content = await uploaded(request)
        return web.Response(text=f"OK - {len(file.content)}")

    async def respond(self, request: web.Request) -> web.Response:
        """Take a message through a response_url: five uses in half an hour."""
        url = self.state.response_urls.get(request.match_info["key"])
        try:
            url = self._usable(url)
            self._say_back(url, json.loads(await request.read()))
        except SlackError as error:
            self.state.violate("response_url", error.code, "; ".join(error.details))
            return web.Response(status=404, text=error.code)
        url.uses += 1
        return web.Response(text="ok")

    def _usable(self, url: ResponseUrl | None) -> ResponseUrl:
        if url is None:
            raise SlackError("invalid_url")
        if url.uses >= 5:
            raise SlackError("used_url")
        if self.state.clock.now() > url.made_at + 30 * 60:
            raise SlackError("expired_url")
        return url

    def _say_back(self, url: ResponseUrl, body: Json) -> None:
        if body.get("delete_original") and url.message is not None:
            url.message.deleted = True
            return
        text, blocks = str(body.get("text") or "")[:40_000], check_blocks(body.get("blocks") or [])
        if not text and not blocks:
            raise SlackError("no_text")
        if body.get("replace_original") and url.message is not None:
            url.message.text, url.message.blocks = text, blocks
            url.message.edits += 1
            return
        message = self._from_url(url, body, text, blocks)
        if not message.ephemeral_to or self.state.reaches("response_url", message.ephemeral_to):
            self.state.messages.append(message)

    def _from_url(self, url: ResponseUrl, body: Json, text: str, blocks: list[Json]) -> Message:
        workspace = self.state.workspaces[self.state.channels[url.channel].team_id]
        author: Json = {"user": workspace.bot_user_id, "bot_id": workspace.bot_id, "app_id": workspace.app_id}
        private = "" if body.get("response_type") == "in_channel" else url.user_id
        place: Json = {"channel": url.channel, "ts": self.state.new_ts(), "thread_ts": str(body.get("thread_ts") or "")}
        return Message(**place, **author, text=text, blocks=blocks, ephemeral_to=private, arguments=body)
