import asyncio

from core.beside import Beside, NowAndThen
from core.errors import Rejected


async def test_calls_beside_are_capped_and_what_a_platform_refuses_stops_nobody():
    beside, done, gate = Beside(2), [], asyncio.Event()

    async def call(name):
        await gate.wait()
        if name == "first":
            raise Rejected("no")
        done.append(name)

    for name in ("first", "second", "third"):
        beside.start(call(name))
    gate.set()
    await asyncio.sleep(0.01)
    beside.start(call("fourth"))
    await asyncio.sleep(0.01)
    assert done == ["second", "fourth"]
    await beside.close()


async def test_closing_lets_go_of_what_is_on_its_way():
    beside, ended = Beside(1), []

    async def call():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    beside.start(call())
    await asyncio.sleep(0)
    await beside.close()
    assert ended == [True]


def test_a_word_is_said_once_in_a_while_to_each():
    now_s = 0.0
    told = NowAndThen(30.0, clock=lambda: now_s)
    assert told.may_tell("a")
    assert told.may_tell(("T1", "b"))
    now_s = 29.0
    assert not told.may_tell("a")
    now_s = 30.0
    assert told.may_tell("a")
    now_s = 45.0
    assert not told.may_tell("a")
