"""Measure retrieval in PostgreSQL, with the product's own readers, splitter, embedder and statement.

    python -m bench.retrieval --data ../shared/data [--home FOLDER]

SciFact: nDCG@10 over documents (5,183 abstracts). Northwind HR: nDCG@10 over pages, and how often a cited page is among
the first five passages. With --home the indexed database is kept for the next run.
"""

import argparse
import asyncio
import csv
import json
import math
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from adapters.embedded.minilm import MiniLM
from adapters.embedded.postgres import attach
from adapters.embedded.weights import find
from adapters.postgres.database import Database, open_database
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.search import parameters, passage_of, statement
from core.documents import Block, BlockKind, DocumentVersion, IndexedChunk, Outcome, Query, ReadDocument
from core.places import EMPLOYEE_PLATFORMS, Place, Platform, Reader
from core.ranking import rerank
from core.terms import count, terms
from ingest.formats import Format
from ingest.sandbox import Sandbox
from ingest.split import indexed_text, split
from migrations.run import prepare

TENANT = 1
DEPTH = 200


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what answers it."""

    text: str
    relevant: Mapping[str, int]  # a document, or "file#page", and its grade


@dataclass(frozen=True, slots=True)
class Set:
    """A data set: documents, questions, and whether a page or a document is what is to be found."""

    name: str
    documents: Sequence[tuple[str, ReadDocument]]
    questions: Sequence[Question]
    by_page: bool


def scifact(data: Path) -> Set:
    """Read the abstracts and the claims that have judgements."""
    lines = (data / "scifact/corpus.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [
        (row["_id"], ReadDocument(row["title"], (Block(BlockKind.PARAGRAPH, row["text"]),)))
        for row in map(json.loads, lines)
    ]
    judged: dict[str, dict[str, int]] = {}
    with (data / "scifact/qrels.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            judged.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    texts = {
        row["_id"]: row["text"]
        for row in map(json.loads, (data / "scifact/queries.jsonl").read_text(encoding="utf-8").splitlines())
    }
    return Set("scifact", documents, [Question(texts[key], grades) for key, grades in judged.items()], by_page=False)


async def northwind(data: Path) -> Set:
    """Read the six PDFs through the sandbox, and the questions with the pages they cite."""
    paths = sorted((data / "northwind_hr/docs").glob("*.pdf"))
    async with Sandbox() as sandbox:
        documents = [(path.name, await sandbox.read(Format.PDF, path.name, path.read_bytes())) for path in paths]
    rows = map(json.loads, (data / "northwind_hr/qa.jsonl").read_text(encoding="utf-8").splitlines())
    questions = [
        Question(row["question"], {cite.replace("#page=", "#"): 1 for cite in row["cites"]})
        for row in rows
        if row["cites"]
    ]
    return Set("northwind_hr", documents, questions, by_page=True)


def ndcg(found: Sequence[str], relevant: Mapping[str, int], depth: int = 10) -> float:
    """Compute nDCG (Järvelin and Kekäläinen 2002) of a ranking of different items."""
    gained = sum(relevant.get(item, 0) / math.log2(rank + 2) for rank, item in enumerate(found[:depth]))
    ideal = sum(
        grade / math.log2(rank + 2) for rank, grade in enumerate(sorted(relevant.values(), reverse=True)[:depth])
    )
    return gained / ideal if ideal else 0.0


def first_of_each(items: Iterable[str]) -> list[str]:
    """Keep the first of each item: a document or page takes its best passage."""
    return list(dict.fromkeys(items))


async def index(knowledge: PostgresKnowledge, embedder: MiniLM, chosen: Set) -> None:
    """Index a set unless it is there already."""
    kb = await knowledge.create(TENANT, chosen.name, EMPLOYEE_PLATFORMS)
    known = await knowledge.fingerprints(TENANT, kb.kb_id)
    waiting = [(source, document) for source, document in chosen.documents if source not in known]
    for start in range(0, len(waiting), 64):
        batch = [(s, d, split(d, embedder.count_tokens)) for s, d in waiting[start : start + 64]]
        texts = [indexed_text(d.title, chunk) for _, d, chunks in batch for chunk in chunks]
        vectors = iter(await embedder.embed(texts))
        for source, document, chunks in batch:
            version = DocumentVersion(source, document.title, "", source.encode(), 1, 0, Outcome.INDEXED)
            indexed = [
                IndexedChunk(chunk, count(indexed_text(document.title, chunk)), next(vectors)) for chunk in chunks
            ]
            await knowledge.save(TENANT, kb.kb_id, version, indexed, embedder.identity)
        print(f"\r{chosen.name}: {start + len(batch)} of {len(waiting)} documents", end="", flush=True)
    print()


def queries(chosen: Set, vectors: Sequence[object], embedder: MiniLM) -> Iterator[Query]:
    """Make the product's query of each question."""
    place = Place(Platform.CONSOLE, "bench")
    for question, vector in zip(chosen.questions, vectors, strict=True):
        yield Query(Reader(place), tuple(terms(question.text)), vector, embedder.identity, (chosen.name,), DEPTH)  # type: ignore[arg-type]


async def measure(database: Database, embedder: MiniLM, chosen: Set) -> None:
    """Ask every question twice, deep for the quality and as the product does for the time; print the figures."""
    vectors = await embedder.embed([question.text for question in chosen.questions])
    scores, among_five, seconds = [], [], []
    for question, query in zip(chosen.questions, queries(chosen, vectors, embedder), strict=True):
        async with database.tenant(TENANT) as connection:
            sql = statement(embedder.identity.dimensions)
            rows = await connection.fetch(sql, *parameters(TENANT, query))
            start = time.perf_counter()
            await connection.fetch(sql, *parameters(TENANT, replace(query, limit=8)))
            seconds.append(time.perf_counter() - start)
        passages = rerank(query.terms, [passage_of(row) for row in rows], DEPTH)
        found = [f"{passage.source}#{passage.page}" if chosen.by_page else passage.source for passage in passages]
        scores.append(ndcg(first_of_each(found), question.relevant))
        among_five.append(any(item in question.relevant for item in found[:5]))
    p95 = statistics.quantiles(seconds, n=20)[-1]
    print(
        f"{chosen.name}: {len(scores)} questions  nDCG@10 {statistics.mean(scores):.4f}  "
        f"in the first five passages {statistics.mean(among_five):.1%}  "
        f"statement p50 {statistics.median(seconds) * 1000:.1f} ms  p95 {p95 * 1000:.1f} ms"
    )


async def run(data: Path, home: Path, wanted: Sequence[str]) -> None:
    """Index and measure the sets WANTED."""
    weights = find(home / "models")
    if weights is None:
        raise SystemExit("The embedder's weights are not installed; use ./run, or `frontdesk model install`.")
    embedder = MiniLM(weights)
    with attach(home) as server:
        owner = server.owner_url("bench")
        parts = urlsplit(owner)
        application = urlunsplit(parts._replace(netloc=f"bench:bench@{parts.netloc.rpartition('@')[2]}"))
        await prepare(server.owner_url("postgres"), owner, application)
        async with open_database(application) as database:
            sets = [scifact(data)] if "scifact" in wanted else []
            sets += [await northwind(data)] if "northwind_hr" in wanted else []
            for chosen in sets:
                await index(PostgresKnowledge(database), embedder, chosen)
                await measure(database, embedder, chosen)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, help="keep the database here")
    parser.add_argument("--sets", default="scifact,northwind_hr")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        asyncio.run(run(arguments.data, arguments.home or Path(folder), arguments.sets.split(",")))


if __name__ == "__main__":
    main()
