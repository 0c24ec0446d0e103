"""Builders of documents, sound and hostile, from nothing but bytes."""

import io
import zipfile
from collections.abc import Callable, Mapping

import pytest

TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def relations(**targets: str) -> str:
    """Write the relationships part that points at each target by its kind."""
    lines = "".join(f'<Relationship Id="{kind}" Type="{OFFICE}/{kind}" Target="{to}"/>' for kind, to in targets.items())
    return f'<Relationships xmlns="{RELATIONSHIPS}">{lines}</Relationships>'


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Pack PARTS into a zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


def docx(body: str, *, prologue: str = "", parts: Mapping[str, str | bytes] | None = None) -> bytes:
    """Build a Word document around the XML of its body; PARTS named styles.xml and the like are related to it."""
    given = dict(parts or {})
    kinds = {name.removesuffix(".xml"): name for name in given if "/" not in name}
    document = (
        f'{prologue}<w:document xmlns:w="{W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<w:body>{body}</w:body></w:document>"
    )
    return zipped(
        {
            "[Content_Types].xml": TYPES,
            "_rels/.rels": relations(officeDocument="word/document.xml"),
            "word/document.xml": document,
            "word/_rels/document.xml.rels": relations(**kinds),
            **{name if "/" in name else f"word/{name}": content for name, content in given.items()},
        }
    )


def pdf(*objects: bytes, header: bytes = b"%PDF-1.7\n") -> bytes:
    """Build a PDF of numbered objects, the first of which is the catalogue."""
    out = header
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return b"%sxref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        out,
        size,
        table,
        size,
        len(out),
    )


def one_page(content: bytes, extra: bytes = b"") -> bytes:
    """Build a PDF of one page with the given content stream."""
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 5 0 R/Resources<</Font<</F1 4 0 R>>>>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<<%s/Length %d>>stream\n%s\nendstream" % (extra, len(content), content),
    )


@pytest.fixture(scope="session")
def make_docx() -> Callable[..., bytes]:
    return docx


@pytest.fixture(scope="session")
def make_zip() -> Callable[[Mapping[str, str | bytes]], bytes]:
    return zipped


@pytest.fixture(scope="session")
def make_pdf() -> Callable[..., bytes]:
    return pdf


@pytest.fixture(scope="session")
def make_page() -> Callable[..., bytes]:
    return one_page
