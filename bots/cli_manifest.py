"""`frontdesk manifest`."""

import sys
from typing import Annotated

import typer

from adapters.slack.manifest import DEFAULT_PREFIX, make_manifest, to_yaml
from bots.cli_manifest_teams import teams

manifest = typer.Typer(help="Print what a platform wants to know of the app.", no_args_is_help=True)


@manifest.command("slack")
def slack(
    url: Annotated[str, typer.Option("--url", metavar="ADDRESS", help="Public address, https://HOST.")] = "",
    socket: Annotated[bool, typer.Option("--socket", help="Use Socket Mode also where there is an address.")] = False,
    prefix: Annotated[str, typer.Option("--prefix", help="The slash command.")] = DEFAULT_PREFIX,
    no_shortcuts: Annotated[bool, typer.Option("--no-shortcuts", help="Leave /ask and /kb out.")] = False,
) -> None:
    """Print Slack's app manifest, ready to paste; without --url it is one for Socket Mode."""
    sys.stdout.write(to_yaml(make_manifest(url=url, socket=socket, prefix=prefix, shortcuts=not no_shortcuts)))


@manifest.command("telegram")
def telegram(
    apply: Annotated[bool, typer.Option("--apply", help="Tell it to Telegram, for each of TELEGRAM_BOTS.")] = False,
) -> None:
    """Print what bots say of themselves on Telegram: commands, descriptions, menu; or set it there."""
    from bots import cli_manifest_telegram  # noqa: PLC0415 - its SDK takes half a second to import

    cli_manifest_telegram.telegram(apply=apply)


manifest.command("teams")(teams)
