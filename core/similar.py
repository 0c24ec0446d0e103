"""Tell whether the answer to one question may be served for another: the rule of the semantic cache.

Cosine only proposes: it gives "from savings to checking" and "from checking to savings" .99. Two questions are the
same when, apart from politeness around them and words that carry nothing, they ask the same kind of thing in the same
words in the same order, word forms aside. So no rare word is added, dropped or swapped, and the IDF-weighted
difference of two questions that are the same is nought. What is near, and not the same, is for a model's yes or no.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from core.question_words import (
    AUXILIARIES,
    CONDITION_END,
    FILLERS,
    FREE_MODALS,
    IRREGULAR,
    LIGHT,
    MODALS,
    NEGATIONS,
    NUMBERS,
    OPPOSITES,
    POLITE_END,
    POLITE_START,
    SHORT_FORMS,
    SUBJECTS,
    UNINFLECTED,
    WH,
)
from core.terms import count

MIN_COSINE = 0.75  # a wrapped short question is .8 from itself; the words decide
CLOSE_COSINE = 0.85
MAX_DOUBT = 0.6  # the share of the IDF mass two questions may differ in and still be worth a verifier's time
LONGEST = 1_000  # characters; what is longer is only ever the same as itself

_CLITIC = re.compile(r"['’](s|d|m|ll|re|ve)\b", re.IGNORECASE)
_CLITICS = {"d": " would", "ll": " will", "ve": " have"}
_TOKEN = re.compile(r"(?:(?<![\w)])[-−](?=\d))?[^\W_]+(?:[.'’][^\W_]+|,\d{3}(?!\d))*(?:\+\+|#)?|[^\w\s]")
_EMAIL = re.compile(r"\be-mail", re.IGNORECASE)
_UNMEANING = frozenset("~|^`\ufe0f")
_MEANING = frozenset("%&#@§")
_KEPT_SYMBOLS = ("Sc", "Sm", "Mn", "Mc")  # money, mathematics, and the vowel signs of scripts that have them
_PLURAL = re.compile(r"(?<=ss)es$|(?<=[xz])es$|(?<=[cs]h)es$|(?<=[^su])s$")
_PARTICIPLE = re.compile(r"(.*[aeiouy].*?)(?:(?<!e)ed|ing)")
_EED = re.compile(r".*[aeiouy].*eed")  # of "agree", not of "need"
_DOUBLED = re.compile(r"(?<=..)([^aeioulsz])\1$")
_SHORT = re.compile(r"[^aeiou][aeiouy][^aeiouwxy]$")
_MEASURE = re.compile(r"[aeiouy]+[^aeiouy]+")


class Verdict(StrEnum):
    """What the rule says of two questions."""

    SAME = "same"  # one answer serves both
    CLOSE = "close"  # worth a verifier's time
    DIFFERENT = "different"


class Verifier(Protocol):
    """Judge what the rule cannot."""

    async def same(self, asked: str, cached: str) -> bool:
        """Tell whether one answer serves both questions; raises ModelUnavailable."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A question taken apart for comparison; words are in their base forms."""

    kind: str  # the question word, "yes or no", or "what" where there is neither
    words: tuple[str, ...]  # in order, without light words and modals
    modals: frozenset[str]
    numbers: tuple[str, ...]  # sorted
    negations: int
    sides: frozenset[tuple[int, int]]  # which members of which pairs of opposites are there
    capitals: frozenset[str]  # what was written like a name


def compare(
    asked: str,
    cached: str,
    cosine: float,
    *,
    names: Collection[str] = (),
    idf: Callable[[str], float] = lambda _: 1.0,
) -> Verdict:
    """Judge whether the answer to CACHED answers ASKED too; which is which does not matter.

    NAMES are what the knowledge bases call things (products, plans, teams), in any case; without them, whatever
    either question writes like a name is one. IDF weighs a term of core.terms, also one it has never seen; it decides
    only what is worth a verifier's time.
    """
    if normalise(asked) == normalise(cached):
        return Verdict.SAME
    if cosine < MIN_COSINE or max(len(asked), len(cached)) > LONGEST:
        return Verdict.DIFFERENT
    one, other = take_apart(asked), take_apart(cached)
    if not one.words or not other.words:
        return Verdict.DIFFERENT
    if (one.kind, one.words, one.modals) == (other.kind, other.words, other.modals):
        return Verdict.SAME
    if _contradict(one, other) or _names(one, other, names) != _names(other, one, names):
        return Verdict.DIFFERENT
    near = cosine >= CLOSE_COSINE and _difference(asked, cached, idf) <= MAX_DOUBT
    return Verdict.CLOSE if near else Verdict.DIFFERENT


