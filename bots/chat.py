"""The conversation in the terminal."""

import asyncio
import getpass
import sys
import threading
import uuid
from contextlib import suppress

from rich.text import Text

from adapters.console import outbound
from bots.screen import err, out, show
from bots.wiring import Frontdesk
from core.domain import Answer, Author, Message, Session
from core.errors import FrontdeskError, StoreUnavailable, UsageError
from core.places import Place, Platform

HELP = "Ask anything. /new begins a new conversation, /history shows this one, /human opens a ticket, /quit ends."
_CHANNEL = "terminal"


class Silent:
    """A Reply for those who show the whole answer at its end."""

    async def write(self, text: str) -> None:
        """Wait for the rest."""

    async def restart(self) -> None:
        """Forget nothing: nothing was shown."""


class Printed:
    """A Reply that prints as it is written."""

    async def write(self, text: str) -> None:
        """Print the next piece."""
        out.print(Text(text), end="")

    async def restart(self) -> None:
        """Say that what stands there does not count."""
        out.print(Text("\n(The answer broke off; once more:)", style="dim"))


def author() -> Author:
    """Name who sits at the terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"  # a container's user may have no name
    return Author(name, name)


async def choose_session(frontdesk: Frontdesk, asked: str | None) -> Session:
    """Find the session ASKED for, or begin a new one."""
    if asked is not None:
        return await frontdesk.sessions.find(frontdesk.tenant_id, asked)
    place = Place(Platform.CONSOLE, _CHANNEL, str(uuid.uuid4()))
    return await frontdesk.sessions.start(frontdesk.tenant_id, place, author().author_id)


def message(frontdesk: Frontdesk, session: Session, text: str, knowledge_bases: tuple[str, ...] = ()) -> Message:
    """Turn a typed line into a message."""
    return Message(
        tenant_id=frontdesk.tenant_id,
        place=Place(Platform.CONSOLE, _CHANNEL, session.place.thread),
        author=author(),
        text=text,
        session_id=session.session_id,
        knowledge_bases=knowledge_bases,
    )


async def ask_once(frontdesk: Frontdesk, text: str, *, session: str | None, knowledge_bases: tuple[str, ...]) -> Answer:
    """Answer one question."""
    for name in knowledge_bases:
        await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)  # an unknown name is an error, not silence
    if not text.strip():
        raise UsageError("The question is empty; write what you would like to know.")
    chosen = await choose_session(frontdesk, session)
    return await frontdesk.engine.handle(message(frontdesk, chosen, text, knowledge_bases), Silent())


async def talk(frontdesk: Frontdesk, *, session: str | None, knowledge_bases: tuple[str, ...] = ()) -> None:
    """Answer what is typed until the end of the input; an error ends one answer, not the conversation."""
    for name in knowledge_bases:
        await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)
    current = await choose_session(frontdesk, session)
    err.print(HELP, style="dim")
    while (line := await _read_line()) is not None:
        try:
            if not line.strip():
                continue
            if line.strip() == "/quit":
                return
            current = await _respond(frontdesk, current, line.strip(), knowledge_bases)
        except StoreUnavailable as error:
            err.print(f"{error} Your question was not saved; ask it again then.", style="red")
        except FrontdeskError as error:
            err.print(str(error), style="red")


async def _respond(frontdesk: Frontdesk, session: Session, line: str, knowledge_bases: tuple[str, ...]) -> Session:
    """Do what one line asks; return the session to go on with."""
    if line == "/new":
        show("A new conversation.")
        return await choose_session(frontdesk, None)
    if line == "/history":
        turns = await frontdesk.sessions.turns(frontdesk.tenant_id, session.session_id)
        show(outbound.turns(turns, context=False))
        return session
    if line == "/human":
        line = "I need a person"
    elif line.startswith("/"):
        raise UsageError(f"There is no command {line.split()[0]}. {HELP}")
    answer = await frontdesk.engine.handle(message(frontdesk, session, line, knowledge_bases), Printed())
    out.print()
    for source in outbound.sources(answer.citations):
        show(source)
    show(outbound.footer(answer))
    return session


async def _read_line() -> str | None:
    """Read one line from the terminal or a pipe; None at its end."""
    prompt = "\nyou> " if sys.stdin.isatty() else ""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str | None] = loop.create_future()

    def settle(typed: str | None) -> None:
        if not line.done():
            line.set_result(typed)

    def read() -> None:
        typed: str | None = None
        with suppress(EOFError, ValueError):  # the end, or a stdin that was closed
            typed = input(prompt)
        with suppress(RuntimeError):  # the conversation is over
            loop.call_soon_threadsafe(settle, typed)

    # Not a pool's thread: Ctrl-C could not end the program before that thread has read its line.
    threading.Thread(target=read, daemon=True).start()
    return await line
