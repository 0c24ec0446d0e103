"""From sources to searchable documents: read, clean, split, embed, save; each source ends with an outcome."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.attached import Upload, file_name
from core.documents import Chunk, DocumentVersion, Fingerprint, IndexedChunk, KnowledgeBase, Outcome, Vector
from core.errors import NotFound, Refused, UnreadableDocument
from core.ingestions import NOT_KEPT, SourceResult
from core.ports import Embedder, KnowledgeStore
from core.terms import count
from ingest.fetch import AllowedTargets, FetchLimits, fetch
from ingest.formats import detect
from ingest.sandbox import Sandbox
from ingest.sources import Source
from ingest.split import indexed_text, split

PIPELINE = 1
"""Rises when reading, splitting or terms change, so that unchanged bytes are read again."""

_CHUNKS_AT_ONCE = 96  # embedded together: enough to sort by length into full batches, few enough to save often


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingestion is."""

    done: int  # sources that have ended
    total: int
    result: SourceResult | None = None  # of the source that ended just now
    embedding: str = ""  # the source whose chunks are being embedded
    part: float = 0.0  # of that source, 0 to 1


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator allows documents to be."""

    size_bytes: int = 10 * 1024 * 1024
    fetch: FetchLimits = field(default_factory=FetchLimits)
    allow: AllowedTargets = field(default_factory=AllowedTargets)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document read and split, waiting for its vectors."""

    version: DocumentVersion
    chunks: tuple[Chunk, ...] = ()


class Ingestion:
    """Ingest documents into knowledge bases."""

    def __init__(self, store: KnowledgeStore, embedder: Embedder | None, limits: Limits) -> None:
        self._store = store
        self._embedder = embedder
        self._limits = limits

    async def ingest(
        self, tenant_id: int, kb: KnowledgeBase, sources: Sequence[Source], tell: Tell
    ) -> list[SourceResult]:
        """Ingest SOURCES into KB; a source that fails is reported and does not stop the others.

        Raises StoreUnavailable or ModelUnavailable; everything finished until then stays saved.
        """
        known = await self._store.fingerprints(tenant_id, kb.kb_id)
        run = _Run(len(sources), tell)
        waiting = iter(sources)
        async with Sandbox() as sandbox:
            # While one batch is embedded, the next is read in the child process and the one before is saved.
            reading = asyncio.create_task(self._prepare_some(waiting, known, sandbox, run))
            saving = asyncio.create_task(asyncio.sleep(0))
            try:
                while batch := await reading:
                    reading = asyncio.create_task(self._prepare_some(waiting, known, sandbox, run))
                    vectors = await self._embed(batch, run)
                    await saving
                    saving = asyncio.create_task(self._save(tenant_id, kb.kb_id, batch, vectors, run))
                await saving
            finally:
                reading.cancel()
                await asyncio.gather(reading, saving, return_exceptions=True)
        return run.results

    async def ingest_alone(
        self,
        tenant_id: int,
        kb: KnowledgeBase,
        sources: Sequence[Source],
        tell: Tell,
        begin: Callable[[str], Awaitable[None]],
    ) -> list[SourceResult]:
        """Ingest one source after the other, slower than `ingest`; await BEGIN with the name of each before it."""
        known = await self._store.fingerprints(tenant_id, kb.kb_id)
        run = _Run(len(sources), tell)
        async with Sandbox() as sandbox:
            for source in sources:
                await begin(source.name)
                batch = await self._prepare_some(iter([source]), known, sandbox, run)
                await self._save(tenant_id, kb.kb_id, batch, await self._embed(batch, run), run)
        return run.results

    async def reembed(self, tenant_id: int, kb: KnowledgeBase, tell: Tell) -> int:
        """Embed what the present embedder has not embedded yet, then search with its vectors; count those chunks."""
        if self._embedder is None:
            return 0
        done = 0
        while rows := await self._store.chunks_without_vector(
            tenant_id, kb.kb_id, self._embedder.identity, _CHUNKS_AT_ONCE
        ):
            texts = [indexed_text(title, Chunk(text, path)) for _, title, path, text in rows]
            vectors = await self._embedder.embed(texts)
            pairs = [(row[0], vector) for row, vector in zip(rows, vectors, strict=True)]
            await self._store.save_vectors(tenant_id, kb.kb_id, self._embedder.identity, pairs)
            done += len(rows)
            tell(Progress(0, 0, embedding=kb.name, part=min(done / max(kb.chunks, 1), 1.0)))
        if done or (kb.chunks and kb.embedder != self._embedder.identity):
            await self._store.switch_embedder(tenant_id, kb.kb_id, self._embedder.identity)
        return done

    async def _prepare_some(
        self, waiting: Iterator[Source], known: dict[str, Fingerprint], sandbox: Sandbox, run: "_Run"
    ) -> list[Prepared]:
        """Read documents until there is enough to embed at once; an empty list means there are no more."""
        batch: list[Prepared] = []
        for source in waiting:
            prepared = await self._prepare(source, known.get(source.name), sandbox)
            if isinstance(prepared, SourceResult):
                run.end(prepared)
                continue
            batch.append(prepared)
            if sum(len(document.chunks) for document in batch) >= _CHUNKS_AT_ONCE:
                break
        return batch

    async def _prepare(self, source: Source, known: Fingerprint | None, sandbox: Sandbox) -> Prepared | SourceResult:
        """Read and split one source; where the same bytes were ingested before, say again how that ended."""
        title, data = source.title, b""
        if not _is_text(source.name):
            name = source.name.encode("utf-8", "replace").decode()
            return SourceResult(name, Outcome.REFUSED, "its name is not UTF-8; rename it")
        try:
            name, media_type, data = await self._load(source)
            if known is not None and _unchanged(known, data):
                ended = Outcome.UNCHANGED if known.outcome is Outcome.INDEXED else known.outcome
                return SourceResult(source.name, ended, known.reason)
            file_format = detect(name, data[:4096], media_type)
            document = await sandbox.read(file_format, name, data)
            title = document.title or name
            chunks = await asyncio.to_thread(split, document, self._count_tokens)
        except Refused as error:
            return Prepared(_version(source, title, data, Outcome.REFUSED, reason=str(error)))
        if not chunks:
            reason = "it holds no text" + ("; a scan needs text recognition (OCR) first" if document.pages else "")
            return Prepared(_version(source, title, data, Outcome.NO_TEXT, reason=reason, pages=document.pages))
        version = _version(source, title, data, Outcome.INDEXED, file_format=file_format.value, pages=document.pages)
        return Prepared(version, tuple(chunks))

    async def _load(self, source: Source) -> tuple[str, str | None, bytes]:
        """Return a document's name, media type and bytes."""
        if source.open is not None:
            return await _open(source.open)
        if source.path is None:
            fetched = await fetch(source.name, self._limits.fetch, self._limits.allow)
            return fetched.name, fetched.media_type, fetched.data
        try:
            size = source.path.stat().st_size
            if size > self._limits.size_bytes:
                raise UnreadableDocument(too_large(size, self._limits.size_bytes))
            return source.path.name, None, await asyncio.to_thread(source.path.read_bytes)
        except OSError as error:
            raise UnreadableDocument(f"it cannot be opened: {error.strerror}") from error

    def _count_tokens(self, text: str) -> int:
        # Without an embedder nothing is cut off; words are as good a measure as any.
        return self._embedder.count_tokens(text) if self._embedder else len(text.split())

    async def _save(
        self, tenant_id: int, kb_id: int, batch: Sequence[Prepared], vectors: Sequence[Vector | None], run: "_Run"
    ) -> None:
        """Save document by document, each with its share of VECTORS."""
        identity = self._embedder.identity if self._embedder else None
        coming = iter(vectors)
        for document in batch:
            counted = await asyncio.to_thread(_count_terms, document)
            indexed = [
                IndexedChunk(chunk, terms, next(coming)) for chunk, terms in zip(document.chunks, counted, strict=True)
            ]
            await self._store.save(tenant_id, kb_id, document.version, indexed, identity)
            version = document.version
            run.end(SourceResult(version.source, version.outcome, version.reason, len(indexed)))

    async def _embed(self, batch: Sequence[Prepared], run: "_Run") -> list[Vector | None]:
        """Embed the chunks of BATCH together."""
        texts = [indexed_text(document.version.title, chunk) for document in batch for chunk in document.chunks]
        if self._embedder is None:
            return [None] * len(texts)
        vectors: list[Vector | None] = []
        for start in range(0, len(texts), _CHUNKS_AT_ONCE):
            vectors += await self._embedder.embed(texts[start : start + _CHUNKS_AT_ONCE])
            run.embedded(batch[-1].version.source, len(vectors) / len(texts))
        return vectors


