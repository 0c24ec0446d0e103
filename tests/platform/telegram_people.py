"""What people do on the small Telegram: write, edit, send files, press buttons, block bots, make groups and topics."""

import re
from collections.abc import Sequence
from typing import Any

from tests.platform.telegram_state import Bot, Chat, File, Json, Message, Query, State, User, member_shown
from tests.platform.telegram_updates import Updates

_TOKEN_END = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # 35 characters, as the real ones have
_COMMAND = re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,64}(?:@\w+)?")
_MENTION = re.compile(r"(?<![\w@])@[A-Za-z]\w{2,31}")
_GENERAL = 1


class People:
    """The part of the server that acts for people."""

    state: State
    updates: Updates

    # What there is

    def add_bot(self, username: str = "frontdesk_bot", *, can_read_all: bool = False) -> Bot:
        """Make a bot; with CAN_READ_ALL its privacy mode is off."""
        user = User(7_000_000 + next(self.state.ids), "Frontdesk", username, is_bot=True)
        self.state.users[user.user_id] = user
        bot = Bot(user, f"{user.user_id}:{_TOKEN_END}", last_update_id=100_000_000, can_read_all=can_read_all)
        self.state.bots[bot.token] = bot
        return bot

    def add_user(self, name: str = "u1", *, username: str = "", language: str = "en", is_bot: bool = False) -> User:
        user = User(5_000_000 + next(self.state.ids), name, username, is_bot=is_bot, language_code=language)
        self.state.users[user.user_id] = user
        return user

    def private(self, bot: Bot, user: User, *, started: bool = True) -> Chat:
        """Return the private chat of a person and a bot; without STARTED the bot may not write yet."""
        chat = self.state.private(bot, user)
        chat.started = chat.started or started
        return chat

    def add_group(self, *users: User, title: str = "Group", kind: str = "supergroup", is_forum: bool = False) -> Chat:
        """Make a group of users, the first of whom owns it; bots are added as its members too."""
        number = next(self.state.ids)
        chat = Chat(-1_000_000_000_000 - number if kind == "supergroup" else -number, kind, title, is_forum=is_forum)
        chat.members = {user.user_id: "member" for user in users}
        chat.last_id = _GENERAL if is_forum else 0  # no topic has the id of the General one
        if users:
            chat.members[users[0].user_id] = "creator"
        self.state.chats[0, chat.chat_id] = chat
        return chat

    def upgrade(self, chat: Chat) -> Chat:
        """Make a group a supergroup: another chat, in which none of the messages stand; bots hear of it in both."""
        number = next(self.state.ids)
        new = Chat(-1_000_000_000_000 - number, "supergroup", chat.title, members=dict(chat.members))
        self.state.chats[0, new.chat_id] = new
        chat.moved_to = new.chat_id
        owner = self.state.users[next(iter(chat.members))]
        for where, field, other in ((chat, "migrate_to_chat_id", new), (new, "migrate_from_chat_id", chat)):
            message = Message(where.next_id(), where, owner, self.state.clock.date(), media={field: other.chat_id})
            where.add(message)
            for bot in self._present(where):
                self.updates.add(bot, "message", message.shown(), ("chat", where.chat_id))
        return new

    def add_topic(self, chat: Chat, user: User, name: str = "Topic") -> int:
        """Make a forum topic, whose id is that of the service message which made it."""
        message = Message(chat.next_id(), chat, user, self.state.clock.date(), media={})
        message.topic = message.message_id
        message.media = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        chat.add(message)
        chat.topics[message.message_id] = "open"
        return message.message_id

    def chat(self, chat_id: int, bot: Bot | None = None) -> list[Message]:
        """List the messages that stand in a chat, in their order."""
        bots = [bot] if bot else list(self.state.bots.values())
        found = next((chat for bot in bots if (chat := self.state.find(bot, chat_id))), None)
        return [] if found is None else [found.messages[key] for key in sorted(found.messages)]

    def from_bot(self, chat: Chat, topic: int | None = None) -> list[Message]:
        """List the bots' messages in a chat, and there in a topic."""
        messages = (chat.messages[key] for key in sorted(chat.messages))
        return [message for message in messages if message.sender.is_bot and message.topic == topic]

    # What people do

    async def say(
        self,
        chat: Chat,
        user: User,
        text: str = "",
        *,
        reply_to: Message | None = None,
        topic: int | None = None,
        document: File | None = None,
        media: Json | None = None,
        album: str = "",
        edit: Message | None = None,
        anonymous: bool = False,
    ) -> Message:
        """Write a message, with a document or other MEDIA as its caption, or change what EDIT says."""
        if edit is not None:
            return await self._edit(chat, edit, text)
        chat.started = True
        shown = dict(media or {}) | ({"document": document.shown()} if document else {})
        if shown and text:
            shown["caption"] = text
        if album:
            shown["media_group_id"] = album
        written = Message(
            chat.next_id(), chat, user, self.state.clock.date(), "" if shown else text, self._entities(text),
            None if topic == _GENERAL else topic, reply_to, shown, anonymous=anonymous,
            sent_at=self.state.clock.now(),
        )  # fmt: skip
        if written.topic is not None and reply_to is None:
            written.reply_to = chat.messages.get(written.topic)
        chat.add(written)
        self._tell(chat, "message", written)
        return written

    async def _edit(self, chat: Chat, message: Message, text: str) -> Message:
        if message.media:
            message.media["caption"] = text
        else:
            message.text = text
        message.entities = self._entities(text)
        message.edit_date = self.state.clock.date()
        self._tell(chat, "edited_message", message)
        return message

    async def press(self, message: Message, user: User, text: str) -> Query:
        """Press the button whose text begins with TEXT; raises LookupError where there is none."""
        rows = (message.markup or {}).get("inline_keyboard", [])
        button = next((button for row in rows for button in row if button["text"].startswith(text)), None)
        if button is None:
            raise LookupError(f"there is no button {text}")
        return self.send_callback(message, user, button["callback_data"])

    def send_callback(self, message: Message, user: User, data: str) -> Query:
        """Send DATA as if a button of MESSAGE had it, as a client of somebody's own may."""
        bot = next(bot for bot in self.state.bots.values() if bot.user is message.sender)
        query = Query(str(next(self.state.ids) * 4_294_967_291), bot.bot_id, self.state.clock.now())
        self.state.queries[query.query_id] = query
        payload = {"id": query.query_id, "from": user.shown(), "message": message.shown(), "data": data}
        payload["chat_instance"] = str(message.chat.chat_id)
        self.updates.add(bot, "callback_query", payload, ("user", user.user_id))
        return query

    async def react(self, message: Message, user: User, *emoji: str) -> None:
        """Put reactions on a message; bots hear of it where they ask for message_reaction."""
        payload: Json = {"chat": message.chat.shown(), "message_id": message.message_id, "user": user.shown()}
        payload |= {"date": self.state.clock.date(), "old_reaction": message.reactions.get(user.user_id, [])}
        payload["new_reaction"] = [{"type": "emoji", "emoji": sign} for sign in emoji]
        message.reactions[user.user_id] = payload["new_reaction"]
        for bot in self._present(message.chat):
            self.updates.add(bot, "message_reaction", payload, ("chat", message.chat.chat_id))

    async def stop_generation(self, chat: Chat, draft_id: int) -> None:
        """Press the stop button of a draft; raises LookupError where it has none."""
        draft = chat.drafts.get(draft_id)
        if draft is None or not draft.can_stop:
            raise LookupError("there is no stop button")
        payload: Json = {"chat": chat.shown(), "draft_id": draft_id}
        payload |= {} if draft.topic is None else {"message_thread_id": draft.topic}
        for bot in self._present(chat):
            self.updates.add(bot, "stopped_message_generation", payload, ("chat", chat.chat_id))

    async def block(self, chat: Chat, *, blocked: bool = True) -> None:
        """Block the bot of a private chat, or let it in again."""
        assert chat.user is not None
        statuses = ("member", "kicked") if blocked else ("kicked", "member")
        for bot in self._present(chat):
            self._tell_membership(bot, chat, chat.user, *statuses)
        chat.blocked = blocked

    async def add_member(self, chat: Chat, user: User, bot: Bot, *, status: str = "member") -> None:
        """Let USER add a bot to a group, promote it, or with left and kicked remove it."""
        before = chat.members.get(bot.bot_id, "left")
        chat.members[bot.bot_id] = status
        self._tell_membership(bot, chat, user, before, status)

    def send_update(self, bot: Bot, kind: str, payload: Any, chat_id: int = 0) -> int | None:
        """Send an update of any kind and shape."""
        return self.updates.add(bot, kind, payload, ("chat", chat_id))

    # How bots hear of it

    def _tell_membership(self, bot: Bot, chat: Chat, user: User, before: str, after: str) -> None:
        payload: Json = {"chat": chat.shown(), "from": user.shown(), "date": self.state.clock.date()}
        for field, status in (("old_chat_member", before), ("new_chat_member", after)):
            payload[field] = member_shown(bot.user, status)
        self.updates.add(bot, "my_chat_member", payload, ("chat", chat.chat_id))

    def _tell(self, chat: Chat, kind: str, message: Message) -> None:
        for bot in self._present(chat):
            if chat.kind == "private" or self._reads(bot, chat, message):
                self.updates.add(bot, kind, message.shown(), ("chat", chat.chat_id))

    def _present(self, chat: Chat) -> Sequence[Bot]:
        if chat.kind == "private":
            owners = {bot_id for (bot_id, _), known in self.state.chats.items() if known is chat}
            return [bot for bot in self.state.bots.values() if bot.bot_id in owners]
        away = ("left", "kicked")
        return [bot for bot in self.state.bots.values() if chat.members.get(bot.bot_id, "left") not in away]

    def _reads(self, bot: Bot, chat: Chat, message: Message) -> bool:
        """Tell whether a bot with privacy mode sees a message of a group; it never sees those of other bots."""
        if message.sender.is_bot and not message.anonymous:
            return False
        if bot.can_read_all or chat.members.get(bot.bot_id) == "administrator":
            return True
        text = message.text or message.media.get("caption", "")
        to_bot = message.reply_to is not None and message.reply_to.sender is bot.user
        commands = _COMMAND.findall(text)
        other = commands and "@" in commands[0] and not commands[0].lower().endswith(f"@{bot.user.username}".lower())
        named = f"@{bot.user.username}".lower() in text.lower()
        return bool(to_bot or (commands and not other) or named)

    def _entities(self, text: str) -> list[Json]:
        found = [("bot_command", match) for match in _COMMAND.finditer(text)]
        taken = {at for _, match in found for at in range(*match.span())}
        found += [("mention", match) for match in _MENTION.finditer(text) if match.start() not in taken]
        units = [(kind, _units(text[: match.start()]), _units(match[0])) for kind, match in found]
        return [
            {"type": kind, "offset": at, "length": length} for kind, at, length in sorted(units, key=lambda u: u[1])
        ]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
