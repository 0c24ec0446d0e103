"""Server-sent events from bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.

Data stays bytes, as JSON is read from it; `id` and `retry` are dropped, as nothing here reconnects.
"""

from collections.abc import Iterator
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event with data; several data lines are joined by a newline."""

    data: bytes
    name: str = ""


class EventParser:
    """Turn the bytes of a stream, however they are cut, into events."""

    def __init__(self) -> None:
        self._partial = bytearray()  # a line that has not ended
        self._after_cr = False  # a line feed at the start of the next bytes belongs to a line already ended
        self._begun = False
        self._data: list[bytes] = []
        self._name = ""

    def feed(self, received: bytes) -> Iterator[Event]:
        """Yield the events that RECEIVED completes; exhaust it before the next call."""
        if self._after_cr and received:
            received = received.removeprefix(b"\n")
            self._after_cr = False
        self._partial += received
        if b"\n" not in received and b"\r" not in received:
            return
        lines = self._partial.splitlines(keepends=True)
        self._partial = bytearray() if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        self._after_cr = not self._partial and received.endswith(b"\r")
        for line in lines:
            yield from self._take(bytes(line.rstrip(b"\r\n")))

    def close(self) -> Iterator[Event]:
        """Yield the last event where the stream ended without a blank line, which the standard would drop."""
        yield from self._take(bytes(self._partial))
        self._partial.clear()
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(BOM)
        if not line:
            if self._data:
                yield Event(b"\n".join(self._data), self._name)
            self._data, self._name = [], ""
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
