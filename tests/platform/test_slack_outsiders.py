"""Guests and other organisations read what is granted to their channel by name, and nothing else: the whole way."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

from core.places import Platform
from tests.platform import contract, slack_member
from tests.platform import house as houses

VACATION = "How many vacation days do full-time employees have?"
DAYS = "28 days"


@pytest.fixture
async def opened(addresses):
    home = Path(tempfile.mkdtemp(prefix="frontdesk-outsiders-"))
    async with slack_member.opened(contract, partial(houses.open_house, addresses, home)) as (house, member):
        yield house, member
    shutil.rmtree(home, ignore_errors=True)


async def test_the_employees_documents_stay_the_employees(opened):
    house, member = opened
    slack, workspace = member._slack, member._workspace
    ann, guest = slack.user(workspace, "ann"), slack.user(workspace, "gus", guest=True)
    eve = slack.user(slack.workspace("partner"), "eve")
    shared = slack.channel(workspace, "with-partner", ann, eve, shared=True)
    general = slack.channel(workspace, "all", ann, guest)

    async def answered(channel, user):
        mention = "" if channel.kind == "im" else f"{slack.mention(workspace)} "
        asked = await slack.say(channel, user, f"{mention}{VACATION}")
        await contract.until(house.is_idle)
        return [message.text for message in slack.answers(channel, asked.ts)]

    places = [(general, ann), (general, guest), (slack.direct(guest), guest), (shared, eve), (shared, ann)]
    told = [any(DAYS in text for text in await answered(channel, user)) for channel, user in places]
    assert told == [True, False, False, False, False]
    knowledge = house.service.frontdesk.knowledge
    await knowledge.set_scope(1, "handbook", tuple(Platform), (shared.channel_id, general.channel_id))
    told = [any(DAYS in text for text in await answered(channel, user)) for channel, user in places]
    assert told == [True, True, False, True, True]
