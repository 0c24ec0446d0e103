"""Bots in PostgreSQL: which one answers where, for whom, and what happens when they change."""

from dataclasses import replace

import pytest

from adapters.postgres.bots import LONGEST_PROMPT, PostgresBots
from adapters.postgres.database import open_database
from adapters.postgres.sessions import PostgresSessions
from core.domain import Assignment, BotConfiguration, Mode, Origin
from core.errors import NotFound, TooLarge, UsageError
from core.places import Place, Platform
from migrations import HEAD
from migrations.run import migrate, prepare

HR = BotConfiguration("hr", "Be kind.", Mode.OPEN, ("staff", "travel"), ("large", "small"), 0.7, 900, 5, 0.75)
SUPPORT = BotConfiguration("support")
CHANNEL = Place(Platform.SLACK, "C1", "a thread")


@pytest.fixture
def bots(database):
    return PostgresBots(database)


async def chosen(bots, place=CHANNEL, tenant_id=1):
    return (await bots.for_place(tenant_id, place)).name


async def test_a_bot_comes_back_as_it_was_saved(bots):
    saved = await bots.save(1, HR)
    assert saved == replace(HR, version=1) == await bots.bot(1, "hr")
    assert await bots.bots(1) == [saved]


async def test_a_threshold_can_be_taken_back(bots):
    for threshold in (0.75, None):
        await bots.save(1, replace(HR, threshold=threshold))
        assert (await bots.bot(1, "hr")).threshold == threshold


async def test_each_change_raises_the_version(bots):
    versions = [(await bots.save(1, replace(HR, top_k=top_k))).version for top_k in (5, 6, 7)]
    assert versions == [1, 2, 3]
    assert (await bots.bot(1, "hr")).top_k == 7


async def test_the_bot_of_the_channel_goes_before_that_of_the_platform_and_before_the_default(bots):
    assert await bots.for_place(1, CHANNEL) == BotConfiguration()
    await bots.save(1, SUPPORT)
    assert (await bots.for_place(1, CHANNEL)).version == 0
    await bots.save(1, BotConfiguration("default"))
    assert (await bots.for_place(1, CHANNEL)).version == 1
    await bots.assign(1, Platform.SLACK, "", "support")
    assert await chosen(bots) == "support"
    await bots.save(1, HR)
    await bots.assign(1, Platform.SLACK, "C1", "hr")
    assert await chosen(bots) == "hr"
    assert await chosen(bots, Place(Platform.SLACK, "C2")) == "support"
    assert await chosen(bots, Place(Platform.TEAMS, "C1")) == "default"


async def test_the_default_bot_may_take_a_channel_back_from_the_bot_of_its_platform(bots):
    for bot in (SUPPORT, BotConfiguration("default")):
        await bots.save(1, bot)
    await bots.assign(1, Platform.SLACK, "", "support")
    await bots.assign(1, Platform.SLACK, "C1", "default")
    assert await chosen(bots) == "default"
    assert await chosen(bots, Place(Platform.SLACK, "C2")) == "support"


async def test_where_no_bot_was_made_the_one_of_the_settings_answers(database):
    built_in = BotConfiguration(models=("large",), top_k=4)
    assert await PostgresBots(database, built_in).for_place(1, CHANNEL) == built_in


async def test_a_channel_has_one_bot_until_it_is_taken_away(bots):
    await bots.save(1, HR)
    await bots.save(1, SUPPORT)
    for name in ("hr", "support"):
        await bots.assign(1, Platform.SLACK, "C1", name)
    assert await bots.assignments(1) == [Assignment("support", Platform.SLACK, "C1")]
    await bots.unassign(1, Platform.SLACK, "C1")
    assert await chosen(bots) == "default"
    with pytest.raises(NotFound, match="slack channel C1"):
        await bots.unassign(1, Platform.SLACK, "C1")


async def test_a_removed_bot_leaves_its_channels_to_the_others(bots):
    await bots.save(1, HR)
    await bots.assign(1, Platform.SLACK, "C1", "hr")
    await bots.remove(1, "hr")
    assert await bots.assignments(1) == []
    assert await bots.for_place(1, CHANNEL) == BotConfiguration()


