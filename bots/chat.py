"""The conversation in the terminal."""

import asyncio
import getpass
import sys
import threading
from contextlib import suppress
from pathlib import Path

from rich.text import Text

from adapters.console import outbound
from bots.console import Conversation, open_console
from bots.screen import err, out, show
from bots.wiring import Frontdesk
from bots.work import working
from core import wording
from core.domain import Answer, Author, Origin
from core.errors import FrontdeskError, Refused, StoreUnavailable
from core.pulled import Event, EventKind

HELP = "Ask anything. /help lists the commands, Ctrl-C stops an answer, /quit ends."
_LISTEN_S = 1.0
_PROMPT = "\nyou> "


class Printed:
    """Print an answer while it is written."""

    def __init__(self) -> None:
        self._shown = ""

    def hear(self, event: Event) -> None:
        """Print the next piece, or say that what stands there does not count."""
        if event.kind is EventKind.TEXT:
            self._shown += event.data["text"]
            out.print(Text(event.data["text"]), end="")
        elif event.kind is EventKind.RESTART and self._shown:
            self._shown = ""
            out.print(Text(f"\n({wording.BROKE_OFF})", style="dim"))

    def end(self, answer: Answer) -> None:
        """Print what is missing of the whole answer, and what belongs to it."""
        if answer.text.startswith(self._shown):
            out.print(Text(answer.text[len(self._shown) :]))
        elif answer.text.strip() == self._shown.strip():
            out.print()
        else:
            out.print(Text(f"\n{answer.text}"))
        for source in outbound.sources(answer.citations):
            show(source)
        keep_file(answer)
        if answer.origin is not Origin.COMMAND:
            show(outbound.footer(answer))


def keep_file(answer: Answer) -> None:
    """Put the file that comes with an answer into the folder one is in."""
    if answer.file is not None:
        show(outbound.words(f"  {outbound.save(answer.file, Path.cwd())}"))


def author() -> Author:
    """Name who sits at the terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"  # a container's user may have no name
    return Author(name, name)


async def check(frontdesk: Frontdesk, knowledge_bases: tuple[str, ...]) -> None:
    """Raise NotFound for a knowledge base that is not there: an unknown name is an error, not silence."""
    for name in knowledge_bases:
        await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)


async def ask_once(frontdesk: Frontdesk, text: str, *, session: str | None, knowledge_bases: tuple[str, ...]) -> Answer:
    """Answer one question; raises Refused where it is refused."""
    await check(frontdesk, knowledge_bases)
    chosen = await frontdesk.sessions.find(frontdesk.tenant_id, session) if session is not None else None
    async with open_console(frontdesk) as console:
        asked = Conversation(console, author(), session=chosen, knowledge_bases=knowledge_bases, serves=True)
        answer = await asked.say(text)
    if answer.origin is Origin.FAILED and answer.ticket_number is None:
        raise Refused(answer.text)
    return answer


async def talk(frontdesk: Frontdesk, *, session: str | None, knowledge_bases: tuple[str, ...] = ()) -> None:
    """Answer what is typed until the end of the input; an error ends one answer, not the conversation."""
    await check(frontdesk, knowledge_bases)
    chosen = await frontdesk.sessions.find(frontdesk.tenant_id, session) if session is not None else None
    async with open_console(frontdesk) as console, working(console):
        conversation = Conversation(console, author(), session=chosen, knowledge_bases=knowledge_bases)
        await conversation.catch_up()
        err.print(HELP, style="dim")
        await _show_said(conversation)
        quiet = asyncio.Lock()
        listening = asyncio.create_task(_listen(conversation, quiet))
        try:
            await _converse(conversation, quiet)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _converse(conversation: Conversation, quiet: asyncio.Lock) -> None:
    while (line := await _read_line()) is not None:
        if line.strip() == "/quit":
            return
        if not line.strip():
            continue
        async with quiet:
            try:
                printed = Printed()
                printed.end(await conversation.say(line.strip(), printed.hear))
            except FrontdeskError as error:
                err.print(str(error), style="red")


async def _listen(conversation: Conversation, quiet: asyncio.Lock) -> None:
    """Show what people and jobs say while nothing is answered."""
    while True:
        await asyncio.sleep(_LISTEN_S)
        async with quiet:
            with suppress(StoreUnavailable):
                if await _show_said(conversation) and sys.stdin.isatty():
                    out.print(_PROMPT, end="")


async def _show_said(conversation: Conversation) -> bool:
    said = await conversation.said()
    for answer in said:
        out.print()
        show(outbound.words(answer.text))
        keep_file(answer)
    return bool(said)


async def _read_line() -> str | None:
    """Read one line from the terminal or a pipe; None at its end."""
    prompt = _PROMPT if sys.stdin.isatty() else ""
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
