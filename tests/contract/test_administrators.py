"""Administrators in PostgreSQL: codes work once, for a day, for one tenant, and cannot be guessed in bulk."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.postgres.administrators import PostgresAdministrators
from core.access import TRIES, Access, Redemption, digest, make_code
from core.domain import Author, Message
from core.places import Place, Platform

SLACK = Message(1, Place(Platform.SLACK, "C1", "t"), Author("U1", "Ann"), "", installation="T1")


@pytest.fixture
def store(database):
    return PostgresAdministrators(database)


@pytest.fixture
def access(store):
    return Access(store)


async def test_a_code_makes_its_author_an_administrator_once(access):
    code = await access.invite(1)
    assert not await access.is_administrator(SLACK)
    assert await access.redeem(SLACK, code.upper()) is Redemption.ACCEPTED
    assert await access.is_administrator(SLACK)
    other = replace(SLACK, author=Author("U2"))
    assert await access.redeem(other, code) is Redemption.UNKNOWN
    assert not await access.is_administrator(other)
    assert [listed.author for listed in await access.administrators(1)] == [SLACK.author]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"installation": "T2"},
        {"tenant_id": 2},
        {"place": Place(Platform.TEAMS, "C1", "t")},
        {"author": Author("u1")},
    ],
)
async def test_an_administrator_is_one_where_the_code_was_given_alone(access, other_tenant, elsewhere):
    await access.redeem(SLACK, await access.invite(1))
    assert not await access.is_administrator(replace(SLACK, **elsewhere))


async def test_only_the_hash_of_a_code_is_kept(access, owner):
    code = await access.invite(1)
    rows = await owner.fetch("select tenant_id, code_sha256 from administrator_codes")
    assert [(row["tenant_id"], row["code_sha256"]) for row in rows] == [(1, digest(code))]
    assert code.encode() not in rows[0]["code_sha256"]


async def test_a_code_is_worthless_for_another_tenant(access, other_tenant):
    code = await access.invite(other_tenant)
    assert await access.redeem(SLACK, code) is Redemption.UNKNOWN
    assert await access.redeem(replace(SLACK, tenant_id=other_tenant), code) is Redemption.ACCEPTED


async def test_an_old_code_is_worthless_and_goes_with_the_next(access, store, owner):
    code = make_code()
    await store.keep_code(1, digest(code), timedelta(seconds=-1))
    assert await access.redeem(SLACK, code) is Redemption.UNKNOWN
    await access.invite(1)
    assert await owner.fetchval("select count(*) from administrator_codes") == 1


async def test_of_two_who_use_a_code_at_once_one_is_let_in(access):
    code = await access.invite(1)
    authors = [replace(SLACK, author=Author(f"U{number}")) for number in range(8)]
    became = await asyncio.gather(*(access.redeem(author, code) for author in authors))
    assert sorted(became) == [Redemption.ACCEPTED, *[Redemption.UNKNOWN] * 7]
    assert len(await access.administrators(1)) == 1


async def test_an_author_may_try_a_few_codes_and_then_must_wait(access, owner):
    tried = [await access.redeem(SLACK, make_code()) for _ in range(TRIES + 1)]
    assert tried == [Redemption.UNKNOWN] * TRIES + [Redemption.TOO_MANY]
    code = await access.invite(1)
    assert await access.redeem(SLACK, code) is Redemption.TOO_MANY
    assert await access.redeem(replace(SLACK, author=Author("U2")), make_code()) is Redemption.UNKNOWN
    await owner.execute("update pacing set times = array(select tried - 600000000 from unnest(times) as tried)")
    assert await access.redeem(SLACK, code) is Redemption.ACCEPTED


async def test_tries_at_once_are_all_counted(access):
    tried = await asyncio.gather(*(access.redeem(SLACK, make_code()) for _ in range(3 * TRIES)))
    assert tried.count(Redemption.TOO_MANY) == 2 * TRIES


async def test_an_administrator_can_be_taken_off_the_list(access):
    await access.redeem(SLACK, await access.invite(1))
    assert await access.remove(1, "U1", Platform.TEAMS) == 0
    assert await access.remove(1, "U1", Platform.SLACK) == 1
    assert not await access.is_administrator(SLACK)
    assert await access.remove(1, "U1") == 0


@pytest.mark.parametrize(
    ("says", "trusted", "expected"),
    [
        (True, {Platform.SLACK}, True),
        (True, {Platform.TEAMS}, False),
        (False, {Platform.SLACK}, False),
        (None, {Platform.SLACK}, False),
    ],
)
async def test_what_a_platform_says_counts_where_the_rule_allows_it(store, says, trusted, expected):
    assert await Access(store, trusted).is_administrator(replace(SLACK, administrator=says)) is expected


async def test_an_administrator_by_code_is_one_whatever_the_platform_says(access):
    await access.redeem(SLACK, await access.invite(1))
    assert await access.is_administrator(replace(SLACK, administrator=False))
