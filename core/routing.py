"""Tell small talk from a question, without a model: only a message that is nothing but small talk counts."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import TypeAlias

from core import wording

LANGUAGES = ("en", "de", "fr", "es")
MAX_CHARACTERS = 120
MAX_WORDS = 16


class SmallTalkKind(StrEnum):
    """What a message that asks nothing wants; where a message holds several, the later one here decides."""

    GREETING = "greeting"
    ACKNOWLEDGEMENT = "acknowledgement"
    PRAISE = "praise"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    COMPLAINT = "complaint"
    HOW_ARE_YOU = "how_are_you"
    WHAT_CAN_YOU_DO = "what_can_you_do"
    WHO_ARE_YOU = "who_are_you"


@dataclass(frozen=True, slots=True)
class SmallTalk:
    """A message that is small talk from its first word to its last."""

    kind: SmallTalkKind
    language: str  # ISO 639-1; the vocabulary that matched


Words: TypeAlias = tuple[str, ...]
Slot: TypeAlias = tuple[Words, ...]  # one of these; an empty one makes the slot optional
Phrase: TypeAlias = tuple[Slot, ...]

FILLER = "filler"  # words that may stand beside small talk and are none by themselves
KINDS = (FILLER, *SmallTalkKind)
RANKS = {name: rank for rank, name in enumerate(KINDS)}

# A reader sees these characters as a whole answer; beside words they are ignored.
SIGNS = {
    SmallTalkKind.GREETING: "👋🙋✋🖐🤚🤗",
    SmallTalkKind.ACKNOWLEDGEMENT: "👍👌✅🆗🙂😀😃😄😁😊😉😅😎",
    SmallTalkKind.PRAISE: "👏🎉🔥💯🤩⭐🌟🏆💪",
    SmallTalkKind.THANKS: "🙏❤♥💙💚💛🧡💜😍🥰💐🌹",
    SmallTalkKind.COMPLAINT: "👎😠😡🤬😤😞🙁☹😢😭🙄💩",
}
SIGN_KINDS = {sign: kind for kind, signs in SIGNS.items() for sign in signs}
EMOTICONS = re.compile(r"[:;=]-?[)DPp](?!\w)")
APOSTROPHES = re.compile("['`\u2018\u2019\u02bc\u00b4]")
REPEATS = re.compile(r"(.)\1+")
SLOT = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]|([^\s()\[\]]+)")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The phrases of one language, found by the words they can start with."""

    words: frozenset[str]
    starts: dict[str, list[tuple[str, Phrase]]]


