"""Decide whether found passages are good enough to answer from."""

import heapq
from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from core.documents import Passage
from core.ranking import context
from core.terms import terms


@dataclass(frozen=True, slots=True)
class Bar:
    """How good the best passage must be; found by experiment with MiniLM, see bench/offline_retrieval.py.

    with a vector: cosine + share_weight * share + phrase_weight * phrases >= threshold
    without: share + (coverage, at most 1) / 2 + phrases / 2 >= lexical_threshold

    The share of the question's terms that stand in the passage needs no IDF, so that it means the same in a knowledge
    base of five documents as in one of a thousand.
    """

    share_weight: float = 0.3
    phrase_weight: float = 0.1
    threshold: float = 0.59
    lexical_threshold: float = 0.8


BAR = Bar()


def bar_of(threshold: float | None) -> Bar:
    """Set the bar of a bot: THRESHOLD with a vector, and as much stricter or laxer without; None: the measured one.

    The two sums have scales of their own, up to 1.4 and up to 2, whose ends and measured bars nearly correspond under
    one factor. So a bot keeps its strictness where the embedder is silent or a knowledge base has no vectors.
    """
    if threshold is None:
        return BAR
    return replace(BAR, threshold=threshold, lexical_threshold=BAR.lexical_threshold * threshold / BAR.threshold)


def answerable(question: str, passages: Sequence[Passage], bar: Bar = BAR) -> bool:
    """Say whether at least one of the passages is close enough to the question to answer from."""
    asked = terms(question)
    return any(_closeness(asked, passage, bar) >= 0 for passage in passages)


def merge(question: str, *found: Iterable[Passage], bar: Bar = BAR) -> tuple[Passage, ...]:
    """Merge lists of passages from several places, the closest first, each in its own order.

    Their scores cannot be compared: a term's weight is that of the place it was found in.
    """
    asked = terms(question)
    return tuple(heapq.merge(*found, key=lambda passage: -_closeness(asked, passage, bar)))


def _closeness(asked: Sequence[str], passage: Passage, bar: Bar) -> float:
    """Tell how far a passage is over the bar; below zero, how far under it."""
    held = terms(f"{context(passage.title)}\n{passage.text}")
    share = _share(set(asked), set(held))
    phrases = _share(set(pairwise(asked)), set(pairwise(held)))
    if passage.cosine is None:
        return share + min(passage.coverage, 1.0) / 2 + phrases / 2 - bar.lexical_threshold
    return passage.cosine + bar.share_weight * share + bar.phrase_weight * phrases - bar.threshold


def _share(wanted: Set[Hashable], held: Set[Hashable]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0
