"""The fake Slack keeps the platform's rules, as the real SDK and a real Bolt app see them."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.platform import slack_payloads as payloads
from tests.platform.slack_server import SCOPES, SlackServer

SECRET = "a signing secret"


@pytest.fixture
async def slack():
    async with SlackServer(ack_s=2.0, time_scale=0.0) as slack:
        yield slack


class Office:
    """One workspace with a channel, two people and the app's client."""

    def __init__(self, slack):
        self.slack = slack
        self.workspace = slack.workspace()
        self.ann, self.bob = slack.user(self.workspace, "ann", admin=True), slack.user(self.workspace, "bob")
        self.channel = slack.channel(self.workspace, "general", self.ann, self.bob)
        self.id = self.channel.channel_id
        self.client = self.client_of(self.workspace.bot_token)

    def client_of(self, token):
        return AsyncWebClient(token, base_url=self.slack.api_url, retry_handlers=[])

    async def refusal(self, call):
        """Return the code with which CALL is refused."""
        with pytest.raises(SlackApiError) as error:
            await call
        code = error.value.response["error"]
        assert self.slack.violations[-1].code == code
        return code

    async def post(self, text="hello", **more):
        return (await self.client.chat_postMessage(channel=self.id, text=text, **more))["ts"]

    async def asked(self):
        return (await self.slack.say(self.channel, self.ann, "a question")).ts


@pytest.fixture
async def office(slack):
    return Office(slack)


def section(text="x", **more):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id="go", text="Go", value="1", **more):
    return {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": text},
        "value": value,
        **more,
    }


def actions(*elements, **more):
    return {"type": "actions", "elements": list(elements), **more}


def options(count, text="o", value="v"):
    return [{"text": {"type": "plain_text", "text": text}, "value": f"{value}{i}"} for i in range(count)]


def group(label="g", count=1):
    return {"label": {"type": "plain_text", "text": label}, "options": options(count)}


def select(count=1, **more):
    element = {"type": "static_select", "action_id": "choose", "options": options(count, **more)}
    return actions(element)


def modal(blocks=None, **more):
    view = {"type": "modal", "title": {"type": "plain_text", "text": "A title"}, "blocks": blocks or [section()]}
    return {**view, **more}


# Who may call


async def test_tokens_are_checked(slack, office):
    assert (await office.client.auth_test())["user_id"] == office.workspace.bot_user_id
    assert await office.refusal(office.client_of(None).auth_test()) == "not_authed"
    assert await office.refusal(office.client_of("xoxb-wrong").auth_test()) == "invalid_auth"
    assert await office.refusal(office.client.api_call("chat.nothing")) == "unknown_method"
    await office.client.auth_revoke()
    assert await office.refusal(office.client.auth_test()) == "token_revoked"


async def test_a_token_in_json_does_not_count(slack, office):
    async with (
        aiohttp.ClientSession() as session,
        session.post(slack.api_url + "auth.test", json={"token": office.workspace.bot_token}) as reply,
    ):
        assert await reply.json() == {"ok": False, "error": "not_authed"}


async def test_query_form_and_json_are_merged(slack, office):
    headers = {"Authorization": f"Bearer {office.workspace.bot_token}"}
    url = slack.api_url + "chat.postMessage"
    blocks = json.dumps([section("in a form")])
    async with aiohttp.ClientSession() as session:
        async with session.post(url, params={"channel": office.id}, json={"text": "json"}, headers=headers) as reply:
            assert (await reply.json())["message"]["text"] == "json"
        async with session.post(url, data={"channel": office.id, "blocks": blocks}, headers=headers) as reply:
            assert (await reply.json())["message"]["blocks"][0]["text"]["text"] == "in a form"


async def test_scopes_are_checked(slack, office):
    workspace = slack.workspace("small", scopes={"chat:write"})
    channel = slack.channel(workspace, "general")
    client = office.client_of(workspace.bot_token)
    with pytest.raises(SlackApiError) as error:
        await client.users_info(user="U1")
    assert error.value.response["needed"] == "users:read"
    assert error.value.response["provided"] == "chat:write"
    assert await office.refusal(client.conversations_info(channel=channel.channel_id)) == "missing_scope"
    assert await office.refusal(client.conversations_open(users="U1")) == "missing_scope"


# Messages


async def test_messages_are_kept_edited_and_deleted(slack, office):
    ts = await office.asked()
    first = await office.post("one", thread_ts=ts)
    await office.client.chat_update(channel=office.id, ts=first, text="two")
    assert [message.text for message in slack.thread(office.channel, ts)] == ["a question", "two"]
    assert (await office.client.chat_getPermalink(channel=office.id, message_ts=ts))["permalink"]
    replies = await office.client.conversations_replies(channel=office.id, ts=ts)
    assert [message["text"] for message in replies["messages"]] == ["a question", "two"]
    assert (await office.client.conversations_history(channel=office.id))["messages"][0]["ts"] == ts
    await office.client.chat_delete(channel=office.id, ts=first)
    assert await office.refusal(office.client.chat_update(channel=office.id, ts=first, text="x")) == "message_not_found"
    assert await office.refusal(office.client.chat_update(channel=office.id, ts=ts, text="x")) == "cant_update_message"
    assert await office.refusal(office.client.chat_delete(channel=office.id, ts=ts)) == "cant_delete_message"
    assert (
        await office.refusal(office.client.chat_getPermalink(channel=office.id, message_ts="1.0"))
        == "message_not_found"
    )


async def test_places_are_checked(slack, office):
    elsewhere = slack.channel(office.workspace, "elsewhere", with_bot=False)
    hidden = slack.channel(office.workspace, "hidden", private=True, with_bot=False)
    post = office.client.chat_postMessage
    assert await office.refusal(post(channel="C0", text="x")) == "channel_not_found"
    assert await office.refusal(post(channel=elsewhere.channel_id, text="x")) == "not_in_channel"
    assert await office.refusal(post(channel=hidden.channel_id, text="x")) == "channel_not_found"
    assert await office.refusal(post(channel=office.id, text="x", thread_ts="1.0")) == "invalid_thread_ts"
    office.channel.archived = True
    assert await office.refusal(office.post()) == "is_archived"


async def test_private_words_reach_one_person(slack, office):
    ts = await office.asked()
    await office.client.chat_postEphemeral(channel=office.id, user=office.ann.user_id, text="psst", thread_ts=ts)
    assert [m.text for m in slack.thread(office.channel, ts, user=office.ann)] == ["a question", "psst"]
    assert [m.text for m in slack.thread(office.channel, ts, user=office.bob)] == ["a question"]
    private = office.client.chat_postEphemeral(channel=office.id, user="U0", text="x")
    assert await office.refusal(private) == "user_not_in_channel"


