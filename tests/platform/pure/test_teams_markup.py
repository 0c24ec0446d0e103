"""What we write in Teams shows what the answer said: no HTML, no mentions, no pictures, no links but its own."""

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from adapters.teams.markup import escape, grown, plain, to_teams

READER = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])
SIGNS = st.text(alphabet="ab \n*_`~[]()<>#-+|!\\&1.:/x@", max_size=60)


def tokens(markdown):
    found = READER.parse(markdown)
    return [*found, *(child for token in found for child in token.children or ())]


def shown(markdown):
    """Read what a reader sees, as the standard's own parser does."""
    texts = [token.content for token in tokens(markdown) if token.type in ("text", "code_inline", "fence")]
    return "".join("".join(texts).split())


def test_headings_lists_quotes_and_code_keep_their_form():
    given_ = "# Title\n\nSome **bold** and *soft* `code`.\n\n1. one\n2. two\n   - in it\n\n> said\n\n```\na < b\n```"
    assert to_teams(given_) == (
        "**Title**\n\nSome **bold** and *soft* `code`.\n\n1. one\n2. two\n   - in it\n\n> said\n\n```\na < b\n```"
    )


def test_narrow_tables_are_aligned_and_wide_or_linked_ones_are_lists():
    assert to_teams("| a | b |\n|---|---|\n| 1 | 22 |") == "```\na   b\n-   --\n1   22\n```"
    assert to_teams("| Name | Days |\n|---|---|\n| Ann | 28 [1] |") == "- **Name**: Ann · **Days**: 28 [1]"
    assert not any(token.type == "table_open" for token in tokens(to_teams("| a | b |\n|---|---|\n| 1 | 2 |")))


def test_html_mentions_and_pictures_are_text_or_links():
    assert to_teams("<at>Bob</at> <b>x</b> & y") == "&lt;at&gt;Bob&lt;/at&gt; &lt;b&gt;x&lt;/b&gt; &amp; y"
    assert to_teams("![who](https://x.example/p.png?a=1&b=2)") == "[who](https://x.example/p.png?a=1&amp;b=2)"
    assert to_teams("[click](javascript:alert(1))") == "\\[click\\](javascript:alert(1))"


def test_marks_of_citations_stay_as_they_are():
    assert to_teams("So it is [1][2]. See [12]") == "So it is [1][2]. See [12]"
    assert to_teams("[a] and [1](no link)") == "\\[a\\] and \\[1\\](no link)"


def test_addresses_stay_whole():
    assert to_teams("see https://x.example/a_b_c?d=1&e=2.") == "see https://x.example/a_b_c?d=1&amp;e=2."


def test_lines_stay_apart():
    assert to_teams("one\ntwo") == "one  \ntwo"


def test_plain_has_no_marks():
    assert plain("**a** [b](https://x.example)\n\n3. c\n4. `d`") == "a b\n\n3. c\n4. d"
    assert plain("**a** `b` ~~c~~") == "a b c"


@given(SIGNS)
def test_nothing_becomes_html_a_picture_or_a_foreign_link(markdown):
    found = tokens(to_teams(markdown))
    assert not {token.type for token in found} & {"html_block", "html_inline", "image", "table_open"}
    targets = [str(token.attrGet("href")) for token in found if token.type == "link_open"]
    assert all(re.match(r"(https?|mailto|tel):", target, re.IGNORECASE) for target in targets)


@given(SIGNS)
def test_what_is_escaped_says_what_it_said(text):
    assert shown(escape(text)) == "".join(text.split())


@given(st.text(max_size=60))
def test_any_text_can_be_escaped_converted_and_made_plain(text):
    for written in (escape(text), to_teams(text)):
        assert not {token.type for token in tokens(written)} & {"html_block", "html_inline", "image"}
    plain(text)


ANSWER = (
    "You have **28 days** [1][2] of *paid* leave. See `code x` and [this page](https://x.example/a_b):\n\n"
    "- one [2]\n- **two**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx = 1\n```\n\n"
    "More at https://x.example/c. The end."
)


@given(
    st.lists(st.integers(0, len(ANSWER)), max_size=40), st.sampled_from([ANSWER, "2026. That * is ~~it~~ - so\n- 1\n"])
)
def test_a_stream_only_adds_and_ends_in_the_answer(places, answer):
    text = ""
    for place in sorted(places):
        longer = grown(text, answer[:place])
        assert longer.startswith(text)
        text = longer
    assert to_teams(answer).startswith(text)


def test_a_stream_shows_nearly_everything_soon():
    text, steps = "", 0
    for place in range(0, len(ANSWER) + 1, 5):
        longer = grown(text, ANSWER[:place])
        steps += longer != text
        text = longer
    assert steps > 15
    assert len(text) > len(to_teams(ANSWER)) - 20


@given(SIGNS, SIGNS)
def test_a_stream_never_takes_anything_back(shown_before, markdown):
    before = to_teams(shown_before)
    assert grown(before, markdown).startswith(before)
