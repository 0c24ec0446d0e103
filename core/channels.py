"""What administrators decide for one channel: what it reads, when Frontdesk answers there, and how."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from core.escalation import TicketPolicy
from core.language import detect
from core.places import Place, Platform
from core.routing import small_talk


class Listens(StrEnum):
    """Which messages of a channel are answered; in a private conversation all are."""

    MENTION = "mention"  # those that name Frontdesk
    ALWAYS = "always"
    QUESTION = "question"  # those that name it, and those that look like a question


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The decisions for one channel; what is left open is decided by its bot and by the settings."""

    knowledge_bases: tuple[str, ...] = ()  # empty: all that may be read there
    listens: Listens = Listens.MENTION
    threshold: float | None = None  # as that of a bot
    language: str = ""  # ISO 639-1 of all answers; empty: that of the question
    tickets: TicketPolicy | None = None
    follow_ups: bool = True  # whether a thread in which we spoke goes on without naming us
    version: int = 0  # rises each time they are saved; 0 where they never were


DEFAULTS = ChannelSettings()


class ChannelStore(Protocol):
    """Keep what was decided for channels."""

    async def settings(self, tenant_id: int, place: Place) -> ChannelSettings:
        """Look up the settings of the channel of PLACE; the defaults where there are none."""

    async def save(self, tenant_id: int, place: Place, settings: ChannelSettings) -> ChannelSettings:
        """Create or replace the settings of the channel of PLACE and return them with their new version."""

    async def reset(self, tenant_id: int, place: Place) -> None:
        """Let the defaults apply to the channel of PLACE again."""

    async def list(self, tenant_id: int) -> list[tuple[Platform, str, ChannelSettings]]:
        """List the channels that have settings, by platform and channel."""


CHOICES: Mapping[str, str] = {
    "kb": "NAME,NAME, all",
    "listens": ", ".join(Listens),
    "threshold": "0 – 2, auto",
    "language": "de, en, es, fr, ..., auto",
    "tickets": ", ".join((*TicketPolicy, "auto")),
    "followups": "on, off",
}
"""What each option may be, for people."""

_AUTO = ("auto", "default", "all")  # what takes a decision back


def change(settings: ChannelSettings, option: str, value: str) -> ChannelSettings | None:
    """Decide OPTION anew as an administrator wrote it; None where VALUE is none of CHOICES."""
    value = value.strip() if option == "kb" else value.strip().lower()
    field = _FIELDS[option]
    try:
        chosen: Any = getattr(DEFAULTS, field) if value in _AUTO and option != "listens" else _read(option, value)
    except ValueError:
        return None
    return replace(settings, **{field: chosen})


_FIELDS = {
    "kb": "knowledge_bases",
    "listens": "listens",
    "threshold": "threshold",
    "language": "language",
    "tickets": "tickets",
    "followups": "follow_ups",
}


def _read(option: str, value: str) -> tuple[str, ...] | Listens | TicketPolicy | float | str | bool:
    if option == "kb":
        return names(value)
    if option == "listens":
        return Listens(value)
    if option == "tickets":
        return TicketPolicy(value)
    if option == "language":
        return language_code(value)
    if option == "followups":
        return _switch(value)
    threshold = float(value.replace(",", "."))
    if not 0 <= threshold <= 2:
        raise ValueError(value)
    return threshold


def _switch(value: str) -> bool:
    if value not in ("on", "off"):
        raise ValueError(value)
    return value == "on"


def names(value: str) -> tuple[str, ...]:
    """Split a list of names at its commas; raises ValueError where there is none."""
    found = tuple(dict.fromkeys(name for part in value.split(",") if (name := part.strip())))
    if not found:
        raise ValueError(value)
    return found


def language_code(value: str) -> str:
    """Read an ISO 639-1 code, also from de-AT or one of the languages' own names; raises ValueError."""
    value = _LANGUAGE_NAMES.get(value.lower(), value.lower())
    code = re.fullmatch(r"([a-z]{2})(?:[-_][a-z]{2})?", value)
    if code is None:
        raise ValueError(value)
    return code[1]


_LANGUAGE_NAMES = {
    **dict.fromkeys(("english", "englisch", "anglais", "inglés"), "en"),
    **dict.fromkeys(("german", "deutsch", "allemand", "alemán"), "de"),
    **dict.fromkeys(("french", "französisch", "français", "francés"), "fr"),
    **dict.fromkeys(("spanish", "spanisch", "espagnol", "español"), "es"),
}