async def test_limits_of_text(slack, office):
    ts = await office.post("x" * 50_000)
    assert len(slack.state.find(office.id, ts).text) == 40_000
    update = office.client.chat_update
    assert await office.refusal(update(channel=office.id, ts=ts, text="x" * 4_001)) == "msg_too_long"
    await update(channel=office.id, ts=ts, text="x" * 4_000)
    post = office.client.chat_postMessage
    assert await office.refusal(post(channel=office.id, markdown_text="x" * 12_001)) == "msg_too_long"
    both = post(channel=office.id, text="x", markdown_text="x")
    assert await office.refusal(both) == "markdown_text_conflict"
    assert await office.refusal(office.client.api_call("chat.postMessage", json={"channel": office.id})) == "no_text"
    slack.clock.advance(4)
    assert (await post(channel=office.id, markdown_text="**x**" * 2_000))["ok"]


async def test_metadata_has_its_shape(slack, office):
    kept = {"event_type": "answer", "event_payload": {"outbox_id": 7}}
    ts = await office.asked()
    await office.post(thread_ts=ts, metadata=kept)
    read = await office.client.conversations_replies(channel=office.id, ts=ts, include_all_metadata=True)
    assert read["messages"][1]["metadata"] == kept
    assert await office.refusal(office.post(metadata={"event_payload": {}})) == "invalid_metadata_schema"
    assert await office.refusal(office.post(metadata={"event_type": "x"})) == "invalid_metadata_format"
    stream = await start(office, markdown_text="x")
    stop = office.client.api_call("chat.stopStream", json={**stream, "metadata": {"event_type": "x"}})
    assert await office.refusal(stop) == "invalid_metadata_format"


async def test_a_thread_is_read_back_from_a_time_on_and_its_first_message_with_it(slack, office):
    office.workspace.commercial, slack.rates.enabled = True, False
    ts = await office.asked()
    replies = [await office.post(f"reply {number}", thread_ts=ts) for number in range(20)]

    async def read(**more):
        found = await office.client.conversations_replies(channel=office.id, ts=ts, **more)
        return [message["text"] for message in found["messages"]], found["has_more"]

    assert await read() == (["a question", *(f"reply {number}" for number in range(14))], True)
    assert await read(oldest=replies[16]) == (["a question", "reply 17", "reply 18", "reply 19"], False)
    assert await read(oldest=replies[18], inclusive="true") == (["a question", "reply 18", "reply 19"], False)
    assert await read(latest=replies[1]) == (["a question", "reply 0"], False)


LONG = "x" * 3_001
BROKEN_BLOCKS = {
    "51 blocks": [{"type": "divider"}] * 51,
    "an unknown block": [{"type": "wish"}],
    "no text": [{"type": "section"}],
    "empty text": [section("")],
    "section text": [section(LONG)],
    "11 fields": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
    "field text": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2_001}]}],
    "header": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
    "header in mrkdwn": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
    "11 elements of context": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
    "26 actions": [actions(*[button(f"b{i}") for i in range(26)])],
    "6 context actions": [{"type": "context_actions", "elements": [{"type": "icon_button"}] * 6}],
    "a button among context actions": [{"type": "context_actions", "elements": [button()]}],
    "feedback without a button": [{"type": "context_actions", "elements": [{"type": "feedback_buttons"}]}],
    "button text": [actions(button(text="x" * 76))],
    "button value": [actions(button(value="x" * 2_001))],
    "button address": [actions(button(url="https://x.org/" + "x" * 3_000))],
    "button style": [actions(button(style="big"))],
    "a confirmation's text": [
        actions(
            button(confirm={k: {"type": "plain_text", "text": "x" * 301} for k in ("title", "text", "confirm", "deny")})
        )
    ],
    "101 options": [select(101)],
    "no options": [select(0)],
    "option text": [select(text="x" * 76)],
    "option value": [select(value="x" * 150)],
    "6 overflow options": [actions({"type": "overflow", "action_id": "a", "options": options(6)})],
    "11 radio buttons": [actions({"type": "radio_buttons", "action_id": "a", "options": options(11)})],
    "a double option": [actions({"type": "static_select", "action_id": "a", "options": options(1) * 2})],
    "a strange initial option": [
        actions({"type": "static_select", "action_id": "a", "options": options(1), "initial_option": options(2)[1]})
    ],
    "strange initial options": [
        actions(
            {
                "type": "multi_static_select",
                "action_id": "a",
                "options": options(2),
                "initial_options": [*options(1), *options(1, value="w")],
            }
        )
    ],
    "no initial options": [
        actions({"type": "multi_static_select", "action_id": "a", "options": options(2), "initial_options": []})
    ],
    "101 groups": [actions({"type": "static_select", "action_id": "a", "option_groups": [group()] * 101})],
    "a group's label": [actions({"type": "static_select", "action_id": "a", "option_groups": [group("x" * 76)]})],
    "101 options in a group": [
        actions({"type": "static_select", "action_id": "a", "option_groups": [group(count=101)]})
    ],
    "placeholder": [actions({**select()["elements"][0], "placeholder": {"type": "plain_text", "text": "x" * 151}})],
    "action id": [actions(button("x" * 256))],
    "a double action id": [actions(button(), button())],
    "block id": [section(block_id="x" * 256)],
    "a double block id": [section(block_id="b"), section(block_id="b")],
    "image without alt text": [{"type": "image", "image_url": "https://x.org/i.png"}],
    "image address": [{"type": "image", "alt_text": "x", "image_url": "x" * 3_001}],
    "image alt text": [{"type": "image", "alt_text": "x" * 2_001, "image_url": "https://x.org/i.png"}],
    "image title": [
        {
            "type": "image",
            "alt_text": "x",
            "image_url": "https://x.org/i.png",
            "title": {"type": "plain_text", "text": "x" * 2_001},
        }
    ],
    "markdown block": [{"type": "markdown", "text": "x" * 12_001}],
    "input label": [
        {
            "type": "input",
            "label": {"type": "plain_text", "text": "x" * 2_001},
            "element": {"type": "plain_text_input", "action_id": "a"},
        }
    ],
}


@pytest.mark.parametrize("case", BROKEN_BLOCKS)
async def test_blocks_are_checked(slack, office, case):
    post = office.client.chat_postMessage(channel=office.id, text="x", blocks=BROKEN_BLOCKS[case])
    assert await office.refusal(post) == "invalid_blocks"
    assert "json-pointer" in slack.violations[-1].detail or "unique" in slack.violations[-1].detail


async def test_blocks_together_are_limited(slack, office):
    post = office.client.chat_postMessage
    fits = [
        section("x" * 3_000),
        section("x" * 3_000),
        section("x" * 3_000),
        section("x" * 3_000),
        section("x" * 1_200),
    ]
    assert (await post(channel=office.id, text="x", blocks=fits))["ok"]
    assert await office.refusal(post(channel=office.id, text="x", blocks=[*fits, section()])) == "msg_blocks_too_long"
    broken = post(channel=office.id, text="x", blocks={"type": "section"})
    assert await office.refusal(broken) == "invalid_blocks_format"


