"""What was said before, and questions that need it."""

import re
from collections.abc import Sequence

from core.domain import Origin, Role, Turn
from core.terms import terms

# A question that begins so leans on the one before: "and for part-timers?", "was ist mit Praktikanten?"
_OPENING = re.compile(
    r"^\W*(?:ok(?:ay)?\W+|so\W+)?(?:"
    r"and|or|but|also|what about|how about|what if|then|same for|instead|why not|"
    r"und|oder|aber|auch|was ist mit|wie ist es mit|wie sieht es|"
    r"et|ou|mais|aussi|qu'en est-il|"
    r"y|o|pero|también|qué pasa con"
    r")\b",
    re.IGNORECASE,
)
# A short question that points at something named earlier.
_POINTING = re.compile(
    r"\b(?:it|its|they|them|their|theirs|that|those|these|this|there|one|ones|he|she|him|her|"
    r"das|dies|diese|dieser|dafür|davon|dort|sie|"
    r"cela|ça|ceux|celles|ils|elles|"
    r"eso|esto|estos|esas|ellos|ellas)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"^\W*(?:for|in|on|at|with|without|during|if|when|from|by|per|after|before|für|bei|mit|ohne|im|wenn|pour|avec|sans|"
    r"pendant|si|para|con|sin|durante)\b",
    re.IGNORECASE,
)
_LONGEST_CARRIED = 400


def is_follow_up(text: str) -> bool:
    """Tell whether TEXT needs the question before it to be understood."""
    own = len(set(terms(text)))
    if own == 0 or _OPENING.search(text):
        return True
    if _PREPOSITION.search(text):
        return own <= 3
    return own <= 3 and _POINTING.search(text) is not None


def last_question(turns: Sequence[Turn]) -> str:
    """Return the stand-alone form of the last question that was searched for, or the empty string."""
    for turn in reversed(turns):
        if turn.role is Role.ASSISTANT and turn.origin in (Origin.DOCUMENTS, Origin.NOTHING_FOUND):
            return turn.question
    return ""


def stand_alone(text: str, turns: Sequence[Turn]) -> str:
    """Complete a follow-up with the question before it; any other text comes back as it is."""
    before = last_question(turns)
    if not before or not is_follow_up(text):
        return text
    return f"{before[:_LONGEST_CARRIED]} {text}"


def transcript(turns: Sequence[Turn]) -> str:
    """Write the turns as lines a person can read."""
    return "\n".join(f"{turn.role.value}: {turn.text}" for turn in turns)
