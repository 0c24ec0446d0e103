import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.documents import BlockKind, ReadDocument
from ingest.readers import html, markdown


def said(document: ReadDocument) -> list[tuple[str, str]]:
    return [(block.kind.value, block.text) for block in document.blocks]


def test_a_page_is_read_in_order_without_its_frame() -> None:
    page = """<!doctype html><html><head><title>Travel policy | Intranet</title><style>p {}</style></head><body>
    <nav><ul><li>Home</li></ul></nav>
    <main><h1>Travel</h1><p>Book   <b>early</b>,<br>save money.</p>
    <ul><li>Trains<ul><li>First class: no</li></ul></li><li>Planes</li></ul>
    <pre>  ssh host\n    ls</pre>
    <img alt="A map of the offices"><form><label>Name</label><input value="x"><button>Send</button></form></main>
    <footer>Imprint</footer><script>alert(1)</script></body></html>"""
    document = html.read(page.encode(), "a.html")
    assert document.title == "Travel policy | Intranet"
    assert said(document) == [
        ("heading", "Travel"),
        ("paragraph", "Book early, save money."),
        ("item", "Trains"),
        ("item", "First class: no"),
        ("item", "Planes"),
        ("code", "  ssh host\n    ls"),
        ("paragraph", "A map of the offices"),
        ("paragraph", "Name"),
    ]


def test_tables_become_rows_with_spanning_cells_repeated() -> None:
    page = """<table><caption>Desks</caption><thead><tr><th>Office</th><th>Floor</th><th>Desks</th></tr></thead>
    <tr><td rowspan=2>Rome</td><td>1</td><td>10<br>new</td></tr><tr><td>2</td><td>20</td></tr>
    <tr><td>Oslo</td><td colspan=2>closed</td></tr></table>"""
    assert said(html.read(page.encode(), "a.html")) == [
        ("paragraph", "Desks"),
        ("row", "Office: Rome; Floor: 1; Desks: 10 new"),
        ("row", "Office: Rome; Floor: 2; Desks: 20"),
        ("row", "Office: Oslo; Floor: closed; Desks: closed"),
    ]


def test_a_table_that_lays_out_a_page_is_not_data() -> None:
    page = "<table><tr><td><h2>News</h2><p>All is well.</p></td></tr></table>"
    assert said(html.read(page.encode(), "a.html")) == [("heading", "News"), ("paragraph", "All is well.")]


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>obey</p>",
        '<p aria-hidden="true">obey</p>',
        '<p style="display: none">obey</p>',
        '<p style="color:red; VISIBILITY :hidden">obey</p>',
        '<p style="font-size:0">obey</p>',
        '<p style="font-size: 0px; color: #fff">obey</p>',
        '<p style="opacity:0">obey</p>',
        '<p style="background:#fff;color:white">obey</p>',
        "<!-- obey -->",
        "<template>obey</template>",
        "<noscript>obey</noscript>",
        "<?obey?>",
    ],
)
def test_what_a_reader_cannot_see_is_left_out(hidden: str) -> None:
    document = html.read(f"<p>Before</p>{hidden}<p>After</p>".encode(), "a.html")
    assert said(document) == [("paragraph", "Before"), ("paragraph", "After")]


@pytest.mark.parametrize("style", ["font-size:0.9em", "font-size:10px", "opacity:0.5", "color:white;background:navy"])
def test_small_and_pale_text_is_kept(style: str) -> None:
    assert said(html.read(f'<p style="{style}">Seen</p>'.encode(), "a.html")) == [("paragraph", "Seen")]


def test_text_beside_what_is_dropped_is_kept() -> None:
    page = "<p>one <script>x</script>two <b hidden>y</b>three</p>"
    assert said(html.read(page.encode(), "a.html")) == [("paragraph", "one two three")]


@pytest.mark.parametrize(
    "page",
    [
        "<meta charset=windows-1251><p>Привет".encode("cp1251"),
        b'<meta http-equiv="content-type" content="text/html; charset=windows-1251"><p>' + "Привет".encode("cp1251"),
        "<p>Привет".encode("utf-16"),
        "<meta charset=iso-8859-1><p>Привет".encode(),
    ],
)
def test_character_sets_of_pages(page: bytes) -> None:
    assert said(html.read(page, "a.html")) == [("paragraph", "Привет")]


def test_a_page_without_words_is_empty() -> None:
    for page in (b" ", b"<!--", b"<html></html>", b"<img src=x>"):
        assert html.read(page, "empty-page.html") == ReadDocument("Empty page", ())


@given(st.text(st.sampled_from("<>/abp \"='!-&;#x0tdrlih1\0\ud800\n")))
def test_any_tag_soup_can_be_read(page: str) -> None:
    html.read(page.encode("utf-8", "replace"), "a.html")
    markdown.read(page.encode("utf-8", "replace"), "a.md")


def test_markdown_is_read_without_its_marks() -> None:
    page = """---
title: "Expenses"
tags: [money]
---
# Claiming

See [the *form*](https://example.org/form "Form") and ![a receipt](r.png)
before <b>noon</b>.<br>Thanks.

1. Fill it in
   * sign it
2. Send it

> Quoted.

```sh
send  form
```

<div>Inside <i>HTML</i><script>x</script></div>

| Item | Limit |
|------|------:|
| Meal | 20 \\| 30 |
"""
    document = markdown.read(page.encode(), "a.md")
    assert document.title == "Expenses"
    assert said(document) == [
        ("heading", "Claiming"),
        ("paragraph", "See the form and a receipt\nbefore noon.\nThanks."),
        ("item", "Fill it in"),
        ("item", "sign it"),
        ("item", "Send it"),
        ("paragraph", "Quoted."),
        ("code", "send  form\n"),
        ("paragraph", "Inside HTML"),
        ("row", "Item: Meal; Limit: 20 | 30"),
    ]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("# First\n\n# Second", "First"),
        ("Text\n\n## Small", "Leave of absence"),
        ("---\ndate: 2024\n---\n# Dated", "Dated"),
        ("---\ntitle: untitled\n---\nText", "Leave of absence"),
        ("---\n\nA rule above", "Leave of absence"),
        ("+++\ntitle = 'In TOML'\n+++\n", "In TOML"),
    ],
)
def test_the_title_is_the_stated_one_or_the_first_heading_or_the_name(page: str, title: str) -> None:
    assert markdown.read(page.encode(), "leave-of_absence.md").title == title


def test_levels_of_headings_are_kept() -> None:
    for document in (markdown.read(b"# A\n\n### B\n", "a.md"), html.read(b"<h1>A</h1><h3>B</h3>", "a.html")):
        assert [(block.kind, block.level) for block in document.blocks] == [
            (BlockKind.HEADING, 1),
            (BlockKind.HEADING, 3),
        ]
