"""Whose limit a Retry-After is taken for."""

import asyncio

import pytest

from adapters.telegram.limited import HOLD_S, Limits
from core.errors import Busy


class Moments:
    """The limits of a bot on a clock of the test's own."""

    def __init__(self):
        self.now_s = 0.0
        self.limits = Limits(lambda: self.now_s)

    def call(self, chat, at_s):
        self.now_s = at_s
        return self.limits.note(chat)

    def refuse(self, chat, at_s):
        """Let a call to CHAT at AT_S be refused; return whether the bot is to be held."""
        return self.limits.is_for_all(chat, strange=self.call(chat, at_s))


@pytest.fixture
def moments():
    return Moments()


def test_two_chats_are_no_bot_and_three_within_a_second_are(moments):
    found = [moments.refuse(chat, at_s) for chat, at_s in (("a", 0.0), ("b", 0.1), ("c", 1.2), ("d", 1.3))]
    assert found == [False] * 4
    assert moments.refuse("e", 1.4)


def test_one_chat_refused_again_and_again_is_one_chat(moments):
    assert not any(moments.refuse("a", number / 100) for number in range(50))


@pytest.mark.parametrize(("calls", "held"), [(40, True), (5, False)])
def test_a_chat_that_was_idle_is_refused_for_the_bot_where_its_second_is_full(moments, calls, held):
    for number in range(calls):
        moments.call(f"chat {number}", number / calls)
    assert not moments.refuse(f"chat {calls - 1}", 1.0)
    assert moments.refuse("idle", 1.0) == held


def doubted(moments):
    for chat in "abc":
        moments.refuse(chat, 0.0)
    moments.now_s = HOLD_S
    return moments.limits


async def test_after_a_hold_one_call_alone_finds_out_how_it_is(moments):
    limits = doubted(moments)
    inside, let_go = [], asyncio.Event()

    async def call(refused=False):
        async with limits.one_at_a_time():
            inside.append(refused)
            await let_go.wait()
            if refused:
                moments.refuse("d", moments.now_s)
                raise Busy("Telegram wants us to wait.", 30.0)

    calls = [asyncio.create_task(call(refused)) for refused in (True, False, False)]
    await asyncio.sleep(0)
    assert inside == [True]
    let_go.set()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert inside == [True]
    assert [error.retry_after_s for error in ended] == [30.0, HOLD_S, HOLD_S]


async def test_a_call_that_comes_through_ends_the_doubt(moments):
    limits = doubted(moments)
    async with limits.one_at_a_time():
        pass
    async with limits.one_at_a_time(), limits.one_at_a_time():
        assert not moments.refuse("d", HOLD_S + 1.0)


def test_what_is_remembered_does_not_grow(moments):
    for number in range(300):
        moments.refuse(f"chat {number}", number * 10.0)
    assert len(moments.limits._called) <= 7
    assert len(moments.limits._calls) == len(moments.limits._refused) == 1
