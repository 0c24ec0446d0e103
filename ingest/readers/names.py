"""Find a title for a document that may not have a good one."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from core.documents import Block, BlockKind

_LONGEST_TITLE_CHARS = 200
_FROM_PROGRAM = re.compile(r"^microsoft (?:word|powerpoint|excel) - ", re.IGNORECASE)
_FILE_ENDING = re.compile(
    r"\.(?:docx?|docm|dotx?|pptx?|xlsx?|pdf|indd|tex|dvi|ps|rtf|odt|html?|md|txt|qxd|cdr|p65|fm)$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"(?:untitled|unnamed|no title|title|document|doc|word document|powerpoint presentation|presentation|slide|"
    r"new document|normal|default|template|layout|home|index|scan|print|test|output|none|null)[ _-]*\d*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_SEPARATORS = re.compile(r"[\s_]+|(?<=\w)-(?=\w)|(?<=[^\W\d_])\.(?=[^\W\d_])")
_OPAQUE = re.compile(r"[0-9a-f]{12,}|(?:scan|img|image|file|page|download|export|tmp)[ _-]*\d*", re.IGNORECASE)


def sensible_title(text: str | None) -> str:
    """Return TEXT as one line where it can be a document's title, else the empty string."""
    line = _FROM_PROGRAM.sub("", " ".join((text or "").replace("\0", "").split()))
    if len(line) > _LONGEST_TITLE_CHARS or _PLACEHOLDER.fullmatch(line) or _FILE_ENDING.search(line):
        return ""
    return line if _WORD.search(line) else ""


def title_from_name(name: str) -> str:
    """Make words of a file's name: Benefit_Options.pdf becomes Benefit Options."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    words = " ".join(_SEPARATORS.sub(" ", stem).split()) or name
    return (
        words[:_LONGEST_TITLE_CHARS]
        if not words[0].islower()
        else (words[0].upper() + words[1:])[:_LONGEST_TITLE_CHARS]
    )


def best_title(stated: str, name: str, blocks: Sequence[Block]) -> str:
    """Choose the STATED title, a file name a person chose, the first heading, or what there is."""
    if stated:
        return stated
    heading = next((block.text for block in blocks[:10] if block.kind is BlockKind.HEADING), "")
    return title_from_name(name) if _is_telling(name) else sensible_title(heading) or title_from_name(name)


def _is_telling(name: str) -> bool:
    stem = PurePosixPath(name.replace("\\", "/")).stem
    plain = _SEPARATORS.sub(" ", stem)
    return not _OPAQUE.fullmatch(stem) and not _PLACEHOLDER.fullmatch(plain) and _WORD.search(plain) is not None
