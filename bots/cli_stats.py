"""`frontdesk stats`."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adapters.console.outbound import plain
from adapters.postgres.stats import PostgresStats
from bots.screen import Json, run, show_either
from core.stats import Stats


def stats(
    days: Annotated[int, typer.Option(min=1, max=365, help="How many of the last days.")] = 30,
    top: Annotated[int, typer.Option(min=0, max=100, help="How many unanswered questions.")] = 10,
    json: Json = False,
) -> None:
    """Show what was asked and answered, and what the documents have no answer to."""
    found = run(lambda frontdesk: PostgresStats(frontdesk.database).stats(frontdesk.tenant_id, days, top))
    show_either(found, _text(found), json=json)


def _text(stats: Stats) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in _figures(stats):
        table.add_row(name, str(count))
    parts: list[RenderableType] = [Text(f"The last {stats.days} days", style="bold"), table]
    if stats.unanswered:
        parts.append(Text("Most asked without an answer:", style="bold"))
        parts += [Text(f"{unanswered.count} × ").append(plain(unanswered.question)) for unanswered in stats.unanswered]
    return Group(*parts)


def _figures(stats: Stats) -> Iterator[tuple[str, int]]:
    yield "messages", stats.accepted
    yield "people", stats.authors
    yield "waiting", stats.waiting
    for origin, count in stats.answered.items():
        yield f"answered: {origin}", count
    yield "tickets opened", stats.tickets_opened
    yield "tickets open", stats.tickets_open
    yield "rated well", stats.liked
    yield "rated badly", stats.disliked
