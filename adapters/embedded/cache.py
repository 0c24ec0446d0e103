"""Keep answers and passages in this process: no server, bounded memory, gone with the process."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.cache import (
    CANDIDATES,
    LARGEST_BYTES,
    NEWEST,
    TTL_S,
    WAIT_S,
    CachedAnswer,
    CacheScope,
    Candidate,
    Flights,
    decode,
    decode_passages,
    encode,
    encode_passages,
    nearest,
    scope_key,
    scope_of,
    tenant_prefix,
)
from core.documents import Passage, Vector

TOTAL_BYTES = 64 * 1024 * 1024
MAX_SCOPES = 64  # with vectors; one of 500 entries and 384 dimensions takes 0.8 MB


@dataclass(slots=True)
class _Vectors:
    """The vectors of the newest entries of one scope."""

    rows: OrderedDict[str, NDArray[np.float32]] = field(default_factory=OrderedDict)  # by key, the newest last
    stacked: NDArray[np.float32] | None = None  # None after a change

    def add(self, key: str, vector: Vector) -> None:
        if any(len(row) != len(vector) for row in self.rows.values()):
            self.rows.clear()
        self.rows[key] = np.array(vector, np.float32)
        self.rows.move_to_end(key)
        if len(self.rows) > NEWEST:
            self.rows.popitem(last=False)
        self.stacked = None

    def drop(self, key: str) -> None:
        if self.rows.pop(key, None) is not None:
            self.stacked = None

    def nearest(self, vector: Vector, limit: int) -> list[tuple[str, float]]:
        if not self.rows:
            return []
        if self.stacked is None:
            self.stacked = np.stack(list(self.rows.values()))
        keys = list(self.rows)
        return [(keys[row], cosine) for row, cosine in nearest(self.stacked, vector, limit)]


class InProcessCache:
    """Keep what was used last, up to a number of bytes."""

    def __init__(
        self,
        *,
        largest_bytes: int = LARGEST_BYTES,
        total_bytes: int = TOTAL_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._largest_bytes = largest_bytes
        self._total_bytes = total_bytes
        self._now = now
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()  # the one used last is last
        self._bytes = 0
        self._scopes: OrderedDict[str, _Vectors] = OrderedDict()
        self._flights = Flights()

    async def get(self, key: str) -> CachedAnswer | None:
        """Look up the answer kept under KEY."""
        return decode(key, self._entry(key))

    async def put(self, key: str, answer: CachedAnswer, ttl_s: float = TTL_S, *, vector: Vector | None = None) -> None:
        """Keep ANSWER for TTL_S; with VECTOR it can also be found by similar questions."""
        self._flights.land(key, answer)
        if self._keep(key, encode(key, answer), ttl_s) and vector is not None:
            self._add_vector(key, vector)

    async def get_passages(self, key: str) -> tuple[Passage, ...] | None:
        """Look up the passages kept under KEY."""
        return decode_passages(key, self._entry(key))

    async def put_passages(self, key: str, passages: Sequence[Passage], ttl_s: float = TTL_S) -> None:
        """Keep PASSAGES for TTL_S, unless they are too large."""
        self._keep(key, encode_passages(key, passages), ttl_s)

    async def similar(self, scope: CacheScope, vector: Vector, limit: int = CANDIDATES) -> list[Candidate]:
        """List the kept answers of SCOPE whose questions are nearest, the nearest first."""
        vectors = self._scopes.get(scope_key(scope))
        found = vectors.nearest(vector, limit) if vectors else []
        answers = [(await self.get(key), cosine) for key, cosine in found]
        return [Candidate(answer, cosine) for answer, cosine in answers if answer is not None]

    @asynccontextmanager
    async def single_flight(self, key: str, wait_s: float = WAIT_S) -> AsyncIterator[CachedAnswer | None]:
        """Answer a question that is asked many times at once only once."""
        async with self._flights.join(key, wait_s) as flight:
            if flight.leads:
                flight.answer = await self.get(key)  # kept by one who landed just before this caller asked
            yield flight.answer

    async def forget(self, tenant_id: int) -> bool:
        """Erase everything kept of a tenant."""
        prefix = tenant_prefix(tenant_id)
        for key in [key for key in self._entries if key.startswith(prefix)]:
            self._drop(key)
        for scope in [scope for scope in self._scopes if scope.startswith(prefix)]:
            del self._scopes[scope]
        return True

    def _entry(self, key: str) -> bytes | None:
        if key not in self._entries:
            return None
        expires_at, entry = self._entries[key]
        if expires_at <= self._now():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def _keep(self, key: str, entry: bytes, ttl_s: float) -> bool:
        """Keep an entry and drop those used longest ago; False where it is too large."""
        if len(entry) > self._largest_bytes:
            return False
        self._drop(key)
        self._entries[key] = self._now() + ttl_s, entry
        self._bytes += len(entry)
        while self._bytes > self._total_bytes:
            self._drop(next(iter(self._entries)))
        return True

    def _drop(self, key: str) -> None:
        _, entry = self._entries.pop(key, (0.0, b""))
        self._bytes -= len(entry)
        if scope_of(key) in self._scopes:
            self._scopes[scope_of(key)].drop(key)

    def _add_vector(self, key: str, vector: Vector) -> None:
        scope = scope_of(key)
        self._scopes.setdefault(scope, _Vectors()).add(key, vector)
        self._scopes.move_to_end(scope)
        if len(self._scopes) > MAX_SCOPES:
            self._scopes.popitem(last=False)
