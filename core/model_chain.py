"""Several models as one: the next answers where the one before cannot."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from core.errors import ModelUnavailable
from core.models import Completion, ContextTooLong, LanguageModel, ModelRequest, Writer


class ModelChain:
    """Ask models in order until one answers, within one deadline."""

    def __init__(
        self,
        models: Sequence[LanguageModel],
        *,
        reserve_s: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep RESERVE_S of the deadline for each model that is still to come, or an equal share where that is less."""
        if not models:
            raise ValueError("A chain needs at least one model.")
        self._models = tuple(models)
        self._reserve_s = reserve_s
        self._now = now

    @property
    def name(self) -> str:
        """Name the models in the order they are asked."""
        return ", ".join(model.name for model in self._models)

    async def complete(self, request: ModelRequest, writer: Writer) -> Completion:
        """Answer with the first model that can.

        Raises the last model's ModelUnavailable, but ContextTooLong where any of them said so: that is the one
        failure the caller can mend. A model whose breaker is open fails at once and so is skipped; a model that
        fails has taken back its pieces, as the port demands.
        """
        until = self._now() + request.deadline_s
        failures: list[ModelUnavailable] = []
        for place, model in enumerate(self._models):
            share_s = self._share_s(until - self._now(), len(self._models) - place - 1)
            if failures and share_s <= 0:
                break
            try:
                return await model.complete(replace(request, deadline_s=share_s), writer)
            except ModelUnavailable as failure:
                failures.append(failure)
        raise next((failure for failure in failures if isinstance(failure, ContextTooLong)), failures[-1])

    def _share_s(self, left_s: float, behind: int) -> float:
        return max(left_s - self._reserve_s * behind, left_s / (behind + 1))
