"""Whatever Markdown a model writes becomes messages that Slack takes, that hold all of its words, code and links."""

import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.slack.outbound import cost, render
from core.domain import Answer, Origin
from tests.platform.slack_answering import body_of, opened
from tests.platform.slack_blocks import check_blocks
from tests.platform.slack_markdown import read_markdown
from tests.platform.slack_mrkdwn import Mrkdwn

UNSEEN = re.compile("[\u00ad\u200b]")
STEMS = (
    "word",
    "Wörter",
    "שלום",
    "مرحبا",
    "日本語",
    "é\u0301",
    "👩\u200d💻",
    "x&y",
    "a<b",
    "snake_case",
    "hr@unilever",
    "5*3",
)
CONTROL = ("\x00", "\x07", "\x1b", "\x7f", "\x85", "\x0b")
CALLS = (
    "<!channel>",
    "@here",
    "<@U0123456789>",
    "<#C0123456789|general>",
    "<!subteam^S0123456>",
    "\\<!here>",
    "@everyone",
)
NOTHING = ("", "", "", ":tada: ", "— ", "[1] ", "\\* ")


class Document:
    """Markdown made by chance, with what must be read in it."""

    def __init__(self, seed, size):
        self.random = random.Random(seed)
        self.words, self.links, self.headers = [], [], []
        self.code, self.blocks = [], []  # the lines of code, and the words of those outside of quotations
        makers = (self.paragraph, self.fence, self.list, self.table, self.heading, self.quote, self.nested, self.odd)
        weights = (8, 2, 3, 1, 2, 1, 1, 1)
        self.markdown = ""
        while len(self.markdown) < size:
            (make,) = self.random.choices(makers, weights)
            self.markdown += "\n".join(make()) + "\n\n"

    def word(self):
        """Make a word that is there once."""
        self.words.append(len(self.words))
        stem = self.random.choice(STEMS) if self.random.random() < 0.4 else "word"
        odd = self.random.choice(CONTROL) if self.random.random() < 0.01 else ""
        return f"{stem}{odd}q{self.words[-1]}z"

    def some(self, most=6):
        return " ".join(self.word() for _ in range(self.random.randint(1, most)))

    def link(self, more=""):
        self.links.append(f"https://docs.example/a_b/{len(self.links)}?x=1&y=2{more}#configuration")
        return self.links[-1]

    def inline(self):
        chance = self.random.random()
        if chance < 0.6:
            return self.some()
        kinds = [
            lambda: f"**{self.some(4)}**",
            lambda: f"*{self.some(4)}*",
            lambda: f"~~{self.some(2)}~~",
            lambda: f"`{self.some(3)}`",
            lambda: f"[{self.some(4)}]({self.link()})",
            lambda: f"**[{self.some(2)}]({self.link()})**",
            lambda: f"<{self.link()}>",
            lambda: self.random.choice(CALLS),
            lambda: f"[{self.some(4)} [{self.some(1)}]]({self.link()})",
            lambda: f"[{self.some(30)}]({self.link('x' * self.random.randint(1, 900))})",
            lambda: f'[{self.some(2)}]({self.link("(y)")} "a title")',
            lambda: f"![{self.some(2)}]({self.link()})",
            lambda: f"`` {self.some(2)} ` {self.word()} ``",
        ]
        return self.random.choice(kinds)()

    def sentence(self, most=12):
        pieces = [self.random.choice(NOTHING) + self.inline() for _ in range(self.random.randint(1, most))]
        return " ".join(pieces) + "."

    def paragraph(self):
        return [self.sentence() for _ in range(self.random.randint(1, 6))]

    def heading(self):
        return ["#" * self.random.randint(1, 4) + " " + self.sentence(2)]

    def quote(self):
        return [f"> {self.sentence(5)}" for _ in range(self.random.randint(1, 4))]

    def list(self):
        ordered = self.random.random() < 0.4
        step = "   " if ordered else "  "
        lines = []
        for number in range(self.random.randint(1, 25)):
            lines.append((f"{number + 1}." if ordered else "-") + " " + self.sentence(4))
            if self.random.random() < 0.15:
                lines.append(f"{step}- {self.sentence(3)}")
            if self.random.random() < 0.05:
                lines += ["", *(step + line for line in self.fence()), ""]
        return lines

    def table(self):
        width, begun, count = self.random.randint(1, 4), len(self.words), self.random.choice((2, 3, 9, 80))
        rows = [" | ".join(self.some(2) for _ in range(width)) for _ in range(count)]
        self.headers += [number for number in range(begun, len(self.words)) if f"q{number}z" in rows[0]]
        rows.insert(1, " | ".join(["---"] * width))
        return [f"| {row} |" for row in rows]

    def code_line(self, *, quoted=False, end=""):
        number = len(self.words)
        line = f"{'    ' * self.random.randint(0, 3)}if q{number}z < 3:  # **no** `mark` [l](x) @app *&amp;*{end}"
        self.words.append(number)
        self.code.append(line)
        self.blocks += [] if quoted else [number]
        return line

    def fence(self):
        sign = self.random.choice(("```", "```", "~~~", "````"))
        language = self.random.choice(("", "python", "bash"))
        return [sign + language, *(self.code_line() for _ in range(self.random.randint(1, 30))), sign]

    def nested(self):
        step = self.random.choice(("  ", "    "))
        return [step * depth + "- " + self.sentence(2) for depth in (0, 1, 2, 3, 2, 1, 0, 1)]

    def odd(self):
        """Make what is rarer: code in items and quotations, code and words of any length."""
        kinds = [
            lambda: ["```", *(self.code_line() for _ in range(self.random.randint(60, 200))), "```"],
            lambda: ["```", self.code_line(end="x" * self.random.randint(1, 9_000)), "```"],
            lambda: ["- ```python", *(f"  {self.code_line()}" for _ in range(self.random.randint(1, 90))), "  ```"],
            lambda: [
                "1. one",
                "   ```",
                *(f"   {self.code_line()}" for _ in range(self.random.randint(1, 90))),
                "   ```",
            ],
            lambda: [
                "> ```",
                *(f"> {self.code_line(quoted=True)}" for _ in range(self.random.randint(1, 90))),
                "> ```",
            ],
            lambda: [f"```{self.some(3)}```", self.sentence()],
            lambda: ["- a", "    - ```", *(f"      {self.code_line()}" for _ in range(90)), "      ```"],
            lambda: [" ".join(self.sentence() for _ in range(60))],
            lambda: ["**" + " ".join(self.some(9) for _ in range(200)) + "**"],
            lambda: [f"{self.word()}{'y' * self.random.randint(1, 9_000)} {self.word()}"],
            lambda: [self.sentence(3), self.random.choice(("===", "---"))],
        ]
        return self.random.choice(kinds)()


