"""Answers and passages that may be served again: for whom, to which question, in what form, and one at a time.

They may be served again only to who may read exactly what they rest on, in the same versions. All of that is in the
key, so a changed document or a withdrawn scope makes every older entry unreachable at once; nothing is searched for
and deleted. Caches may be lost at any time, and no cache ever raises: what goes wrong is a miss.
"""

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.documents import Citation, EmbedderIdentity, Passage, Query, Vector
from core.domain import Origin
from core.errors import ModelUnavailable
from core.similar import MIN_COSINE, Verdict, Verifier, compare, normalise

T = TypeVar("T")
SCHEMA = 2  # rises with every change of what an entry means; older entries are misses
PREFIX = f"frontdesk:cache:{SCHEMA}"
TTL_S = 3600.0
WAIT_S = 30.0  # for another's answer to the same question, as long as one answer may take
LARGEST_BYTES = 64 * 1024  # of one entry
NEWEST = 500  # entries of one scope that a similar question is compared with
CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class CacheScope:
    """Everything besides the question that an answer depends on."""

    tenant_id: int
    knowledge_bases: tuple[tuple[int, int], ...]  # id and version of each that may be read, read before searching
    mode: str  # grounded or open
    language: str
    model: str  # which model answers, as its identity tells
    configuration: str = ""  # a hash of the settings an answer depends on: prompt, limits, bot
    embedder: EmbedderIdentity | None = None


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer as it is kept."""

    question: str  # the stand-alone form it answers
    text: str
    origin: Origin
    citations: tuple[Citation, ...] = ()
    resolved: bool = True
    notice: str = ""
    model: str = ""  # that wrote it
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kept answer to a question near the one asked."""

    answer: CachedAnswer
    cosine: float


class AnswerCache(Protocol):
    """Keep answers for a while. Nothing here raises: a cache that fails has nothing."""

    async def get(self, key: str) -> CachedAnswer | None:
        """Look up the answer kept under KEY."""

    async def put(self, key: str, answer: CachedAnswer, ttl_s: float = TTL_S, *, vector: Vector | None = None) -> None:
        """Keep ANSWER for TTL_S; with VECTOR, that of its question, it can also be found by similar questions.

        Not to be called with an answer that rests on anything outside its scope: earlier turns, files of the author,
        the author's name, a person's words, or a search that was cut short. Too large an answer is not kept.
        """

    async def similar(self, scope: CacheScope, vector: Vector, limit: int = CANDIDATES) -> list[Candidate]:
        """List the kept answers of SCOPE whose questions are nearest, from MIN_COSINE on, the nearest first."""

    def single_flight(self, key: str, wait_s: float = WAIT_S) -> AbstractAsyncContextManager[CachedAnswer | None]:
        """Answer a question that is asked many times at once only once.

        Yields None to the one who shall answer, and who calls put inside. The others wait and are given that answer.
        Where the first fails, one of them takes over; where it ends without put, or WAIT_S is over, they get None.
        """

    async def forget(self, tenant_id: int) -> bool:
        """Erase everything kept of a tenant; False where that could not be made sure."""


class PassageCache(Protocol):
    """Keep what searches found. Nothing here raises: a cache that fails has nothing."""

    async def get_passages(self, key: str) -> tuple[Passage, ...] | None:
        """Look up the passages kept under KEY."""

    async def put_passages(self, key: str, passages: Sequence[Passage], ttl_s: float = TTL_S) -> None:
        """Keep PASSAGES for TTL_S in their order, unless they are too large; forgetting a tenant erases them too."""


class Cache(AnswerCache, PassageCache, Protocol):
    """Keep both, and forget both at once."""


def scope_key(scope: CacheScope) -> str:
    """Name SCOPE: the tenant in clear, the rest as SHA-256."""
    parts = [
        sorted(set(scope.knowledge_bases)),
        scope.mode,
        scope.language,
        scope.model,
        scope.configuration,
        [scope.embedder.name, scope.embedder.dimensions] if scope.embedder else None,
    ]
    return f"{tenant_prefix(scope.tenant_id)}{_sha256(json.dumps([scope.tenant_id, *parts]))}"


def exact_key(scope: CacheScope, question: str) -> str:
    """Name the answer to the stand-alone QUESTION in SCOPE; case, spaces and closing punctuation do not count."""
    return f"{scope_key(scope)}:{_sha256(normalise(question))}"


def passages_key(tenant_id: int, readable: Collection[tuple[int, int]], query: Query, question: str) -> str:
    """Name what QUERY finds in the READABLE knowledge bases, each given by id and version.

    QUESTION stands for the query's vector, which is its embedding and may differ in the last bits each time. Who asks,
    where, in which language and which model will answer are left out: passages depend on none of them.
    """
    embedder = query.embedder if query.vector is not None else None
    parts = [
        tenant_id,
        sorted(set(readable)),
        query.terms,
        query.limit,
        [embedder.name, embedder.dimensions] if embedder else None,
        normalise(question),
    ]
    return f"{tenant_prefix(tenant_id)}passages:{_sha256(json.dumps(parts))}"


def tenant_prefix(tenant_id: int) -> str:
    """Return what all keys of a tenant begin with."""
    return f"{PREFIX}:{tenant_id:d}:"


def scope_of(key: str) -> str:
    """Return the scope's name in an exact key."""
    return key.rpartition(":")[0]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def encode(key: str, answer: CachedAnswer) -> bytes:
    """Write an entry that holds an answer."""
    return _write(key, answer={**asdict(answer), "created_at": answer.created_at.isoformat()})


def decode(key: str, entry: bytes | str | None) -> CachedAnswer | None:
    """Read an entry; None for anything that is not a whole entry of this schema and key."""
    return _read(key, entry, lambda content: _answer(content["answer"]))


