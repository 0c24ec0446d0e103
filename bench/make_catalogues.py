"""Compile core/catalogues/*/LC_MESSAGES/frontdesk.po beside themselves: `python -m bench.make_catalogues`.

The compiled files are in the repository, so that neither a checkout nor the wheel needs a build step.
"""

import ast
import re
import struct
from pathlib import Path

CATALOGUES = Path(__file__).parents[1] / "core" / "catalogues"

_LINE = re.compile(r'(?:(msgid|msgid_plural|msgstr(?:\[\d\])?)\s+)?(".*")')
_MAGIC = 0x950412DE
_HEADER_BYTES = 28

Entry = dict[str, str]
"""The strings of one entry by their keyword: msgid, msgid_plural, msgstr or msgstr[0], msgstr[1]."""


def read_po(text: str) -> list[Entry]:
    """Read the entries of a .po file; comments are dropped, and anything else raises ValueError."""
    entries: list[Entry] = []
    keyword = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not (match[1] or keyword):
            raise ValueError(f"Line {number} is no line of a .po file: {line}")
        if match[1] == "msgid":
            entries.append({})
        keyword = match[1] or keyword
        entries[-1][keyword] = entries[-1].get(keyword, "") + ast.literal_eval(match[2])
    return entries


def compile_mo(entries: list[Entry]) -> bytes:
    """Write ENTRIES as a .mo file (gettext manual, "The Format of GNU MO Files"), sorted, without a hash table."""
    pairs = sorted(_pair(entry) for entry in entries)
    originals, translations = zip(*pairs, strict=True)
    texts_at = _HEADER_BYTES + 16 * len(pairs)
    table = []
    for text in (*originals, *translations):
        table += [len(text), texts_at]
        texts_at += len(text) + 1
    start = _HEADER_BYTES
    header = struct.pack("<7I", _MAGIC, 0, len(pairs), start, start + 8 * len(pairs), 0, start + 16 * len(pairs))
    texts = b"".join(text + b"\0" for text in (*originals, *translations))
    return header + struct.pack(f"<{len(table)}I", *table) + texts


def _pair(entry: Entry) -> tuple[bytes, bytes]:
    if "msgid_plural" not in entry:
        return entry["msgid"].encode(), entry["msgstr"].encode()
    forms = [entry[keyword] for keyword in sorted(entry) if keyword.startswith("msgstr[")]
    return f"{entry['msgid']}\0{entry['msgid_plural']}".encode(), "\0".join(forms).encode()


def main() -> None:
    """Compile every catalogue."""
    for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/*.po")):
        path.with_suffix(".mo").write_bytes(compile_mo(read_po(path.read_text("utf-8"))))


if __name__ == "__main__":
    main()
