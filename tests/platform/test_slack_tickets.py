"""From a private question to a person's answer and back, through the whole of one process."""

import importlib.util
import json
import shutil
import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.platform.slack_server import SlackServer


def _load(name):
    spec = importlib.util.spec_from_file_location(f"slack_tickets_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


contract, houses = map(_load, ("contract", "house"))
SECRET = "a signing secret"
QUESTION = "How many vacation days do full-time employees have?"


class Office:
    def __init__(self, slack, workspace, house):
        self.slack, self.workspace, self.house = slack, workspace, house
        self.ann, self.bob = slack.user(workspace, "ann"), slack.user(workspace, "bob")
        self.general = slack.channel(workspace, "general", self.ann, self.bob)

    async def settle(self):
        await contract.until(self.house.is_idle)
        await self.slack.settled()

    def ours(self, channel, *, user=None):
        """List what of ours USER sees in a channel, everybody where none is named."""
        found = [m for m in self.slack.state.messages if m.channel == channel.channel_id and not m.deleted]
        return [m for m in found if m.bot_id and m.ephemeral_to in ("", user.user_id if user else "")]

    async def press(self, message, user, action_id):
        ack = await self.slack.press(message, user, action_id)
        assert ack.ok
        await self.settle()
        return ack


def whole(message):
    """Return all that a message says."""
    return json.dumps([message.text, message.blocks], ensure_ascii=False)


@pytest.fixture
async def office(addresses):
    home = Path(tempfile.mkdtemp(prefix="frontdesk-tickets-"))
    async with SlackServer(signing_secret=SECRET, ack_s=10.0, time_scale=0.0) as slack:
        workspace = slack.workspace()
        desk = slack.channel(workspace, "desk", admin := slack.user(workspace, "ada", admin=True))
        settings = {
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_signing_secret": SecretStr(SECRET),
            "slack_api_url": slack.api_url,
            "slack_ticket_channel": desk.channel_id,
        }
        async with houses.open_house(addresses, home, settings) as house:
            slack.rules.request_url = f"{house.base_url}/slack/events"
            office = Office(slack, workspace, house)
            office.desk, office.admin = desk, admin
            yield office
            slack.rules.request_url = ""
            await slack.settled()
            assert slack.violations == []
    shutil.rmtree(home, ignore_errors=True)


async def test_a_private_question_a_person_answers_hours_later(office):
    slack, ann, direct = office.slack, office.ann, office.slack.direct(office.ann)
    await slack.command(office.general, ann, "/ask", QUESTION)
    await office.settle()
    (answer,) = office.ours(office.general, user=ann)
    assert answer.ephemeral_to == ann.user_id

    await office.press(answer, ann, "human")
    (announced,) = office.ours(office.desk)
    assert f"<@{ann.user_id}> asks privately in <#{office.general.channel_id}>" in whole(announced)
    assert f"> {QUESTION}" in whole(announced)
    assert "human" not in announced.text

    ann.active = False
    reply = await slack.say(office.desk, office.admin, "It is *30* for you.", thread_ts=announced.ts)
    await office.settle()
    (brought,) = office.ours(direct)
    assert "It is **30** for you." in whole(brought)
    assert f"You asked in <#{office.general.channel_id}>:\\n> {QUESTION}" in whole(brought)

    await slack.edit(reply, "It is *31* for you.")
    await office.settle()
    assert office.ours(direct) == [brought]
    assert "**31**" in whole(brought)
    await slack.erase(reply)
    await office.settle()
    assert office.ours(direct) == [brought]
    assert "**31**" not in whole(brought)
    assert "This answer was withdrawn." in whole(brought)


async def test_a_shared_answer_says_what_was_asked_and_stands_there_once(office):
    await office.slack.command(office.general, office.ann, "/ask", QUESTION)
    await office.settle()
    (answer,) = office.ours(office.general, user=office.ann)
    blocks = list(answer.blocks)
    for _ in range(2):
        answer.blocks = list(blocks)  # pressed again before it was gone
        await office.press(answer, office.ann, "share")
    (shared,) = office.ours(office.general)
    assert f"> {QUESTION}\\n\\nFull-time employees" in whole(shared)
    assert f"Shared by <@{office.ann.user_id}>" in whole(shared)


async def test_the_wish_for_a_person_is_one_ticket_whoever_repeats_it(office):
    asked = await office.slack.say(office.general, office.ann, f"{office.slack.mention(office.workspace)} {QUESTION}")
    await office.settle()
    (answer,) = office.ours(office.general)
    await office.press(answer, office.ann, "human")
    before = office.ours(office.general)
    await office.press(answer, office.bob, "human")
    assert office.ours(office.general) == before
    (word,) = await office.slack.until(
        lambda: [m for m in office.ours(office.general, user=office.bob) if m.ephemeral_to]
    )
    assert word.text == "Ticket 1: A person will answer here."
    (announced,) = office.ours(office.desk)
    link = f"https://acme.slack.com/archives/{office.general.channel_id}/p{asked.ts.replace('.', '')}"
    assert f"<@{office.ann.user_id}> asks in <#{office.general.channel_id}>: <{link}|the conversation>" in whole(
        announced
    )


@pytest.mark.parametrize("how", ["a command", "a word"])
async def test_stop_is_answered_where_there_is_nothing_to_stop(office, how):
    if how == "a command":
        ack = await office.slack.command(office.general, office.ann, "/frontdesk", "stop")
        assert "nothing to stop" in ack.body["text"]
        return
    direct = office.slack.direct(office.ann)
    await office.slack.say(direct, office.ann, "stop")
    await office.settle()
    (said,) = office.ours(direct)
    assert "nothing to stop" in said.text
