"""Turn text into the terms lexical search counts; documents and questions take the same way.

The language is voted for by stop words, chunk by chunk and question by question, so that one knowledge base may
hold several. Only what the vote can tell apart is stemmed; everything else is lower-cased and folded.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

import Stemmer

from core.stopwords import STOP_WORDS

# Marks that are part of a word but not alphanumeric to Python: vowel signs of the Indic and South-East Asian scripts.
_LETTER = r"(?:[^\W_]|[\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)

_ACCENT = re.compile("[\u0300-\u036f]")
_CLITIC = re.compile(r"n't\b|'(?:s|d|m|ll|re|ve)\b|\b(?:[ldjmtsnc]|qu|jusqu|lorsqu|puisqu)'(?=\w)")
_ACRONYM = re.compile(r"\b(?:[a-z]\.){2,}")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_COMPOUND = re.compile(rf"{_LETTER}+(?:[-‐‑./&('+]{_LETTER}+)*+(?:\+\+|#)?")
_PART = re.compile(rf"\d+(?:\.\d+)+|{_LETTER}+(?:\+\+|#)?")
_LETTERS_OR_DIGITS = re.compile(r"\d+(?:\.\d+)*|\D+")
_RUN = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_GLUED_PREFIX = ("e", "co")  # e-mail and email, co-pay and copay are the same word
_LONGEST_IDENTIFIER = 12
_LONGEST_TERM = 64  # what is longer is no word anyone types

_STEMMERS = {
    language: Stemmer.Stemmer(name, 0)  # no cache of its own: without one a call is atomic under the GIL
    for language, name in {"en": "english", "de": "german", "fr": "french", "es": "spanish"}.items()
}


def terms(text: str, language: str | None = None) -> list[str]:
    """List the terms of a text in order: folded, without stop words, stemmed.

    LANGUAGE is en, de, fr or es; None lets the stop words vote. Any other language is not stemmed. Scripts without
    spaces between words give character bigrams. An identifier gives its whole and its parts: "VPN-2" gives vpn, 2
    and vpn2.
    """
    words = _COMPOUND.findall(_fold(text))
    chosen = language or _vote(words)
    return [term for word in words for term in _terms_of(word, chosen)]


def count(text: str) -> Counter[str]:
    """Count the terms of a text."""
    return Counter(terms(text))


def _fold(text: str) -> str:
    folded = text.lower().replace("’", "'")
    if not folded.isascii():
        bare = _ACCENT.sub("", unicodedata.normalize("NFKD", folded))
        folded = unicodedata.normalize("NFKC", bare).lower()
    folded = _ACRONYM.sub(lambda found: found[0].replace(".", ""), _CLITIC.sub("", folded))
    return _THOUSANDS.sub("", folded)


def _vote(words: list[str]) -> str:
    """Choose the language with the most stop words; English where none leads."""
    votes = {language: sum(map(stops.__contains__, words)) for language, stops in STOP_WORDS.items()}
    return max(votes, key=lambda language: votes[language])


@lru_cache(maxsize=2**15)
def _terms_of(word: str, language: str) -> tuple[str, ...]:
    """List the terms of one word, compound or identifier."""
    stops = STOP_WORDS.get(language, frozenset())
    return tuple(
        _stem(term, language) for part in _parts(word) for term in _bigrams(part[:_LONGEST_TERM]) if term not in stops
    )


def _parts(word: str) -> list[str]:
    parts = _PART.findall(word)
    whole = "".join(parts)
    if len(parts) == 2 and parts[0] in _GLUED_PREFIX:
        return [whole]
    if whole.isalpha() or whole.isdecimal() or not any(map(str.isdecimal, whole)):
        return parts
    small = [piece for part in parts for piece in _LETTERS_OR_DIGITS.findall(part)]
    if len(whole) <= _LONGEST_IDENTIFIER and whole not in small:
        return [*small, whole]
    return [*small, *(part for part in parts if part not in small)]


def _bigrams(part: str) -> list[str]:
    if part.isascii() or not _RUN.search(part):
        return [part]
    found: list[str] = []
    for run in _RUN.findall(part):
        if re.match(f"[{_UNSPACED}]", run) and len(run) > 1:
            found += [run[start : start + 2] for start in range(len(run) - 1)]
        else:
            found.append(run)
    return found


def _stem(term: str, language: str) -> str:
    stemmer = _STEMMERS.get(language)
    return str(stemmer.stemWord(term)) if stemmer else term
