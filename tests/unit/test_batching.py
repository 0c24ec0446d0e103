"""What is next in a thread, decided on rows alone."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from core.batching import LONGEST_TOGETHER, MOST_TOGETHER, End, Plan, Row, plan
from core.domain import Attachment, Author, Message
from core.inbox import Ending, Entry, Incoming, Kind, State
from core.places import Place, Platform

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Place(Platform.API, "lobby", "one")


def event(kind=Kind.MESSAGE, text="", *, about="", author="U1", revision=0, target="", **choices):
    message = Message(1, HERE, Author(author), text, **choices)
    return Incoming(message, "app", f"{kind}-{about}-{revision}", about, kind, revision, target)


def row(inbox_id, kind=Kind.MESSAGE, text="", *, lead=None, tries=0, by=None, about="", ended=None, **more):
    state = State.ENDED if ended else State.ANSWERING if lead else State.WAITING
    incoming = event(kind, text, about=about or f"m{inbox_id}", **more)
    return Row(Entry(inbox_id, incoming, state, NOW, lead, tries, ended), by)


def ids(made: Plan):
    return [entry.inbox_id for entry in made.entries]


def ended(made: Plan):
    return {end.inbox_id: (end.ending, end.answered_by) for end in made.ends}


def test_nothing_waits_and_nothing_is_next():
    assert plan([]) == Plan()


def test_messages_one_author_wrote_in_a_row_are_answered_together():
    made = plan([row(2, text="and dinner?"), row(1, text="How much is lunch?"), row(3, text="In Rome.")])
    assert ids(made) == [1, 2, 3]
    assert made.message.text == "How much is lunch?\nand dinner?\nIn Rome."
    assert made.ends == ()


def test_somebody_else_in_between_ends_the_batch():
    made = plan([row(1, text="a"), row(2, text="b", author="U2"), row(3, text="c")])
    assert ids(made) == [1]


def test_a_rating_in_between_ends_the_batch_and_is_taken_alone():
    rows = [row(1, text="a"), row(2, Kind.FEEDBACK), row(3, text="c")]
    assert ids(plan(rows)) == [1]
    assert ids(plan(rows[1:])) == [2]


@pytest.mark.parametrize("command", ["/new", "  /stop now"])
def test_a_command_goes_alone(command):
    assert ids(plan([row(1, text="a"), row(2, text=command), row(3, text="c")])) == [1]
    assert ids(plan([row(2, text=command), row(3, text="c")])) == [2]


@pytest.mark.parametrize("choice", [{"session_id": uuid4()}, {"knowledge_bases": ("travel",)}, {"administrator": True}])
def test_messages_that_choose_differently_are_not_joined(choice):
    assert ids(plan([row(1, text="a"), row(2, text="b", **choice)])) == [1]


def test_a_batch_has_a_largest_number_and_a_greatest_length():
    assert len(plan([row(n, text="a") for n in range(1, 40)]).entries) == MOST_TOGETHER
    half = "a" * (LONGEST_TOGETHER // 2)
    assert ids(plan([row(1, text=half), row(2, text=half), row(3, text="b")])) == [1]
    assert ids(plan([row(1, text=half * 3), row(2, text="b")])) == [1]


def test_files_and_what_was_hidden_are_united_and_silent_messages_add_no_line():
    first = Attachment("a.pdf", "application/pdf", 1, 7)
    second = Attachment("b.pdf", "application/pdf", 1, 8)
    made = plan(
        [
            row(1, text="Read these.", attachments=(first,), hidden=("card",)),
            row(2, text="", attachments=(second,), hidden=("card", "phone")),
        ]
    )
    assert made.message.text == "Read these."
    assert made.message.attachments == (first, second)
    assert made.message.hidden == ("card", "card", "phone")


def test_only_the_newest_revision_is_answered():
    made = plan(
        [
            row(1, text="lunhc?", about="m"),
            row(2, Kind.EDIT, "luhcn?", about="m", revision=1),
            row(3, Kind.EDIT, "lunch?", about="m", revision=2),
        ]
    )
    assert ids(made) == [3]
    assert made.message.text == "lunch?"
    assert ended(made) == {1: (Ending.EDITED, 3), 2: (Ending.EDITED, 3)}


def test_an_edit_that_came_before_its_original_and_was_answered_ends_it():
    edit = row(1, Kind.EDIT, "lunch?", about="m", revision=1, ended=Ending.ANSWERED).entry
    made = plan([row(2, text="lunhc?", about="m"), row(3, text="And dinner?")], [edit])
    assert ended(made) == {2: (Ending.EDITED, 1)}
    assert ids(made) == [3]


def test_an_older_edit_that_came_late_is_not_answered():
    newest = row(1, Kind.EDIT, "lunch?", about="m", revision=2, ended=Ending.ANSWERED).entry
    made = plan([row(2, Kind.EDIT, "luhcn?", about="m", revision=1)], [newest])
    assert ended(made) == {2: (Ending.EDITED, 1)}
    assert ids(made) == []
    assert made.message is None


def test_a_deleted_message_is_not_answered_and_its_deletion_is_next():
    made = plan([row(1, text="first", author="U2"), row(2, text="oops", about="m"), row(3, Kind.DELETE, about="m")])
    assert ended(made) == {2: (Ending.DELETED, 3)}
    assert ids(made) == [3]


def test_a_deletion_ends_the_edits_too_whichever_came_first():
    deletion = row(1, Kind.DELETE, about="m", ended=Ending.DONE).entry
    made = plan([row(2, Kind.EDIT, "b", about="m", revision=4), row(3, text="a", about="m")], [deletion])
    assert ended(made) == {2: (Ending.DELETED, 1), 3: (Ending.DELETED, 1)}


def test_a_deletion_that_was_undone_ends_what_was_said_before_it_alone():
    deletions = [row(n, Kind.DELETE, about="m", revision=n, ended=Ending.DONE).entry for n in (2, 3)]
    undone = row(5, Kind.EDIT, "a", about="m", revision=4)
    assert ended(plan([row(1, text="a", about="m"), undone], deletions)) == {1: (Ending.DELETED, 3)}
    assert ids(plan([undone], deletions)) == [5]
    assert ended(plan([row(6, Kind.EDIT, "b", about="m", revision=3)], deletions)) == {6: (Ending.DELETED, 3)}


def test_a_stop_ends_what_its_author_wrote_before_and_nothing_else():
    made = plan([row(1, text="a"), row(2, text="b", author="U2"), row(3, Kind.STOP), row(4, text="c")])
    assert ended(made) == {1: (Ending.STOPPED, 3)}
    assert ids(made) == [3]


def test_a_stop_of_one_message_leaves_the_others():
    made = plan([row(1, text="a", about="m"), row(2, text="b"), row(3, Kind.STOP, author="U2", target="m")])
    assert ended(made) == {1: (Ending.STOPPED, 3)}


def test_a_row_that_was_marked_by_a_stop_ends_though_the_stop_has_ended():
    assert plan([row(1, text="a", by=Kind.STOP)]).ends == (End(1, Ending.STOPPED, 1),)


def test_a_takeover_comes_first_and_what_waits_is_passed_on_afterwards():
    rows = [row(1, text="a"), row(2, text="b", author="U2"), row(3, Kind.TAKEOVER, author="U3"), row(4, text="c")]
    made = plan(rows)
    assert ended(made) == {}
    assert ids(made) == [3]


def test_a_dead_workers_batch_comes_first_and_grows_no_more():
    made = plan([row(1, text="a", lead=1, tries=1), row(2, text="b", lead=1, tries=1), row(3, text="c")])
    assert ids(made) == [1, 2]
    assert made.message.text == "a\nb"


def test_a_dead_workers_batch_loses_what_was_deleted_or_edited_meanwhile():
    made = plan(
        [
            row(1, text="a", about="x", lead=1, by=Kind.DELETE),
            row(2, text="b", about="y", lead=1, by=Kind.EDIT),
            row(3, text="c", lead=1),
            row(4, Kind.DELETE, about="x"),
            row(5, Kind.EDIT, "B", about="y", revision=1),
        ]
    )
    assert ended(made) == {1: (Ending.DELETED, 4), 2: (Ending.EDITED, 5)}
    assert ids(made) == [3]


@pytest.mark.parametrize("kind", [Kind.STOP, Kind.TAKEOVER])
def test_a_dead_workers_batch_that_was_stopped_is_given_out_to_be_brought_to_its_end(kind):
    made = plan([row(1, text="a", lead=1, by=kind), row(2, kind)])
    assert made.ends == ()
    assert ids(made) == [1]


def test_a_batch_given_back_comes_again_as_it_was():
    waiting = Row(replace(row(1, text="a").entry, answered_by=1, tries=1))
    assert ids(plan([waiting, row(2, text="b")])) == [1]
