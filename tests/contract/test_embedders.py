"""Every embedder keeps the contract of core.ports.Embedder, and fails with a sentence."""

import asyncio
import importlib.util
import json
import math
import shutil
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedded import weights
from adapters.embedded.minilm import BATCH_TOKENS, MiniLM, _batches
from adapters.openai.embedder import BATCH_TEXTS, CONCURRENT_REQUESTS, OpenAIEmbedder
from bots.settings import Settings
from bots.wiring import open_embedder
from core.errors import FrontdeskError, ModelUnavailable, Refused, UsageError

_SPEC = importlib.util.spec_from_file_location("embedding_server", Path(__file__).with_name("embedding_server.py"))
embedding_server = importlib.util.module_from_spec(_SPEC)
sys.modules["embedding_server"] = embedding_server
_SPEC.loader.exec_module(embedding_server)
FULL_LENGTH, KEY, MODEL, vector_of = (
    embedding_server.FULL_LENGTH,
    embedding_server.KEY,
    embedding_server.MODEL,
    embedding_server.vector_of,
)

ROOT = Path(__file__).parents[2]
WEIGHTS = weights.find(Path("/nonexistent"))
with_weights = pytest.mark.skipif(WEIGHTS is None, reason="the weights' package is not installed")
TEXTS = ["How do I reset my password?", "", "Ünïcödé \U0001f600 текст 漢字", "one " * 700, "\x00\x07", "short", "short"]


@pytest.fixture(scope="module")
def minilm():
    return MiniLM(WEIGHTS)


@pytest.fixture
async def server():
    async with embedding_server.running() as server:
        yield server


def connect(server, **options):
    return OpenAIEmbedder.connect(**{"model": MODEL, "base_url": server.url, "api_key": KEY, **options})


@asynccontextmanager
async def opened(kind):
    if kind == "openai":
        async with embedding_server.running() as server, connect(server) as embedder:
            yield embedder
    else:
        yield MiniLM(WEIGHTS, precision=kind)


def cosine(a, b):
    return float(np.dot(np.array(a), np.array(b)))


# Every embedder.


@pytest.mark.parametrize(
    "kind", ["openai", pytest.param("fp32", marks=with_weights), pytest.param("int8", marks=with_weights)]
)
class TestEveryEmbedder:
    async def test_gives_unit_vectors_of_its_own_length_in_order(self, kind):
        async with opened(kind) as embedder:
            vectors = await embedder.embed(TEXTS)
            alone = [(await embedder.embed([text]))[0] for text in TEXTS]
        assert [v.typecode for v in vectors] == ["f"] * len(TEXTS)
        assert {len(v) for v in vectors} == {embedder.identity.dimensions}
        assert all(math.isclose(cosine(v, v), 1, abs_tol=1e-5) for v in vectors)
        assert all(cosine(v, w) > 0.99999 for v, w in zip(vectors, alone, strict=True))
        assert cosine(vectors[0], vectors[3]) < 0.9

    async def test_gives_nothing_for_nothing(self, kind):
        async with opened(kind) as embedder:
            assert await embedder.embed([]) == []

    async def test_serves_two_callers_at_once(self, kind):
        async with opened(kind) as embedder:
            one, two = await asyncio.gather(embedder.embed(TEXTS), embedder.embed(TEXTS[::-1]))
        assert all(cosine(v, w) > 0.99999 for v, w in zip(one, two[::-1], strict=True))

    async def test_counts_tokens(self, kind):
        async with opened(kind) as embedder:
            assert embedder.count_tokens("") == 0
            assert 4 <= embedder.count_tokens("How do I reset my password?") <= 12
            assert embedder.count_tokens("word " * 1000) >= 1000


# MiniLM.


@with_weights
async def test_known_vector_of_the_published_model(minilm):
    # What sentence-transformers computes from the same weights.
    (vector,) = await minilm.embed(["How do I reset my password?"])
    assert np.allclose(vector[:4], [0.00690308, -0.06302344, -0.07204395, -0.03249611], atol=1e-5)
    assert minilm.identity.dimensions == 384


@with_weights
async def test_finds_the_paraphrase(minilm):
    question, right, wrong = await minilm.embed(
        ["How do I get my money back?", "Refunds are paid within ten days.", "The canteen opens at noon."]
    )
    assert cosine(question, right) > cosine(question, wrong) + 0.2


