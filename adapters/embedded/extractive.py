"""Answers without a language model: the best sentences of the best passages, quoted and cited."""

from collections.abc import Mapping, Sequence
from operator import mul

from core import wording
from core.documents import Passage
from core.domain import AnswerRequest, Draft
from core.errors import ModelUnavailable
from core.extract import candidates, choose
from core.ports import Embedder, Reply
from core.terms import terms


class ExtractiveAnswerer:
    """The Answerer port without a model."""

    name = "extractive"
    judges = False

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    async def answer(self, request: AnswerRequest, reply: Reply) -> Draft:
        """Quote the sentences that answer best, each with its mark; without one, the question is not resolved."""
        cosines = await self._cosines(request.question, request.passages)
        quotes = choose(terms(request.question), request.passages, cosines)
        text = "\n".join(f"{quote.text} [{quote.passage_index + 1}]" for quote in quotes)
        await reply.write(text)
        return Draft(text, resolved=bool(quotes), notice=wording.EXTRACTIVE)

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
