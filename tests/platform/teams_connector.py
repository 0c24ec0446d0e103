"""The service's own side on loopback: keys, tokens, the connector's REST API, and files."""

import asyncio
import json
from collections import defaultdict
from typing import Any

from aiohttp import web

from tests.platform.teams_keys import ISSUER, Keys
from tests.platform.teams_rates import MEMBERS, SEND, RateLimits
from tests.platform.teams_roster import Roster
from tests.platform.teams_rules import TeamsError, bad, check_activity, unmarked
from tests.platform.teams_state import Chat, Json, Message, State
from tests.platform.teams_streams import Streams, stream_entity

TOKEN_S = 3_600.0
SCOPE = "https://api.botframework.com/.default"
_ACTIVITIES = "/teams/{region}/{tenant}/v3/conversations/{conversation}/activities"
_TEAM = "/teams/{region}/{tenant}/v3/teams/{conversation}"


class Connector:
    """Answer what the bot asks for."""

    def __init__(self, state: State, keys: Keys, secret: str, token_tenant: str) -> None:
        self.state, self.keys, self.secret, self.token_tenant = state, keys, secret, token_tenant
        self.rates = RateLimits(state.clock)
        self.streams = Streams(state)
        self.roster = Roster(state)
        self.url = ""
        self.region = "amer"
        self.token_fetches = 0
        self.token_delay_s = 0.0
        self.unauthorized = 0
        self.refused = 0
        self.calls: list[tuple[str, str, Json]] = []  # operation, conversation, body as it came
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self._tokens: dict[str, float] = {}

    def routes(self) -> list[web.RouteDef]:
        conversations = _ACTIVITIES.partition("/{conversation}")[0]
        members = f"{conversations}/{{conversation}}"
        return [
            web.get("/v1/.well-known/openidconfiguration", self._configuration),
            web.get("/v1/.well-known/keys", self._jwks),
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.post(conversations, self._guarded("create", self._create)),
            web.post(_ACTIVITIES, self._guarded("send", self._send)),
            web.post(_ACTIVITIES + "/{activity}", self._guarded("send", self._send)),
            web.put(_ACTIVITIES + "/{activity}", self._guarded("update", self._update)),
            web.delete(_ACTIVITIES + "/{activity}", self._guarded("delete", self._delete)),
            web.get(members + "/members", self._guarded("members", self.roster.members)),
            web.get(members + "/{paged:paged[mM]embers}", self._guarded("members", self.roster.paged)),
            web.get(members + "/members/{member}", self._guarded("members", self.roster.member)),
            web.get(_TEAM, self._guarded("team", self.roster.team)),
            web.get(_TEAM + "/conversations", self._guarded("team", self.roster.channels)),
            web.get("/teams/{region}/{tenant}/v3/attachments/{file}/views/original", self._guarded("view", self._view)),
            web.get("/files/{file}", self._download),
            web.put("/files/{file}", self._upload),
        ]

    # Keys and tokens

    async def _configuration(self, _: web.Request) -> web.Response:
        found = {
            "issuer": ISSUER,
            "authorization_endpoint": "https://invalid.botframework.com",
            "jwks_uri": f"{self.url}/v1/.well-known/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }
        return web.json_response(found)

    async def _jwks(self, _: web.Request) -> web.Response:
        self.keys.fetches += 1
        return web.json_response(self.keys.jwks())

    async def _token(self, request: web.Request) -> web.Response:
        self.token_fetches += 1
        await asyncio.sleep(self.token_delay_s)
        form = await request.post()
        refusal = self._refuse_token(request.match_info["tenant"], form)
        if refusal:
            error, description = refusal
            return web.json_response({"error": error, "error_description": description}, status=400)
        token = self.keys.access_token(self.token_tenant, TOKEN_S)
        self._tokens[token] = self.state.clock.now() + TOKEN_S
        return web.json_response({"token_type": "Bearer", "expires_in": int(TOKEN_S), "access_token": token})

    def _refuse_token(self, tenant: str, form: Any) -> tuple[str, str] | None:
        if form.get("grant_type") != "client_credentials":
            return "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type."
        if tenant != self.token_tenant:
            return "unauthorized_client", "AADSTS700016: Application was not found in the directory."
        if form.get("client_id") != self.state.app_id:
            return "unauthorized_client", "AADSTS700016: Application was not found in the directory."
        if form.get("client_secret") != self.secret:
            return "invalid_client", "AADSTS7000215: Invalid client secret provided."
        if form.get("scope") != SCOPE:
            return "invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
        return None

    def expire_tokens(self) -> None:
        """Let every token that was given be worth nothing, as when the secret was changed."""
        self._tokens.clear()

    def _is_authorized(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and self._tokens.get(token, 0.0) > self.state.clock.now()

    # Every call

    def _guarded(self, operation: str, handle: Any) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            if not self._is_authorized(request):
                self.unauthorized += 1
                return web.json_response({"message": "Authorization has been denied for this request."}, status=401)
            fault = await self._fault(operation, request)
            if fault and fault != "lost":
                return await self._fail(fault, request)
            try:
                found = await self._do(operation, handle, request)
            except TeamsError as error:
                return self._refusal(operation, error)
            if fault == "lost":
                return await self._fail("reset", request)
            return found

        return answer

    async def _fault(self, operation: str, request: web.Request) -> str:
        """Take the next fault of an operation; those of "message" wait for a message, whatever else is sent before."""
        if self.faults[operation]:
            return self.faults[operation].pop(0)
        waiting = self.faults["message"] if operation == "send" else []
        return waiting.pop(0) if waiting and (await self._body(request)).get("type") == "message" else ""

    async def _do(self, operation: str, handle: Any, request: web.Request) -> web.StreamResponse:
        if request.match_info["region"] != self.region:
            raise TeamsError(404, "ConversationNotFound", "Conversation not found.")
        conversation = request.match_info.get("conversation", "")
        body = await self._body(request)
        self.calls.append((operation, conversation, body))
        table = MEMBERS if operation == "members" else SEND
        seconds = self.rates.wait_s(operation, conversation, table) if operation not in ("view", "team") else 0
        if seconds:
            raise TeamsError(429, "TooManyRequests", "API calls quota exceeded! Maximum admitted per thread.", seconds)
        found: web.StreamResponse = await handle(request, body)
        return found

    async def _body(self, request: web.Request) -> Json:
        if request.method not in ("POST", "PUT"):
            return {}
        try:
            found = json.loads(await request.text())
        except (ValueError, UnicodeDecodeError) as error:
            raise bad("The body is not JSON.") from error
        if not isinstance(found, dict):
            raise bad("The body is not an object.")
        return found

    def _refusal(self, operation: str, error: TeamsError) -> web.Response:
        self.refused += 1
        if error.status not in (429, 403, 404):
            self.state.violate(operation, str(error))
        headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
        return web.json_response(error.body(), status=error.status, headers=headers)

    async def _fail(self, fault: str, request: web.Request) -> web.StreamResponse:
        """Fail as asked: reset (nothing was done), http_STATUS, or busy_SECONDS."""
        self.refused += 1
        kind, _, number = fault.partition("_")
        if kind == "busy":
            conversation = request.match_info.get("conversation", "")
            self.rates.close("send", conversation, float(number))
            return web.json_response(
                {"error": {"code": "TooManyRequests"}}, status=429, headers={"Retry-After": number}
            )
        if kind == "http":
            return web.json_response({"error": {"code": "ServiceError"}}, status=int(number))
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    # Conversations

    def _chat(self, request: web.Request) -> tuple[Chat, str]:
        conversation = request.match_info["conversation"]
        chat = self.state.chat_of(conversation)
        if chat is None or chat.tenant.tenant_id != request.match_info["tenant"]:
            raise TeamsError(404, "ConversationNotFound", "Conversation not found.")
        if chat.blocked:
            error = TeamsError(403, "MessageWritesBlocked", "Message writes are blocked by the user.")
            raise error
        if not chat.installed:
            raise TeamsError(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        return chat, conversation

    async def _create(self, request: web.Request, body: Json) -> web.Response:
        members = body.get("members") or []
        channel = (body.get("channelData") or {}).get("channel", {}).get("id", "")
        if channel:
            chat = self.state.chat_of(channel)
        elif len(members) == 1 and not body.get("isGroup"):
            chat = self._personal(str(members[0].get("id")))
        else:
            raise TeamsError(400, "BadArgument", "Bots cannot create group chats.")
        if chat is None or not chat.installed:
            raise TeamsError(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        made = {"id": chat.conversation_id, "serviceUrl": self.service_url(chat)}
        if isinstance(body.get("activity"), dict):
            message = self._post(chat, chat.conversation_id, body["activity"], "")
            made |= {"id": message.conversation, "activityId": message.activity_id}
        return web.json_response(made, status=201)

    def _personal(self, user_id: str) -> Chat | None:
        chats = (chat for chat in self.state.chats.values() if chat.is_personal)
        return next((chat for chat in chats if chat.members[0].user_id == user_id), None)

    def service_url(self, chat: Chat) -> str:
        return f"{self.url}/teams/{self.region}/{chat.tenant.tenant_id}/"

    # Activities

    async def _send(self, request: web.Request, body: Json) -> web.Response:
        chat, conversation = self._chat(request)
        check_activity(body)
        entity = stream_entity(body)
        if entity is not None:
            status, found = self.streams.take(chat, conversation, body, entity)
            return web.json_response(found, status=status)
        if body["type"] == "typing":
            self.state.typing.append(conversation)
            return web.json_response({"id": self.state.new_id()}, status=201)
        message = self._post(chat, conversation, body, request.match_info.get("activity", ""))
        return web.json_response({"id": message.activity_id}, status=201)

    def _post(self, chat: Chat, conversation: str, body: Json, reply_to: str) -> Message:
        check_activity(body)
        if lost := unmarked(body):
            self.state.violate("citation without a mark", str(lost))
        recipient = body.get("recipient") or {}
        targeted = str(recipient.get("id")) if recipient.get("isTargeted") else ""
        if targeted and chat.is_personal:
            raise TeamsError(400, "BadArgument", "Targeted messages are not supported in personal chats.")
        activity_id = self.state.new_id()
        if chat.scope == "channel" and ";messageid=" not in conversation:
            conversation = f"{conversation};messageid={activity_id}"
        now = self.state.clock.now()
        message = Message(activity_id, conversation, self.state.bot_id, body, now, targeted, reply_to=reply_to)
        self.state.messages.append(message)
        return message

    def _own(self, request: web.Request) -> Message:
        _, conversation = self._chat(request)
        message = self.state.find(conversation, request.match_info["activity"])
        if message is None or message.deleted:
            raise TeamsError(404, "ActivityNotFoundInConversation", "The activity is not in the conversation.")
        if message.author_id != self.state.bot_id:
            raise TeamsError(403, "BadSyntax", "The bot may change its own messages alone.")
        return message

    async def _update(self, request: web.Request, body: Json) -> web.Response:
        message = self._own(request)
        check_activity(body)
        if lost := unmarked(body):
            self.state.violate("citation without a mark", str(lost))
        message.edits.append(message.body)
        message.body = body
        return web.json_response({"id": message.activity_id})

    async def _delete(self, request: web.Request, _: Json) -> web.Response:
        self._own(request).deleted = True
        return web.json_response({})

    # Files

    async def _view(self, request: web.Request, _: Json) -> web.Response:
        return await self._download(request)

    async def _download(self, request: web.Request) -> web.Response:
        data = self.files.get(request.match_info["file"])
        return web.Response(status=404) if data is None else web.Response(body=data)

    async def _upload(self, request: web.Request) -> web.Response:
        self.uploads[request.match_info["file"]] = await request.read()
        return web.json_response({}, status=201)
