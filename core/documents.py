"""Documents, from the file to the passage found: our words for them as plain data."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from core.places import Platform, Reader

if TYPE_CHECKING:
    Vector: TypeAlias = array[float]
    """One embedding: array('f') of the embedder's dimensions, unit length."""
else:
    Vector = array  # it takes no parameters at run time before Python 3.12


class Outcome(StrEnum):
    """How one document ends after ingestion."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    NO_TEXT = "no text found"
    REFUSED = "refused"


class BlockKind(StrEnum):
    """What a reader found: the structure the splitter cuts along."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    ROW = "row"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document as read, in reading order."""

    kind: BlockKind
    text: str
    level: int = 0  # of a heading, 1 is the highest
    page: int | None = None  # 1 is the first; None where the format has no pages


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a reader makes of one file."""

    title: str
    blocks: tuple[Block, ...]
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document small enough to embed and to quote."""

    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None  # where the chunk starts


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with everything search needs."""

    chunk: Chunk
    terms: Mapping[str, int]  # how often each term stands in it, title included
    vector: Vector | None  # None where there is no embedder


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """Tell apart vectors that must never be compared: the model, its version and its length."""

    name: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A named set of documents and the places it answers in."""

    kb_id: int
    name: str
    platforms: tuple[Platform, ...]
    channels: tuple[str, ...]  # ids of channels and of people; empty: every channel of these platforms
    embedder: EmbedderIdentity | None  # None: lexical search only
    documents: int
    chunks: int
    version: int  # rises with every change of what can be found
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """What is stored about one document."""

    document_id: int
    source: str  # the path or URL it came from; unique in its knowledge base
    title: str
    outcome: Outcome
    reason: str
    size_bytes: int
    chunks: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """What one ingestion learned of one document."""

    source: str
    title: str
    format: str
    sha256: bytes
    pipeline: int  # rises when reading, splitting or terms change, so that the same bytes are read again
    size_bytes: int
    outcome: Outcome
    reason: str = ""
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells that a document need not be read again."""

    sha256: bytes
    pipeline: int
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, by whom and from where."""

    reader: Reader
    terms: tuple[str, ...]
    vector: Vector | None = None
    embedder: EmbedderIdentity | None = None
    knowledge_bases: tuple[str, ...] = ()  # empty: all that may be read here
    limit: int = 8
    question: str = ""  # the text VECTOR is the embedding of; empty: what is found is not remembered
    readable: tuple[tuple[int, int], ...] | None = None  # id and version of those to search; None: all that may be read


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a question."""

    chunk_id: int
    document_id: int
    kb_name: str
    title: str
    source: str
    heading_path: tuple[str, ...]
    page: int | None
    text: str
    score: float  # what the order rests on: core/ranking.py
    coverage: float  # BM25 over the IDF mass of the question's terms
    cosine: float | None  # None where no vector was compared


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered source of an answer."""

    number: int
    document_id: int
    chunk_id: int
    label: str  # "Travel policy › Meals, p. 4"
    source: str  # a path or URL
    page: int | None
    quote: str
