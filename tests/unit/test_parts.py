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


@pytest.mark.parametrize(("item", "inner"), [("- ", "  "), ("1. ", "   "), ("> - ", ">   ")])
def test_code_that_begins_in_an_item_ends_there_and_is_opened_again_at_the_left(item, inner):
    code = "\n".join(f"{inner}line_{number} = {number}" for number in range(40))
    parts = split_text(f"Run this:\n\n{item}```python\n{code}\n{inner}```\n\nThat is all.", 200)
    outer = inner if ">" in item else ""
    assert parts[0].startswith("Run this:")
    assert any(f"{item}```python\n{inner}line_0 = 0\n" in part and part.endswith(f"{inner}```") for part in parts[:2])
    assert {part.partition("\n")[0] for part in parts[2:-1]} == {f"{outer}```python"}
    assert parts[-1].endswith("That is all.")


def test_a_table_that_is_cut_has_its_head_over_each_piece():
    rows = "".join(f"| number {number} | {number} |\n" for number in range(60))
    parts = split_text(f"The numbers:\n| name | value |\n|---|--:|\n{rows}\nThat is all.", 300)
    tables = [part for part in parts if "number" in part and "|" in part]
    assert len(tables) > 3
    assert all("| name | value |\n|---|--:|\n" in part for part in tables)
    assert all(f"| number {number} | {number} |" in "\n".join(tables) for number in range(60))
    assert "The numbers:" in parts[0]
    assert parts[-1].endswith("That is all.")


def test_code_that_holds_a_backtick_hides_no_link():
    link = "[" + "a name " * 40 + "](https://docs.example/" + "x" * 900 + ")"
    text = "word " * 20 + "`` one ` two `` and " + link + " and ` alone " + "word " * 300
    parts = split_text(text, 1_500)
    assert sum(link in part for part in parts) == 1


def test_code_in_one_line_opens_no_block():
    parts = split_text("```frontdesk ask```\n\n" + "A sentence stands here. " * 20, 200)
    assert len(parts) > 2
    assert "".join(parts).count("```") == 2


def test_a_part_that_begins_in_a_nested_list_is_no_code():
    parts = split_text("- " + "word " * 12 + "\n    - ```\n      one\n        two\n      ```\n    - more", 80)
    assert parts[1] == "- ```\n  one\n    two\n  ```\n- more"


def test_a_short_text_is_left_alone_and_an_empty_one_has_no_parts():
    assert split_text("Lunch is 20.", 64) == ["Lunch is 20."]
    assert split_text(" \n", 64) == []
    with pytest.raises(ValueError, match="64"):
        split_text("x", 63)


def test_measures_count_as_platforms_do():
    assert (utf16_units("a😀"), utf8_bytes("a😀")) == (3, 5)
