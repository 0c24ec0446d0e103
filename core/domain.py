"""Conversations, answers and tickets: our words as plain data; docs/glossary.md explains each in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from core.documents import Citation, Passage
from core.places import Place, Platform


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message, as the platform names them."""

    author_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; its bytes lie in the store of uploads."""

    name: str
    media_type: str
    size_bytes: int
    upload_id: int | None = None  # None: it was not taken
    reason: str = ""  # why it was not


@dataclass(frozen=True, slots=True)
class DeliveryKey:
    """A row of the outbox as one worker has opened it (core/outbox.py)."""

    outbox_id: int
    claim: int


@dataclass(frozen=True, slots=True)
class Message:
    """One incoming message, whatever the platform."""

    tenant_id: int
    place: Place
    author: Author
    text: str
    session_id: UUID | None = None  # the session the author chose; else the thread's own
    knowledge_bases: tuple[str, ...] = ()  # the ones the author chose; empty: all that may be read in this place
    attachments: tuple[Attachment, ...] = ()
    installation: str = ""  # the workspace, bot or app it came through
    hidden: tuple[str, ...] = ()  # kinds of secrets and personal data that were redacted from it
    delivery: DeliveryKey | None = None  # where the answer goes; it is kept there together with the turns
    administrator: bool | None = None  # what the platform says of the author; None: it does not say
    language_hint: str = ""  # ISO 639-1 of the author's client, for as long as their words tell nothing
    direct: bool = False  # nobody but the author reads the channel
    characters: int = 0  # of the text as it was written, where it was cut
    outsider: bool = False  # a guest or of another organisation: reads only what is granted to the channel by name


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
    COMMAND = "command"
    STOPPED = "stopped"
    FAILED = "failed"


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
class File:
    """A file that goes back to the author."""

    name: str
    media_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the author."""

    text: str
    origin: Origin
    session_id: UUID | None  # None where nothing was said in a session: a command, a notice
    citations: tuple[Citation, ...] = ()
    resolved: bool = True
    ticket_number: int | None = None
    notice: str = ""  # a plain word on how it was made, e.g. that no model is configured
    cached: str = ""  # exact, similar or shared, where it was made for somebody who asked before
    model: str = ""  # empty where no language model wrote it
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    steps: Mapping[str, float] = field(default_factory=dict)  # seconds by step
    file: File | None = None
    job: int | None = None  # the ingestion it tells of; what is told of it later may take its place
    language: str = "en"  # ISO 639-1, of the fixed words around it
    private: bool = False  # for the author's eyes alone, where others can read the channel
    personal: bool = False  # it rests on what only the author may read, so that it cannot be shared either


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, with everything retrieved for it and what it cost: saved together."""

    asked: str
    answered: str
    question: str  # the stand-alone form
    origin: Origin
    citations: tuple[Citation, ...] = ()
    context: tuple[Passage, ...] = ()
    usage: Usage = NO_USAGE
    model: str = ""
    cost: Decimal | None = None
    currency: str = ""
    private: bool = False
    delivery: DeliveryKey | None = None  # where given, ANSWER is kept there in the same transaction
    answer: Answer | None = None


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
    language_chosen: bool = False  # by the author, so that it is not detected any more
    taken_over: bool = False  # a person answers here until the ticket is closed


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
