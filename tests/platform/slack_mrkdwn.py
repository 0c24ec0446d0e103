"""What a person reads in mrkdwn: a reader that shares nothing with our own code.

docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Callable

GUARD = "\u00ad"
_EMOJI = re.compile(r":(?:[\w+'-]*[^\W\d_][\w+'-]*|100|1234|[+-]1):")
_KEPT = re.compile("\ue000(\\d+)\ue001")


class Mrkdwn:
    """Read mrkdwn as Slack shows it; HYPHEN says what a soft hyphen counts as, since Slack does not document it."""

    def __init__(self, text: str, hyphen: str) -> None:
        self.text, self.quotes = "", 0
        self.styled: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.mentions: list[str] = []
        self.code: list[str] = []  # blocks and spans
        self.blocks: list[str] = []
        self.emoji: list[str] = []
        self.hyphen = hyphen
        for number, part in enumerate(re.split(r"```(.*?)```", text, flags=re.DOTALL)):
            if number % 2:
                self.code.append(self.decode(part))
                self.blocks.append(self.decode(part).strip("\n"))
                self.text += part if part.startswith("\n") else "\n" + part
            else:
                self.text += "\n".join(self.line(line) for line in part.split("\n"))
        self.text = self.decode(self.text)

    @staticmethod
    def decode(text: str) -> str:
        return re.sub("&(lt|gt|amp);", lambda m: {"lt": "<", "gt": ">", "amp": "&"}[m[1]], text)

    def line(self, line: str) -> str:
        if re.match(r"[>＞]|&gt;", line):
            self.quotes += 1
            line = re.sub(r"^(>|＞|&gt;) ?", "", line)
        kept: list[str] = []

        def keep(text: str) -> str:
            kept.append(text)
            return f"\ue000{len(kept) - 1}\ue001"

        line = re.sub(r"<([^<>]*)>", lambda m: keep(self.token(m[1])), line)
        line = self.pair("`", line, lambda inner: keep(self.code_span(inner)))
        for mark in "*_~":
            line = self.pair(mark, line, lambda inner, mark=mark: self.style(mark, inner))  # type: ignore[misc]
        self.emoji += _EMOJI.findall(_KEPT.sub("", line))
        while _KEPT.search(line):
            line = _KEPT.sub(lambda m: kept[int(m[1])], line)
        return line

    def token(self, content: str) -> str:
        if content[:1] in "@#!":
            self.mentions.append(content)
        url, _, label = content.partition("|")
        self.links.append(self.decode(url))
        return label or url

    def code_span(self, inner: str) -> str:
        self.code.append(self.decode(inner))
        return inner

    def style(self, mark: str, inner: str) -> str:
        self.styled.append((mark, self.decode(inner)))
        return inner

    def pair(self, mark: str, line: str, found: Callable[[str], str]) -> str:
        """Take the first mark that can open and the next that can close, from left to right."""
        start = 0
        while (opening := self.find(mark, line, start, self.opens)) >= 0:
            closing = self.find(mark, line, opening + 2, self.closes)
            if closing < 0:
                return line
            inner = found(line[opening + 1 : closing])
            line = line[:opening] + inner + line[closing + 1 :]
            start = opening + len(inner)
        return line

    def find(self, mark: str, line: str, start: int, able: Callable[[str, int], bool]) -> int:
        return next((at for at in range(start, len(line)) if line[at] == mark and able(line, at)), -1)

    def kind(self, line: str, at: int) -> str:
        if not 0 <= at < len(line):
            return "edge"
        char = line[at]
        if char == GUARD:
            return self.hyphen
        return "space" if char.isspace() else "letter" if char.isalnum() else "sign"

    def opens(self, line: str, at: int) -> bool:
        return self.kind(line, at - 1) != "letter" and self.kind(line, at + 1) not in ("space", "edge")

    def closes(self, line: str, at: int) -> bool:
        return self.kind(line, at - 1) != "space" and self.kind(line, at + 1) != "letter"
