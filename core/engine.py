"""One message in, one answer out: the file to read first."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from core import wording
from core.answerable import answerable, bar_of
from core.asked import Asked, Clock, Found, Result, intersect, touches
from core.cache import AnswerCache, CachedAnswer, CacheScope, exact_key, find_same
from core.citations import CitingReply, cite
from core.cost import Price
from core.documents import Query, Vector
from core.domain import Answer, AnswerRequest, BotConfiguration, Draft, Exchange, Message, Mode, Origin, Session
from core.errors import ModelUnavailable, TooLarge, UsageError
from core.escalation import TicketPolicy, wants_person
from core.history import last_question, transcript
from core.language import detect
from core.memory import recall, summarise
from core.models import LanguageModel
from core.ports import Answerer, BotStore, Embedder, Reply, Retriever, SessionStore, TicketStore
from core.redact import redact
from core.rewrite import Rewriter
from core.routing import reply as small_talk_reply
from core.routing import small_talk
from core.similar import Verifier
from core.terms import terms

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator decides about answering."""

    tickets: TicketPolicy = TicketPolicy.OPEN
    longest_question: int = 8_000  # characters
    turns_remembered: int = 60
    history_tokens: int = 1_500  # of what was said before that goes to a model
    cache_ttl_s: float = 3_600.0
    currency: str = ""


