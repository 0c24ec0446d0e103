"""`frontdesk sessions`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from adapters.console import outbound
from bots.screen import Json, run, show, show_either
from bots.wiring import Frontdesk
from core.domain import Mode, Session, Turn

sessions = typer.Typer(help="List, read, name, clear and delete conversations.", no_args_is_help=True)

SessionId = Annotated[str, typer.Argument(metavar="ID", help="The session's id, or enough of its beginning.")]


def _change(session_id: str, change: Callable[[Frontdesk, Session], Awaitable[None]]) -> Session:
    """Find the session that begins with SESSION_ID and change it."""

    async def work(frontdesk: Frontdesk) -> Session:
        session = await frontdesk.sessions.find(frontdesk.tenant_id, session_id)
        await change(frontdesk, session)
        return session

    return run(work)


@sessions.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="How many to pass over.")] = 0,
    json: Json = False,
) -> None:
    """List conversations: favourites first, then the newest."""
    found = run(lambda frontdesk: frontdesk.sessions.sessions(frontdesk.tenant_id, limit=limit, offset=offset))
    show_either(found, outbound.sessions(found), json=json)


@sessions.command()
def history(
    session_id: SessionId,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many turns.")] = 50,
    context: Annotated[bool, typer.Option("--context", help="Also show what was retrieved for each answer.")] = False,
    json: Json = False,
) -> None:
    """Show what was said, with the sources."""

    async def work(frontdesk: Frontdesk) -> list[Turn]:
        session = await frontdesk.sessions.find(frontdesk.tenant_id, session_id)
        return await frontdesk.sessions.turns(frontdesk.tenant_id, session.session_id, limit=limit)

    found = run(work)
    show_either(found, outbound.turns(found, context=context), json=json)


@sessions.command()
def rename(session_id: SessionId, title: Annotated[str, typer.Argument(metavar="TITLE")]) -> None:
    """Give a conversation another title."""
    _change(session_id, lambda f, s: f.sessions.rename(f.tenant_id, s.session_id, title))
    show("Renamed.")


@sessions.command()
def favourite(
    session_id: SessionId, off: Annotated[bool, typer.Option("--off", help="No longer a favourite.")] = False
) -> None:
    """Mark a conversation as a favourite."""
    _change(session_id, lambda f, s: f.sessions.set_favourite(f.tenant_id, s.session_id, not off))
    show("No longer a favourite." if off else "Marked as a favourite.")


@sessions.command()
def mode(
    session_id: SessionId,
    mode: Annotated[Mode, typer.Argument(help="Answer from the documents alone, or also from what the model knows.")],
) -> None:
    """Choose what the answers of a conversation may rest on."""
    _change(session_id, lambda f, s: f.sessions.set_mode(f.tenant_id, s.session_id, mode))
    show(f"The conversation is {mode.value} from now on.")


@sessions.command()
def clear(session_id: SessionId) -> None:
    """Forget what was said; the conversation itself stays."""
    _change(session_id, lambda f, s: f.sessions.clear(f.tenant_id, s.session_id))
    show("Cleared.")


@sessions.command()
def delete(session_id: SessionId) -> None:
    """Delete a conversation; its tickets stay."""
    _change(session_id, lambda f, s: f.sessions.delete(f.tenant_id, s.session_id))
    show("Deleted.")
