"""The outbox: what was sent is known by whoever goes on with it, and nobody else can write."""

from dataclasses import replace

import pytest

from adapters.postgres.outbox import PostgresOutbox
from core.domain import Answer, Author, Message, Origin
from core.errors import NotFound, Superseded, Uncertain
from core.inbox import Ending, Incoming, Kind, Thread
from core.outbox import Doubt, Posting, Purpose, Settled, Target
from core.places import Place, Platform

HERE = Place(Platform.API, "lobby", "one")
TARGET = Target(1, "app", HERE, "U1", {"url": "x"}, "m1", "r1")
ANSWER = Answer("20 euros.", Origin.DOCUMENTS, None, steps={"search": 0.1})


@pytest.fixture
def outbox(database):
    return PostgresOutbox(database)


async def ask(inbox, about="m1", text="lunch?", kind=Kind.MESSAGE, revision=0):
    message = Message(1, HERE, Author("U1"), text)
    name = f"{kind}:{about}:{revision}"
    return (await inbox.accept(Incoming(message, "app", name, about, kind, revision))).inbox_id


class Street:
    """A platform that takes posts, and may lose its voice after it took one."""

    def __init__(self, *, silent=0):
        self.posts = []
        self.silent = silent

    async def send(self, key):
        self.posts.append(key)
        if len(self.posts) <= self.silent:
            raise Uncertain("The platform did not say.")
        return f"ts-{len(self.posts)}"


async def test_what_was_posted_is_known_to_the_next_worker_and_not_posted_again(inbox, outbox):
    inbox_id, street = await ask(inbox), Street()
    first = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    await Posting(outbox, first, Doubt.REPEAT).post(0, street.send)
    again = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    assert (again.outbox_id, again.claim, again.begun) == (first.outbox_id, first.claim + 1, None)
    assert again.target == TARGET
    assert await Posting(outbox, again, Doubt.REPEAT).post(0, street.send) == "ts-1"
    assert street.posts == [f"{first.outbox_id}:0"]


async def test_every_write_of_a_worker_that_was_replaced_is_refused(inbox, outbox):
    inbox_id = await ask(inbox)
    old = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    for write in (
        outbox.begin(old, 0),
        outbox.record(old, 0, "ts"),
        outbox.forget(old, 0),
        outbox.keep(old, ANSWER),
        outbox.note_partial(old, "20"),
        outbox.settle(old, Settled.SENT),
    ):
        with pytest.raises(Superseded):
            await write
    kept = await outbox.of_entry(1, inbox_id)
    assert (kept.begun, kept.sent, kept.content, kept.partial) == (None, (), None, "")


async def test_a_post_begun_and_not_recorded_is_in_doubt_and_counted(inbox, outbox, owner):
    inbox_id = await ask(inbox)
    await outbox.begin(await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id), 0)
    again = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    assert again.begun == 0
    street = Street()
    with pytest.raises(Uncertain):
        await Posting(outbox, again, Doubt.GIVE_UP).post(0, street.send)
    assert street.posts == []
    await outbox.settle(again, Settled.UNCERTAIN, "not known")
    row = await owner.fetchrow("select doubts, settled, reason, settled_at is not null as when from outbox")
    assert tuple(row) == (1, "uncertain", "not known", True)


async def test_parts_are_recorded_and_forgotten_one_by_one(outbox):
    delivery = await outbox.open(TARGET, Purpose.NOTICE)
    for part in range(3):
        await outbox.begin(delivery, part)
        await outbox.record(delivery, part, f"ts-{part}")
    await outbox.forget(delivery, 1)
    again = await outbox.reopen(1, delivery.outbox_id)
    assert [(sent.part, sent.message_id) for sent in again.sent] == [(0, "ts-0"), (2, "ts-2")]
    assert all(sent.at.tzinfo is not None for sent in again.sent)
    for part in (0, 2):
        await outbox.forget(again, part)
    assert (await outbox.reopen(1, delivery.outbox_id)).sent == ()


async def test_what_is_kept_comes_back_word_for_word(inbox, outbox):
    inbox_id = await ask(inbox)
    delivery = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    await outbox.note_partial(delivery, "20 eu")
    await outbox.keep(delivery, ANSWER)
    again = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=inbox_id)
    assert (again.content, again.partial) == (ANSWER, "20 eu")


