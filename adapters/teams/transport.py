"""Call the connector: five calls over our own connections, paced, with its refusals as our errors.

botbuilder's own client sends by blocking requests in a few threads, drops the fields of entities that carry streams
and citations, and signs in anew for each turn; docs/howto/teams.md tells more. What goes out here are plain dicts.
learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from adapters.teams.authenticate import is_loopback
from adapters.teams.limits import REQUESTS_PER_SECOND, SERVICE_HOSTS
from adapters.teams.outbound import addressed
from adapters.teams.payload import host_allowed
from adapters.teams.tokens import Tokens
from core.errors import Busy, ChannelUnavailable, FrontdeskError, Rejected, Uncertain
from core.pacing import TEAMS_THREAD, Pacer, Rate, Rule, Slot
from core.payloads import objects_at, parse_object, retry_after_s, text_at

PATIENCE_S = 5.0  # for a turn, before the caller is told to come back
_TENANT = Rule((Rate(REQUESTS_PER_SECOND, 1.0),))
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_RETRY_S, _LONGEST_RETRY_S = 1.0, 300.0
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_NOT_DONE = "Teams did not do this right now ({status}); it is tried again."
_UNSURE = "Teams did not answer, so it may have posted the message or not."
_FOREIGN = "The address {host} is not one of the Bot Framework's, so no token is sent there."
_TOKEN = "Teams refuses the bot's token; check TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID."  # noqa: S105


class Refusal(Rejected):
    """Say that Teams refuses a call, with its status and its words."""

    def __init__(self, status: int, code: str, said: str) -> None:
        super().__init__(f"Teams refuses it: {status} {code} {said[:300]}".rstrip(" .") + ".")
        self.status, self.code, self.said = status, code, said.lower()

    @property
    def is_size(self) -> bool:
        """Tell whether it was too large."""
        return self.status == 413 or self.code == "MessageSizeTooBig" or "size too large" in self.said

    @property
    def is_gone(self) -> bool:
        """Tell whether what it was about is not there, or not any more."""
        return self.status == 404

    @property
    def is_unable(self) -> bool:
        """Tell whether this connector does such a thing never: those outside Teams change and delete nothing."""
        return self.status in (405, 501)

    @property
    def is_stop(self) -> bool:
        """Tell whether a reader has stopped the stream."""
        return "canceled by user" in self.said


class Transport:
    """Send, change and delete what stands in conversations."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        tokens: Tokens | None,
        pacer: Pacer,
        app_id: str,
        *,
        hosts: Sequence[str] = (),
    ) -> None:
        """Call as APP_ID; without TOKENS, hosts on this machine and no others. HOSTS are allowed beside Microsoft's."""
        self._session = session
        self._tokens = tokens
        self._pacer = pacer
        self._app_id = app_id
        self._hosts = (*SERVICE_HOSTS, *hosts)

    def may_call(self, service_url: str) -> bool:
        """Tell whether the bot's token may be sent to SERVICE_URL."""
        if self._tokens is None:
            return is_loopback(_host_of(service_url))
        return host_allowed(service_url, self._hosts)

    async def send(
        self, address: Mapping[str, Any], activity: Mapping[str, Any], *, patience_s: float | None = PATIENCE_S
    ) -> str:
        """Post ACTIVITY to the conversation of ADDRESS and return its id; empty where a stream goes on.

        Raises Refusal, Busy, ChannelUnavailable, and Uncertain where it may have been posted.
        """
        body = addressed(activity, address)
        answer = await self._call("POST", address, "/activities", body, patience_s, makes=_makes(activity))
        return text_at(answer, "id")

    async def update(
        self,
        address: Mapping[str, Any],
        message_id: str,
        activity: Mapping[str, Any],
        *,
        patience_s: float | None = PATIENCE_S,
    ) -> None:
        """Put ACTIVITY in place of a message; raises as `send`, but never Uncertain."""
        body = {**addressed(activity, address), "id": message_id}
        await self._call("PUT", address, f"/activities/{quote(message_id, safe='')}", body, patience_s)

    async def delete(self, address: Mapping[str, Any], message_id: str) -> None:
        """Delete a message; raises as `update`."""
        await self._call("DELETE", address, f"/activities/{quote(message_id, safe='')}", None, PATIENCE_S)

    async def open_personal(self, address: Mapping[str, Any]) -> dict[str, Any]:
        """Return the address of the personal chat with the user of ADDRESS; raises as `update`."""
        user, tenant = str(address.get("user", "")), str(address.get("tenant", ""))
        body = {
            "isGroup": False,
            "bot": {"id": address.get("bot", ""), "name": address.get("bot_name", "")},
            "members": [{"id": user}],
            "tenantId": tenant,
            "channelData": {"tenant": {"id": tenant}},
        }
        answer = await self._call("POST", {**address, "conversation": ""}, "", body, PATIENCE_S)
        personal = {name: held for name, held in address.items() if name != "private"}
        return {**personal, "conversation": text_at(answer, "id"), "scope": "personal"}

    def _slots(self, address: Mapping[str, Any]) -> list[Slot]:
        where = str(address.get("conversation") or f"new\x1f{address.get('user', '')}")
        return [
            _TENANT.slot("teams", self._app_id, str(address.get("tenant", ""))),
            TEAMS_THREAD.slot("teams", self._app_id, "thread", where),
        ]

    async def _call(
        self,
        method: str,
        address: Mapping[str, Any],
        path: str,
        body: Mapping[str, Any] | None,
        patience_s: float | None,
        *,
        makes: bool = False,
    ) -> dict[str, Any]:
        service_url = str(address.get("serviceUrl", ""))
        if not self.may_call(service_url):
            raise Refusal(0, "", _FOREIGN.format(host=_host_of(service_url)))
        conversation = str(address.get("conversation", ""))
        url = f"{service_url.rstrip('/')}/v3/conversations"
        url += f"/{quote(conversation, safe='')}{path}" if conversation else path
        slots = self._slots(address)
        for last in (False, True):
            token = await self._tokens.get() if self._tokens else ""
            await self._pacer.wait(slots, most_s=patience_s)
            status, headers, text = await self._request(method, url, body, token, makes=makes)
            if status != 401 or last or self._tokens is None:
                break
            self._tokens.drop(token)
        if 200 <= status < 300:
            return _read_done(text, makes=makes)
        raise await self._refusal(status, headers, text, slots[-1])

    async def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None, token: str, *, makes: bool
    ) -> tuple[int, Mapping[str, str], str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:  # UTF-8 as it is: escapes would double the size that Teams counts
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            headers["Content-Type"] = "application/json; charset=utf-8"
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=data, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                return response.status, response.headers, await response.text(errors="replace")
        except _NOT_SENT as error:
            raise ChannelUnavailable("Teams cannot be reached; check the network.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if makes:
                raise Uncertain(_UNSURE) from error
            raise ChannelUnavailable(_NOT_DONE.format(status="no answer")) from error

    async def _refusal(self, status: int, headers: Mapping[str, str], text: str, slot: Slot) -> FrontdeskError:
        """Say what a call that was not carried out is to us."""
        if status == 429:
            seconds = max(_RETRY_S, retry_after_s(headers.get("Retry-After", ""), _LONGEST_RETRY_S))
            await self._pacer.hold(slot.key, seconds)
            return Busy("Teams wants us to wait.", seconds)
        if status == 401:
            return ChannelUnavailable(_TOKEN)
        if status in (408, 412) or (status >= 500 and status != 501) or 300 <= status < 400:
            return ChannelUnavailable(_NOT_DONE.format(status=status))
        answer = parse_object(text) or {}
        said = text_at(answer, "error", "message") or text_at(answer, "message")
        return Refusal(status, text_at(answer, "error", "code"), said)


def _read_done(text: str, *, makes: bool) -> dict[str, Any]:
    """Read what a call that was carried out says; another page than a connector's is a proxy's, which may do nothing.

    Raises ChannelUnavailable, and Uncertain where it MAKES a message.
    """
    if text.strip() in ("", "null"):
        return {}
    answer = parse_object(text)
    if answer is None:
        raise Uncertain(_UNSURE) if makes else ChannelUnavailable(_NOT_DONE.format(status="another's answer"))
    return answer


def _makes(activity: Mapping[str, Any]) -> bool:
    """Tell whether a message comes about: by a message that ends no stream, or by the beginning of a stream."""
    streams = [entity for entity in objects_at(activity, "entities") if text_at(entity, "type") == "streaminfo"]
    if streams:
        return not text_at(streams[0], "streamId")
    return text_at(activity, "type") == "message"


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
