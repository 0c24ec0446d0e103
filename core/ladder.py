"""The way from a question to its answer: small talk, a person, what was answered before, then the documents."""

import hashlib
from dataclasses import replace

from core import wording
from core.answerable import answerable, bar_of, merge
from core.asked import Asked, Clock, Found, Result, Unanswered, own_reader, reader_of, touches
from core.attached import AttachmentReader
from core.cache import AnswerCache, CachedAnswer, CacheScope, exact_key, find_same
from core.citations import CitingReply, cite
from core.documents import Passage, Query, Vector
from core.domain import AnswerRequest, Draft, Mode, Origin
from core.errors import ModelUnavailable
from core.escalation import TicketPolicy, Tickets, wants_person
from core.history import last_question, transcript
from core.interrupting import Silent, Written
from core.ports import Embedder, Retriever
from core.rewrite import Rewriter
from core.routing import reply as small_talk_reply
from core.routing import small_talk
from core.similar import Verifier
from core.terms import terms

_MOST_FROM_FILES = 4  # passages of the session's own files beside those of the knowledge bases


class Ladder:
    """Answer what the engine has made ready, one rung after the other."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        embedder: Embedder | None,
        cache: AnswerCache,
        tickets: Tickets,
        attachments: AttachmentReader | None,
        rewriter: Rewriter,
        verifier: Verifier | None,
        cache_ttl_s: float,
    ) -> None:
        self._retriever = retriever
        self._embedder = embedder
        self._cache = cache
        self._tickets = tickets
        self._attachments = attachments
        self._rewriter = rewriter
        self._verifier = verifier
        self._cache_ttl_s = cache_ttl_s

    async def climb(self, asked: Asked, reply: Written, clock: Clock) -> Result:
        """Go down the ladder: small talk, a person, then the documents."""
        text = asked.message.text
        if asked.wants_person:
            return await self._hand_over(asked, reply, clock)
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
        reader = reader_of(asked.message)
        readable = await self._retriever.readable(asked.message.tenant_id, reader, asked.knowledge_bases)
        return CacheScope(
            tenant_id=asked.message.tenant_id,
            knowledge_bases=readable,
            mode=asked.bot.mode,
            language=asked.language,
            model=asked.answerer.name,
            configuration=hashlib.sha256(repr(asked.bot).encode()).hexdigest(),
            embedder=self._embedder.identity if self._embedder else None,
        )

    async def _resolve(self, asked: Asked, question: str, scope: CacheScope, reply: Written, clock: Clock) -> Result:
        """Serve what was answered before to the same question; else answer it, once for all who ask it now."""
        if await self._from_files(asked, question, None):
            # Whoever sent a file means it: what others were answered to the same words is not about it.
            vector, trouble = await self._embed(question, clock)
            return await self._work(replace(asked, reads_files=True), question, vector, trouble, reply, clock)
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
            if result.shareable and self._cache_ttl_s > 0:
                await self._cache.put(key, result.kept(), self._cache_ttl_s, vector=vector)
            return result

    async def _serve(self, kept: CachedAnswer, how: str, question: str, reply: Written) -> Result:
        await reply.write(kept.text)
        return Result(
            kept.text,
            kept.origin,
            question,
            citations=kept.citations,
            notice=kept.notice,
            model=kept.model,
            cached=how,
        )

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
        self, asked: Asked, question: str, vector: Vector | None, trouble: str, reply: Written, clock: Clock
    ) -> Result:
        """Search and answer; without an answer, look where the author alone may, else say so and hand it over."""
        tried = await self._try(asked, question, vector, trouble, reply, clock)
        if isinstance(tried, Result):
            return tried
        own = None if tried.notice else await self._own(asked)
        if own:
            # Others read along: nothing is shown before it is known to be for the author alone.
            silent = Written(Silent())
            result = await self._try(replace(asked, readable=own, alone=True), question, vector, trouble, silent, clock)
            if isinstance(result, Result):
                await reply.restart()
                notice = say_all(asked.language, result.notice, wording.PERSONAL)
                return replace(result, private=True, personal=True, shareable=False, notice=notice)
        return await self._escalate(asked, tried.found, reply, clock, notice=tried.notice)

    async def _own(self, asked: Asked) -> tuple[tuple[int, int], ...]:
        """List what the author may read here and the others cannot."""
        if asked.message.direct or asked.readable is None or not asked.message.author.author_id:
            return ()
        reader = own_reader(asked.message)
        readable = await self._retriever.readable(asked.message.tenant_id, reader, asked.knowledge_bases)
        return tuple(version for version in readable if version not in asked.readable)

    async def _try(
        self, asked: Asked, question: str, vector: Vector | None, trouble: str, reply: Written, clock: Clock
    ) -> Result | Unanswered:
        """Search and answer."""
        found = await self._find(asked, question, vector, clock)
        asked = replace(asked, reads_files=any(is_from_file(passage) for passage in found.passages))
        if not found.good and asked.bot.mode is Mode.GROUNDED:
            return Unanswered(found)
        passages = found.passages if found.good else ()
        try:
            with clock.step("answer"):
                draft = await _draft(asked, asked.request(found.question, passages), reply)
        except ModelUnavailable:
            return Unanswered(found, wording.MODEL_SILENT)
        if draft.model:
            asked.tally.add(draft.model, draft.usage)
        if draft.failed and not found.close:
            await reply.restart()
            return Unanswered(found, draft.notice)
        if not draft.resolved:
            return Unanswered(found)
        text, citations = cite(draft.text, passages) if passages else (draft.text, ())
        return Result(
            text,
            Origin.DOCUMENTS if citations else Origin.OPEN_CHAT,
            found.question,
            citations=citations,
            context=passages,
            notice=say_all(asked.language, trouble, draft.notice),
            model=draft.model,
            private=asked.reads_files,
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
            reader=own_reader(asked.message) if asked.alone else reader_of(asked.message),
            terms=tuple(terms(question)),
            vector=vector,
            embedder=self._embedder.identity if self._embedder and vector else None,
            knowledge_bases=asked.knowledge_bases,
            limit=asked.bot.top_k,
            question=question,
            readable=asked.readable,
        )
        with clock.step("search"):
            own = await self._from_files(asked, question, vector)
            stored = await self._retriever.search(asked.message.tenant_id, query)
        # Whoever sends a file with a question means it; of one sent earlier nobody knows.
        found = (*own, *stored) if asked.message.attachments else merge(question, own, stored)
        passages = found[: asked.bot.top_k]
        # A model that judges sees also what is near: it reads other languages, and tells better than a threshold.
        judged = asked.answerer.judges and asked.bot.mode is Mode.GROUNDED and bool(passages)
        close = answerable(question, passages, bar_of(asked.bot.threshold)) and touches(asked.message.text, passages)
        return Found(question, passages, close, close or judged)

    async def _from_files(self, asked: Asked, question: str, vector: Vector | None) -> tuple[Passage, ...]:
        """Search the session's own files; a new session has none."""
        if self._attachments is None or not (asked.turns or asked.message.attachments):
            return ()
        tenant_id, session_id = asked.message.tenant_id, asked.session.session_id
        return await self._attachments.search(tenant_id, session_id, question, vector, _MOST_FROM_FILES)

    async def _escalate(self, asked: Asked, found: Found, reply: Written, clock: Clock, notice: str = "") -> Result:
        """Say plainly that nothing was found, and open a ticket where the policy says so."""
        number = None
        policy = asked.tickets
        if asked.unread and policy is TicketPolicy.OPEN:
            policy = TicketPolicy.OFFER  # the question was about a file; its author may send another
        if policy is TicketPolicy.OPEN:
            number = await self._open_ticket(asked, found.question, wording.REASON_NOTHING_FOUND, clock)
        text = wording.nothing_found(number, offer=policy is TicketPolicy.OFFER, language=asked.language)
        await reply.write(text)
        return Result(
            text,
            Origin.NOTHING_FOUND,
            found.question,
            context=found.passages,
            private=asked.reads_files,
            notice=notice,
            ticket_number=number,
        )

    async def _hand_over(self, asked: Asked, reply: Written, clock: Clock) -> Result:
        """Open a ticket because the author asked for a person: on what they say, else on the last question."""
        own = "" if wants_person(asked.message.text) else asked.message.text
        question = own or last_question(asked.turns) or wording.REASON_ASKED
        number = None
        if asked.tickets is not TicketPolicy.OFF:
            number = await self._open_ticket(asked, question, wording.REASON_ASKED, clock)
        nobody = wording.say(wording.NOBODY, asked.language)
        text = nobody if number is None else wording.handed_over(number, asked.language)
        await reply.write(text)
        return Result(text, Origin.PERSON, question, ticket_number=number)

    async def _open_ticket(self, asked: Asked, question: str, reason: str, clock: Clock) -> int:
        said = f"{transcript(asked.turns)}\nauthor: {asked.message.text}".strip()
        with clock.step("ticket"):
            ticket = await self._tickets.open(
                asked.message.tenant_id,
                asked.session.session_id,
                question,
                said,
                reason,
                delivery=asked.message.delivery,
            )
        return ticket.number


async def _draft(asked: Asked, request: AnswerRequest, reply: Written) -> Draft:
    """Ask the answerer, numbering the marks on their way; without passages, brackets are the author's business."""
    if not request.passages:
        return await asked.answerer.answer(request, reply)
    citing = CitingReply(reply, request.passages)
    reply.cite_with(citing.citations)
    draft = await asked.answerer.answer(request, citing)
    await citing.finish()
    return draft


def is_from_file(passage: Passage) -> bool:
    """Tell whether a passage stands in a file of the session alone: core/attached.py numbers those below zero."""
    return passage.document_id < 0


def say_all(language: str, *messages: str) -> str:
    """Write the MESSAGES that are not empty in LANGUAGE, one after the other."""
    return " ".join(wording.say(message, language) for message in messages if message)
