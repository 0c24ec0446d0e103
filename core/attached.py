"""Files that come with a message: their bytes, and what is read from them for one session alone."""

import base64
import math
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Protocol
from uuid import UUID

from core.documents import EmbedderIdentity, Outcome, Passage, Vector
from core.domain import Attachment
from core.ranking import RANKING, RankingWeights, rerank

MOST_FILES = 5
"""Files read with one message."""

MOST_SESSION_FILES = 20
"""Files kept for one session; all their chunks are compared with each question."""

MOST_CHUNKS = 200
"""Chunks kept of one file."""

_IDS_PER_FILE = 1_000  # so that ids of chunks and files can be told from one another; more than MOST_CHUNKS

# Sentences for whoever sent a file; messages of the catalogues.
NOT_READ = "{name} was not read: {reason}."
READ_IN_PART = "{name} is long: only its beginning was read, as far as {chunks} passages go."
TOO_MANY = "at most {limit} files are read with one message"
SESSION_FULL = "this conversation holds {limit} files already; begin a new one"
PICTURE = "pictures are not read; write what they show, or send a text"
RECORDING = "recordings are not read; write what is said in them"
ARCHIVE = "archives are not read; unpack it and send the files inside"
GONE = "it is no longer kept; send it again"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came."""

    name: str
    media_type: str
    data: bytes


class Uploads(Protocol):
    """Keep the bytes of files until somebody has read them."""

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound."""

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""


class PluggedUploads:
    """Uploads into which platforms plug how their own files are fetched."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    def plug(self, wrap: Callable[[Uploads], Uploads]) -> None:
        """Let WRAP stand before what is there."""
        self._uploads = wrap(self._uploads)

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""
        return await self._uploads.put(tenant_id, name, media_type, data, limit_bytes=limit_bytes)

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound."""
        return await self._uploads.get(tenant_id, upload_id)

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""
        await self._uploads.delete(tenant_id, upload_id)

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""
        return await self._uploads.purge(tenant_id, older_than_s)


@dataclass(frozen=True, slots=True)
class FileChunk:
    """A piece of a session's file with everything search needs."""

    text: str
    heading_path: tuple[str, ...]
    page: int | None
    terms: Mapping[str, int]  # how often each stands in it, the title included
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A file read for one session, or refused."""

    name: str
    outcome: Outcome
    reason: str = ""
    title: str = ""
    embedder: EmbedderIdentity | None = None  # whose vectors the chunks hold
    chunks: tuple[FileChunk, ...] = ()
    upload_id: int | None = None  # what it was read from
    file_id: int = 0  # 0 until it is stored


class SessionFiles(Protocol):
    """Keep what was read for a session; it goes with the session."""

    async def add(self, tenant_id: int, session_id: UUID, file: SessionFile) -> bool:
        """Keep FILE and drop its upload; False, with nothing kept, where that upload was read before or is gone."""

    async def files(self, tenant_id: int, session_id: UUID) -> list[SessionFile]:
        """List a session's files with their chunks, the oldest first."""

    async def taken(self, tenant_id: int, session_id: UUID) -> list[SessionFile]:
        """List a session's files without their chunks, the oldest first."""


class AttachmentReader(Protocol):
    """Read files for one session and find passages in them."""

    async def take(
        self, tenant_id: int, session_id: UUID, attachments: tuple[Attachment, ...], language: str
    ) -> tuple[str, ...]:
        """Read ATTACHMENTS for this session; one sentence, in LANGUAGE, for each not read, or not to its end.

        To be repeated without harm: what was taken before is not read again.
        """

    async def search(
        self, tenant_id: int, session_id: UUID, question: str, vector: Vector | None, limit: int
    ) -> tuple[Passage, ...]:
        """Find the best passages in the files of this session, best first."""


def rank(
    asked: Sequence[str],
    vector: Vector | None,
    embedder: EmbedderIdentity | None,
    files: Sequence[SessionFile],
    limit: int,
    weights: RankingWeights = RANKING,
) -> list[Passage]:
    """Rank the chunks of FILES as the main search does (core/ranking.py), with the files as the whole corpus.

    ASKED are the question's terms in order. Vectors are compared where EMBEDDER made both. Ids are negative, so that
    they are never those of a stored chunk or document.
    """
    coverages = _coverages(set(asked), [chunk.terms for file in files for chunk in file.chunks], weights)
    found = []
    for file in files:
        compared = vector if embedder is not None and file.embedder == embedder else None
        for place, chunk in enumerate(file.chunks):
            coverage = next(coverages)
            cosine = None if compared is None or chunk.vector is None else sum(map(mul, compared, chunk.vector))
            if coverage > 0 or cosine is not None:
                found.append(_passage(file, place, coverage, cosine, weights))
    found.sort(key=lambda passage: -passage.score)  # of equals the earlier stays first
    return rerank(asked, found[: max(limit, weights.reranked)], limit, weights)


def _coverages(asked: set[str], chunks: Sequence[Mapping[str, int]], weights: RankingWeights) -> Iterator[float]:
    found = Counter(term for held in chunks for term in asked & held.keys())
    idf = {term: math.log(1 + (len(chunks) - found[term] + 0.5) / (found[term] + 0.5)) for term in asked}
    lengths = [sum(held.values()) for held in chunks]
    mean = max(sum(lengths) / len(lengths), 1.0) if lengths else 1.0
    mass = sum(idf.values()) or 1.0
    return iter([_bm25(held, idf, length / mean, weights) / mass for held, length in zip(chunks, lengths, strict=True)])


def _bm25(held: Mapping[str, int], idf: Mapping[str, float], length: float, weights: RankingWeights) -> float:
    norm = weights.k1 * (1 - weights.b + weights.b * length)
    return sum(
        weight * held[term] * (weights.k1 + 1) / (held[term] + norm) for term, weight in idf.items() if term in held
    )


def _passage(file: SessionFile, place: int, coverage: float, cosine: float | None, weights: RankingWeights) -> Passage:
    chunk = file.chunks[place]
    return Passage(
        chunk_id=-(file.file_id * _IDS_PER_FILE + place),
        document_id=-file.file_id,
        kb_name="",
        title=file.title or file.name,
        source=file.name,
        heading_path=chunk.heading_path,
        page=chunk.page,
        text=chunk.text,
        score=coverage + weights.cosine_weight * (cosine or 0.0),
        coverage=coverage,
        cosine=cosine,
    )


def file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def pack(vector: Vector) -> str:
    """Write a vector as base64 of little-endian half-precision numbers, as pgvector's halfvec rounds them."""
    return base64.b64encode(struct.pack(f"<{len(vector)}e", *vector)).decode("ascii")


def unpack(text: str) -> Vector:
    """Read what pack wrote; raises ValueError for anything else."""
    try:
        data = base64.b64decode(text, validate=True)
        return array("f", struct.unpack(f"<{len(data) // 2}e", data))
    except struct.error as error:
        raise ValueError("not a packed vector") from error
