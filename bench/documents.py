"""Read folders of documents in the sandbox; print how each ended and how much text of the control files was kept.

    python -m bench.documents --data PATH [--data PATH ...]

A row is a folder: PATH itself, or hostile/pdf, hostile/docx and docs below PATH where they are there. A file named
baseline_pypdf_*.jsonl in a folder names control files in lines of {"file", "kind"}, whose text must be kept.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pypdf import PdfReader

from core.documents import ReadDocument
from core.errors import Refused
from ingest.formats import detect
from ingest.sandbox import Limits, Sandbox

_BELOW = ("hostile/pdf", "hostile/docx", "docs")
_NOT_DOCUMENTS = {"LICENSE", "SOURCE.json", "NOTICE.md", "hostile_gen.py"}
_GRACE_S = 30.0  # past the sandbox's own limit on time: a call that is not back by then hangs


@dataclass(slots=True)
class Tally:
    """How the files of one folder ended."""

    folder: Path
    ends: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    chars: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    slowest: tuple[float, str] = (0.0, "-")
    largest: tuple[int, str] = (0, "-")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Read folders of documents and print how each ended.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="a folder of documents")
    parser.add_argument("--reasons", action="store_true", help="also print why files were refused")
    options = parser.parse_args()
    tallies = [asyncio.run(_run(folder)) for path in options.data for folder in _folders(path)]
    print("| folder | files | text | empty | refused | hangs | crashes | slowest, CPU s | largest, MB | characters/s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for tally in tallies:
        print(_row(tally))
    for tally in tallies:
        _print_kept(tally)
        for reason, count in tally.reasons.most_common() if options.reasons else ():
            print(f"{count:5}  {reason}")
    sys.exit(any(tally.ends["hang"] or tally.ends["crash"] for tally in tallies))


def _folders(path: Path) -> list[Path]:
    return [path / below for below in _BELOW if (path / below).is_dir()] or [path]


def _documents(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in _NOT_DOCUMENTS and not path.name.startswith("baseline_"):
            yield path


async def _run(folder: Path) -> Tally:
    tally = Tally(folder)
    async with Sandbox() as sandbox:
        for path in _documents(folder):
            await _read(sandbox, path, tally)
    return tally


async def _read(sandbox: Sandbox, path: Path, tally: Tally) -> None:
    data = await asyncio.to_thread(path.read_bytes)
    before = _cpu_s()
    _forget_peak()
    end = "crash"
    try:
        file_format = detect(path.name, data[:4096])
        async with asyncio.timeout(Limits().wall_s + _GRACE_S):
            document = await sandbox.read(file_format, path.name, data)
        end = "text" if document.blocks else "empty"
        tally.chars[str(path.relative_to(tally.folder))] = _chars(document)
    except Refused as error:
        end = "crash" if "crashed" in str(error) else "refused"
        tally.reasons[str(error)] += 1
    except TimeoutError:
        end = "hang"
    tally.ends[end] += 1
    cpu_s = _cpu_s() - before
    tally.cpu_s += cpu_s
    tally.slowest = max(tally.slowest, (cpu_s, path.name))
    tally.largest = max(tally.largest, (_peak_bytes(), path.name))


def _chars(document: ReadDocument) -> int:
    """Count characters other than white space: how lines are broken is not text."""
    return sum(len("".join(block.text.split())) for block in document.blocks)


def _cpu_s() -> float:
    """Sum up what the child has used and what all children that were ended had."""
    ended = psutil.Process().cpu_times()
    living = sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children())
    return float(ended.children_user + ended.children_system + living)


def _forget_peak() -> None:
    for child in psutil.Process().children():
        with suppress(OSError):
            Path(f"/proc/{child.pid}/clear_refs").write_text("5")


def _peak_bytes() -> int:
    """Tell the most memory held since _forget_peak, 0 where the child was ended or the system does not tell."""
    peaks = [0]
    for child in psutil.Process().children():
        with suppress(OSError):
            status = Path(f"/proc/{child.pid}/status").read_text()
            peaks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks)


def _row(tally: Tally) -> str:
    ends = tally.ends
    speed = sum(tally.chars.values()) / max(tally.cpu_s, 0.001)
    cells = [
        "/".join(tally.folder.parts[-2:]),
        *(
            str(count)
            for count in (ends.total(), *(ends[end] for end in ("text", "empty", "refused", "hang", "crash")))
        ),
        f"{tally.slowest[0]:.1f} {tally.slowest[1]}",
        f"{tally.largest[0] / 1e6:.0f} {tally.largest[1]}",
        f"{speed:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _print_kept(tally: Tally) -> None:
    """Compare the text of the control files with all that pypdf finds in them, white space aside in both."""
    for path in tally.folder.glob("baseline_pypdf_*.jsonl"):
        for line in path.read_text().splitlines():
            known = json.loads(line)
            if known["kind"] == "control":
                bare = "".join(page.extract_text() for page in PdfReader(tally.folder / known["file"]).pages)
                kept = tally.chars.get(known["file"], 0) / len("".join(bare.split()))
                print(f"{kept:8.2%} of the characters kept: {known['file']}")


if __name__ == "__main__":
    main()
