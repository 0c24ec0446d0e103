"""A small Slack on loopback that keeps the platform's rules, and what people do in it.

`async with SlackServer() as slack:` serves the Web API at `slack.api_url`; `slack.rules.request_url` names the app's
address, and where it is empty events go over the app's sockets. Everything refused, late or broken is in
`slack.violations`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tests.platform import slack_payloads as payloads
from tests.platform.slack_blocks import check_view
from tests.platform.slack_delivery import Ack, Socket
from tests.platform.slack_methods import Call
from tests.platform.slack_methods_more import push_view
from tests.platform.slack_state import (
    Channel,
    File,
    Json,
    Message,
    ResponseUrl,
    SlackError,
    Trigger,
    User,
    View,
    Violation,
    Workspace,
)
from tests.platform.slack_world import SCOPES, World

__all__ = ["SCOPES", "Ack", "Channel", "File", "Message", "SlackServer", "User", "View", "Violation", "Workspace"]


class SlackServer(World):
    """A small Slack and what people do in it."""

    # What people do

    async def say(
        self, channel: Channel, user: User, text: str, *, thread_ts: str = "", files: Sequence[File] = ()
    ) -> Message:
        """Write a message; a mention of the bot is announced twice, as the platform does."""
        root = self.state.find(channel.channel_id, thread_ts) if thread_ts else None
        ts = self.state.new_ts()
        blocks = [] if user.bot_id else payloads.rich_text(text)
        place: Json = {"channel": channel.channel_id, "ts": ts, "thread_ts": thread_ts}
        author: Json = {"user": user.user_id, "bot_id": user.bot_id, "app_id": user.app_id}
        message = Message(**place, **author, text=text, blocks=blocks, files=list(files))
        self.state.messages.append(message)
        for file in files:
            file.channels.add(channel.channel_id)
        workspace = self.state.workspaces[channel.team_id] if channel.shared else self._workspace(user)
        event = payloads.message_event(message, channel, user, root)
        events = [event]
        if f"<@{workspace.bot_user_id}" in text and channel.kind != "im":
            events.insert(0, payloads.mention_event(event))
        for file in files:
            shared = {"file_id": file.file_id, "file": {"id": file.file_id}, "user_id": user.user_id}
            events.append({"type": "file_shared", **shared, "channel_id": channel.channel_id, "event_ts": ts})
        await asyncio.gather(*(self._event(workspace, event) for event in events))
        return message

    def mention(self, workspace: Workspace) -> str:
        """Return how the bot is mentioned."""
        return f"<@{workspace.bot_user_id}>"

    async def edit(self, message: Message, text: str) -> None:
        before = message.shown()
        message.text, message.blocks = text, payloads.rich_text(text)
        message.edited_ts = self.state.new_ts()
        await self._tell_change(message, before)

    async def unfurl(self, message: Message) -> None:
        """Announce a change in which nobody edited anything, as an unfurled link or a reply brings it."""
        await self._tell_change(message, message.shown())

    async def _tell_change(self, message: Message, before: Json) -> None:
        channel = self.state.channels[message.channel]
        workspace = self.state.workspaces[channel.team_id]
        await self._event(workspace, payloads.changed_event(self.state, channel, message, before))

    async def erase(self, message: Message) -> None:
        message.deleted = True
        channel = self.state.channels[message.channel]
        workspace = self.state.workspaces[channel.team_id]
        await self._event(workspace, payloads.deleted_event(self.state, channel, message))

    async def react(self, message: Message, user: User, name: str) -> None:
        message.reactions.setdefault(name, []).append(user.user_id)
        item = {"type": "message", "channel": message.channel, "ts": message.ts}
        named: Json = {"user": user.user_id, "reaction": name, "item": item, "item_user": message.user}
        event = {"type": "reaction_added", **named, "event_ts": self.state.new_ts()}
        await self._event(self._workspace(user), event)

    async def open_home(self, user: User, tab: str = "home") -> None:
        """Open the app's Home, or with TAB "messages" its conversation."""
        event: Json = {"type": "app_home_opened", "user": user.user_id, "tab": tab, "event_ts": self.state.new_ts()}
        event["channel"] = self.direct(user).channel_id
        if tab == "home" and (home := self.state.homes.get(user.user_id)) is not None:
            event["view"] = home.shown()
        await self._event(self._workspace(user), event)

    async def stop_session(self, channel: Channel, user: User, thread_ts: str) -> None:
        """Press the stop button; raises LookupError where the app's session shows none."""
        session = self.state.sessions.get((channel.channel_id, thread_ts))
        heard = self.subscribed is None or "agent_session_stopped" in self.subscribed
        if session is None or session.status != "processing" or not heard:
            raise LookupError("there is no stop button")
        streams = [message for message in self.thread(channel, thread_ts) if message.stream is not None]
        running = [message for message in streams if message.stream and message.stream.state == "streaming"]
        for message in running:
            assert message.stream is not None
            message.stream.state = "stopped by user"
        named: Json = {"channel": channel.channel_id, "thread_ts": thread_ts, "user": user.user_id}
        stopped = {"streaming_message_ts": [message.ts for message in running], "event_ts": self.state.new_ts()}
        await self._event(self._workspace(user), {"type": "agent_session_stopped", **named, **stopped})

    async def retitle_session(self, channel: Channel, user: User, thread_ts: str, title: str) -> None:
        named: Json = {"channel": channel.channel_id, "thread_ts": thread_ts, "user": user.user_id, "title": title}
        event = {"type": "agent_session_title_changed", **named, "event_ts": self.state.new_ts()}
        await self._event(self._workspace(user), event)

    async def uninstall(self, workspace: Workspace) -> None:
        """Remove the app from a workspace: both events, and its token is worth nothing from then on."""
        workspace.installed = False
        for kind, event in (
            ("tokens_revoked", {"tokens": {"bot": [workspace.bot_user_id], "oauth": []}}),
            ("app_uninstalled", {}),
        ):
            await self._event(workspace, {"type": kind, "event_ts": self.state.new_ts(), **event})

    def trigger(self, user: User, view: View | None = None) -> str:
        trigger_id = self.state.unique("trigger.")
        self.state.triggers[trigger_id] = Trigger(user.user_id, self.clock.now(), view=view)
        return trigger_id

    def response_url(self, channel: Channel, user: User, message: Message | None = None) -> str:
        key = self.state.identifier("respond")
        self.state.response_urls[key] = ResponseUrl(channel.channel_id, user.user_id, self.clock.now(), message)
        return f"{self.url}/respond/{key}"

    async def command(self, channel: Channel, user: User, command: str, text: str = "") -> Ack:
        """Type a slash command in a channel; threads have none. What comes with the acknowledgement is shown."""
        workspace = self._workspace(user)
        form = payloads.command_form(workspace, channel, user, command, text)
        url = self.response_url(channel, user)
        form |= {"response_url": url, "trigger_id": self.trigger(user)}
        ack = await self._delivery.once("command", form)
        if ack.ok and ack.body:
            said = ack.body if isinstance(ack.body, dict) else {"text": ack.body}
            async with self._session.post(url, json=said):
                self.state.response_urls[url.rpartition("/")[2]].uses -= 1
        return ack

    async def press(self, place: Message | View, user: User, action_id: str, chosen: Any = None) -> Ack:
        """Press a button, or choose an option by its value; for feedback buttons True is the positive one."""
        workspace = self._workspace(user)
        blocks = place.blocks if isinstance(place, Message) else place.content["blocks"]
        block, element = payloads.find_element(blocks, action_id)
        payload = payloads.interaction("block_actions", workspace, user)
        payload["actions"] = [payloads.action(element, block, chosen, self.state.new_ts())]
        payload["state"] = {"values": {}}
        if isinstance(place, Message):
            channel = self.state.channels[place.channel]
            payload |= payloads.in_message(place, channel)
            payload |= {"trigger_id": self.trigger(user), "response_url": self.response_url(channel, user, place)}
        else:
            payload |= payloads.in_view(place) | {"trigger_id": self.trigger(user, place)}
        return await self._delivery.once("interaction", payload)

    async def submit(self, view: View, user: User, **values: Any) -> Ack:
        """Fill in a modal by action id and submit it; the acknowledgement's response_action is carried out."""
        workspace = self._workspace(user)
        filled = view.shown() | {"state": payloads.view_state(view, values)}
        for given in values.values():
            for file in given if isinstance(given, list) else ():
                if isinstance(file, File):  # docs.slack.dev/reference/block-kit/block-elements/file-input-element
                    file.given = True
        payload = payloads.interaction("view_submission", workspace, user)
        payload |= {"view": filled, "trigger_id": self.trigger(user, view), "response_urls": []}
        ack = await self._delivery.once("interaction", payload)
        if ack.ok:
            self._after_submit(workspace, view, ack.body or {})
        return ack

    def _after_submit(self, workspace: Workspace, view: View, body: Json) -> None:
        try:
            self._respond(workspace, view, body)
        except SlackError as error:
            self.state.violate("view_submission", error.code, "; ".join(error.details))

    def _respond(self, workspace: Workspace, view: View, body: Json) -> None:
        match body.get("response_action"):
            case "errors":
                known = {block["block_id"] for block in view.content["blocks"] if block["type"] == "input"}
                if not body.get("errors") or set(body["errors"]) - known:
                    raise SlackError("invalid_response_action", "errors must name input blocks")
            case "update":
                view.content = check_view(body.get("view"), "modal")
            case "push":
                call = Call(self.state, workspace, {}, self._announce, self.url)
                push_view(call, view.user_id, check_view(body.get("view"), "modal"), view.stack)
            case "clear":
                view.stack.clear()
            case None:
                view.stack.remove(view)
            case other:
                raise SlackError("invalid_response_action", str(other))

    async def close_view(self, view: View, user: User) -> Ack | None:
        """Close a modal; the app hears of it where it asked to."""
        view.stack.clear()
        if not view.content.get("notify_on_close"):
            return None
        payload = payloads.interaction("view_closed", self._workspace(user), user)
        return await self._delivery.once("interaction", payload | {"view": view.shown(), "is_cleared": False})

    async def message_action(self, message: Message, user: User, callback_id: str) -> Ack:
        """Choose a message shortcut."""
        channel = self.state.channels[message.channel]
        payload = payloads.interaction("message_action", self._workspace(user), user)
        payload |= {"callback_id": callback_id, "trigger_id": self.trigger(user), "message_ts": message.ts}
        payload |= {"message": message.shown(), "channel": {"id": channel.channel_id, "name": channel.name}}
        payload |= {"response_url": self.response_url(channel, user, None), "action_ts": self.state.new_ts()}
        return await self._delivery.once("interaction", payload)

    async def shortcut(self, user: User, callback_id: str) -> Ack:
        """Choose a global shortcut."""
        payload = payloads.interaction("shortcut", self._workspace(user), user)
        payload |= {"callback_id": callback_id, "trigger_id": self.trigger(user), "action_ts": self.state.new_ts()}
        return await self._delivery.once("interaction", payload)

    # What is to be seen

    def thread(self, channel: Channel, ts: str, *, user: User | None = None) -> list[Message]:
        """Return what is visible in a thread, for USER alone where one is named."""
        return self.state.thread(channel.channel_id, ts, user=user.user_id if user else "")

    def seen(self, channel: Channel, user: User) -> list[Message]:
        """Return what USER sees in a channel, threads included."""
        found = [message for message in self.state.messages if message.channel == channel.channel_id]
        return [m for m in found if not m.deleted and m.ephemeral_to in ("", user.user_id)]

    def answers(self, channel: Channel, ts: str) -> list[Message]:
        """Return what the app wrote in a thread."""
        return [message for message in self.thread(channel, ts) if message.app_id == self.app.app_id]

    def modals(self, user: User) -> list[View]:
        """Return the views on top of USER's open modals."""
        views = [view for view in self.state.views.values() if view.user_id == user.user_id and view.stack]
        return [view for view in views if view.stack[-1] is view]

    def home(self, user: User) -> View | None:
        return self.state.homes.get(user.user_id)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """End every socket as the platform does: a warning 10 s before, other reasons at once."""
        await self.sockets.disconnect(reason, 10 * self.rules.time_scale if reason == "warning" else 0.0)

    async def until(self, look: Callable[[], Any], patience_s: float = 10.0) -> Any:
        """Wait until LOOK returns something true and return it."""
        async with asyncio.timeout(patience_s):
            while not (found := look()):  # noqa: ASYNC110 - what is looked for is no event of ours
                await asyncio.sleep(0.01)
        return found

    def open_sockets(self) -> list[Socket]:
        return list(self.sockets.open)
