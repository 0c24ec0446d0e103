"""Make text from documents fit to store, search and show."""

import re
import unicodedata

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_BULLETS = dict.fromkeys((0xF0B7, 0xF0A7, 0xF076, 0xF0D8), "•")  # how symbol fonts of word processors draw a bullet
_REPLACED = {**_LIGATURES, **_BULLETS}
_REPLACED_PATTERN = re.compile(f"[{''.join(map(chr, _REPLACED))}]")

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
# What nobody sees: C1 controls, soft hyphen, invisible letters and marks, bidi controls, word joiners and byte order
# marks, variation selectors, surrogates, noncharacters, and the tag characters that smuggle instructions.
_INVISIBLE = re.compile(
    "[\x80-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]")
# Persian, Indic and some other scripts spell with joiners, and emoji are built with them.
_JOINERS = re.compile(
    "(?P<before>[\u0600-\u109f\u1780-\u18af\u1a20-\u1bff\ua840-\ua8ff\U0001f000-\U0001faff\u2600-\u27bf])?[\u200c\u200d]+"
)

_BLANKS = re.compile(r"[ \t]+")
_AROUND_LINE_END = re.compile(r" ?\n ?")
_EMPTY_LINES = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """Return TEXT in NFC, without invisible characters and without superfluous white space; line ends stay.

    Cleaning twice changes nothing more.
    """
    text = _BLANKS.sub(" ", clean_code(text))
    text = _AROUND_LINE_END.sub("\n", text)
    return _EMPTY_LINES.sub("\n\n", text).strip()


def clean_code(text: str) -> str:
    """Clean TEXT but keep its spaces and tabs: they carry meaning in code."""
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    if text.isascii():
        return text.strip("\n")
    text = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    text = _REPLACED_PATTERN.sub(lambda found: _REPLACED[ord(found[0])], text)
    text = _JOINERS.sub(_keep_one_joiner, unicodedata.normalize("NFC", text))
    return unicodedata.normalize("NFC", text).strip("\n")


def _keep_one_joiner(found: re.Match[str]) -> str:
    before = found["before"]
    return before + found[0][1] if before else ""
