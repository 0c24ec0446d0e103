"""`frontdesk admin`."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from adapters.console.outbound import plain
from adapters.postgres.administrators import PostgresAdministrators
from bots.screen import Json, run, say, show, show_either
from bots.wiring import Frontdesk
from core.access import Access, Administrator
from core.errors import NotFound
from core.places import Platform

admin = typer.Typer(help="Invite, list and remove those who may administer from a chat.", no_args_is_help=True)


@admin.command()
def invite(json: Json = False) -> None:
    """Print a code that makes whoever sends it an administrator, once, within 24 hours."""
    code = run(lambda frontdesk: _access(frontdesk).invite(frontdesk.tenant_id))
    if not json:
        say("Within 24 hours, send this to Frontdesk in a private chat; it works once and is shown only now:")
    show_either({"code": code}, f"/admin {code}", json=json)


@admin.command("list")
def list_(json: Json = False) -> None:
    """List the administrators, beside those whom a platform names."""
    found = run(lambda frontdesk: _access(frontdesk).administrators(frontdesk.tenant_id))
    show_either(found, _table(found), json=json)


@admin.command()
def remove(
    author_id: Annotated[str, typer.Argument(metavar="ID", help="Their id, as `frontdesk admin list` shows it.")],
    platform: Annotated[Platform | None, typer.Option(help="Only on this platform.")] = None,
) -> None:
    """Take somebody off the list."""
    gone = run(lambda frontdesk: _access(frontdesk).remove(frontdesk.tenant_id, author_id, platform))
    if not gone:
        raise NotFound(f"There is no administrator {author_id}; `frontdesk admin list` shows them.")
    show(f"{author_id} is no longer on the list of administrators.")


def _access(frontdesk: Frontdesk) -> Access:
    return Access(PostgresAdministrators(frontdesk.database))


def _table(found: Sequence[Administrator]) -> RenderableType:
    if not found:
        return Text("There is no administrator yet; `frontdesk admin invite` makes a code for the first.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "name", "platform", "installation", "since"):
        table.add_column(column, overflow="fold")
    for listed in found:
        since = f"{listed.created_at:%Y-%m-%d}" if listed.created_at else ""
        author = listed.author
        table.add_row(
            plain(author.author_id), plain(author.name), listed.platform.value, plain(listed.installation), since
        )
    return table
