"""Our words as plain data; docs/glossary.md explains each in a sentence."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

if TYPE_CHECKING:
    Vector: TypeAlias = array[float]
    """One embedding: array('f') of the embedder's dimensions, unit length."""
else:
    Vector = array  # it takes no parameters at run time before Python 3.12


class Platform(StrEnum):
    """Where a message comes from."""

    CONSOLE = "console"
    SLACK = "slack"
    TEAMS = "teams"
    TELEGRAM = "telegram"
    WEB = "web"
    API = "api"


EMPLOYEE_PLATFORMS = (Platform.CONSOLE, Platform.SLACK, Platform.TEAMS)
"""Where a new knowledge base answers unless its administrator says otherwise: never where customers write."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation happens: a platform, its channel, and the thread in it."""

    platform: Platform
    channel: str
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message, as the platform names them."""

    author_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One incoming message, whatever the platform."""

    tenant_id: int
    place: Place
    author: Author
    text: str
    session_id: UUID | None = None  # the session the author chose; else the thread's own
    knowledge_bases: tuple[str, ...] = ()  # the ones the author chose; empty: all that may be read in this place


class Role(StrEnum):
    """Who speaks in a turn."""

    AUTHOR = "author"
    ASSISTANT = "assistant"
    PERSON = "person"


class Origin(StrEnum):
    """What an answer rests on."""

    SMALL_TALK = "small talk"
    DOCUMENTS = "documents"
    OPEN_CHAT = "open chat"
    NOTHING_FOUND = "nothing found"
    PERSON = "person"


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
    channels: tuple[str, ...]  # empty: every channel of these platforms
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
    """What is searched for, and from where."""

    place: Place
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


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost."""

    input_tokens: int = 0
    output_tokens: int = 0


NO_USAGE = Usage()


class Mode(StrEnum):
    """What an answer may rest on."""

    GROUNDED = "grounded"  # on documents alone, with citations
    OPEN = "open"  # on what the model knows; documents where there are any


@dataclass(frozen=True, slots=True)
class BotConfiguration:
    """How one bot answers; a channel names its bot, and there is always a default one."""

    name: str = "default"
    prompt: str = ""  # added to the instructions, e.g. a tone or a company's name
    mode: Mode = Mode.GROUNDED
    knowledge_bases: tuple[str, ...] = ()  # empty: all that may be read in the place
    models: tuple[str, ...] = ()  # tried in order; empty: those of the settings
    temperature: float = 0.0
    max_tokens: int = 500  # of an answer
    top_k: int = 8  # passages found for one question
    threshold: float | None = None  # how close a passage must be to be answered from, 0 to 2; None: the measured one
    version: int = 0  # rises each time it is saved; 0 where it never was


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which bot answers in a channel, or on the whole of a platform."""

    bot_name: str
    platform: Platform
    channel: str = ""  # empty: every channel of the platform that has no bot of its own


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """What an answerer is asked."""

    question: str  # the stand-alone form
    text: str  # as the author wrote it
    passages: tuple[Passage, ...] = ()
    history: tuple["Turn", ...] = ()  # the newest turns that fit, oldest first
    summary: str = ""  # of the turns before those
    language: str = "en"  # ISO 639-1, of the author's words
    bot: BotConfiguration = BotConfiguration()


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answerer writes before its marks are numbered."""

    text: str  # with marks like [1]
    resolved: bool  # whether it answers the question
    usage: Usage = Usage()
    model: str = ""  # empty where no language model wrote it
    notice: str = ""  # a plain word on how it was made, where the reader should know
    failed: bool = False  # whether a model should have written it and did not


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the author."""

    text: str
    origin: Origin
    session_id: UUID
    citations: tuple[Citation, ...] = ()
    resolved: bool = True
    ticket_number: int | None = None
    notice: str = ""  # a plain word on how it was made, e.g. that no model is configured
    cached: str = ""  # exact, similar or shared, where it was made for somebody who asked before
    model: str = ""  # empty where no language model wrote it
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    steps: Mapping[str, float] = field(default_factory=dict)  # seconds by step


@dataclass(frozen=True, slots=True)
class Turn:
    """One contribution to a session."""

    turn_id: int
    role: Role
    text: str
    created_at: datetime
    question: str = ""  # the stand-alone form that was searched for
    origin: Origin | None = None
    citations: tuple[Citation, ...] = ()
    context: tuple[Passage, ...] = ()  # everything retrieved for it, cited or not
    usage: Usage = Usage()
    model: str = ""  # empty where no language model wrote it
    cost: Decimal | None = None  # in CURRENCY; None where the model's price is not known
    currency: str = ""  # ISO 4217
    private: bool = False  # for this session alone: nothing of it may serve another one


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation we keep."""

    session_id: UUID
    place: Place
    author_id: str
    title: str
    favourite: bool
    turns: int
    created_at: datetime
    updated_at: datetime
    mode: Mode | None = None  # the author's choice; None: the bot's
    language: str = ""  # ISO 639-1; empty: not known yet
    summary: str = ""  # of the turns up to the summarised one
    summarised_turn_id: int = 0


class TicketState(StrEnum):
    """Where a ticket stands."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A question handed to a person."""

    number: int  # counts up within the tenant
    session_id: UUID | None  # None once the session was deleted
    state: TicketState
    question: str
    transcript: str
    reason: str
    answer: str
    created_at: datetime
    updated_at: datetime
