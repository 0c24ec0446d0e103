"""Measure ingestion end to end beside the embedder's own raw speed, in one run.

    python -m bench.ingest --data ../shared/data/docs_handbook

The folder is ingested as `frontdesk ingest` does it (read in the child process, split, embed, save). Then the same
chunks are embedded alone. The ratio says what everything but the embedder costs.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from adapters.embedded.minilm import MiniLM
from adapters.embedded.postgres import attach
from adapters.embedded.weights import find
from adapters.postgres.database import Database, open_database
from adapters.postgres.knowledge import PostgresKnowledge
from core.documents import Chunk
from core.places import EMPLOYEE_PLATFORMS
from ingest.pipeline import Ingestion, Limits, Progress
from ingest.sources import sources
from ingest.split import indexed_text
from migrations.run import prepare

TENANT = 1


async def ingest(database: Database, embedder: MiniLM, folder: Path) -> tuple[float, Counter[str]]:
    """Ingest FOLDER; return the seconds and how many documents ended how."""
    knowledge = PostgresKnowledge(database)
    kb = await knowledge.create(TENANT, "bench", EMPLOYEE_PLATFORMS)
    found = sources([str(folder)])

    def tell(step: Progress) -> None:
        print(f"\r{step.done} of {step.total}", end="", flush=True)

    start = time.perf_counter()
    results = await Ingestion(knowledge, embedder, Limits()).ingest(TENANT, kb, found, tell)
    seconds = time.perf_counter() - start
    print()
    assert len(results) == len(found), "a file has no outcome"
    for result in results:
        if result.outcome not in ("indexed", "unchanged"):
            print(f"  {result.outcome}: {Path(result.source).name}: {result.reason}")
    return seconds, Counter(result.outcome.value for result in results)


async def embed_again(database: Database, embedder: MiniLM) -> tuple[float, int]:
    """Embed the texts of the saved chunks in the same portions, and nothing else."""
    async with database.tenant(TENANT) as connection:
        rows = await connection.fetch(
            "select title, heading_path, text from chunks join documents using (document_id) order by chunk_id"
        )
    texts = [indexed_text(row["title"], Chunk(row["text"], tuple(row["heading_path"]))) for row in rows]
    start = time.perf_counter()
    for first in range(0, len(texts), 96):
        await embedder.embed(texts[first : first + 96])
    return time.perf_counter() - start, len(texts)


async def run(folder: Path, home: Path) -> None:
    """Measure and print."""
    weights = find(home / "models")
    if weights is None:
        raise SystemExit("The embedder's weights are not installed; use ./run, or `frontdesk model install`.")
    embedder = MiniLM(weights)
    await embedder.embed(["loaded before the clock starts"])
    with attach(home) as server:
        owner = server.owner_url("bench")
        parts = urlsplit(owner)
        application = urlunsplit(parts._replace(netloc=f"bench:bench@{parts.netloc.rpartition('@')[2]}"))
        await prepare(server.owner_url("postgres"), owner, application)
        async with open_database(application) as database:
            seconds, outcomes = await ingest(database, embedder, folder)
            raw_seconds, chunks = await embed_again(database, embedder)
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    print(
        f"{chunks} chunks: ingested in {seconds:.1f} s ({chunks / seconds:.1f}/s), embedded alone in "
        f"{raw_seconds:.1f} s ({chunks / raw_seconds:.1f}/s): {raw_seconds / seconds:.0%} of the embedder's raw speed"
    )


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of documents")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        asyncio.run(run(arguments.data, Path(folder)))


if __name__ == "__main__":
    main()
