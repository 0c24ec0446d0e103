"""The terminal as a platform like the others: what is typed goes through the inbox, answers are read as events."""

import asyncio
import logging
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType

from adapters.postgres.events import PostgresEvents, answer_of
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.signals import open_signals
from adapters.postgres.terminal import dismiss_jobs, does_anybody_work, last_answer
from adapters.queue.watch import DEAD_AFTER_S
from bots.wiring import Frontdesk, make_acceptance, make_desk
from core import wording
from core.accepting import Acceptance
from core.commands import parse
from core.desk import Desk
from core.domain import Answer, Author, Message, Origin, Session
from core.errors import StoreUnavailable, TooLarge, UsageError
from core.inbox import Accepted, Ending, Incoming, Kind, Thread
from core.language import detect
from core.meter import Unmetered
from core.places import Place, Platform
from core.pulled import FINAL, Event, EventKind, PulledChannel, follow
from core.tracing import Untraced, new_request_id

CHANNEL = "terminal"
PATIENCE_S = 30.0  # how long a database may be away before a reader gives up
_LOOK_S = 1.0
_ANY_NUMBER = 1_000_000  # messages a minute: whoever has the terminal has the database

Show = Callable[[Event], None]

_log = logging.getLogger(__name__)

_ENDED = {
    Ending.STOPPED: Answer("", Origin.STOPPED, None, notice=wording.STOPPED),
    Ending.FAILED: Answer(wording.NOT_ANSWERED, Origin.FAILED, None, resolved=False),
}
_TAKEN_OVER = Answer(
    "", Origin.PERSON, None, notice="A person answers in this conversation; your words were passed on."
)


@dataclass(frozen=True, slots=True)
class Console:
    """What the terminals of one process share."""

    frontdesk: Frontdesk
    inbox: PostgresInbox
    events: PostgresEvents
    acceptance: Acceptance
    desk: Desk  # for the terminal's own messages, where there is no worker

    async def does_anybody_work(self) -> bool:
        """Tell whether a worker will take what is put into the inbox; raises StoreUnavailable."""
        return await does_anybody_work(self.frontdesk.database, DEAD_AFTER_S)


@asynccontextmanager
async def open_console(frontdesk: Frontdesk) -> AsyncIterator[Console]:
    """Open the terminal's end of inbox and outbox; raises StoreUnavailable."""
    settings = frontdesk.settings
    async with open_signals(frontdesk.store.url) as signals:
        inbox = PostgresInbox(frontdesk.database, waiting_limit=settings.waiting_limit, author_limit=_ANY_NUMBER)
        events = PostgresEvents(frontdesk.database, signals)
        channels = {Platform.CONSOLE: PulledChannel(Platform.CONSOLE, events)}
        desk = make_desk(frontdesk, inbox, signals, channels, Unmetered(), Untraced())
        yield Console(frontdesk, inbox, events, make_acceptance(settings, inbox, Unmetered()), desk)


