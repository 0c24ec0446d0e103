"""A Teams of one's own on loopback: people write, press and stop; the bot is called and calls back.

async with TeamsServer(time_scale=0.02) as teams:
    teams.rules.bot_url = "http://127.0.0.1:PORT/teams/messages"
    tenant = teams.tenant("contoso"); ann = teams.user(tenant, "ann"); chat = teams.personal(ann)
    said = await teams.say(chat, ann, "How many days?")
    teams.thread(chat)  # what stands there
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.platform import teams_activities as activities
from tests.platform.teams_connector import Connector
from tests.platform.teams_delivery import Ack, Delivery, Rules
from tests.platform.teams_keys import Keys
from tests.platform.teams_rates import EarlyCall
from tests.platform.teams_rules import actions_of
from tests.platform.teams_state import Chat, Clock, Json, Message, State, Tenant, User, Violation

APP_ID = "0b0f7d1e-3c55-4a6e-9b5e-0f3c7f1f6a01"
SECRET = "a client secret"
APP_TENANT = "7f9d4c02-9c3d-4a3f-8f3b-2b8f0a4c1d10"


@dataclass(frozen=True)
class Said:
    """What somebody wrote."""

    message: Message
    chat: Chat
    user: User
    activity: Json
    acks: tuple[Ack, ...]

    @property
    def activity_id(self) -> str:
        return self.message.activity_id

    @property
    def root(self) -> str:
        """The conversation with its thread."""
        return self.message.conversation


class TeamsServer:
    """The world, the connector and the deliveries."""

    def __init__(self, *, app_type: str = "SingleTenant", ack_s: float = 15.0, time_scale: float = 1.0) -> None:
        self.state = State(APP_ID)
        self.keys = Keys(APP_ID)
        token_tenant = APP_TENANT if app_type == "SingleTenant" else "botframework.com"
        self.connector = Connector(self.state, self.keys, SECRET, token_tenant)
        self.connector.rates.scale = self.connector.streams.scale = time_scale
        self.rules = Rules(ack_s=ack_s, time_scale=time_scale)
        self.app_id, self.secret, self.token_tenant = APP_ID, SECRET, token_tenant
        self.reads_all = False  # whether messages without a mention arrive, as administrators may consent to
        self.url = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self._delivery = Delivery(self.rules, self.keys, self._session)
        application = web.Application(client_max_size=1 << 26)
        application.add_routes(self.connector.routes())
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = self.connector.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._runner.cleanup()

    # Where a bot finds it

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/v1/.well-known/openidconfiguration"

    @property
    def token_url(self) -> str:
        return f"{self.url}/{self.token_tenant}/oauth2/v2.0/token"

    @property
    def host(self) -> str:
        """Host and port, for the lists of allowed hosts."""
        return self.url.removeprefix("http://")

    def service_url(self, chat: Chat) -> str:
        return self.connector.service_url(chat)

    # What was held against the bot

    @property
    def clock(self) -> Clock:
        return self.state.clock

    @property
    def violations(self) -> list[Violation]:
        return self.state.violations

    @property
    def early_calls(self) -> list[EarlyCall]:
        return self.connector.rates.early_calls

    @property
    def token_fetches(self) -> int:
        return self.connector.token_fetches

    @property
    def acks(self) -> list[Ack]:
        return self._delivery.acks

    @property
    def posted(self) -> int:
        return sum(message.author_id == self.state.bot_id for message in self.state.messages)

    def misbehave(self, operation: str, *faults: str) -> None:
        """Have the next calls of send, update, delete or create fail: busy_SECONDS, http_STATUS, reset, lost (done).

        Those of "message" are the sends that are no typing and no stream under way.
        """
        self.connector.faults[operation] += faults

    def move(self, region: str) -> None:
        """Serve from another region: the serviceUrl of what comes from now on is another one."""
        self.connector.region = region

    # Who and what there is

    def tenant(self, name: str = "contoso") -> Tenant:
        return self.state.tenant(name)

    def user(self, tenant: Tenant, name: str, *, is_bot: bool = False) -> User:
        return self.state.user(tenant, name, is_bot=is_bot)

    def personal(self, user: User) -> Chat:
        found = (chat for chat in self.state.chats.values() if chat.is_personal and chat.members == [user])
        return next(found, None) or self.state.chat("personal", user.tenant, [user], user.name)

    def group(self, *users: User, name: str = "group") -> Chat:
        return self.state.chat("groupChat", users[0].tenant, list(users), name)

    def channel(self, *users: User, name: str = "General", team_id: str = "") -> Chat:
        team_id = team_id or f"19:{uuid.uuid4().hex}@thread.tacv2"
        return self.state.chat("channel", users[0].tenant, list(users), name, team_id)

    # What people do

    def _base(self, chat: Chat, user: User, kind: str, conversation: str = "", **more: Any) -> Json:
        conversation = conversation or chat.conversation_id
        return activities.base(self.state, self.service_url(chat), chat, user, kind, conversation, **more)

    async def say(
        self,
        chat: Chat,
        user: User,
        text: str,
        *,
        thread: Said | Message | None = None,
        mention: bool = True,
        targeted: bool = False,
        files: Iterable[Json] = (),
    ) -> Said:
        """Write TEXT; in groups and channels the bot is mentioned, and where it is not it may not hear of it."""
        conversation = self._conversation(chat, thread)
        activity = self._base(chat, user, "message", conversation)
        if chat.scope == "channel" and not thread:
            conversation = f"{chat.conversation_id};messageid={activity['id']}"
            activity["conversation"]["id"] = conversation
        activity = activities.message(activity, text, attachments=list(files))
        if not chat.is_personal and mention and not targeted:
            activity = activities.mention(self.state, activity, text)
        if targeted:
            activity = activities.targeted(activity)
        hidden_from = user.user_id if targeted else ""
        body = {"type": "message", "text": text}
        now = self.clock.now()
        message = Message(activity["id"], conversation, user.user_id, body, now, hidden_from)
        self.state.messages.append(message)
        hears = chat.is_personal or mention or targeted or self.reads_all
        acks = await self._delivery.send(activity) if hears and chat.installed else []
        return Said(message, chat, user, activity, tuple(acks))

    def _conversation(self, chat: Chat, thread: Said | Message | None) -> str:
        if thread is None:
            return chat.conversation_id
        return thread.message.conversation if isinstance(thread, Said) else thread.conversation

    async def _change(self, said: Said, kind: str, event_type: str, **more: Any) -> list[Ack]:
        data = {"channel_data": {"eventType": event_type}}
        activity = self._base(said.chat, said.user, kind, said.root, **data) | {"id": said.activity_id}
        kept = {name: said.activity[name] for name in ("entities", "textFormat") if kind == "messageUpdate"}
        return await self._delivery.send({**activity, **kept, **more})

    async def edit(self, said: Said, text: str) -> list[Ack]:
        mentioned = "" if said.chat.is_personal else f"{activities.MENTION}&nbsp;"
        said.message.edits.append(said.message.body)
        said.message.body = {"type": "message", "text": text}
        return await self._change(said, "messageUpdate", "editMessage", text=mentioned + text)

    async def delete(self, said: Said) -> list[Ack]:
        said.message.deleted = True
        return await self._change(said, "messageDelete", "softDeleteMessage")

    async def undelete(self, said: Said) -> list[Ack]:
        said.message.deleted = False
        return await self._change(said, "messageUpdate", "undeleteMessage", text=said.activity["text"])

    async def redeliver(self, said: Said) -> Ack:
        """Bring the same activity once more, as after a missed answer."""
        return await self._delivery.once(said.activity, 1)

    async def react(self, message: Message, user: User, kind: str = "like") -> list[Ack]:
        activity = self._about(message, user, "messageReaction", reactionsAdded=[{"type": kind}])
        return await self._delivery.send(activity)

    def _about(self, message: Message, user: User, kind: str, **more: Any) -> Json:
        chat = self.state.chat_of(message.conversation)
        assert chat is not None
        return self._base(chat, user, kind, message.conversation, replyToId=message.activity_id, **more)

    async def _invoke(self, message: Message, user: User, name: str, value: Json) -> Ack:
        activity = self._about(message, user, "invoke", name=name, value=value)
        return (await self._delivery.send(activity))[-1]

    async def press(self, message: Message, user: User, title: str, *, execute: bool = True, **inputs: Any) -> Ack:
        """Press a button of a message's card by its title; a card in the answer takes the place of the old one.

        Without EXECUTE, the client does not know Action.Execute and submits the fallback.
        """
        found = [action for card in message.cards for action in actions_of(card) if action.get("title") == title]
        assert found, f"there is no button {title!r}"
        action = found[0]
        if not execute:
            value = {**action["fallback"].get("data", {}), **inputs}
            return (await self._delivery.send(self._about(message, user, "message", value=value)))[-1]
        ack = await self._invoke(message, user, "adaptiveCard/action", activities.card_action(action, inputs))
        answer = ack.body if isinstance(ack.body, dict) else {}
        if ack.ok and answer.get("type") == "application/vnd.microsoft.card.adaptive":
            card = {"contentType": answer["type"], "content": answer["value"]}
            message.edits.append(message.body)
            message.body = {**message.body, "attachments": [card]}
        return ack

    async def feedback(self, message: Message, user: User, reaction: str = "like", text: str = "") -> Ack:
        """Rate an answer by the thumbs below it, and say why in the default form."""
        given = {"reaction": reaction, "feedback": f'{{"feedbackText":"{text}"}}'}
        value = {"actionName": "feedback", "actionValue": given}
        return await self._invoke(message, user, "message/submitAction", value)

    async def feedback_form(self, message: Message, user: User, reaction: str = "dislike") -> Ack:
        """Ask for the form of a custom feedback loop."""
        value = {"data": {"actionName": "feedback", "actionValue": {"reaction": reaction}}}
        return await self._invoke(message, user, "message/fetchTask", value)

    async def invoke(self, message: Message, user: User, name: str, value: Json) -> Ack:
        return await self._invoke(message, user, name, value)

    def stop(self, chat: Chat) -> None:
        """Press the stop button of the stream under way; the bot hears of it at its next request."""
        for message in self.state.messages:
            if message.conversation == chat.conversation_id and message.stream and message.stream.state == "streaming":
                message.stream.state = "canceled"

    def attach(self, name: str, content: bytes) -> Json:
        """Put a file where the bot may fetch it; return the attachment that names it."""
        unique_id = uuid.uuid4().hex
        self.connector.files[unique_id] = content
        return activities.file(name, f"{self.url}/files/{unique_id}", unique_id)

    async def consent(self, message: Message, user: User, *, accept: bool = True) -> Ack:
        """Take or decline the file that a consent card offers."""
        card = next(item for item in message.attachments if item["contentType"].endswith("file.consent"))
        unique_id = uuid.uuid4().hex
        info = {"name": card["name"], "uniqueId": unique_id, "fileType": card["name"].rpartition(".")[2]}
        info |= {"uploadUrl": f"{self.url}/files/{unique_id}", "contentUrl": f"{self.url}/files/{unique_id}"}
        context = card["content"]["acceptContext" if accept else "declineContext"]
        value: Json = {"type": "fileUpload", "action": "accept" if accept else "decline", "context": context}
        return await self._invoke(message, user, "fileConsent/invoke", value | ({"uploadInfo": info} if accept else {}))

    async def install(self, chat: Chat, user: User) -> list[Ack]:
        """Install the app: two activities say so."""
        chat.installed = True
        added = self._base(chat, user, "conversationUpdate", membersAdded=[{"id": self.state.bot_id}])
        installed = self._base(chat, user, "installationUpdate", action="add")
        return [*await self._delivery.send(added), *await self._delivery.send(installed)]

    async def uninstall(self, chat: Chat, user: User) -> list[Ack]:
        chat.installed = False
        return await self._delivery.send(self._base(chat, user, "installationUpdate", action="remove"))

    async def join(self, chat: Chat, user: User) -> list[Ack]:
        chat.members.append(user)
        member = {"id": user.user_id, "aadObjectId": user.aad_id}
        return await self._delivery.send(self._base(chat, user, "conversationUpdate", membersAdded=[member]))

    async def typing(self, chat: Chat, user: User) -> list[Ack]:
        return await self._delivery.send(self._base(chat, user, "typing"))

    async def attempt(self, chat: Chat, user: User, forgery: str, text: str = "hello", **changes: Any) -> Ack:
        """Send a message under a forged header; CHANGES are fields of the activity."""
        activity = activities.message(self._base(chat, user, "message"), text)
        return await self._delivery.once({**activity, **changes}, forgery=forgery)

    # What is to be seen

    def thread(self, chat: Chat, root: Said | Message | None = None, *, user: User | None = None) -> list[Message]:
        """Return what stands in a chat, or in the thread of ROOT; targeted messages for USER alone."""
        conversation = self._conversation(chat, root)
        return [
            message
            for message in self.state.messages
            if (
                message.conversation == conversation
                or (root is None and self.state.chat_of(message.conversation) is chat)
            )
            and not message.deleted
            and (not message.targeted_to or (user is not None and message.targeted_to == user.user_id))
        ]

    def answers(self, chat: Chat, root: Said | Message | None = None, *, user: User | None = None) -> list[Message]:
        """Return what the bot wrote there."""
        return [one for one in self.thread(chat, root, user=user) if one.author_id == self.state.bot_id]

    async def until(self, look: Callable[[], Any], patience_s: float = 10.0) -> Any:
        """Wait until LOOK returns something true and return it."""
        async with asyncio.timeout(patience_s):
            while not (found := look()):  # noqa: ASYNC110 - what is looked for is no event of ours
                await asyncio.sleep(0.01)
        return found
