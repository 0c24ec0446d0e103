"""What every platform must do: the words of the stories in test_contract.py, which each platform's member speaks."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Seen:
    """A message of ours as a person sees it in a thread."""

    text: str
    sources: tuple[str, ...] = ()


@dataclass
class Faults:
    """What the platform's fake has held against us."""

    forged: int = 0  # a signature or a token that is not right
    early: int = 0  # a call within the time that a Retry-After asked for
    too_long: int = 0  # a message over the platform's limit
    unreadable: int = 0  # markup or a body that does not parse

    @property
    def none(self):
        return not (self.forged or self.early or self.too_long or self.unreadable)


@dataclass(frozen=True)
class Accepted:
    """What the platform was told of an event."""

    acknowledged: bool  # by a 2xx
    duplicate: bool = False


class Client(Protocol):
    """A person in a thread of one platform, and the platform's fake behind them.

    Threads and authors are short names. Each method returns when the platform has heard the acknowledgement.
    """

    name: str
    limit: int  # of one message of ours, in the platform's own measure
    is_called: bool  # whether we call the platform; where readers come themselves it can be neither busy nor out

    async def ask(
        self, text: str, *, thread: str = "t1", author: str = "u1", files: dict[str, bytes] | None = None
    ) -> str:
        """Write a message; return the platform's id of it."""

    async def try_to_ask(self, text: str, *, thread: str = "t1") -> Accepted:
        """Write a message and say what the platform heard, also where that is a refusal."""

    async def edit(self, message_id: str, text: str) -> None:
        """Change one's message."""

    async def delete(self, message_id: str) -> None:
        """Take one's message back."""

    async def stop(self, *, thread: str = "t1") -> None:
        """Press the button that stops the answer under way, or write /stop."""

    async def rate(self, rating: int, *, thread: str = "t1") -> None:
        """Rate the newest answer of a thread."""

    async def redeliver(self, message_id: str) -> Accepted:
        """Deliver the event of a message once more, as the platform does where it missed the acknowledgement."""

    async def seen(self, thread: str = "t1") -> list[Seen]:
        """List what stands in a thread now, as far as it comes from us, in its order."""

    async def is_settled(self) -> bool:
        """Tell whether the person's side has read everything there was."""

    def be_busy(self, seconds: int) -> None:
        """Answer the next call with a Retry-After, and mind every call before."""

    def be_out(self, calls: int) -> None:
        """Answer the next calls with a server error."""

    @property
    def faults(self) -> Faults:
        """Say what was held against us."""

    @property
    def refused(self) -> int:
        """Count the calls that were turned away because the platform was busy or out."""

    @property
    def posted(self) -> int:
        """Count the messages that the platform has made."""


async def until(look, *, patience_s=PATIENCE_S):
    """Look again and again until LOOK returns something true, and return that."""
    async with asyncio.timeout(patience_s):
        while not (found := await look()):  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)
        return found
