import pytest

from core.errors import UnreadableDocument
from ingest.formats import Format, detect

PDF = b"%PDF-1.7\n"
DOCX = b"PK\x03\x04....[Content_Types].xml....word/document.xml"


@pytest.mark.parametrize(
    ("name", "head", "media_type", "expected"),
    [
        ("a.pdf", PDF, None, Format.PDF),
        ("A.PDF", b"junk before" + PDF, None, Format.PDF),
        ("a.docx", DOCX, None, Format.DOCX),
        ("a.docx", b"PK\x03\x04 the word part comes later", None, Format.DOCX),
        ("a.htm", b"<p>Hi", None, Format.HTML),
        ("a.markdown", b"# Hi", None, Format.MARKDOWN),
        ("a.txt", b"Hi", None, Format.TEXT),
        ("a.txt", "Grüße".encode("utf-16"), None, Format.TEXT),
        ("a.txt", "Hello, world".encode("utf-16-le"), None, Format.TEXT),
        ("a.jsonl", b"{}", None, Format.JSON),
        ("a.tsv", b"a\tb", None, Format.CSV),
        ("handbook", b"<p>Hi", "text/html; charset=utf-8", Format.HTML),
        ("index.php", b"<p>Hi", "Text/HTML", Format.HTML),
        ("README.md", b"# Hi", "text/plain", Format.MARKDOWN),
        ("notes", b"Hi", "text/plain; charset=us-ascii", Format.TEXT),
        ("plan.pdf", PDF, "application/octet-stream", Format.PDF),
        ("plan", PDF, None, Format.PDF),
        ("page", b"\xef\xbb\xbf <!DOCTYPE html><p>", None, Format.HTML),
        ("..\\..\\evil.txt", b"Hi", None, Format.TEXT),
    ],
)
def test_accepted(name: str, head: bytes, media_type: str | None, expected: Format) -> None:
    assert detect(name, head, media_type) is expected


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [
        ("a.pdf", b"MZ\x90", "named .pdf but"),
        ("a.pdf", DOCX, "looks like a Word document; rename it to end in .docx"),
        ("a.docx", PDF, "looks like a PDF; rename it to end in .pdf"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "without a password"),
        ("a.txt", PDF, "rename it to end in .pdf"),
        ("a.csv", b"PK\x03\x04 xl/workbook.xml", "zip archive"),
        ("a.md", b"\x89PNG\r\n", "picture"),
        ("a.txt", b"hello\0world", "binary data"),
        ("a.txt", b"", "empty"),
        ("a.docm", DOCX, "save it as .docx"),
        ("a.doc", b"\xd0\xcf\x11\xe0", "save it as .docx"),
        ("a.rtf", b"{\\rtf1", "save it as .docx"),
        ("a.xlsx", b"PK\x03\x04", "save each sheet as .csv"),
        ("a.pptx", b"PK\x03\x04", "save it as .pdf"),
        ("a.eml", b"From:", "save the message"),
        ("a.zip", b"PK\x03\x04", "unpack it"),
        ("a.jpg", b"\xff\xd8\xff", "text recognition"),
        ("a.bin", PDF, "rename it to end in .pdf"),
        ("a.exe", b"MZ", "accepted are PDF, DOCX, HTML, Markdown, TXT, JSON and CSV"),
        ("Makefile", b"all:", "accepted are PDF"),
    ],
)
def test_refused_with_what_to_do(name: str, head: bytes, said: str) -> None:
    with pytest.raises(UnreadableDocument) as refusal:
        detect(name, head)
    assert said in str(refusal.value)
