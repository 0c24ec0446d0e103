"""Telegram, put together: what sends, what listens, and the files of messages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from adapters.postgres.channels import PostgresChannels
from adapters.postgres.earlier import PostgresEarlier
from adapters.postgres.migrated import PostgresMoves
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.polling import hold_polling
from adapters.postgres.uploads import PostgresUploads
from adapters.telegram.api import TelegramApi
from adapters.telegram.channel import TelegramChannel
from adapters.telegram.files import TICKET_TYPE, TelegramFiles
from adapters.telegram.intake import Account, Intake
from adapters.telegram.listen import Webhook
from adapters.telegram.polling import Poller, keep_webhook
from adapters.telegram.sources import Sources
from bots.platforms import wants_slack, wants_teams
from bots.settings import Settings, telegram_bots
from bots.wiring import Frontdesk
from core.attached import Uploads
from core.checks import Look
from core.errors import ChannelUnavailable, UsageError
from core.file_tickets import FileTickets, TicketedUploads
from core.meter import Meter
from core.pacing import Pacer
from core.taking import Accepts

Task = Callable[[], Coroutine[Any, Any, None]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TelegramParts:
    """What a process needs of Telegram."""

    channel: TelegramChannel
    routes: Sequence[web.RouteDef] = ()
    background: Sequence[Task] = ()  # run until they are cancelled, where updates are taken; they may end by themselves
    probes: Collection[tuple[str, Look]] = ()


@asynccontextmanager
async def open_bots(settings: Settings, pacer: Pacer) -> AsyncIterator[dict[str, TelegramApi]]:
    """Open the bots of SETTINGS, by their ids; where Telegram does not answer yet, it is asked again when it is needed.

    A bot whose token Telegram refuses stands back (TelegramApi.refused) and the rest goes on; raises UsageError where
    there is no rest.
    """
    url = settings.telegram_api_url
    bots = [TelegramApi(name, token, pacer, base_url=url) for name, _, token in telegram_bots(settings)]
    try:
        known = {api.bot_id: api for api in bots}
        if len(known) != len(bots):
            raise UsageError("TELEGRAM_BOTS names one bot twice; take one of the names away.")
        await asyncio.gather(*(_meet(api) for api in bots))
        others = bool(settings.http_keys) or wants_slack(settings) or wants_teams(settings)
        if bots and all(api.refused for api in bots) and not others:
            raise UsageError(" ".join(api.refused for api in bots))
        yield known
    finally:
        await asyncio.gather(*(api.close() for api in bots))


async def _meet(api: TelegramApi) -> None:
    try:
        await api.me()
    except ChannelUnavailable as error:
        _log.warning("The bot %s is not known yet: %s", api.name, error)
    except UsageError as error:
        _log.error("The bot %s is left out: %s", api.name, error)


def telegram_uploads(uploads: Uploads, bots: Mapping[str, TelegramApi], settings: Settings) -> Uploads:
    """Let UPLOADS fetch the files of Telegram's messages when they are read."""
    files = TelegramFiles(bots, limit_bytes=settings.max_file_mb * 1024 * 1024)
    return TicketedUploads(uploads, TICKET_TYPE, files.fetch) if bots else uploads


@asynccontextmanager
async def open_telegram(
    settings: Settings, frontdesk: Frontdesk, bots: Mapping[str, TelegramApi], acceptance: Accepts, meter: Meter
) -> AsyncIterator[TelegramParts]:
    """Connect BOTS with the rest; raises UsageError where the settings do not fit together."""
    database, outbox = frontdesk.database, PostgresOutbox(frontdesk.database)
    accounts = {api.name: account_of(settings, api) for api in bots.values() if not api.refused}
    intake = Intake(
        acceptance,
        PostgresChannels(database),
        FileTickets(PostgresUploads(database), TICKET_TYPE),
        Sources(outbox),
        outbox,
        PostgresEarlier(database),
        moves=PostgresMoves(database),
        commands=frontdesk.actions,
        meter=meter,
    )
    try:
        yield TelegramParts(
            channel=TelegramChannel(bots),
            routes=tuple(Webhook(accounts, intake, meter).routes()) if is_webhook(settings) else (),
            background=tuple(_background(settings, frontdesk, accounts, intake)),
            probes=(("telegram", partial(_look, tuple(bots.values()))),),
        )
    finally:
        await intake.close()


def account_of(settings: Settings, api: TelegramApi) -> Account:
    """Say whose a bot is and what Telegram's requests for it carry."""
    given = settings.telegram_secret
    secret = given.get_secret_value() if given else api.sign("webhook", api.bot_id)
    tenant_id = tenant_of(settings, api)
    ours = tenant_id == settings.tenant_id  # another tenant's administrators are its own affair
    return Account(api, tenant_id, secret, settings.telegram_administrators if ours else frozenset())


def tenant_of(settings: Settings, api: TelegramApi) -> int:
    """Tell whose a bot is."""
    return next(tenant_id for name, tenant_id, _ in telegram_bots(settings) if name == api.name)


def is_webhook(settings: Settings) -> bool:
    """Tell how updates arrive; raises UsageError for a webhook without an address."""
    address = settings.public_url or ""
    if settings.telegram_mode == "webhook" and not address:
        raise UsageError("TELEGRAM_MODE=webhook needs PUBLIC_URL; set it, or choose polling.")
    return settings.telegram_mode == "webhook" or (settings.telegram_mode == "auto" and address.startswith("https://"))


def _background(
    settings: Settings, frontdesk: Frontdesk, accounts: Mapping[str, Account], intake: Intake
) -> list[Task]:
    if is_webhook(settings):
        return [partial(keep_webhook, account, settings.public_url or "") for account in accounts.values()]
    lock = partial(hold_polling, frontdesk.store.url)
    return [Poller(account, intake, lock).run for account in accounts.values()]


async def _look(bots: tuple[TelegramApi, ...]) -> Mapping[str, float]:
    """Ask Telegram who the bots are; raises ChannelUnavailable, and UsageError for a token that it refuses."""
    await asyncio.gather(*(api.call("getMe") for api in bots))
    return {}
