"""Answers without a language model: the best sentences of the best passages, quoted and cited."""

from collections.abc import Mapping, Sequence
from operator import mul

from core import wording
from core.domain import Draft, Passage
from core.errors import ModelUnavailable
from core.extract import candidates, choose
from core.ports import Embedder, Reply
from core.terms import terms


class ExtractiveAnswerer:
    """The Answerer port without a model."""

    notice = wording.EXTRACTIVE

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    async def answer(self, question: str, passages: Sequence[Passage], reply: Reply) -> Draft:
        """Quote the sentences that answer QUESTION best, each with its mark; without one, it is not resolved."""
        quotes = choose(terms(question), passages, await self._cosines(question, passages))
        text = "\n".join(f"{quote.text} [{quote.passage_index + 1}]" for quote in quotes)
        await reply.write(text)
        return Draft(text, resolved=bool(quotes))

    async def _cosines(self, question: str, passages: Sequence[Passage]) -> Mapping[str, float]:
        """Compare each sentence with the question; words alone decide where no embedder answers."""
        if self._embedder is None:
            return {}
        texts = [candidate.text for candidate in candidates(passages)]
        try:
            asked, *vectors = await self._embedder.embed([question, *texts])
        except ModelUnavailable:
            return {}
        return {text: sum(map(mul, asked, vector)) for text, vector in zip(texts, vectors, strict=True)}
