"""Measure the answer caches: what a hit is worth, how often it is wrong, and what a lookup costs.

    python -m bench.cache --data ../shared/data [--redis redis://localhost] [--show]

Near misses: a question and its paraphrases are cached; its near misses must miss. Northwind: the questions are cached;
the same with the plans' names swapped, and questions the documents cannot answer, must miss; easy rephrasings must
hit their own. BANKING77: a stream in which a question that misses is cached; a hit on another intent is wrong.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.embedded.cache import InProcessCache
from adapters.embedded.minilm import MiniLM
from adapters.embedded.weights import find
from adapters.redis.cache import open_cache
from core.cache import NEWEST, AnswerCache, CachedAnswer, CacheScope, exact_key, find_same
from core.documents import Vector
from core.domain import Origin
from core.similar import Verdict, compare, normalise

Matrix = NDArray[np.float32]
Rule = Callable[[str, str, float], bool]
CANDIDATES = 5
RULES: dict[str, Rule] = {
    "exact": lambda asked, cached, _: normalise(asked) == normalise(cached),
    "cosine .8": lambda _, __, cosine: cosine >= 0.8,
    "cosine .9": lambda _, __, cosine: cosine >= 0.9,
    "rule": lambda asked, cached, cosine: compare(asked, cached, cosine) is Verdict.SAME,
    "close, for a verifier": lambda asked, cached, cosine: compare(asked, cached, cosine) is Verdict.CLOSE,
}
PLANS = ("Northwind Standard", "Northwind Health Plus")


@dataclass(slots=True)
class Score:
    """How the lookups of one rule on one set ended."""

    asked: int = 0
    right: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)
    missed: list[tuple[str, str]] = field(default_factory=list)

    def row(self) -> str:
        """Write asked, right, wrong and precision as cells."""
        hits = self.right + len(self.wrong)
        precision = f"{self.right / hits:.3f}" if hits else "-"
        share = f"{len(self.wrong) / self.asked:.2%}" if self.asked else "-"
        return f"{self.asked} | {self.right} | {len(self.wrong)} | {share} | {precision}"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, what is in the cache when it is asked, and which of that may answer it."""

    text: str
    cached: tuple[str, ...]
    right: frozenset[str]


def near_misses(data: Path) -> list[Ask]:
    """Read the groups; paraphrases may hit the question they rephrase, near misses nothing."""
    asks = []
    for line in (data / "cache_nearmiss/groups.jsonl").read_text(encoding="utf-8").splitlines():
        group = json.loads(line)
        same = (group["base"], *group["paraphrases"])
        asks += [Ask(text, (group["base"],), frozenset({group["base"]})) for text in group["paraphrases"]]
        asks += [Ask(text, same, frozenset()) for text in group["near_misses"]]
    return asks


def questions(path: Path) -> list[str]:
    """Read the questions of a file of lines."""
    return [json.loads(line)["question"] for line in path.read_text(encoding="utf-8").splitlines()]


def swapped(text: str) -> str:
    """Exchange the two plans' names."""
    one, other = PLANS
    return text.replace(one, "\0").replace(other, one).replace("\0", other)


def northwind_swapped(data: Path) -> list[Ask]:
    """Ask about the other plan, as written and in lower case, and what the documents cannot answer."""
    known = questions(data / "northwind_hr/qa.jsonl")
    cached = tuple(known)
    others = [swapped(text) for text in known if swapped(text) not in {text, *known}]
    absent = [text for text in questions(data / "northwind_hr/dontknows.jsonl") if text not in known]
    texts = [*others, *map(str.lower, others), *absent]
    return [Ask(text, cached, frozenset()) for text in texts]


def rephrasings(text: str) -> Iterator[str]:
    """Say the same in easy other ways."""
    bare = text.rstrip("?. ")
    begun = bare[0].lower() + bare[1:]
    yield from (text.lower(), text.upper(), text.title(), text.replace(" ", "  "), text.replace("?", "!"))
    yield from (text.replace("What is", "What's"), text.replace("What are", "what're"))
    yield from (pattern.format(text=text, bare=bare, begun=begun) for pattern in _PATTERNS)
    yield from _word_forms(text)


