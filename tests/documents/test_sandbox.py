"""The child process that reads documents: limits, deaths, noise and lies."""

import asyncio
import struct
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from core.documents import BlockKind, ReadDocument
from core.errors import Unavailable, UnreadableDocument
from ingest.formats import Format
from ingest.sandbox import Limits, Sandbox
from ingest.sandbox_child import MOST_FILES

TEXT = b"Hello, world."
# Duplicate checks make libxml2 need minutes for so many attributes.
BURNER = b"<a " + b" ".join(b"a%d=1" % number for number in range(120_000)) + b">x</a>"

# A child as the real one, but for a reader of text with a will of its own.
WILFUL = """
import os, sys
import ingest.sandbox_child as child
from core.documents import Block, BlockKind, ReadDocument
from ingest.formats import Format

def read(data, name):
    said = eval(data.decode())
    return ReadDocument(name, (Block(BlockKind.PARAGRAPH, str(said)),))

child.READERS[Format.TEXT] = read
child.main()
"""


def children() -> list[int]:
    return [child.pid for child in psutil.Process().children()]


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - another process sets no event
        await asyncio.sleep(0.02)


async def read_text(sandbox: Sandbox, text: bytes = TEXT, name: str = "a.txt") -> str:
    document = await sandbox.read(Format.TEXT, name, text)
    return "\n".join(block.text for block in document.blocks)


async def child_of(sandbox: Sandbox) -> psutil.Process:
    """Start the sandbox's child and return it."""
    before = set(children())
    await read_text(sandbox)
    (pid,) = set(children()) - before
    return psutil.Process(pid)


async def test_one_child_reads_many_files_and_is_gone_afterwards() -> None:
    before = children()
    async with Sandbox() as sandbox:
        first = await child_of(sandbox)
        document = await sandbox.read(Format.MARKDOWN, "plan.md", b"# A\n\n```\n  x\n```\n\xe2\x80\x8btext\x00")
        assert first.is_running()
    assert children() == before
    assert document.title == "Plan"
    assert [(block.kind, block.text, block.level) for block in document.blocks] == [
        (BlockKind.HEADING, "A", 1),
        (BlockKind.CODE, "  x", 0),
        (BlockKind.PARAGRAPH, "text\ufffd", 0),
    ]


async def test_a_refusal_costs_no_child() -> None:
    async with Sandbox() as sandbox:
        first = await child_of(sandbox)
        with pytest.raises(UnreadableDocument, match="line 1, column 2"):
            await sandbox.read(Format.JSON, "a.json", b"{")
        assert await read_text(sandbox) == "Hello, world."
        assert first.is_running()


async def test_calls_made_at_once_get_each_their_own_answer() -> None:
    async with Sandbox() as sandbox:
        names = [f"note number {number}.txt" for number in range(20)]
        documents = await asyncio.gather(*(sandbox.read(Format.TEXT, name, name.encode()) for name in names))
    assert [document.blocks[0].text for document in documents] == names


async def test_a_file_that_computes_too_long_is_refused_and_the_next_is_read() -> None:
    async with Sandbox(Limits(cpu_s=1)) as sandbox:
        with pytest.raises(UnreadableDocument, match="more than 1 s of computing time"):
            await sandbox.read(Format.HTML, "a.html", BURNER)
        assert await read_text(sandbox) == "Hello, world."


async def test_a_file_that_needs_too_much_memory_is_refused_and_the_next_is_read(
    make_docx: Callable[..., bytes],
) -> None:
    greedy = make_docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 450_000)
    async with Sandbox(Limits(memory_bytes=160 << 20)) as sandbox:
        with pytest.raises(UnreadableDocument, match="GB of memory"):
            await sandbox.read(Format.DOCX, "a.docx", greedy)
        assert await read_text(sandbox) == "Hello, world."


async def test_a_hanging_child_is_replaced() -> None:
    async with Sandbox(Limits(wall_s=1)) as sandbox:
        (await child_of(sandbox)).suspend()
        with pytest.raises(UnreadableDocument, match="longer than 1 s"):
            await read_text(sandbox)
        assert await read_text(sandbox) == "Hello, world."


async def test_a_file_whose_child_is_killed_is_refused_and_one_after_a_killed_child_is_read() -> None:
    async with Sandbox() as sandbox:
        child = await child_of(sandbox)
        reading = asyncio.create_task(sandbox.read(Format.HTML, "a.html", BURNER))
        await until(lambda: child.cpu_times().user > 0.5)
        child.kill()
        with pytest.raises(UnreadableDocument, match="ended or crashed"):
            await reading
        (await child_of(sandbox)).kill()
        await until(lambda: sandbox._child is not None and sandbox._child.returncode is not None)
        assert await read_text(sandbox) == "Hello, world."


