"""Language models: what core asks of one, in plain data and one port."""

from dataclasses import dataclass
from typing import Literal, Protocol

from core.domain import Usage
from core.errors import ModelUnavailable


class ContextTooLong(ModelUnavailable):
    """Say that the messages are longer than the model can read; asking again with fewer may succeed."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked, and how long it may take."""

    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float = 0.0
    deadline_s: float = 30.0  # for the whole answer, retries and other models included


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete answer of a model."""

    text: str
    model: str  # as the server names the one that answered
    usage: Usage  # estimated where the server does not count
    finish_reason: Literal["stop", "length"]  # "length": cut at max_tokens


class Writer(Protocol):
    """Where an answer goes while it is being written.

    The pieces since the last `restart` are the answer so far. `restart` comes only after at least one piece, as
    soon as the try that wrote it has failed; what comes next may be another try, another model, or nothing.
    Both should return soon: the time they take counts against the request's deadline.
    """

    async def write(self, text: str) -> None:
        """Append the next piece."""

    async def restart(self) -> None:
        """Take back everything written so far."""


class LanguageModel(Protocol):
    """Write answers to prompts."""

    @property
    def name(self) -> str:
        """Name the model as an operator would."""

    async def complete(self, request: ModelRequest, writer: Writer) -> Completion:
        """Answer REQUEST, writing to WRITER on the way; the pieces that stand at the end are the completion's text.

        Raises ModelUnavailable, with nothing left standing in WRITER, when no complete answer came in time, and
        ContextTooLong when the messages are too long. Errors of WRITER and cancellation pass through unchanged;
        then the pieces stay, and it is for the caller to take them back.
        """