async def test_an_unknown_bot_is_answered_with_the_names_there_are(bots):
    with pytest.raises(NotFound, match="bot set NAME"):
        await bots.bot(1, "sales")
    await bots.save(1, HR)
    await bots.save(1, SUPPORT)
    for call in (bots.bot(1, "sales"), bots.remove(1, "sales"), bots.assign(1, Platform.WEB, "", "sales")):
        with pytest.raises(NotFound, match="there are: hr, support"):
            await call


async def test_a_tenant_neither_sees_nor_uses_the_bots_of_another(bots, other_tenant):
    await bots.save(1, HR)
    await bots.assign(1, Platform.SLACK, "", "hr")
    assert (await bots.bots(other_tenant), await bots.assignments(other_tenant)) == ([], [])
    assert await chosen(bots, tenant_id=other_tenant) == "default"
    for call in (bots.remove(other_tenant, "hr"), bots.assign(other_tenant, Platform.SLACK, "", "hr")):
        with pytest.raises(NotFound):
            await call
    theirs = await bots.save(other_tenant, replace(HR, prompt="Be brief."))
    await bots.assign(other_tenant, Platform.SLACK, "", "hr")
    assert theirs.version == 1
    assert (await bots.for_place(1, CHANNEL)).prompt == "Be kind."
    assert (await bots.for_place(other_tenant, CHANNEL)).prompt == "Be brief."


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"temperature": 2.01}, "from 0 to 2"),
        ({"temperature": -0.1}, "from 0 to 2"),
        ({"temperature": float("nan")}, "from 0 to 2"),
        ({"max_tokens": 49}, "from 50 to 4000"),
        ({"max_tokens": 4001}, "from 50 to 4000"),
        ({"top_k": 0}, "from 1 to 20"),
        ({"top_k": 21}, "from 1 to 20"),
        ({"threshold": -0.01}, "from 0 to 2"),
        ({"threshold": 2.01}, "from 0 to 2"),
        ({"threshold": float("nan")}, "from 0 to 2"),
        ({"name": "  "}, "1 to 60 characters"),
    ],
)
async def test_what_is_out_of_range_is_refused_and_nothing_is_saved(bots, wrong, says):
    with pytest.raises(UsageError, match=says):
        await bots.save(1, replace(HR, **wrong))
    assert await bots.bots(1) == []


async def test_the_ends_of_the_ranges_and_the_longest_prompt_are_saved(bots):
    low = replace(HR, temperature=0, max_tokens=50, top_k=1, threshold=0)
    high = replace(HR, temperature=2, max_tokens=4000, top_k=20, threshold=2, prompt="x" * LONGEST_PROMPT)
    for bot in (low, high):
        assert replace(await bots.save(1, bot), version=0) == bot
    with pytest.raises(TooLarge, match="8,001"):
        await bots.save(1, replace(HR, prompt="x" * (LONGEST_PROMPT + 1)))


async def test_a_database_of_the_revision_before_keeps_its_rows_and_lets_the_application_into_the_new_tables(
    addresses, owner
):
    assert await migrate(addresses.owner, "0001") == "0001"
    session_id = await owner.fetchval(
        "insert into sessions (tenant_id, platform, channel, thread, author_id) "
        "values (1, 'console', 'terminal', 'one', 'U1') returning session_id"
    )
    await owner.execute(
        "insert into turns (tenant_id, session_id, role, text, origin) values (1, $1, 'assistant', 'Hi', 'small talk')",
        session_id,
    )
    assert await prepare(None, addresses.owner, addresses.application) == (HEAD, "application")
    async with open_database(addresses.application) as database:
        assert (await PostgresBots(database).save(1, HR)).version == 1
        sessions = PostgresSessions(database)
        kept = await sessions.session(1, session_id)
        (turn,) = await sessions.turns(1, session_id)
    assert (kept.mode, kept.language, kept.summary, kept.summarised_turn_id) == (None, "", "", 0)
    assert (turn.text, turn.origin, turn.cost, turn.private) == ("Hi", Origin.SMALL_TALK, None, False)
