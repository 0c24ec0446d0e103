"""Measure retrieval, answerability and quotes in memory, with the product's own splitter, terms, score and rules.

    python -m bench.offline_retrieval --data ../shared/data [--cache FOLDER]

SciFact and Northwind HR: nDCG@10, and how often something relevant is among the first five passages.
Northwind HR and the articles of SQuAD 2.0, each article a knowledge base: how many of their own questions, and how many
of questions on other topics, are held answerable; how often a quote stands on a cited page or holds the gold answer.
With --cache the vectors are kept, so that a change of terms, weights or rules is measured in a minute.
"""

import argparse
import asyncio
import hashlib
import json
import math
import random
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapters.embedded.minilm import MiniLM
from adapters.embedded.weights import find
from bench.retrieval import Set, first_of_each, ndcg, northwind, scifact
from core.answerable import answerable
from core.documents import Block, BlockKind, Chunk, Passage, ReadDocument
from core.extract import candidates, choose
from core.ranking import RANKING, rerank
from core.terms import count, terms
from ingest.split import indexed_text, split

Floats: TypeAlias = NDArray[np.float32]
SHOWN = 8  # passages an answer rests on
AT_ONCE = 512


class Vectors:
    """Embed each text once, and keep the vectors in a folder."""

    def __init__(self, embedder: MiniLM, folder: Path | None) -> None:
        self.embedder = embedder
        self._path = folder / f"{embedder.identity.name.replace('/', '-')}.npz" if folder else None
        self._known: dict[str, Floats] = {}
        if self._path and self._path.exists():
            stored = np.load(self._path)
            self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    async def of(self, texts: Sequence[str]) -> Floats:
        """Embed texts; shape (texts, dimensions)."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        for start in range(0, len(missing), AT_ONCE):
            part = list(missing)[start : start + AT_ONCE]
            vectors = await self.embedder.embed([missing[key] for key in part])
            self._known.update((key, np.asarray(vector)) for key, vector in zip(part, vectors, strict=True))
        return np.stack([self._known[key] for key in keys])

    def save(self) -> None:
        """Write the vectors to the folder."""
        if self._path:
            np.savez(self._path, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk and its document."""

    source: str
    title: str
    chunk: Chunk


class Memory:
    """The postings and vectors of one knowledge base, searched as the SQL statement does."""

    def __init__(self, rows: Sequence[Row], vectors: Floats) -> None:
        self.rows = rows
        self._vectors = vectors
        counts = [count(indexed_text(row.title, row.chunk)) for row in rows]
        self._lengths = np.array([each.total() for each in counts], np.float64)
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, each in enumerate(counts):
            for term, frequency in each.items():
                postings[term].append((number, frequency))
        self._postings = {term: np.array(pairs) for term, pairs in postings.items()}

    def search(self, question: str, vector: Floats, limit: int) -> list[Passage]:
        """Find the best passages, reranked."""
        asked = terms(question)
        coverage, cosine = self._coverage(asked), self._vectors @ vector
        found = np.union1d(_best(coverage, coverage > 0), _best(cosine, cosine > -1))
        score = coverage + RANKING.cosine_weight * cosine
        best = found[np.argsort(-score[found], kind="stable")][: max(limit, RANKING.reranked)]
        passages = [self._passage(int(i), float(score[i]), float(coverage[i]), float(cosine[i])) for i in best]
        return rerank(asked, passages, limit)

    def _coverage(self, asked: Sequence[str]) -> NDArray[np.float64]:
        total = np.zeros(len(self.rows))
        mass = 0.0
        norm = RANKING.k1 * (1 - RANKING.b + RANKING.b * self._lengths / max(self._lengths.mean(), 1))
        for term in dict.fromkeys(asked):
            pairs = self._postings.get(term, np.empty((0, 2), int))
            idf = math.log(1 + (len(self.rows) - len(pairs) + 0.5) / (len(pairs) + 0.5))
            mass += idf
            at, frequency = pairs[:, 0], pairs[:, 1]
            total[at] += idf * frequency * (RANKING.k1 + 1) / (frequency + norm[at])
        return total / (mass or 1.0)

    def _passage(self, number: int, score: float, coverage: float, cosine: float) -> Passage:
        row = self.rows[number]
        chunk = row.chunk
        return Passage(
            number, 0, "", row.title, row.source, chunk.heading_path, chunk.page, chunk.text, score, coverage, cosine
        )


