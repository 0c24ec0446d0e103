"""Slack's member of the contract: people in a channel of a small Slack that minds every rule of the platform."""

import asyncio
import json
from contextlib import asynccontextmanager

from pydantic import SecretStr

from tests.platform import slack_payloads as payloads
from tests.platform.slack_server import Message, SlackServer

SECRET = "a signing secret"
UNSEEN = "\u00ad\u200b"
TOO_LONG = {"msg_too_long", "msg_blocks_too_long"}
UNREADABLE = {"invalid_blocks", "invalid_blocks_format", "invalid_arguments", "invalid_chunks", "no_text", "used_url"}
WRITING = ("chat.startStream", "chat.postMessage")


class Recording(SlackServer):
    """A small Slack that remembers what it told the app."""

    def __init__(self, **options):
        super().__init__(**options)
        self.told = []

    async def _event(self, workspace, event):
        if not self._hears(workspace, event):
            return []
        payload = payloads.event_callback(self.state, workspace, event)
        self.told.append(payload)
        return await self._delivery.event(payload)


class SlackMember:
    """People who mention the app in the threads of a channel."""

    name = "slack"
    limit = 4_000
    is_called = True

    def __init__(self, slack, workspace, channel, house, contract):
        self._slack = slack
        self._workspace = workspace
        self._channel = channel
        self._house = house
        self._contract = contract
        self._people = {}
        self._roots = {}
        self._messages = {}

    def _person(self, name):
        if name not in self._people:
            self._people[name] = self._slack.user(self._workspace, name)
            self._channel.members.add(self._people[name].user_id)
        return self._people[name]

    def _root(self, thread):
        """Return the message under which a thread's conversation stands; nobody asked anything in it."""
        if thread not in self._roots:
            root = Message(self._channel.channel_id, self._slack.state.new_ts(), self._person("u0").user_id, thread)
            self._slack.state.messages.append(root)
            self._roots[thread] = root.ts
        return self._roots[thread]

    def _addressed(self, text):
        return f"{self._slack.mention(self._workspace)} {text}"

    async def _say(self, text, thread, author, files=()):
        written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return await self._slack.say(
            self._channel, self._person(author), self._addressed(written), thread_ts=self._root(thread), files=files
        )

    def _acknowledged(self, ts):
        mine = {told["event_id"] for told in self._slack.told if told["event"].get("ts") == ts}
        return any(ack.ok for ack in self._slack.acks if ack.event_id in mine)

    async def ask(self, text, *, thread="t1", author="u1", files=None):
        person = self._person(author)
        sent = [self._slack.file(person, name, data, "text/plain") for name, data in (files or {}).items()]
        message = await self._say(text, thread, author, sent)
        assert self._acknowledged(message.ts)
        self._messages[message.ts] = message
        return message.ts

    async def try_to_ask(self, text, *, thread="t1"):
        message = await self._say(text, thread, "u1")
        return self._contract.Accepted(self._acknowledged(message.ts))

    async def edit(self, message_id, text):
        await self._slack.edit(self._messages[message_id], self._addressed(text))

    async def delete(self, message_id):
        await self._slack.erase(self._messages[message_id])

    async def stop(self, *, thread="t1"):
        await self._slack.stop_session(self._channel, self._person("u1"), self._root(thread))

    async def rate(self, rating, *, thread="t1"):
        newest = [message for message in self._of_ours(thread) if not message.ephemeral_to][-1]
        ack = await self._slack.press(newest, self._person("u1"), "feedback", rating > 0)
        assert ack.ok

    async def redeliver(self, message_id):
        told = [told for told in self._slack.told if told["event"].get("ts") == message_id]
        before = await self._rows()
        acks = [ack for again in told for ack in await self._slack._delivery.event(again)]
        return self._contract.Accepted(all(ack.ok for ack in acks), before == await self._rows())

    async def _rows(self):
        ((rows,),) = await self._house.fetch("select count(*) from inbox")
        return rows

    def _of_ours(self, thread):
        return self._slack.answers(self._channel, self._root(thread))

    async def seen(self, thread="t1"):
        return [await self._seen(message) for message in self._of_ours(thread)]

    async def _seen(self, message):
        said = [block["text"] for block in message.blocks if block["type"] == "markdown"]
        head = [block for block in message.blocks[:1] if block["type"] == "context" and said]
        texts = [element["text"] for block in head for element in block["elements"]]
        text = "\n\n".join([*texts, *(said or [message.text])])
        return self._contract.Seen(text.translate(dict.fromkeys(map(ord, UNSEEN))), await self._sources(message))

    async def _sources(self, message):
        """Press every button of a source and say which document it shows."""
        elements = [element for block in message.blocks for element in payloads.elements_of(block)]
        values = [e["value"] for e in elements if str(e.get("action_id")).startswith("passage:")]
        found = []
        for value in values:
            outbox_id, number = map(int, value.split(":"))
            ((content,),) = await self._house.fetch("select content from outbox where outbox_id = $1", outbox_id)
            found += [c["source"] for c in json.loads(content)["citations"] if c["number"] == number]
        return tuple(found)

    async def is_settled(self):
        await self._slack.settled()
        return True

    def be_busy(self, seconds):
        """Let one call a minute through, which was made as long ago as makes the next one wait for SECONDS."""
        rates, team = self._slack.rates, self._workspace.team_id
        for method, key in zip(WRITING, (team, f"{team}:{self._channel.channel_id}"), strict=True):
            rates.limits[method] = 1
            rates._calls[method, key] = [self._slack.clock.now() - 60 + seconds]
        asyncio.get_running_loop().call_later(seconds, rates.limits.clear)

    def be_out(self, calls):
        for method in WRITING:
            self._slack.misbehave(method, *["http_503"] * calls)

    @property
    def faults(self):
        codes = [violation.code for violation in self._slack.violations]
        return self._contract.Faults(
            early=len(self._slack.early_calls),
            too_long=sum(code in TOO_LONG for code in codes),
            unreadable=sum(code in UNREADABLE for code in codes),
        )

    @property
    def refused(self):
        codes = [violation.code for violation in self._slack.violations if violation.where in WRITING]
        return sum(code in ("ratelimited", "http_503") for code in codes)

    @property
    def posted(self):
        bot = self._workspace.bot_user_id
        return sum(message.user == bot and not message.ephemeral_to for message in self._slack.state.messages)


@asynccontextmanager
async def opened(contract, open_house):
    """Open a workspace and the house it talks to."""
    async with Recording(signing_secret=SECRET, ack_s=10.0, time_scale=0.0) as slack:
        workspace = slack.workspace()
        settings = {
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_signing_secret": SecretStr(SECRET),
            "slack_api_url": slack.api_url,
        }
        async with open_house(settings) as house:
            slack.rules.request_url = f"{house.base_url}/slack/events"
            yield house, SlackMember(slack, workspace, slack.channel(workspace, "general"), house, contract)
            slack.rules.request_url = ""
            await slack.settled()
