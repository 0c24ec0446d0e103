"""Where a conversation is reached now: what was stored with a question, with the newest address of the service."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from core.errors import StoreUnavailable
from core.outbox import Target

_NOTED_S = 600.0
_READ_S = 30.0
_MOST = 20_000
_CHANGING = ("serviceUrl", "bot", "bot_name")


class Conversations(Protocol):
    """The part of adapters/postgres/conversations.py that is used here."""

    async def note(self, target: Target) -> None:
        """Keep the address of TARGET as the newest of its conversation."""

    async def newest(self, target: Target) -> Mapping[str, Any]:
        """Return the newest address of the conversation of TARGET; empty where none is known."""

    async def newest_of_all(self, target: Target) -> Mapping[str, Any]:
        """Return the newest address of any conversation of the installation of TARGET; empty where there is none."""


class References:
    """The newest addresses, of which only those that changed are written."""

    def __init__(self, store: Conversations, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[tuple[int, str, str], tuple[float, str]] = {}
        self._read: dict[tuple[int, str, str], tuple[float, Mapping[str, Any]]] = {}

    async def note(self, target: Target) -> None:
        """Keep where a conversation is reached, if that is new; raises StoreUnavailable."""
        key, url, now_s = _key(target), str(target.address.get("serviceUrl", "")), self._clock()
        known = self._noted.get(key)
        if known is not None and known[1] == url and now_s - known[0] < _NOTED_S:
            return
        await self._store.note(target)
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[key] = (now_s, url)
        self._read.pop(key, None)

    async def address(self, target: Target) -> dict[str, Any]:
        """Return the address of TARGET as it is now; where the database is away, as it was."""
        key, now_s = _key(target), self._clock()
        known = self._read.get(key)
        if known is None or now_s - known[0] >= _READ_S:
            try:
                known = (now_s, await self._store.newest(target))
            except StoreUnavailable:
                return dict(target.address)
            if len(self._read) >= _MOST:
                self._read.clear()
            self._read[key] = known
        newest = {name: known[1][name] for name in _CHANGING if known[1].get(name)}
        return {**target.address, **newest}

    async def moved(self, target: Target, url: str) -> str:
        """Return where the service of TARGET was heard from last; empty where that is URL, or not known.

        A tenant's conversations move to another region together, and a silent one is not told so.
        """
        try:
            newest = await self._store.newest_of_all(target)
        except StoreUnavailable:
            return ""
        found = str(newest.get("serviceUrl", ""))
        return "" if found == url else found


def _key(target: Target) -> tuple[int, str, str]:
    return target.tenant_id, target.installation, target.place.channel
