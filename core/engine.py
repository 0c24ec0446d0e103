"""One message in, one answer out: the file to read first; core/ladder.py has the steps between question and answer."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core import commands, wording
from core.asked import Asked, Clock, Result, intersect
from core.attached import NOT_READ, AttachmentReader
from core.cache import AnswerCache
from core.channels import DEFAULTS, ChannelStore
from core.cost import Price
from core.domain import Answer, Attachment, BotConfiguration, Exchange, Message, Origin, Session
from core.errors import TooLarge, UsageError
from core.escalation import TicketPolicy, Tickets
from core.inbox import Interruption, Kind
from core.interrupting import Interrupted, Written, unless_interrupted
from core.ladder import Ladder, say_all
from core.language import detect
from core.memory import recall, summarise
from core.models import LanguageModel
from core.ports import Answerer, BotStore, Embedder, Reply, Retriever, SessionStore
from core.redact import Hidden, SecretKind, redact
from core.rewrite import Rewriter
from core.similar import Verifier

_ASKING = ("ask", "human")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Commands(Protocol):
    """Carry out commands."""

    async def run(self, message: Message, reply: Reply) -> Answer | None:
        """Carry out the command MESSAGE holds and write its outcome to REPLY; None where it holds none."""


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
        tickets: Tickets,
        bots: BotStore,
        retriever: Retriever,
        answerers: Callable[[BotConfiguration], Awaitable[Answerer]],
        embedder: Embedder | None,
        cache: AnswerCache,
        model: LanguageModel | None = None,
        verifier: Verifier | None = None,
        prices: Mapping[str, Price] | None = None,
        policy: Policy | None = None,
        commands: Commands | None = None,
        attachments: AttachmentReader | None = None,
        channels: ChannelStore | None = None,
    ) -> None:
        self._sessions = sessions
        self._tickets = tickets
        self._bots = bots
        self._answerers = answerers
        self._model = model  # for asides: rewriting, summaries
        self._prices = prices or {}
        self._policy = policy or Policy()
        self._commands = commands
        self._attachments = attachments
        self._channels = channels
        self._ladder = Ladder(
            retriever=retriever,
            embedder=embedder,
            cache=cache,
            tickets=tickets,
            attachments=attachments,
            rewriter=Rewriter(model),
            verifier=verifier,
            cache_ttl_s=self._policy.cache_ttl_s,
        )

    async def handle(self, message: Message, reply: Reply, interruption: Interruption | None = None) -> Answer:
        """Answer MESSAGE, writing to REPLY on the way.

        A stop ends the answer with what was written until then; an edit, a deletion and a takeover raise Interrupted,
        and nothing is saved. Where a person has taken over, the words are passed on and the answer is empty: nothing
        is to be sent. Raises UsageError for an empty or oversized message, NotFound for a session that is not there,
        and StoreUnavailable when PostgreSQL does not answer; nothing is saved then.
        """
        clock = Clock()
        self._limit(message)
        # PostgreSQL keeps no NUL, a terminal would obey an escape, and half a character from a broken client is none.
        message = replace(message, text=_CONTROL.sub("", message.text).encode("utf-8", "replace").decode())
        if self._commands is not None and (done := await self._commands.run(message, reply)) is not None:
            return done
        message, wants_person = _question(message)
        with clock.step("recall"):
            asked = replace(await self._recall(message), wants_person=wants_person)
        if asked.session.taken_over:
            return await self._pass_on(asked, clock)
        asked, result = await self._answer(asked, Written(reply), clock, interruption)
        answer = _answer(asked, result, clock)
        with clock.step("save"):
            await self._save(asked, result, answer)
        await self._remember(asked)
        return replace(answer, seconds=clock.seconds)

    def _limit(self, message: Message) -> None:
        text = message.text
        if not text.strip() and not (message.attachments and self._attachments):
            raise UsageError(wording.EMPTY_QUESTION)
        length = max(len(text), message.characters)
        if length > self._policy.longest_question:
            raise TooLarge(wording.too_long(length, self._policy.longest_question, _language(message)))

    async def _recall(self, message: Message) -> Asked:
        """Redact the message and find what it meets: a session, a bot, a language, what was said before."""
        redacted = redact(message.text)
        hidden = (*_hidden_before(message), *redacted.hidden)
        session = await self._session(message)
        bot = await self._bots.for_place(message.tenant_id, message.place)
        channel = await self._channels.settings(message.tenant_id, message.place) if self._channels else DEFAULTS
        threshold = bot.threshold if channel.threshold is None else channel.threshold
        bot = replace(bot, mode=session.mode or bot.mode, threshold=threshold)
        turns = await self._sessions.turns(message.tenant_id, session.session_id, limit=self._policy.turns_remembered)
        chosen = session.language if session.language_chosen else channel.language
        language = chosen or detect(redacted.text, default=session.language or message.language_hint or "en")
        readable = intersect(bot.knowledge_bases, channel.knowledge_bases)
        return Asked(
            message=replace(message, text=redacted.text),
            session=session,
            bot=bot,
            answerer=await self._answerers(bot),
            knowledge_bases=intersect(readable, message.knowledge_bases),
            language=language,
            turns=tuple(turns),
            recalled=recall(turns, session.summary, session.summarised_turn_id, self._policy.history_tokens),
            tickets=channel.tickets or self._policy.tickets,
            remarks=wording.hidden(hidden, language),
            hidden=bool(hidden),
        )

    async def _session(self, message: Message) -> Session:
        if message.session_id is not None:
            return await self._sessions.session(message.tenant_id, message.session_id)
        return await self._sessions.open(message.tenant_id, message.place, message.author.author_id)

    async def _pass_on(self, asked: Asked, clock: Clock) -> Answer:
        """Leave the answer to the person who has taken over."""
        message, session_id = asked.message, asked.session.session_id
        names = "\n".join(attachment.name for attachment in message.attachments)
        said = f"{message.text}\n{names}".strip()
        number = await self._tickets.note(message.tenant_id, session_id, said, delivery=message.delivery)
        return replace(_answer(asked, Result("", Origin.PERSON, ticket_number=number), clock), notice="")

    async def _answer(
        self, asked: Asked, reply: Written, clock: Clock, interruption: Interruption | None
    ) -> tuple[Asked, Result]:
        """Read what came along and go down the ladder, unless somebody interrupts."""
        try:
            return await unless_interrupted(self._work(asked, reply, clock), interruption)
        except Interrupted as interrupted:
            if interrupted.kind is not Kind.STOP:
                raise
        model = asked.answerer.name if asked.answerer.judges and reply.text else ""
        stopped = Result(reply.text, Origin.STOPPED, citations=reply.citations(), notice=wording.STOPPED, model=model)
        return asked, stopped

    async def _work(self, asked: Asked, reply: Written, clock: Clock) -> tuple[Asked, Result]:
        files = asked.message.attachments
        if files:
            with clock.step("attachments"):
                unread = await self._read(asked, files)
            asked = replace(asked, remarks=" ".join((asked.remarks, *unread)).strip(), unread=bool(unread))
            if not asked.message.text.strip():
                return await _greet_files(asked, unread, reply)
        return asked, await self._ladder.climb(asked, reply, clock)

    async def _read(self, asked: Asked, files: tuple[Attachment, ...]) -> tuple[str, ...]:
        if self._attachments is None:
            return (wording.say(wording.FILES_UNREAD, asked.language),)
        return await self._attachments.take(asked.message.tenant_id, asked.session.session_id, files, asked.language)

    async def _save(self, asked: Asked, result: Result, answer: Answer) -> None:
        if result.personal:  # others read the session on: by its history, its tickets and what a model is told of it
            said = wording.say(wording.ANSWERED_ALONE, asked.language)
            result = replace(result, text=said, citations=(), context=())
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
            private=result.private,
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


def _language(message: Message) -> str:
    return detect(message.text[:1_000], default=message.language_hint or "en")


def _question(message: Message) -> tuple[Message, bool]:
    """Take the words out of the two commands that are questions to us, and tell whether a person is asked for."""
    parsed = commands.parse(message.text)
    if parsed is None or parsed.command is None or parsed.name not in _ASKING:
        return message, False
    if parsed.name == "ask" and not parsed.text.strip():
        raise UsageError(wording.EMPTY_QUESTION)
    return replace(message, text=parsed.text.strip() or parsed.name), parsed.name == "human"


def _hidden_before(message: Message) -> tuple[Hidden, ...]:
    """Count what was redacted on the way in, as core/accepting.py notes it: the kind of each part."""
    counts = Counter(message.hidden)
    return tuple(Hidden(kind, counts[kind]) for kind in SecretKind if counts[kind])


async def _greet_files(asked: Asked, unread: Sequence[str], reply: Written) -> tuple[Asked, Result]:
    """Answer files that came without a word."""
    names = [file.name for file in asked.message.attachments]
    read = [name for name in names if not any(remark.startswith(_unread(name, asked.language)) for remark in unread)]
    text = wording.files_read(read, asked.language) or " ".join(unread)
    asked = replace(asked, message=replace(asked.message, text=", ".join(names)))
    if not read:  # the remarks are the answer itself
        asked = replace(asked, remarks="")
    await reply.write(text)
    return asked, Result(text, Origin.SMALL_TALK, private=True)


def _unread(name: str, language: str) -> str:
    """Begin the sentence on a file that was not read at all."""
    return wording.say(NOT_READ, language).partition("{reason}")[0].format(name=name)


def _answer(asked: Asked, result: Result, clock: Clock) -> Answer:
    return Answer(
        text=result.text,
        origin=result.origin,
        session_id=asked.session.session_id,
        citations=result.citations,
        resolved=result.origin is not Origin.NOTHING_FOUND,
        ticket_number=result.ticket_number,
        notice=f"{asked.remarks} {say_all(asked.language, result.notice)}".strip(),
        cached=result.cached,
        private=result.personal,
        personal=result.personal,
        model=result.model,
        usage=asked.tally.usage,
        seconds=clock.seconds,
        steps=clock.steps,
        language=asked.language,
    )
