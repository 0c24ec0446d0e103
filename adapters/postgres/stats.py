"""Figures for administrators, in one statement."""

from adapters.postgres.database import Database
from core.stats import Stats, Unanswered

# Answers are counted where they are kept: in the turns of sessions, and in the outbox for those that leave no turn
# (commands, failures). Questions are the same where they differ in capitals and punctuation at their end alone.
_STATS = """
with since as (select now() - make_interval(days => $1) as moment),
came as (
    select author_id, platform from inbox, since
    where kind in ('message', 'edit') and received_at >= moment
), answers as (
    select origin, question from turns, since where role = 'assistant' and created_at >= moment
    union all
    select content ->> 'origin', '' from outbox, since
    where purpose = 'answer' and content is not null and created_at >= moment
        and not exists (select from turns where turns.outbox_id = outbox.outbox_id)
), unanswered as (
    select min(question) as question, count(*) as times from answers
    where origin = 'nothing found' and question <> ''
    group by rtrim(lower(question), ' ?!.') order by times desc, question limit $2
)
select
    (select count(*) from came) as accepted,
    (select count(distinct (platform, author_id)) from came) as authors,
    (select count(*) from inbox where state = 'waiting') as waiting,
    (select coalesce(jsonb_object_agg(origin, times), '{}')
        from (select origin, count(*) as times from answers where origin is not null group by origin) counted
    ) as answered,
    (select count(*) from tickets, since where created_at >= moment) as tickets_opened,
    (select count(*) from tickets where state = 'open') as tickets_open,
    (select count(*) from feedback, since where created_at >= moment and rating > 0) as liked,
    (select count(*) from feedback, since where created_at >= moment and rating < 0) as disliked,
    (select coalesce(jsonb_agg(jsonb_build_array(question, times)), '[]') from unanswered) as unanswered
"""


class PostgresStats:
    """The StatsStore port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stats(self, tenant_id: int, days: int, top: int = 10) -> Stats:
        """Count what happened in the last DAYS days, with the TOP unanswered questions."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_STATS, days, top)
        return Stats(
            days=days,
            accepted=row["accepted"],
            authors=row["authors"],
            waiting=row["waiting"],
            answered=dict(sorted(row["answered"].items())),
            unresolved=row["answered"].get("nothing found", 0),
            tickets_opened=row["tickets_opened"],
            tickets_open=row["tickets_open"],
            liked=row["liked"],
            disliked=row["disliked"],
            unanswered=tuple(Unanswered(question, count) for question, count in row["unanswered"]),
        )