_MARK = re.compile(r"[?？؟][\"'”’»)\]\s]*(?:$|(?=\s))")
_ADDRESS = re.compile(r"\w+://\S+|`[^`]*`|```.*?```", re.DOTALL)
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)

# A first word that asks, with what may stand before it, in the languages of the catalogues.
_OPENING = (
    r"^\W*(?:(?:hi|hello|hey|hallo|moin|salut|bonjour|hola|buenas|ok(?:ay)?|so|well|also|alors|bueno|and|und|et|y|"
    r"all|alle|everyone|zusammen|team|tous|todos|please|bitte|quick question|kurze frage|sorry|by the way)\b\W*){0,4}"
)
_ASKING = {
    "en": r"(?:what|which|who|whom|whose|when|where|why|how)\b(?!\s+(?:a|an)\b(?!.*\b(?:is|are|do|does|can)\b))"
    r"|(?:is|are|was|were|do|does|did|can|could|may|must|should|shall|will|would|has|have|am)\s+"
    r"(?:i|we|you|they|he|she|it|there|this|that|the|a|an|my|our|any(?:one|body)?|some(?:one|body)?)\b"
    r"|(?:does |do )?any(?:one|body) knows?\b|i(?:'d| would) like to know\b"
    r"|i(?:'m| am) (?:wondering|looking for|trying to)\b"
    r"|i (?:cannot|can't|can not|don't know how)\b|(?:tell|show|explain)(?: to)? (?:me|us)\b|how to\b",
    "de": r"(?:wer|wem|wen|was|wann|wo|wohin|woher|warum|wieso|weshalb|wie|wieviel|welche[rmns]?|womit|wofür|worauf)\b"
    r"|(?:ist|sind|kann|können|darf|dürfen|muss|müssen|soll|sollen|gibt|gilt|hat|habt|haben|wird|werden|bekomme|brauche)"
    r"\s+(?:ich|wir|man|du|ihr|sie|er|es|das|der|die|den|ein|eine|einen|mein|meine|jemand|hier|noch)\b"
    r"|wei(?:ß|ss) (?:jemand|wer|einer)\b|ich (?:suche|möchte wissen|wüsste gern|kann nicht|frage mich)\b",
    "fr": r"(?:qui|que|qu['’]|quoi|quand|où|pourquoi|comment|combien|quel(?:le)?s?|est-ce)\b"
    r"|[a-zàâéèêîôûç]+-(?:t-)?(?:je|tu|il|elle|on|nous|vous|ils|elles|ce)\b|y a-t-il\b"
    r"|quelqu['’]un (?:sait|connaît)\b|je (?:cherche|voudrais savoir|me demande|ne (?:peux|trouve|sais) pas)\b",
    "es": r"¿|(?:qué|quién(?:es)?|cuándo|dónde|adónde|cómo|cuál(?:es)?|cuánt[oa]s?|por qué|para qué)\b"
    r"|(?:hay|puedo|puede|podemos|se puede|tengo que|debo|existe)\b(?!.*[.!]\s*\w)"
    r"|alguien sabe\b|(?:busco|necesito saber|quisiera saber|me pregunto|no (?:puedo|encuentro|sé cómo))\b",
}
_OPENINGS = {language: re.compile(f"{_OPENING}(?:{words})", re.IGNORECASE) for language, words in _ASKING.items()}
_LONGEST = 4_000  # characters looked at: what follows a long text does not make it a question


def looks_like_question(text: str, language: str = "") -> bool:
    """Tell whether a message nobody addressed to us asks something; LANGUAGE is ISO 639-1, detected where empty.

    A question mark at the end of a word decides, outside addresses, code and quoted lines; without one, a beginning
    that asks or says what is missing. Small talk ("how are you?") is none.
    """
    plain = _QUOTED_LINE.sub("", _ADDRESS.sub(" ", text[:_LONGEST])).strip()
    if not re.search(r"\w", plain) or small_talk(plain) is not None:
        return False
    if _MARK.search(plain):
        return True
    opening = _OPENINGS.get(language or detect(plain))
    return opening is not None and opening.match(plain) is not None
