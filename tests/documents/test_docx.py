"""Word documents: structure in, blocks out."""

from collections.abc import Callable

import pytest

from core.documents import BlockKind, ReadDocument
from core.errors import UnreadableDocument
from ingest.readers import docx

MakeDocx = Callable[..., bytes]

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STYLES = f"""<w:styles xmlns:w="{W}">
<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Own"><w:name w:val="Chapter"/><w:basedOn w:val="berschrift1"/></w:style>
<w:style w:styleId="Outlined"><w:name w:val="x"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:styleId="Liste"><w:name w:val="List"/><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style>
<w:style w:styleId="Secret"><w:name w:val="secret"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:styleId="Round"><w:name w:val="r"/><w:basedOn w:val="Round"/></w:style>
</w:styles>"""


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{run(text)}</w:p>"


def styled(text: str, style: str) -> str:
    return paragraph(text, f'<w:pStyle w:val="{style}"/>')


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def said(document: ReadDocument) -> list[tuple[str, int, str]]:
    return [(block.kind.value, block.level, block.text) for block in document.blocks]


def texts(document: ReadDocument) -> list[str]:
    return [block.text for block in document.blocks]


def test_headings_are_told_by_style_whatever_the_language_and_by_outline_level(make_docx: MakeDocx) -> None:
    body = "".join(
        [
            styled("Handbuch", "Titel"),
            styled("Urlaub", "berschrift1"),
            styled("Own style", "Own"),
            styled("By style outline", "Outlined"),
            paragraph("By its own outline", '<w:outlineLvl w:val="1"/>'),
            paragraph("Body text", '<w:pStyle w:val="berschrift1"/><w:outlineLvl w:val="9"/>'),
            styled("Round and round", "Round"),
        ]
    )
    document = docx.read(make_docx(body, parts={"styles.xml": STYLES}), "a.docx")
    assert document.title == "Handbuch"
    assert said(document) == [
        ("heading", 1, "Handbuch"),
        ("heading", 1, "Urlaub"),
        ("heading", 1, "Own style"),
        ("heading", 3, "By style outline"),
        ("heading", 2, "By its own outline"),
        ("paragraph", 0, "Body text"),
        ("paragraph", 0, "Round and round"),
    ]


def test_lists_are_items(make_docx: MakeDocx) -> None:
    body = (
        paragraph("one", '<w:numPr><w:numId w:val="1"/></w:numPr>')
        + styled("two", "Liste")
        + paragraph("none", '<w:pStyle w:val="Liste"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    )
    document = docx.read(make_docx(body, parts={"styles.xml": STYLES}), "a.docx")
    assert [block.kind for block in document.blocks] == [BlockKind.ITEM, BlockKind.ITEM, BlockKind.PARAGRAPH]


def test_tables_become_rows_and_frames_become_text(make_docx: MakeDocx) -> None:
    rows = [
        cell("Office") + cell("Floor") + cell("Desks"),
        cell("Rome", '<w:vMerge w:val="restart"/>') + cell("1") + cell("10"),
        cell("", "<w:vMerge/>") + cell("2") + cell("20"),
        cell("Oslo") + cell("closed", '<w:gridSpan w:val="2"/>'),
        "<w:sdt><w:sdtContent>" + cell("Bern") + "</w:sdtContent></w:sdt>" + cell("3") + cell("30"),
    ]
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    frame = "<w:tbl><w:tr>" + "<w:tc>" + paragraph("In a frame") + table + "</w:tc>" + "</w:tr></w:tbl>"
    expected = [
        "Office: Rome; Floor: 1; Desks: 10",
        "Office: Rome; Floor: 2; Desks: 20",
        "Office: Oslo; Floor: closed; Desks: closed",
        "Office: Bern; Floor: 3; Desks: 30",
    ]
    assert texts(docx.read(make_docx(table), "a.docx")) == expected
    assert texts(docx.read(make_docx(frame), "a.docx")) == ["In a frame", *expected]


def test_what_word_does_not_show_is_left_out(make_docx: MakeDocx) -> None:
    body = (
        "<w:p>"
        + run("kept ")
        + f"<w:ins>{run('inserted ')}</w:ins>"
        + "<w:del><w:r><w:delText>deleted </w:delText></w:r></w:del>"
        + f"<w:moveFrom>{run('moved away ')}</w:moveFrom><w:moveTo>{run('moved here ')}</w:moveTo>"
        + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden </w:t></w:r>"
        + '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>not hidden </w:t></w:r>'
        + '<w:r><w:rPr><w:rStyle w:val="Secret"/></w:rPr><w:t>secret </w:t></w:r>'
        + '<w:r><w:instrText>PAGE</w:instrText></w:r><w:hyperlink r:id="x" xmlns:r="r">'
        + run("linked")
        + "</w:hyperlink></w:p>"
        + styled("secret paragraph", "Secret")
    )
    document = docx.read(make_docx(body, parts={"styles.xml": STYLES}), "a.docx")
    assert texts(document) == ["kept inserted moved here not hidden linked"]


def test_content_controls_text_boxes_and_notes_are_read_once(make_docx: MakeDocx) -> None:
    box = f"<w:txbxContent>{paragraph('boxed')}</w:txbxContent>"
    body = (
        f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('controlled')}</w:sdtContent></w:sdt>"
        "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
        f"<w:sdtContent>{paragraph('Chapter 1 ..... 3')}</w:sdtContent></w:sdt>"
        "<w:p><w:r><mc:AlternateContent>"
        f"<mc:Choice Requires='wps'><w:drawing>{box}</w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
        + run("around")
        + '<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    )
    notes = (
        f'<w:footnotes xmlns:w="{W}"><w:footnote w:type="separator" w:id="0">{paragraph("line")}</w:footnote>'
        f'<w:footnote w:id="2">{paragraph("noted")}</w:footnote></w:footnotes>'
    )
    document = docx.read(make_docx(body, parts={"footnotes.xml": notes}), "a.docx")
    assert texts(document) == ["controlled", "around", "boxed", "noted"]


def test_strict_documents_are_read_too(make_docx: MakeDocx, make_zip: Callable[..., bytes]) -> None:
    strict = f'<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body>{paragraph("strict")}</w:body></w:document>'
    assert texts(docx.read(make_zip({"word/document.xml": strict}), "a.docx")) == ["strict"]


@pytest.mark.parametrize(
    ("stated", "name", "title"),
    [
        ("Travel policy", "a.docx", "Travel policy"),
        ("Word Document", "travel_policy.docx", "Travel policy"),
        ("draft-v2.docx", "travel_policy.docx", "Travel policy"),
        ("", "9f86d081884c7d659a2f.docx", "First heading"),
    ],
)
def test_the_title_is_the_stated_one_unless_it_is_no_title(
    make_docx: MakeDocx, stated: str, name: str, title: str
) -> None:
    core = f'<p xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{stated}</dc:title></p>'
    data = make_docx(paragraph("First heading", '<w:outlineLvl w:val="0"/>'), parts={"docProps/core.xml": core})
    assert docx.read(data, name).title == title


def test_an_archive_without_a_document_is_refused(make_zip: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableDocument, match="without a Word document"):
        docx.read(make_zip({"xl/workbook.xml": "<x/>"}), "a.docx")
