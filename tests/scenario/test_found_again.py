"""Passages found once are given again, never to who may not read them and never after their documents have changed."""

from array import array
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.embedded.cache import InProcessCache
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.search import PostgresSearch
from core.documents import EmbedderIdentity, Query
from core.errors import StoreUnavailable
from core.found_again import RememberedSearch
from core.places import EMPLOYEE_PLATFORMS, Place, Platform, Reader
from core.terms import terms
from tests.scenario.vacation import QUESTION, save_days, steps

CONSOLE, SLACK = Place(Platform.CONSOLE, "general"), Place(Platform.SLACK, "general")


class Watched:
    """A retriever that counts what it is asked, and lets something happen right before it searches."""

    def __init__(self, retriever):
        self.retriever, self.asked, self.before_search = retriever, Counter(), None

    async def readable(self, tenant_id, place, names):
        self.asked["readable"] += 1
        return await self.retriever.readable(tenant_id, place, names)

    async def search(self, tenant_id, query):
        self.asked["search"] += 1
        if self.before_search is not None:
            await self.before_search()
        return await self.retriever.search(tenant_id, query)


class Library:
    """A knowledge base, the search in it, and the words to use them."""

    def __init__(self, database):
        self.knowledge, self.watched = PostgresKnowledge(database), Watched(PostgresSearch(database))
        self.cache = InProcessCache()
        self.search = RememberedSearch(self.watched, self.cache, embeds=False)

    async def save(self, days, name="handbook", source="/time-off.md", tenant_id=1):
        kb = await self.knowledge.create(tenant_id, name, EMPLOYEE_PLATFORMS)
        await save_days(self.knowledge, kb, days, source, tenant_id)

    async def remove(self, source="/time-off.md"):
        kb = await self.knowledge.knowledge_base(1, "handbook")
        await self.knowledge.remove_document(1, kb.kb_id, source)

    async def find(self, question=QUESTION, place=CONSOLE, tenant_id=1, **more):
        return await self.search.search(tenant_id, query(question, place, **more))

    async def days(self, *asked, **more):
        """List the numbers of days in what is found."""
        return [int(passage.text.split(" days")[0].rpartition(" ")[2]) for passage in await self.find(*asked, **more)]


def query(question=QUESTION, place=CONSOLE, **more):
    return Query(Reader(place), tuple(terms(question)), question=question, **more)


@pytest.fixture
async def library(database):
    made = Library(database)
    await made.save(28)
    return made


async def test_the_same_question_is_searched_for_once(library):
    first = await library.find()
    again = await library.find("  how many VACATION days do full-time employees have ")
    assert again == first == await library.watched.retriever.search(1, query())
    assert library.watched.asked["search"] == 1


async def test_where_the_caller_knows_what_is_readable_nothing_is_asked_of_the_database(library):
    readable = await library.search.readable(1, Reader(CONSOLE), ())
    first = await library.find(readable=readable)
    library.watched.asked.clear()
    assert await library.find(readable=readable) == first
    assert not library.watched.asked


async def test_another_place_that_reads_the_same_is_given_the_same(library):
    assert await library.find(place=SLACK) == await library.find()
    assert library.watched.asked["search"] == 1


async def test_another_number_of_passages_is_another_search(library):
    await library.save(30, source="/interns.md")
    assert len(await library.find(limit=1)) == 1
    assert len(await library.find(limit=2)) == 2


async def test_a_changed_document_is_found_at_once(library):
    await library.find()
    await library.save(31)
    assert await library.days() == [31]


async def test_a_new_document_is_found_at_once(library):
    await library.find()
    await library.save(30, source="/interns.md")
    assert sorted(await library.days()) == [28, 30]


async def test_a_removed_document_is_not_found(library):
    await library.find()
    await library.remove()
    assert await library.find() == []


async def test_a_removed_knowledge_base_made_again_is_another_one(library):
    await library.find()
    await library.knowledge.remove(1, "handbook")
    assert await library.find() == []
    await library.save(33)
    assert await library.days() == [33]


