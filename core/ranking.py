"""How found passages are ordered: the constants of the retrieval statement, and what its rows gain afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from core.documents import Passage
from core.terms import terms

CONTEXT_WORDS = 24


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """How lexical search and vectors make one score.

    idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5)), N chunks readable, n of them with the term (the +1 keeps it positive)
    bm25 = sum over the question's different terms of idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean))
    coverage = bm25 / sum of idf(t) over the question's different terms, found or not
    score = coverage + cosine_weight * cosine, over the best candidates of each list
    and for the best rows: + phrase_weight * the share of the question's neighbouring terms that are neighbours there

    Dividing by the IDF mass makes questions of different length comparable, so that no list has to be rescaled.
    BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, section 3.4; k1 and
    b are Anserini's. Phrases: Metzler and Croft, "A Markov Random Field Model for Term Dependencies", 2005.
    """

    k1: float = 0.9
    b: float = 0.4
    cosine_weight: float = 2.0
    candidates: int = 200  # of each list
    phrase_weight: float = 0.4
    reranked: int = 24  # rows to fetch for rerank(); more change nothing


RANKING = RankingWeights()


def rerank(
    asked: Sequence[str], passages: Sequence[Passage], limit: int, weights: RankingWeights = RANKING
) -> list[Passage]:
    """Add to the scores what phrases are worth and return the LIMIT best; ASKED are the question's terms in order."""
    wanted = {pair for pair in pairwise(asked) if pair[0] != pair[1]}
    if wanted:
        passages = [
            replace(passage, score=passage.score + weights.phrase_weight * len(wanted & _pairs(passage)) / len(wanted))
            for passage in passages
        ]
    return sorted(passages, key=lambda passage: -passage.score)[:limit]


def _pairs(passage: Passage) -> set[tuple[str, str]]:
    return set(pairwise(terms(f"{context(passage.title)}\n{passage.text}")))


def context(title: str) -> str:
    """Write what goes before a chunk's text when it is embedded and counted: the title, cut short."""
    return " ".join(title.split()[:CONTEXT_WORDS])