def numbers(text):
    return [int(found) for found in re.findall(r"q([0-9]+)z", UNSEEN.sub("", text))]


DOCUMENTS = st.builds(Document, st.integers(0, 2**32), st.integers(0, 60_000))


def render_document(document):
    return render(Answer(document.markdown, Origin.DOCUMENTS, None), 7)


def heads_once(found, document):
    """Leave out where the head of a table that was cut stands over its later pieces."""
    seen = set()
    return [n for n in found if not (n in seen and n in document.headers) and not seen.add(n)]


@given(DOCUMENTS)
@example(Document(47_771, 2_116))  # a link that is longer than what is left of a message
def test_every_document_becomes_messages_that_lose_nothing(document):
    parts = render_document(document)
    read = [read_markdown(UNSEEN.sub("", part.body)) for part in parts]
    for part in parts:
        check_blocks(part.blocks)
        assert 1 <= len(part.text) <= 4_000
        assert cost(part.body) <= 3_900
        assert not set(CONTROL) & {*part.body, *part.text}
    assert heads_once([number for shown in read for number in numbers(shown.text)], document) == document.words
    # Each is there once, and again where it stands in the head of a table that was cut.
    assert list(dict.fromkeys(url for shown in read for _, url in shown.links)) == document.links
    code = "".join(block for shown in read for block in shown.code)  # a line longer than a message is cut
    assert "".join(code.split()) == "".join("".join(document.code).split())


@given(DOCUMENTS)
@example(Document(59_999, 10_476))  # a table that is too long where each row names its columns
@example(Document(3_087, 5_334))  # one that is too long where it is aligned
def test_every_document_is_whole_where_its_blocks_are_not_seen(document):
    parts = render_document(document)
    headers = set(document.headers)  # named again in each row of a table that is no code block
    for hyphen in ("letter", "space"):
        read = [Mrkdwn(part.text, hyphen) for part in parts]
        found = [number for shown in read for number in numbers(shown.text)]
        assert set(found) == set(document.words)
        assert [n for n in found if n not in headers] == [n for n in document.words if n not in headers]
        assert [call for shown in read for call in shown.mentions] == []
        assert {n for shown in read for block in shown.blocks for n in numbers(block)} >= set(document.blocks)


def pieces_of(document):
    left = document.markdown
    while left:
        size = document.random.choice((1, 5, 30, 200, 2_000))
        yield left[:size]
        left = left[size:]


@pytest.mark.parametrize("before", range(3_560, 3_800, 12))
def test_a_link_is_in_one_message_wherever_it_stands(before):
    link = "[the whole page about it](https://docs.example/a_b/page?x=1&y=2#configuration)"
    text = ("word " * 800)[:before] + link + " and more words" * 40
    parts = render(Answer(text, Origin.DOCUMENTS, None), 7)
    assert len(parts) == 2
    assert sum(link in part.body for part in parts) == 1


@settings(max_examples=8)
@given(st.builds(Document, st.integers(0, 2**32), st.integers(0, 12_000)), st.booleans())
async def test_every_document_can_be_shown_while_it_grows(document, streams):
    async with opened() as desk:
        if not streams:
            desk.slack.misbehave("chat.startStream", "unknown_method")
        await desk.answer(Answer(document.markdown, Origin.DOCUMENTS, None), list(pieces_of(document)))
        messages, refused = desk.stands(), desk.refused
    # An edit of what still streams is how a long answer leaves its stream; nothing else is refused.
    assert set(refused) <= {"streaming_state_conflict" if streams else "unknown_method"}
    read = [read_markdown(UNSEEN.sub("", body_of(message))) for message in messages]
    assert heads_once([number for shown in read for number in numbers(shown.text)], document) == document.words
    assert list(dict.fromkeys(url for shown in read for _, url in shown.links)) == document.links
