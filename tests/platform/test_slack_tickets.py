"""From a private question to a person's answer and back, through the whole of one process."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.escalation import TicketPolicy
from tests.platform import contract
from tests.platform import house as houses
from tests.platform.slack_server import SlackServer

SECRET = "a signing secret"
UNKNOWN = "Where does the bicycle stand?"
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
            "tickets": TicketPolicy.OPEN,
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
    asked, answer = office.ours(office.general, user=ann)
    assert asked.text == f"> {QUESTION}\nLooking it up …"
    assert asked.ephemeral_to == answer.ephemeral_to == ann.user_id

    await office.press(answer, ann, "human")
    (announced,) = office.ours(office.desk)
    assert f"<@{ann.user_id}> asks privately in <#{office.general.channel_id}>" in whole(announced)
    assert f"> {QUESTION}" in whole(announced)
    assert "human" not in announced.text

    ann.active = False
    replied_as = f"{slack.mention(office.workspace)} and all: it is *31* for you."
    reply = await slack.say(office.desk, office.admin, "It is *30* for you.", thread_ts=announced.ts)
    await office.settle()
    (brought,) = office.ours(direct)
    assert "It is **30** for you." in whole(brought)
    assert f"You asked in <#{office.general.channel_id}>:\\n> {QUESTION}" in whole(brought)

    before = len(office.house.model.asked)
    await slack.edit(reply, replied_as)
    await office.settle()
    assert office.ours(direct) == [brought]
    assert "**31**" in whole(brought)
    assert len(office.house.model.asked) == before
    await slack.erase(reply)
    await office.settle()
    assert office.ours(direct) == [brought]
    assert "**31**" not in whole(brought)
    assert "This answer was withdrawn." in whole(brought)


async def test_a_shared_answer_says_what_was_asked_and_stands_there_once(office):
    await office.slack.command(office.general, office.ann, "/ask", QUESTION)
    await office.settle()
    _, answer = office.ours(office.general, user=office.ann)
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


async def opened(office, text=UNKNOWN):
    """Ask what the documents do not say; return the question and the last message of its ticket's announcement."""
    office.house.model.knows_nothing()
    asked = await office.slack.say(office.general, office.ann, f"{office.slack.mention(office.workspace)} {text}")
    await office.settle()
    return asked, office.ours(office.desk)[-1]


def below(office, announced):
    """List what of ours was said in the thread of an announcement, as text."""
    return [m.text for m in office.ours(office.desk) if m.thread_ts == announced.ts and m is not announced]


def actions_of(message):
    return [e["action_id"] for block in message.blocks if block["type"] == "actions" for e in block["elements"]]


async def test_an_administrator_of_the_workspace_sees_all_open_tickets(office):
    await opened(office)
    await office.slack.command(office.general, office.admin, "/frontdesk", "tickets")
    await office.settle()
    assert UNKNOWN in whole(office.ours(office.general, user=office.admin)[-1])


async def test_the_channel_of_tickets_hears_what_is_done_with_one_elsewhere(office):
    _, announced = await opened(office)
    assert actions_of(announced) == ["ticket_take", "ticket_close"]
    await office.slack.command(office.general, office.admin, "/frontdesk", "tickets answer 1 Behind the house.")
    await office.settle()
    assert below(office, announced) == ["Answered by ada:\n\n> Behind the house."]
    assert "Answered by ada." in whole(announced)
    assert actions_of(announced) == ["ticket_take", "ticket_close"]

    await office.slack.say(office.desk, office.admin, "Or in the cellar.", thread_ts=announced.ts)
    await office.settle()
    assert not any("Answered by" in text for text in below(office, announced)[1:])

    for _ in range(2):
        await office.slack.command(office.general, office.admin, "/frontdesk", "tickets close 1")
        await office.settle()
    assert below(office, announced)[-1] == "Closed by ada."
    assert sum("Closed by" in text for text in below(office, announced)) == 1
    assert "Closed by ada." in whole(announced)
    assert actions_of(announced) == []


async def test_a_reply_below_any_message_of_a_long_announcement_is_one_to_the_announcement(office):
    _, last = await opened(office, f"{UNKNOWN} {'It is red, and it has a bell. ' * 140}")
    first, second = office.ours(office.desk)
    assert second is last
    assert actions_of(second) == ["ticket_take", "ticket_close"]
    reply = await office.slack.say(office.desk, office.admin, "Behind the house.", thread_ts=second.ts)
    await office.settle()
    (receipt,) = (found for found in office.ours(office.desk, user=office.admin) if found.ephemeral_to)
    assert receipt.thread_ts == second.ts
    assert [below(office, first), below(office, second)] == [[], []]
    assert "Behind the house." in office.ours(office.general)[-1].text
    await office.slack.edit(reply, "In the cellar.")
    await office.settle()
    await office.slack.say(office.desk, office.admin, "Or in the yard.", thread_ts=first.ts)
    await office.settle()
    texts = [message.text for message in office.ours(office.general)]
    assert ("In the cellar." in texts[-2], "Or in the yard." in texts[-1]) == (True, True)
    assert not any("Answered by" in whole(message) for message in office.ours(office.desk))
    await office.slack.erase(reply)
    await office.settle()
    assert "This answer was withdrawn." in office.ours(office.general)[-2].text