async def test_people_groups_and_places_can_be_looked_up(slack, office):
    group = slack.group(office.workspace, "helpers", office.bob)
    client, ann = office.client, office.ann.user_id
    assert (await client.users_info(user=ann))["user"]["is_admin"]
    assert len((await client.users_list())["members"]) == 3
    assert (await client.usergroups_list())["usergroups"][0]["handle"] == "helpers"
    assert (await client.usergroups_users_list(usergroup=group.group_id))["users"] == [office.bob.user_id]
    assert (await client.team_info())["team"]["name"] == "acme"
    assert (await client.conversations_info(channel=office.id))["channel"]["is_member"]
    first = await client.conversations_members(channel=office.id, limit=2)
    rest = await client.conversations_members(channel=office.id, cursor=first["response_metadata"]["next_cursor"])
    assert len(first["members"]) + len(rest["members"]) == 3
    direct = (await client.conversations_open(users=ann))["channel"]["id"]
    assert direct == slack.direct(office.ann).channel_id
    assert (await client.chat_postMessage(channel=ann, text="x"))["channel"] == direct
    assert (await client.conversations_open(users=[ann, office.bob.user_id]))["channel"]["is_mpim"]
    assert await office.refusal(client.users_info(user="U0")) == "user_not_found"
    assert await office.refusal(client.conversations_open(users="U0")) == "user_not_found"
    assert await office.refusal(client.usergroups_users_list(usergroup="S0")) == "no_such_subteam"


async def test_reactions(slack, office):
    ts = await office.asked()
    react = {"channel": office.id, "timestamp": ts, "name": "eyes"}
    await office.client.reactions_add(**react)
    assert await office.refusal(office.client.reactions_add(**react)) == "already_reacted"
    await office.client.reactions_remove(**react)
    assert await office.refusal(office.client.reactions_remove(**react)) == "no_reaction"


# Pace


async def test_a_method_is_held_to_its_tier(slack, office):
    for _ in range(20):
        await office.client.users_list()
    with pytest.raises(SlackApiError) as error:
        await office.client.users_list()
    assert error.value.response.status_code == 429
    wait_s = int(error.value.response.headers["Retry-After"])
    assert 1 <= wait_s <= 60
    assert slack.early_calls == []
    assert await office.refusal(office.client.users_list()) == "ratelimited"
    assert [(call.method, call.early_s > 0) for call in slack.early_calls] == [("users.list", True)]
    slack.clock.advance(wait_s)
    assert (await office.client.users_list())["ok"]


async def test_posts_are_held_to_one_a_second_in_each_channel(slack, office):
    other = slack.channel(office.workspace, "other")
    for _ in range(4):
        await office.post()
    assert await office.refusal(office.post()) == "ratelimited"
    assert (await office.client.chat_postMessage(channel=other.channel_id, text="x"))["ok"]
    slack.clock.advance(4)
    await office.post()


async def test_reading_back_is_held_to_one_call_for_somebody_elses_app(slack, office):
    ts = await office.asked()
    office.workspace.commercial = True
    slack.rates.limits["conversations.replies"] = 1
    await office.client.conversations_replies(channel=office.id, ts=ts)
    again = office.client.conversations_replies(channel=office.id, ts=ts)
    assert await office.refusal(again) == "ratelimited"


async def test_calls_fail_on_request(slack, office):
    slack.misbehave("chat.postMessage", "http_503", "ratelimited", "internal_error", "reset", "lost")
    with pytest.raises(SlackApiError) as error:
        await office.post()
    assert error.value.response.status_code == 503
    assert await office.refusal(office.post()) == "ratelimited"
    assert await office.refusal(office.post()) == "internal_error"
    for text in ("reset", "lost"):
        with pytest.raises(aiohttp.ClientError):
            await office.post(text)
    assert [message.text for message in slack.seen(office.channel, office.ann)] == ["lost"]


# Streams


async def start(office, **more):
    ts = await office.asked()
    recipient = {"recipient_user_id": office.ann.user_id, "recipient_team_id": office.workspace.team_id}
    started = await office.client.chat_startStream(channel=office.id, thread_ts=ts, **recipient, **more)
    return {"channel": office.id, "ts": started["ts"]}


async def test_a_stream_grows_and_ends_with_blocks(slack, office):
    stream = await start(office, markdown_text="One ")
    client = office.client
    await client.chat_appendStream(**stream, chunks=[{"type": "markdown_text", "text": "two "}])
    task = {"type": "task_update", "id": "1", "title": "Search", "status": "complete"}
    await client.chat_appendStream(**stream, markdown_text="three", chunks=[task])
    message = slack.state.find(office.id, stream["ts"])
    assert (message.text, message.markdown) == ("One two three", True)
    busy = client.chat_update(channel=office.id, ts=stream["ts"], text="x")
    assert await office.refusal(busy) == "streaming_state_conflict"
    feedback = {"type": "feedback_buttons", "action_id": "rate"}
    for name in ("positive", "negative"):
        feedback[f"{name}_button"] = {"text": {"type": "plain_text", "text": name}, "value": name}
    await client.chat_stopStream(
        **stream, blocks=[{"type": "context_actions", "elements": [feedback]}], session_status="active"
    )
    assert message.blocks[0]["elements"][0]["action_id"] == "rate"
    assert slack.state.sessions[office.id, message.thread_ts].history == ["processing", "active"]
    ended = client.chat_appendStream(**stream, markdown_text="x")
    assert await office.refusal(ended) == "message_not_in_streaming_state"
    await client.chat_update(channel=office.id, ts=stream["ts"], text="a correction")


async def test_the_sdks_own_stream_is_understood(slack, office):
    ts = await office.asked()
    recipient = {"recipient_user_id": office.ann.user_id, "recipient_team_id": office.workspace.team_id}
    stream = await office.client.chat_stream(channel=office.id, thread_ts=ts, buffer_size=5, **recipient)
    for piece in ("Lunch ", "is at ", "noon."):
        await stream.append(markdown_text=piece)
    await stream.stop()
    assert slack.answers(office.channel, ts)[0].text == "Lunch is at noon."


async def test_a_stream_needs_its_place_and_its_reader(slack, office):
    ts = await office.asked()
    client, user, team = office.client, office.ann.user_id, office.workspace.team_id

    def begin(**more):
        return client.api_call("chat.startStream", json={"channel": office.id, **more})

    reader = {"recipient_user_id": user, "recipient_team_id": team}
    assert await office.refusal(begin(**reader)) == "invalid_thread_ts"
    assert await office.refusal(begin(thread_ts="", **reader)) == "invalid_thread_ts"
    assert await office.refusal(begin(thread_ts="1.0", **reader)) == "invalid_thread_ts"
    assert await office.refusal(begin(thread_ts=ts, recipient_team_id=team)) == "missing_recipient_user_id"
    assert await office.refusal(begin(thread_ts=ts, recipient_user_id=user)) == "missing_recipient_team_id"
    assert await office.refusal(begin(thread_ts=ts, chunks=[{"type": "wish"}], **reader)) == "invalid_chunks"
    assert await office.refusal(begin(thread_ts=ts, markdown_text="x" * 12_001, **reader)) == "msg_too_long"
    bad = [{"type": "blocks", "blocks": [{"type": "file"}]}]
    assert await office.refusal(begin(thread_ts=ts, chunks=bad, **reader)) == "invalid_blocks"
    many = [{"type": "blocks", "blocks": [{"type": "divider"}] * 30}] * 2
    assert await office.refusal(begin(thread_ts=ts, chunks=many, **reader)) == "invalid_blocks"
    assert slack.answers(office.channel, ts) == []
    direct = slack.direct(office.ann)
    asked = await slack.say(direct, office.ann, "hi")
    assert (await client.api_call("chat.startStream", json={"channel": direct.channel_id, "thread_ts": asked.ts}))["ok"]


