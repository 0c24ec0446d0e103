"""Keys, entries and flights of the answer caches."""

import asyncio
import json
from array import array
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.cache import (
    LARGEST_BYTES,
    SCHEMA,
    CachedAnswer,
    CacheScope,
    Candidate,
    Flights,
    decode,
    decode_passages,
    encode,
    encode_passages,
    exact_key,
    find_same,
    passages_key,
    scope_key,
    scope_of,
    tenant_prefix,
)
from core.documents import Citation, EmbedderIdentity, Passage, Query
from core.domain import Origin
from core.errors import ModelUnavailable
from core.places import Place, Platform, Reader
from core.similar import normalise

SCOPE = CacheScope(1, ((3, 7), (4, 2)), "grounded", "en", "small-model", "a1b2", EmbedderIdentity("minilm", 384))
CITATION = Citation(1, 20, 300, "Leave › Carrying over, p. 4", "leave.pdf", 4, "Five days may be carried over.")
ANSWER = CachedAnswer(
    "How many days may I carry over?", "Five days [1].", Origin.DOCUMENTS, (CITATION,), created_at=datetime.now(UTC)
)
KEY = exact_key(SCOPE, ANSWER.question)
READABLE = ((3, 7), (4, 2))
QUERY = Query(
    Reader(Place(Platform.SLACK, "general")), ("day", "carri"), array("f", [1.0, 0.0]), EmbedderIdentity("minilm", 2)
)
PASSAGES_KEY = passages_key(1, READABLE, QUERY, ANSWER.question)
PASSAGE = Passage(300, 20, "hr", "Leave", "leave.pdf", ("Leave", "Carrying over"), 4, "Five days.", 1.9, 0.7, 0.1 + 0.2)

small = st.integers(0, 3)
texts = st.sampled_from(["", "a", "b", "a:b", "[]", "1"])
scopes = st.builds(
    CacheScope,
    tenant_id=small,
    knowledge_bases=st.lists(st.tuples(small, small), max_size=3).map(tuple),
    mode=texts,
    language=texts,
    model=texts,
    configuration=texts,
    embedder=st.none() | st.builds(EmbedderIdentity, texts, small),
)


def meaning(scope):
    return replace(scope, knowledge_bases=tuple(sorted(set(scope.knowledge_bases))))


@given(scopes, scopes)
def test_two_scopes_share_a_key_only_where_they_mean_the_same(one, other):
    assert (scope_key(one) == scope_key(other)) == (meaning(one) == meaning(other))


@pytest.mark.parametrize(
    "change",
    [
        {"tenant_id": 2},
        {"knowledge_bases": ((3, 8), (4, 2))},
        {"knowledge_bases": ((3, 7),)},
        {"knowledge_bases": ()},
        {"mode": "open"},
        {"language": "de"},
        {"model": "large-model"},
        {"configuration": "c3d4"},
        {"embedder": EmbedderIdentity("minilm", 768)},
        {"embedder": None},
    ],
)
def test_every_part_of_a_scope_changes_the_key(change):
    assert exact_key(replace(SCOPE, **change), "Why?") != exact_key(SCOPE, "Why?")


def test_the_order_of_knowledge_bases_does_not_change_the_key():
    assert scope_key(replace(SCOPE, knowledge_bases=((4, 2), (3, 7)))) == scope_key(SCOPE)


@given(st.text(), st.text())
def test_two_questions_share_a_key_only_where_they_are_the_same_text(one, other):
    assert (exact_key(SCOPE, one) == exact_key(SCOPE, other)) == (normalise(one) == normalise(other))


@given(st.text())
def test_normalising_twice_changes_nothing_more(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    "other",
    [
        "how MANY days may i carry over",
        "  How many\tdays may I\n carry over ?",
        "Ｈow many days may I carry over？",
        "How many days may I carry over?!...",
    ],
)
def test_case_width_spaces_and_closing_punctuation_do_not_count(other):
    assert exact_key(SCOPE, other) == KEY


@pytest.mark.parametrize(("one", "other"), [("C#", "C"), ("C++", "C"), ("?", "!"), ("5%", "5"), ("a b", "ab")])
def test_signs_that_mean_something_count(one, other):
    assert exact_key(SCOPE, one) != exact_key(SCOPE, other)


def test_keys_begin_with_their_tenant_and_no_tenant_with_anothers():
    assert KEY.startswith(tenant_prefix(1))
    assert scope_of(KEY) == scope_key(SCOPE)
    assert not exact_key(replace(SCOPE, tenant_id=12), "Why?").startswith(tenant_prefix(1))