@with_weights
async def test_fp32_and_int8_never_share_an_identity(minilm):
    coarse = MiniLM(WEIGHTS, precision="int8")
    assert minilm.identity != coarse.identity
    (exact,), (near,) = await minilm.embed(["A short sentence."]), await coarse.embed(["A short sentence."])
    assert 0.97 < cosine(exact, near) < 0.99999


@with_weights
async def test_a_long_text_is_cut_not_refused(minilm):
    long, cut = await minilm.embed(["word " * 30_000, "word " * 254])
    assert cosine(long, cut) > 0.99999


@with_weights
async def test_a_question_does_not_wait_for_a_whole_ingestion(minilm):
    done = []
    many = asyncio.create_task(minilm.embed(["A sentence about holidays. " * 40] * 24))
    many.add_done_callback(lambda _: done.append("many"))
    await asyncio.sleep(0.1)
    await minilm.embed(["A question."])
    done.append("question")
    await many
    assert done == ["question", "many"]


@with_weights
async def test_closed_it_leaves_neither_its_thread_nor_its_model(tmp_path):
    before = set(threading.enumerate())
    async with open_embedder(Settings(frontdesk_home=tmp_path)) as embedder:
        await embedder.embed(["One."])
        (thread,) = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("embedder")]
        model = weakref.ref(embedder._model)
    assert not thread.is_alive()
    assert model() is None
    with pytest.raises(RuntimeError):
        await embedder.embed(["Two."])


@with_weights
def test_writes_nothing_to_stderr_even_when_the_process_forks():
    code = """
import asyncio, os, sys, warnings
from pathlib import Path
from adapters.embedded.minilm import MiniLM
from adapters.embedded.weights import find
embedder = MiniLM(find(Path("none")))
asyncio.run(embedder.embed(["One.", "Two."] * 20))
embedder.count_tokens("Three.")
warnings.simplefilter("ignore")
pid = os.fork()
if pid == 0:
    embedder.count_tokens("Four.")
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


@given(st.lists(st.integers(2, 256), max_size=60), st.integers(1, 2 * BATCH_TOKENS))
def test_batches_hold_every_row_once_within_the_budget(lengths, budget):
    rows = [[0] * length for length in lengths]
    batches = list(_batches(rows, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


# The weights.


@with_weights
def test_weights_in_the_data_home_come_first(tmp_path):
    assert weights.find(tmp_path) == WEIGHTS
    for name in (weights.MODEL, weights.TOKENIZER):
        (tmp_path / name).write_bytes(b"")
    assert weights.find(tmp_path).model == tmp_path / weights.MODEL


@with_weights
async def test_changed_weights_are_refused_by_name(tmp_path):
    shutil.copy(WEIGHTS.tokenizer, tmp_path)
    content = bytearray(WEIGHTS.model.read_bytes())
    content[-1] ^= 1
    (tmp_path / weights.MODEL).write_bytes(content)
    with pytest.raises(Refused, match=weights.MODEL):
        await MiniLM(weights.find(tmp_path)).embed(["x"])


@with_weights
async def test_a_changed_tokenizer_is_refused_by_name(tmp_path):
    (tmp_path / weights.TOKENIZER).write_text("{}")
    changed = weights.Weights(WEIGHTS.model, tmp_path / weights.TOKENIZER)
    with pytest.raises(Refused, match=weights.TOKENIZER):
        MiniLM(changed).count_tokens("x")


@with_weights
async def test_weights_that_vanish_are_reported(tmp_path):
    gone = weights.Weights(tmp_path / weights.MODEL, WEIGHTS.tokenizer)
    with pytest.raises(ModelUnavailable, match="model install"):
        await MiniLM(gone).embed(["x"])


@with_weights
def test_the_weights_package_is_never_imported():
    code = (
        "import sys; from pathlib import Path; from adapters.embedded.weights import find;"
        "w = find(Path('none')); w.read_model(); w.read_tokenizer();"
        "sys.exit(any(m.startswith('gt_all') or m == 'torch' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_install_says_what_to_do_where_nothing_can_be_fetched(tmp_path):
    # A child of its own: an interpreter that sees neither pip nor uv.
    code = f"""
import sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p] + [{str(ROOT)!r}]
from pathlib import Path
from adapters.embedded.weights import install
from core.errors import ModelUnavailable
try:
    install(Path({str(tmp_path / "models")!r}), print)
except ModelUnavailable as error:
    sys.exit(str(error))