async def test_a_stream_lives_five_minutes_whatever_is_appended(slack, office):
    stream = await start(office)
    slack.clock.advance(299)
    await office.client.chat_appendStream(**stream, markdown_text="x")
    slack.clock.advance(2)
    late = office.client.chat_appendStream(**stream, markdown_text="y")
    assert await office.refusal(late) == "message_not_in_streaming_state"
    assert await office.refusal(office.client.chat_stopStream(**stream)) == "message_not_in_streaming_state"
    await office.client.chat_update(channel=office.id, ts=stream["ts"], text="the rest")


async def test_a_person_stops_a_stream(slack, office):
    stream = await start(office, markdown_text="x")
    thread_ts = slack.state.find(office.id, stream["ts"]).thread_ts
    await slack.stop_session(office.channel, office.ann, thread_ts)
    stopped = office.client.chat_appendStream(**stream, markdown_text="y")
    assert await office.refusal(stopped) == "stopped_by_user"
    await office.client.agents_sessions_setStatus(channel_id=office.id, thread_ts=thread_ts, status="active")
    with pytest.raises(LookupError):
        await slack.stop_session(office.channel, office.ann, thread_ts)


async def test_agent_sessions(slack, office):
    ts = await office.asked()
    client, place = office.client, {"channel_id": office.id, "thread_ts": ts}
    assert await office.refusal(client.agents_sessions_rename(**place, title="x")) == "session_not_found"
    await client.agents_sessions_setStatus(**place, status="processing", title="Lunch")
    await client.agents_sessions_rename(**place, title="Lunch times")
    assert slack.state.sessions[office.id, ts].title == "Lunch times"
    assert await office.refusal(client.agents_sessions_setStatus(**place, status="dancing")) == "invalid_arguments"
    assert await office.refusal(client.agents_sessions_rename(**place, title="x" * 201)) == "invalid_arguments"
    nowhere = client.agents_sessions_setStatus(channel_id=office.id, status="active")
    assert await office.refusal(nowhere) == "invalid_thread_ts"
    await client.assistant_threads_setStatus(**place, status="is reading")
    await client.assistant_threads_setTitle(**place, title="A title")
    prompts = [{"title": "t", "message": "m"}] * 4
    await client.assistant_threads_setSuggestedPrompts(channel_id=office.id, prompts=prompts)
    assert (slack.state.statuses[office.id, ts], slack.state.prompts[office.id]) == ("is reading", prompts)
    five = client.assistant_threads_setSuggestedPrompts(channel_id=office.id, prompts=[*prompts, prompts[0]])
    assert await office.refusal(five) == "invalid_arguments"


# Views


async def test_a_trigger_opens_one_view_within_three_seconds(slack, office):
    open_view = office.client.views_open
    trigger_id = slack.trigger(office.ann)
    opened = await open_view(trigger_id=trigger_id, view=modal())
    assert slack.modals(office.ann)[0].view_id == opened["view"]["id"]
    assert await office.refusal(open_view(trigger_id=trigger_id, view=modal())) == "exchanged_trigger_id"
    late = slack.trigger(office.ann)
    slack.clock.advance(3.1)
    assert await office.refusal(open_view(trigger_id=late, view=modal())) == "expired_trigger_id"
    assert await office.refusal(open_view(trigger_id="nothing", view=modal())) == "invalid_trigger_id"


GO = {"type": "plain_text", "text": "Go"}


def text_input(**more):
    element = {"type": "plain_text_input", "action_id": "a", **more}
    return {"type": "input", "label": {"type": "plain_text", "text": "x"}, "element": element}


BROKEN_VIEWS = {
    "title": modal(title={"type": "plain_text", "text": "x" * 25}),
    "submit": modal(submit={"type": "plain_text", "text": "x" * 25}),
    "close": modal(close={"type": "plain_text", "text": "x" * 25}),
    "metadata": modal(private_metadata="x" * 3_001),
    "callback id": modal(callback_id="x" * 256),
    "external id": modal(external_id="x" * 256),
    "a longer value than an input takes": modal([text_input(max_length=5, initial_value="x" * 6)], submit=GO),
    "the length of an input": modal([text_input(max_length=3_001)], submit=GO),
    "an input's lengths": modal([text_input(min_length=6, max_length=5)], submit=GO),
    "101 blocks": modal([{"type": "divider"}] * 101),
    "a block for messages only": modal([{"type": "markdown", "text": "x"}]),
    "an input without submit": modal(
        [
            {
                "type": "input",
                "label": {"type": "plain_text", "text": "x"},
                "element": {"type": "plain_text_input", "action_id": "a"},
            }
        ]
    ),
    "11 files": modal(
        [
            {
                "type": "input",
                "label": {"type": "plain_text", "text": "x"},
                "element": {"type": "file_input", "action_id": "a", "max_files": 11},
            }
        ],
        submit={"type": "plain_text", "text": "Go"},
    ),
    "a home tab": {"type": "home", "blocks": []},
}


@pytest.mark.parametrize("case", BROKEN_VIEWS)
async def test_views_are_checked(slack, office, case):
    broken = office.client.views_open(trigger_id=slack.trigger(office.ann), view=BROKEN_VIEWS[case])
    assert await office.refusal(broken) == "invalid_arguments"


async def test_views_are_updated_and_pushed(slack, office):
    client = office.client
    view = (await client.views_open(trigger_id=slack.trigger(office.ann), view=modal()))["view"]
    await client.views_update(view_id=view["id"], hash=view["hash"], view=modal([section("new")]))
    stale = client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    assert await office.refusal(stale) == "hash_conflict"
    assert await office.refusal(client.views_update(view_id="V0", view=modal())) == "not_found"
    bottom = slack.modals(office.ann)[0]
    for _ in range(2):
        await client.views_push(trigger_id=slack.trigger(office.ann, bottom), view=modal())
    fourth = client.views_push(trigger_id=slack.trigger(office.ann, bottom), view=modal())
    assert await office.refusal(fourth) == "push_limit_reached"


