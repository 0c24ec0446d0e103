"""Embed with all-MiniLM-L6-v2 on this machine: no server, no key, English only."""

import asyncio
import os
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load
from tokenizers import Tokenizer

from adapters.embedded.weights import Weights
from core.documents import EmbedderIdentity, Vector

if TYPE_CHECKING:
    from adapters.embedded.onnx_graph import Model, Precision

DIMENSIONS = 384
CLS, SEP = 101, 102  # the special tokens around every text
MAX_TOKENS = 256  # what the model was trained for, with its two special tokens
MAX_CHARACTERS = 32_768  # of one text, far over 256 tokens: a longer one would only cost time
BATCH_TOKENS = 1_024  # padded; about 25-90 ms a batch, and larger ones are no faster
WINDOW = 512  # texts tokenised and sorted at a time
REVISION = 1  # rises when the same text gets another vector


class MiniLM:
    """Embed on one background thread, so that two callers take turns batch by batch."""

    def __init__(self, weights: Weights, *, threads: int | None = None, precision: "Precision" = "fp32") -> None:
        self._weights = weights
        self._threads = threads or min(os.cpu_count() or 1, 4)
        self._precision: Precision = precision
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self.identity = EmbedderIdentity(f"all-MiniLM-L6-v2/{precision}/{REVISION}", DIMENSIONS)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed each text; unit-length vectors in the order of the texts.

        Tokens after the 254th are ignored. Raises Refused when the weights are not the pinned ones and
        ModelUnavailable when they cannot be read.
        """
        loop = asyncio.get_running_loop()
        vectors: dict[int, Vector] = {}
        for start in range(0, len(texts), WINDOW):
            rows = await loop.run_in_executor(self._worker, self._tokenise, texts[start : start + WINDOW])
            for batch in _batches(rows, 1 if self._precision == "int8" else BATCH_TOKENS):
                found = await loop.run_in_executor(self._worker, self._run, [rows[i] for i in batch])
                vectors.update(zip((start + i for i in batch), found, strict=True))
        return [vectors[i] for i in range(len(texts))]

    def close(self) -> None:
        """Wait for the batch under way, then end the thread and free the model; nothing can be embedded afterwards."""
        self._worker.shutdown()
        vars(self).pop("_model", None)  # some 150 MB, which must not last as long as whatever still names the embedder

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text, however long, without the two special ones."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_buffer(self._weights.read_tokenizer())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _model(self) -> "Model":
        # Here, not above: most commands embed nothing, and these imports cost 0.2 s.
        from adapters.embedded.onnx_graph import open_model  # noqa: PLC0415

        return open_model(load(self._weights.read_model()), precision=self._precision, threads=self._threads)

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        # encode, not encode_batch: that one starts threads which warn on stderr when the process forks.
        encoded = (self._tokenizer.encode(text[:MAX_CHARACTERS], add_special_tokens=False) for text in texts)
        return [[CLS, *e.ids[: MAX_TOKENS - 2], SEP] for e in encoded]

    def _run(self, rows: Sequence[Sequence[int]]) -> list[Vector]:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return [array("f", vector.tobytes()) for vector in self._model(ids, mask)]


def _batches(rows: Sequence[Sequence[int]], budget: int) -> Iterator[list[int]]:
    """Group row numbers by length, so that rows times the longest row stays within the budget."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and (len(batch) + 1) * len(rows[i]) > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
