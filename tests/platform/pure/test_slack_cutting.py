"""Where Slack's messages are cut while an answer grows: a cut that was made stays, and nothing is shown past one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.cutting import cut, cut_all, settled_part
from core.parts import split_text

LIMIT = 300
WORDS = st.sampled_from("a word sentence. **bold** `x` longer-than-others 28 [site](http://a.example/b)".split())
PARAGRAPHS = st.lists(WORDS, min_size=1, max_size=120).map(" ".join)
LISTS = st.lists(st.lists(WORDS, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=12).map(
    lambda items: "\n".join(f"- {item}" for item in items)
)
CODES = st.lists(st.sampled_from(("", "x = 1", "    return x * 28", "pass")), min_size=1, max_size=60).map(
    lambda lines: "\n".join(("```python", "# days", *lines, "```"))  # empty lines are dropped where code begins
)
TEXTS = st.lists(PARAGRAPHS | LISTS | CODES, min_size=1, max_size=8).map("\n\n".join)


def grown(text, end):
    """Return the beginning of a text as it is looked at while it grows: without half a word or half a link."""
    return re.sub(r"\S{0,40}\Z", "", re.sub(r"\[[^\[\]\n]{0,300}\]?\Z", "", text[:end]))


@given(TEXTS, st.integers(3, 60))
def test_what_was_shown_is_the_beginning_of_what_stands_there_in_the_end(text, step):
    final = cut_all(text, LIMIT, len)
    ended, rest, shown, seen = [], "", "", 0
    for end in [*range(0, len(text), step), len(text)]:
        now = grown(text, end)
        rest, seen = rest + now[seen:], max(seen, len(now))
        while (found := cut(rest, LIMIT, len)) is not None:
            assert found.body.startswith(shown)
            ended.append(found.body)
            rest, shown = found.opening + rest[found.taken :].lstrip("\n"), ""
        settled = settled_part(rest, LIMIT, len)
        assert settled.startswith(shown)
        shown = settled
    assert ended == final[: len(ended)]
    assert "".join(final[len(ended) :]).startswith(shown)


@given(TEXTS)
def test_all_is_there_in_as_few_messages_as_anywhere(text):
    parts = cut_all(text, LIMIT, len)
    assert all(len(part) <= LIMIT for part in parts)
    assert len(parts) <= len(split_text(text, LIMIT)) + 1
    assert all(part.count("```") % 2 == 0 for part in parts)
    kept = re.sub(r"\s|```(?:python)?", "", "\n".join(parts))
    assert kept == re.sub(r"\s|```(?:python)?", "", text)


@pytest.mark.parametrize("before", [0, 60, 200])
def test_a_code_block_is_cut_only_where_it_would_fill_a_message_alone(before):
    code = "```sh\n" + "echo 28\n" * 60 + "```"
    parts = cut_all("a " * (before // 2) + "\n\n" + code if before else code, LIMIT, len)
    first = parts[0]
    if before > LIMIT // 4:
        assert "```" not in first
    else:
        assert first.endswith("\n```")
        assert parts[1].startswith("```sh\n")


def test_a_short_text_is_shown_to_its_end_and_an_empty_one_is_none():
    assert settled_part("One. Two", LIMIT, len) == "One. Two"
    assert cut("One.", LIMIT, len) is None
    assert cut_all(" \n", LIMIT, len) == []