async def test_a_home_tab_is_published(slack, office):
    home = {"type": "home", "blocks": [section("welcome")]}
    ann = office.ann.user_id
    first = (await office.client.views_publish(user_id=ann, view=home))["view"]
    await office.client.views_publish(user_id=ann, view=home, hash=first["hash"])
    stale = office.client.views_publish(user_id=ann, view=home, hash=first["hash"])
    assert await office.refusal(stale) == "hash_conflict"
    assert slack.home(office.ann).content["blocks"][0]["text"]["text"] == "welcome"
    assert await office.refusal(office.client.views_publish(user_id="U0", view=home)) == "user_not_found"


# Files


async def fetch(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
        return reply.status, reply.content_type, await reply.read()


async def test_a_file_needs_the_token_and_the_scope(slack, office):
    file = slack.file(office.ann, "handbook.pdf", b"%PDF-", "application/pdf")
    await slack.say(office.channel, office.ann, "see this", files=[file])
    info = await office.client.files_info(file=file.file_id)
    url = info["file"]["url_private_download"]
    token = office.workspace.bot_token
    assert await fetch(url, token) == (200, "application/pdf", b"%PDF-")
    assert (await fetch(url))[:2] == (200, "text/html")
    assert (await fetch(url, "xoxb-wrong"))[:2] == (200, "text/html")
    office.workspace.scopes.discard("files:read")
    assert (await fetch(url, token))[:2] == (200, "text/html")
    office.workspace.scopes.add("files:read")
    hidden = slack.channel(office.workspace, "hidden", private=True, with_bot=False)
    other = slack.file(office.ann, "other.txt", b"x", "text/plain")
    await slack.say(hidden, office.ann, "see that", files=[other])
    assert await office.refusal(office.client.files_info(file=other.file_id)) == "file_not_found"


async def test_a_file_may_be_uploaded_as_a_form_as_the_sdk_for_javascript_does(slack, office):
    place = await office.client.files_getUploadURLExternal(filename="a.txt", length=9)
    form = aiohttp.FormData()
    form.add_field("body", b"file text", filename="a.txt")
    async with aiohttp.ClientSession() as session, session.post(place["upload_url"], data=form) as response:
        assert response.status == 200
    assert slack.state.files[place["file_id"]].content == b"file text"


async def test_flags_in_a_form_are_flags_and_an_edit_keeps_the_metadata_it_does_not_name(slack, office):
    metadata = {"event_type": "answer", "event_payload": {"part": 1}}
    ts = await office.post(metadata=metadata)
    form = {"channel": office.id, "ts": ts, "text": "edited", "unfurl_links": "false"}
    await office.client.api_call("chat.update", data=form)
    assert slack.calls[-1][1]["unfurl_links"] is False
    for flag, expected in (("true", metadata), ("false", None)):
        asked = {"channel": office.id, "ts": ts, "include_all_metadata": flag}
        found = (await office.client.api_call("conversations.replies", data=asked))["messages"][0]
        assert found.get("metadata") == expected


async def test_a_file_is_uploaded_in_three_steps(slack, office):
    ts = await office.asked()
    done = await office.client.files_upload_v2(
        channel=office.id, thread_ts=ts, filename="a.txt", content="some text", initial_comment="here"
    )
    answer = slack.answers(office.channel, ts)[0]
    assert (answer.text, answer.files[0].content) == ("here", b"some text")
    assert done["file"]["id"] == answer.files[0].file_id
    foreign = slack.file(office.ann, "b.txt", b"x", "text/plain")
    assert await office.refusal(office.client.files_delete(file=foreign.file_id)) == "cant_delete_file"
    again = office.client.files_completeUploadExternal(files=[{"id": done["file"]["id"], "title": "a"}])
    assert await office.refusal(again) == "file_not_found"
    await office.client.files_delete(file=done["file"]["id"])
    assert answer.files == []
    assert await office.refusal(office.client.files_delete(file=done["file"]["id"])) == "file_not_found"


# Installing


# The SDK logs in with a class that aiohttp is to drop.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_the_app_is_installed_and_removed(slack, office):
    workspace = slack.workspace("new", installed=False)
    client, app = AsyncWebClient(base_url=slack.api_url, retry_handlers=[]), slack.app
    query = {"client_id": app.client_id, "redirect_uri": "https://x.org/back", "state": "s", "team": workspace.team_id}
    async with (
        aiohttp.ClientSession() as session,
        session.get(slack.url + "/oauth/v2/authorize", params=query, allow_redirects=False) as reply,
    ):
        back = aiohttp.client.URL(reply.headers["Location"])
    assert (back.host, back.query["state"]) == ("x.org", "s")
    login = {"client_id": app.client_id, "client_secret": app.client_secret}
    wrong = client.oauth_v2_access(client_id=app.client_id, client_secret="no", code=back.query["code"])
    assert await office.refusal(wrong) == "bad_client_secret"
    wrong = client.oauth_v2_access(client_id="no", client_secret="no", code=back.query["code"])
    assert await office.refusal(wrong) == "invalid_client_id"
    installed = await client.oauth_v2_access(**login, code=back.query["code"], redirect_uri="https://x.org/back")
    assert installed["team"]["id"] == workspace.team_id
    assert set(installed["scope"].split(",")) == SCOPES
    again = client.oauth_v2_access(**login, code=back.query["code"], redirect_uri="https://x.org/back")
    assert await office.refusal(again) == "invalid_code"
    slack.state.codes["c"] = (workspace.team_id, "https://x.org/back")
    wrong = client.oauth_v2_access(**login, code="c", redirect_uri="https://evil.org")
    assert await office.refusal(wrong) == "bad_redirect_uri"
    own = office.client_of(installed["access_token"])
    assert (await own.auth_test())["team_id"] == workspace.team_id
    await own.apps_uninstall(**login)
    assert await office.refusal(own.auth_test()) == "account_inactive"


# Delivery over HTTP


class Receiver:
    """An app's web server that answers as told."""

    def __init__(self):
        self.seen, self.answer = [], lambda _request, _body: web.Response()

    async def handle(self, request):
        body = await request.read()
        self.seen.append((request.headers.copy(), body))
        answer = self.answer(request, body)
        return await answer if asyncio.iscoroutine(answer) else answer

    @property
    def events(self):
        return [json.loads(body)["event"] for _, body in self.seen]

    @property
    def forms(self):
        parsed = [dict(aiohttp.client.URL("/?" + body.decode()).query) for _, body in self.seen]
        return [json.loads(form["payload"]) if "payload" in form else form for form in parsed]


async def serve(handler):
    application = web.Application()
    application.router.add_post("/slack/events", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"


@pytest.fixture
async def receiver(slack):
    receiver = Receiver()
    runner, slack.rules.request_url = await serve(receiver.handle)
    yield receiver
    await runner.cleanup()


async def test_events_are_signed_and_shaped(slack, office, receiver):
    mention = slack.mention(office.workspace)
    message = await slack.say(office.channel, office.ann, f"{mention} when is lunch?")
    assert {event["type"] for event in receiver.events} == {"message", "app_mention"}
    assert {event["ts"] for event in receiver.events} == {message.ts}
    verifier = SignatureVerifier(SECRET)
    for headers, body in receiver.seen:
        assert verifier.is_valid_request(body, dict(headers.items()))
        assert "x-slack-retry-num" not in headers
        envelope = json.loads(body)
        assert envelope["authorizations"][0]["user_id"] == office.workspace.bot_user_id
        assert (envelope["type"], envelope["team_id"]) == ("event_callback", office.workspace.team_id)
    assert len({json.loads(body)["event_id"] for _, body in receiver.seen}) == 2
    assert [ack.ok for ack in slack.acks] == [True, True]
    assert slack.violations == []


async def test_what_people_do_becomes_events(slack, office, receiver):
    ann, file = office.ann, slack.file(office.ann, "a.txt", b"x", "text/plain")
    message = await slack.say(office.channel, ann, "one", files=[file])
    await slack.say(office.channel, ann, "two", thread_ts=message.ts)
    await slack.edit(message, "uno")
    await slack.unfurl(message)
    await slack.erase(message)
    await slack.react(message, ann, "+1")
    await slack.open_home(ann)
    await slack.say(slack.direct(ann), ann, slack.mention(office.workspace))
    await slack.say(office.channel, slack.bot(office.workspace, "other"), "beep")
    await slack.retitle_session(office.channel, ann, message.ts, "A title")
    await slack.uninstall(office.workspace)
    kinds = [(event["type"], event.get("subtype")) for event in receiver.events]
    assert kinds == [
        ("message", "file_share"),
        ("file_shared", None),
        ("message", None),
        ("message", "message_changed"),
        ("message", "message_changed"),
        ("message", "message_deleted"),
        ("reaction_added", None),
        ("app_home_opened", None),
        ("message", None),
        ("message", None),
        ("agent_session_title_changed", None),
        ("tokens_revoked", None),
        ("app_uninstalled", None),
    ]
    shared, _, reply, edited, unfurled, gone, *_ = receiver.events
    assert shared["files"][0]["url_private_download"] == file.url
    assert (reply["thread_ts"], reply["parent_user_id"]) == (message.ts, ann.user_id)
    assert edited["message"]["edited"]["user"] == ann.user_id
    assert edited["previous_message"]["text"] == "one"
    assert unfurled["message"] == unfurled["previous_message"]
    assert gone["deleted_ts"] == message.ts
    assert receiver.events[8]["channel_type"] == "im"
    assert receiver.events[9]["bot_id"]


async def test_the_app_hears_only_what_it_may(slack, office, receiver):
    elsewhere = slack.channel(office.workspace, "elsewhere", office.ann, with_bot=False)
    await slack.say(elsewhere, office.ann, slack.mention(office.workspace))
    office.workspace.scopes.discard("channels:history")
    await slack.say(office.channel, office.ann, slack.mention(office.workspace))
    slack.subscribed = {"message.im"}
    await slack.say(office.channel, office.ann, slack.mention(office.workspace))
    await slack.say(slack.direct(office.ann), office.ann, "hi")
    assert [event["type"] for event in receiver.events] == ["app_mention", "message"]


async def test_the_app_hears_its_own_words(slack, office, receiver):
    ts = await office.post("mine")
    await office.client.chat_update(channel=office.id, ts=ts, text="mine too")
    await slack.settled()
    assert [event.get("subtype") for event in receiver.events] == [None, "message_changed"]
    assert receiver.events[0]["bot_id"] == office.workspace.bot_id
    slack.echo = False
    await office.post("quiet")
    await slack.settled()
    assert len(receiver.events) == 2


async def test_an_event_is_repeated_three_times(slack, office, receiver):
    receiver.answer = lambda _request, _body: web.Response(status=500)
    await slack.say(office.channel, office.ann, "hello")
    numbers = [headers.get("x-slack-retry-num") for headers, _ in receiver.seen]
    assert numbers == [None, "1", "2", "3"]
    assert {headers.get("x-slack-retry-reason") for headers, _ in receiver.seen[1:]} == {"http_error"}
    assert len({body for _, body in receiver.seen}) == 1
    assert [violation.code for violation in slack.violations] == ["http_error"] * 4


async def test_an_app_may_refuse_repetition(slack, office, receiver):
    receiver.answer = lambda _request, _body: web.Response(status=500, headers={"x-slack-no-retry": "1"})
    await slack.say(office.channel, office.ann, "hello")
    assert len(receiver.seen) == 1


async def test_a_late_acknowledgement_is_none(slack, office, receiver):
    slack.rules.ack_s, slow = 0.1, asyncio.Event()

    async def late():
        await slow.wait()
        return web.Response()

    receiver.answer = lambda request, _body: web.Response() if "x-slack-retry-num" in request.headers else late()
    await slack.say(office.channel, office.ann, "hello")
    slow.set()
    assert [ack.ok for ack in slack.acks] == [False, True]
    assert receiver.seen[1][0]["x-slack-retry-reason"] == "http_timeout"


async def test_acknowledgements_may_get_lost(slack, office, receiver):
    slack.rules.lost_acks = 2
    await slack.say(office.channel, office.ann, "hello")
    assert [headers.get("x-slack-retry-num") for headers, _ in receiver.seen] == [None, "1", "2"]
    assert len({json.loads(body)["event_id"] for _, body in receiver.seen}) == 1


async def test_nobody_at_home_counts_as_a_failure(slack, office):
    slack.rules.request_url = "http://127.0.0.1:9/"
    await slack.say(office.channel, office.ann, "hello")
    assert {ack.reason for ack in slack.acks} == {"connection_failed"}


async def test_the_request_url_is_verified(slack, receiver):
    receiver.answer = lambda _request, body: web.json_response({"challenge": json.loads(body)["challenge"]})
    assert await slack.verify()
    receiver.answer = lambda _request, _body: web.Response()
    assert not await slack.verify()


# Commands and interactions


async def test_a_command_is_answered_five_times_in_half_an_hour(slack, office, receiver):
    receiver.answer = lambda _request, _body: web.json_response({"text": "working"})
    ack = await slack.command(office.channel, office.ann, "/ask", "when is lunch?")
    form = receiver.forms[0]
    assert (ack.ok, form["command"], form["text"], "thread_ts" in form) == (True, "/ask", "when is lunch?", False)
    async with aiohttp.ClientSession() as session:
        for kind in ("ephemeral", "ephemeral", "in_channel", "ephemeral", "ephemeral", "ephemeral"):
            async with session.post(form["response_url"], json={"text": "noon", "response_type": kind}) as reply:
                status = reply.status
    assert status == 404
    assert slack.violations[-1].code == "used_url"
    assert len(slack.seen(office.channel, office.ann)) == 6
    assert [message.text for message in slack.seen(office.channel, office.bob)] == ["noon"]
    await slack.command(office.channel, office.ann, "/ask")
    slack.clock.advance(30 * 60 + 1)
    async with aiohttp.ClientSession() as session, session.post(receiver.forms[1]["response_url"], json={"text": "x"}):
        assert slack.violations[-1].code == "expired_url"


async def test_a_late_command_is_not_repeated(slack, office, receiver):
    receiver.answer = lambda _request, _body: web.Response(status=500)
    assert not (await slack.command(office.channel, office.ann, "/ask")).ok
    assert len(receiver.seen) == 1


async def test_a_button_is_pressed(slack, office, receiver):
    ts = await office.asked()
    feedback = {"type": "feedback_buttons", "action_id": "rate"}
    for name in ("positive", "negative"):
        feedback[f"{name}_button"] = {"text": {"type": "plain_text", "text": name}, "value": name}
    blocks = [actions(button(), select(2)["elements"][0]), {"type": "context_actions", "elements": [feedback]}]
    await office.post("x", thread_ts=ts, blocks=blocks)
    await slack.settled()
    receiver.seen.clear()
    message = slack.answers(office.channel, ts)[0]
    await slack.press(message, office.ann, "go")
    await slack.press(message, office.ann, "choose", "v1")
    await slack.press(message, office.ann, "rate", chosen=False)
    pressed, chosen, rated = receiver.forms
    assert pressed["actions"][0]["value"] == "1"
    assert pressed["container"] == {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": office.id,
        "is_ephemeral": False,
        "thread_ts": ts,
    }
    assert chosen["actions"][0]["selected_option"]["value"] == "v1"
    assert rated["actions"][0]["value"] == "negative"
    assert (await office.client.views_open(trigger_id=pressed["trigger_id"], view=modal()))["ok"]
    async with aiohttp.ClientSession() as session:
        async with session.post(pressed["response_url"], json={"replace_original": True, "text": "y"}):
            assert message.text == "y"
        async with session.post(pressed["response_url"], json={"delete_original": True}):
            assert message.deleted
    with pytest.raises(LookupError):
        await slack.press(message, office.ann, "nothing")


async def test_the_content_of_a_private_message_is_not_sent_back(slack, office, receiver):
    await office.client.chat_postEphemeral(
        channel=office.id, user=office.ann.user_id, text="x", blocks=[actions(button())]
    )
    message = slack.seen(office.channel, office.ann)[-1]
    await slack.press(message, office.ann, "go")
    assert receiver.forms[0]["container"]["is_ephemeral"]
    assert "message" not in receiver.forms[0]


def question_view():
    elements = {
        "words": {"type": "plain_text_input", "action_id": "words"},
        "files": {"type": "file_input", "action_id": "files", "max_files": 10},
        "scope": {"type": "static_select", "action_id": "scope", "options": options(2)},
        "more": {"type": "checkboxes", "action_id": "more", "options": options(2)},
        "place": {"type": "conversations_select", "action_id": "place"},
    }
    label = {"type": "plain_text", "text": "x"}
    blocks = [
        {"type": "input", "block_id": name, "label": label, "element": element, "optional": name != "words"}
        for name, element in elements.items()
    ]
    return modal(blocks, submit={"type": "plain_text", "text": "Go"}, callback_id="ask", notify_on_close=True)


async def test_a_modal_is_filled_in(slack, office, receiver):
    await office.client.views_open(trigger_id=slack.trigger(office.ann), view=question_view())
    view = slack.modals(office.ann)[0]
    file = slack.file(office.ann, "a.txt", b"x", "text/plain")
    answers = iter(
        [
            {"response_action": "errors", "errors": {"words": "too short"}},
            {"response_action": "errors", "errors": {"nothing": "x"}},
            {"response_action": "update", "view": modal([section("wait")])},
            {"response_action": "push", "view": modal([section("more")])},
        ]
    )
    receiver.answer = lambda _request, _body: web.json_response(next(answers))
    values = {"words": "lunch", "files": [file], "scope": "v1", "more": ["v0"], "place": office.id}
    with pytest.raises(LookupError):
        await slack.submit(view, office.ann, files=[file])
    await slack.submit(view, office.ann, **values)
    state = receiver.forms[0]["view"]["state"]["values"]
    assert state["words"]["words"]["value"] == "lunch"
    assert state["files"]["files"]["files"][0]["id"] == file.file_id
    assert state["scope"]["scope"]["selected_option"]["value"] == "v1"
    assert state["more"]["more"]["selected_options"][0]["value"] == "v0"
    assert state["place"]["place"]["selected_conversation"] == office.id
    assert (slack.modals(office.ann), slack.violations) == ([view], [])
    await slack.submit(view, office.ann, **values)
    assert slack.violations[-1].code == "invalid_response_action"
    await slack.submit(view, office.ann, **values)
    assert view.content["blocks"][0]["text"]["text"] == "wait"
    await slack.submit(view, office.ann)
    assert slack.modals(office.ann)[0].content["blocks"][0]["text"]["text"] == "more"
    receiver.answer = lambda _request, _body: web.Response()
    await slack.submit(slack.modals(office.ann)[0], office.ann)
    assert slack.modals(office.ann) == [view]
    await slack.close_view(view, office.ann)
    assert slack.modals(office.ann) == []


async def test_closing_a_view_is_told_where_it_was_asked_for(slack, office, receiver):
    await office.client.views_open(trigger_id=slack.trigger(office.ann), view=question_view())
    await slack.close_view(slack.modals(office.ann)[0], office.ann)
    assert receiver.forms[0]["type"] == "view_closed"


async def test_shortcuts(slack, office, receiver):
    message = await slack.say(office.channel, office.ann, "when is lunch?")
    receiver.seen.clear()
    await slack.message_action(message, office.bob, "ask_about")
    await slack.shortcut(office.bob, "ask")
    about, everywhere = receiver.forms
    assert (about["type"], about["message"]["text"], about["callback_id"]) == (
        "message_action",
        "when is lunch?",
        "ask_about",
    )
    assert (everywhere["type"], "channel" in everywhere) == ("shortcut", False)


# A real Bolt app


def bolt_app(slack, office, *, signed=True):
    app = AsyncApp(
        client=office.client,
        signing_secret=SECRET if signed else None,
        request_verification_enabled=signed,
        ssl_check_enabled=False,
    )

    @app.event("app_mention")
    async def answer(event, say):
        await say(text="At noon.", thread_ts=event["ts"])

    @app.event("message")
    async def ignore():
        pass

    @app.command("/ask")
    async def command(ack, respond):
        await ack()
        await respond("Privately: at noon.")

    @app.action("go")
    async def act(ack, body, client):
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=question_view())

    @app.view("ask")
    async def submitted(ack):
        await ack(response_action="errors", errors={"words": "too short"})

    return app


async def story(slack, office):
    """Ask, command, press and submit, and see what a person sees."""
    asked = await slack.say(office.channel, office.ann, f"{slack.mention(office.workspace)} when is lunch?")
    await slack.until(lambda: slack.answers(office.channel, asked.ts))
    assert slack.answers(office.channel, asked.ts)[0].text == "At noon."
    await slack.command(office.channel, office.ann, "/ask", "lunch")
    await slack.until(lambda: [m for m in slack.seen(office.channel, office.ann) if m.ephemeral_to])
    await office.post("x", blocks=[actions(button())])
    await slack.press(slack.seen(office.channel, office.ann)[-1], office.ann, "go")
    await slack.until(lambda: slack.modals(office.ann))
    ack = await slack.submit(slack.modals(office.ann)[0], office.ann, words="x")
    assert ack.body == {"response_action": "errors", "errors": {"words": "too short"}}
    await slack.settled()
    assert slack.violations == []


async def test_a_bolt_app_over_http(slack, office):
    app = bolt_app(slack, office)

    async def handle(request):
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    runner, slack.rules.request_url = await serve(handle)
    assert await slack.verify()
    await story(slack, office)
    slack.rules.signature_age_s = 301
    await slack.say(office.channel, office.ann, "hello")
    assert slack.acks[-1].status == 401
    slack.rules.signature_age_s, slack.rules.signing_secret = 0, "another"
    await slack.say(office.channel, office.ann, "hello")
    assert slack.acks[-1].status == 401
    await runner.cleanup()


async def connected(slack, office, count=1):
    app = bolt_app(slack, office, signed=False)
    handlers = [AsyncSocketModeHandler(app, slack.app.app_token, ping_interval=0.2) for _ in range(count)]
    for handler in handlers:
        await handler.connect_async()
    await slack.until(lambda: len(slack.open_sockets()) == count)
    return handlers


async def close(handlers):
    for handler in handlers:
        await handler.close_async()
        client = handler.client
        for task in (client.message_processor, client.current_session_monitor, client.message_receiver):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await client.aiohttp_client_session.close()


async def test_a_bolt_app_over_sockets(slack, office):
    handlers = await connected(slack, office, 2)
    await story(slack, office)
    used = {id(socket) for socket, _ in slack.sockets.sent}
    assert len(used) == 2
    await close(handlers)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_socket_is_renewed(slack, office, reason):
    handlers = await connected(slack, office)
    first = slack.open_sockets()
    await slack.disconnect(reason)
    await slack.until(lambda: slack.open_sockets() and slack.open_sockets()[0] is not first[0])
    asked = await slack.say(office.channel, office.ann, f"{slack.mention(office.workspace)} lunch?")
    await slack.until(lambda: slack.answers(office.channel, asked.ts))
    await close(handlers)


async def test_a_cut_socket_is_renewed(slack, office):
    handlers = await connected(slack, office)
    first = slack.open_sockets()
    slack.sockets.drop()
    await slack.until(lambda: slack.open_sockets() and slack.open_sockets()[0] is not first[0])
    await close(handlers)


async def raw_socket(slack, office, session):
    opened = await office.client.apps_connections_open(app_token=slack.app.app_token)
    return await session.ws_connect(opened["url"])


async def test_an_envelope_without_acknowledgement_goes_to_another_socket(slack, office):
    slack.rules.ack_s = 0.1
    async with aiohttp.ClientSession() as session:
        sockets = [await raw_socket(slack, office, session) for _ in range(2)]
        hellos = [await socket.receive_json() for socket in sockets]
        assert [hello["type"] for hello in hellos] == ["hello", "hello"]
        saying = asyncio.ensure_future(slack.say(office.channel, office.ann, "hello"))
        silent, other = [asyncio.ensure_future(socket.receive_json()) for socket in sockets]
        await asyncio.wait([silent, other], return_when=asyncio.ALL_COMPLETED)
        envelopes = sorted((silent.result(), other.result()), key=lambda envelope: envelope["retry_attempt"])
        await saying
    assert [envelope["retry_attempt"] for envelope in envelopes] == [0, 1]
    assert envelopes[0]["envelope_id"] != envelopes[1]["envelope_id"]
    assert envelopes[0]["payload"]["event_id"] == envelopes[1]["payload"]["event_id"]
    assert {violation.code for violation in slack.violations} == {"timeout"}


async def test_a_frozen_socket_answers_no_ping(slack, office):
    slack.rules.ack_s = 0.05
    async with aiohttp.ClientSession() as session:
        socket = await raw_socket(slack, office, session)
        await slack.until(slack.open_sockets)
        slack.open_sockets()[0].frozen = True
        await socket.ping()
        await slack.until(lambda: slack.open_sockets()[0].pings)
        await slack.say(office.channel, office.ann, "hello")
    assert slack.acks[-1].ok is False


async def test_an_event_waits_for_a_socket_to_come_back(slack, office):
    async with aiohttp.ClientSession() as session:
        first = await raw_socket(slack, office, session)
        await first.close()
        await slack.until(lambda: not slack.open_sockets())
        saying = asyncio.ensure_future(slack.say(office.channel, office.ann, "hello"))
        again = await raw_socket(slack, office, session)
        envelope = [await again.receive_json() for _ in range(2)][1]
        assert envelope["payload"]["event"]["text"] == "hello"
        await again.send_json({"envelope_id": envelope["envelope_id"]})
        await saying
    assert slack.acks[-1].ok


async def test_ten_sockets_are_the_most(slack, office):
    async with aiohttp.ClientSession() as session:
        sockets = [await raw_socket(slack, office, session) for _ in range(10)]
        eleventh = await raw_socket(slack, office, session)
        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
        assert len(sockets) == len(slack.open_sockets())
        assert slack.violations[-1].code == "too_many_websockets"
        async with session.get(slack.url + "/link/?ticket=none") as reply:
            assert reply.status == 401
    wrong = office.client.apps_connections_open(app_token="xapp-wrong")
    assert await office.refusal(wrong) in ("invalid_auth", "ratelimited")


async def test_what_one_person_alone_is_to_see_is_lost_where_that_person_is_away():
    async with SlackServer(time_scale=0.0) as slack, aiohttp.ClientSession() as session:
        workspace = slack.workspace()
        ann = slack.user(workspace, "ann")
        channel = slack.channel(workspace, "general", ann)
        url = slack.response_url(channel, ann)
        headers = {"Authorization": f"Bearer {workspace.bot_token}"}
        said = {"channel": channel.channel_id, "user": ann.user_id, "text": "psst"}
        for active in (True, False):
            ann.active = active
            async with session.post(f"{slack.api_url}chat.postEphemeral", json=said, headers=headers) as response:
                assert (await response.json())["ok"]
            async with session.post(url, json={"text": "psst"}) as response:
                assert response.status == 200
        ann.active = True
        assert len(slack.seen(channel, ann)) == 2
        assert [found.code for found in slack.violations] == ["ephemeral_lost"] * 2


async def test_events_are_named_anew_in_every_run():
    names = []
    for _ in range(2):
        async with SlackServer(time_scale=0.0) as slack:
            workspace = slack.workspace()
            event = {"type": "team_join", "event_ts": "1.000001"}
            names.append(payloads.event_callback(slack.state, workspace, event)["event_id"])
    assert names[0] != names[1]