def small_talk(text: str, bot_names: Iterable[str] = ("frontdesk", "front desk")) -> SmallTalk | None:
    """Tell what kind of small talk TEXT is, or None when any part of it could be a question.

    A bot's name may stand beside small talk ("hi frontdesk"). Where several languages match, the first of
    en, de, fr and es is taken. Time is linear in the length of TEXT, which is at most MAX_CHARACTERS.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    words = fold(text)
    if not words:
        return read_signs(text)
    if len(words) > MAX_WORDS:
        return None
    names = frozenset(fold(name) for name in bot_names)
    for language in LANGUAGES:
        kind = classify(words, read_vocabulary(language), names)
        if kind != FILLER:
            return SmallTalk(SmallTalkKind(kind), language)
    return None


def fold(text: str) -> Words:
    """Split TEXT into words without accents, capitals, apostrophes and doubled letters: "Helloooo!" is "helo"."""
    text = APOSTROPHES.sub("", text)
    text = unicodedata.normalize("NFKD", text.casefold()).casefold()
    letters = (c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return tuple(REPEATS.sub(r"\1", "".join(letters)).split())


def read_signs(text: str) -> SmallTalk | None:
    """Read a message that has no words: the first emoji or emoticon that says something decides."""
    if EMOTICONS.search(text):
        return SmallTalk(SmallTalkKind.ACKNOWLEDGEMENT, "en")
    kinds = (SIGN_KINDS[sign] for sign in text if sign in SIGN_KINDS)
    kind = next(kinds, None)
    return SmallTalk(kind, "en") if kind else None


def classify(words: Words, vocabulary: Vocabulary, names: frozenset[Words]) -> str:
    """Cut WORDS into as few phrases as possible, without a rest; the strongest kind among them, else FILLER."""
    if not all(word in vocabulary.words or any(word in name for name in names) for word in words):
        return FILLER
    best: dict[int, tuple[int, int]] = {0: (0, 0)}  # by words read: minus the phrases used, the strongest rank
    for start in range(len(words)):
        if start not in best:
            continue
        used, rank = best[start]
        for end, kind in find_phrases(words, start, vocabulary, names):
            found = (used - 1, max(rank, RANKS[kind]))
            best[end] = max(best.get(end, found), found)
    return str(KINDS[best.get(len(words), (0, 0))[1]])


def find_phrases(
    words: Words, start: int, vocabulary: Vocabulary, names: frozenset[Words]
) -> Iterator[tuple[int, str]]:
    """Yield where each phrase that begins at START ends, and its kind."""
    for kind, phrase in vocabulary.starts.get(words[start], ()):
        for end in find_ends(words, start, phrase) - {start}:
            yield end, kind
    for name in names:
        if name and words[start : start + len(name)] == name:
            yield start + len(name), FILLER


def find_ends(words: Words, start: int, phrase: Phrase) -> set[int]:
    """Find every place where PHRASE, begun at START, can end."""
    ends = {start}
    for slot in phrase:
        ends = {end + len(choice) for end in ends for choice in slot if words[end : end + len(choice)] == choice}
    return ends


@cache
def read_vocabulary(language: str) -> Vocabulary:
    """Parse the phrases of LANGUAGE, core/phrases/*.toml, once."""
    table = tomllib.loads(resources.files("core").joinpath("phrases", f"{language}.toml").read_text("utf-8"))
    words: set[str] = set()
    starts: dict[str, list[tuple[str, Phrase]]] = {}
    for kind, line in ((kind, line) for kind, lines in table["phrases"].items() for line in lines):
        phrase = read_phrase((line if kind == FILLER else "[{joiner}] " + line).format_map(table["lists"]))
        words.update(word for slot in phrase for choice in slot for word in choice)
        for first in sorted(find_first_words(phrase)):
            starts.setdefault(first, []).append((kind, phrase))
    return Vocabulary(frozenset(words), starts)


def read_phrase(line: str) -> Phrase:
    """Parse one phrase: (a|b) is one of these, [a|b] one of these or nothing."""
    return tuple(read_slot(match) for match in SLOT.finditer(line))


def read_slot(match: re.Match[str]) -> Slot:
    """Parse one group or one plain word."""
    required, optional, word = match.groups()
    choices = dict.fromkeys(fold(choice) for choice in (required or optional or word).split("|"))
    return ((), *choices) if optional else tuple(choices)


def find_first_words(phrase: Phrase) -> set[str]:
    """Find the words with which PHRASE can begin."""
    firsts: set[str] = set()
    for slot in phrase:
        firsts.update(choice[0] for choice in slot if choice)
        if () not in slot:
            break
    return firsts


def reply(kind: SmallTalkKind, language: str) -> str:
    """Give the fixed sentence for KIND in LANGUAGE, in English where there is none in LANGUAGE."""
    return wording.say(REPLIES[kind], language)


REPLIES = {
    SmallTalkKind.GREETING: "Hello! What would you like to know? I look for answers in our documents.",
    SmallTalkKind.ACKNOWLEDGEMENT: "All right. Just ask when something else comes up.",
    SmallTalkKind.PRAISE: "Thank you, I am glad that helped. Ask me anything else you need to know.",
    SmallTalkKind.THANKS: "You are welcome! Ask again whenever something comes up.",
    SmallTalkKind.GOODBYE: "Goodbye! I am here whenever the next question comes up.",
    SmallTalkKind.COMPLAINT: (
        "I am sorry that this did not help. Please ask again in other words, or tell me that you would like"
        " a person to take over."
    ),
    SmallTalkKind.HOW_ARE_YOU: "All is well here, thank you for asking. What can I look up for you?",
    SmallTalkKind.WHAT_CAN_YOU_DO: (
        "I answer questions from our documents and show where each answer comes from. Ask in whole sentences,"
        " for example: “How do I claim travel expenses?” When the documents have no answer, I can pass your"
        " question to a person."
    ),
    SmallTalkKind.WHO_ARE_YOU: (
        "I am Frontdesk, a program and not a person. I answer questions from our documents and name my sources,"
        " and I can pass a question to a person. What would you like to know?"
    ),
}
