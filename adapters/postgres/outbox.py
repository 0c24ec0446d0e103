"""What goes out: one row for each delivery, written only by whoever opened it last."""

from pydantic import TypeAdapter

from adapters.postgres.database import Connection
from core.domain import Answer, DeliveryKey
from core.errors import Superseded

ANSWER = TypeAdapter(Answer)


async def keep_content(connection: Connection, delivery: DeliveryKey, content: Answer) -> None:
    """Keep what is to be sent; raises Superseded where somebody else has opened the delivery since."""
    kept = await connection.fetchval(
        "update outbox set content = $3 where outbox_id = $1 and claim = $2 returning outbox_id",
        delivery.outbox_id,
        delivery.claim,
        ANSWER.dump_python(content, mode="json"),
    )
    if kept is None:
        raise Superseded("Another worker has taken this answer over.")