class Engine:
    """Answer messages from the documents their author may read."""

    def __init__(
        self,
        *,
        sessions: SessionStore,
        tickets: TicketStore,
        bots: BotStore,
        retriever: Retriever,
        answerers: Callable[[BotConfiguration], Awaitable[Answerer]],
        embedder: Embedder | None,
        cache: AnswerCache,
        model: LanguageModel | None = None,
        verifier: Verifier | None = None,
        prices: Mapping[str, Price] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._sessions = sessions
        self._tickets = tickets
        self._bots = bots
        self._retriever = retriever
        self._answerers = answerers
        self._embedder = embedder
        self._cache = cache
        self._model = model  # for asides: rewriting, summaries
        self._rewriter = Rewriter(model)
        self._verifier = verifier
        self._prices = prices or {}
        self._policy = policy or Policy()

    async def handle(self, message: Message, reply: Reply) -> Answer:
        """Answer MESSAGE, writing to REPLY on the way.

        Raises UsageError for an empty or oversized message, NotFound for a session that is not there, and
        StoreUnavailable when PostgreSQL does not answer; nothing is saved then.
        """
        clock = Clock()
        self._limit(message.text)
        # PostgreSQL keeps no NUL, a terminal would obey an escape, and half a character from a broken client is none.
        message = replace(message, text=_CONTROL.sub("", message.text).encode("utf-8", "replace").decode())
        with clock.step("recall"):
            asked = await self._recall(message)
        result = await self._decide(asked, reply, clock)
        answer = _answer(asked, result, clock)
        with clock.step("save"):
            await self._save(asked, result, answer)
        await self._remember(asked)
        return replace(answer, seconds=clock.seconds)

    def _limit(self, text: str) -> None:
        if not text.strip():
            raise UsageError(wording.EMPTY_QUESTION)
        if len(text) > self._policy.longest_question:
            language = detect(text[:1_000])
            raise TooLarge(wording.too_long(len(text), self._policy.longest_question, language))

    async def _recall(self, message: Message) -> Asked:
        """Redact the message and find what it meets: a session, a bot, a language, what was said before."""
        redacted = redact(message.text)
        session = await self._session(message)
        bot = await self._bots.for_place(message.tenant_id, message.place)
        bot = replace(bot, mode=session.mode or bot.mode)
        turns = await self._sessions.turns(message.tenant_id, session.session_id, limit=self._policy.turns_remembered)
        language = detect(redacted.text, default=session.language or "en")
        return Asked(
            message=replace(message, text=redacted.text),
            session=session,
            bot=bot,
            answerer=await self._answerers(bot),
            knowledge_bases=intersect(bot.knowledge_bases, message.knowledge_bases),
            language=language,
            turns=tuple(turns),
            recalled=recall(turns, session.summary, session.summarised_turn_id, self._policy.history_tokens),
            hidden=wording.hidden(redacted.hidden, language),
        )

    async def _session(self, message: Message) -> Session:
        if message.session_id is not None:
            return await self._sessions.session(message.tenant_id, message.session_id)
        return await self._sessions.open(message.tenant_id, message.place, message.author.author_id)

    async def _decide(self, asked: Asked, reply: Reply, clock: Clock) -> Result:
        """Go down the ladder: small talk, a person, then the documents."""
        text = asked.message.text
        if (talk := small_talk(text)) is not None:
            # "ok" and "hi" are English too: there the language spoken so far decides.
            said = small_talk_reply(talk.kind, asked.language if talk.language == "en" else talk.language)
            await reply.write(said)
            return Result(said, Origin.SMALL_TALK)
        if wants_person(text):
            return await self._hand_over(asked, reply, clock)
        with clock.step("rewrite"):
            question = await self._rewriter.stand_alone(text, asked.turns, asked.language, asked.tally)
        with clock.step("scope"):
            scope = await self._scope(asked)
        asked = replace(asked, readable=scope.knowledge_bases)
        return await self._resolve(asked, question, scope, reply, clock)

    async def _scope(self, asked: Asked) -> CacheScope:
        """Name everything besides the question that an answer depends on, before anything is searched."""
        readable = await self._retriever.readable(asked.message.tenant_id, asked.message.place, asked.knowledge_bases)
        return CacheScope(
            tenant_id=asked.message.tenant_id,
            knowledge_bases=readable,
            mode=asked.bot.mode,
            language=asked.language,
            model=asked.answerer.name,
            configuration=hashlib.sha256(repr(asked.bot).encode()).hexdigest(),
            embedder=self._embedder.identity if self._embedder else None,
        )

    async def _resolve(self, asked: Asked, question: str, scope: CacheScope, reply: Reply, clock: Clock) -> Result:
        """Serve what was answered before to the same question; else answer it, once for all who ask it now."""
        key = exact_key(scope, question)
        with clock.step("exact cache"):
            kept = await self._cache.get(key)
        if kept is not None:
            return await self._serve(kept, "exact", question, reply)
        vector, trouble = await self._embed(question, clock)
        if vector is not None and (kept := await self._similar(scope, question, vector, clock)) is not None:
            return await self._serve(kept, "similar", question, reply)
        if asked.is_private(question):
            return await self._work(asked, question, vector, trouble, reply, clock)
        async with self._cache.single_flight(key) as kept:
            if kept is not None:
                return await self._serve(kept, "shared", question, reply)
            result = await self._work(asked, question, vector, trouble, reply, clock)
            if result.shareable and self._policy.cache_ttl_s > 0:
                await self._cache.put(key, result.kept(), self._policy.cache_ttl_s, vector=vector)
            return result

    async def _serve(self, kept: CachedAnswer, how: str, question: str, reply: Reply) -> Result:
        await reply.write(kept.text)
        return Result(kept.text, kept.origin, question, citations=kept.citations, notice=kept.notice, cached=how)

    async def _similar(self, scope: CacheScope, question: str, vector: Vector, clock: Clock) -> CachedAnswer | None:
        with clock.step("semantic cache"):
            candidates = await self._cache.similar(scope, vector)
            return await find_same(question, candidates, verifier=self._verifier)

    async def _embed(self, question: str, clock: Clock) -> tuple[Vector | None, str]:
        if self._embedder is None:
            return None, wording.NO_WEIGHTS
        try:
            with clock.step("embed"):
                return (await self._embedder.embed([question]))[0], ""
        except ModelUnavailable:
            return None, wording.LEXICAL_ONLY

    async def _work(
        self, asked: Asked, question: str, vector: Vector | None, trouble: str, reply: Reply, clock: Clock
    ) -> Result:
        """Search and answer; without an answer, say so and hand the question over by policy."""
        found = await self._find(asked, question, vector, clock)
        if not found.good and asked.bot.mode is Mode.GROUNDED:
            return await self._escalate(asked, found, reply, clock)
        passages = found.passages if found.good else ()
        try:
            with clock.step("answer"):
                draft = await _draft(asked, asked.request(found.question, passages), reply)
        except ModelUnavailable:
            return await self._escalate(asked, found, reply, clock, notice=wording.MODEL_SILENT)
        if draft.model:
            asked.tally.add(draft.model, draft.usage)
        if draft.failed and not found.close:
            await reply.restart()
            return await self._escalate(asked, found, reply, clock, notice=draft.notice)
        if not draft.resolved:
            return await self._escalate(asked, found, reply, clock)
        text, citations = cite(draft.text, passages) if passages else (draft.text, ())
        return Result(
            text,
            Origin.DOCUMENTS if citations else Origin.OPEN_CHAT,
            found.question,
            citations=citations,
            context=passages,
            notice=_notice(asked.language, trouble, draft.notice),
            model=draft.model,
            shareable=not (
                asked.is_private(question) or trouble == wording.LEXICAL_ONLY or draft.failed or asked.hidden
            ),
        )

    async def _find(self, asked: Asked, question: str, vector: Vector | None, clock: Clock) -> Found:
        """Search for the stand-alone question; where that finds nothing good, for the text as it was written."""
        found = await self._search(asked, question, vector, clock)
        if found.close or question == asked.message.text:
            return found
        vector, _ = await self._embed(asked.message.text, clock)
        alone = await self._search(asked, asked.message.text, vector, clock)
        return alone if alone.close else found

    async def _search(self, asked: Asked, question: str, vector: Vector | None, clock: Clock) -> Found:
        query = Query(
            place=asked.message.place,
            terms=tuple(terms(question)),
            vector=vector,
            embedder=self._embedder.identity if self._embedder and vector else None,
            knowledge_bases=asked.knowledge_bases,
            limit=asked.bot.top_k,
            question=question,
            readable=asked.readable,
        )
        with clock.step("search"):
            passages = tuple(await self._retriever.search(asked.message.tenant_id, query))
        # A model that judges sees also what is near: it reads other languages, and tells better than a threshold.
        judged = asked.answerer.judges and asked.bot.mode is Mode.GROUNDED and bool(passages)
        close = answerable(question, passages, bar_of(asked.bot.threshold)) and touches(asked.message.text, passages)
        return Found(question, passages, close, close or judged)

    async def _escalate(self, asked: Asked, found: Found, reply: Reply, clock: Clock, notice: str = "") -> Result:
        """Say plainly that nothing was found, and open a ticket where the policy says so."""
        number = None
        if self._policy.tickets is TicketPolicy.OPEN:
            number = await self._open_ticket(asked, found.question, wording.REASON_NOTHING_FOUND, clock)
        text = wording.nothing_found(number, offer=self._policy.tickets is TicketPolicy.OFFER, language=asked.language)
        await reply.write(text)
        return Result(
            text,
            Origin.NOTHING_FOUND,
            found.question,
            context=found.passages,
            notice=notice,
            ticket_number=number,
        )

    async def _hand_over(self, asked: Asked, reply: Reply, clock: Clock) -> Result:
        """Open a ticket because the author asked for a person, on the last question there was."""
        question = last_question(asked.turns) or asked.message.text
        number = None
        if self._policy.tickets is not TicketPolicy.OFF:
            number = await self._open_ticket(asked, question, wording.REASON_ASKED, clock)
        nobody = wording.say(wording.NOBODY, asked.language)
        text = nobody if number is None else wording.handed_over(number, asked.language)
        await reply.write(text)
        return Result(text, Origin.PERSON, question, ticket_number=number)

    async def _open_ticket(self, asked: Asked, question: str, reason: str, clock: Clock) -> int:
        said = f"{transcript(asked.turns)}\nauthor: {asked.message.text}".strip()
        with clock.step("ticket"):
            ticket = await self._tickets.open(asked.message.tenant_id, asked.session.session_id, question, said, reason)
        return ticket.number

    async def _save(self, asked: Asked, result: Result, answer: Answer) -> None:
        exchange = Exchange(
            asked=asked.message.text,
            answered=result.text,
            question=result.question,
            origin=result.origin,
            citations=result.citations,
            context=result.context,
            usage=asked.tally.usage,
            model=result.model,
            cost=asked.tally.cost(self._prices) if asked.tally.by_model else None,
            currency=self._policy.currency,
            delivery=asked.message.delivery,
            answer=answer,
        )
        await self._sessions.save_exchange(asked.message.tenant_id, asked.session.session_id, exchange)

    async def _remember(self, asked: Asked) -> None:
        """Note the author's language, and summarise what has fallen out of the window where enough has."""
        tenant_id, session = asked.message.tenant_id, asked.session
        if asked.language != session.language:
            await self._sessions.set_language(tenant_id, session.session_id, asked.language)
        if asked.recalled.due:
            pending = asked.recalled.pending
            summary = await summarise(self._model, session.summary, pending, asked.language)
            await self._sessions.set_summary(tenant_id, session.session_id, summary, pending[-1].turn_id)


async def _draft(asked: Asked, request: AnswerRequest, reply: Reply) -> Draft:
    """Ask the answerer, numbering the marks on their way; without passages, brackets are the author's business."""
    if not request.passages:
        return await asked.answerer.answer(request, reply)
    citing = CitingReply(reply, request.passages)
    draft = await asked.answerer.answer(request, citing)
    await citing.finish()
    return draft


def _notice(language: str, *messages: str) -> str:
    return " ".join(wording.say(message, language) for message in messages if message)


def _answer(asked: Asked, result: Result, clock: Clock) -> Answer:
    return Answer(
        text=result.text,
        origin=result.origin,
        session_id=asked.session.session_id,
        citations=result.citations,
        resolved=result.origin is not Origin.NOTHING_FOUND,
        ticket_number=result.ticket_number,
        notice=_notice(asked.language, asked.hidden, result.notice),
        cached=result.cached,
        model=result.model,
        usage=asked.tally.usage,
        seconds=clock.seconds,
        steps=clock.steps,
        language=asked.language,
    )
