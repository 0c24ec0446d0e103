import asyncio
from dataclasses import replace

from adapters.postgres.outbox import PostgresOutbox
from core.domain import Answer, Origin
from core.outbox import Purpose, Target
from core.places import Place, Platform

TARGET = Target(1, "T1", Place(Platform.SLACK, "C1", "1.0"), "u1")
ANSWER = Answer("28 days", Origin.DOCUMENTS, None, private=True)


async def test_what_follows_from_an_answer_follows_once_however_many_ask_for_it(database):
    outbox = PostgresOutbox(database)
    of = await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER)
    shared = replace(ANSWER, private=False)
    stored = await asyncio.gather(*(outbox.enqueue_once(of, TARGET, Purpose.ANSWER, shared) for _ in range(5)))
    assert len([outbox_id for outbox_id in stored if outbox_id is not None]) == 1
    assert await outbox.enqueue_once(of + 999, TARGET, Purpose.ANSWER, shared) is None


async def test_another_tenants_answer_is_followed_by_nothing(database, other_tenant):
    outbox = PostgresOutbox(database)
    of = await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER)
    assert await outbox.enqueue_once(of, replace(TARGET, tenant_id=other_tenant), Purpose.ANSWER, ANSWER) is None
