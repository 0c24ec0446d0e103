"""`frontdesk tickets`."""

from typing import Annotated

import typer

from adapters.console import outbound
from bots.screen import Json, run, show, show_either
from core.domain import TicketState
from core.errors import UsageError
from core.redact import notice, redact

tickets = typer.Typer(help="List, read, answer and close the questions handed to a person.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, max=2**31, help="The ticket's number.")]


@tickets.command("list")
def list_(
    state: Annotated[TicketState | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    json: Json = False,
) -> None:
    """List tickets, the newest first."""
    found = run(lambda frontdesk: frontdesk.tickets.tickets(frontdesk.tenant_id, state=state, limit=limit))
    show_either(found, outbound.tickets(found), json=json)


@tickets.command("show")
def show_one(number: Number, json: Json = False) -> None:
    """Show a ticket with what was said before it."""
    ticket = run(lambda frontdesk: frontdesk.tickets.ticket(frontdesk.tenant_id, number))
    show_either(ticket, outbound.ticket_text(ticket), json=json)


@tickets.command()
def answer(
    number: Number, text: Annotated[str, typer.Argument(metavar="TEXT", help="What the author will read.")]
) -> None:
    """Answer a ticket; the answer goes into the session the question came from."""
    if not text.strip():
        raise UsageError("The answer is empty; write what the author should read.")
    redacted = redact(text)
    run(lambda frontdesk: frontdesk.tickets.answer(frontdesk.tenant_id, number, redacted.text))
    show(f"Ticket {number} is answered. {notice(redacted.hidden)}".strip())


@tickets.command()
def close(number: Number) -> None:
    """Close a ticket."""
    run(lambda frontdesk: frontdesk.tickets.close(frontdesk.tenant_id, number))
    show(f"Ticket {number} is closed.")
