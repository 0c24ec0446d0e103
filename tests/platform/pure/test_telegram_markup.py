"""Telegram accepts whatever we write, in parts that fit, and shows the words as they were."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram import limits
from adapters.telegram.markup import plain, to_html
from adapters.telegram.runs import clean, escape
from core.parts import utf8_bytes, utf16_units
from tests.platform.telegram_entities import ParseError, checked_link, parse_html
from tests.platform.telegram_markdown import parse_markdown_v2

HOSTILE = Path(__file__).parents[4] / "shared" / "data" / "hostile"
SYNTAX = "*_~`#>|[]()!<>&\\-+=\n :/.1a🏟é\u200d\u0301\x00"
pieces = st.lists(
    st.one_of(st.text(SYNTAX, max_size=12), st.text(max_size=8), st.sampled_from(["```\n", "| a |\n|-|\n"]))
)
markdown = pieces.map("".join)


def shown(text, limit=limits.TEXT):
    """Read every part back; raises ParseError for one that Telegram refuses."""
    parts = to_html(text, limit)
    for part in parts:
        assert utf16_units(part.plain) <= limit
        assert utf8_bytes(part.html) <= limits.RAW_TEXT_BYTES
    return [parse_html(part.html) for part in parts]


def kinds(text):
    ((_, entities),) = shown(text)
    return [(entity.kind, entity.argument) for entity in entities]


def letters(text):
    return [character for character in clean(text) if character.isalnum()]


@pytest.mark.parametrize(
    ("written", "html"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("**b** *i* ~~s~~ `a<b`", "<b>b</b> <i>i</i> <s>s</s> <code>a&lt;b</code>"),
        ("***both***", "<i><b>both</b></i>"),
        ("**a `c` b**", "<b>a </b><code>c</code><b> b</b>"),
        ("# Title\ntext", "<b>Title</b>\n\ntext"),
        ("- a\n- b\n  1. c\n  2. d", "• a\n• b\n    1. c\n    2. d"),
        ("3. c\n4. d", "3. c\n4. d"),
        ("> a\n>\n> b\n\nc", "<blockquote>a\n\nb</blockquote>\n\nc"),
        ("> a\n> > b", "<blockquote>a\n\nb</blockquote>"),
        ("```py\nx < 1\n```", '<pre><code class="language-py">x &lt; 1</code></pre>'),
        ("```\nx\n```", "<pre>x</pre>"),
        ('```"><b>\nx\n```', '<pre><code class="language-b">x</code></pre>'),
        ("[l](https://a.b/?x=1&y=2)", '<a href="https://a.b/?x=1&amp;y=2">l</a>'),
        ("[**l**](https://a.b)", '<a href="https://a.b"><b>l</b></a>'),
        ("![p](https://a.b/p.png)", '<a href="https://a.b/p.png">p</a>'),
        ("[l](guide.md)", "l (guide.md)"),
        ("[l](tg://user?id=1)", "l (tg://user?id=1)"),
        ("<mailto:a@b.c>", "a@b.c"),
        ("[l](javascript:alert)", "[l](javascript:alert)"),
        ("<b>no</b> <script>", "&lt;b&gt;no&lt;/b&gt; &lt;script&gt;"),
        ("&lt;b&gt; &amp; &nbsp;", "&amp;lt;b&amp;gt; &amp;amp; &amp;nbsp;"),
        ("[a]: https://a.b\n\n[a]", "[a]: https://a.b\n\n[a]"),
        ("---", "———"),
        ("| a | b |\n|--|--|\n| 1 | 2 |", "<pre>a  b\n-  -\n1  2</pre>"),
    ],
)
def test_markdown_becomes_html(written, html):
    assert to_html(written)[0].html == html
    shown(written)


def test_a_wide_table_becomes_lines_with_the_names_of_the_columns():
    header, row = "| Country | What is paid |", f"| Austria | {'a long explanation ' * 3} |"
    assert plain(f"{header}\n|--|--|\n{row}").startswith("• Country: Austria · What is paid: a long explanation")


def test_code_lies_in_no_other_style_and_links_hold_no_code():
    assert kinds("**a `c`**") == [("bold", ""), ("code", "")]
    assert kinds("[`c`](https://a.b)") == [("text_link", "https://a.b/")]
    assert kinds("> ```py\n> x\n> ```") == [("blockquote", ""), ("pre", "py")]


def test_what_shows_nothing_is_no_message():
    assert to_html("") == to_html(" \n\u200b\ufeff") == to_html("**\u200b**") == []


@given(markdown)
def test_everything_is_accepted(text):
    shown(text)


@given(markdown, st.integers(64, 200))
def test_parts_fit_and_hold_every_letter_in_order(text, limit):
    parts = shown(text * 4, limit)
    assert all(0 < utf16_units(read) <= limit for read, _ in parts)
    whole = "".join(read for read, _ in parts)
    assert letters(whole) == letters(plain(text * 4))


@given(st.text())
def test_what_is_escaped_reads_back_as_it_was(text):
    assert parse_html(escape(text))[0] == clean(text)


def test_a_cut_lies_between_paragraphs_else_lines_else_sentences_else_words():
    for separator in ("\n\n", "\n", ". ", " "):
        text = separator.join(["word" * 10] * 4)
        first = to_html(text, 100)[0].plain
        assert first.rstrip(".") == separator.join(["word" * 10] * 2)


def test_no_cut_breaks_a_tag_a_link_or_a_character():
    link = "[a place to read more](https://example.com/a)"
    for padding in range(40, 64):
        texts = shown("x" * padding + " " + link + " **" + "bold " * 20 + "**", 64)
        linked = [entity for _, entities in texts for entity in entities if entity.kind == "text_link"]
        assert [entity.length for entity in linked] == [len("a place to read more")]
    for read, _ in shown("👩🏽‍🚒" * 40, 64):
        assert len(read) % len("👩🏽‍🚒") == 0


def test_cut_code_stays_code_in_its_language():
    texts = shown("```py\n" + "value = 1\n" * 40 + "```", 100)
    assert len(texts) > 1
    assert all([(entity.kind, entity.argument) for entity in entities] == [("pre", "py")] for _, entities in texts)


def test_the_markup_may_not_outgrow_the_server():
    text = " ".join(f"[{number}](https://example.com/{'a' * 500})" for number in range(200))
    parts = shown(text)
    assert sum(len(entities) for _, entities in parts) >= 190
    assert letters("".join(read for read, _ in parts)) == letters(plain(text))


def test_no_message_has_more_than_a_hundred_stretches():
    ((_, entities),) = shown("**a** b " * 300)
    assert len(entities) <= limits.ENTITIES


def test_the_plain_text_names_the_addresses_where_there_is_room():
    assert to_html("see [here](https://a.b/c) or <https://d.e>")[0].plain == "see here (https://a.b/c) or https://d.e"
    assert to_html("[here](https://a.b/" + "c" * 100 + ")", 64)[0].plain == "here"


def test_deep_nesting_is_flattened():
    shown("> " * 60 + "a")
    shown("**a *b " * 60)
    shown("- " * 60 + "a")


# Public data


def lines(name):
    path = HOSTILE / name
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def parsed(case):
    parse = parse_html if case["mode"] == "HTML" else parse_markdown_v2
    try:
        return parse(case["input"])
    except ParseError as error:
        return str(error), []


def test_the_small_telegram_parses_as_the_real_one_does():
    for case in lines("telegram_entities.jsonl"):
        text, entities = parsed(case)
        assert text == case.get("error", case.get("text")), case
        assert len(entities) == len(re.findall(r"\{\w+,\d+,\d+", case.get("entities", ""))), case


def test_hostile_texts_are_accepted_and_read_back_as_they_were():
    texts = [case["input"] for case in lines("telegram_entities.jsonl")]
    texts += [case["text"] for case in lines("naughty_strings.jsonl")]
    refused = 0
    for text in texts:
        try:
            read = "".join(part for part, _ in shown(text))
        except ParseError:
            refused += 1
            continue
        hidden = _targets(text)
        assert letters(read) == letters(text.replace(hidden, "", 1) if hidden else text), text
    assert refused == 0


def _targets(text):
    """Return the address behind a link's words, which is a link and no text."""
    begin = text.find("](")
    target = text[begin + 2 :].partition(")")[0] if begin >= 0 else ""
    return target if target.startswith("https://") and checked_link(target) else ""