@pytest.mark.parametrize("channel", ["a mention", "a direct message"])
async def test_who_answered_elsewhere_is_named_and_no_id(office, channel):
    _, announced = await opened(office)
    command, where = "/tickets answer 1 Behind the house.", office.slack.direct(office.admin)
    if channel == "a mention":
        command, where = f"{office.slack.mention(office.workspace)} {command}", office.desk
    await office.slack.say(where, office.admin, command)
    await office.settle()
    assert below(office, announced) == ["Answered by ada:\n\n> Behind the house."]
    assert office.admin.user_id not in whole(announced)


async def test_a_ticket_whose_question_is_deleted_is_closed_and_the_desk_hears_of_it(office):
    asked, announced = await opened(office)
    await office.slack.erase(asked)
    await office.settle()
    assert below(office, announced) == ["The author deleted the question."]
    assert [found.code for found in office.slack.violations] == ["message_not_found"]  # there is nothing to link to
    office.slack.violations.clear()
    assert actions_of(announced) == []
    ((state,),) = await office.house.fetch("select state from tickets")
    assert state == "closed"


async def test_a_ticket_whose_question_is_edited_into_an_answered_one_is_closed(office):
    asked, announced = await opened(office)
    office.house.model.says("Full-time employees have 28 days of paid vacation [1].")
    await office.slack.edit(asked, f"{office.slack.mention(office.workspace)} {QUESTION}")
    await office.settle()
    assert below(office, announced) == ["The author changed the question."]
    assert actions_of(announced) == []
    ((state,),) = await office.house.fetch("select state from tickets")
    assert state == "closed"


async def test_a_ticket_keeps_its_number_when_its_question_is_edited_into_another_one(office):
    asked, announced = await opened(office)
    other = "Who repairs the bicycle bell?"
    await office.slack.edit(asked, f"{office.slack.mention(office.workspace)} {other}")
    await office.settle()
    assert below(office, announced) == [f"The author changed the question.\n\n> {other}"]
    assert f"> {other}" in whole(announced)
    assert actions_of(announced) == ["ticket_take", "ticket_close"]
    ((state, question),) = await office.house.fetch("select state, question from tickets")
    assert (state, question) == ("open", other)


async def test_what_a_person_has_answered_stays_when_its_question_is_deleted(office):
    asked, announced = await opened(office)
    await office.slack.say(office.desk, office.admin, "Behind the house.", thread_ts=announced.ts)
    await office.settle()
    await office.slack.erase(asked)
    await office.settle()
    ((state,),) = await office.house.fetch("select state from tickets")
    assert state == "answered"


async def test_a_persons_answer_whose_question_is_gone_is_brought_to_its_author(office):
    asked, announced = await opened(office)
    asked.deleted = True  # with nobody telling us so
    office.ours(office.general)[0].deleted = True
    reply = await office.slack.say(office.desk, office.admin, "Behind the house.", thread_ts=announced.ts)
    await office.settle()
    direct = office.slack.direct(office.ann)
    (brought,) = office.ours(direct)
    assert "Behind the house." in whole(brought)
    assert f"You asked in <#{office.general.channel_id}>:\\n> {UNKNOWN}" in whole(brought)
    await office.slack.edit(reply, "In the cellar.")
    await office.settle()
    (brought,) = office.ours(direct)
    assert "In the cellar." in whole(brought)
    assert all("not delivered" not in text for text in below(office, announced))
    office.slack.violations.clear()  # what was tried below a message that is gone


async def test_whoever_answered_hears_in_words_where_it_cannot_be_brought_to_anybody(office):
    asked, announced = await opened(office)
    asked.deleted = True
    office.ours(office.general)[0].deleted = True
    office.slack.misbehave("conversations.open", "user_disabled")
    office.slack.misbehave("chat.postMessage", *["invalid_thread_ts"] * 2)
    await office.slack.say(office.desk, office.admin, "Behind the house.", thread_ts=announced.ts)
    await office.settle()
    seen = [whole(message) for message in office.slack.state.messages if message.bot_id]
    told = [text for text in seen if "was not delivered" in text]
    assert len(told) == 1
    assert "Your answer to ticket 1 was not delivered: The message it belongs to was deleted." in told[0]
    office.slack.violations.clear()
