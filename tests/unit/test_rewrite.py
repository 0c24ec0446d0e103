"""A rewritten question must hold what its author wrote; what needs no rewriting is not touched."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Origin, Role, Turn
from core.history import stand_alone
from core.rewrite import Rewriter, is_faithful

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = "How many vacation days do I get?"
TURNS = (
    Turn(1, Role.AUTHOR, FIRST, WHEN),
    Turn(2, Role.ASSISTANT, "A full-time employee has 28 days [1].", WHEN, question=FIRST, origin=Origin.DOCUMENTS),
)

FAITHFUL = [
    ("and for part-timers?", "How many vacation days do part-timers get?"),
    ("and for part-timers", "How many vacation days do part-timers get"),
    ("in Germany?", "How many vacation days do I get in Germany?"),
    ("And with 3 days a week at ACME?", "How many vacation days do I get at ACME with 3 days a week?"),
    ("why?", "Why do I get 28 vacation days?"),
    ("und für Teilzeit?", "Wie viele vacation days bekommen Teilzeitkräfte?"),
    ("was ist mit Praktikanten?", "Wie viele vacation days bekommt ein Praktikant?"),
    ("那实习生呢？", "实习生有多少天 vacation？"),
]
UNFAITHFUL = {
    "nothing": ("and for part-timers?", ""),
    "two lines": ("and for part-timers?", "How many vacation days do part-timers get?\nAnd interns?"),
    "an answer": ("and for part-timers?", "Part-timers get vacation days in proportion."),
    "an answer with a mark": ("and for part-timers", "Part-timers get vacation days in proportion [1]"),
    "a question with a mark": ("and for part-timers?", "How many vacation days [1] do part-timers get?"),
    "a number nobody said": ("and for part-timers?", "Do part-timers get 22.5 vacation days?"),
    "a number lost": ("with 3 days a week?", "How many vacation days do I get with few days a week?"),
    "a number changed": ("with 3 days a week?", "How many vacation days do I get with 28 days a week?"),
    "a name lost": ("And in Germany?", "How many vacation days do I get abroad?"),
    "a product lost": ("and the WS-200?", "How many vacation days does the station get?"),
    "an abbreviation lost": ("and for HR?", "How many vacation days do they get?"),
    "something else": ("why?", "Would you like some tea?"),
    "a novel": ("why?", f"Why do I get vacation days {'and days ' * 30}?"),
}


@pytest.mark.parametrize(("text", "question"), FAITHFUL)
def test_a_question_that_holds_what_was_written_is_taken(text, question):
    assert is_faithful(question, text, TURNS)


@pytest.mark.parametrize(("text", "question"), UNFAITHFUL.values(), ids=UNFAITHFUL)
def test_what_is_no_rewrite_is_not_taken(text, question):
    assert not is_faithful(question, text, TURNS)


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_model_writes_can_be_judged(question, text):
    if is_faithful(question, text, TURNS):
        assert len(question) <= 4 * len(text) + 200
        assert len(question.splitlines()) == 1


@pytest.mark.parametrize("text", ["and for part-timers?", "why?", "What is the dress code?"])
async def test_without_a_model_terms_are_carried_over(text):
    assert await Rewriter(None).stand_alone(text, TURNS, "en") == stand_alone(text, TURNS)


async def test_the_first_question_is_left_alone():
    assert await Rewriter(None).stand_alone("why?", (), "en") == "why?"
