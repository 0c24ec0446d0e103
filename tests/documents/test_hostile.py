"""Files made to do harm: each ends read, empty or refused with a reason, within the limits."""

import asyncio
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.documents import ReadDocument
from core.errors import UnreadableDocument
from ingest.formats import detect
from ingest.sandbox import Sandbox

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TEXT = "<w:p><w:r><w:t>%s</w:t></w:r></w:p>"
ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = f'<!DOCTYPE d [<!ENTITY a0 "lol">{ENTITIES}]>'
CATALOGUE = b"<</Type/Catalog/Pages 2 0 R>>"

Ends = dict[str, ReadDocument | str]


def understated(data: bytes) -> bytes:
    """Let every entry of a zip archive say that it unpacks to ten bytes."""
    out = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = out.find(mark)
        while start >= 0:
            out[start + at : start + at + 4] = struct.pack("<I", 10)
            start = out.find(mark, start + 4)
    return bytes(out)


def twice_the_same_part(first: bytes) -> bytes:
    packed = io.BytesIO(first)
    with zipfile.ZipFile(packed, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that is the point
        archive.writestr(
            "word/document.xml", f'<w:document xmlns:w="{W}"><w:body>{TEXT % "second"}</w:body></w:document>'
        )
    return packed.getvalue()


@pytest.fixture(scope="module")
def hostile(
    make_docx: Callable[..., bytes],
    make_zip: Callable[..., bytes],
    make_pdf: Callable[..., bytes],
    make_page: Callable[..., bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, bytes]:
    """Build each file by code."""
    secret = tmp_path_factory.mktemp("secrets") / "secret.txt"
    secret.write_text("topsecret")
    bomb = zlib.compress(b"BT /F1 9 Tf (A) Tj ET\n" * 3_500_000, 9)
    loop = b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"
    many = [b"<</Type/Pages/Kids[%d 0 R %d 0 R]/Count 2>>" % (n + 1, n + 1) for n in range(2, 20)]
    return {
        "laughs.docx": make_docx(TEXT % "&a9;", prologue=LAUGHS),
        "xxe.docx": make_docx(TEXT % "&x;", prologue=f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'),
        "bomb.docx": make_docx(TEXT % ("A" * 25_000_000)),
        "picture-bomb.docx": make_docx(TEXT % "hi", parts={"word/media/a.png": bytes(25_000_000)}),
        "liar.docx": understated(make_docx(TEXT % ("A" * 25_000_000))),
        "entries.docx": make_docx(TEXT % "hi", parts={f"word/media/{n}": b"" for n in range(11_000)}),
        "slip.docx": make_docx(TEXT % "fine", parts={"../../../../tmp/slipped": b"x"}),
        "deep.docx": make_docx("<w:p>" * 30_000 + "</w:p>" * 30_000),
        "many.docx": make_docx(TEXT % "x" * 201_000),
        "twice.docx": twice_the_same_part(make_docx(TEXT % "first")),
        "remote.docx": make_docx(
            TEXT % "fine",
            parts={
                "word/_rels/document.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
                'relationships"><Relationship Id="a" TargetMode="External" Target="http://127.0.0.1:9/s.xml" '
                'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"/></Relationships>'
            },
        ),
        "sheet.docx": make_zip({"xl/workbook.xml": "<x/>"}),
        "cut.docx": make_docx(TEXT % "hello")[:300],
        "bomb.pdf": make_page(bomb, b"/Filter/FlateDecode"),
        "loop.pdf": make_pdf(CATALOGUE, loop),
        "exponential.pdf": make_pdf(CATALOGUE, *many, b"<</Type/Page/MediaBox[0 0 9 9]>>"),
        "array.pdf": b"%PDF-1.4\n1 0 obj" + b"[" * 60_000 + b"endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "header.pdf": b"%PDF-1.7",
        "cut.pdf": make_page(b"BT /F1 9 Tf (hello) Tj ET")[:150],
        "deep.json": b"[" * 150_000,
        "odd.json": b'{"a": "\\ud800", "b": "x\\u0000y", "a": NaN}',
        "deep.html": b"<div>" * 100_000 + b"x",
        "comments.html": b"<!--" * 200_000,
        "entities.html": b"&amp" * 200_000,
        "remote.html": b'<base href="http://127.0.0.1:9/"><img src="x"><iframe src="file:///etc/passwd"></iframe>fine',
        "backticks.md": b"`" * 100_000,
        "brackets.md": b"[" * 50_000 + b"a",
        "links.md": b"[a](" * 20_000,
        "stars.md": b"*a_" * 40_000,
        "quotes.md": b">" * 20_000 + b"x",
        "table.md": b"|" * 20_000 + b"\n" + b"|-" * 20_000 + b"\n",
        "tags.md": ("Hello " + "".join(chr(0xE0000 + ord(letter)) for letter in "obey")).encode(),
        "line.txt": b"a" * 6_000_000,
        "marks.txt": ("Z" + "\u0301" * 500).encode() * 200,
        "flaws.txt": b"\xff\xfe\x80abc\xc0\xaf",
        "quotes.csv": b'"' * 100_001,
        "commas.csv": b"," * 2_000_000,
    }


@pytest.fixture(scope="module")
def ends(hostile: dict[str, bytes]) -> Ends:
    """Read every file, one after the other."""

    async def read_all() -> Ends:
        found: Ends = {}
        async with Sandbox() as sandbox:
            for name, data in hostile.items():
                try:
                    found[name] = await sandbox.read(detect(name, data[:4096]), name, data)
                except UnreadableDocument as error:
                    found[name] = str(error)
        return found

    return asyncio.run(read_all())


REFUSED = {
    "laughs.docx": "document type declaration",
    "xxe.docx": "document type declaration",
    "bomb.docx": "unpacks to 25 MB",
    "picture-bomb.docx": "unpacks to 25 MB",
    "liar.docx": "damaged",
    "entries.docx": "files inside and the limit is 10,000",
    "deep.docx": "XML is damaged",
    "many.docx": "200,000 paragraphs",
    "sheet.docx": "without a Word document",
    "cut.docx": "damaged",
    "bomb.pdf": "damaged",
    "loop.pdf": "damaged",
    "array.pdf": "damaged",
    "header.pdf": "damaged",
    "cut.pdf": "damaged",
    "deep.json": "nested deeper",
    "line.txt": "5,000,000 characters",
}
READ = {
    "slip.docx": "fine",
    "remote.docx": "fine",
    "twice.docx": "second",
    "odd.json": "a: NaN; b: xy",
    "remote.html": "fine",
    "tags.md": "Hello",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(ends: Ends, name: str) -> None:
    reason = ends[name]
    assert isinstance(reason, str)
    assert REFUSED[name] in reason


@pytest.mark.parametrize("name", READ)
def test_read_without_the_harm(ends: Ends, name: str) -> None:
    document = ends[name]
    assert isinstance(document, ReadDocument)
    assert [block.text for block in document.blocks] == [READ[name]]


def test_no_file_crashes_its_reader(ends: Ends, hostile: dict[str, bytes]) -> None:
    assert ends.keys() == hostile.keys()
    assert [name for name, end in ends.items() if isinstance(end, str) and "reader" in end] == []


def test_nothing_leaves_the_package_or_the_machine(ends: Ends) -> None:
    read = [block.text for end in ends.values() if isinstance(end, ReadDocument) for block in end.blocks]
    assert not any("topsecret" in text or "root:" in text for text in read)
    assert not Path("/tmp/slipped").exists()
