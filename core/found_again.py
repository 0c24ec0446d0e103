"""Passages found a moment ago, given again to the same question while nothing that could be found has changed."""

from collections.abc import Sequence
from dataclasses import replace

from core.cache import TTL_S, PassageCache, passages_key
from core.documents import Passage, Query
from core.places import Reader
from core.ports import Retriever


class RememberedSearch:
    """The Retriever port around another one, which is asked only for what the cache does not have.

    Passages depend on what may be read and on the question, so one who asks the same with another bot, model, mode or
    language is given them too, as is one whose answer must not be shared because it rests on what was said before.
    """

    def __init__(self, retriever: Retriever, cache: PassageCache, *, embeds: bool, ttl_s: float = TTL_S) -> None:
        self._retriever = retriever
        self._cache = cache
        self._embeds = embeds  # whether questions have vectors while all is well
        self._ttl_s = ttl_s

    async def readable(self, tenant_id: int, reader: Reader, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
        """List id and version of each knowledge base that READER may read; with NAMES, of those only."""
        return await self._retriever.readable(tenant_id, reader, names)

    async def search(self, tenant_id: int, query: Query) -> list[Passage]:
        """Find the best passages among what the query's reader may read; best first."""
        cut_short = self._embeds and query.vector is None
        if cut_short or not query.question:
            return await self._retriever.search(tenant_id, query)
        readable = query.readable
        if readable is None:
            readable = await self.readable(tenant_id, query.reader, query.knowledge_bases)
        key = passages_key(tenant_id, readable, query, query.question)
        if kept := await self._cache.get_passages(key):
            return list(kept)
        # Only in what the key names: under this key, the passages of a knowledge base granted here meanwhile would
        # also be given where it may not be read.
        found = await self._retriever.search(tenant_id, replace(query, readable=readable))
        if found:
            await self._cache.put_passages(key, found, self._ttl_s)
        return found