@pytest.mark.parametrize(
    ("tenant_id", "readable", "change", "question"),
    [
        (2, READABLE, {}, ANSWER.question),
        (1, ((3, 8), (4, 2)), {}, ANSWER.question),
        (1, ((3, 7),), {}, ANSWER.question),
        (1, (), {}, ANSWER.question),
        (1, READABLE, {"terms": ("carri", "day")}, ANSWER.question),
        (1, READABLE, {"terms": ("day carri",)}, ANSWER.question),
        (1, READABLE, {"limit": 9}, ANSWER.question),
        (1, READABLE, {"embedder": EmbedderIdentity("other", 2)}, ANSWER.question),
        (1, READABLE, {"embedder": EmbedderIdentity("minilm", 3)}, ANSWER.question),
        (1, READABLE, {"embedder": None}, ANSWER.question),
        (1, READABLE, {"vector": None}, ANSWER.question),
        (1, READABLE, {}, "May I carry over days?"),
    ],
)
def test_every_part_of_a_search_changes_the_key_of_its_passages(tenant_id, readable, change, question):
    assert passages_key(tenant_id, readable, replace(QUERY, **change), question) != PASSAGES_KEY


@pytest.mark.parametrize(
    ("readable", "change", "question"),
    [
        (((4, 2), (3, 7)), {}, ANSWER.question),
        (READABLE, {"reader": Reader(Place(Platform.TEAMS, "other"), "u2")}, ANSWER.question),
        (READABLE, {"vector": array("f", [0.9999999, 1e-8])}, ANSWER.question),
        (READABLE, {}, "how MANY days may i carry over"),
    ],
)
def test_what_does_not_change_the_passages_does_not_change_their_key(readable, change, question):
    assert passages_key(1, readable, replace(QUERY, **change), question) == PASSAGES_KEY


def test_passages_are_forgotten_with_their_tenant_and_never_taken_for_an_answer():
    assert PASSAGES_KEY.startswith(tenant_prefix(1))
    assert decode(PASSAGES_KEY, encode_passages(PASSAGES_KEY, [PASSAGE])) is None
    assert decode_passages(KEY, encode(KEY, ANSWER)) is None


citations = st.builds(
    Citation,
    number=st.integers(1, 9),
    document_id=st.integers(),
    chunk_id=st.integers(),
    label=st.text(),
    source=st.text(),
    page=st.none() | st.integers(),
    quote=st.text(),
)
answers = st.builds(
    CachedAnswer,
    question=st.text(),
    text=st.text(),
    origin=st.sampled_from(Origin),
    citations=st.lists(citations, max_size=2).map(tuple),
    resolved=st.booleans(),
    notice=st.text(),
    created_at=st.datetimes(timezones=st.just(UTC)),
)


@given(answers)
def test_an_entry_reads_as_it_was_written(answer):
    assert decode(KEY, encode(KEY, answer)) == answer


numbers = st.floats(allow_nan=False, allow_infinity=False)
any_text = st.text(st.characters(exclude_categories=()))
passages = st.builds(
    Passage,
    chunk_id=st.integers(),
    document_id=st.integers(),
    kb_name=any_text,
    title=any_text,
    source=any_text,
    heading_path=st.lists(any_text, max_size=3).map(tuple),
    page=st.none() | st.integers(),
    text=any_text,
    score=numbers,
    coverage=numbers,
    cosine=st.none() | numbers,
)


@given(st.lists(passages, max_size=3).map(tuple))
@example((replace(PASSAGE, text="\x00 \ud800 \ud83d\ude00 \U0001f600", score=-0.0, coverage=5e-324, cosine=1e308),))
def test_passages_read_as_they_were_written_to_the_last_bit(found):
    read = decode_passages(PASSAGES_KEY, encode_passages(PASSAGES_KEY, found))
    assert read == found
    assert repr(read) == repr(found)


def test_a_number_that_is_none_is_a_miss():
    for odd in (float("nan"), float("inf"), -float("inf")):
        for change in ({"score": odd}, {"coverage": odd}, {"cosine": odd}):
            assert decode_passages(PASSAGES_KEY, encode_passages(PASSAGES_KEY, [replace(PASSAGE, **change)])) is None


def test_long_passages_in_any_script_fit():
    found = [replace(PASSAGE, text="Ελλάδα " * 300)] * 8
    assert len(encode_passages(PASSAGES_KEY, found)) < LARGEST_BYTES


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_rubbish_is_a_miss(entry):
    assert decode(KEY, entry) is None
    assert decode_passages(PASSAGES_KEY, entry) is None


def test_deep_nesting_is_a_miss():
    assert decode(KEY, b"[" * 200_000) is None
    assert decode_passages(PASSAGES_KEY, b"[" * 200_000) is None


def _places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from _places(child, (*path, name))


