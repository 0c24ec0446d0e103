"""One message in, one answer out: the file to read first."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from core import wording
from core.answerable import answerable
from core.citations import CitingReply, cite
from core.domain import Answer, AnswerRequest, Citation, Message, Origin, Passage, Query, Session, Turn, Vector
from core.errors import ModelUnavailable, TooLarge, UsageError
from core.escalation import TicketPolicy, wants_person
from core.history import last_question, stand_alone, transcript
from core.ports import Answerer, Embedder, Reply, Retriever, SessionStore, TicketStore
from core.routing import reply as small_talk_reply
from core.routing import small_talk
from core.terms import terms


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator decides about answering."""

    tickets: TicketPolicy = TicketPolicy.OPEN
    longest_question: int = 8_000  # characters
    passages: int = 8  # found for one question
    turns_remembered: int = 12


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
class Found:
    """What a search brought."""

    question: str  # the stand-alone form that was searched for
    passages: tuple[Passage, ...]
    good: bool  # whether the passages are worth answering from
    notice: str = ""


class Engine:
    """Answer messages from the documents their author may read."""

    def __init__(
        self,
        *,
        sessions: SessionStore,
        tickets: TicketStore,
        retriever: Retriever,
        answerer: Answerer,
        embedder: Embedder | None,
        policy: Policy | None = None,
    ) -> None:
        self._sessions = sessions
        self._tickets = tickets
        self._retriever = retriever
        self._answerer = answerer
        self._embedder = embedder
        self._policy = policy or Policy()

    async def handle(self, message: Message, reply: Reply) -> Answer:
        """Answer MESSAGE, writing to REPLY on the way.

        Raises UsageError for an empty or oversized message, NotFound for a session that is not there, and
        StoreUnavailable when PostgreSQL does not answer; nothing is saved then.
        """
        clock = Clock()
        self._limit(message.text)
        with clock.step("session"):
            session = await self._session(message)
        if (talk := small_talk(message.text)) is not None:
            return await self._say(message, session, small_talk_reply(talk.kind, talk.language), reply, clock)
        with clock.step("history"):
            turns = await self._sessions.turns(
                message.tenant_id, session.session_id, limit=self._policy.turns_remembered
            )
        if wants_person(message.text):
            return await self._hand_over(message, session, turns, reply, clock)
        found = await self._find(message, turns, clock)
        if not found.good:
            return await self._escalate(message, session, turns, found, reply, clock)
        return await self._answer(message, session, turns, found, reply, clock)

    def _limit(self, text: str) -> None:
        if not text.strip():
            raise UsageError("The question is empty; write what you would like to know.")
        if len(text) > self._policy.longest_question:
            raise TooLarge(
                f"The question has {len(text):,} characters and the limit is {self._policy.longest_question:,}; "
                "shorten it, or add the text as a document."
            )

    async def _session(self, message: Message) -> Session:
        if message.session_id is not None:
            return await self._sessions.session(message.tenant_id, message.session_id)
        return await self._sessions.open(message.tenant_id, message.place, message.author.author_id)

    async def _say(self, message: Message, session: Session, text: str, reply: Reply, clock: Clock) -> Answer:
        await reply.write(text)
        return await self._save(message, session, Found("", (), good=True), text, Origin.SMALL_TALK, clock)

    async def _find(self, message: Message, turns: Sequence[Turn], clock: Clock) -> Found:
        """Search for the stand-alone question; where that finds nothing good, for the text as it was written."""
        question = stand_alone(message.text, turns)
        found = await self._search(message, question, clock)
        if found.good or question == message.text:
            return found
        alone = await self._search(message, message.text, clock)
        return alone if alone.good else found

    async def _search(self, message: Message, question: str, clock: Clock) -> Found:
        asked = tuple(terms(question))
        vector, notice = await self._embed(question, clock)
        query = Query(
            place=message.place,
            terms=asked,
            vector=vector,
            embedder=self._embedder.identity if self._embedder and vector else None,
            knowledge_bases=message.knowledge_bases,
            limit=self._policy.passages,
        )
        with clock.step("search"):
            passages = tuple(await self._retriever.search(message.tenant_id, query))
        good = answerable(question, passages) and _touches(message.text, passages)
        return Found(question, passages, good, notice)

    async def _embed(self, question: str, clock: Clock) -> tuple[Vector | None, str]:
        if self._embedder is None:
            return None, ""
        try:
            with clock.step("embed"):
                return (await self._embedder.embed([question]))[0], ""
        except ModelUnavailable:
            return None, wording.LEXICAL_ONLY

    async def _answer(
        self, message: Message, session: Session, turns: Sequence[Turn], found: Found, reply: Reply, clock: Clock
    ) -> Answer:
        citing = CitingReply(reply, found.passages)
        with clock.step("answer"):
            draft = await self._answerer.answer(AnswerRequest(found.question, message.text, found.passages), citing)
            await citing.finish()
        if not draft.resolved:
            return await self._escalate(message, session, turns, found, reply, clock)
        text, citations = cite(draft.text, found.passages)
        found = replace(found, notice=found.notice or draft.notice)
        return await self._save(message, session, found, text, Origin.DOCUMENTS, clock, citations=citations)

    async def _escalate(
        self, message: Message, session: Session, turns: Sequence[Turn], found: Found, reply: Reply, clock: Clock
    ) -> Answer:
        """Say plainly that nothing was found, and hand the question to a person where the policy says so."""
        number = None
        if self._policy.tickets is TicketPolicy.OPEN:
            reason = wording.REASON_NOTHING_FOUND
            number = await self._open_ticket(message, session, turns, found.question, reason, clock)
        text = wording.nothing_found(number, offer=self._policy.tickets is TicketPolicy.OFFER)
        await reply.write(text)
        return await self._save(message, session, found, text, Origin.NOTHING_FOUND, clock, ticket_number=number)

    async def _hand_over(
        self, message: Message, session: Session, turns: Sequence[Turn], reply: Reply, clock: Clock
    ) -> Answer:
        """Open a ticket because the author asked for a person, on the last question there was."""
        question = last_question(turns) or message.text
        number = None
        if self._policy.tickets is not TicketPolicy.OFF:
            number = await self._open_ticket(message, session, turns, question, wording.REASON_ASKED, clock)
        text = wording.NOBODY if number is None else wording.handed_over(number)
        await reply.write(text)
        found = Found(question, (), good=False)
        return await self._save(message, session, found, text, Origin.PERSON, clock, ticket_number=number)

    async def _open_ticket(
        self, message: Message, session: Session, turns: Sequence[Turn], question: str, reason: str, clock: Clock
    ) -> int:
        said = f"{transcript(turns)}\nauthor: {message.text}".strip()
        with clock.step("ticket"):
            ticket = await self._tickets.open(message.tenant_id, session.session_id, question, said, reason)
        return ticket.number

    async def _save(
        self,
        message: Message,
        session: Session,
        found: Found,
        text: str,
        origin: Origin,
        clock: Clock,
        *,
        citations: tuple[Citation, ...] = (),
        ticket_number: int | None = None,
    ) -> Answer:
        with clock.step("save"):
            await self._sessions.save_exchange(
                message.tenant_id,
                session.session_id,
                message.text,
                text,
                question=found.question,
                origin=origin,
                citations=citations,
                context=found.passages,
            )
        return Answer(
            text=text,
            origin=origin,
            session_id=session.session_id,
            citations=citations,
            resolved=origin is not Origin.NOTHING_FOUND,
            ticket_number=ticket_number,
            notice=found.notice,
            seconds=clock.seconds,
            steps=clock.steps,
        )


def _touches(text: str, passages: Sequence[Passage]) -> bool:
    """Tell whether a passage holds at least one term of the author's own words, carried terms aside.

    Without this, "and may I bring my dog?" after a question on holidays would be answered with holidays.
    """
    own = set(terms(text))
    if not own:
        return True
    return any(own & set(terms(" ".join((p.title, *p.heading_path, p.text)))) for p in passages)
