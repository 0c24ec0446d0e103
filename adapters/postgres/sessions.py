"""Sessions and their turns."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

import asyncpg

from adapters.postgres.database import Connection, Database
from adapters.postgres.outbox import keep_content
from core.documents import Citation, Passage
from core.domain import Exchange, Mode, Origin, Role, Session, Turn, Usage
from core.errors import NotFound, UsageError
from core.places import Place, Platform

_SESSION = """
select session_id, platform, channel, thread, author_id, title, favourite, created_at, updated_at,
    mode, language, language_chosen, taken_over, summary, summarised_turn_id,
    (select count(*) from turns where turns.session_id = sessions.session_id) as turns
from sessions
"""

_OPEN = """
insert into sessions (tenant_id, platform, channel, thread, author_id)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, platform, channel, thread) where current do update set updated_at = now()
returning session_id
"""

_TURNS = """
select turn_id, role, text, question, origin, citations, context, created_at,
    model, input_tokens, output_tokens, cost, currency, private
from turns
where session_id = $1 and ($2::bigint is null or turn_id < $2) order by turn_id desc limit $3
"""

_SAVE_ASKED = """
insert into turns (tenant_id, session_id, role, text, private, outbox_id) values ($1, $2, 'author', $3, $4, $5)
"""

_SAVE_ANSWERED = """
insert into turns (tenant_id, session_id, role, text, question, origin, citations, context,
    input_tokens, output_tokens, model, cost, currency, private, outbox_id)
values ($1, $2, 'assistant', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""

# A summary that is written while its turns are cleared must not bring them back: hence the mark moves with them.
_FORGET_SUMMARY = """
update sessions set summary = '', summarised_turn_id = greatest(
    summarised_turn_id, (select max(turn_id) from turns where turns.session_id = $1))
where session_id = $1
"""

# A summary that covers the exchange holds its words too: it goes with it, and is made again from what stays.
FORGET_EXCHANGE = """
with gone as (delete from turns where outbox_id = $1 returning session_id, turn_id)
update sessions set summary = '', summarised_turn_id = 0
from gone where sessions.session_id = gone.session_id and summarised_turn_id >= gone.turn_id
"""

_SET_SUMMARY = """
update sessions set summary = $2, summarised_turn_id = $3 where session_id = $1 and summarised_turn_id < $3
"""

_TOUCH = """
update sessions set updated_at = now(), title = case when title = '' then $2 else title end where session_id = $1
"""


class PostgresSessions:
    """The SessionStore port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, tenant_id: int, place: Place, author_id: str) -> Session:
        """Return the current session of PLACE, a new one where there is none."""
        async with self._database.tenant(tenant_id) as connection:
            session_id = await connection.fetchval(
                _OPEN, tenant_id, place.platform.value, place.channel, place.thread, author_id
            )
            return await _session(connection, session_id)

    async def start(self, tenant_id: int, place: Place, author_id: str) -> Session:
        """Begin a new session in PLACE; the one before stays, but is no longer current."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(
                "update sessions set current = false where platform = $1 and channel = $2 and thread = $3 and current",
                place.platform.value,
                place.channel,
                place.thread,
            )
        return await self.open(tenant_id, place, author_id)

    async def session(self, tenant_id: int, session_id: UUID) -> Session:
        """Look a session up; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            return await _session(connection, session_id)

    async def find(self, tenant_id: int, prefix: str) -> Session:
        """Look a session up by the beginning of its id; raises NotFound or UsageError where several begin so."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select session_id from sessions where starts_with(session_id::text, lower($1)) limit 2", prefix
            )
            if not rows:
                raise NotFound(f"There is no session {prefix}; `frontdesk sessions list` shows them.")
            if len(rows) > 1:
                raise UsageError(f"Several sessions begin with {prefix}; give more of the id.")
            return await _session(connection, rows[0]["session_id"])

    async def sessions(
        self, tenant_id: int, *, author_id: str | None = None, limit: int = 20, offset: int = 0
    ) -> list[Session]:
        """List sessions: favourites first, then the newest."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                _SESSION + "where $1::text is null or author_id = $1 "
                "order by favourite desc, updated_at desc limit $2 offset $3",
                author_id,
                limit,
                offset,
            )
        return [_from_row(row) for row in rows]

    async def rename(self, tenant_id: int, session_id: UUID, title: str) -> None:
        """Give a session another title."""
        await self._change(tenant_id, "update sessions set title = $2 where session_id = $1", session_id, title)

    async def set_favourite(self, tenant_id: int, session_id: UUID, favourite: bool) -> None:
        """Mark a session as a favourite or not."""
        await self._change(tenant_id, "update sessions set favourite = $2 where session_id = $1", session_id, favourite)

    async def set_mode(self, tenant_id: int, session_id: UUID, mode: Mode | None) -> None:
        """Choose what this session's answers may rest on; None leaves it to the bot."""
        value = mode.value if mode else None
        await self._change(tenant_id, "update sessions set mode = $2 where session_id = $1", session_id, value)

    async def set_language(self, tenant_id: int, session_id: UUID, language: str) -> None:
        """Remember the language of a session, as ISO 639-1."""
        await self._change(tenant_id, "update sessions set language = $2 where session_id = $1", session_id, language)

    async def set_summary(self, tenant_id: int, session_id: UUID, summary: str, turn_id: int) -> None:
        """Keep a summary of the turns up to TURN_ID; dropped where a newer one is kept or they were cleared."""
        async with self._database.tenant(tenant_id) as connection:
            await _session(connection, session_id)
            await connection.execute(_SET_SUMMARY, session_id, summary, turn_id)

    async def clear(self, tenant_id: int, session_id: UUID) -> None:
        """Forget a session's turns and their summary; the session stays."""
        async with self._database.tenant(tenant_id) as connection:
            await _session(connection, session_id)
            await connection.execute(_FORGET_SUMMARY, session_id)
            await connection.execute("delete from turns where session_id = $1", session_id)

    async def delete(self, tenant_id: int, session_id: UUID) -> None:
        """Delete a session with its turns; its tickets stay."""
        await self._change(tenant_id, "delete from sessions where session_id = $1", session_id)

    async def turns(
        self, tenant_id: int, session_id: UUID, *, limit: int = 50, before: int | None = None
    ) -> list[Turn]:
        """List the newest turns in the order they were said; BEFORE a turn id pages backwards."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(_TURNS, session_id, before, limit)
        return [_turn(row) for row in reversed(rows)]

    async def save_exchange(self, tenant_id: int, session_id: UUID, exchange: Exchange) -> None:
        """Save a question and its answer together, and keep the answer in the exchange's delivery."""
        delivery = exchange.delivery
        outbox_id = delivery.outbox_id if delivery else None
        async with self._database.tenant(tenant_id) as connection:
            if delivery is not None and exchange.answer is not None:
                await keep_content(connection, delivery, exchange.answer)
            await connection.execute(_SAVE_ASKED, tenant_id, session_id, exchange.asked, exchange.private, outbox_id)
            await connection.execute(
                _SAVE_ANSWERED,
                tenant_id,
                session_id,
                exchange.answered,
                exchange.question,
                exchange.origin.value,
                [asdict(citation) for citation in exchange.citations],
                [asdict(passage) for passage in exchange.context],
                exchange.usage.input_tokens,
                exchange.usage.output_tokens,
                exchange.model,
                exchange.cost,
                exchange.currency,
                exchange.private,
                outbox_id,
            )
            await connection.execute(_TOUCH, session_id, _title(exchange.asked))

    async def forget_exchange(self, tenant_id: int, outbox_id: int) -> None:
        """Delete the question and the answer that went out with a delivery; nothing where there is none."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(FORGET_EXCHANGE, outbox_id)

    async def choose_language(self, tenant_id: int, session_id: UUID, language: str) -> None:
        """Fix the language of a session by the author's choice; an empty one lets it be detected again."""
        statement = "update sessions set language = $2, language_chosen = $2 <> '' where session_id = $1"
        await self._change(tenant_id, statement, session_id, language)

    async def set_taken_over(self, tenant_id: int, session_id: UUID, taken_over: bool) -> None:
        """Let a person answer in this session, or Frontdesk again."""
        await self._change(
            tenant_id, "update sessions set taken_over = $2 where session_id = $1", session_id, taken_over
        )

    async def erase_author(self, tenant_id: int, platform: Platform, author_id: str) -> int:
        """Delete the author's own sessions on PLATFORM with their turns and files; count them."""
        async with self._database.tenant(tenant_id) as connection:
            gone = await connection.fetch(
                "delete from sessions where platform = $1 and author_id = $2 returning session_id",
                platform.value,
                author_id,
            )
        return len(gone)

    async def _change(self, tenant_id: int, statement: str, session_id: UUID, *values: Any) -> None:
        async with self._database.tenant(tenant_id) as connection:
            if await connection.fetchval(statement + " returning session_id", session_id, *values) is None:
                raise _no_such(session_id)