def normalise(question: str) -> str:
    """Fold width, case and white space, and drop closing punctuation: what the exact cache takes for equal."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", question).casefold())
    spaced = " ".join(folded.split())
    return spaced.rstrip(" ?!.,;:。؟") or spaced


@lru_cache(maxsize=4096)
def take_apart(question: str) -> Wording:
    """Take a question apart; politeness around it, light words and case leave no trace."""
    surfaces, condition = _unwrap(_tokens(question))
    tokens = [surface.casefold() for surface in surfaces]
    kind = "yes or no" if condition else _kind(tokens)
    body = _drop_subject(tokens) if kind == "how" else tokens
    modals = frozenset(MODALS[token] for token in body if token in MODALS)
    words = tuple(base(token) for token in body if token not in MODALS and token not in LIGHT)
    words = words[1:] if words and tokens[0] in WH else words
    return Wording(
        kind=kind,
        words=words,
        modals=modals - FREE_MODALS if kind == "how" else modals,
        numbers=tuple(sorted(word for word in words if any(map(str.isdecimal, word)))),
        negations=sum(token in NEGATIONS for token in tokens),
        sides=frozenset(side for word in words for side in _SIDES.get(word, ())),
        capitals=_capitals(question, surfaces),
    )


@lru_cache(maxsize=2**14)
def base(word: str) -> str:
    """Reduce a lower-case word to what its inflections share: "policies" and "policy", "covered" and "covers".

    A stemmer would go further than is safe here: to Snowball "authority" is "author", and "important" is "import".
    The steps are the first of M. F. Porter, "An algorithm for suffix stripping", 1980.
    """
    word = NUMBERS.get(word) or IRREGULAR.get(word) or word.replace(",", "")
    if not word.isalpha() or word in UNINFLECTED:
        return word
    word = _infinitive(_singular(word))
    if word.endswith("y"):
        return word[:-1] + "i"
    if word.endswith(("e", "ll")) and (_measure(word[:-1]) > 1 or (word[-1] == "e" and _keeps_no_e(word[:-1]))):
        return word[:-1]
    return word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return _PLURAL.sub("", word)


def _infinitive(word: str) -> str:
    if _EED.fullmatch(word):
        return word[:-1]
    found = _PARTICIPLE.fullmatch(word)
    if found is None:
        return word
    stem = _DOUBLED.sub(r"\1", found[1])
    if stem != found[1] or stem.endswith("eed"):
        return _infinitive(stem)
    without_e = len(stem) < 3 or stem.endswith(("at", "bl", "iz")) or (_measure(stem) == 1 and _SHORT.search(stem))
    return stem + "e" if without_e else stem


def _measure(stem: str) -> int:
    return len(_MEASURE.findall(stem))


def _keeps_no_e(stem: str) -> bool:
    """Tell "change", which shares its stem with "changing", from "care", which would become "car"."""
    return len(stem) > 2 and _measure(stem) == 1 and _SHORT.search(stem) is None


def _sides() -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for pair, members in enumerate(OPPOSITES):
        for side, words in enumerate(members):
            for word in words:
                found.setdefault(base(word), []).append((pair, side))
    return found


_SIDES = _sides()


def _tokens(question: str) -> list[str]:
    """List the words as written and the symbols that mean something; short forms are written out."""
    text = _EMAIL.sub("email", unicodedata.normalize("NFKC", question))
    text = _CLITIC.sub(lambda found: _CLITICS.get(found[1].casefold(), ""), text)
    return [word for token in _TOKEN.findall(text) if _means_something(token) for word in _written_out(token)]


def _means_something(token: str) -> bool:
    if len(token) > 1 or token.isalnum():
        return token.casefold() not in FILLERS
    return token in _MEANING or (token not in _UNMEANING and unicodedata.category(token) in _KEPT_SYMBOLS)


def _written_out(token: str) -> tuple[str, ...]:
    token = token.replace("’", "'")
    return SHORT_FORMS.get(token.casefold().replace("'", ""), (token,))


def _unwrap(surfaces: list[str]) -> tuple[list[str], bool]:
    """Drop politeness at both ends; tell whether it led over to an if or whether."""
    text = " ".join(map(str.casefold, surfaces)) + " "
    start = POLITE_START.match(text)
    first = start[0].count(" ") if start else 0
    rest = " " + " ".join(map(str.casefold, surfaces[first:]))
    end = POLITE_END.search(rest)
    last = len(surfaces) - (end[0].count(" ") if end else 0)
    if first >= last:
        return surfaces, False
    return surfaces[first:last], start is not None and CONDITION_END.search(start[0]) is not None


def _kind(tokens: list[str]) -> str:
    first = tokens[0] if tokens else ""
    if first in WH:
        return "what" if first == "which" else first
    return "yes or no" if first in AUXILIARIES or first in MODALS else "what"


def _drop_subject(tokens: list[str]) -> list[str]:
    """Drop who asks from "how do I", "how can we", "how to"."""
    verb = next((i for i, token in enumerate(tokens[1:], 1) if token not in AUXILIARIES and token not in MODALS), 0)
    return [*tokens[:verb], *tokens[verb + 1 :]] if verb and tokens[verb] in SUBJECTS else tokens


def _capitals(question: str, surfaces: list[str]) -> frozenset[str]:
    """Find what is written like a name; nothing where capitals are everywhere, nor in a first word's first letter."""
    words = [surface for surface in surfaces if surface[0].isalpha()]
    capital = [word for word in words if not word.islower()]
    if question.upper() == question or len(capital) > len(words) * 0.7:
        return frozenset()
    named = capital[1:] if capital and words[0] == capital[0] and capital[0][1:].islower() else capital
    lowered = {word.casefold() for word in named}
    return frozenset(map(base, lowered - LIGHT - SUBJECTS - MODALS.keys()))


