"""Whatever order events come in and whenever workers die, each ends once, and nothing outdated is answered."""

import asyncio
import itertools

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.postgres.database import open_database
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.signals import PostgresInterruptions, Signals
from core.domain import Author, Message
from core.errors import Superseded
from core.inbox import Ending, Incoming, Kind, Thread
from core.places import Place, Platform

WRITTEN = (Kind.MESSAGE, Kind.EDIT)
AUTHORS = {0: "U1", 1: "U1", 2: "U1", 3: "U2", 4: "U2"}
ENDING_OF = {
    Kind.EDIT: Ending.EDITED,
    Kind.DELETE: Ending.DELETED,
    Kind.STOP: Ending.STOPPED,
    Kind.TAKEOVER: Ending.TAKEN_OVER,
}
ROWS = "select inbox_id, event_id, message_id, kind, revision, author_id, body->>'target' as target, state, ending, "
ROWS += "answered_by from inbox where thread = $1 order by inbox_id"

numbers = st.sampled_from(sorted(AUTHORS))
revisions = st.integers(1, 3)
names = itertools.count()


def written(number: int, revision: int, thread: Thread) -> Incoming:
    message = Message(1, thread.place, Author(AUTHORS[number]), f"{number} as of {revision}")
    kind = Kind.EDIT if revision else Kind.MESSAGE
    about = f"{thread.place.thread}-{number}"
    return Incoming(message, "app", f"{about}-{revision}", about, kind, revision)


def other(kind: Kind, about: str, author: str, thread: Thread, target: str = "") -> Incoming:
    name = f"{kind}-{about}" if kind is Kind.DELETE else about
    return Incoming(Message(1, thread.place, Author(author), ""), "app", name, about, kind, target=target)


