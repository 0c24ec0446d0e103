"""Keep answers and passages in Redis or Valkey, shared by all processes. No search module is needed.

Keys: an entry under its exact key; under `<scope>:vectors` a sorted set whose members are the 32 bytes of a question's
hash and its vector in float16, and whose scores are the times their entries end; under `<key>:flight` who answers.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis

from adapters.redis.link import REST_S, TIMEOUT_S, Link, open_link
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

LEASE_S = 3.0  # after which a leader that has died is replaced
LANDED = b"landed"
LANDED_S = 2.0  # how long those who wait are told that there will be no answer to share
POLL_S = (0.01, 0.25)  # the first pause between two looks at a flight, and the longest
MIRROR_S = 1.0  # how long a scope's vectors are kept in this process; a newer entry is found this much later
MAX_MIRRORS = 32
_HASH_BYTES = 32
_VECTOR = np.dtype("<f2")

_RENEW = """
local holder = redis.call('get', KEYS[1])
if holder == ARGV[1] or not holder then redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2]) end
"""
_LAND = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end"
_FAIL = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end"


@dataclass(frozen=True, slots=True)
class _Mirror:
    """The vectors of one scope as read a moment ago."""

    keys: tuple[str, ...]
    vectors: NDArray[np.float32]
    good_until: float


class RedisCache:
    """Keep answers and passages for all processes; without the server, everything is a miss."""

    def __init__(self, link: Link, *, largest_bytes: int = LARGEST_BYTES, lease_s: float = LEASE_S) -> None:
        self._link = link
        self._largest_bytes = largest_bytes
        self._lease_s = lease_s
        self._flights = Flights()
        self._mirrors: dict[str, _Mirror] = {}

    async def get(self, key: str) -> CachedAnswer | None:
        """Look up the answer kept under KEY."""
        return decode(key, await self._link.call(lambda client: client.get(key)))

    async def put(self, key: str, answer: CachedAnswer, ttl_s: float = TTL_S, *, vector: Vector | None = None) -> None:
        """Keep ANSWER for TTL_S; with VECTOR it can also be found by similar questions."""
        self._flights.land(key, answer)
        await self._keep(key, encode(key, answer), ttl_s, vector)
        self._mirrors.pop(scope_of(key), None)

    async def get_passages(self, key: str) -> tuple[Passage, ...] | None:
        """Look up the passages kept under KEY."""
        return decode_passages(key, await self._link.call(lambda client: client.get(key)))

    async def put_passages(self, key: str, passages: Sequence[Passage], ttl_s: float = TTL_S) -> None:
        """Keep PASSAGES for TTL_S, unless they are too large."""
        await self._keep(key, encode_passages(key, passages), ttl_s)

    async def similar(self, scope: CacheScope, vector: Vector, limit: int = CANDIDATES) -> list[Candidate]:
        """List the kept answers of SCOPE whose questions are nearest, the nearest first."""
        mirror = await self._mirror(scope_key(scope), len(vector))
        found = nearest(mirror.vectors, vector, limit) if mirror else []
        if not mirror or not found:
            return []
        keys = [mirror.keys[row] for row, _ in found]
        entries = await self._link.call(lambda client: client.mget(keys)) or [None] * len(keys)
        answers = [decode(key, entry) for key, entry in zip(keys, entries, strict=True)]
        pairs = zip(answers, found, strict=True)
        return [Candidate(answer, cosine) for answer, (_, cosine) in pairs if answer is not None]

    @asynccontextmanager
    async def single_flight(self, key: str, wait_s: float = WAIT_S) -> AsyncIterator[CachedAnswer | None]:
        """Answer a question that is asked many times at once only once: in this process, then among processes."""
        until = time.monotonic() + wait_s
        async with self._flights.join(key, wait_s) as flight:
            if not flight.leads:
                yield flight.answer
                return
            async with self._lead(key, until) as flight.answer:
                yield flight.answer

    async def forget(self, tenant_id: int) -> bool:
        """Erase everything kept of a tenant; False where the server did not answer."""
        self._mirrors.clear()
        erase = partial(_erase_some, prefix=tenant_prefix(tenant_id))
        cursor = await self._link.call(partial(erase, cursor=0))
        while cursor:
            cursor = await self._link.call(partial(erase, cursor=cursor))
        return cursor is not None

    async def _keep(self, key: str, entry: bytes, ttl_s: float, vector: Vector | None = None) -> None:
        ttl_ms = round(ttl_s * 1000)
        if len(entry) <= self._largest_bytes and ttl_ms > 0:
            await self._link.call(lambda client: _save(client, key, entry, ttl_ms, vector))

    async def _mirror(self, scope: str, dimensions: int) -> _Mirror | None:
        """Read the vectors of a scope, or what was read of them a moment ago."""
        now = time.monotonic()
        kept = self._mirrors.get(scope)
        if kept is not None and kept.good_until > now:
            return kept
        members = await self._link.call(lambda client: _read_vectors(client, scope))
        if members is None:
            return None
        size = _HASH_BYTES + dimensions * _VECTOR.itemsize
        whole = [member for member in members if len(member) == size]
        rows = np.frombuffer(b"".join(member[_HASH_BYTES:] for member in whole), _VECTOR)
        keys = tuple(f"{scope}:{member[:_HASH_BYTES].hex()}" for member in whole)
        vectors = rows.reshape(len(whole), dimensions).astype(np.float32)
        if len(self._mirrors) >= MAX_MIRRORS:
            self._mirrors.clear()
        mirror = self._mirrors[scope] = _Mirror(keys, vectors, now + MIRROR_S)
        return mirror

    @asynccontextmanager
    async def _lead(self, key: str, until: float) -> AsyncIterator[CachedAnswer | None]:
        """Yield None to the one process that answers, or the answer another process has put meanwhile."""
        token = secrets.token_hex(8)
        leads, answer = await self._contend(key, token, until)
        if not leads:
            yield answer
            return
        renewing = asyncio.create_task(self._renew(key, token))
        ended = False
        try:
            yield None
            ended = True
        finally:
            renewing.cancel()
            script, words = (_LAND, (LANDED, round(LANDED_S * 1000))) if ended else (_FAIL, ())
            await self._run(script, key, token, *words)

    async def _contend(self, key: str, token: str, until: float) -> tuple[bool, CachedAnswer | None]:
        """Take the flight of KEY or wait for its end; True says that it is taken, or nobody's to take."""
        pause_s, longest_s = POLL_S
        while True:
            seen = await self._link.call(lambda client: _take(client, key, token, round(self._lease_s * 1000)))
            if seen is None:
                return False, None
            taken, holder, entry = seen
            answer = decode(key, entry)
            if answer is not None and taken:
                await self._run(_FAIL, key, token)
            if answer is not None or taken:
                return answer is None, answer
            if holder == LANDED or time.monotonic() >= until:
                return False, None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, longest_s)

    async def _renew(self, key: str, token: str) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await self._run(_RENEW, key, token, round(self._lease_s * 1000))

    async def _run(self, script: str, key: str, *words: str | bytes | int) -> None:
        await self._link.call(lambda client: client.eval(script, 1, _flight(key), *words))


