import asyncio
from dataclasses import replace

from adapters.postgres.outbox import PostgresOutbox
from core.domain import Answer, Origin
from core.outbox import Cause, Purpose, Target
from core.places import Place, Platform

TARGET = Target(1, "T1", Place(Platform.SLACK, "C1", "1.0"), "u1")
ANSWER = Answer("28 days", Origin.DOCUMENTS, None, private=True)


async def test_what_one_cause_brings_about_is_sent_once_however_many_ask_for_it(database, owner):
    outbox = PostgresOutbox(database)
    cause = Cause(await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER), "share")
    shared = replace(ANSWER, private=False)
    stored = await asyncio.gather(*(outbox.enqueue(TARGET, Purpose.ANSWER, shared, cause=cause) for _ in range(5)))
    assert len(set(stored)) == 1
    assert (await outbox.caused(1, cause)).content == shared
    assert await owner.fetchval("select count(*) from procrastinate_jobs where queue_name = 'deliveries'") == 2


async def test_other_words_take_the_place_of_the_first_ones(database):
    outbox = PostgresOutbox(database)
    cause = Cause(await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER), "person")
    first = await outbox.enqueue(TARGET, Purpose.PERSON, ANSWER, cause=cause)
    assert await outbox.enqueue(TARGET, Purpose.PERSON, replace(ANSWER, text="29 days"), cause=cause) == first
    assert (await outbox.caused(1, cause)).content.text == "29 days"


async def test_another_tenant_finds_nothing_of_it(database, other_tenant):
    outbox = PostgresOutbox(database)
    cause = Cause(await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER), "share")
    await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER, cause=cause)
    assert await outbox.caused(other_tenant, cause) is None
