"""An answer as it comes in: chunks or one JSON object become text, an ending and a count of tokens.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from adapters.openai.failures import cut, empty, filtered, garbled, reported
from core.domain import Usage
from core.models import Completion, ModelRequest, Writer

ENDINGS: dict[str, Literal["stop", "length"]] = {
    "stop": "stop",
    "eos_token": "stop",  # Text Generation Inference
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
}


@dataclass(slots=True)
class Pen:
    """Write to a Writer and remember what stands there."""

    writer: Writer
    pieces: list[str] = field(default_factory=list)
    held: str = ""  # the first half of a character that a server cut in two

    async def write(self, text: str) -> None:
        """Append TEXT, without half characters."""
        text, self.held = _whole(self.held + text)
        if text:
            self.pieces.append(text)
            await self.writer.write(text)

    async def finish(self) -> str:
        """Write what was held back and return everything that stands."""
        if self.held:
            self.held = ""
            await self.write("\N{REPLACEMENT CHARACTER}")
        return "".join(self.pieces)

    async def discard(self) -> None:
        """Take back what stands, where anything does."""
        self.held = ""
        if self.pieces:
            self.pieces.clear()
            await self.writer.restart()


def _whole(text: str) -> tuple[str, str]:
    """Split off a high surrogate at the end and mend the surrogates before it: JSON may escape a character in two."""
    if text.isascii():
        return text, ""
    end = len(text) - 1 if "\ud800" <= text[-1] <= "\udbff" else len(text)
    return text[:end].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), text[end:]


@dataclass(slots=True)
class Reading:
    """What an answer has said so far."""

    name: str
    pen: Pen
    model: str = ""
    finish_reason: str = ""
    usage: Usage | None = None

    async def take(self, data: bytes, key: Literal["delta", "message"]) -> None:
        """Read one JSON object of the answer, its text under KEY; raises Failure."""
        payload = _object(data, self.name)
        if error := payload.get("error"):
            raise reported(error, self.name)
        text, ending = _first_choice(payload, key, self.name)
        self.model = str(payload.get("model") or self.model)
        self.usage = _usage(payload) or self.usage
        if text and not self.finish_reason:
            await self.pen.write(text)
        self.finish_reason = self.finish_reason or ending

    async def complete(self, request: ModelRequest) -> Completion:
        """Return the answer; raises Failure where it is none."""
        if not self.finish_reason:
            raise cut(self.name)
        if self.finish_reason == "content_filter":
            raise filtered(self.name)
        if self.finish_reason not in ENDINGS:
            raise garbled(self.name)
        text, ending = await self.pen.finish(), ENDINGS[self.finish_reason]
        if not text.strip():
            raise empty(self.name, at_limit=ending == "length")
        return Completion(text, self.model or self.name, self.usage or _estimate(request, text), ending)


def read_error_event(data: bytes, name: str) -> Exception:
    """Describe the data of an event named "error"."""
    payload = _object(data, name)
    return reported(payload.get("error") or payload, name)


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise garbled(name) from error
    if not isinstance(payload, dict):
        raise garbled(name)
    return payload


def _first_choice(payload: dict[str, Any], key: str, name: str) -> tuple[str, str]:
    """Find the text and the ending, each empty where missing: the last chunk has a count of tokens and no choices."""
    try:
        choice = (payload.get("choices") or [{}])[0]
        text = (choice.get(key) or {}).get("content") or ""
        ending = choice.get("finish_reason") or ""
    except (AttributeError, KeyError, TypeError) as error:
        raise garbled(name) from error
    if not (isinstance(text, str) and isinstance(ending, str)):
        raise garbled(name)
    return text, ending


def _usage(payload: dict[str, Any]) -> Usage | None:
    counts = payload.get("usage")
    if not isinstance(counts, dict):
        return None
    asked, written = counts.get("prompt_tokens"), counts.get("completion_tokens")
    return Usage(asked, written) if isinstance(asked, int) and isinstance(written, int) else None


def _estimate(request: ModelRequest, text: str) -> Usage:
    """Count four bytes as a token, for servers that do not count."""
    asked = sum(len(message.text.encode(errors="replace")) for message in request.messages)
    return Usage(-(-asked // 4), -(-len(text.encode()) // 4))
