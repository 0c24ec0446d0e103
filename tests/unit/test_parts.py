import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.parts import split_text, utf8_bytes, utf16_units

WORDS = st.sampled_from(
    [
        "lunch",
        "Überstunden",
        "is",
        "20.",
        "`frontdesk ask`",
        "[policy](https://example.org/a_(b))",
        "😀",
        "👩\u200d🚀",
        "e\u0301",
        "https://example.org/travel?x=1&y=2",
        "<https://example.org/x>",
        "**bold**",
        "\n",
        "\n\n",
        "- item",
        "> quote",
    ]
)
CODE = st.builds(
    lambda mark, language, lines: f"\n{mark}{language}\n" + "\n".join(lines) + f"\n{mark}\n",
    st.sampled_from(["```", "~~~~"]),
    st.sampled_from(["", "python", "sh title"]),
    st.lists(st.text("abc =[](`.", max_size=90).filter(lambda line: not line.strip().startswith("```")), max_size=12),
)
TEXTS = st.lists(st.one_of(WORDS, CODE), max_size=80).map(" ".join)
LIMITS = st.integers(64, 300)
MEASURES = st.sampled_from([len, utf16_units, utf8_bytes])


def bare(text):
    """What must not get lost: everything but white space, the lines of fences aside."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*(```|~~~)", line)]
    return "".join("".join(lines).split())


def open_fence(text):
    mark = ""
    for line in text.splitlines():
        found = re.match(r"\s*(`{3,}|~{3,})(.*)$", line)
        if found and not mark:
            mark = found[1]
        elif found and found[1].startswith(mark) and not found[2].strip():
            mark = ""
    return mark


@given(TEXTS, LIMITS, MEASURES)
def test_every_part_fits_and_nothing_is_lost(text, limit, measure):
    parts = split_text(text, limit, measure)
    assert all(part.strip() and measure(part) <= limit for part in parts)
    assert bare("\n".join(parts)) == bare(text)


@given(TEXTS, LIMITS)
def test_no_part_leaves_a_code_block_open(text, limit):
    assert not any(open_fence(part) for part in split_text(text, limit))


@given(st.lists(WORDS, max_size=80).map(" ".join), LIMITS)
def test_links_and_characters_stay_whole(text, limit):
    parts = split_text(text, limit)
    for whole in ("[policy](https://example.org/a_(b))", "https://example.org/travel?x=1&y=2", "e\u0301", "👩\u200d🚀"):
        assert sum(part.count(whole) for part in parts) == text.count(whole)


@given(st.text(max_size=2_000), LIMITS, MEASURES)
def test_any_text_can_be_cut(text, limit, measure):
    parts = split_text(text, limit, measure)
    assert all(measure(part) <= limit for part in parts)


def test_cuts_stand_between_paragraphs_where_they_can():
    text = "\n\n".join(f"Paragraph {number} says something of fair length here." for number in range(6))
    parts = split_text(text, 120)
    assert parts == ["\n\n".join(text.split("\n\n")[start : start + 2]) for start in range(0, 6, 2)]


def test_a_long_paragraph_is_cut_after_a_sentence():
    text = "One sentence stands here and it is long enough. " * 5
    parts = split_text(text, 110)
    assert all(part.rstrip().endswith(".") for part in parts)


def test_a_code_block_that_is_cut_is_opened_again_with_its_language():
    code = "\n".join(f"line_{number} = {number}" for number in range(40))
    parts = split_text(f"Run this:\n\n```python\n{code}\n```\n\nThat is all.", 200)
    assert len(parts) > 3
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    assert parts[-1].endswith("That is all.")


def test_a_short_text_is_left_alone_and_an_empty_one_has_no_parts():
    assert split_text("Lunch is 20.", 64) == ["Lunch is 20."]
    assert split_text(" \n", 64) == []
    with pytest.raises(ValueError, match="64"):
        split_text("x", 63)


def test_measures_count_as_platforms_do():
    assert (utf16_units("a😀"), utf8_bytes("a😀")) == (3, 5)
