"""Check whether a passage bears a statement out, by its numbers, names and words.

This finds sources that have nothing to do with a sentence and numbers that are not in them. It does not understand
the sentence: a denial of what the passage says passes.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from core.documents import Passage
from core.language import detect
from core.sentences import starts_item
from core.terms import terms

_NUMBER = re.compile(
    r"(?P<grouped>\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3})+)(?P<cents>[.,]\d{1,2})?(?![.,]?\d)"
    r"|(?<![.,\d])\d+[.,]\d+(?![.,]?\d)|\d+"
)
_ITEM_NUMBER = re.compile(r"^\W*\d{1,3}[.)]\s")
_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"\b(?=\w*[A-Z]\w*[A-Z0-9]|\w*\d\w*[A-Z])[\w-]{2,}\b")

_NUMBER_WORDS = {
    word: str(value)
    for value, words in {
        1: "one once first ein eine einen einem einer einmal un une premier uno una primero",
        2: "two twice second zwei zweimal deux dos both half beide hälfte moitié mitad",
        3: "three third drei trois tres", 4: "four fourth quarter vier viertel quatre quart cuatro cuarto",
        5: "five fifth fünf cinq cinco", 6: "six sechs seis", 7: "seven sieben sept siete",
        8: "eight acht huit ocho", 9: "nine neun neuf nueve", 10: "ten zehn dix diez",
        11: "eleven elf onze once", 12: "twelve dozen zwölf dutzend douze douzaine doce docena",
        13: "thirteen dreizehn treize trece", 14: "fourteen fortnight vierzehn quatorze catorce",
        15: "fifteen fünfzehn quinze quince", 16: "sixteen sechzehn seize dieciséis",
        18: "eighteen achtzehn dieciocho", 20: "twenty zwanzig vingt veinte",
        24: "vierundzwanzig", 25: "fünfundzwanzig veinticinco", 30: "thirty dreißig dreissig trente treinta",
        40: "forty vierzig quarante cuarenta", 45: "fünfundvierzig", 50: "fifty fünfzig cinquante cincuenta",
        60: "sixty sechzig soixante sesenta", 70: "seventy siebzig setenta", 80: "eighty achtzig ochenta",
        90: "ninety neunzig noventa", 100: "hundred hundert cent cien", 1000: "thousand tausend mille mil",
    }.items()
    for word in words.split()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of a statement must stand in its passage."""

    share: float = 0.5  # of the statement's terms, where both are written in one language
    names_share: float = 0.5  # of its names, where they are not


BAR = Bar()


def supports(statement: str, passage: Passage, bar: Bar = BAR) -> bool:
    """Say whether PASSAGE bears out STATEMENT, which has no marks.

    All its numbers must stand there. Where statement and passage share a language, so must enough of its terms;
    where they do not, enough of its names, which translation leaves alone: acronyms and identifiers.
    """
    held = _text(passage)
    return numbers(statement) <= known_numbers(held) and shares_words(statement, passage, bar)


def supporting(statement: str, passages: Sequence[Passage], bar: Bar = BAR) -> list[bool]:
    """Say for each of PASSAGES, cited together, whether it bears out STATEMENT; its numbers may be spread over them."""
    sharing = [shares_words(statement, passage, bar) for passage in passages]
    asked = numbers(statement)
    together: set[str] = set()
    for passage, shares in zip(passages, sharing, strict=True):
        together |= known_numbers(_text(passage)) if shares else set()
    return [shares and asked <= together for shares in sharing]


def shares_words(statement: str, passage: Passage, bar: Bar = BAR) -> bool:
    """Say whether enough of the terms of STATEMENT, or of its names in another language, stand in PASSAGE."""
    held = _text(passage)
    spoken, written = detect(statement, default=""), detect(passage.text, default="")
    if _is_latin(statement) == _is_latin(passage.text) and (spoken == written or not spoken or not written):
        language = spoken or written or None
        asked = {term for term in terms(statement, language) if not term[0].isdecimal()}
        return _share(asked, set(terms(held, language))) >= bar.share
    names = {name.casefold() for name in _NAME.findall(statement)}
    return _share(names, {word.casefold() for word in re.findall(r"[\w-]+", held)}) >= bar.names_share


def numbers(text: str) -> set[str]:
    """Collect the numbers written in digits, in one form: 1,000 and 1.000 and 1 000 are the same, 09 is 9."""
    bare = _ITEM_NUMBER.sub("", text) if starts_item(text.lstrip()) else text
    return {_plain(match) for match in _NUMBER.finditer(bare)} - {""}


def known_numbers(text: str) -> set[str]:
    """Collect the numbers of a passage, those written as words included."""
    found = numbers(text) | {_western(digits).lstrip("0") for digits in re.findall(r"\d+", text)}
    return found | {_NUMBER_WORDS[word] for word in _WORD.findall(text.lower()) if word in _NUMBER_WORDS}


def _plain(match: re.Match[str]) -> str:
    """Write a number without separators of thousands and without zeros that do not count; zero itself is empty."""
    written = re.sub(r"\D", "", match["grouped"]) + (match["cents"] or "") if match["grouped"] else match[0]
    whole, _, decimals = unicodedata.normalize("NFKC", written).replace(",", ".").partition(".")
    whole, decimals = _western(whole).lstrip("0"), _western(decimals).rstrip("0")
    return f"{whole or '0'}.{decimals}" if decimals else whole


def _western(digits: str) -> str:
    return "".join(str(int(digit)) for digit in digits)


def _share(asked: set[str], held: set[str]) -> float:
    return len(asked & held) / len(asked) if asked else 1.0


def _text(passage: Passage) -> str:
    return "\n".join((passage.title, *passage.heading_path, passage.text))


def _is_latin(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in letters)
    return 2 * latin >= len(letters)
