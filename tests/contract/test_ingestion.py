"""Files become searchable documents: real files, the real child process, a real PostgreSQL."""

import asyncio
import random

import pytest

from core.documents import EmbedderIdentity, Outcome
from core.errors import ModelUnavailable, NotFound
from ingest.pipeline import Ingestion, Limits
from ingest.sources import sources
from tests.contract.ingested import Letters, found


@pytest.fixture
def embedder():
    return Letters()


@pytest.fixture
def ingestion(knowledge, embedder):
    return Ingestion(knowledge, embedder, Limits(size_bytes=100_000))


async def ingest(ingestion, kb, *paths):
    steps = []
    results = await ingestion.ingest(1, kb, sources(map(str, paths)), steps.append)
    assert [step.result for step in steps if step.result] == results
    return {result.source.rsplit("/", 1)[-1]: result for result in results}


async def test_a_folder_with_bad_files_indexes_the_good_ones_and_lists_the_bad_ones(ingestion, kb, tmp_path):
    dice = random.Random(5)
    for number in range(60):
        (tmp_path / f"good-{number:02}.txt").write_text(f"Rule {number}: {dice.choice(['walk', 'run', 'rest'])} often.")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "blank.md").write_text("\n\n  \n")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "large.txt").write_text("x" * 200_000)
    (tmp_path / "wrong.json").write_text('{"a": ')
    results = await ingest(ingestion, kb, tmp_path)
    assert sum(result.outcome is Outcome.INDEXED for result in results.values()) == 60
    bad = {name: result for name, result in results.items() if result.outcome is not Outcome.INDEXED}
    assert set(bad) == {"broken.pdf", "empty.txt", "blank.md", "sheet.xlsx", "large.txt", "wrong.json"}
    assert all(result.reason for result in bad.values())
    assert bad["blank.md"].outcome is Outcome.NO_TEXT
    assert "have the limit raised" in bad["large.txt"].reason


