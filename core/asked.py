"""What the engine knows of a message while it answers it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.cache import CachedAnswer
from core.cost import Tally
from core.documents import Citation, Passage
from core.domain import AnswerRequest, BotConfiguration, Message, Mode, Origin, Session, Turn
from core.escalation import TicketPolicy
from core.memory import Recalled
from core.places import Reader
from core.ports import Answerer
from core.terms import terms

NOWHERE = ("",)
"""What to search when a bot and its author have no knowledge base in common: no name is empty."""


@dataclass(slots=True)
class Clock:
    """How long each step took."""

    begun: float = field(default_factory=time.perf_counter)
    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.steps[name] = self.steps.get(name, 0.0) + time.perf_counter() - start

    @property
    def seconds(self) -> float:
        """Tell the time since the message came in."""
        return time.perf_counter() - self.begun


@dataclass(frozen=True, slots=True)
class Asked:
    """A message with everything it meets."""

    message: Message  # redacted
    session: Session
    bot: BotConfiguration  # in the mode the author chose for the session, with the channel's threshold
    answerer: Answerer
    knowledge_bases: tuple[str, ...]  # to search; empty: all that may be read in the place
    language: str
    turns: tuple[Turn, ...]
    recalled: Recalled
    readable: tuple[tuple[int, int], ...] | None = None  # id and version of what may be read, once that is known
    tickets: TicketPolicy = TicketPolicy.OPEN
    remarks: str = ""  # sentences on what was redacted, and on files that were not read
    hidden: bool = False  # whether something was redacted
    unread: bool = False  # whether files came that could not be read
    reads_files: bool = False  # whether passages of the session's own files were found
    wants_person: bool = False  # whether a command says so
    alone: bool = False  # whether what the author alone may read is searched
    tally: Tally = field(default_factory=Tally)  # what the models asked for this message have used

    def is_private(self, question: str) -> bool:
        """Tell whether the answer rests on what was said before or on own files, so that it is nobody else's."""
        said_before = question != self.message.text or (self.bot.mode is Mode.OPEN and bool(self.turns))
        return said_before or self.reads_files

    def request(self, question: str, passages: tuple[Passage, ...]) -> AnswerRequest:
        """Ask an answerer; a question that stands alone goes without the history, so that its answer can be shared."""
        private = self.is_private(question)
        return AnswerRequest(
            question=question,
            text=self.message.text,
            passages=passages,
            history=self.recalled.history if private else (),
            summary=self.recalled.summary if private else "",
            language=self.language,
            bot=self.bot,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought."""

    question: str  # that was searched for
    passages: tuple[Passage, ...]
    close: bool  # whether they are near enough to quote
    good: bool  # whether they are worth answering from: near enough, or for a model to judge


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A search that led to no answer."""

    found: Found
    notice: str = ""  # where something failed that should not have


@dataclass(frozen=True, slots=True)
class Result:
    """What a message led to."""

    text: str
    origin: Origin
    question: str = ""
    citations: tuple[Citation, ...] = ()
    context: tuple[Passage, ...] = ()
    notice: str = ""
    cached: str = ""
    model: str = ""
    ticket_number: int | None = None
    shareable: bool = False
    private: bool = False  # it rests on the session's own files
    personal: bool = False  # it rests on what only the author may read

    def kept(self) -> CachedAnswer:
        """Make the cache's entry of this result."""
        return CachedAnswer(self.question, self.text, self.origin, self.citations, notice=self.notice, model=self.model)


def own_reader(message: Message) -> Reader:
    """Say who reads an answer that only the author of MESSAGE sees."""
    return Reader(message.place, message.author.author_id, outsider=message.outsider)


def reader_of(message: Message) -> Reader:
    """Say who reads an answer to MESSAGE: in a channel, everybody in it."""
    return own_reader(message) if message.direct else Reader(message.place, outsider=message.outsider)


def intersect(bot: tuple[str, ...], author: tuple[str, ...]) -> tuple[str, ...]:
    """Choose the knowledge bases to search: an author may narrow what a bot reads and never widen it."""
    if not bot or not author:
        return bot or author
    return tuple(name for name in author if name in bot) or NOWHERE


def touches(text: str, passages: Sequence[Passage]) -> bool:
    """Tell whether a passage holds at least one term of the author's own words, carried terms aside.

    Without this, "and may I bring my dog?" after a question on holidays would be answered with holidays.
    """
    own = set(terms(text))
    if not own:
        return True
    return any(own & set(terms(" ".join((p.title, *p.heading_path, p.text)))) for p in passages)
