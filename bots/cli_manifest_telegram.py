"""`frontdesk manifest telegram`."""

import json
import sys
from typing import Annotated

import typer

from adapters.postgres.administrators import PostgresAdministrators
from adapters.postgres.pacing import PostgresPacing
from adapters.telegram.api import TelegramApi
from adapters.telegram.commands import apply_manifest, make_manifest
from bots.screen import err, run, show
from bots.telegram import account_of, open_bots
from bots.wiring import Frontdesk
from core.errors import UsageError
from core.pacing import PreferredPacer
from core.places import Platform


def telegram(
    apply: Annotated[bool, typer.Option("--apply", help="Tell it to Telegram, for each of TELEGRAM_BOTS.")] = False,
) -> None:
    """Print what bots say of themselves on Telegram: commands, descriptions, menu; or set it there."""
    if apply:
        run(_apply)
    else:
        sys.stdout.write(manifest_text())


def manifest_text() -> str:
    """Write manifest/telegram.json."""
    return json.dumps(make_manifest(), ensure_ascii=False, indent=2) + "\n"


async def _apply(frontdesk: Frontdesk) -> None:
    settings = frontdesk.settings
    if not settings.telegram_bots:
        raise UsageError("There is no bot; set TELEGRAM_BOTS=NAME=TOKEN first.")
    async with open_bots(settings, PreferredPacer(PostgresPacing(frontdesk.database))) as bots:
        for api in bots.values():
            if api.refused:
                err.print(api.refused, markup=False)
                continue
            told = await apply_manifest(api, make_manifest(), await _administrators(frontdesk, api))
            for sentence in told:
                err.print(sentence, markup=False)
            show(f"The bot {api.name} has {'all else' if told else 'its commands, descriptions and menu'}.")


async def _administrators(frontdesk: Frontdesk, api: TelegramApi) -> list[str]:
    """List the ids of those who administer through a bot."""
    account = account_of(frontdesk.settings, api)
    listed = await PostgresAdministrators(frontdesk.database).administrators(account.tenant_id)
    known = {
        each.author.author_id
        for each in listed
        if each.platform is Platform.TELEGRAM and each.installation in ("", api.bot_id)
    }
    return sorted(account.administrators | {person for person in known if person.isdigit()})
