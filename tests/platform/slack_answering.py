"""An answer on its way to a small Slack, with nothing behind it: no database, and a clock that is moved forward."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from adapters.slack.api import FixedTokens, SlackApi
from adapters.slack.channel import SlackChannel
from core.domain import Answer
from core.outbox import Delivery, LiveReply, Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from tests.platform.slack_server import Channel, Message, SlackServer

LATE_S = 0.05  # that a call takes to arrive, by the moved clock


class Notes:
    """An outbox that keeps nothing: who posts remembers it in the posting itself."""

    async def begin(self, delivery: Delivery, part: int) -> None:
        """Do nothing."""

    async def record(self, delivery: Delivery, part: int, message_id: str) -> None:
        """Do nothing."""

    async def forget(self, delivery: Delivery, part: int) -> None:
        """Do nothing."""


class Desk:
    """Somebody's question in a channel, and the way to answer it."""

    def __init__(self, slack: SlackServer, session: aiohttp.ClientSession, **options: Any) -> None:
        self.slack = slack
        self.workspace = slack.workspace()
        self.ann = slack.user(self.workspace, "ann")
        self.channel = slack.channel(self.workspace, "general", self.ann)
        tokens = FixedTokens(self.workspace.bot_token, session, base_url=slack.api_url)
        pacer = PreferredPacer(clock=slack.clock.now, sleep=self._wait)
        self.api = SlackApi(session, tokens, pacer, base_url=slack.api_url)
        self.out = SlackChannel(self.api, clock=slack.clock.now, now=slack.clock.now, **options)
        self.thread_ts = ""

    async def _wait(self, seconds: float) -> None:
        self.slack.clock.advance(seconds + LATE_S)

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call METHOD in the workspace, however long its turn takes to come."""
        return await self.api.call(method, team_id=self.workspace.team_id, patience_s=3_600.0, **arguments)

    async def target(self, channel: Channel | None = None, **address: Any) -> Target:
        """Have somebody ask, and say where the answer goes."""
        channel = channel or self.channel
        asked = await self.slack.say(channel, self.ann, "A question")
        self.thread_ts, team, user = asked.ts, self.workspace.team_id, self.ann.user_id
        place = {"team": team, "channel": channel.channel_id, "thread_ts": asked.ts, "ts": asked.ts, "user": user}
        place |= {"user_team": team, "channel_type": channel.kind, **address}
        thread = Place(Platform.SLACK, channel.channel_id, str(place["thread_ts"]))
        return Target(1, team, thread, user, place, asked.ts)

    def posting(self, target: Target, begun: int | None = None) -> Posting:
        """Open a delivery; BEGUN is the message of which it is not known whether it was posted."""
        notes: Any = Notes()
        return Posting(notes, Delivery(7, 1, target, Purpose.ANSWER, begun=begun), self.out.doubt)

    async def answer(
        self, answer: Answer, pieces: Sequence[str] = (), target: Target | None = None, pause_s: float = 1.0
    ) -> Posting:
        """Write PIECES and finish ANSWER."""
        posting = self.posting(target or await self.target())
        reply: LiveReply = self.out.reply(posting)
        for piece in pieces:
            await reply.write(piece)
            self.slack.clock.advance(pause_s)
        await reply.finish(answer)
        return posting

    def stands(self, channel: Channel | None = None) -> list[Message]:
        """List what of ours is to be seen in a channel."""
        place = (channel or self.channel).channel_id
        found = [m for m in self.slack.state.messages if m.bot_id == self.workspace.bot_id and m.channel == place]
        return [message for message in found if not message.deleted]

    def called(self, name: str) -> list[dict[str, Any]]:
        """List the arguments of all calls of a method."""
        return [arguments for called, arguments in self.slack.calls if called == name]

    @property
    def refused(self) -> list[str]:
        """List the codes of everything that was refused."""
        return [violation.code for violation in self.slack.violations]


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Desk]:
    """Open a small Slack with somebody in it."""
    async with SlackServer(time_scale=0.0) as slack, aiohttp.ClientSession() as session:
        yield Desk(slack, session, **options)
        assert slack.early_calls == []


def body_of(message: Message) -> str:
    """Return the Markdown of a message, that of its stream where it was one to the end."""
    return str(next((block["text"] for block in message.blocks if block["type"] == "markdown"), message.text))
