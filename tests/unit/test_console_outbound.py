"""What the terminal shows of what people wrote."""

from datetime import UTC, datetime
from io import StringIO
from uuid import uuid4

from rich.console import Console

from adapters.console import outbound
from core.domain import Ticket, TicketState


def ticket(question):
    now = datetime.now(UTC)
    return Ticket(7, uuid4(), TicketState.OPEN, question, "", "They asked for a person.", "", now, now)


def shown(renderable):
    screen = Console(file=StringIO(), width=200)
    screen.print(renderable)
    return screen.file.getvalue()


def test_a_question_of_several_messages_is_one_line():
    text = shown(outbound.tickets([ticket("How long is it?\nAnd how wide?")]))
    assert "How long is it? And how wide?" in text


def test_what_would_steer_the_terminal_is_made_harmless():
    assert "\x1b" not in shown(outbound.tickets([ticket("How long\x1b[2J is it?")]))
