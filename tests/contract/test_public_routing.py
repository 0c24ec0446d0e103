"""No question of the public sets is taken for small talk."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.routing import small_talk

DATA = Path(__file__).parents[3] / "shared" / "data"


def read_questions(pattern: str) -> Iterator[str]:
    """Yield the questions of the data sets, leaving out the domains that are small talk or talk about the bot."""
    for path in sorted(DATA.glob(pattern)):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("domain") not in {"small_talk", "meta"}:
                yield row.get("question") or row["text"]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not beside this checkout")
@pytest.mark.parametrize(
    ("pattern", "at_least", "allowed_share"),
    [
        ("northwind_hr/*.jsonl", 100, 0),
        ("banking77/*.jsonl", 10_000, 0.0005),
        ("clinc150/*.jsonl", 14_000, 0.0005),
        ("xsid/*.jsonl", 4_000, 0.0005),
    ],
)
def test_questions_of_other_people_are_not_small_talk(pattern: str, at_least: int, allowed_share: float) -> None:
    questions = list(read_questions(pattern))
    assert len(questions) >= at_least
    taken = [question for question in questions if small_talk(question)]
    assert len(taken) <= allowed_share * len(questions), taken