"""
    command = [sys.executable, "-S", "-c", code]
    run = subprocess.run(command, capture_output=True, env={"PATH": ""}, timeout=60, check=False, text=True)
    assert run.returncode == 1
    assert "needs pip or uv" in run.stderr
    assert list((tmp_path / "models").iterdir()) == []


# A server that speaks OpenAI's API.


async def test_what_is_asked_and_what_is_read(server):
    async with connect(server) as embedder:
        (vector,) = await embedder.embed(["Hello there."])
    assert embedder.identity.name == MODEL
    assert embedder.identity.dimensions == FULL_LENGTH
    expected = vector_of("Hello there.")
    assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)
    assert server.requests[-1] == {"model": MODEL, "input": ["Hello there."], "encoding_format": "base64"}


async def test_given_dimensions_are_asked_for_without_a_probe(server):
    async with connect(server, dimensions=16) as embedder:
        assert server.requests == []
        (vector,) = await embedder.embed(["Hello"])
    assert (len(vector), embedder.identity.dimensions) == (16, 16)
    assert server.requests[0]["dimensions"] == 16


async def test_decimal_numbers_are_read_too(server):
    async with connect(server) as embedder:
        (coded,) = await embedder.embed(["Hello"])
        server.takes_base64 = False
        (plain,) = await embedder.embed(["Hello"])
    assert cosine(coded, plain) > 0.999999


async def test_batches_are_counted_and_few_run_at_once(server):
    texts = [f"text {i}" for i in range(6 * BATCH_TEXTS + 1)]
    server.delay_s = 0.05
    async with connect(server) as embedder:
        vectors = await embedder.embed(texts)
    assert [len(r["input"]) for r in server.requests[1:]] == [BATCH_TEXTS] * 6 + [1]
    assert server.busiest == CONCURRENT_REQUESTS
    assert all(
        cosine(v, vector_of(t)) > 0.999 * np.linalg.norm(vector_of(t)) for v, t in zip(vectors, texts, strict=True)
    )


async def test_long_texts_go_in_smaller_batches(server):
    async with connect(server) as embedder:
        await embedder.embed(["x" * 90_000] * 5)
    assert [len(r["input"]) for r in server.requests[1:]] == [2, 2, 1]


async def test_a_server_with_small_batches_gets_smaller_ones(server):
    server.max_texts = 32
    texts = [f"text {i}" for i in range(100)]
    async with connect(server) as embedder:
        vectors = await embedder.embed(texts)
    assert all(cosine(v, vector_of(t)) > 0 for v, t in zip(vectors, texts, strict=True))
    assert max(len(r["input"]) for r in server.requests if len(r["input"]) <= 32) == 25


async def test_one_text_too_large_is_reported(server):
    async with connect(server) as embedder:
        server.max_texts = 0
        with pytest.raises(ModelUnavailable, match="too large"):
            await embedder.embed(["one", "two"])


async def test_answers_in_any_order_are_put_in_order(server):
    server.change = lambda answer: {**answer, "data": answer["data"][::-1]}
    async with connect(server) as embedder:
        one, two = await embedder.embed(["one", "two"])
    assert cosine(one, vector_of("one")) > 4
    assert cosine(two, vector_of("two")) > 4


async def test_a_missing_index_means_the_order_of_the_texts(server):
    server.change = lambda answer: {"data": [{"embedding": item["embedding"]} for item in answer["data"]]}
    async with connect(server) as embedder:
        _, two = await embedder.embed(["one", "two"])
    assert cosine(two, vector_of("two")) > 4


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(server, status):
    async with connect(server) as embedder:
        server.failures = [(status, {"Retry-After": "0.05"})]
        assert len(await embedder.embed(["x"])) == 1
    assert server.statuses[status] == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "refused to embed"),
        (401, "refused the key"),
        (403, "refused the key"),
        (404, "knows no such model"),
        (413, "too large"),
        (422, "too large"),
        (429, "rate limit"),
        (500, "try again later"),
        (503, "try again later"),
    ],
)
async def test_a_lasting_failure_is_one_sentence(server, status, words):
    async with connect(server) as embedder:
        server.failures = [(status, {"Retry-After": "0.01"})] * 5
        with pytest.raises(ModelUnavailable, match=words) as caught:
            await embedder.embed(["x"])
    check_sentence(caught.value)
    assert server.statuses[status] <= 3


async def test_a_wrong_key_is_not_repeated_to_anyone(server):
    wrong = "sk-wrong-77e1"
    with pytest.raises(ModelUnavailable, match="refused the key") as caught:
        async with connect(server, api_key=wrong):
            pass
    assert wrong not in "".join(traceback.format_exception(caught.value))


async def test_a_wrong_model_is_named_at_the_start(server):
    with pytest.raises(ModelUnavailable, match="knows no such model"):
        async with connect(server, model="other"):
            pass


async def test_a_server_that_cannot_shorten_is_reported(server):
    server.shortens = False
    async with connect(server, dimensions=16) as embedder:
        with pytest.raises(ModelUnavailable, match="EMBEDDING_DIMENSIONS"):
            await embedder.embed(["x"])


async def test_another_length_than_before_is_refused(server):
    async with connect(server, dimensions=16) as embedder:
        server.change = lambda a: {"data": [{"index": 0, "embedding": [1.0] * 17}]}
        with pytest.raises(ModelUnavailable, match="17 numbers instead of 16"):
            await embedder.embed(["x"])


def item(embedding, index=0):
    return {"index": index, "embedding": embedding}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>It works!</html>",
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"data": [{"index": 0, "embed',
        b"\xff\xfe\x00",
        json.dumps({"data": None}).encode(),
        json.dumps({"data": []}).encode(),
        json.dumps({"data": [item([1.0] * FULL_LENGTH)]}).encode(),
        json.dumps({"data": [item([1.0] * FULL_LENGTH)] * 2}).encode(),
        json.dumps({"data": [item([1.0] * FULL_LENGTH, i) for i in range(3)]}).encode(),
        json.dumps({"data": [item([1.0] * FULL_LENGTH, i) for i in (1, 2)]}).encode(),
        json.dumps({"data": [item([1.0] * FULL_LENGTH, i) for i in ([], {})]}).encode(),
        json.dumps({"data": [item("not base64!", i) for i in range(2)]}).encode(),
        json.dumps({"data": [item("AAAA", i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([], i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([0.0] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([math.nan] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([math.inf] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([1e60] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([10**400] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item([[1.0]] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item(["x"] * FULL_LENGTH, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item(None, i) for i in range(2)]}).encode(),
        json.dumps({"data": [item(1.0, i) for i in range(2)]}).encode(),
        json.dumps({"data": [[1.0], [2.0]]}).encode(),
        json.dumps({"data": {"index": 0, "embedding": [1.0]}}).encode(),
    ],
)
async def test_nonsense_is_one_sentence(server, body):
    async with connect(server) as embedder:
        server.raw = body
        with pytest.raises(ModelUnavailable) as caught:
            await embedder.embed(["one", "two"])
    check_sentence(caught.value)


@pytest.mark.parametrize("way", ["silence", "drip"])
async def test_the_deadline_covers_the_whole_request(server, way):
    async with connect(server, dimensions=16, timeout_s=0.4) as embedder:
        server.delay_s, server.drip = (5, False) if way == "silence" else (0, True)
        with pytest.raises(ModelUnavailable, match="in time") as caught:
            await asyncio.wait_for(embedder.embed(["x"]), 10)
    check_sentence(caught.value)


async def test_a_long_retry_after_ends_at_the_deadline(server):
    async with connect(server, dimensions=16, timeout_s=0.4) as embedder:
        server.failures = [(429, {"Retry-After": "60"})]
        with pytest.raises(ModelUnavailable, match="in time"):
            await asyncio.wait_for(embedder.embed(["x"]), 10)


async def test_a_server_that_is_not_there_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelUnavailable, match="cannot be reached") as caught:
            async with OpenAIEmbedder.connect(model=MODEL, base_url=url, api_key=KEY):
                pass
    check_sentence(caught.value)


@pytest.mark.parametrize("url", ["localhost:11434", "foo", "ftp://host/v1", "http://", "http://[", "http://h:99999/"])
async def test_an_address_that_is_none_is_a_usage_error(url):
    with pytest.raises(UsageError, match="OPENAI_BASE_URL"):
        async with OpenAIEmbedder.connect(model=MODEL, base_url=url, api_key=KEY):
            pass


async def test_one_failed_batch_ends_the_others(server):
    async with connect(server) as embedder:
        server.failures = [(400, {})]
        server.delay_s = 0.05
        with pytest.raises(ModelUnavailable, match="refused to embed"):
            await embedder.embed([f"text {i}" for i in range(20 * BATCH_TEXTS)])
    assert len(server.requests) < 12


def check_sentence(error: FrontdeskError) -> None:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert KEY not in "".join(traceback.format_exception(error))
