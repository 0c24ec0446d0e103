"""Decide whether a file is of an accepted format, by its name or media type and a light look at its first bytes."""

import codecs
from enum import StrEnum
from pathlib import PurePosixPath

from core.errors import UnreadableDocument


class Format(StrEnum):
    """A format there is a reader for."""

    PDF = "pdf"
    DOCX = "docx"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


ACCEPTED = "PDF, DOCX, HTML, Markdown, TXT, JSON and CSV"

_BY_EXTENSION = {
    ".pdf": Format.PDF,
    ".docx": Format.DOCX,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xhtml": Format.HTML,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
}

# text/plain and application/octet-stream are missing on purpose: servers send them for anything.
_BY_MEDIA_TYPE = {
    "application/pdf": Format.PDF,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Format.DOCX,
    "text/html": Format.HTML,
    "application/xhtml+xml": Format.HTML,
    "text/markdown": Format.MARKDOWN,
    "application/json": Format.JSON,
    "application/jsonl": Format.JSON,
    "application/x-ndjson": Format.JSON,
    "text/csv": Format.CSV,
    "text/tab-separated-values": Format.CSV,
}

_AS_DOCX = "save it as .docx"
_AS_CSV = "save each sheet as .csv"
_AS_PDF = "save it as .pdf"
_WITH_OCR = "a picture holds no text; run text recognition (OCR) on it and save a .pdf"
_UNPACK = "unpack it and add the files inside"
_ADVICE = {
    **dict.fromkeys((".doc", ".docm", ".dot", ".dotx", ".dotm", ".rtf", ".odt", ".pages", ".wpd"), _AS_DOCX),
    **dict.fromkeys((".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers"), _AS_CSV),
    **dict.fromkeys((".ppt", ".pptx", ".pptm", ".odp", ".key", ".epub", ".xps", ".ps"), _AS_PDF),
    **dict.fromkeys((".eml", ".msg", ".mht", ".mhtml"), "save the message as .txt or .pdf"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".heic"), _WITH_OCR),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"), _UNPACK),
    **dict.fromkeys((".xml", ".yaml", ".yml", ".log", ".rst", ".adoc", ".tex", ".ini"), "save it as .txt"),
}

_EXTENSION_OF = {
    Format.PDF: ".pdf",
    Format.DOCX: ".docx",
    Format.HTML: ".html",
    Format.MARKDOWN: ".md",
    Format.TEXT: ".txt",
    Format.JSON: ".json",
    Format.CSV: ".csv",
}

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_UTF16_OR_32_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*")


def detect(name: str, head: bytes, media_type: str | None = None) -> Format:
    """Tell the format of a file from its NAME, its first bytes (1,024 or more) and, for a URL, its media type.

    Raises UnreadableDocument with a sentence that says what to do.
    """
    extension = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    expected = _expected(extension, head, media_type)
    if not head:
        raise UnreadableDocument("it is empty")
    if expected is Format.PDF:
        _check_pdf(head)
    elif expected is Format.DOCX:
        _check_docx(head)
    else:
        _check_text(expected, head)
    return expected


def _expected(extension: str, head: bytes, media_type: str | None) -> Format:
    """Tell the format from media type and extension; where both are silent, from unmistakable content."""
    bare_type = (media_type or "").partition(";")[0].strip().lower()
    if expected := _BY_MEDIA_TYPE.get(bare_type) or _BY_EXTENSION.get(extension):
        return expected
    if advice := _ADVICE.get(extension):
        raise UnreadableDocument(f"{extension} files are not read; {advice}")
    if bare_type == "text/plain":
        return Format.TEXT
    looks_like = _recognise(head)
    if looks_like and not extension:
        return looks_like
    if looks_like:
        raise UnreadableDocument(
            f"it looks like {_article(looks_like)}; rename it to end in {_EXTENSION_OF[looks_like]}"
        )
    kind = f"{extension} files are" if extension else "a file without an ending such as .pdf is"
    raise UnreadableDocument(f"{kind} not read; accepted are {ACCEPTED}")


def _recognise(head: bytes) -> Format | None:
    """Name the format of content that cannot be mistaken."""
    if b"%PDF-" in head[:1024]:
        return Format.PDF
    if head.startswith(_ZIP) and b"word/" in head:
        return Format.DOCX
    start = head[:256].lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return Format.HTML
    return None


def _article(looks_like: Format) -> str:
    return {Format.PDF: "a PDF", Format.DOCX: "a Word document"}.get(looks_like, "a web page")


def _check_pdf(head: bytes) -> None:
    if b"%PDF" not in head[:1024]:
        raise UnreadableDocument(f"it is named .pdf but {_nature(head)}; {_remedy(head)}")


def _check_docx(head: bytes) -> None:
    if head.startswith(_OLE):
        raise UnreadableDocument(
            "it is an old Word file or protected by a password; save it as .docx without a password"
        )
    if not head.startswith(_ZIP):
        raise UnreadableDocument(f"it is named .docx but {_nature(head)}; {_remedy(head)}")


def _check_text(expected: Format, head: bytes) -> None:
    if head.startswith(_UTF16_OR_32_BOMS) or looks_like_utf16(head):
        return
    recognised = _recognise(head)
    named = _EXTENSION_OF[expected]
    if recognised in {Format.PDF, Format.DOCX} or head.startswith((*_ZIP, _OLE, *_PICTURES)):
        raise UnreadableDocument(f"it is named {named} but {_nature(head)}; {_remedy(head)}")
    if b"\0" in head:
        raise UnreadableDocument(f"it is named {named} but holds binary data; {_remedy(head)}")


def _nature(head: bytes) -> str:
    recognised = _recognise(head)
    if recognised:
        return f"looks like {_article(recognised)}"
    if head.startswith(_OLE):
        return "looks like an old Office file"
    if head.startswith(_ZIP):
        return "looks like a zip archive"
    if head.startswith(_PICTURES):
        return "looks like a picture"
    return "does not begin like one"


def _remedy(head: bytes) -> str:
    recognised = _recognise(head)
    if recognised:
        return f"rename it to end in {_EXTENSION_OF[recognised]}"
    if head.startswith(_OLE):
        return _AS_DOCX
    if head.startswith(_ZIP):
        return _UNPACK
    if head.startswith(_PICTURES):
        return _WITH_OCR
    return f"accepted are {ACCEPTED}"


def looks_like_utf16(data: bytes) -> str | None:
    """Name the byte order of UTF-16 without a mark: every other byte of mostly Latin text is zero."""
    sample = data[:1024]
    pairs = len(sample) // 2
    if pairs < 2:
        return None
    high_little, high_big = sample[1::2].count(0), sample[0::2].count(0)
    if high_little > 0.7 * pairs and high_big < 0.05 * pairs:
        return "utf-16-le"
    if high_big > 0.7 * pairs and high_little < 0.05 * pairs:
        return "utf-16-be"
    return None
