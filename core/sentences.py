"""Cut text into sentences: for packing passages and for quoting."""

import re

_ENDS = frozenset(".!?…。！？｡।؟۔։።။។")
_CLOSERS = "\"'”’»)]}」』】）*_"
_GLUED_STOP = re.compile(r"(?<![。！？｡])[。！？｡]++[」』】）”’]*+(?=\S)")
_BULLET = re.compile(r"(?:[-*+•●◦▪‣·–—o]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)])\s")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st sr jr rev gen sgt capt lt sen gov hon vs cf al eg ie e.g i.e approx dept est inc ltd co corp "
    "bros fig figs eq ch vol pp p eds ext tel ca resp incl excl jan feb mar apr jun jul aug sep sept oct nov dec "
    "z.b d.h u.a bzw ggf usw evtl nr fr str zzgl inkl mme mlle sra srta ud uds núm pág c.-à-d p.ex".split()
)
_BEFORE_NUMBER = frozenset("no nos nr art sec fig p pp ch vol para ver v".split())
_OPENERS = frozenset(
    "the this that these those it in on at if we you they he she i a an for to when as our your".split()
)
_NARROWEST_WRAP = 40
_LONGEST_HEADING_WORDS = 10


def sentences(text: str) -> list[str]:
    """Cut text into sentences and stand-alone lines, in order, with runs of white space made one space.

    Line breaks inside a paragraph are taken for wrapping; bullets, table rows, blank lines and short
    unfinished lines (headings) stand alone. No character but white space is lost.
    """
    return [sentence for paragraph in paragraphs(text) for sentence in paragraph]


def paragraphs(text: str) -> list[list[str]]:
    """Cut text as sentences() does, and keep together what stands on one line once wrapping is undone."""
    return [_cut(line) for line in _unwrap(text)]


def ends_sentence(text: str) -> bool:
    """Say whether the text ends with a full stop of any script, closing quotes and brackets aside."""
    bare = text.rstrip(_CLOSERS + " ")
    return bool(bare) and bare[-1] in _ENDS


def starts_item(line: str) -> bool:
    """Say whether the line begins with a bullet or a list number."""
    return _BULLET.match(line) is not None


def is_heading_line(text: str) -> bool:
    """Say whether a stand-alone line looks like a heading: short, unfinished, no item and no table row."""
    if ends_sentence(text) or starts_item(text) or "|" in text or "; " in text:
        return False
    return len(text.split()) <= _LONGEST_HEADING_WORDS and not text[:1].islower()


def _unwrap(text: str) -> list[str]:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    width = max(_NARROWEST_WRAP, *map(len, lines)) if lines else 0
    paragraphs: list[list[str]] = []
    before = ""
    for line in lines:
        if line and before and not _stands_apart(before, line, width):
            cut_word = before[-1] == "-" and before[-2:-1].isalpha() and line[0].islower()
            paragraphs[-1].append(f"{paragraphs[-1].pop()}{line}" if cut_word else line)
        elif line:
            paragraphs.append([line])
        before = line
    return [" ".join(paragraph) for paragraph in paragraphs]


def _stands_apart(before: str, line: str, width: int) -> bool:
    if starts_item(line) or "|" in (line[0], before[0]):
        return True
    if line[0].islower() or before[-1] in ",;-–—/&(":
        return False
    return len(before) < (0.75 if ends_sentence(before) else 0.6) * width


def _cut(line: str) -> list[str]:
    if line.startswith("|"):
        return [line]
    words = _GLUED_STOP.sub(r"\g<0> ", line).split()
    found: list[str] = []
    start = 0
    for end in range(1, len(words)):
        if words[end - 1][-1] in _CLOSERS or words[end - 1][-1] in _ENDS:
            lone_number = end == start + 1 and starts_item(f"{words[start]} ")
            if not lone_number and _is_end(words[end - 1], words[end]):
                found.append(" ".join(words[start:end]))
                start = end
    return [*found, " ".join(words[start:])] if words else []


def _is_end(word: str, following: str) -> bool:
    bare = word.rstrip(_CLOSERS)
    first = following.lstrip("\"'“‘«([{¿¡*_")[:1]
    if not bare or bare[-1] not in _ENDS or first.islower():
        return False
    return bare[-1] != "." or not _is_abbreviation(bare, following, first)


def _is_abbreviation(word: str, following: str, first: str) -> bool:
    stem = word.rstrip(".").lstrip("\"'“‘«([{*_")
    lowered = stem.lower()
    if _INITIALS.fullmatch(f"{stem}."):
        return len(stem) == 1 or following.lower().rstrip(",") not in _OPENERS
    return lowered in _ABBREVIATIONS or (lowered in _BEFORE_NUMBER and first.isdigit())
