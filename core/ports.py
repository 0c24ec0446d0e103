"""What core and ingest need from outside: one small Protocol per kind of I/O."""

from collections.abc import Sequence
from typing import Protocol

from core.domain import EmbedderIdentity, Vector


class Embedder(Protocol):
    """Turn texts into vectors."""

    @property
    def identity(self) -> EmbedderIdentity:
        """Name the model: vectors of two identities are never compared."""

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed each text; unit-length vectors in the order of the texts.

        Raises ModelUnavailable when the model cannot be reached.
        """

    def count_tokens(self, text: str) -> int:
        """Count the tokens the model would see, without its special ones."""
