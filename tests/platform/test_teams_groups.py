"""What many read in Teams and what one person alone does, and the files that do not come: the whole way."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.platform import contract, teams_member
from tests.platform import house as houses

VACATION = "How many vacation days do full-time employees have?"


class Office:
    """A group chat and a channel of two people, and the house that answers there."""

    def __init__(self, house, member):
        self.house, self.teams = house, member._teams
        tenant = next(iter(self.teams.state.tenants.values()))
        self.ann, self.bob = self.teams.user(tenant, "ann"), self.teams.user(tenant, "bob")
        self.chats = self.teams.group(self.ann, self.bob), self.teams.channel(self.ann, self.bob)

    async def say(self, chat, text, **more):
        said = await self.teams.say(chat, self.ann, text, **more)
        await contract.until(self.house.is_idle)
        return said

    def seen(self, chat, said, user):
        """Return what USER sees of our words in the thread of SAID."""
        return [one.text for one in self.teams.answers(chat, said if chat.scope == "channel" else None, user=user)]


@pytest.fixture
async def office(addresses):
    home = Path(tempfile.mkdtemp(prefix="frontdesk-groups-"))
    async with teams_member.opened(contract, partial(houses.open_house, addresses, home)) as (house, member):
        yield Office(house, member)
    shutil.rmtree(home, ignore_errors=True)


async def test_a_question_edited_to_a_private_command_shows_its_answer_to_its_author_alone(office):
    for chat in office.chats:
        said = await office.say(chat, VACATION)
        (public,) = office.seen(chat, said, office.bob)
        assert "28 days" in public
        await office.teams.edit(said, "/history")
        await contract.until(office.house.is_idle)
        assert office.seen(chat, said, office.bob) == []
        (private,) = office.seen(chat, said, office.ann)
        assert "28 days" not in private
        await office.teams.edit(said, VACATION)
        await contract.until(office.house.is_idle)
        assert office.seen(chat, said, office.bob) == [public]


async def test_a_file_that_cannot_be_read_in_a_group_is_named_with_the_reason(office):
    shared = {"contentType": "reference", "name": "plan.docx", "contentUrl": "https://contoso.sharepoint.com/plan.docx"}
    for chat in office.chats:
        for text in (VACATION, ""):
            said = await office.say(chat, text, files=[shared])
            answer = office.seen(chat, said, office.ann)[-1]
            assert "plan.docx was not read: files can be read in the personal chat alone" in answer.replace("\\", "")


async def test_a_question_whose_deletion_is_undone_is_answered_again(office):
    chat = office.chats[0]
    said = await office.say(chat, VACATION)
    (first,) = office.seen(chat, said, office.ann)
    for _ in range(2):
        office.teams.clock.advance(5.0)
        await office.teams.delete(said)
        await contract.until(office.house.is_idle)
        assert office.seen(chat, said, office.ann) == []
        office.teams.clock.advance(5.0)
        await office.teams.undelete(said)
        await contract.until(office.house.is_idle)
        assert office.seen(chat, said, office.ann) == [first]
