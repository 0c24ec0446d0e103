"""Telegram's member of the contract: people in private chats with a bot on the small Telegram."""

import json
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from pydantic import SecretStr

from tests.platform.telegram_server import TelegramServer

SECRET = "a-secret-of-the-webhook"
TEXT = 4_096
_MARKS = {"bold": "**", "italic": "_", "code": "`", "strikethrough": "~~"}
_MARKUP_ROOM = 64  # a part is measured without the marks that are written back here


class TelegramMember:
    """People who write to a bot, each in a chat of their own."""

    name = "telegram"
    limit = TEXT + _MARKUP_ROOM
    is_called = True
    hears_deletions = False  # Telegram tells bots of none

    def __init__(self, telegram, bot, house, contract, session):
        self._telegram = telegram
        self._bot = bot
        self._house = house
        self._contract = contract
        self._session = session
        self._chats = {}
        self._messages = {}
        self._updates = {}
        self._announced = 0

    @property
    def _url(self):
        return f"{self._house.base_url}/telegram/help"

    def _chat(self, thread):
        if thread not in self._chats:
            self._chats[thread] = self._telegram.private(self._bot, self._telegram.add_user(thread))
        return self._chats[thread]

    def _topic(self, thread):
        return None

    def _person(self, thread):
        return self._chat(thread).user

    def _addressed(self, text):
        return text

    def _of_ours(self, thread):
        return self._telegram.from_bot(self._chat(thread), self._topic(thread))

    async def _say(self, text, thread, files=None, edit=None):
        """Write a message and return it with its update, which is not delivered yet."""
        chat, topic, text = self._chat(thread), self._topic(thread), self._addressed(text)
        document = next(
            (self._telegram.state.add_file(name, "text/plain", data) for name, data in (files or {}).items()), None
        )
        message = await self._telegram.say(chat, self._person(thread), text, document=document, edit=edit, topic=topic)
        self._messages[str(message.message_id), thread] = message
        return message, self._bot.updates.pop().body

    async def _deliver(self, update):
        """Deliver an update once, as the server does."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        async with self._session.post(self._url, json=update, headers=headers) as response:
            return 200 <= response.status < 300

    async def ask(self, text, *, thread="t1", author="u1", files=None):
        message, update = await self._say(text, thread, files)
        assert await self._deliver(update)
        message_id = f"{thread}/{message.message_id}"
        self._updates[message_id] = update
        return message_id

    async def try_to_ask(self, text, *, thread="t1"):
        _, update = await self._say(text, thread)
        return self._contract.Accepted(await self._deliver(update))

    async def edit(self, message_id, text):
        thread, _, number = message_id.partition("/")
        _, update = await self._say(text, thread, edit=self._messages[number, thread])
        assert await self._deliver(update)

    async def stop(self, *, thread="t1"):
        _, update = await self._say("/stop", thread)
        assert await self._deliver(update)

    async def rate(self, rating, *, thread="t1"):
        message = self._of_ours(thread)[-1]
        query = await self._telegram.press(message, self._person(thread), "👍" if rating > 0 else "👎")
        assert await self._deliver(self._bot.updates.pop().body)

        async def answered():
            return query.answered

        await self._contract.until(answered)

    async def redeliver(self, message_id):
        before = await self._rows()
        acknowledged = await self._deliver(self._updates[message_id])
        return self._contract.Accepted(acknowledged, before == await self._rows())

    async def _rows(self):
        ((rows,),) = await self._house.fetch("select count(*) from inbox")
        return rows

    async def seen(self, thread="t1"):
        chat = self._chat(thread)
        sent = [await self._seen(message) for message in self._of_ours(thread)]
        growing = [self._contract.Seen(to_markdown(d.text, d.entities)) for d in self._telegram.live_drafts(chat)]
        return [*sent, *growing]

    async def _seen(self, message):
        return self._contract.Seen(to_markdown(message.text, message.entities), await self._sources(message))

    async def _sources(self, message):
        """Say which documents the buttons below a message show."""
        rows = (message.markup or {}).get("inline_keyboard", [])
        found = []
        for action, *numbers in (button["callback_data"].split(":") for row in rows for button in row):
            if action == "show":
                outbox_id, number = map(int, numbers)
                ((content,),) = await self._house.fetch("select content from outbox where outbox_id = $1", outbox_id)
                found += [c["source"] for c in json.loads(content)["citations"] if c["number"] == number]
        return tuple(found)

    async def is_settled(self):
        return not self._bot.updates

    def be_busy(self, seconds):
        self._telegram.be_busy(self._bot, seconds)
        self._announced += 1  # the server counts the first call within the time too, of which nobody knew

    def be_out(self, calls):
        self._telegram.be_out(calls)

    @property
    def faults(self):
        said = [violation.description for violation in self._telegram.violations]
        return self._contract.Faults(
            early=max(0, self._telegram.early_calls - self._announced),
            too_long=sum("too long" in description.lower() for description in said),
            unreadable=sum("parse" in description for description in said),
        )

    @property
    def refused(self):
        return self._telegram.refusals + self._telegram.flood.refused

    @property
    def posted(self):
        made = [len(self._of_ours(thread)) for thread in self._chats]
        return sum(made) + sum(len(chat.deleted) for chat in {id(c): c for c in self._chats.values()}.values())


class TopicMember(TelegramMember):
    """People who mention a bot in the topics of one forum."""

    name = "telegram, topics"

    def __init__(self, *parts):
        super().__init__(*parts)
        self._owner = self._telegram.add_user("u0")
        self._group = self._telegram.add_group(self._owner, self._bot.user, is_forum=True)
        self._people = {}
        self._topics = {}

    def _chat(self, thread):
        self._chats[thread] = self._group
        return self._group

    def _topic(self, thread):
        if thread not in self._topics:
            self._topics[thread] = self._telegram.add_topic(self._group, self._owner, thread)
        return self._topics[thread]

    def _person(self, thread):
        if thread not in self._people:
            self._people[thread] = self._telegram.add_user(thread)
        return self._people[thread]

    def _addressed(self, text):
        return f"@{self._bot.user.username} {text}" if not text.startswith("/") else f"{text}@{self._bot.user.username}"


def to_markdown(text, entities):
    """Write a message back as the Markdown it was made from."""
    units = text.encode("utf-16-le")
    opening, closing, literal = {}, {}, set()
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if entity["type"] == "pre":
            opening.setdefault(begin, []).append(f"```{entity.get('language', '')}\n")
            closing.setdefault(end, []).insert(0, "\n```")
        elif mark := _MARKS.get(entity["type"]):
            opening.setdefault(begin, []).append(mark)
            closing.setdefault(end, []).insert(0, mark)
        if entity["type"] in ("pre", "code"):
            literal |= set(range(begin, end))
    written = []
    for at in range(len(units) // 2):
        written += [*closing.get(at, ()), *opening.get(at, ())]
        unit = units[2 * at : 2 * at + 2]
        sign = unit.decode("utf-16-le", "surrogatepass")
        escaped = at not in literal and sign in "*_`"
        written.append(f"\\{sign}" if escaped else sign)
    whole = "".join([*written, *closing.get(len(units) // 2, ())])
    lines = whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le").split("\n")
    return "\n".join(f"- {line[2:]}" if line.startswith("• ") else line for line in lines)


@asynccontextmanager
async def _opened(member, contract, open_house):
    """Open a bot and the house it talks to."""
    async with TelegramServer() as telegram, aiohttp.ClientSession() as session:
        bot = telegram.add_bot()
        settings = {
            "telegram_bots": {"help": bot.token},
            "telegram_secret": SecretStr(SECRET),
            "telegram_api_url": telegram.url,
            "telegram_mode": "webhook",
            "public_url": "https://help.example.org",
        }
        async with open_house(settings) as house:
            yield house, member(telegram, bot, house, contract, session)


opened = partial(_opened, TelegramMember)
topics = partial(_opened, TopicMember)
