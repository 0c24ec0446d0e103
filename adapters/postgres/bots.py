"""Bot configurations and the channels they answer in."""

from dataclasses import replace

import asyncpg

from adapters.postgres.database import Connection, Database
from core.domain import Assignment, BotConfiguration, Mode
from core.errors import NotFound, TooLarge, UsageError
from core.places import Place, Platform

LONGEST_PROMPT = 8_000  # characters: it is paid for with every answer
LONGEST_NAME = 60
_RANGES = {"temperature": (0, 2), "max_tokens": (50, 4000), "top_k": (1, 20), "threshold": (0, 2)}

_COLUMNS = "name, prompt, mode, knowledge_bases, models, temperature, max_tokens, top_k, threshold, version"

_BOTS = f"select {_COLUMNS} from bot_configurations where ($1::text is null or name = $1) order by name"  # noqa: S608

_FOR_PLACE = f"""
select {_COLUMNS}
from bot_configurations left join (
    select bot_id, channel from channel_bots where platform = $1 and channel in ($2, '')
) here using (bot_id)
where here.bot_id is not null or name = 'default'
order by here.bot_id is null, here.channel desc
limit 1
"""  # noqa: S608

_SAVE = """
insert into bot_configurations
    (tenant_id, name, prompt, mode, knowledge_bases, models, temperature, max_tokens, top_k, threshold)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (tenant_id, name) do update set
    prompt = excluded.prompt, mode = excluded.mode, knowledge_bases = excluded.knowledge_bases,
    models = excluded.models, temperature = excluded.temperature, max_tokens = excluded.max_tokens,
    top_k = excluded.top_k, threshold = excluded.threshold, version = bot_configurations.version + 1, updated_at = now()
returning version
"""

_ASSIGN = """
insert into channel_bots (tenant_id, platform, channel, bot_id)
select $1, $2, $3, bot_id from bot_configurations where name = $4
on conflict (tenant_id, platform, channel) do update set bot_id = excluded.bot_id
returning bot_id
"""


class PostgresBots:
    """The BotStore port on PostgreSQL; BUILT_IN answers where no bot was made."""

    def __init__(self, database: Database, built_in: BotConfiguration | None = None) -> None:
        self._database = database
        self._built_in = built_in or BotConfiguration()

    async def bots(self, tenant_id: int) -> list[BotConfiguration]:
        """List the bots by name."""
        async with self._database.tenant(tenant_id) as connection:
            return [_bot(row) for row in await connection.fetch(_BOTS, None)]

    async def bot(self, tenant_id: int, name: str) -> BotConfiguration:
        """Look one up by name; raises NotFound with the names there are."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_BOTS, name)
            if row is None:
                raise await _no_such(connection, name)
            return _bot(row)

    async def save(self, tenant_id: int, bot: BotConfiguration) -> BotConfiguration:
        """Create or replace the bot of this name and return it with its new version.

        Raises UsageError where a number is out of its range.
        """
        _check(bot)
        async with self._database.tenant(tenant_id) as connection:
            version = await connection.fetchval(
                _SAVE,
                tenant_id,
                bot.name,
                bot.prompt,
                bot.mode.value,
                list(bot.knowledge_bases),
                list(bot.models),
                bot.temperature,
                bot.max_tokens,
                bot.top_k,
                bot.threshold,
            )
        return replace(bot, version=version)

    async def remove(self, tenant_id: int, name: str) -> None:
        """Remove the bot NAME; its channels go back to their platform's bot."""
        async with self._database.tenant(tenant_id) as connection:
            if await connection.fetchval("delete from bot_configurations where name = $1 returning name", name) is None:
                raise await _no_such(connection, name)

    async def for_place(self, tenant_id: int, place: Place) -> BotConfiguration:
        """Choose the bot of PLACE: its channel's, else its platform's, else the one named default, else a built-in."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_FOR_PLACE, place.platform.value, place.channel)
        return _bot(row) if row is not None else self._built_in

    async def assignments(self, tenant_id: int) -> list[Assignment]:
        """List which bot answers where, by platform and channel."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select name, platform, channel from channel_bots join bot_configurations using (bot_id) "
                "order by platform, channel"
            )
        return [Assignment(row["name"], Platform(row["platform"]), row["channel"]) for row in rows]

    async def assign(self, tenant_id: int, platform: Platform, channel: str, name: str) -> None:
        """Let the bot NAME answer in CHANNEL, in the whole PLATFORM where CHANNEL is empty; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            if await connection.fetchval(_ASSIGN, tenant_id, platform.value, channel, name) is None:
                raise await _no_such(connection, name)

    async def unassign(self, tenant_id: int, platform: Platform, channel: str) -> None:
        """Take the bot of CHANNEL, or of the whole PLATFORM, away again; raises NotFound where there is none."""
        async with self._database.tenant(tenant_id) as connection:
            taken = await connection.fetchval(
                "delete from channel_bots where platform = $1 and channel = $2 returning bot_id",
                platform.value,
                channel,
            )
        if taken is None:
            place = f"{platform.value} channel {channel}" if channel else platform.value
            raise NotFound(f"No bot was assigned to {place}; `frontdesk bot list` shows where each answers.")


def _check(bot: BotConfiguration) -> None:
    if not bot.name.strip() or len(bot.name) > LONGEST_NAME:
        raise UsageError(f"A bot's name has 1 to {LONGEST_NAME} characters; give another one.")
    if len(bot.prompt) > LONGEST_PROMPT:
        raise TooLarge(
            f"The prompt has {len(bot.prompt):,} characters and the limit is {LONGEST_PROMPT:,}; "
            "shorten it, or add the text as a document."
        )
    for field, (low, high) in _RANGES.items():
        value = getattr(bot, field)
        if value is not None and not low <= value <= high:
            raise UsageError(f"The {field.replace('_', ' ')} is {value}; give a number from {low} to {high}.")


async def _no_such(connection: Connection, name: str) -> NotFound:
    names = [row["name"] for row in await connection.fetch("select name from bot_configurations order by name")]
    known = f"there are: {', '.join(names)}" if names else "there is none yet; `frontdesk bot set NAME` makes one"
    return NotFound(f"There is no bot {name!r}; {known}.")


def _bot(row: asyncpg.Record) -> BotConfiguration:
    return BotConfiguration(
        name=row["name"],
        prompt=row["prompt"],
        mode=Mode(row["mode"]),
        knowledge_bases=tuple(row["knowledge_bases"]),
        models=tuple(row["models"]),
        temperature=row["temperature"],
        max_tokens=row["max_tokens"],
        top_k=row["top_k"],
        threshold=row["threshold"],
        version=row["version"],
    )