_PATTERNS = """
{bare}
{bare} ?
{bare}??
Please tell me {begun}?
Please tell me: {text}
Could you tell me {begun}?
can you tell me {begun}
Could you please explain {begun}?
I would like to know {begun}.
I'd like to know {begun}
Hi, {begun}?
Hello! {text}
Hi there, could you kindly let me know {begun}? Thanks!
Do you know {begun}?
I was wondering {begun}
Quick question: {begun}?
Please, {begun}?
{bare} please
{bare}, please?
{text} Thanks!
{text} Thank you very much.
{bare} for me
{bare}, thanks in advance
{text} Please help.
{bare} in detail?
{bare} exactly?
{bare} asap
""".strip().splitlines()


def _word_forms(text: str) -> Iterator[str]:
    """Exchange singular and plural, and the forms of a few verbs, one word at a time."""
    words = text.split()
    for place, word in enumerate(words):
        stem = word.strip("?,.()")
        if len(stem) < 4 or not stem.islower() or stem in _FIXED:
            continue
        other = _other_form(stem)
        yield " ".join([*words[:place], word.replace(stem, other), *words[place + 1 :]])


_FIXED = frozenset(
    "what which when where does with from this that these those they them their your have been into under about and or "
    "should would could will must might between both some most such other another each also than then there after "
    "before during while whether according regarding related associated considering made making without".split()
)


def _other_form(word: str) -> str:
    for ending, instead in (("ies", "y"), ("ss", "sses"), ("us", "uses"), ("is", "is"), ("xes", "x"), ("ses", "se")):
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    if word.endswith("s"):
        return word[:-1]
    if word.endswith("y") and word[-2] not in "aeou":
        return word[:-1] + "ies"
    return word + "s"


def northwind_rephrased(data: Path) -> list[Ask]:
    """Ask every question in easy other ways; only its own may answer."""
    known = questions(data / "northwind_hr/qa.jsonl")
    return [Ask(other, tuple(known), frozenset({text})) for text in known for other in rephrasings(text)]


