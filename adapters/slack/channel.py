"""The way out to Slack, as core/outbox.py wants it of every platform."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from adapters.slack.api import Refusal, SlackApi
from adapters.slack.late import to_direct
from adapters.slack.line import Line, is_direct, thread_of
from adapters.slack.manner import Abilities, Manner
from adapters.slack.private import delete_file
from adapters.slack.stream import SlackReply
from core import wording
from core.domain import Answer
from core.errors import ChannelUnavailable
from core.outbox import Delivery, Doubt, LiveReply, Posting, Target
from core.places import Platform

_STATUS_S = 60.0  # Slack takes a status away after two minutes
_SESSION_S = 1_800.0  # and "processing" after an hour
_MOST_SIGNALS = 5_000


@dataclass
class _Signals:
    """When each thread was last told that somebody is at it."""

    clock: Callable[[], float]
    _at: dict[tuple[str, str], float] = field(default_factory=dict)

    def due(self, place: tuple[str, str], every_s: float) -> bool:
        """Tell whether it is time again, and note that it is done."""
        now = self.clock()
        if now - self._at.get(place, float("-inf")) < every_s:
            return False
        if len(self._at) >= _MOST_SIGNALS:
            self._at = {known: at for known, at in self._at.items() if now - at < _STATUS_S}
        self._at[place] = now
        return True

    def forget(self, place: tuple[str, str]) -> None:
        """Let the next signal go out at once."""
        self._at.pop(place, None)


class SlackChannel:
    """Send to the workspaces in which the app is installed.

    What may or may not have been posted is posted again: a double answer can be seen and deleted, a missing one leaves
    somebody waiting. Slack knows no key that would make a second post harmless, so Line looks in the thread first: each
    message of ours carries the delivery's number in its metadata, and a stream that still runs can only be its own.
    That takes one call of conversations.replies, which some apps may make once a minute; where it is refused, the
    double stands. Messages to one person cannot be looked up at all.
    """

    def __init__(
        self,
        api: SlackApi,
        *,
        offers_person: bool = True,
        on_stop: Callable[[Target], Awaitable[None]] | None = None,
        entitle: Callable[[Target, Answer], Awaitable[None]] | None = None,
        question_of: Callable[[Delivery], Awaitable[str]] | None = None,
        asker_of: Callable[[int, int], Awaitable[Target | None]] | None = None,
        language: str = "en",
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Send through API; LANGUAGE is that of the working signal, which comes before an author's is known.

        ON_STOP hears of a stream that a person has stopped, for the case that the event itself does not come; ENTITLE,
        of each answer that was sent, to give its session a title. ENTITLE raises nothing. QUESTION_OF names what a
        delivery answers, for answers that are brought elsewhere than where they were asked for; ASKER_OF, who asked
        what became a tenant's ticket, for its announcement.
        """
        self._api = api
        self._abilities = Abilities(clock)
        self._manner = Manner(self._abilities, clock, offers_person, on_stop, entitle, question_of, asker_of, now)
        self._signals = _Signals(clock)
        self._replies: WeakValueDictionary[tuple[str, ...], SlackReply] = WeakValueDictionary()
        self._status = wording.say(wording.LOOKING_UP, language)

    @property
    def platform(self) -> Platform:
        """Name the platform."""
        return Platform.SLACK

    @property
    def doubt(self) -> Doubt:
        """Post again."""
        return Doubt.REPEAT

    async def working(self, target: Target) -> None:
        """Show the agent's pane or the thread that somebody is at it, and the piece that nothing came after.

        Nothing is shown where only a message could say so.
        """
        if (reply := self._replies.get(_key(target))) is not None:
            await reply.refresh()
        thread_ts = thread_of(target)
        if not thread_ts or target.address.get("private"):
            return
        team_id, place = str(target.address.get("team") or target.installation), (target.place.channel, thread_ts)
        has_session = is_direct(target) and not self._abilities.lacks(team_id, "sessions")
        if not self._signals.due(place, _SESSION_S if has_session else _STATUS_S):
            return
        try:
            if not (has_session and await self._signal(target, "agents.sessions.setStatus", "sessions", "processing")):
                await self._signal(target, "assistant.threads.setStatus", "statuses", self._status)
        except ChannelUnavailable:
            self._signals.forget(place)
            raise

    async def _signal(self, target: Target, method: str, what: str, status: str) -> bool:
        """Set a status; False where the workspace does not have it."""
        team_id = str(target.address.get("team") or target.installation)
        if self._abilities.lacks(team_id, what):
            return False
        where = {"channel_id": target.place.channel, "thread_ts": thread_of(target)}
        try:
            await self._api.call(method, team_id=team_id, patience_s=0.0, status=status, **where)
        except Refusal as refusal:
            self._abilities.learn(team_id, what, refusal)
            return False
        return True

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        target = posting.delivery.target
        self._signals.forget((target.place.channel, thread_of(target)))
        reply = SlackReply(Line(self._api, posting), self._manner)
        self._replies[_key(target)] = reply
        return reply

    async def withdraw(self, posting: Posting) -> None:
        """Delete all messages of a delivery; those only one person sees Slack deletes itself."""
        line = Line(self._api, posting)
        await line.delete_unrecorded()
        if line.target.address.get("private") and any(sent.message_id[:1].isdigit() for sent in posting.delivery.sent):
            line = await to_direct(line)
        for sent in posting.delivery.sent:
            if sent.message_id.startswith("file:"):
                await delete_file(line, sent.message_id, sent.part)
            else:
                await line.delete(sent.part)


def _key(target: Target) -> tuple[str, ...]:
    """Name the question that is answered."""
    return (str(target.tenant_id), target.installation, target.place.channel, target.place.thread, target.message_id)
