"""What administrators decided for channels."""

import builtins
from dataclasses import replace

import asyncpg

from adapters.postgres.database import Database
from core.channels import DEFAULTS, ChannelSettings, Listens
from core.escalation import TicketPolicy
from core.places import Place, Platform

_COLUMNS = "platform, channel, listens, knowledge_bases, threshold, language, tickets, follow_ups, version"

# The version goes on rising over a reset: what was remembered of an older one must not come back to life.
_SAVE = """
insert into channel_settings
    (tenant_id, platform, channel, listens, knowledge_bases, threshold, language, tickets, follow_ups)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tenant_id, platform, channel) do update set
    listens = excluded.listens, knowledge_bases = excluded.knowledge_bases, threshold = excluded.threshold,
    language = excluded.language, tickets = excluded.tickets, follow_ups = excluded.follow_ups,
    version = channel_settings.version + 1, updated_at = now()
returning version
"""


class PostgresChannels:
    """The ChannelStore port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settings(self, tenant_id: int, place: Place) -> ChannelSettings:
        """Look up the settings of the channel of PLACE; the defaults where there are none."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(
                f"select {_COLUMNS} from channel_settings where platform = $1 and channel = $2",  # noqa: S608
                place.platform.value,
                place.channel,
            )
        return _settings(row) if row is not None else DEFAULTS

    async def save(self, tenant_id: int, place: Place, settings: ChannelSettings) -> ChannelSettings:
        """Create or replace the settings of the channel of PLACE and return them with their new version."""
        async with self._database.tenant(tenant_id) as connection:
            version = await connection.fetchval(
                _SAVE,
                tenant_id,
                place.platform.value,
                place.channel,
                settings.listens.value,
                builtins.list(settings.knowledge_bases),
                settings.threshold,
                settings.language,
                settings.tickets.value if settings.tickets else None,
                settings.follow_ups,
            )
        return replace(settings, version=version)

    async def reset(self, tenant_id: int, place: Place) -> None:
        """Let the defaults apply to the channel of PLACE again."""
        if replace(await self.settings(tenant_id, place), version=0) != DEFAULTS:
            await self.save(tenant_id, place, DEFAULTS)

    async def list(self, tenant_id: int) -> builtins.list[tuple[Platform, str, ChannelSettings]]:
        """List the channels that have settings, by platform and channel."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                f"select {_COLUMNS} from channel_settings order by platform, channel"  # noqa: S608
            )
        listed = [(Platform(row["platform"]), row["channel"], _settings(row)) for row in rows]
        return [entry for entry in listed if replace(entry[2], version=0) != DEFAULTS]


def _settings(row: asyncpg.Record) -> ChannelSettings:
    return ChannelSettings(
        knowledge_bases=tuple(row["knowledge_bases"]),
        listens=Listens(row["listens"]) if row["listens"] else Listens.MENTION,
        threshold=row["threshold"],
        language=row["language"],
        tickets=TicketPolicy(row["tickets"]) if row["tickets"] else None,
        follow_ups=row["follow_ups"],
        version=row["version"],
    )