async def test_an_answer_is_found_by_any_message_it_was_sent_as(outbox):
    delivery = await outbox.open(TARGET, Purpose.NOTICE)
    await outbox.record(delivery, 0, "ts-0")
    await outbox.record(delivery, 1, "ts-1")
    found = await outbox.of_message(1, "app", HERE, "ts-1")
    assert (found.outbox_id, found.claim) == (delivery.outbox_id, delivery.claim)
    assert await outbox.of_message(1, "app", HERE, "ts-9") is None
    assert await outbox.of_message(1, "app", replace(HERE, channel="other"), "ts-1") is None
    assert await outbox.of_message(1, "another app", HERE, "ts-1") is None


async def test_the_newest_answer_of_a_channel_is_found_behind_commands_and_notices(inbox, outbox):
    assert await outbox.newest(1, "app", HERE) is None
    answered = await outbox.enqueue(TARGET, Purpose.ANSWER, ANSWER)
    await outbox.enqueue(TARGET, Purpose.ANSWER, replace(ANSWER, origin=Origin.COMMAND))
    await outbox.enqueue(TARGET, Purpose.NOTICE, ANSWER)
    assert (await outbox.newest(1, "app", replace(HERE, thread="another"))).outbox_id == answered
    assert await outbox.newest(1, "app", replace(HERE, channel="another")) is None


async def test_each_message_of_a_batch_leads_to_its_one_answer(inbox, outbox):
    first = await ask(inbox, "a", "lunhc?")
    second = await ask(inbox, "b", "dinner?")
    edit = await ask(inbox, "a", "lunch?", Kind.EDIT, 1)
    batch = await inbox.claim(Thread(1, "app", HERE))
    delivery = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=batch.lead.inbox_id)
    await inbox.end(batch, Ending.ANSWERED)
    for inbox_id in (first, second, edit):
        assert (await outbox.of_entry(1, inbox_id)).outbox_id == delivery.outbox_id
    assert await outbox.of_entry(1, await ask(inbox, "c")) is None


async def test_what_was_withdrawn_is_kept_no_longer(inbox, outbox):
    delivery = await outbox.open(TARGET, Purpose.ANSWER, inbox_id=await ask(inbox))
    await outbox.keep(delivery, ANSWER)
    await outbox.note_partial(delivery, "20 eu")
    await outbox.settle(delivery, Settled.SENT)
    kept = await outbox.of_id(1, delivery.outbox_id)
    assert (kept.content, kept.partial) == (ANSWER, "20 eu")
    await outbox.settle(delivery, Settled.WITHDRAWN)
    kept = await outbox.of_id(1, delivery.outbox_id)
    assert (kept.content, kept.partial) == (None, "")


async def test_something_enqueued_is_stored_with_its_job(outbox, owner):
    outbox_id = await outbox.enqueue(TARGET, Purpose.PERSON, ANSWER)
    job = await owner.fetchrow("select queue_name, task_name, lock, args::text from procrastinate_jobs")
    assert tuple(job)[:3] == ("deliveries", "deliver", f"delivery:{outbox_id}")
    assert job["args"] == f'{{"outbox_id": {outbox_id}, "tenant_id": 1}}'
    delivery = await outbox.reopen(1, outbox_id)
    assert (delivery.content, delivery.purpose, delivery.inbox_id) == (ANSWER, Purpose.PERSON, None)


async def test_the_last_rating_of_an_author_counts(outbox, owner):
    delivery = await outbox.open(TARGET, Purpose.NOTICE)
    await outbox.rate(1, delivery.outbox_id, "U1", 1, "")
    await outbox.rate(1, delivery.outbox_id, "U1", -1, "wrong")
    await outbox.rate(1, delivery.outbox_id, "U2", 1, "")
    rows = await owner.fetch("select author_id, rating, reason from feedback order by author_id")
    assert [tuple(row) for row in rows] == [("U1", -1, "wrong"), ("U2", 1, "")]


async def test_another_tenants_deliveries_are_not_there(outbox, other_tenant):
    delivery = await outbox.open(TARGET, Purpose.NOTICE)
    with pytest.raises(NotFound):
        await outbox.reopen(other_tenant, delivery.outbox_id)
    with pytest.raises(NotFound):
        await outbox.rate(other_tenant, delivery.outbox_id, "U3", 1, "")
    foreign = replace(delivery, target=replace(TARGET, tenant_id=other_tenant))
    with pytest.raises(Superseded):
        await outbox.record(foreign, 0, "ts")
