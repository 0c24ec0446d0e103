"""Knowledge bases in PostgreSQL: what is saved is found, what is removed is not, sums and vectors stay right."""

from array import array

import pytest

from adapters.postgres.search import PostgresSearch
from core.documents import Chunk, DocumentVersion, EmbedderIdentity, IndexedChunk, Outcome, Query
from core.errors import NotFound, UsageError
from core.places import EMPLOYEE_PLATFORMS, Place, Platform, Reader
from core.terms import count, terms

HERE = Place(Platform.CONSOLE, "terminal")
TINY = EmbedderIdentity("tiny", 3)
OTHER = EmbedderIdentity("other", 3)


def vector(*numbers):
    return array("f", numbers)


def version(source, outcome=Outcome.INDEXED, reason="", content=b"1"):
    return DocumentVersion(source, source.title(), "text", content, 1, 10, outcome, reason)


def indexed(text, vec=None, page=None):
    return IndexedChunk(Chunk(text, ("Heading",), page), count(text), vec)


@pytest.fixture
def search(database):
    return PostgresSearch(database)


async def find(search, text, vec=None, embedder=None, **more):
    return await search.search(1, Query(Reader(HERE), tuple(terms(text)), vec, embedder, **more))


async def sums(database):
    async with database.tenant(1) as connection:
        return tuple(
            await connection.fetchrow(
                "select chunk_count, term_total, (select count(*) from chunks), "
                "(select coalesce(sum(frequency), 0) from postings) from knowledge_bases"
            )
        )


async def test_a_new_knowledge_base_answers_employees_and_never_customers(kb):
    assert set(kb.platforms) == {Platform.CONSOLE, Platform.SLACK, Platform.TEAMS}
    assert kb.channels == ()


async def test_creating_it_again_changes_nothing(knowledge, kb):
    again = await knowledge.create(1, "handbook", [Platform.TELEGRAM])
    assert (again.kb_id, again.platforms) == (kb.kb_id, kb.platforms)


async def test_an_unknown_name_is_answered_with_the_names_there_are(knowledge, kb):
    with pytest.raises(NotFound, match="there are: handbook"):
        await knowledge.knowledge_base(1, "handbok")


async def test_what_is_saved_is_found_with_its_place(knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("travel"), [indexed("Lunch is reimbursed.", page=4)], None)
    (passage,) = await find(search, "lunch")
    assert (passage.title, passage.heading_path, passage.page, passage.kb_name) == (
        "Travel",
        ("Heading",),
        4,
        "handbook",
    )
    assert 0 < passage.coverage == passage.score
    assert passage.cosine is None


async def test_a_new_version_replaces_the_old_one_and_the_sums_follow(database, knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("old words here"), indexed("more old words")], None)
    await knowledge.save(1, kb.kb_id, version("b"), [indexed("another document")], None)
    await knowledge.save(1, kb.kb_id, version("a", content=b"2"), [indexed("new text")], None)
    assert await find(search, "old") == []
    assert len(await find(search, "new")) == 1
    counted = await sums(database)
    assert counted[0] == counted[2] == 2
    assert counted[1] == counted[3]


async def test_a_refused_version_leaves_the_indexed_one_in_place_and_says_so(knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("good text")], None)
    await knowledge.save(1, kb.kb_id, version("a", Outcome.REFUSED, "it is protected", b"2"), [], None)
    assert len(await find(search, "good")) == 1
    (record,) = await knowledge.documents(1, kb.kb_id)
    assert record.outcome is Outcome.INDEXED
    assert "it is protected" in record.reason


async def test_a_refused_document_is_kept_with_its_reason_until_it_can_be_read(knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("a", Outcome.REFUSED, "it is protected"), [], None)
    (record,) = await knowledge.documents(1, kb.kb_id)
    assert (record.outcome, record.reason) == (Outcome.REFUSED, "it is protected")
    await knowledge.save(1, kb.kb_id, version("a", content=b"2"), [indexed("good text")], None)
    (record,) = await knowledge.documents(1, kb.kb_id)
    assert (record.outcome, record.reason) == (Outcome.INDEXED, "")


async def test_removing_a_document_removes_it_from_search_and_from_the_sums(database, knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("first text", vector(1, 0, 0))], TINY)
    await knowledge.save(1, kb.kb_id, version("b"), [indexed("second text", vector(0, 1, 0))], TINY)
    await knowledge.remove_document(1, kb.kb_id, "a")
    assert [passage.source for passage in await find(search, "first", vector(1, 0, 0), TINY)] == ["b"]
    counted = await sums(database)
    assert counted[0] == counted[2] == 1
    assert counted[1] == counted[3]
    with pytest.raises(NotFound):
        await knowledge.remove_document(1, kb.kb_id, "a")


