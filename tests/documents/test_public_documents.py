"""Public documents, sound and broken: a sample that changes daily; bench.documents reads them all."""

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader

from core.errors import UnreadableDocument
from ingest.formats import detect
from ingest.sandbox import Limits, Sandbox

SAMPLED = 12
OTHERS = {"LICENSE", "SOURCE.json"}


def sample(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*.*") if path.is_file() and path.name not in OTHERS)
    return random.Random(datetime.now(UTC).date().toordinal()).sample(files, SAMPLED)


@pytest.mark.parametrize("folder", ["hostile/pdf", "hostile/docx", "docs/docling", "docs/pdf_sample_files"])
async def test_every_document_ends_read_or_empty_or_refused_with_a_reason(shared_data: Path, folder: str) -> None:
    async with Sandbox(Limits(cpu_s=2)) as sandbox:
        for path in sample(shared_data / folder):
            data = path.read_bytes()
            refusal = ""
            try:
                document = await sandbox.read(detect(path.name, data[:4096]), path.name, data)
                assert document.title, path
                assert all(block.text == block.text.strip("\n") != "" for block in document.blocks), path
            except UnreadableDocument as error:
                refusal = str(error)
            assert "reader" not in refusal, path


async def test_sound_pdfs_keep_their_text(shared_data: Path) -> None:
    folder = shared_data / "hostile" / "pdf"
    lines = (folder / "baseline_pypdf_7.1.0.jsonl").read_text().splitlines()
    controls = [folder / entry["file"] for entry in map(json.loads, lines) if entry["kind"] == "control"]
    assert controls
    async with Sandbox() as sandbox:
        for path in controls:
            data = await asyncio.to_thread(path.read_bytes)
            document = await sandbox.read(detect(path.name, data[:4096]), path.name, data)
            kept = "".join("".join(block.text.split()) for block in document.blocks)
            bare = "".join("".join(page.extract_text().split()) for page in PdfReader(path).pages)
            assert len(kept) >= 0.99 * len(bare), path
