"""Gathering: what is asked for at the same moment is done together, and nobody is left without an answer."""

import asyncio

import pytest

from adapters.postgres.gathering import Gathering
from core.errors import StoreUnavailable, UsageError


async def test_what_waits_is_done_together_in_its_order():
    lists = []

    async def double(items):
        lists.append(items)
        await asyncio.sleep(0)
        return [2 * item for item in items]

    gathering = Gathering(double, most=3)
    assert await asyncio.gather(*(gathering.ask(number) for number in range(7))) == [0, 2, 4, 6, 8, 10, 12]
    assert lists == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("error", [UsageError, ValueError])
async def test_one_that_spoils_its_list_fails_alone(error):
    async def refuse_two(items):
        if 2 in items:
            raise error("two")
        return items

    gathering = Gathering(refuse_two, most=10)
    async with asyncio.timeout(5):
        found = await asyncio.gather(*(gathering.ask(number) for number in range(4)), return_exceptions=True)
    assert [found[0], found[1], found[3]] == [0, 1, 3]
    assert isinstance(found[2], error)
    assert await gathering.ask(5) == 5


async def test_without_a_store_the_whole_list_is_told_once():
    tries = []

    async def fail(items):
        tries.append(len(items))
        raise StoreUnavailable("away")

    gathering = Gathering(fail, most=10)
    found = await asyncio.gather(*(gathering.ask(number) for number in range(4)), return_exceptions=True)
    assert [type(error) for error in found] == [StoreUnavailable] * 4
    assert tries == [4]


async def test_who_has_given_up_is_left_out():
    may_go, seen = asyncio.Event(), []

    async def wait(items):
        seen.extend(items)
        await may_go.wait()
        return items

    gathering = Gathering(wait, most=1)
    first = asyncio.create_task(gathering.ask("first"))
    second = asyncio.create_task(gathering.ask("second"))
    third = asyncio.create_task(gathering.ask("third"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({second})
    may_go.set()
    assert (await first, await third) == ("first", "third")
    assert seen == ["first", "third"]