def _replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("new", [{"other": 1}, 1.5])
@pytest.mark.parametrize("path", list(_places(json.loads(encode(KEY, ANSWER)))), ids=str)
def test_a_field_of_another_type_is_a_miss(path, new):
    entry = json.dumps(_replaced(json.loads(encode(KEY, ANSWER)), path, new))
    assert decode(KEY, entry.encode()) is None


PASSAGES_ENTRY = json.loads(encode_passages(PASSAGES_KEY, [PASSAGE]))
FLOATS = {"score", "coverage", "cosine"}


@pytest.mark.parametrize("new", [{"other": 1}, 1.5, 1, True])
@pytest.mark.parametrize("path", list(_places(PASSAGES_ENTRY)), ids=str)
def test_a_field_of_another_type_is_no_passage(path, new):
    fits = path and ((path[-1] in FLOATS and new == 1.5) or (path == ("schema",) and new == SCHEMA))
    fits = fits or (path and path[-1] in {"page", "chunk_id", "document_id"} and type(new) is int)
    entry = json.dumps(_replaced(PASSAGES_ENTRY, path, new))
    assert (decode_passages(PASSAGES_KEY, entry) is None) == (not fits)


def test_passages_of_another_schema_or_key_are_a_miss():
    assert decode_passages(PASSAGES_KEY, json.dumps(PASSAGES_ENTRY)) == (PASSAGE,)
    assert decode_passages(PASSAGES_KEY, json.dumps({**PASSAGES_ENTRY, "schema": SCHEMA - 1})) is None
    assert decode_passages(passages_key(2, READABLE, QUERY, ANSWER.question), json.dumps(PASSAGES_ENTRY)) is None


def test_an_entry_of_another_schema_or_key_is_a_miss():
    entry = json.loads(encode(KEY, ANSWER))
    assert decode(KEY, json.dumps(entry)) == ANSWER
    assert decode(KEY, json.dumps({**entry, "schema": SCHEMA - 1})) is None
    assert decode(exact_key(replace(SCOPE, tenant_id=2), ANSWER.question), json.dumps(entry)) is None


class Model:
    """A verifier with a fixed opinion."""

    def __init__(self, says):
        self.says, self.asked = says, []

    async def same(self, asked, cached):
        self.asked.append((asked, cached))
        if self.says is None:
            raise ModelUnavailable("The model does not answer.")
        return self.says


def candidates(*questions, cosine=0.9):
    return [Candidate(replace(ANSWER, question=question), cosine) for question in questions]


class TestFindSame:
    async def test_serves_what_the_rule_calls_the_same_without_asking_the_model(self):
        model = Model(False)
        found = await find_same(
            "Please tell me how many days I may carry over",
            candidates("How many days can I take over?", "How many days may I carry over?"),
            verifier=model,
        )
        assert found.question == "How many days may I carry over?"
        assert model.asked == []

    @pytest.mark.parametrize(("says", "served"), [(True, True), (False, False), (None, False)])
    async def test_asks_the_model_about_the_nearest_close_one_only(self, says, served):
        model = Model(says)
        near = candidates("How many days may I take to next year?", "How many days may I move to next year?")
        found = await find_same("How many days may I carry to next year?", near, verifier=model)
        assert model.asked == [("How many days may I carry to next year?", near[0].answer.question)]
        assert (found is near[0].answer) == served

    async def test_without_a_model_what_is_close_is_a_miss(self):
        near = candidates("How many days may I take to next year?")
        assert await find_same("How many days may I carry to next year?", near) is None

    async def test_nothing_kept_is_a_miss(self):
        assert await find_same("Why?", [], verifier=Model(True)) is None


class TestFlights:
    async def test_one_leads_and_the_others_are_given_its_answer(self):
        flights, led = Flights(), 0

        async def ask():
            nonlocal led
            async with flights.join(KEY, 5) as flight:
                if flight.leads:
                    led += 1
                    await asyncio.sleep(0)
                    flights.land(KEY, ANSWER)
                    return ANSWER
                return flight.answer

        assert await asyncio.gather(*(ask() for _ in range(50))) == [ANSWER] * 50
        assert led == 1

    async def test_who_waits_too_long_goes_alone_and_the_flight_goes_on(self):
        flights = Flights()
        async with asyncio.timeout(10), flights.join(KEY, 5) as first:
            async with flights.join(KEY, 0) as second:
                assert (second.leads, second.answer) == (False, None)
            assert first.leads
        async with flights.join(KEY, 0) as third:
            assert third.leads

    async def test_other_keys_do_not_wait(self):
        flights = Flights()
        async with flights.join("one", 5) as one, flights.join("other", 5) as other:
            assert one.leads
            assert other.leads
