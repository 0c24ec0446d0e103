"""Write texts that others found hard to format for Telegram, and read them back as its server does.

    python -m bench.telegram_markup [--data ../shared/data]

Every text becomes the messages of an answer; tests/platform/telegram_entities.py, which keeps the rules of the
open-source Bot API server and shares nothing with what wrote them, accepts and reads them. What is read back must say
what tests/platform/slack_markdown.py reads in the text, or be the text to the letter where it was left as it is:
references of HTML and links that lead nowhere are shown as they were written.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.telegram import limits
from adapters.telegram.markup import to_html
from bench.slack_markup import print_figures, read_sets, said, sound, words
from core.parts import utf8_bytes, utf16_units
from tests.platform.telegram_entities import ParseError, parse_html

_LAYOUT = re.compile(r"[•·—|:\d.()\[\]-]")  # what lists, rules and tables are shown with


@dataclass
class Figures:
    """What became of a set of texts; the lists hold those that fell short."""

    texts: int = 0
    refused: list[str] = field(default_factory=list)  # shown by the plain-text fallback
    too_long: list[str] = field(default_factory=list)
    misread: list[str] = field(default_factory=list)


def measure(texts: Sequence[str]) -> Figures:
    """Write TEXTS and read them back."""
    figures = Figures(len(texts))
    for text in texts:
        parts = to_html(text)
        fits = all(utf16_units(p.plain) <= limits.TEXT and utf8_bytes(p.html) <= limits.RAW_TEXT_BYTES for p in parts)
        figures.too_long += [] if fits else [text]
        try:
            shown = "".join(parse_html(part.html)[0] for part in parts)  # type: ignore[no-untyped-call]
        except ParseError:
            figures.refused.append(text)
            continue
        same = _LAYOUT.sub("", words(shown)) == _LAYOUT.sub("", said(sound(text)))
        figures.misread += [] if same or _letters(shown) == _letters(text) else [text]
    return figures


def _letters(text: str) -> list[str]:
    return [character for character in sound(text) if character.isalnum()]


def main() -> None:
    """Measure every set that is there."""
    parser = argparse.ArgumentParser(description="Write hard texts for Telegram, and read them back.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--show", action="store_true", help="print the texts that fell short")
    options = parser.parse_args()
    for name, texts in read_sets(options.data):
        print_figures(name, measure(texts), show=options.show)


if __name__ == "__main__":
    main()
