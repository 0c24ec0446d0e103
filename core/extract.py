"""Choose the sentences to quote when no language model writes the answer."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from core.documents import Passage
from core.sentences import ends_sentence, is_heading_line, sentences, starts_item
from core.terms import terms


@dataclass(frozen=True, slots=True)
class Quote:
    """Whole sentences of a passage that stand next to each other."""

    passage_index: int
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that could be quoted."""

    passage_index: int
    position: int  # among the sentences of its passage
    text: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """How quotes are chosen; found by experiment, see bench/offline_retrieval.py.

    score = share of the question's terms, by their weight, in the sentence
        + phrase_weight * share of the question's neighbouring terms that are neighbours there
        + cosine_weight * cosine, where sentences were embedded
        - passage_weight * how much worse than the best passage, as a share of its score, the sentence's own is
    """

    passages: int = 4  # whose sentences are considered
    sentences: int = 3  # to quote at most
    relative: float = 0.45  # a further sentence must score so much of what the best one scores
    phrase_weight: float = 0.3
    cosine_weight: float = 2.0
    passage_weight: float = 1.5
    items: int = 6  # how many items of a list follow the sentence that announces it


EXTRACTION = Extraction()
_NOTHING = 1e-9  # a sentence that scores no more is quoted only where none is better


def candidates(passages: Sequence[Passage], settings: Extraction = EXTRACTION) -> list[Candidate]:
    """List the sentences worth quoting, each once; their texts are what a caller may embed for choose()."""
    found: list[Candidate] = []
    for index, passage in enumerate(passages[: settings.passages]):
        texts = sentences(passage.text)
        for position, (text, after) in enumerate(pairwise([*texts, ""])):
            if not is_heading_line(text) or (text.endswith(":") and starts_item(after)):
                found.append(Candidate(index, position, text))
    whole = [candidate for candidate in found if _is_whole(candidate.text)] or found
    return list({candidate.text: candidate for candidate in reversed(whole)}.values())[::-1]


def choose(
    question_terms: Sequence[str],
    passages: Sequence[Passage],
    cosines: Mapping[str, float] | None = None,
    settings: Extraction = EXTRACTION,
) -> list[Quote]:
    """Choose up to three sentences that answer best, in the order of the passages.

    COSINES gives the similarity of sentence and question by the sentence's text; without it words alone decide.
    A sentence that ends with a colon brings the items after it. No passages, or passages without text, give no quote.
    """
    known = candidates(passages, settings)
    scored = list(zip(_scores(question_terms, passages, known, cosines or {}, settings), known, strict=True))
    ranked = sorted(scored, key=lambda pair: -pair[0])[: settings.sentences]
    bar = max(settings.relative * ranked[0][0], _NOTHING) if ranked else 0.0
    chosen = [candidate for score, candidate in ranked if score >= bar] or [candidate for _, candidate in ranked[:1]]
    return _quotes(chosen, passages, settings)


def _is_whole(text: str) -> bool:
    return starts_item(text) or not text[0].islower()


def _scores(
    asked: Sequence[str],
    passages: Sequence[Passage],
    known: Sequence[Candidate],
    cosines: Mapping[str, float],
    settings: Extraction,
) -> list[float]:
    held = [terms(candidate.text) for candidate in known]
    weights = _weights(set(asked), held)
    mass = sum(weights.values()) or 1.0
    phrases = set(pairwise(asked))
    best = max((passage.score for passage in passages), default=0.0) or 1.0
    return [
        sum(weights[term] for term in weights.keys() & set(own)) / mass
        + settings.phrase_weight * len(phrases & set(pairwise(own))) / max(len(phrases), 1)
        + settings.cosine_weight * cosines.get(candidate.text, 0.0)
        - settings.passage_weight * (1 - passages[candidate.passage_index].score / best)
        for candidate, own in zip(known, held, strict=True)
    ]


def _weights(asked: set[str], held: Sequence[Sequence[str]]) -> dict[str, float]:
    """Weigh the question's terms by how few of the sentences hold them; a term in none weighs nothing."""
    frequencies = Counter(term for own in held for term in asked.intersection(own))
    total = len(held)
    return {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in sorted(frequencies.items())}


def _quotes(chosen: Sequence[Candidate], passages: Sequence[Passage], settings: Extraction) -> list[Quote]:
    """Join what stands next to each other, and let an announcement bring its items."""
    quotes: list[Quote] = []
    for index, group in groupby(sorted(chosen, key=_place), key=lambda candidate: candidate.passage_index):
        texts = sentences(passages[index].text)
        wanted: set[int] = set()
        for candidate in group:
            wanted |= {candidate.position, *_announced(texts, candidate.position, settings.items)}
        quotes += [Quote(index, _join(texts[run[0] : run[-1] + 1])) for run in _runs(sorted(wanted))]
    return quotes


def _place(candidate: Candidate) -> tuple[int, int]:
    return candidate.passage_index, candidate.position


def _announced(texts: Sequence[str], position: int, limit: int) -> list[int]:
    if not texts[position].endswith(":"):
        return []
    after = position + 1
    while after < len(texts) and after <= position + limit and starts_item(texts[after]):
        after += 1
    return list(range(position + 1, after))


def _runs(positions: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] == position - 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return runs


def _join(texts: Sequence[str]) -> str:
    joined = texts[0]
    for before, text in pairwise(texts):
        joined += (" " if ends_sentence(before) and not starts_item(text) else "\n") + text
    return joined
