"""The process that reads documents: bytes in on stdin, blocks out on the first stdout; run with -m by ingest.sandbox.

A frame is its length in four bytes, big-endian, and that many bytes. The parent sends its limits once, as JSON, and
gets an empty frame when the readers are loaded. Then for each file it sends {"format", "name"} as JSON and the file's
bytes, and gets {"title", "pages", "blocks", "last"}, {"refused", "last"} or {"exhausted", "last"}. After a true "last"
the process ends.
"""

import contextlib
import json
import logging
import os
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from core.documents import Block, BlockKind, ReadDocument
from core.errors import UnreadableDocument
from ingest.clean import clean, clean_code
from ingest.formats import Format
from ingest.readers import csv, docx, html, markdown, pdf, text
from ingest.readers import json as json_reader

if sys.platform != "win32":  # there, the parent's limit on time has to do
    import resource

READERS = {
    Format.PDF: pdf.read,
    Format.DOCX: docx.read,
    Format.HTML: html.read,
    Format.MARKDOWN: markdown.read,
    Format.TEXT: text.read,
    Format.JSON: json_reader.read,
    Format.CSV: csv.read,
}

MOST_FILES = 200  # then a fresh process takes over: parsers leak
MOST_RESIDENT_BYTES = 400_000_000
_OPEN_FILES = 32

_LENGTH = struct.Struct(">I")


def main() -> None:
    """Serve files until stdin ends."""
    frames = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("wb") as nowhere:  # what readers print must not get between the frames
        os.dup2(nowhere.fileno(), 1)
    logging.disable()
    limits = json.loads(_receive(sys.stdin.buffer) or b"{}")
    _limit_process(limits["memory_bytes"])
    _send(frames, b"")
    for served in range(1, MOST_FILES + 1):
        request = _receive(sys.stdin.buffer)
        data = _receive(sys.stdin.buffer)
        if request is None or data is None:
            return
        _limit_cpu(limits["cpu_s"])
        reply = answer(json.loads(request), data)
        reply["last"] = reply.get("last") or served == MOST_FILES or _resident_bytes() > MOST_RESIDENT_BYTES
        _send(frames, json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace"))
        if reply["last"]:
            return


def answer(request: Mapping[str, str], data: bytes) -> dict[str, Any]:
    """Read one file and describe it, or say why it cannot be read, as plain values for JSON."""
    try:
        document = READERS[Format(request["format"])](data, request["name"])
        return _describe(document)
    except UnreadableDocument as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"exhausted": "memory", "last": True}
    except RecursionError:
        return {"refused": "its parts are nested too deeply; save it in a simpler form"}
    except Exception as error:  # noqa: BLE001 - the catch-all of this process: any parser may raise anything on a bad file
        return {"refused": f"it is damaged ({type(error).__name__}); open it and save it again"}


def _describe(document: ReadDocument) -> dict[str, Any]:
    blocks = [[block.kind, _clean(block), block.level, block.page] for block in document.blocks]
    return {
        "title": " ".join(clean(document.title).split()),
        "pages": document.pages,
        "blocks": [block for block in blocks if block[1]],
    }


def _clean(block: Block) -> str:
    return clean_code(block.text) if block.kind is BlockKind.CODE else clean(block.text)


def _limit_process(memory_bytes: int) -> None:
    """Cap memory, forbid writing files, starting processes and dumping memory."""
    if sys.platform == "win32":
        return
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for limit, value in wanted.items():
        hard = resource.getrlimit(limit)[1]
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # not every system knows every limit
            resource.setrlimit(limit, (lowest, lowest))


def _limit_cpu(cpu_s: int) -> None:
    """Allow CPU_S seconds from now; then the system ends this process."""
    if sys.platform == "win32":
        return
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(time.process_time()) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _resident_bytes() -> int:
    """Tell how much memory this process holds now, 0 where that cannot be known cheaply."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _receive(stream: BinaryIO) -> bytes | None:
    """Read one frame, None where the stream ends."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    body = stream.read(size)
    return body if len(body) == size else None


def _send(stream: BinaryIO, body: bytes) -> None:
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()
