"""Show texts that others found hard to format in Slack, and read them back as a person would.

    python -m bench.slack_markup [--data ../shared/data]

Every text is posted and streamed as an answer to the small Slack of tests/platform; what stands there then is read by
tests/platform/slack_markdown.py and slack_mrkdwn.py, which share nothing with what wrote it.
"""

import argparse
import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from adapters.slack.api import FixedTokens, Refusal, SlackApi
from adapters.slack.markup import escape
from adapters.slack.outbound import EMPTY, Part, render
from core.domain import Answer, Origin
from core.pacing import PreferredPacer
from tests.platform.slack_markdown import read_markdown
from tests.platform.slack_mrkdwn import Mrkdwn
from tests.platform.slack_server import Channel, SlackServer, User

SETS = {
    "slack_mrkdwn.jsonl": "input",
    "naughty_strings.jsonl": "text",
    "telegram_entities.jsonl": "input",
    "html_xss.jsonl": "payload",
}
HYPHENS = ("letter", "space")  # what Slack may take a soft hyphen for
_PATIENCE_S = 600.0  # by a clock that only the pacer moves
_UNSEEN = re.compile("[\u00ad\u200b]")
_LAYOUT = re.compile(r"[•◦▪—>\d.]")  # what lists, rules and quotations are shown with
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CALLS = re.compile(
    r"<(?:!(?:here|channel|everyone|group|subteam|date)\b|@[UW][A-Z0-9]{2}|#[CG][A-Z0-9]{2})"
    r"|(?<!\w)@(?:here|channel|everyone)\b",
    re.IGNORECASE,
)


@dataclass
class Figures:
    """What became of a set of texts; the lists hold those that fell short."""

    texts: int = 0
    without_blocks: list[str] = field(default_factory=list)  # shown by the plain-text fallback
    not_streamed: list[str] = field(default_factory=list)
    misread: list[str] = field(default_factory=list)  # whose message says something else
    misread_text: list[str] = field(default_factory=list)  # whose mrkdwn says something else, blocks unseen
    misread_literally: list[str] = field(default_factory=list)  # that do not mean themselves once escaped
    mentions: list[str] = field(default_factory=list)  # that call somebody


@dataclass
class Place:
    """Somebody's thread in a small Slack, and the way to it."""

    slack: SlackServer
    api: SlackApi
    channel: Channel
    ann: User
    asked_ts: str

    async def call(self, method: str, **arguments: Any) -> str:
        """Call METHOD for the thread; return the ts of its message."""
        where = {"team_id": self.ann.team_id, "channel": self.channel.channel_id}
        said = await self.api.call(method, patience_s=_PATIENCE_S, **where, **arguments)
        return str(said["ts"])

    async def post(self, part: Part) -> tuple[str, bool]:
        """Post a message, without its blocks where they are refused; return its Markdown and whether it has them."""
        where = {"thread_ts": self.asked_ts, "text": part.text}
        try:
            ts = await self.call("chat.postMessage", blocks=part.blocks, **where)
        except Refusal:
            return part.text, not await self.call("chat.postMessage", **where)
        message = self.slack.state.find(self.channel.channel_id, ts)
        blocks = message.blocks if message else []
        return "".join(block["text"] for block in blocks if block["type"] == "markdown"), True

    async def stream(self, part: Part) -> str:
        """Stream a message in two pieces; return what stands there, or why nothing does."""
        reader = {"recipient_user_id": self.ann.user_id, "recipient_team_id": self.ann.team_id}
        half = len(part.body) // 2
        first, rest = ([{"type": "markdown_text", "text": text}] for text in (part.body[:half], part.body[half:]))
        try:
            begun = first if half else None
            ts = await self.call("chat.startStream", thread_ts=self.asked_ts, chunks=begun, **reader)
            await self.call("chat.appendStream", ts=ts, chunks=rest)
            await self.call("chat.stopStream", ts=ts, blocks=list(part.tail))
        except Refusal as refusal:
            return refusal.code
        message = self.slack.state.find(self.channel.channel_id, ts)
        return message.text if message else ""