async def test_removing_a_knowledge_base_leaves_nothing_behind(database, knowledge, kb):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("some text", vector(1, 0, 0))], TINY)
    await knowledge.remove(1, "handbook")
    async with database.tenant(1) as connection:
        for table in ("documents", "chunks", "chunk_vectors", "postings"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0
    with pytest.raises(NotFound):
        await knowledge.remove(1, "handbook")


async def test_words_and_vectors_both_find_and_both_add_up(knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("words"), [indexed("holiday allowance", vector(0, 1, 0))], TINY)
    await knowledge.save(1, kb.kb_id, version("meaning"), [indexed("days off work", vector(1, 0, 0))], TINY)
    found = await find(search, "holiday", vector(1, 0, 0), TINY)
    assert {p.source: (p.coverage > 0, round(p.cosine, 3)) for p in found} == {
        "words": (True, 0.0),
        "meaning": (False, 1.0),
    }
    assert [p.score for p in found] == sorted((p.coverage + 2 * p.cosine for p in found), reverse=True)


async def test_vectors_of_another_embedder_are_never_compared(knowledge, search, kb):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("some text", vector(1, 0, 0))], TINY)
    (passage,) = await find(search, "text", vector(1, 0, 0), OTHER)
    assert passage.cosine is None
    assert await find(search, "unknown", vector(1, 0, 0), OTHER) == []
    with pytest.raises(UsageError, match="reembed"):
        await knowledge.save(1, kb.kb_id, version("b"), [indexed("more", vector(1, 0, 0))], OTHER)


async def test_switching_the_embedder_keeps_answering_with_the_old_vectors_until_the_new_ones_are_there(
    knowledge, search, kb
):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("some text", vector(1, 0, 0))], TINY)
    rows = await knowledge.chunks_without_vector(1, kb.kb_id, OTHER, 10)
    assert [(title, path, text) for _, title, path, text in rows] == [("A", ("Heading",), "some text")]
    await knowledge.save_vectors(1, kb.kb_id, OTHER, [(rows[0][0], vector(0, 0, 1)), (10**9, vector(0, 0, 1))])
    assert (await find(search, "x", vector(1, 0, 0), TINY))[0].cosine == pytest.approx(1)
    await knowledge.switch_embedder(1, kb.kb_id, OTHER)
    assert await find(search, "x", vector(1, 0, 0), TINY) == []
    assert (await find(search, "x", vector(0, 0, 1), OTHER))[0].cosine == pytest.approx(1)
    assert await knowledge.chunks_without_vector(1, kb.kb_id, OTHER, 10) == []
    assert (await knowledge.knowledge_base(1, "handbook")).embedder == OTHER


async def test_only_the_knowledge_bases_asked_for_are_searched(knowledge, search, kb):
    other = await knowledge.create(1, "it", EMPLOYEE_PLATFORMS)
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("some text")], None)
    await knowledge.save(1, other.kb_id, version("b"), [indexed("some text")], None)
    assert len(await find(search, "text")) == 2
    assert [p.kb_name for p in await find(search, "text", knowledge_bases=("it",))] == ["it"]
    assert await find(search, "text", knowledge_bases=("nothing",)) == []


async def test_every_change_raises_the_version(knowledge, kb):
    async def now():
        return (await knowledge.knowledge_base(1, "handbook")).version

    seen = [await now()]
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("text", vector(1, 0, 0))], TINY)
    seen.append(await now())
    await knowledge.set_scope(1, "handbook", [Platform.SLACK], ["hr"])
    seen.append(await now())
    await knowledge.switch_embedder(1, kb.kb_id, OTHER)
    seen.append(await now())
    await knowledge.remove_document(1, kb.kb_id, "a")
    seen.append(await now())
    assert seen == sorted(set(seen))


async def test_fingerprints_tell_what_need_not_be_read_again(knowledge, kb):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("text")], None)
    await knowledge.save(1, kb.kb_id, version("b", Outcome.NO_TEXT, "a scan"), [], None)
    known = await knowledge.fingerprints(1, kb.kb_id)
    assert {source: (f.outcome, f.reason) for source, f in known.items()} == {
        "a": (Outcome.INDEXED, ""),
        "b": (Outcome.NO_TEXT, "a scan"),
    }


@pytest.mark.parametrize("question", ["", "'; drop table chunks; --", "\\", "%_", "💥", "a" * 5000])
async def test_odd_questions_search_without_an_error(search, knowledge, kb, question):
    await knowledge.save(1, kb.kb_id, version("a"), [indexed("text")], None)
    assert isinstance(await find(search, question), list)
