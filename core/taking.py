"""What every platform's intake hands an event to, and what it must not store on its way."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from core.commands import parse
from core.domain import Answer, Author, Message
from core.inbox import Accepted, Incoming, Kind
from core.outbox import Purpose, Target, target_of


class Accepts(Protocol):
    """The part of core/accepting.py's Acceptance that is used here."""

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store an event."""


class Instant(Protocol):
    """The part of core/actions.py's Actions that is used here."""

    async def instant(self, message: Message) -> Answer | None:
        """Do what MESSAGE commands where that is quick; else None."""


class Enqueues(Protocol):
    """The part of the outbox that is used here."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer) -> int:
        """Store something to be sent by whichever worker is free."""


def _stop_of(target: Target) -> Incoming:
    """Make the event of a reader who stopped what is sent to TARGET, where a platform tells it only as a refusal."""
    event_id = f"stopped:{target.place.thread}:{target.message_id}"
    author = Author(target.author_id)
    message = Message(target.tenant_id, target.place, author, "", installation=target.installation)
    return Incoming(
        message=message,
        installation=target.installation,
        event_id=event_id,
        message_id=event_id,
        kind=Kind.STOP,
        target=target.message_id,
        address=target.address,
        request_id=target.request_id,
    )


def stopping(acceptance: Accepts) -> Callable[[Target], Awaitable[None]]:
    """Make what a channel calls where it hears that its reader stopped an answer."""

    async def stop(target: Target) -> None:
        await acceptance.accept(_stop_of(target))

    return stop


async def carry_out_secretly(incoming: Incoming, commands: Instant | None, outbox: Enqueues) -> bool:
    """Carry out at once what must not be stored on its way, the code that makes an administrator; else False."""
    if commands is None or incoming.kind is not Kind.MESSAGE:
        return False
    parsed = parse(incoming.message.text)
    answer = await commands.instant(incoming.message) if parsed is not None and parsed.name == "admin" else None
    if answer is None:
        return False
    await outbox.enqueue(target_of(incoming), Purpose.NOTICE, answer)
    return True