async def test_cancelling_a_read_ends_its_child() -> None:
    async with Sandbox() as sandbox:
        child = await child_of(sandbox)
        reading = asyncio.create_task(sandbox.read(Format.HTML, "a.html", BURNER))
        await until(lambda: child.cpu_times().user > 0.5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not child.is_running()
        assert await read_text(sandbox) == "Hello, world."


async def test_a_child_that_has_served_enough_is_replaced() -> None:
    async with Sandbox() as sandbox:
        first = await child_of(sandbox)
        for _ in range(MOST_FILES):
            assert await read_text(sandbox) == "Hello, world."
        assert not first.is_running()


async def test_what_readers_print_does_not_get_between_the_answers() -> None:
    noise = b"print('noise', flush=True), os.write(1, b'noise'), os.write(2, b'noise'), sys.stdout.flush()"
    async with Sandbox(command=python(WILFUL)) as sandbox:
        for _ in range(3):
            assert await read_text(sandbox, noise) == "(None, 5, 5, None)"


async def test_the_child_gets_no_secrets_and_may_not_write_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("outside") / "written"
    async with Sandbox(command=python(WILFUL)) as sandbox:
        names = await read_text(sandbox, b"sorted(os.environ)")
        assert "PATH" not in names
        assert "HOME" not in names
        with pytest.raises(UnreadableDocument, match="OSError"):
            await read_text(sandbox, f"open({str(target)!r}, 'w', buffering=1).write('x\\n')".encode())
    assert not target.exists() or target.read_bytes() == b""


async def test_any_error_of_a_reader_is_a_refusal_of_that_file() -> None:
    async with Sandbox(command=python(WILFUL)) as sandbox:
        for wrong in (b"1/0", b"[].pop()", b"int('x')", b"nothing", b"bytearray(1 << 40)"):
            with pytest.raises(UnreadableDocument):
                await read_text(sandbox, wrong)
        with pytest.raises(UnreadableDocument, match="exit status"):
            await read_text(sandbox, b"os.abort()")
        assert await read_text(sandbox, b"1 + 1") == "2"


READY = "import sys, struct, time; out = sys.stdout.buffer; out.write(bytes(4)); out.flush();"


def answering(frame: bytes) -> str:
    return f"{READY} out.write({struct.pack('>I', len(frame)) + frame!r}); out.flush(); sys.stdin.buffer.read()"


@pytest.mark.parametrize(
    "program",
    [
        f"{READY} out.write(b'\\xff' * 100); out.flush(); sys.stdin.buffer.read()",
        f"{READY} out.write(bytes([0, 0, 0, 9]) + b'short'); out.flush()",
        READY,
        answering(b"\xff\xfe"),
        answering(b"[1, 2]"),
        answering(b"[" * 100_000),
        answering(b'{"title": "t"}'),
        answering(b'{"title": "t", "pages": "many", "blocks": [], "last": false}'),
        answering(b'{"title": "t", "pages": null, "blocks": [["paragraph", 5, 0, null]], "last": false}'),
        answering(b'{"title": "t", "pages": null, "blocks": [["sermon", "text", 0, null]], "last": false}'),
    ],
)
async def test_a_child_that_lies_or_babbles_is_not_believed(program: str) -> None:
    async with Sandbox(Limits(wall_s=20), command=python(program)) as sandbox:
        with pytest.raises(UnreadableDocument, match="its reader"):
            await read_text(sandbox)


@pytest.mark.parametrize("command", [("/no/such/program",), python("raise SystemExit(3)")])
async def test_a_child_that_does_not_start_is_no_fault_of_the_document(command: tuple[str, ...]) -> None:
    async with Sandbox(command=command) as sandbox:
        with pytest.raises(Unavailable, match="does not start"):
            await read_text(sandbox)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09{}", b"\0\0\0\x02[]", b"\xff\xff\xff\xffx"])
def test_the_child_ends_on_requests_it_cannot_understand(sent: bytes) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ingest.sandbox_child"], input=sent, capture_output=True, timeout=60, check=False
    )
    assert ended.stdout == b""


def test_reading_is_the_same_in_and_outside_the_sandbox() -> None:
    from ingest.readers import text

    async def inside() -> ReadDocument:
        async with Sandbox() as sandbox:
            return await sandbox.read(Format.TEXT, "a.txt", TEXT)

    assert asyncio.run(inside()) == text.read(TEXT, "a.txt")
