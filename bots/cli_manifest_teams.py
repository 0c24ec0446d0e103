"""`frontdesk manifest teams`."""

from pathlib import Path
from typing import Annotated

import typer

from adapters.teams.manifest import build_package
from bots.screen import show
from core.errors import UsageError

_OUT = Path("frontdesk-teams.zip")


def teams(
    app_id: Annotated[str, typer.Option("--app-id", metavar="ID", help="Id of the bot's registration.")],
    domain: Annotated[str, typer.Option("--domain", metavar="HOST", help="Public name of the server.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the package goes.")] = Path(
        "frontdesk-teams.zip"
    ),
    version: Annotated[str, typer.Option("--version", help="Of the package; raise it for each upload.")] = "1.0.0",
    developer: Annotated[str, typer.Option("--developer", help="Who is named as its developer.")] = "Frontdesk",
    reads_all: Annotated[
        bool, typer.Option("--reads-all", help="Ask to read messages that do not mention it too.")
    ] = False,
) -> None:
    """Write the app package to upload to Teams: the manifest, its languages and both icons."""
    package = build_package(app_id, domain, version=version, developer=developer, reads_all=reads_all)
    try:
        out.write_bytes(package)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}); choose another --out.") from error
    show(f"{out} is the app package; upload it in Teams under Apps, Manage your apps, Upload an app.")