class Machine(RuleBasedStateMachine):
    """Platforms that deliver as they like, and workers of which at most one is alive."""

    def __init__(self, runner, database, owner):
        super().__init__()
        self.run = runner.run
        self.owner = owner
        self.inbox = PostgresInbox(database, author_limit=1_000_000, waiting_limit=1_000_000)
        self.interruptions = PostgresInterruptions(Signals(""), database)
        self.delivered = {}
        self.ended = {}
        self.alive = None
        self.dead = []
        self.extra = itertools.count()

    @initialize()
    def open_a_thread(self):
        self.thread = Thread(1, "app", Place(Platform.API, "lobby", f"t{next(names)}"))

    def name(self):
        return f"{self.thread.place.thread}-event-{next(self.extra)}"

    def rows(self):
        return self.run(self.owner.fetch(ROWS, self.thread.place.thread))

    def deliver(self, *events):
        async def accept_all():
            return await asyncio.gather(*(self.inbox.accept(event) for event in events))

        for event, accepted in zip(events, self.run(accept_all()), strict=True):
            assert self.delivered.setdefault(event.event_id, (event, accepted.inbox_id))[1] == accepted.inbox_id

    @rule(number=numbers)
    def write(self, number):
        self.deliver(written(number, 0, self.thread))

    @rule(number=numbers, revision=revisions)
    def edit(self, number, revision):
        self.deliver(written(number, revision, self.thread))

    @rule(number=numbers)
    def delete(self, number):
        self.deliver(other(Kind.DELETE, f"{self.thread.place.thread}-{number}", AUTHORS[number], self.thread))

    @rule(author=st.sampled_from(["U1", "U2"]))
    def stop(self, author):
        self.deliver(other(Kind.STOP, self.name(), author, self.thread))

    @rule(number=numbers)
    def stop_one(self, number):
        target = f"{self.thread.place.thread}-{number}"
        self.deliver(other(Kind.STOP, self.name(), "U3", self.thread, target))

    @rule()
    def take_over(self):
        self.deliver(other(Kind.TAKEOVER, self.name(), "U3", self.thread))

    @rule()
    def rate(self):
        self.deliver(other(Kind.FEEDBACK, self.name(), "U1", self.thread))

    @rule(choices=st.lists(st.tuples(numbers, st.integers(0, 3)), min_size=2, max_size=8))
    def deliver_many_at_once(self, choices):
        self.deliver(*(written(number, revision, self.thread) for number, revision in choices))

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def deliver_again(self, data):
        event = data.draw(st.sampled_from(sorted(self.delivered)))
        self.deliver(self.delivered[event][0])

    @rule()
    def claim(self):
        """Begin what is next; a worker that was at something has died."""
        if self.alive is not None:
            self.dead.append(self.alive)
        before = self.rows()
        self.alive = self.run(self.inbox.claim(self.thread))
        if self.alive is not None:
            self.check_batch(before)

    def check_batch(self, before):
        batch = self.alive
        ids = [entry.inbox_id for entry in batch.entries]
        assert ids == sorted(ids)
        assert batch.lead.inbox_id == ids[0]
        assert len({entry.incoming.message.author.author_id for entry in batch.entries}) == 1
        kinds = {entry.incoming.kind for entry in batch.entries}
        assert len(ids) == 1 or kinds <= set(WRITTEN)
        assert batch.message.text == "\n".join(entry.incoming.message.text for entry in batch.entries)
        if kinds <= set(WRITTEN):
            left = [row["inbox_id"] for row in self.rows() if row["kind"] in WRITTEN and row["state"] != "ended"]
            assert ids == left[: len(ids)], "an older message was passed over"
        for entry in batch.entries:
            self.check_newest(entry, before)

    def check_newest(self, entry, rows):
        """Nothing newer of the same message was known when ROWS were read, and it was not deleted."""
        if entry.incoming.kind in WRITTEN:
            same = [row for row in rows if row["message_id"] == entry.incoming.message_id]
            assert all(row["kind"] != Kind.DELETE for row in same)
            assert all(row["revision"] <= entry.incoming.revision for row in same)

    @precondition(lambda self: self.alive is not None)
    @rule()
    def finish(self):
        """End what was claimed as an honest worker does: it hears of what interrupts it."""
        batch, self.alive = self.alive, None
        kind = self.run(self.heard(batch))
        if kind is not None:
            self.run(self.inbox.end(batch, ENDING_OF[kind]))
        elif batch.incoming.kind in WRITTEN:
            rows = self.rows()
            for entry in batch.entries:
                self.check_newest(entry, rows)
                self.check_not_stopped(entry, rows)
            self.run(self.inbox.end(batch, Ending.ANSWERED))
        else:
            self.run(self.inbox.end(batch, Ending.DONE))

    async def heard(self, batch):
        async with self.interruptions.watch(batch) as interruption:
            return interruption.kind

    def check_not_stopped(self, entry, rows):
        for row in rows:
            if row["inbox_id"] > entry.inbox_id:
                mine = row["author_id"] == entry.incoming.message.author.author_id
                assert row["kind"] != Kind.TAKEOVER
                assert row["kind"] != Kind.STOP or (row["target"] or not mine)
                assert row["kind"] != Kind.STOP or row["target"] != entry.incoming.message_id

    @precondition(lambda self: self.alive is not None)
    @rule(count_try=st.booleans())
    def give_back(self, count_try):
        batch, self.alive = self.alive, None
        self.run(self.inbox.give_back(batch, count_try=count_try))
        self.dead.append(batch)

    @precondition(lambda self: self.dead and self.alive is not None)
    @rule(data=st.data())
    def a_dead_worker_writes_after_all(self, data):
        batch = data.draw(st.sampled_from(self.dead))
        for write in (self.inbox.end(batch, Ending.ANSWERED), self.inbox.give_back(batch, count_try=True)):
            with pytest.raises(Superseded):
                self.run(write)

    @invariant()
    def every_event_is_one_row_and_none_ends_twice(self):
        if not hasattr(self, "thread"):
            return
        rows = self.rows()
        assert {row["event_id"]: row["inbox_id"] for row in rows} == {
            name: inbox_id for name, (_, inbox_id) in self.delivered.items()
        }
        for row in rows:
            if row["state"] == "ended":
                assert row["ending"] is not None
                now = (row["ending"], row["answered_by"])
                assert self.ended.setdefault(row["inbox_id"], now) == now
            else:
                assert row["inbox_id"] not in self.ended

    def teardown(self):
        if not hasattr(self, "thread"):
            return
        for _ in range(3 * len(self.delivered) + 3):
            self.claim()
            if self.alive is None:
                break
            self.finish()
        self.every_event_is_one_row_and_none_ends_twice()
        rows = self.rows()
        ids = {row["inbox_id"] for row in rows}
        assert all(row["state"] == "ended" and row["answered_by"] in ids for row in rows)
        assert len(self.ended) == len(self.delivered)


@pytest.fixture
def runner():
    with asyncio.Runner() as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_each_event_ends_once_and_only_the_newest_words_are_answered(runner, addresses):
    thorough = settings().max_examples > 500
    context = open_database(addresses.application)
    database = runner.run(context.__aenter__())
    owner = runner.run(asyncpg.connect(addresses.owner))
    try:
        run_state_machine_as_test(
            lambda: Machine(runner, database, owner),
            settings=settings(
                max_examples=500 if thorough else 10,
                stateful_step_count=40 if thorough else 25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        runner.run(owner.close())
        runner.run(context.__aexit__(None, None, None))