def encode_passages(key: str, passages: Sequence[Passage]) -> bytes:
    """Write an entry that holds passages."""
    return _write(key, passages=[asdict(passage) for passage in passages])


def decode_passages(key: str, entry: bytes | str | None) -> tuple[Passage, ...] | None:
    """Read an entry of passages; None for anything that is not a whole one of this schema and key."""
    return _read(key, entry, lambda content: tuple(map(_passage, _is(list, content["passages"]))))


def _write(key: str, **content: Any) -> bytes:
    """Write an entry as JSON; it names its key, so that it can never be taken for another's."""
    # Not in ASCII: escaped, Greek or Chinese passages would be two or three times as long and soon too large.
    words = json.dumps({"schema": SCHEMA, "key": key, **content}, ensure_ascii=False, separators=(",", ":"))
    return words.encode("utf-8", "surrogatepass")


def _read(key: str, entry: bytes | str | None, build: Callable[[dict[str, Any]], T]) -> T | None:
    try:
        content = json.loads(entry or b"null")
        return build(content) if content["schema"] == SCHEMA and content["key"] == key else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _answer(fields: dict[str, Any]) -> CachedAnswer:
    """Build an answer; raises ValueError, TypeError or KeyError where the fields are not its own."""
    return CachedAnswer(
        question=_is(str, fields["question"]),
        text=_is(str, fields["text"]),
        origin=Origin(fields["origin"]),
        citations=tuple(map(_citation, _is(list, fields["citations"]))),
        resolved=_is(bool, fields["resolved"]),
        notice=_is(str, fields["notice"]),
        model=_is(str, fields["model"]),
        created_at=datetime.fromisoformat(fields["created_at"]),
    )


def _citation(fields: dict[str, Any]) -> Citation:
    return Citation(
        **{name: _is(int, fields[name]) for name in ("number", "document_id", "chunk_id")},
        **{name: _is(str, fields[name]) for name in ("label", "source", "quote")},
        page=None if fields["page"] is None else _is(int, fields["page"]),
    )


def _passage(fields: dict[str, Any]) -> Passage:
    return Passage(
        **{name: _is(int, fields[name]) for name in ("chunk_id", "document_id")},
        **{name: _is(str, fields[name]) for name in ("kb_name", "title", "source", "text")},
        heading_path=tuple(_is(str, heading) for heading in _is(list, fields["heading_path"])),
        page=None if fields["page"] is None else _is(int, fields["page"]),
        score=_finite(fields["score"]),
        coverage=_finite(fields["coverage"]),
        cosine=None if fields["cosine"] is None else _finite(fields["cosine"]),
    )


def _is(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _finite(value: Any) -> float:
    if type(value) is not float or not math.isfinite(value):  # PostgreSQL's JSON, where turns keep them, has no NaN
        raise TypeError
    return value


def nearest(vectors: NDArray[np.float32], vector: Vector, limit: int) -> list[tuple[int, float]]:
    """List the rows of VECTORS nearest to VECTOR, both of unit length, with their cosines, from MIN_COSINE on."""
    if not len(vectors) or vectors.shape[1] != len(vector):
        return []
    with np.errstate(all="ignore"):  # rubbish from a shared store may hold any number
        cosines = vectors @ np.frombuffer(vector, np.float32)
    best = np.argsort(-cosines)[:limit]
    return [(int(row), float(cosines[row])) for row in best if cosines[row] >= MIN_COSINE]


async def find_same(
    question: str,
    candidates: Sequence[Candidate],
    *,
    verifier: Verifier | None = None,
    names: Collection[str] = (),
    idf: Callable[[str], float] = lambda _: 1.0,
) -> CachedAnswer | None:
    """Choose the candidate that answers QUESTION: by the rule alone, else the nearest close one by the verifier."""
    close = None
    for candidate in candidates:
        verdict = compare(question, candidate.answer.question, candidate.cosine, names=names, idf=idf)
        if verdict is Verdict.SAME:
            return candidate.answer
        if verdict is Verdict.CLOSE:
            close = close or candidate.answer
    if close is None or verifier is None:
        return None
    try:
        return close if await verifier.same(question, close.question) else None
    except ModelUnavailable:
        return None


@dataclass(slots=True)
class Flight:
    """One question under way in this process."""

    leads: bool  # whether this caller is the one who answers for all
    over: asyncio.Future[bool]  # False: it failed, and another may take over
    answer: CachedAnswer | None = None


class Flights:
    """Let one caller of this process answer while the others who ask the same wait."""

    def __init__(self) -> None:
        self._open: dict[str, Flight] = {}

    def land(self, key: str, answer: CachedAnswer) -> None:
        """Have ANSWER ready for those who wait for KEY."""
        if key in self._open:
            self._open[key].answer = answer

    @asynccontextmanager
    async def join(self, key: str, wait_s: float) -> AsyncIterator[Flight]:
        """Lead the flight of KEY, or wait for its end and be given the answer it landed with."""
        flight = await self._board(key, wait_s)
        if not flight.leads:
            yield flight
            return
        ended = False
        try:
            yield flight
            ended = True
        finally:
            del self._open[key]
            flight.over.set_result(ended or flight.answer is not None)

    async def _board(self, key: str, wait_s: float) -> Flight:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while (ahead := self._open.get(key)) is not None:
            await asyncio.wait({ahead.over}, timeout=max(0.0, until - loop.time()))
            if not ahead.over.done():
                return Flight(leads=False, over=ahead.over)
            if ahead.over.result():
                return Flight(leads=False, over=ahead.over, answer=ahead.answer)
        # No await between the last look and this: whoever wakes first takes over, and the others wait for it.
        flight = self._open[key] = Flight(leads=True, over=loop.create_future())
        return flight