def _best(values: NDArray[Any], allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
    order = np.argsort(-values, kind="stable")[: RANKING.candidates]
    return order[allowed[order]]


async def remember(vectors: Vectors, documents: Sequence[tuple[str, ReadDocument]]) -> Memory:
    """Split and embed documents."""
    rows = [
        Row(source, document.title, chunk)
        for source, document in documents
        for chunk in split(document, vectors.embedder.count_tokens)
    ]
    return Memory(rows, await vectors.of([indexed_text(row.title, row.chunk) for row in rows]))


async def measure_ranking(vectors: Vectors, chosen: Set) -> Memory:
    """Print nDCG@10 and how often something relevant is among the first five passages."""
    memory = await remember(vectors, chosen.documents)
    asked = await vectors.of([question.text for question in chosen.questions])
    scores, among_five = [], []
    for question, vector in zip(chosen.questions, asked, strict=True):
        passages = memory.search(question.text, vector, RANKING.candidates)
        found = [f"{passage.source}#{passage.page}" if chosen.by_page else passage.source for passage in passages]
        scores.append(ndcg(first_of_each(found), question.relevant))
        among_five.append(any(item in question.relevant for item in found[:5]))
    print(
        f"{chosen.name}: {len(memory.rows)} chunks, {len(scores)} questions  nDCG@10 {statistics.mean(scores):.4f}  "
        f"in the first five passages {statistics.mean(among_five):.1%}",
        flush=True,
    )
    return memory


async def share_answerable(vectors: Vectors, memory: Memory, questions: Sequence[str]) -> float:
    """Compute the share of questions held answerable."""
    asked = await vectors.of(questions)
    pairs = zip(questions, asked, strict=True)
    return statistics.mean(answerable(question, memory.search(question, vector, SHOWN)) for question, vector in pairs)


async def quote(vectors: Vectors, memory: Memory, question: str, *, embed: bool) -> tuple[str, list[Passage]]:
    """Quote as the extractive answerer does; with the passages the quotes come from."""
    vector = (await vectors.of([question]))[0]
    passages = memory.search(question, vector, SHOWN)
    texts = [candidate.text for candidate in candidates(passages)]
    cosines = dict(zip(texts, (await vectors.of(texts)) @ vector, strict=True)) if embed and texts else {}
    quotes = choose(terms(question), passages, {text: float(cosine) for text, cosine in cosines.items()})
    return "\n".join(one.text for one in quotes), [passages[one.passage_index] for one in quotes]


def overlap(text: str, truth: str) -> float:
    """Compute the F1 of the words two texts share."""
    one, other = (Counter(re.findall(r"\w+", each.lower())) for each in (text, truth))
    shared = (one & other).total()
    return 2 * shared / (one.total() + other.total()) if shared else 0.0


async def measure_northwind(vectors: Vectors, data: Path, memory: Memory, off_topic: Mapping[str, list[str]]) -> None:
    """Print answerability and quotes on the HR documents."""
    own = _lines(data / "northwind_hr/qa.jsonl")
    shares = {"own questions": await share_answerable(vectors, memory, [row["question"] for row in own])}
    for name, questions in off_topic.items():
        shares[name] = await share_answerable(vectors, memory, questions)
    print("northwind_hr held answerable:", "  ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    for embed in (False, True):
        cited, close = [], []
        for row in own:
            text, used = await quote(vectors, memory, row["question"], embed=embed)
            cited.append(any(f"{passage.source}#page={passage.page}" in row["cites"] for passage in used))
            close.append(overlap(text, re.sub(r"\[[^\]]*\]", "", row["truth"])))
        label = "words and sentence vectors" if embed else "words only"
        print(f"  quotes, {label}: from a cited page {statistics.mean(cited):.1%}  F1 {statistics.mean(close):.3f}")


async def measure_squad(vectors: Vectors, data: Path, draw: random.Random) -> None:
    """Print answerability and quotes with each SQuAD article as a knowledge base."""
    articles = json.loads((data / "squad2/dev-half-open.json").read_text(encoding="utf-8"))["data"]
    own_share, other_share = [], []
    held: dict[bool, list[bool]] = {False: [], True: []}
    for article in articles:
        title = article["title"].replace("_", " ")
        blocks = [(Block(BlockKind.PARAGRAPH, paragraph["context"]),) for paragraph in article["paragraphs"]]
        memory = await remember(vectors, [(str(n), ReadDocument(title, block)) for n, block in enumerate(blocks)])
        own = draw.sample([each for each in _questions(article) if not each["is_impossible"]], 40)
        others = [each["question"] for other in articles if other is not article for each in _questions(other)]
        own_share.append(await share_answerable(vectors, memory, [each["question"] for each in own]))
        other_share.append(await share_answerable(vectors, memory, draw.sample(others, 40)))
        for embed, hits in held.items():
            for each in own:
                text, _ = await quote(vectors, memory, each["question"], embed=embed)
                hits.append(any(answer["text"] in text for answer in each["answers"]))
    print(
        f"squad2 held answerable: own questions {statistics.mean(own_share):.1%}  "
        f"of other articles {statistics.mean(other_share):.1%}"
    )
    print(
        f"  gold answer in the quotes: words only {statistics.mean(held[False]):.1%}  "
        f"words and sentence vectors {statistics.mean(held[True]):.1%}"
    )


def _questions(article: Any) -> list[Any]:
    return [question for paragraph in article["paragraphs"] for question in paragraph["qas"]]


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def off_topic(data: Path, draw: random.Random) -> dict[str, list[str]]:
    """Draw messages on topics the HR documents do not touch."""
    tasks = [row["text"] for row in _lines(data / "clinc150/train.jsonl") if row["domain"] not in {"work", "meta"}]
    banking = [row["text"] for row in _lines(data / "banking77/train.jsonl")]
    squad = json.loads((data / "squad2/dev-half-open.json").read_text(encoding="utf-8"))["data"]
    history = [each["question"] for article in squad for each in _questions(article)]
    return {
        "CLINC150 tasks": draw.sample(tasks, 150),
        "BANKING77": draw.sample(banking, 150),
        "SQuAD": draw.sample(history, 150),
    }


async def run(data: Path, cache: Path | None) -> None:
    """Measure everything."""
    weights = find(Path())
    if weights is None:
        raise SystemExit("The embedder's weights are not installed; use ./run, or `frontdesk model install`.")
    vectors = Vectors(MiniLM(weights), cache)
    draw = random.Random(7)  # noqa: S311
    memory = await measure_ranking(vectors, await northwind(data))
    await measure_northwind(vectors, data, memory, off_topic(data, draw))
    await measure_squad(vectors, data, draw)
    vectors.save()
    await measure_ranking(vectors, scifact(data))
    vectors.save()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="keep the vectors in this folder")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.data, arguments.cache))


if __name__ == "__main__":
    main()