@asynccontextmanager
async def open_cache(url: str, *, timeout_s: float = TIMEOUT_S, rest_s: float = REST_S) -> AsyncIterator[RedisCache]:
    """Open the cache in the server at URL, which need not be there; raises UsageError where URL is not an address."""
    async with open_link(url, timeout_s=timeout_s, rest_s=rest_s) as link:
        yield RedisCache(link)


def _flight(key: str) -> str:
    return f"{key}:flight"


def _vectors(scope: str) -> str:
    return f"{scope}:vectors"


async def _save(client: Redis, key: str, entry: bytes, ttl_ms: int, vector: Vector | None) -> None:
    async with client.pipeline(transaction=False) as pipe:
        pipe.set(key, entry, px=ttl_ms)
        if vector is not None:
            vectors = _vectors(scope_of(key))
            now_ms = time.time() * 1000
            packed = bytes.fromhex(key.rpartition(":")[2]) + np.array(vector, _VECTOR).tobytes()
            pipe.zremrangebyscore(vectors, "-inf", now_ms)
            pipe.zadd(vectors, {packed: now_ms + ttl_ms})
            pipe.zremrangebyrank(vectors, 0, -NEWEST - 1)
            # Not only TTL_MS: an entry for seconds must not take the others' vectors along.
            pipe.pexpire(vectors, max(ttl_ms, round(TTL_S * 1000)))
        await pipe.execute()


async def _read_vectors(client: Redis, scope: str) -> list[bytes]:
    members = await client.zrangebyscore(_vectors(scope), time.time() * 1000, "+inf")
    return cast("list[bytes]", members)


async def _take(client: Redis, key: str, token: str, lease_ms: int) -> tuple[bool, bytes | None, bytes | None]:
    """Take the flight where it is free; tell whether it was, who holds it, and the entry there may be by now."""
    async with client.pipeline(transaction=False) as pipe:
        pipe.set(_flight(key), token, nx=True, px=lease_ms)
        pipe.get(_flight(key))
        pipe.get(key)
        taken, holder, entry = await pipe.execute()
    return bool(taken), holder, entry


async def _erase_some(client: Redis, *, prefix: str, cursor: int) -> int:
    cursor, keys = await client.scan(cursor, match=f"{prefix}*", count=1000)
    if keys:
        await client.unlink(*keys)
    return int(cursor)
