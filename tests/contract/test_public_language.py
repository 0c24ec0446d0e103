"""The language of the messages in public sets."""

import json
from pathlib import Path

import pytest

from core.language import detect

DATA = Path(__file__).parents[3] / "shared" / "data"


def read_texts(name: str) -> list[str]:
    rows = map(json.loads, (DATA / name).read_text("utf-8").splitlines())
    return [row.get("question") or row["text"] for row in rows]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "language", "at_least"),
    [
        ("northwind_hr/qa.jsonl", "en", 0.99),
        ("clinc150/dev.jsonl", "en", 0.99),
        ("banking77/train.jsonl", "en", 0.99),
        ("smalltalk/en.jsonl", "en", 0.99),
        ("smalltalk/de.jsonl", "de", 0.9),
        ("smalltalk/fr.jsonl", "fr", 0.85),
        ("smalltalk/es.jsonl", "es", 0.8),
        ("xsid/en.valid.jsonl", "en", 0.99),
        ("xsid/de.valid.jsonl", "de", 0.87),
        ("xsid/it.valid.jsonl", "it", 0.8),
        ("xsid/nl.valid.jsonl", "nl", 0.88),
        ("xsid/ar.valid.jsonl", "ar", 0.9),
        ("xsid/zh.valid.jsonl", "zh", 0.9),
        ("xsid/ja.valid.jsonl", "ja", 0.99),
    ],
)
def test_messages_of_other_people_are_told_apart(name: str, language: str, at_least: float) -> None:
    texts = read_texts(name)
    assert sum(detect(text) == language for text in texts) >= at_least * len(texts)