async def test_the_same_bytes_again_are_no_work(ingestion, embedder, kb, tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    await ingest(ingestion, kb, tmp_path)
    before = embedder.embedded
    results = await ingest(ingestion, kb, tmp_path)
    assert results["a.txt"].outcome is Outcome.UNCHANGED
    assert embedder.embedded == before


async def test_changed_bytes_replace_the_old_version(ingestion, database, kb, tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    await ingest(ingestion, kb, tmp_path)
    (tmp_path / "a.txt").write_text("Swim often.")
    assert (await ingest(ingestion, kb, tmp_path))["a.txt"].outcome is Outcome.INDEXED
    assert await found(database, "walk") == []
    assert await found(database, "swim") == ["Swim often."]


async def test_a_file_that_became_unreadable_keeps_its_last_good_version(ingestion, knowledge, database, kb, tmp_path):
    (tmp_path / "a.json").write_text('{"rule": "Walk often."}')
    await ingest(ingestion, kb, tmp_path)
    (tmp_path / "a.json").write_text('{"rule": ')
    assert (await ingest(ingestion, kb, tmp_path))["a.json"].outcome is Outcome.REFUSED
    assert len(await found(database, "walk")) == 1
    (record,) = await knowledge.documents(1, kb.kb_id)
    assert "the version before is kept" in record.reason
    (tmp_path / "a.json").write_text('{"rule": "Walk often."}')
    await ingest(ingestion, kb, tmp_path)
    (record,) = await knowledge.documents(1, kb.kb_id)
    assert record.reason == "", "the good file is back, and the remark with it gone"


async def test_readers_see_the_old_version_or_the_new_one_and_never_a_half(ingestion, database, kb, tmp_path):
    path = tmp_path / "a.txt"

    def write(word):
        path.write_text("\n\n".join(f"Rule {number} says {word}. " + "filler " * 100 for number in range(20)))

    write("walk")
    await ingest(ingestion, kb, tmp_path)
    whole = len(await all_texts(database))
    seen = set()

    async def watch():
        while True:
            texts = await all_texts(database)
            assert len(texts) == whole
            words = {word for word in ("walk", "swim") for text in texts if word in text}
            assert len(words) == 1
            seen.update(words)

    watching = asyncio.create_task(watch())
    write("swim")
    await ingest(ingestion, kb, tmp_path)
    await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert watching.cancelled()
    assert seen == {"walk", "swim"}


async def all_texts(database):
    async with database.tenant(1) as connection:
        return [row["text"] for row in await connection.fetch("select text from chunks")]


async def test_a_model_that_fails_ends_the_run_with_what_was_finished_saved(knowledge, database, kb, tmp_path):
    rules = (f"Rule {number} says walk. " + "filler " * 110 for number in range(120))
    (tmp_path / "a.txt").write_text("\n\n".join(rules))
    (tmp_path / "b.txt").write_text("Poison.")
    failing = Ingestion(knowledge, Letters(fails_on="Poison"), Limits())
    with pytest.raises(ModelUnavailable):
        await ingest(failing, kb, tmp_path)
    assert len(await found(database, "walk")) > 0
    assert await found(database, "poison") == []
    healed = Ingestion(knowledge, Letters(), Limits())
    results = await ingest(healed, kb, tmp_path)
    assert {name: result.outcome for name, result in results.items()} == {
        "a.txt": Outcome.UNCHANGED,
        "b.txt": Outcome.INDEXED,
    }


async def test_a_long_document_shows_progress_while_it_is_embedded(ingestion, kb, tmp_path):
    (tmp_path / "a.txt").write_text("\n\n".join(f"Rule {n}. " + f"filler{n} " * 40 for n in range(200)))
    steps = []
    await ingestion.ingest(1, kb, sources([str(tmp_path)]), steps.append)
    parts = [step.part for step in steps if step.embedding]
    assert len(parts) > 1
    assert parts == sorted(parts)
    assert parts[-1] == 1.0


async def test_another_embedder_embeds_everything_again_and_then_serves(knowledge, database, kb, tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    (tmp_path / "b.txt").write_text("Swim often.")
    await ingest(Ingestion(knowledge, Letters(), Limits()), kb, tmp_path)
    changed = Ingestion(knowledge, Letters("other letters"), Limits())
    base = await knowledge.knowledge_base(1, "handbook")
    assert await changed.reembed(1, base, lambda step: None) == 2
    base = await knowledge.knowledge_base(1, "handbook")
    assert base.embedder == EmbedderIdentity("other letters", 26)
    assert await changed.reembed(1, base, lambda step: None) == 0


async def test_documents_ingested_without_an_embedder_are_found_by_words_and_embedded_later(
    knowledge, database, kb, tmp_path
):
    (tmp_path / "a.txt").write_text("Walk often.")
    await ingest(Ingestion(knowledge, None, Limits()), kb, tmp_path)
    assert await found(database, "walk") == ["Walk often."]
    base = await knowledge.knowledge_base(1, "handbook")
    assert await Ingestion(knowledge, Letters(), Limits()).reembed(1, base, lambda step: None) == 1


async def test_a_web_address_on_this_machine_is_refused_with_the_setting_that_would_allow_it(ingestion, kb):
    results = await ingest(ingestion, kb, "http://127.0.0.1:1/page.html")
    (result,) = results.values()
    assert result.outcome is Outcome.REFUSED
    assert "FETCH_ALLOW" in result.reason


def test_a_path_that_is_not_there_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    with pytest.raises(NotFound, match="nothing was ingested"):
        sources([str(tmp_path), str(tmp_path / "missing")])


def test_links_hidden_files_and_tool_folders_are_passed_over(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / ".hidden.txt").write_text("h")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "b.txt").write_text("b")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.txt").write_text("c")
    (tmp_path / "circle").symlink_to(tmp_path)
    names = [source.title for source in sources([str(tmp_path), str(tmp_path / "a.txt")])]
    assert names == ["a.txt", "c.txt"]
