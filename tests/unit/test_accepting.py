"""What is kept of an event: capped, clean, redacted, and the same when it is cleaned again."""

import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accepting import (
    Acceptance,
    Limits,
    clean_and_redact,
    clean_id,
    clean_json,
    clean_name,
    clean_text,
    prepare,
)
from core.domain import Attachment, Author, Message
from core.errors import Overloaded, StoreUnavailable, TooLarge, UsageError
from core.inbox import Accepted, Incoming, Kind
from core.meter import Counted
from core.places import Place, Platform

ANY_TEXT = st.text(st.characters(codec=None, categories=None))
LIMITS = Limits()


def event(text="Hello?", *, kind=Kind.MESSAGE, event_id="e1", message_id="m1", **more):
    message = Message(1, Place(Platform.API, "general", "t"), Author("u1", "A. Reader"), text)
    return Incoming(message, "ours", event_id, message_id, kind, **more)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("plain text\nstays", "plain text\nstays"),
        ("a\x00b\x1b[31mc\x9bd", "ab[31mcd"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("half \ud83d of one", "half \ufffd of one"),
        ("two halves \ud83d\ude00", "two halves \U0001f600"),
        ("e\u0301te\u0301", "été"),
        ("hid\U000e0068\U000e0069den", "hidden"),
        ("pass\u200bwo\u2060rd\ufeff", "password"),
        ("h\u200dun\u200cter", "hunter"),
        ("\u202eright to left", "right to left"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻 asks", "👩\u200d💻 asks"),
    ],
)
def test_what_no_reader_sees_is_dropped_and_the_rest_stays(written, kept):
    assert clean_text(written) == kept


@given(ANY_TEXT)
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text):
    clean = clean_text(text)
    assert clean.encode().decode() == clean
    assert "\x00" not in clean
    assert unicodedata.is_normalized("NFC", clean)
    assert clean_text(clean) == clean


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"), exclude_characters="\u00ad")))
def test_words_are_kept_whole(text):
    assert clean_text(text) == unicodedata.normalize("NFC", text)


def test_names_that_no_database_keeps_are_cleaned():
    message = replace(event().message, knowledge_bases=("hand\x00book", "half \ud800"))
    assert prepare(replace(event(), message=message), LIMITS).message.knowledge_bases == ("handbook", "half \ufffd")


def test_a_long_text_is_cut_and_its_length_noted():
    kept = prepare(event("word " * 20_000), LIMITS)
    assert len(kept.message.text) == LIMITS.longest_text
    assert kept.message.characters == 100_000
    assert prepare(event("word"), LIMITS).message.characters == 0


@given(ANY_TEXT, st.integers(0, 40))
def test_no_text_is_longer_than_its_limit(text, longest):
    assert len(clean_and_redact(text, longest)[0]) <= longest


@pytest.mark.parametrize("before", range(0, 24, 4))
def test_a_secret_at_the_cut_is_hidden_whole(before):
    text, hidden = clean_and_redact("x" * before + " card 4111 1111 1111 1111 thanks", 24)
    assert hidden == ("card number",)
    assert "4111" not in text


def test_each_part_that_was_hidden_is_noted_by_its_kind():
    kept = prepare(event("4111 1111 1111 1111 and 5555 5555 5555 4444"), LIMITS)
    assert kept.message.hidden == ("card number", "card number")
    assert "4111" not in kept.message.text


def test_a_reason_and_a_file_name_hold_no_secret_either():
    files = (Attachment("4111 1111 1111 1111.pdf", "application/pdf", 1, 1),)
    kept = prepare(event(detail={"rating": 1, "reason": "card 4111 1111 1111 1111"}), LIMITS)
    assert kept.detail["rating"] == 1
    assert "4111" not in kept.detail["reason"]
    message = Message(1, Place(Platform.API, "general"), Author("u1"), "", attachments=files)
    assert "4111" not in prepare(Incoming(message, "ours", "e1", "m1"), LIMITS).message.attachments[0].name


@pytest.mark.parametrize("bad", [event(event_id=""), event(message_id=""), event(event_id="x" * 513)])
def test_an_event_that_cannot_be_told_from_another_is_refused(bad):
    with pytest.raises(UsageError):
        prepare(bad, LIMITS)


def test_ids_are_cleaned_and_never_shortened():
    assert clean_id("C1\x00\x1f", 10) == "C1"
    assert clean_id("é" * 5, 10) == "é" * 5
    with pytest.raises(TooLarge):
        clean_id("é" * 6, 10)


def test_a_name_is_one_short_line():
    assert clean_name(" A.\n\tReader\u202e ", 6) == "A. Rea"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)


@given(JSON)
def test_an_address_becomes_json_that_postgresql_keeps(value):
    written = json.dumps(clean_json(value), ensure_ascii=False, allow_nan=False)
    assert written.encode().decode() == written
    assert "\\u0000" not in written


def test_a_deep_address_ends():
    value = []
    for _ in range(100_000):
        value = [value]
    assert json.dumps(clean_json(value)).count("[") == 16


class Shelf:
    """An inbox that says what it is told to."""

    def __init__(self, says):
        self.says = says
        self.stored = []

    async def accept(self, incoming):
        self.stored.append(incoming)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Counts:
    """A Meter that remembers what was counted."""

    def __init__(self):
        self.counted = []

    def count(self, what, by=1, **labels):
        self.counted.append((what, labels.get("kind") or labels.get("reason")))

    def time(self, what, seconds, **labels):
        raise AssertionError(what)


@pytest.mark.parametrize(
    ("kind", "duplicate", "counted", "signalled"),
    [
        (Kind.MESSAGE, False, (Counted.ACCEPTED, "message"), True),
        (Kind.EDIT, False, (Counted.ACCEPTED, "edit"), True),
        (Kind.MESSAGE, True, (Counted.DUPLICATES, None), False),
        (Kind.STOP, False, (Counted.ACCEPTED, "stop"), False),
        (Kind.FEEDBACK, False, (Counted.ACCEPTED, "feedback"), False),
    ],
)
async def test_what_will_be_answered_is_signalled_once(kind, duplicate, counted, signalled):
    heard, counts = [], Counts()
    acceptance = Acceptance(Shelf(Accepted(7, duplicate)), counts, signal=heard.append)
    assert await acceptance.accept(event(kind=kind)) == Accepted(7, duplicate)
    assert counts.counted == [counted]
    assert bool(heard) is signalled


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Overloaded("Wait."), "overloaded"), (StoreUnavailable("Gone."), "unavailable")],
)
async def test_what_is_not_stored_is_refused_with_a_reason_and_not_signalled(error, reason):
    heard, counts = [], Counts()
    with pytest.raises(type(error)):
        await Acceptance(Shelf(error), counts, signal=heard.append).accept(event())
    assert (counts.counted, heard) == ([(Counted.REFUSED, reason)], [])


async def test_an_event_without_an_id_never_reaches_the_inbox():
    shelf, counts = Shelf(Accepted(1)), Counts()
    with pytest.raises(UsageError):
        await Acceptance(shelf, counts).accept(event(event_id=""))
    assert (shelf.stored, counts.counted) == ([], [(Counted.REFUSED, "unreadable")])


async def test_a_long_text_is_prepared_as_a_short_one_is():
    shelf = Shelf(Accepted(1))
    await Acceptance(shelf, Counts()).accept(event("4111 1111 1111 1111 " + "word " * 1_000))
    assert shelf.stored[0].message.hidden == ("card number",)
