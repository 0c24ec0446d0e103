"""`frontdesk tickets`."""

from typing import Annotated

import typer

from adapters.console import outbound
from bots.screen import Json, run, show, show_either
from bots.wiring import Frontdesk
from core.actions_call import ticket_work
from core.domain import TicketState
from core.errors import UsageError
from core.redact import notice, redact
from core.ticket_work import By, TicketWork

tickets = typer.Typer(
    help="List, read, answer, take over and close the questions handed to a person.", no_args_is_help=True
)

_HERE = By("somebody at the terminal")

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
    """Answer a ticket; the answer goes to the author, and into the session the question came from."""
    if not text.strip():
        raise UsageError("The answer is empty; write what the author should read.")
    redacted = redact(text)
    sent = run(lambda frontdesk: _work(frontdesk).answer(frontdesk.tenant_id, number, redacted.text, by=_HERE))
    way = "and is being sent to its author" if sent else "in its session; there is nowhere to send it to"
    show(f"Ticket {number} is answered, {way}. {notice(redacted.hidden)}".strip())


@tickets.command()
def take(number: Number) -> None:
    """Take a ticket's conversation over: Frontdesk is silent there until the ticket is closed."""
    if not run(lambda frontdesk: _work(frontdesk).take(frontdesk.tenant_id, number)):
        raise UsageError(f"The session of ticket {number} was deleted; it cannot be taken over.")
    show(f'Ticket {number} is yours; answer with: frontdesk tickets answer {number} "..."')


@tickets.command()
def close(number: Number) -> None:
    """Close a ticket; Frontdesk answers in its conversation again."""
    run(lambda frontdesk: _work(frontdesk).close(frontdesk.tenant_id, number, by=_HERE))
    show(f"Ticket {number} is closed.")


def _work(frontdesk: Frontdesk) -> TicketWork:
    return ticket_work(frontdesk.tools)