@asynccontextmanager
async def opened() -> AsyncIterator[Place]:
    """Open a small Slack in which somebody has asked; nobody waits, its clock is moved forward."""
    async with SlackServer(time_scale=0.0) as slack, aiohttp.ClientSession() as session:
        slack.rates.enabled = False  # how fast is not what is measured here
        workspace = slack.workspace()
        ann = slack.user(workspace, "ann")
        channel = slack.channel(workspace, "general", ann)

        async def wait(seconds: float) -> None:
            slack.clock.advance(seconds)

        tokens = FixedTokens(workspace.bot_token, session, base_url=slack.api_url)
        pacer = PreferredPacer(clock=slack.clock.now, sleep=wait)
        api = SlackApi(session, tokens, pacer, base_url=slack.api_url)
        yield Place(slack, api, channel, ann, (await slack.say(channel, ann, "A question")).ts)


async def measure(texts: Sequence[str]) -> Figures:
    """Show TEXTS and read them back."""
    figures = Figures(len(texts))
    async with opened() as place:
        for text in texts:
            await _measure_one(place, text, figures)
    return figures


async def _measure_one(place: Place, text: str, figures: Figures) -> None:
    parts = render(Answer(text, Origin.DOCUMENTS, None), 1)
    posted = [await place.post(part) for part in parts]
    bodies = [body for body, _ in posted]
    figures.without_blocks += [] if all(whole for _, whole in posted) else [text]
    figures.not_streamed += [] if [await place.stream(part) for part in parts] == bodies else [text]
    source = sound(text)
    expected = said(source)
    shown = "".join(said(_UNSEEN.sub("", body)) for body in bodies)
    figures.misread += [] if shown == expected or (not expected and shown == EMPTY) else [text]
    read = [[Mrkdwn(part.text, hyphen) for part in parts] for hyphen in HYPHENS]
    shown_text = [_LAYOUT.sub("", "".join(words(one.text) for one in ones)).replace(EMPTY, "") for ones in read]
    fits = shown_text == [_LAYOUT.sub("", expected).replace(EMPTY, "")] * len(HYPHENS)
    figures.misread_text += [] if fits else [text]
    literal = [Mrkdwn(escape(source), hyphen) for hyphen in HYPHENS]
    exact = all(words(one.text) == words(source) and not (one.styled or one.code or one.emoji) for one in literal)
    figures.misread_literally += [] if exact else [text]
    called = any(one.mentions for one in (*read[0], *read[1], *literal)) or any(map(_CALLS.search, bodies))
    figures.mentions += [text] if called else []


def sound(text: str) -> str:
    """Leave out what no message may hold: half a character, control characters."""
    return _CONTROL.sub("", text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n"))


def words(text: str) -> str:
    """Put the words of a text together, without spaces and what nobody sees."""
    return "".join(_UNSEEN.sub("", text).split())


def said(markdown: str) -> str:
    """Return the words that Markdown shows."""
    return words(read_markdown(markdown).text)


def read_set(path: Path, key: str) -> list[str]:
    """Read the texts of a file of JSON lines."""
    return [str(json.loads(line)[key]) for line in path.read_text("utf-8").split("\n") if line]


def read_sets(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Read the texts of every set that is under DATA, and say which is not."""
    for name, key in SETS.items():
        path = data / "hostile" / name
        if path.is_file():
            yield name, read_set(path, key)
        else:
            print(f"{name}: not at {path}")


def print_figures(name: str, figures: object, *, show: bool) -> None:
    """Print how many texts of a set came through, and with SHOW those that fell short."""
    for what, found in vars(figures).items():
        if what == "texts":
            print(f"{name}: {found} texts")
            continue
        print(f"  {what}: {len(found)}")
        for text in found if show else ():
            print(f"    {text[:200]!a}")


def main() -> None:
    """Measure every set that is there."""
    parser = argparse.ArgumentParser(description="Show hard texts in Slack, and read them back.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--show", action="store_true", help="print the texts that fell short")
    options = parser.parse_args()
    for name, texts in read_sets(options.data):
        print_figures(name, asyncio.run(measure(texts)), show=options.show)


if __name__ == "__main__":
    main()
