"""Decode bytes whose character set is not stated, or stated wrongly."""

import codecs

from ingest.formats import looks_like_utf16

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes, stated: str | None = None) -> str:
    """Decode DATA by its byte order mark, the STATED character set, UTF-8, or else Windows-1252; never fails."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if encoding := looks_like_utf16(data) or "":
        return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if stated and _is_single_byte_or_cjk(stated):
        return data.decode(stated, "replace")
    return _utf8_with_flaws(data) or data.decode("cp1252", "replace")


def _is_single_byte_or_cjk(stated: str) -> bool:
    """Say whether STATED names a codec of text that is worth trying once UTF-8 did not fit."""
    try:
        info = codecs.lookup(stated)
        return isinstance(b"a".decode(info.name), str) and not info.name.startswith("utf")
    except (LookupError, UnicodeError):
        return False


def _utf8_with_flaws(data: bytes) -> str | None:
    """Decode mostly sound UTF-8; None where it is more likely another character set."""
    text = data.decode("utf-8", "replace")
    flaws = text.count("\ufffd")
    sound = sum(1 for character in text if character > "\x7f") - flaws
    return text if sound > 10 * flaws else None
