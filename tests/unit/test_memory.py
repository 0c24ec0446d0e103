"""A window keeps the newest turns within its budget, and what falls out of it is not lost."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Origin, Role, Turn
from core.memory import (
    DUE_TURNS,
    MOST_TURNS,
    approximate_tokens,
    extract_summary,
    quote_turns,
    recall,
    summarise,
    turn_tokens,
    window,
)

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def turn(turn_id, role, text, **more):
    return Turn(turn_id, role, text, WHEN, **more)


def talk(*pairs):
    """Make turns of questions and answers."""
    turns = []
    for asked, answered in pairs:
        turns.append(turn(len(turns) + 1, Role.AUTHOR, asked))
        turns.append(turn(len(turns) + 1, Role.ASSISTANT, answered, question=asked, origin=Origin.DOCUMENTS))
    return turns


def words(text):
    return len(text.split())


def ids(turns):
    return [each.turn_id for each in turns]


ROLES = st.sampled_from([Role.AUTHOR, Role.ASSISTANT, Role.PERSON])
TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet="ab 工時ü1?\n", max_size=300))
COUNTERS = st.sampled_from([approximate_tokens, words, len, lambda text: len(text.encode(errors="replace"))])
TURNS = st.lists(st.tuples(ROLES, TEXTS), max_size=12).map(
    lambda said: [turn(place, role, text) for place, (role, text) in enumerate(said, start=1)]
)


@given(TURNS, st.integers(-5, 400), COUNTERS)
def test_a_window_is_a_suffix_within_its_budget_and_nothing_else_is_missing(turns, budget, count):
    found = window(turns, budget, count)
    assert ids(found.fallen) + ids(found.kept) == ids(turns)
    assert list(found.fallen) == turns[: len(found.fallen)]
    if found.kept:
        assert sum(turn_tokens(each, count) for each in found.kept) <= budget
    assert window(turns, budget, count) == found


@given(TURNS, st.integers(0, 400))
def test_only_the_newest_exchange_is_ever_cut_and_only_when_it_stands_alone(turns, budget):
    found = window(turns, budget, len)
    before = turns[len(found.fallen) :]
    cut = [now for now, then in zip(found.kept, before, strict=True) if now != then]
    for now, then in zip(found.kept, before, strict=True):
        assert now == then or (now.text.endswith("…") and then.text.startswith(now.text[:-1]))
    if cut:
        assert not any(each.role is Role.AUTHOR for each in found.kept[1:])


@given(TURNS, st.integers(0, 400))
def test_no_question_is_kept_without_its_answer_and_no_answer_without_its_question(turns, budget):
    found = window(turns, budget, len)
    if found.kept and found.fallen:
        assert found.kept[0].role is Role.AUTHOR


def test_exchanges_fall_out_whole_and_the_oldest_first():
    turns = talk(("one two", "a b c"), ("three", "d"), ("four five", "e f"))
    assert ids(window(turns, 24 + 11, words).kept) == [1, 2, 3, 4, 5, 6]
    assert ids(window(turns, 24 + 10, words).kept) == [3, 4, 5, 6]
    assert ids(window(turns, 16 + 6, words).kept) == [3, 4, 5, 6]
    assert ids(window(turns, 16 + 5, words).kept) == [5, 6]


def test_a_persons_answer_stays_with_the_question_it_answers():
    turns = [*talk(("one", "a"), ("two", "b")), turn(5, Role.PERSON, "c d e")]
    assert ids(window(turns, 3 * 4 + 5, words).kept) == [3, 4, 5]


def test_one_huge_answer_is_cut_and_its_question_is_not():
    turns = talk(("one", "a"), ("How long is it?", "word " * 10_000))
    found = window(turns, 100)
    asked, answered = found.kept
    assert asked.text == "How long is it?"
    assert answered.text.endswith("word…")
    assert 90 <= sum(map(turn_tokens, found.kept)) <= 100
    assert ids(found.fallen) == [1, 2]


def test_without_room_for_anything_everything_falls_out():
    turns = talk(("one", "a"))
    assert window(turns, 8) == window(turns, 0)
    assert ids(window(turns, 0).fallen) == [1, 2]
    assert window([], 100).kept == window([], 100).fallen == ()


# How many tokens o200k_base makes of them.
COUNTED = {
    "Full-time employees have 28 days of paid vacation in a calendar year, and unused days carry over until the end of "
    "March.": 26,
    "Reisekostenabrechnungen müssen spätestens dreißig Tage nach Abschluss der Dienstreise vollständig eingereicht "
    "werden.": 23,
    "Les salariés à temps partiel ont des congés au prorata de leurs heures, arrondis à la "
    "demi-journée supérieure.": 28,
    "Los empleados a tiempo parcial tienen vacaciones en proporción a sus horas, redondeadas al "
    "medio día siguiente.": 22,
    "全职员工每个日历年有二十八天带薪休假，未使用的天数可以结转到三月底。": 29,
    "正社員は一年に二十八日の有給休暇があり、使わなかった日は三月末まで繰り越せます。": 31,
    "정규직 직원은 일 년에 28일의 유급 휴가를 받으며 남은 날은 3월 말까지 이월됩니다.": 32,
    "EUR 1,234,567.89 until 2026-03-31 at https://example.org/a?b=c&d=e#f": 31,
    "👩‍💻 👍🏽 ✅ 🎉🎉🎉": 15,
}


@pytest.mark.parametrize(("text", "tokens"), COUNTED.items(), ids=map(str, COUNTED.values()))
def test_tokens_are_estimated_a_little_high_in_every_script(text, tokens):
    assert tokens <= approximate_tokens(text) <= 1.7 * tokens


@given(TEXTS, TEXTS)
def test_more_text_is_never_fewer_tokens(text, more):
    assert approximate_tokens(text) <= approximate_tokens(f"{text} {more}")
    assert approximate_tokens("") == 0


def test_a_summary_without_a_model_lists_what_was_asked():
    turns = talk(("How many vacation days do I get?", "28 [1]."), ("and for part-timers?", "22.5 [1]."))
    turns[3] = turn(
        4,
        Role.ASSISTANT,
        "22.5 [1].",
        question="How many vacation days do I get? and for part-timers?",
        origin=Origin.DOCUMENTS,
    )
    turns += [turn(5, Role.AUTHOR, "Thanks!"), turn(6, Role.ASSISTANT, "Welcome.", origin=Origin.SMALL_TALK)]
    assert extract_summary("", turns).splitlines() == [
        "- How many vacation days do I get?",
        "- How many vacation days do I get? and for part-timers?",
    ]


def test_a_summary_without_a_model_grows_no_further_than_its_newest_lines():
    summary = ""
    for number in range(100):
        summary = extract_summary(summary, talk((f"What is rule {number}? {'x' * 900}", "No.")))
    lines = summary.splitlines()
    assert [line[:18] for line in lines] == [f"- What is rule {number}?"[:18] for number in range(92, 100)]
    assert all(len(line) <= 142 for line in lines)


def test_what_a_model_wrote_before_stays_above_the_lines():
    summary = extract_summary("They asked about leave.", talk(("How long?", "A week.")))
    assert summary == "They asked about leave.\n- How long?"
    assert extract_summary(summary, talk(("How long?", "A week."))) == summary
    assert len(extract_summary("word " * 2_000, [])) <= 1_200


@given(st.text(max_size=3_000), TURNS)
def test_a_summary_is_bounded_whatever_was_said(summary, turns):
    assert len(extract_summary(summary, turns)) <= 1_200 + 8 * 150


async def test_without_a_model_or_anything_new_the_lines_are_the_summary():
    turns = talk(("How long?", "A week."))
    assert await summarise(None, "Before.", turns, "en") == "Before.\n- How long?"
    assert await summarise(None, "Before.", [], "en") == "Before."


def test_marks_of_citations_are_not_quoted_to_a_model():
    assert quote_turns(talk(("How long?", "A week [1][2]. Or two [10]."))) == (
        "author: How long?\nassistant: A week. Or two."
    )


def test_what_fell_out_is_told_as_lines_until_it_is_summarised():
    turns = talk(("one", "a"), ("two", "b"), ("three", "c"))
    told = recall(turns, "", 0, 10, words)
    assert ids(told.history) == [5, 6]
    assert told.summary == "- one\n- two"
    assert ids(told.pending) == [1, 2, 3, 4]
    told = recall(turns, "One.", 2, 10, words)
    assert (told.summary, ids(told.pending)) == ("One.\n- two", [3, 4])


def test_a_summary_is_due_once_three_exchanges_have_fallen_out():
    turns = talk(*((str(number), "a") for number in range(6)))
    assert not recall(turns[:6], "", 0, 10, words).due
    assert recall(turns[:8], "", 0, 10, words).due
    assert not recall(turns[:10], "", 2 + 2, 10, words).due


@given(st.integers(1, 60), st.integers(0, 2_000))
def test_a_growing_conversation_loses_no_turn_and_reads_few(exchanges, budget):
    """Every turn is told, told as a line, or summarised, though only the newest are read from the store."""
    turns, summarised = [], 0
    for number in range(exchanges):
        turns += [turn(2 * number + 1, Role.AUTHOR, "What?"), turn(2 * number + 2, Role.ASSISTANT, "This.")]
        told = recall(turns[-(MOST_TURNS + 2 * DUE_TURNS) :], "", summarised, budget)
        assert ids([*told.pending, *told.history]) == list(range(summarised + 1, len(turns) + 1))
        assert len(told.history) <= MOST_TURNS
        summarised = told.pending[-1].turn_id if told.due else summarised
