"""The inbox: what is taken in is answered once, in its order, whatever happens meanwhile."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from core.domain import Answer, Attachment, Author, Message, Origin
from core.errors import FrontdeskError, NotFound, Overloaded, StoreUnavailable, Superseded
from core.inbox import Accepted, Ending, Incoming, Kind, State, Thread
from core.outbox import Purpose, Target
from core.places import Place, Platform

HERE = Place(Platform.API, "lobby", "one")
THREAD = Thread(1, "app", HERE)


def event(
    text="How much is lunch?",
    *,
    about="m1",
    kind=Kind.MESSAGE,
    revision=0,
    author="U1",
    target="",
    place=HERE,
    tenant=1,
):
    message = Message(tenant, place, Author(author, author.title()), text)
    name = f"{kind}:{place.thread}:{about}:{revision}"
    return Incoming(message, "app", name, about, kind, revision, target, address={"url": "x"}, request_id="r1")


@pytest.fixture
def inbox(database):
    return PostgresInbox(database, author_limit=1_000)


@pytest.fixture
async def owner(addresses):
    connection = await asyncpg.connect(addresses.owner)
    yield connection
    await connection.close()


async def serve(inbox, thread=THREAD):
    """Answer all there is; return the texts and the ids of each batch."""
    served = []
    while (batch := await inbox.claim(thread)) is not None:
        served.append((batch.message.text, [entry.inbox_id for entry in batch.entries]))
        written = batch.incoming.kind in (Kind.MESSAGE, Kind.EDIT)
        await inbox.end(batch, Ending.ANSWERED if written else Ending.DONE)
    return served


async def ending(inbox, accepted):
    entry = await inbox.entry(1, accepted.inbox_id)
    return entry.ending, entry.answered_by


async def test_an_event_comes_back_as_it_was_told(inbox):
    file = Attachment("menu.pdf", "application/pdf", 3, 7)
    told = event()
    told = replace(told, message=replace(told.message, attachments=(file,), knowledge_bases=("travel",)))
    accepted = await inbox.accept(told)
    entry = await inbox.entry(1, accepted.inbox_id)
    assert entry.incoming == told
    assert (entry.state, entry.ending, entry.answered_by, entry.tries) == (State.WAITING, None, None, 0)
    assert await inbox.find(THREAD, "m1") == entry


async def test_the_same_event_again_is_the_same_row_and_enqueues_nothing(inbox, owner):
    first = await inbox.accept(event())
    assert await inbox.accept(event()) == Accepted(first.inbox_id, duplicate=True)
    assert await owner.fetchval("select count(*) from procrastinate_jobs") == 1


async def test_the_same_message_under_another_event_is_the_same_row(inbox):
    first = await inbox.accept(event())
    assert await inbox.accept(replace(event(), event_id="another")) == Accepted(first.inbox_id, duplicate=True)


async def test_many_deliveries_of_one_event_at_once_make_one_row_and_one_job(inbox, owner):
    accepted = await asyncio.gather(*(inbox.accept(event()) for _ in range(30)))
    assert len({each.inbox_id for each in accepted}) == 1
    assert [each.duplicate for each in accepted].count(False) == 1
    assert await owner.fetchval("select count(*) from procrastinate_jobs") == 1


async def test_a_job_is_enqueued_that_names_the_thread_and_takes_its_lock(inbox, owner):
    await inbox.accept(event())
    job = await owner.fetchrow(
        "select queue_name, task_name, priority, lock, args::text, status from procrastinate_jobs"
    )
    assert (job["queue_name"], job["task_name"], job["status"]) == ("messages", "serve_thread", "todo")
    assert (job["lock"], job["priority"]) == (THREAD.lock, 0)
    for named in (
        '"tenant_id": 1',
        '"platform": "api"',
        '"installation": "app"',
        '"channel": "lobby"',
        '"thread": "one"',
    ):
        assert named in job["args"]


async def test_a_busy_tenants_jobs_step_back_and_a_stop_steps_forward(inbox, owner):
    for number in range(60):
        await inbox.accept(event(about=f"m{number}"))
    await inbox.accept(event(about="s", kind=Kind.STOP))
    jobs = await owner.fetch("select priority from procrastinate_jobs order by id")
    assert [job["priority"] for job in jobs] == [0] * 20 + [-1] * 20 + [-2] * 20 + [-2]


async def test_a_tenant_with_too_much_waiting_is_told_so_and_its_stops_are_still_heard(database):
    inbox = PostgresInbox(database, waiting_limit=3)
    for number in range(3):
        first = await inbox.accept(event(about=f"m{number}"))
    with pytest.raises(Overloaded) as refused:
        await inbox.accept(event(about="m9"))
    assert refused.value.retry_after_s > 0
    assert await inbox.accept(event(about="m2")) == Accepted(first.inbox_id, duplicate=True)
    assert not (await inbox.accept(event(about="s", kind=Kind.STOP))).duplicate


async def test_events_of_one_moment_are_judged_one_after_the_other(database, owner):
    await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    inbox = PostgresInbox(database, author_limit=3)
    told = await asyncio.gather(
        *(inbox.accept(event(about=about)) for about in ("m1", "m2", "m2", "m3", "m4")),
        inbox.accept(event(about="m9", tenant=2)),
        inbox.accept(event(about="m1", kind=Kind.DELETE)),
        return_exceptions=True,
    )
    first, second, again, third, over, foreign, deleted = told
    assert isinstance(over, Overloaded)
    assert again == Accepted(second.inbox_id, duplicate=True)
    assert len({one.inbox_id for one in (first, second, third, foreign, deleted)}) == 5
    rows = await owner.fetch(
        "select tenant_id, message_id, kind, interrupted_by from inbox order by tenant_id, inbox_id"
    )
    assert [tuple(row) for row in rows] == [
        (1, "m1", "message", "delete"),
        (1, "m2", "message", None),
        (1, "m3", "message", None),
        (1, "m1", "delete", None),
        (2, "m9", "message", None),
    ]
    assert await owner.fetchval("select count(*) from procrastinate_jobs") == 5


async def test_what_comes_in_one_moment_keeps_its_order_whatever_its_ids(inbox):
    await asyncio.gather(*(inbox.accept(event(f"{n}?", about=str(n))) for n in range(5, 15)))
    ((text, _),) = await serve(inbox)
    assert text.split() == [f"{n}?" for n in range(5, 15)]


async def test_an_author_who_writes_too_much_is_told_when_to_come_back_and_others_are_not(database):
    inbox = PostgresInbox(database, author_limit=2)
    await inbox.accept(event(about="m1"))
    await inbox.accept(event(about="m2"))
    with pytest.raises(Overloaded) as refused:
        await inbox.accept(event(about="m3"))
    assert 1 <= refused.value.retry_after_s <= 60
    await inbox.accept(event(about="m4", author="U2"))


async def test_what_one_author_wrote_in_a_row_is_answered_at_once_and_names_who_answered(inbox):
    rows = [await inbox.accept(event(text, about=text)) for text in ("lunch?", "dinner?")]
    other = await inbox.accept(event("me too", about="b", author="U2"))
    assert await serve(inbox) == [
        ("lunch?\ndinner?", [rows[0].inbox_id, rows[1].inbox_id]),
        ("me too", [other.inbox_id]),
    ]
    assert await ending(inbox, rows[1]) == (Ending.ANSWERED, rows[0].inbox_id)


async def test_threads_do_not_mix(inbox):
    await inbox.accept(event())
    assert await inbox.claim(Thread(1, "app", replace(HERE, thread="two"))) is None
    assert await inbox.claim(Thread(1, "another app", HERE)) is None


async def test_a_dead_workers_batch_is_taken_over_and_the_dead_one_can_write_no_more(inbox):
    await inbox.accept(event("lunch?", about="a"))
    dead = await inbox.claim(THREAD)
    await inbox.accept(event("dinner?", about="b"))
    taken = await inbox.claim(THREAD)
    assert (taken.message.text, taken.tries) == ("lunch?", 2)
    with pytest.raises(Superseded):
        await inbox.end(dead, Ending.ANSWERED)
    with pytest.raises(Superseded):
        await inbox.give_back(dead, count_try=True)
    await inbox.end(taken, Ending.FAILED, reason="it broke", ticket_number=4)
    entry = await inbox.entry(1, taken.lead.inbox_id)
    assert (entry.ending, entry.reason, entry.ticket_number) == (Ending.FAILED, "it broke", 4)
    with pytest.raises(Superseded):
        await inbox.end(taken, Ending.ANSWERED)


@pytest.mark.parametrize(("counted", "tries"), [(True, 2), (False, 1)])
async def test_what_is_given_back_waits_again(inbox, counted, tries):
    await inbox.accept(event())
    await inbox.give_back(await inbox.claim(THREAD), count_try=counted)
    assert (await inbox.claim(THREAD)).tries == tries


async def test_an_edited_message_is_answered_as_it_says_now(inbox):
    first = await inbox.accept(event("lunhc?"))
    edit = await inbox.accept(event("lunch?", kind=Kind.EDIT, revision=1))
    assert await serve(inbox) == [("lunch?", [edit.inbox_id])]
    assert await ending(inbox, first) == (Ending.EDITED, edit.inbox_id)
    assert (await inbox.find(THREAD, "m1")).inbox_id == edit.inbox_id


async def test_an_original_that_comes_after_its_edit_is_not_answered(inbox):
    edit = await inbox.accept(event("lunch?", kind=Kind.EDIT, revision=1))
    assert await serve(inbox) == [("lunch?", [edit.inbox_id])]
    first = await inbox.accept(event("lunhc?"))
    assert await serve(inbox) == []
    assert await ending(inbox, first) == (Ending.EDITED, edit.inbox_id)


async def test_of_a_batch_under_way_only_the_edited_message_ends_and_the_others_are_answered(inbox):
    first = await inbox.accept(event("lunhc?", about="a"))
    second = await inbox.accept(event("dinner?", about="b"))
    batch = await inbox.claim(THREAD)
    edit = await inbox.accept(event("lunch?", about="a", kind=Kind.EDIT, revision=1))
    await inbox.end(batch, Ending.EDITED)
    assert await ending(inbox, first) == (Ending.EDITED, edit.inbox_id)
    assert await serve(inbox) == [("dinner?\nlunch?", [second.inbox_id, edit.inbox_id])]


async def test_a_stop_ends_what_waits_and_leaves_what_is_under_way_to_its_worker(inbox):
    await inbox.accept(event("lunch?", about="a"))
    batch = await inbox.claim(THREAD)
    waiting = await inbox.accept(event("dinner?", about="b"))
    other = await inbox.accept(event("me too", about="c", author="U2"))
    stop = await inbox.accept(event("", about="s", kind=Kind.STOP))
    await inbox.end(batch, Ending.STOPPED)
    assert await serve(inbox) == [("", [stop.inbox_id]), ("me too", [other.inbox_id])]
    assert await ending(inbox, waiting) == (Ending.STOPPED, stop.inbox_id)


async def test_a_stop_of_an_answer_marks_the_batch_whose_answer_it_is(inbox, database, owner):
    outbox = PostgresOutbox(database)
    await inbox.accept(event("lunch?", about="a", author="U2"))
    batch = await inbox.claim(THREAD)
    target = Target(1, "app", HERE, "U2")
    delivery = await outbox.open(target, Purpose.ANSWER, inbox_id=batch.lead.inbox_id)
    await outbox.record(delivery, 0, "answer-1")
    waiting = await inbox.accept(event("me too", about="b"))
    await inbox.accept(event("", about="s", kind=Kind.STOP, target="answer-1"))
    marks = {
        r["inbox_id"]: r["interrupted_by"] for r in await owner.fetch("select inbox_id, interrupted_by from inbox")
    }
    assert marks[batch.lead.inbox_id] == "stop"
    assert marks[waiting.inbox_id] is None


async def test_what_stood_there_for_an_edited_message_goes_on_with_its_edit(inbox, database):
    outbox = PostgresOutbox(database)
    await inbox.accept(event("lunhc?"))
    dead = await inbox.claim(THREAD)
    target = Target(1, "app", HERE, "U1")
    begun = await outbox.open(target, Purpose.ANSWER, inbox_id=dead.lead.inbox_id)
    await outbox.record(begun, 0, "thinking")
    await outbox.keep(begun, Answer("20", Origin.DOCUMENTS, None))
    await inbox.accept(event("lunch?", kind=Kind.EDIT, revision=1))
    edited = await inbox.claim(THREAD)
    assert edited.message.text == "lunch?"
    again = await outbox.open(target, Purpose.ANSWER, inbox_id=edited.lead.inbox_id)
    assert (again.outbox_id, again.content) == (begun.outbox_id, None)
    assert [sent.message_id for sent in again.sent] == ["thinking"]
    with pytest.raises(Superseded):
        await outbox.record(begun, 1, "late")


async def test_a_thread_without_a_job_is_found_and_woken(inbox, owner):
    await inbox.accept(event())
    assert await inbox.orphans(1, 0) == []
    await owner.execute("delete from procrastinate_jobs")
    assert await inbox.orphans(1, 3_600) == []
    assert await inbox.orphans(1, 0) == [THREAD]
    await inbox.wake(THREAD, after_s=5)
    assert await inbox.orphans(1, 0) == []
    assert await owner.fetchval("select scheduled_at > now() from procrastinate_jobs")


async def test_old_rows_go_and_those_of_the_last_day_stay(inbox, owner):
    old, new = await inbox.accept(event(about="a")), await inbox.accept(event(about="b"))
    waiting = await inbox.accept(event(about="c", author="U2"))
    await inbox.end(await inbox.claim(THREAD), Ending.ANSWERED)
    await owner.execute("update inbox set ended_at = now() - interval '2 days' where inbox_id = $1", old.inbox_id)
    assert await inbox.purge(1, 0) == 1
    with pytest.raises(NotFound):
        await inbox.entry(1, old.inbox_id)
    assert (await inbox.entry(1, new.inbox_id)).ending is Ending.ANSWERED
    assert (await inbox.entry(1, waiting.inbox_id)).state is State.WAITING


async def test_another_tenant_sees_nothing(inbox, owner):
    await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    accepted = await inbox.accept(event())
    with pytest.raises(NotFound):
        await inbox.entry(2, accepted.inbox_id)
    assert await inbox.claim(Thread(2, "app", HERE)) is None


@pytest.mark.slow
async def test_a_server_that_hangs_is_an_error_long_before_the_platform_gives_up(inbox, owner):
    async with owner.transaction():
        await owner.execute("lock table inbox in access exclusive mode")
        async with asyncio.timeout(20):
            with pytest.raises(StoreUnavailable):
                await inbox.accept(event())
    again = await inbox.accept(event())  # the platform sends it again; the server may have gone on meanwhile
    assert (await inbox.entry(1, again.inbox_id)).state is State.WAITING
    assert await owner.fetchval("select count(*) from inbox") == 1


@pytest.mark.slow
async def test_a_crowd_at_a_server_that_hangs_is_told_at_the_same_time(inbox, owner):
    events = [event(about=f"m{number}") for number in range(400)]
    async with owner.transaction():
        await owner.execute("lock table inbox in access exclusive mode")
        async with asyncio.timeout(8):  # list after list of fifty, they would be told after 20 s
            found = await asyncio.gather(*map(inbox.accept, events), return_exceptions=True)
    assert {type(error) for error in found} == {StoreUnavailable}


async def test_a_value_that_postgresql_does_not_take_is_not_repeated_in_the_error(database):
    for value in ("private \x00 words", "private \ud800 words"):
        with pytest.raises(FrontdeskError) as raised:
            async with database.tenant(1) as connection:
                await connection.fetchval("select $1::text", value)
        assert "private" not in str(raised.value)
        assert raised.value.__suppress_context__  # a log prints no more than that


async def test_what_cannot_be_read_is_no_fault_of_the_address(database):
    with pytest.raises(FrontdeskError, match="cannot be read") as raised:
        async with database.tenant(1):
            int("seven")
    assert "DATABASE_URL" not in str(raised.value)


async def test_stops_and_claims_at_once_never_deadlock_and_lose_nothing(inbox):
    async def write(number):
        await inbox.accept(event(about=f"m{number}"))
        await inbox.accept(event("", about=f"s{number}", kind=Kind.STOP))

    async def work():
        for _ in range(30):
            batch = await inbox.claim(THREAD)
            if batch is None:
                await asyncio.sleep(0.005)
                continue
            await inbox.end(batch, Ending.DONE)

    await asyncio.gather(work(), *(write(number) for number in range(40)))
    await serve(inbox)
    endings = [(await inbox.find(THREAD, f"m{number}")).ending for number in range(40)]
    assert set(endings) <= {Ending.STOPPED, Ending.DONE, Ending.ANSWERED}