def _contradict(one: Wording, other: Wording) -> bool:
    """Tell whether numbers, negations or a pair of opposites say that the two cannot be the same."""
    if one.numbers != other.numbers or one.negations != other.negations:
        return True
    pairs = {pair for pair, _ in one.sides} & {pair for pair, _ in other.sides}
    return any(_members(one, pair) != _members(other, pair) for pair in pairs)


def _members(wording: Wording, pair: int) -> set[int]:
    return {side for known, side in wording.sides if known == pair}


def _names(wording: Wording, other: Wording, vocabulary: Collection[str]) -> set[tuple[str, ...]]:
    """List the names in WORDING: the vocabulary's, else what either question writes like one."""
    if not vocabulary:
        return {(word,) for word in wording.words if word in wording.capitals or word in other.capitals}
    known = _known_names(frozenset(vocabulary))
    longest = max(map(len, known), default=0)
    return set(_longest_names(wording.words, known, longest))


@lru_cache(maxsize=64)
def _known_names(vocabulary: frozenset[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(take_apart(name).words for name in vocabulary) - {()}


def _longest_names(
    words: tuple[str, ...], known: frozenset[tuple[str, ...]], longest: int
) -> Iterator[tuple[str, ...]]:
    """Walk the words and yield the longest name that begins at each, so that "Health Plus" is not also "Health"."""
    place = 0
    while place < len(words):
        sizes = range(min(longest, len(words) - place), 0, -1)
        size = next((size for size in sizes if words[place : place + size] in known), 0)
        if size:
            yield words[place : place + size]
        place += size or 1


def _difference(asked: str, cached: str, idf: Callable[[str], float]) -> float:
    """Weigh the terms that stand in only one question against all terms of both."""
    one, other = count(asked), count(cached)
    whole = _mass(one + other, idf)
    return _mass((one - other) + (other - one), idf) / whole if whole else 1.0


def _mass(terms: Counter[str], idf: Callable[[str], float]) -> float:
    return sum(idf(term) * times for term, times in terms.items())