class Conversation:
    """One conversation at a terminal."""

    def __init__(
        self,
        console: Console,
        author: Author,
        *,
        session: Session | None = None,
        knowledge_bases: tuple[str, ...] = (),
        serves: bool = False,
    ) -> None:
        """Go on with SESSION, or begin one; SERVES, to answer in this process where no worker does."""
        self._console = console
        self._author = author
        self._session_id = session.session_id if session else None
        self._knowledge_bases = knowledge_bases
        self._serves = serves
        self._place = _place(session)
        self._heard = 0

    async def say(self, text: str, show: Show = lambda _: None) -> Answer:
        """Put TEXT into the inbox and wait for its answer, of whose pieces SHOW hears; Ctrl-C stops it.

        Raises UsageError and TooLarge before anything is stored, StoreUnavailable where PostgreSQL stays away.
        """
        message = self._message(text)
        answer = await self._console.frontdesk.actions.instant(message)  # so that no code of /admin is stored
        if answer is None:
            incoming = _incoming(message)
            accepted = await self._accept(incoming)
            answer = await self._answer(incoming, accepted, show)
        parsed = parse(text)
        if parsed is not None and parsed.name == "new":
            self._session_id = None  # from now on the place's own
        return answer

    async def said(self) -> list[Answer]:
        """List what people and jobs have said here since the last call; raises StoreUnavailable."""
        found = await self._console.events.said(self._tenant_id, "", self._place, after=self._heard)
        if found:
            self._heard = found[-1][0]
        return [answer for _, _, answer in found]

    async def catch_up(self) -> None:
        """Take everything up to the newest answer as read: what came after it is said again."""
        self._heard = await last_answer(self._console.frontdesk.database, self._tenant_id, "", self._place)

    @property
    def _tenant_id(self) -> int:
        return self._console.frontdesk.tenant_id

    def _message(self, text: str) -> Message:
        limit = self._console.frontdesk.settings.max_question_characters
        if not text.strip():
            raise UsageError(wording.EMPTY_QUESTION)
        if len(text) > limit:
            raise TooLarge(wording.too_long(len(text), limit, detect(text[:1_000])))
        return Message(
            tenant_id=self._tenant_id,
            place=self._place,
            author=self._author,
            text=text,
            session_id=self._session_id,
            knowledge_bases=self._knowledge_bases,
            administrator=True,
            direct=True,
        )

    async def _accept(self, incoming: Incoming) -> Accepted:
        try:
            return await self._console.acceptance.accept(incoming)
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{error} Your question was not saved; ask it again then.") from error

    async def _answer(self, incoming: Incoming, accepted: Accepted, show: Show) -> Answer:
        async with self._helped(incoming):
            return await self._read(accepted.inbox_id, show)

    @asynccontextmanager
    async def _helped(self, incoming: Incoming) -> AsyncIterator[None]:
        """See to it that there is an answer while a block waits for it, and that Ctrl-C stops it."""
        over = asyncio.Event()
        with _interrupts() as pressed:
            stopping = asyncio.create_task(self._stop_when(pressed, incoming))
            serving = asyncio.create_task(self._serve(incoming.thread, over))
            try:
                yield
                over.set()
                await serving  # an answer can be read a moment before its row has ended
            finally:
                stopping.cancel()
                serving.cancel()
                await asyncio.gather(stopping, serving, return_exceptions=True)

    async def _stop_when(self, pressed: asyncio.Event, incoming: Incoming) -> None:
        await pressed.wait()
        stop = _incoming(replace(incoming.message, text=""))
        with suppress(StoreUnavailable):  # a second Ctrl-C ends the program
            await self._console.acceptance.accept(replace(stop, kind=Kind.STOP, target=incoming.message_id))

    async def _serve(self, thread: Thread, over: asyncio.Event) -> None:
        """Answer here while there is no worker: to start one takes longer than to answer.

        It goes without the thread's lock. A worker that starts meanwhile claims the same message again and finishes
        it; then what is done here is refused as superseded. The job that woke nobody is dropped at the end; where this
        process dies, it wakes the next worker.
        """
        while self._serves and not over.is_set():
            try:
                if not await self._console.does_anybody_work():
                    await self._console.desk.serve(thread)
                    await dismiss_jobs(self._console.frontdesk.database, thread)
            except Exception as error:  # noqa: BLE001 - a worker's loop: the desk counts the tries and gives up at last
                _log.info("tried again: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await over.wait()

    async def _read(self, inbox_id: int, show: Show) -> Answer:
        """Read the events of an answer to the last one, over failures of the database."""
        loop, after = asyncio.get_running_loop(), ""
        last_s = loop.time()
        while True:
            rows, log = self._console.inbox, self._console.events
            try:
                async with aclosing(follow(rows, log, self._tenant_id, inbox_id, after=after)) as events:
                    async for event in events:
                        last_s = loop.time()
                        if event is not None and event.kind in FINAL:
                            return await self._final(inbox_id, event)
                        if event is not None:
                            after = event.event_id or after
                            show(event)
            except StoreUnavailable as error:
                if loop.time() - last_s > PATIENCE_S:
                    raise StoreUnavailable(f"{error} Your question is stored and will be answered.") from error
                await asyncio.sleep(_LOOK_S)

    async def _final(self, inbox_id: int, event: Event) -> Answer:
        if event.kind is EventKind.ANSWER:
            return answer_of(event)
        entry = await self._console.inbox.entry(self._tenant_id, inbox_id)
        answer = _ENDED.get(entry.ending or Ending.TAKEN_OVER, _TAKEN_OVER)
        return replace(answer, session_id=self._session_id, ticket_number=entry.ticket_number)


def _place(session: Session | None) -> Place:
    """Choose the thread: a session that began elsewhere goes on in one of its own."""
    if session is None:
        return Place(Platform.CONSOLE, CHANNEL, str(uuid.uuid4()))
    ours = session.place.platform is Platform.CONSOLE
    return Place(Platform.CONSOLE, CHANNEL, session.place.thread if ours else str(session.session_id))


def _incoming(message: Message) -> Incoming:
    event_id = uuid.uuid4().hex
    return Incoming(message, "", event_id, event_id, request_id=new_request_id())


@contextmanager
def _interrupts() -> Iterator[asyncio.Event]:
    """Yield what the first Ctrl-C sets; the second one ends the program as ever."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    before = signal.getsignal(signal.SIGINT)

    def press(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(pressed.set)

    if before is not signal.SIG_IGN:  # a program in the background stays deaf
        signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
