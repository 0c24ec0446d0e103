"""Answers by a language model: asked with sources, and checked sentence by sentence before anyone reads them."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace

from core import wording
from core.domain import AnswerRequest, Draft, Mode
from core.errors import ModelUnavailable
from core.links import addresses, keep_allowed
from core.models import Completion, ContextTooLong, LanguageModel, ModelRequest
from core.ports import Answerer, Reply
from core.prompt import grounded, open_chat
from core.sentences import sentences
from core.support import supporting
from core.terms import terms

_FEWEST_TERMS = 2  # that say what a clause is about
_TURNS_LEFT = 2  # of the history, when everything together is too long

_MARK = r"[\[【](?:sources?\s?)?#?\d{1,3}(?:\s?[,;]\s?#?\d{1,3}){0,4}(?:†[^\]】\n]{0,9})?[\]】]"
_MARKS = re.compile(rf"(?:[ \t]*{_MARK})+", re.IGNORECASE)
_DEFINITION = re.compile(r"^[ \t]*\[\^?\w{1,30}\]:[ \t]*<?https?://\S*[^\n]*$", re.MULTILINE | re.IGNORECASE)
_STOPS = ".!?…。！？｡"
_WIDE_STOPS = "。！？｡"
_BREAK = re.compile(
    rf"\n+|(?P<stop>[{_STOPS}][{_STOPS}\"'”’»)*_」』）]*)(?:[ \t]*{_MARK})*(?P<gap>[ \t]*)", re.IGNORECASE
)
_LONGEST_LOOK = 400  # characters
_BRACKET = re.compile(r"[\[【](?:[^\]】\n]{0,60}[\]】\n]|[^\]】\n]{61})")
_BEGUN_MARK = re.compile(r"[ \t]*[\[【][^\]】\n]{0,20}$")

_VERDICT = r"(?P<no>not[\s_-]{0,3}|un)?(?P<said>answered)\b"
_VERDICT_LINE = re.compile(rf"[\W_]*(?:verdict[\W_]*)?{_VERDICT}[\W_]*$", re.IGNORECASE)
_VERDICT_FIRST = re.compile(
    r"[\W_]*(?:(?i:verdict)[\W_]*)?(?P<no>NOT[\s_-]{0,3}|UN)?ANSWERED\b[\s.:*_–—-]*|"
    r"[\W_]*(?:(?i:verdict)[\W_]+)(?P<not>(?i:not[\s_-]{0,3}|un))?(?i:answered)\b[\s.:*_–—-]*"
)
_WIDE_GAP = re.compile(r"\n\s*\n\s*\n")
_THINKING, _THOUGHT = "<think>", "</think>"


class ModelAnswerer:
    """The Answerer port over a language model, with another answerer for when it fails."""

    judges = True

    def __init__(self, model: LanguageModel, fallback: Answerer, *, deadline_s: float = 30.0) -> None:
        """Give the model DEADLINE_S for an answer; FALLBACK must not need it."""
        self._model = model
        self._fallback = fallback
        self._deadline_s = deadline_s

    @property
    def name(self) -> str:
        """Name the model, or the models in the order they are asked."""
        return self._model.name

    async def answer(self, request: AnswerRequest, reply: Reply) -> Draft:
        """Answer in the mode of the request's bot; what was written to REPLY is the draft's text, to the letter.

        Where the model fails, FALLBACK answers from the passages, and the draft's notice says so. Raises
        ModelUnavailable, with nothing left standing in REPLY, only where there are no passages to fall back on.
        """
        until = time.monotonic() + self._deadline_s
        try:
            try:
                return await self._ask(request, reply, self._deadline_s)
            except ContextTooLong:
                return await self._ask(shorter(request), reply, until - time.monotonic())
        except ModelUnavailable:
            if not request.passages:
                raise
        return replace(await self._fallback.answer(request, reply), notice=wording.MODEL_SILENT, failed=True)

    async def _ask(self, request: AnswerRequest, reply: Reply, deadline_s: float) -> Draft:
        bot = request.bot
        messages = grounded(request) if bot.mode is Mode.GROUNDED else open_chat(request)
        page = CheckedPage(request, reply)
        asked = ModelRequest(messages, bot.max_tokens, bot.temperature, deadline_s)
        return await page.finish(await self._model.complete(asked, page))


def shorter(request: AnswerRequest) -> AnswerRequest:
    """Leave out the older half of what a model need not know; the numbers of the passages that stay do not change."""
    return replace(
        request,
        passages=request.passages[: (len(request.passages) + 1) // 2],
        history=request.history[-_TURNS_LEFT:],
        summary="",
    )


class CheckedPage:
    """The Writer between a model and a Reply: what it passes on is final."""

    def __init__(self, request: AnswerRequest, reply: Reply) -> None:
        self._request = request
        self._reply = reply
        self._checker = Checker(request)
        self._written: list[str] = []

    async def write(self, text: str) -> None:
        """Pass on the whole sentences that TEXT completes."""
        await self._show(self._checker.feed(text))

    async def restart(self) -> None:
        """Take everything back, whether it was shown yet or not."""
        self._checker = Checker(self._request)
        if self._written:
            self._written.clear()
            await self._reply.restart()

    async def finish(self, completion: Completion) -> Draft:
        """Pass on the rest and tell what the answer has become."""
        cut = completion.finish_reason == "length"
        await self._show(self._checker.finish(cut=cut))
        resolved = self._checker.resolved and bool(self._written)
        if not resolved:
            await self.restart()
        text = "".join(self._written)
        return Draft(text, resolved, completion.usage, completion.model, wording.CUT if cut and resolved else "")

    async def _show(self, text: str) -> None:
        if text:
            self._written.append(text)
            await self._reply.write(text)


class Checker:
    """Read a model's text piece by piece and return what of it may be shown.

    It works on whole sentences with the marks behind them, so that the result does not depend on the pieces. Grounded,
    nothing is shown before the first mark whose passage bears it out, and without one the question is not resolved.
    """

    def __init__(self, request: AnswerRequest) -> None:
        self._passages = request.passages
        self._grounded = request.bot.mode is Mode.GROUNDED
        self._allowed = addresses(f"{request.text}\n{request.question}")
        self._cited: set[int] = set()
        self._buffer = ""
        self._looked = 0  # up to where the buffer is known to hold no end of a sentence
        self._begun = False  # whether the first sentence is complete: thoughts stand before it
        self._judged = not self._grounded  # whether the place of the verdict has passed
        self._denied = False
        self._code = False
        self._line_begins = True
        self._before = ""  # the last sentence, for marks on a line of their own
        self._held = ""  # checked, and waiting for the first mark
        self._nothing_yet = True
        self._gap = ""  # white space that is shown only with what follows

    @property
    def resolved(self) -> bool:
        """Tell whether the text so far answers the question."""
        return not self._denied and (bool(self._cited) or not self._grounded)

    def feed(self, piece: str) -> str:
        """Return what of the text so far can be shown and was not yet."""
        self._buffer += piece
        if not self._begun:
            self._buffer = _without_thoughts(self._buffer)
            if _may_be_thought(self._buffer):
                return ""
            self._looked = 0
        shown = ""
        end, self._looked = find_end(self._buffer, self._looked)
        while end:
            self._begun = True
            shown += self._take(self._buffer[:end])
            self._buffer = self._buffer[end:]
            end, self._looked = find_end(self._buffer, 0)
        return shown

    def finish(self, *, cut: bool = False) -> str:
        """Return the rest; CUT where the text ends in the middle, perhaps of a mark."""
        rest, self._buffer = self._buffer, ""
        if not self._begun and rest.lstrip().startswith(_THINKING):
            return ""
        return self._take(_BEGUN_MARK.sub("", rest) if cut else rest)

    def _take(self, unit: str) -> str:
        """Return what may be shown now that UNIT is complete."""
        if self._grounded:
            unit = self._judge(unit)
        if self._denied:
            return ""
        text = self._gap + self._check(unit)
        if self._nothing_yet:
            text = text.lstrip()
        body = text.rstrip()
        self._nothing_yet = self._nothing_yet and not body
        self._gap = _WIDE_GAP.sub("\n\n", text[len(body) :])
        self._held += body
        if self._grounded and not self._cited:
            return ""
        shown, self._held = self._held, ""
        return shown

    def _judge(self, unit: str) -> str:
        """Read the verdict where UNIT holds one, and return the rest."""
        if not unit.strip():
            return unit
        verdict = _VERDICT_LINE.fullmatch(unit.strip())
        if self._judged and verdict and verdict["said"] != "ANSWERED":
            return unit  # a sentence of the answer
        rest = ""
        if verdict is None and not self._judged:
            verdict = _VERDICT_FIRST.match(unit)
            rest = unit[verdict.end() :] if verdict else unit
        self._judged = True
        if verdict is None:
            return unit
        self._denied = self._denied or _denies(verdict)
        return rest

    def _check(self, unit: str) -> str:
        fenced = self._line_begins and unit.lstrip().startswith("```")
        if fenced:
            self._code = not self._code
        self._line_begins = unit.endswith("\n") or (self._line_begins and not unit.strip())
        if not self._code and not fenced:
            unit = self._check_marks(unit)
        return keep_allowed(unit, self._allowed)

    def _check_marks(self, unit: str) -> str:
        """Keep the marks of UNIT that are borne out by their passages, each with the words before it."""
        unit = _DEFINITION.sub("", unit)  # of a link, which no reader sees, and no mark
        bare = _MARKS.sub("", unit).strip()
        shown, start = "", 0
        for match in _MARKS.finditer(unit):
            clause = unit[start : match.start()]
            numbers = [int(number) - 1 for number in re.findall(r"\d+", match[0].partition("†")[0])]
            known = list(dict.fromkeys(number for number in numbers if 0 <= number < len(self._passages)))
            kept = self._borne_out(_statement(clause, bare, self._before), known)
            gap = match[0][: len(match[0]) - len(match[0].lstrip())]
            shown += clause + (gap + "".join(f"[{number + 1}]" for number in kept) if kept else "")
            start = match.end()
        self._before = bare or self._before
        return shown + unit[start:]

    def _borne_out(self, statement: str, cited: Sequence[int]) -> list[int]:
        passages = [self._passages[number] for number in cited]
        kept = [number for number, good in zip(cited, supporting(statement, passages), strict=True) if good]
        for number in kept:
            if number not in self._cited:
                passage = self._passages[number]
                self._allowed += [passage.source, *addresses(passage.text)]
                self._cited.add(number)
        return kept


def _denies(verdict: re.Match[str]) -> bool:
    return any(verdict.groupdict().get(group) for group in ("no", "not"))


def find_end(text: str, start: int) -> tuple[int, int]:
    """Find where the first sentence or line of TEXT ends, its marks and the white space behind it included.

    The end is 0 where more text could move it, or there is none. The second number is where to go on with more text:
    what stands before it is not looked at again, or a long text without an end would take the square of its length.
    """
    for match in _BREAK.finditer(text, start):
        if match.end() == len(text):
            return 0, match.start()
        if match["stop"] is None:
            return match.end(), 0
        following = text[match.end()]
        if following in "[【" and not _BRACKET.match(text, match.end()):
            return 0, match.start()
        if _ends(text[: match.end("stop")], match, following):
            return match.end(), 0
        start = match.end()
    return 0, start


def _ends(before: str, match: re.Match[str], following: str) -> bool:
    if match["stop"][0] in _WIDE_STOPS:
        return True
    if following == "\n" or match.end() == match.end("stop"):
        return False  # the line ends right after, or this is a number or an address
    line = before[before.rfind("\n") + 1 :]
    if len(line) > _LONGEST_LOOK and not line.startswith("|"):
        before = line[-_LONGEST_LOOK:].partition(" ")[2]  # whether it ends here rests on the last words
    return sentences(f"{before} {following}")[-1] == following


def _statement(clause: str, sentence: str, before: str) -> str:
    """Choose what a mark speaks for: the words before it, else its whole sentence, else the sentence before."""
    if len(terms(clause)) >= _FEWEST_TERMS:
        return clause
    return sentence if terms(sentence) else before


def _may_be_thought(text: str) -> bool:
    text = text.lstrip()
    return text.startswith(_THINKING) or _THINKING.startswith(text)


def _without_thoughts(text: str) -> str:
    """Leave out what a reasoning model writes to itself before its answer."""
    while text.lstrip().startswith(_THINKING) and _THOUGHT in text:
        text = text.partition(_THOUGHT)[2]
    return text