async def test_a_place_that_may_not_read_is_not_given_what_another_was(library):
    await library.find()
    assert await library.find(place=Place(Platform.TELEGRAM, "general")) == []
    await library.knowledge.set_scope(1, "handbook", [Platform.SLACK], [])
    assert await library.find() == []
    assert await library.days(place=SLACK) == [28]
    await library.knowledge.set_scope(1, "handbook", [Platform.SLACK], ["hr"])
    assert await library.find(place=SLACK) == []


async def test_an_author_who_narrows_is_not_given_what_all_knowledge_bases_hold(library):
    await library.save(40, name="other")
    assert sorted(await library.days()) == [28, 40]
    assert await library.days(knowledge_bases=("handbook",)) == [28]
    assert sorted(await library.days()) == [28, 40]


async def test_another_tenant_finds_its_own(library):
    await library.find()
    assert await library.find(tenant_id=2) == []
    shared = {"readable": await library.search.readable(1, Reader(CONSOLE), ())}
    assert await library.find(**shared)
    assert await library.find(tenant_id=2, **shared) == []


async def test_what_is_granted_to_one_place_during_its_search_is_not_given_to_another(library):
    await library.save(99, name="secret")
    await library.knowledge.set_scope(1, "secret", [Platform.TEAMS], [])

    async def grant():
        await library.knowledge.set_scope(1, "secret", [Platform.TEAMS, Platform.CONSOLE], [])

    library.watched.before_search = grant
    assert await library.days() == [28]
    library.watched.before_search = None
    assert await library.days(place=SLACK) == [28]


async def test_a_change_during_a_search_is_found_by_the_next(library):
    async def change():
        await library.save(31)

    library.watched.before_search = change
    await library.find()
    library.watched.before_search = None
    assert await library.days() == [31]


async def test_nothing_found_is_not_kept(library):
    for _ in range(2):
        assert await library.find("May I bring my dog?") == []
    assert library.watched.asked == {"readable": 2, "search": 2}


async def test_a_query_that_does_not_tell_its_question_is_searched_for_each_time(library):
    plain = Query(Reader(CONSOLE), tuple(terms(QUESTION)))
    for one in (plain, plain, query(""), query("")):
        await library.search.search(1, one)
    assert library.watched.asked == {"search": 4}


async def test_without_its_vector_a_search_is_cut_short_and_not_kept(library):
    library.search = RememberedSearch(library.watched, library.cache, embeds=True)
    await library.find()
    await library.find()
    assert library.watched.asked == {"search": 2}
    embedded = {"vector": array("f", [1.0] + [0.0] * 383), "embedder": EmbedderIdentity("minilm", 384)}
    await library.find(**embedded)
    await library.find(**embedded)
    assert library.watched.asked["search"] == 3


async def test_a_store_that_does_not_answer_says_so_and_nothing_is_kept(library):
    async def fail():
        raise StoreUnavailable("PostgreSQL does not answer; try again soon.")

    library.watched.before_search = fail
    with pytest.raises(StoreUnavailable):
        await library.find()
    library.watched.before_search = None
    assert await library.days() == [28]


CHANGE_DURING_SEARCH = st.tuples(st.just("change during search"), st.integers(41, 60))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(happened=steps("find", CHANGE_DURING_SEARCH))
async def test_no_passage_is_ever_older_than_its_document(library, happened):
    await library.knowledge.set_scope(1, "handbook", EMPLOYEE_PLATFORMS, [])
    await library.save(28)
    days, readable = 28, True
    for step, value in happened:
        if step == "change":
            await library.save(value)
            days = value
        elif step == "remove" and days is not None:
            await library.remove()
            days = None
        elif step == "withdraw":
            readable = value
            await library.knowledge.set_scope(1, "handbook", EMPLOYEE_PLATFORMS if readable else [Platform.WEB], [])
        elif step == "change during search":
            library.watched.before_search = lambda value=value: library.save(value)
            before = library.watched.asked["search"]
            await library.find()
            days = value if library.watched.asked["search"] > before else days
            library.watched.before_search = None
        elif step == "find":
            found = await library.days(value)
            assert found == ([days] if days is not None and readable else [])
            assert await library.find(value) == await library.watched.retriever.search(1, query(value))
