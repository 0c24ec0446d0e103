"""A person's answer keeps its formatting: rich text as Markdown."""

import pytest

from adapters.slack.rich_text import to_markdown


def text(written, **style):
    return {"type": "text", "text": written, **({"style": dict.fromkeys(style, True)} if style else {})}


def section(*elements):
    return {"type": "rich_text_section", "elements": list(elements)}


def block(*parts):
    return [{"type": "rich_text", "elements": list(parts)}]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([section(text("It stands in the "), text("yard", bold=1), text("."))], "It stands in the **yard**."),
        ([section(text("very ", bold=1), text("old", italic=1), text(" x", strike=1))], "**very** *old* ~~x~~"),
        ([section(text("both", bold=1, italic=1))], "***both***"),
        ([section(text("git log", code=1), text(" and "), text("a`b", code=1))], "`git log` and `` a`b ``"),
        (
            [section({"type": "link", "url": "https://a.example/x", "text": "the form"})],
            "[the form](https://a.example/x)",
        ),
        ([section({"type": "link", "url": "https://a.example/x"})], "https://a.example/x"),
        ([section(text("2*3*4 and snake_case and _x_"))], r"2\*3\*4 and snake_case and \_x\_"),
        ([section(text("# no heading\n> no quote\n- no item"))], "\\# no heading\n\\> no quote\n\\- no item"),
        (
            [section({"type": "user", "user_id": "U1"}, text(" knows, "), {"type": "user", "user_id": "U2"})],
            "@ann knows, @U2",
        ),
        (
            [section({"type": "emoji", "name": "tada", "unicode": "1f389"}, {"type": "emoji", "name": "ours"})],
            "\U0001f389:ours:",
        ),
        (
            [
                section(text("First:\n")),
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "elements": [section(text("a", bold=1)), section(text("b"))],
                },
                {"type": "rich_text_list", "style": "ordered", "offset": 2, "elements": [section(text("c"))]},
                {"type": "rich_text_preformatted", "elements": [text("x = `1`\ny")]},
                {"type": "rich_text_quote", "elements": [text("said\ntwice")]},
            ],
            "First:\n\n- **a**\n- b\n\n3. c\n\n```\nx = `1`\ny\n```\n\n> said\n> twice",
        ),
    ],
)
def test_formatting_is_kept(parts, expected):
    assert to_markdown(block(*parts), {"U1": "ann"}) == expected


@pytest.mark.parametrize("blocks", [[], [{"type": "section"}], [{"type": "rich_text", "elements": [7, None, {}]}]])
def test_what_is_no_rich_text_is_nothing(blocks):
    assert to_markdown(blocks, {}) == ""
