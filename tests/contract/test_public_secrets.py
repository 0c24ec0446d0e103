"""Redaction on public sets of secrets, of what looks like one, and of hostile texts."""

import base64
import json
from pathlib import Path

import pytest

from core.redact import redact

DATA = Path(__file__).parents[3] / "shared" / "data" / "hostile"


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
def test_the_open_sets_reach_their_targets() -> None:
    rows = [json.loads(line) for line in (DATA / "secrets.jsonl").read_text(encoding="utf-8").splitlines()]
    secrets = [base64.b64decode(row["text_b64"]).decode() for row in rows if row["secret"]]
    assert sum(bool(redact(text).hidden) for text in secrets) >= 70
    for name in ("benign_lookalikes", "naughty_strings", "injection", "injection_instructions"):
        lines = (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        for text in (str(json.loads(line).get("text", "")) for line in lines):
            assert redact(text).hidden == (), text