class Embedded:
    """The vectors of texts, each embedded once."""

    def __init__(self, embedder: MiniLM) -> None:
        self._embedder = embedder
        self._vectors: dict[str, Vector] = {}

    async def matrix(self, texts: Sequence[str]) -> Matrix:
        """Stack the vectors of TEXTS, one a row."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors.update(zip(new, await self._embedder.embed(new), strict=True))
        return np.array([self._vectors[text] for text in texts], np.float32)


def nearest(cosines: NDArray[np.float32]) -> list[int]:
    """List the best places, the best first."""
    return sorted(range(len(cosines)), key=lambda i: -cosines[i])[:CANDIDATES]


async def judge(asks: Sequence[Ask], embedded: Embedded, rule: Rule) -> Score:
    """Look every question up in its own cache."""
    score = Score(asked=len(asks))
    vectors = await embedded.matrix([ask.text for ask in asks])
    for ask, vector in zip(asks, vectors, strict=True):
        cosines = await embedded.matrix(ask.cached) @ vector
        hit = next((i for i in nearest(cosines) if rule(ask.text, ask.cached[i], float(cosines[i]))), None)
        if hit is None:
            score.missed += [(ask.text, text) for text in ask.right]
        elif ask.cached[hit] in ask.right:
            score.right += 1
        else:
            score.wrong.append((ask.text, ask.cached[hit]))
    return score


def stream(rows: Sequence[tuple[str, str]], vectors: Matrix, rule: Rule) -> Score:
    """Ask BANKING77 in a shuffled order; what misses is cached."""
    score = Score(asked=len(rows))
    cache = np.zeros_like(vectors)
    kept: list[int] = []
    for i, (text, intent) in enumerate(rows):
        cosines = cache[: len(kept)] @ vectors[i]
        best = np.argpartition(-cosines, CANDIDATES)[:CANDIDATES] if len(kept) > CANDIDATES else np.arange(len(kept))
        ordered = sorted((int(place) for place in best), key=lambda place: -cosines[place])
        hit = next((p for p in ordered if rule(text, rows[kept[p]][0], float(cosines[p]))), None)
        if hit is None:
            cache[len(kept)] = vectors[i]
            kept.append(i)
        elif rows[kept[hit]][1] == intent:
            score.right += 1
        else:
            score.wrong.append((text, rows[kept[hit]][0]))
    return score


async def latency(cache: AnswerCache, texts: Sequence[str], vectors: Matrix) -> str:
    """Fill one scope and time both look-ups, the vectors ready."""
    scope = CacheScope(1, ((1, 1),), "grounded", "en", "model")
    ready = [array("f", vector.tobytes()) for vector in vectors]
    for text, vector in zip(texts, ready, strict=True):
        answer = CachedAnswer(text, "An answer of usual length. " * 20, Origin.DOCUMENTS)
        await cache.put(exact_key(scope, text), answer, vector=vector)
    seconds: dict[str, list[float]] = {"exact": [], "similar and rule": []}
    for text, vector in zip(texts, ready, strict=True):
        start = time.perf_counter()
        await cache.get(exact_key(scope, text))
        found = time.perf_counter()
        await find_same(f"please tell me {text}", await cache.similar(scope, vector))
        seconds["exact"].append(found - start)
        seconds["similar and rule"].append(time.perf_counter() - found)
    return ", ".join(f"{name} p50 {statistics.median(taken) * 1000:.3f} ms" for name, taken in seconds.items())


def banking(data: Path) -> list[tuple[str, str]]:
    """Read questions and intents in a shuffled order that is always the same."""
    lines = (data / "banking77/train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [(row["text"], row["intent"]) for row in map(json.loads, lines)]
    random.Random(7).shuffle(rows)  # noqa: S311  # no secret
    return rows


async def run(data: Path, redis: str | None, *, show: bool) -> None:
    """Measure all sets with all rules, and the time of a look-up."""
    weights = find(Path("/nonexistent"))
    if weights is None:
        raise SystemExit("The embedder's weights are not installed; use ./run.")
    embedded = Embedded(MiniLM(weights))
    asked = {
        "near misses": near_misses(data),
        "Northwind, other plan or no answer": northwind_swapped(data),
        "Northwind, rephrased": northwind_rephrased(data),
    }
    rows = banking(data)
    vectors = await embedded.matrix([text for text, _ in rows])
    print("| set | rule | asked | right | wrong | wrong, share | precision |\n|---|---|---|---|---|---|---|")
    for name, rule in RULES.items():
        for title, asks in asked.items():
            report(title, name, await judge(asks, embedded, rule), show=show)
        report("BANKING77 stream", name, stream(rows, vectors, rule), show=show)
    texts = [text for text, _ in rows[:NEWEST]]
    print(f"in the process: {await latency(InProcessCache(), texts, vectors[:NEWEST])}")
    if redis is not None:
        async with open_cache(redis) as cache:
            print(f"in Redis: {await latency(cache, texts, vectors[:NEWEST])}")


def report(title: str, name: str, score: Score, *, show: bool) -> None:
    """Print one row and, where wanted, what the rule got wrong or missed."""
    print(f"| {title} | {name} | {score.row()} |")
    for kind, pairs in (("wrong", score.wrong), ("missed", score.missed)) if show and name == "rule" else ():
        for asked, cached in pairs:
            print(f"    {kind}: {asked!r} <- {cached!r}")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--redis", help="the address of a server for the figures of the cache in Redis")
    parser.add_argument("--show", action="store_true", help="print what the rule got wrong or missed")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.data, arguments.redis, show=arguments.show))


if __name__ == "__main__":
    main()
