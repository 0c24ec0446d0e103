"""A small Slack on loopback: who and what is in it, and how the app hears of it."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.platform import slack_payloads as payloads
from tests.platform.slack_api import Api, App
from tests.platform.slack_delivery import Ack, Delivery, Rules, Sockets
from tests.platform.slack_methods import HISTORY
from tests.platform.slack_rates import EarlyCall, RateLimits
from tests.platform.slack_state import (
    Channel,
    Clock,
    File,
    Group,
    Json,
    State,
    User,
    Violation,
    Workspace,
)

SCOPES = frozenset(
    "app_mentions:read assistant:write channels:history channels:read chat:write commands files:read files:write "
    "groups:history groups:read im:history im:read im:write mpim:history mpim:read mpim:write reactions:read "
    "reactions:write team:read usergroups:read users:read users:read.email".split()
)
_EVENT_SCOPES = {"app_mention": "app_mentions:read", "reaction_added": "reactions:read", "file_shared": "files:read"}


class World:
    """A small Slack with everybody in it, before anybody does anything."""

    def __init__(self, *, signing_secret: str = "a signing secret", ack_s: float = 3.0, time_scale: float = 1.0):
        self.app = App("A0FRONTDESK", "xapp-1-loopback", "1234.5678", "a client secret")
        self.rules = Rules(signing_secret, ack_s=ack_s, time_scale=time_scale)
        self.state = State()
        self.rates = RateLimits(self.state.clock)
        self.sockets = Sockets(self.state, self.app.app_id)
        self.api = Api(self.state, self.app, self.rates, self.sockets, self._announce)
        self.echo = True  # whether the app hears of its own messages, as it does on the platform
        self.subscribed: set[str] | None = None  # names as in a manifest, message.im for example; None: every event
        self.url = ""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self._delivery = Delivery(self.state, self.rules, self.sockets, self._session)
        application = web.Application(client_max_size=1 << 30)
        application.add_routes(self.api.routes())
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = self.api.base_url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.sockets.drop()
        await self._session.close()
        await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def clock(self) -> Clock:
        return self.state.clock

    @property
    def violations(self) -> list[Violation]:
        return self.state.violations

    @property
    def early_calls(self) -> list[EarlyCall]:
        return self.rates.early_calls

    @property
    def acks(self) -> list[Ack]:
        return self._delivery.acks

    @property
    def calls(self) -> list[tuple[str, Json]]:
        return self.api.calls

    def misbehave(self, method: str, *faults: str) -> None:
        """Have the next calls of METHOD fail: an error code, ratelimited, http_500, reset (not done), lost (done).

        Done too: unreadable, which is answered by no JSON, and unnamed, of which nothing is said but that it was done.
        """
        self.api.faults[method] += faults

    # Who and what there is

    def workspace(self, name: str = "acme", *, scopes: Iterable[str] = SCOPES, installed: bool = True) -> Workspace:
        state = self.state
        team_id, bot_user_id, bot_id = state.identifier("T"), state.identifier("U"), state.identifier("B")
        token = f"xoxb-{state.identifier('token')}"
        workspace = Workspace(team_id, name, name, token, bot_user_id, bot_id, self.app.app_id, set(scopes), installed)
        state.workspaces[team_id] = workspace
        state.users[bot_user_id] = User(bot_user_id, team_id, "frontdesk", bot_id=bot_id, app_id=self.app.app_id)
        return workspace

    def user(self, workspace: Workspace, name: str, *, admin: bool = False, guest: bool = False) -> User:
        user = User(self.state.identifier("U"), workspace.team_id, name, admin, guest)
        self.state.users[user.user_id] = user
        return user

    def bot(self, workspace: Workspace, name: str) -> User:
        """Add another app's bot."""
        bot = self.user(workspace, name)
        bot.bot_id, bot.app_id = self.state.identifier("B"), self.state.identifier("A")
        return bot

    def group(self, workspace: Workspace, handle: str, *users: User) -> Group:
        members = [user.user_id for user in users]
        group = Group(self.state.identifier("S"), workspace.team_id, handle, members)
        self.state.groups[group.group_id] = group
        return group

    def channel(
        self,
        workspace: Workspace,
        name: str,
        *users: User,
        private: bool = False,
        with_bot: bool = True,
        shared: bool = False,
    ) -> Channel:
        members = {user.user_id for user in users} | ({workspace.bot_user_id} if with_bot else set())
        kind, prefix = ("group", "G") if private else ("channel", "C")
        channel = Channel(self.state.identifier(prefix), workspace.team_id, name, kind, members, shared=shared)
        self.state.channels[channel.channel_id] = channel
        return channel

    def direct(self, *users: User) -> Channel:
        """Return the direct conversation of people and the bot."""
        return self.state.direct(self._workspace(users[0]), [user.user_id for user in users])

    def file(self, user: User, name: str, content: bytes, mimetype: str) -> File:
        file_id = self.state.identifier("F")
        url = f"{self.url}/files-pri/{user.team_id}-{file_id}/download/{name}"
        file = File(file_id, user.team_id, name, mimetype, content, url, user.user_id)
        self.state.files[file_id] = file
        return file

    # What the app is told

    def _workspace(self, user: User) -> Workspace:
        return self.state.workspaces[user.team_id]

    def _announce(self, workspace: Workspace, kind: str, event: Json) -> None:
        """Tell the app in the background of what it did itself, or of its removal."""
        if not self.echo and kind == "message":
            return
        if kind != "message":
            event = {"type": kind, "event_ts": self.state.new_ts(), **event}
        self._start(self._event(workspace, event))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until everything announced in the background has been delivered or given up."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _hears(self, workspace: Workspace, event: Json) -> bool:
        kind = event["type"]
        scope = HISTORY[event["channel_type"]] if kind == "message" else _EVENT_SCOPES.get(kind, "")
        channel = self.state.channels.get(event["channel"]) if isinstance(event.get("channel"), str) else None
        present = channel is None or workspace.bot_user_id in channel.members
        kinds = {"channel": "channels", "group": "groups"}
        where = event.get("channel_type", "")
        name = f"message.{kinds.get(where, where)}" if kind == "message" else kind
        subscribed = self.subscribed is None or name in self.subscribed
        reachable = bool(self.rules.request_url) or self.sockets.asked_for
        return subscribed and present and reachable and (not scope or scope in workspace.scopes)

    async def _event(self, workspace: Workspace, event: Json) -> list[Ack]:
        if not self._hears(workspace, event):
            return []
        return await self._delivery.event(payloads.event_callback(self.state, workspace, event))

    async def verify(self) -> bool:
        """Check the request URL as the app's configuration page does."""
        challenge = {"token": payloads.VERIFICATION_TOKEN, "challenge": "a challenge", "type": "url_verification"}
        acks = await self._delivery.event(challenge)
        said = acks[-1].body
        return acks[-1].ok and "a challenge" in (said if isinstance(said, str) else json.dumps(said))