def _no_such(session_id: UUID) -> NotFound:
    return NotFound(f"There is no session {session_id}; `frontdesk sessions list` shows them.")


async def _session(connection: Connection, session_id: UUID) -> Session:
    row = await connection.fetchrow(_SESSION + "where session_id = $1", session_id)
    if row is None:
        raise _no_such(session_id)
    return _from_row(row)


def _title(asked: str, longest: int = 60) -> str:
    line = " ".join(asked.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _from_row(row: asyncpg.Record) -> Session:
    return Session(
        session_id=row["session_id"],
        place=Place(Platform(row["platform"]), row["channel"], row["thread"]),
        author_id=row["author_id"],
        title=row["title"],
        favourite=row["favourite"],
        turns=row["turns"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        mode=Mode(row["mode"]) if row["mode"] else None,
        language=row["language"],
        summary=row["summary"],
        summarised_turn_id=row["summarised_turn_id"],
        language_chosen=row["language_chosen"],
        taken_over=row["taken_over"],
    )


def _turn(row: asyncpg.Record) -> Turn:
    return Turn(
        turn_id=row["turn_id"],
        role=Role(row["role"]),
        text=row["text"],
        created_at=row["created_at"],
        question=row["question"],
        origin=Origin(row["origin"]) if row["origin"] else None,
        citations=tuple(Citation(**citation) for citation in row["citations"]),
        context=tuple(_passage(passage) for passage in row["context"]),
        usage=Usage(row["input_tokens"], row["output_tokens"]),
        model=row["model"],
        cost=row["cost"],
        currency=row["currency"],
        private=row["private"],
    )


def _passage(kept: Mapping[str, Any]) -> Passage:
    return Passage(**{**kept, "heading_path": tuple(kept["heading_path"])})