@dataclass(slots=True)
class _Run:
    """One ingestion under way."""

    total: int
    tell: Tell
    results: list[SourceResult] = field(default_factory=list)

    def end(self, result: SourceResult) -> None:
        self.results.append(result)
        self.tell(Progress(len(self.results), self.total, result=result))

    def embedded(self, source: str, part: float) -> None:
        self.tell(Progress(len(self.results), self.total, embedding=source, part=part))


def too_large(size_bytes: int, limit_bytes: int) -> str:
    """Say why a file was not taken, and what to do."""
    limit = f"the limit is {limit_bytes / 1e6:.0f}"
    return f"it has {size_bytes / 1e6:.1f} MB and {limit}; split it, or have the limit raised"


async def _open(opener: Callable[[], Awaitable[Upload]]) -> tuple[str, str | None, bytes]:
    try:
        upload = await opener()
    except NotFound as error:
        raise UnreadableDocument(NOT_KEPT) from error
    return file_name(upload.name), upload.media_type or None, upload.data


def _count_terms(document: Prepared) -> list[Mapping[str, int]]:
    """Count the terms of each chunk; of a long document it takes seconds, so that it is work for a thread."""
    return [count(indexed_text(document.version.title, chunk)) for chunk in document.chunks]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of a file's name that are no UTF-8
        return False
    return True


def _unchanged(known: Fingerprint, data: bytes) -> bool:
    """Tell whether there is nothing to do; a remark that a newer file was refused goes once the good bytes are back."""
    remark = known.outcome is Outcome.INDEXED and known.reason
    return not remark and known.pipeline == PIPELINE and known.sha256 == hashlib.sha256(data).digest()


def _version(
    source: Source,
    title: str,
    data: bytes,
    outcome: Outcome,
    *,
    file_format: str = "",
    reason: str = "",
    pages: int | None = None,
) -> DocumentVersion:
    return DocumentVersion(
        source=source.name,
        title=title,
        format=file_format,
        sha256=hashlib.sha256(data).digest(),
        pipeline=PIPELINE,
        size_bytes=len(data),
        outcome=outcome,
        reason=reason,
        pages=pages,
    )
