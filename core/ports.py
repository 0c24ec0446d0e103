"""What core and ingest need from outside: one small Protocol per kind of I/O."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from core.documents import (
    DocumentRecord,
    DocumentVersion,
    EmbedderIdentity,
    Fingerprint,
    IndexedChunk,
    KnowledgeBase,
    Passage,
    Query,
    Vector,
)
from core.domain import (
    AnswerRequest,
    Assignment,
    BotConfiguration,
    Draft,
    Exchange,
    Mode,
    Session,
    Ticket,
    TicketState,
    Turn,
)
from core.places import Place, Platform, Reader


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


class Retriever(Protocol):
    """Find passages."""

    async def readable(self, tenant_id: int, reader: Reader, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
        """List id and version of each knowledge base that READER may read; with NAMES, of those only."""

    async def search(self, tenant_id: int, query: Query) -> list[Passage]:
        """Find the best passages among what the query's reader may read; best first."""


class Reply(Protocol):
    """The open writing end of an answer."""

    async def write(self, text: str) -> None:
        """Show the next piece of the answer."""

    async def restart(self) -> None:
        """Take back everything written so far: a try has failed, and the answer begins again."""


class Answerer(Protocol):
    """Write an answer that rests on passages."""

    @property
    def name(self) -> str:
        """Name what writes the answers, so that those of another are not taken for its own."""

    @property
    def judges(self) -> bool:
        """Tell whether it decides for itself if the passages answer the question."""

    async def answer(self, request: AnswerRequest, reply: Reply) -> Draft:
        """Answer with marks like [1], which count the request's passages from one.

        Raises ModelUnavailable, with nothing left standing in REPLY, when no complete answer came in time.
        """


class SessionStore(Protocol):
    """Keep sessions and their turns."""

    async def open(self, tenant_id: int, place: Place, author_id: str) -> Session:
        """Return the current session of PLACE, a new one where there is none."""

    async def start(self, tenant_id: int, place: Place, author_id: str) -> Session:
        """Begin a new session in PLACE; the one before stays, but is no longer current."""

    async def session(self, tenant_id: int, session_id: UUID) -> Session:
        """Look a session up; raises NotFound."""

    async def find(self, tenant_id: int, prefix: str) -> Session:
        """Look a session up by the beginning of its id; raises NotFound, or UsageError where several begin so."""

    async def sessions(
        self, tenant_id: int, *, author_id: str | None = None, limit: int = 20, offset: int = 0
    ) -> list[Session]:
        """List sessions: favourites first, then the newest."""

    async def rename(self, tenant_id: int, session_id: UUID, title: str) -> None:
        """Give a session another title."""

    async def set_favourite(self, tenant_id: int, session_id: UUID, favourite: bool) -> None:
        """Mark a session as a favourite or not."""

    async def set_mode(self, tenant_id: int, session_id: UUID, mode: Mode | None) -> None:
        """Choose what this session's answers may rest on; None leaves it to the bot."""

    async def set_language(self, tenant_id: int, session_id: UUID, language: str) -> None:
        """Remember the language of a session, as ISO 639-1."""

    async def set_summary(self, tenant_id: int, session_id: UUID, summary: str, turn_id: int) -> None:
        """Keep a summary of the turns up to TURN_ID; dropped where a newer one is kept or they were cleared."""

    async def clear(self, tenant_id: int, session_id: UUID) -> None:
        """Forget a session's turns and their summary; the session stays."""

    async def delete(self, tenant_id: int, session_id: UUID) -> None:
        """Delete a session with its turns; its tickets stay."""

    async def turns(
        self, tenant_id: int, session_id: UUID, *, limit: int = 50, before: int | None = None
    ) -> list[Turn]:
        """List the newest turns in the order they were said; BEFORE a turn id pages backwards."""

    async def save_exchange(self, tenant_id: int, session_id: UUID, exchange: Exchange) -> None:
        """Save a question and its answer together, and keep the answer in the exchange's delivery.

        Raises Superseded, with nothing saved, where another worker has opened that delivery since.
        """

    async def forget_exchange(self, tenant_id: int, outbox_id: int) -> None:
        """Delete the question and the answer that went out with a delivery; nothing where there is none."""

    async def choose_language(self, tenant_id: int, session_id: UUID, language: str) -> None:
        """Fix the language of a session by the author's choice; an empty one lets it be detected again."""

    async def set_taken_over(self, tenant_id: int, session_id: UUID, taken_over: bool) -> None:
        """Let a person answer in this session, or Frontdesk again."""

    async def erase_author(self, tenant_id: int, platform: Platform, author_id: str) -> int:
        """Delete the author's own sessions on PLATFORM with their turns and files; count them."""


class BotStore(Protocol):
    """Keep bot configurations and the channels they answer in."""

    async def bots(self, tenant_id: int) -> list[BotConfiguration]:
        """List the bots by name."""

    async def bot(self, tenant_id: int, name: str) -> BotConfiguration:
        """Look one up by name; raises NotFound with the names there are."""

    async def save(self, tenant_id: int, bot: BotConfiguration) -> BotConfiguration:
        """Create or replace the bot of this name and return it with its new version.

        Raises UsageError where a number is out of its range.
        """

    async def remove(self, tenant_id: int, name: str) -> None:
        """Remove the bot NAME; its channels go back to their platform's bot."""

    async def for_place(self, tenant_id: int, place: Place) -> BotConfiguration:
        """Choose the bot of PLACE: its channel's, else its platform's, else the one named default, else a built-in."""

    async def assignments(self, tenant_id: int) -> list[Assignment]:
        """List which bot answers where, by platform and channel."""

    async def assign(self, tenant_id: int, platform: Platform, channel: str, name: str) -> None:
        """Let the bot NAME answer in CHANNEL, in the whole PLATFORM where CHANNEL is empty; raises NotFound."""

    async def unassign(self, tenant_id: int, platform: Platform, channel: str) -> None:
        """Take the bot of CHANNEL, or of the whole PLATFORM, away again; raises NotFound where there is none."""


class TicketStore(Protocol):
    """Keep tickets; core/escalation.py opens them."""

    async def ticket(self, tenant_id: int, number: int) -> Ticket:
        """Look a ticket up by its number; raises NotFound."""

    async def tickets(self, tenant_id: int, *, state: TicketState | None = None, limit: int = 50) -> list[Ticket]:
        """List tickets, the newest first."""

    async def answer(self, tenant_id: int, number: int, text: str) -> Ticket:
        """Add a person's answer to the ticket and to the session the question came from."""

    async def correct(self, tenant_id: int, number: int, before: str, text: str) -> Ticket:
        """Put TEXT in the place of a person's answer that was BEFORE, in the ticket and in its session."""

    async def close(self, tenant_id: int, number: int) -> Ticket:
        """Close a ticket; closing it again changes nothing."""


class KnowledgeStore(Protocol):
    """Keep knowledge bases and their documents."""

    async def knowledge_bases(self, tenant_id: int) -> list[KnowledgeBase]:
        """List the knowledge bases by name."""

    async def knowledge_base(self, tenant_id: int, name: str) -> KnowledgeBase:
        """Look one up by name; raises NotFound with the names there are."""

    async def create(self, tenant_id: int, name: str, platforms: Sequence[Platform]) -> KnowledgeBase:
        """Create the knowledge base NAME where it is missing and return it."""

    async def set_scope(
        self, tenant_id: int, name: str, platforms: Sequence[Platform], channels: Sequence[str]
    ) -> KnowledgeBase:
        """Set the platforms and channels the knowledge base NAME answers in; no channels means all."""

    async def remove(self, tenant_id: int, name: str) -> None:
        """Remove the knowledge base NAME with all its documents."""

    async def documents(self, tenant_id: int, kb_id: int) -> list[DocumentRecord]:
        """List the documents of a knowledge base by source."""

    async def remove_document(self, tenant_id: int, kb_id: int, source: str) -> None:
        """Remove one document; from then on no answer can rest on it."""

    async def fingerprints(self, tenant_id: int, kb_id: int) -> dict[str, Fingerprint]:
        """Map each source to what tells whether it must be read again."""

    async def save(
        self,
        tenant_id: int,
        kb_id: int,
        version: DocumentVersion,
        chunks: Sequence[IndexedChunk],
        embedder: EmbedderIdentity | None,
    ) -> None:
        """Replace the document's old version with this one in one transaction."""

    async def chunks_without_vector(
        self, tenant_id: int, kb_id: int, embedder: EmbedderIdentity, limit: int
    ) -> list[tuple[int, str, tuple[str, ...], str]]:
        """List chunks EMBEDDER has not embedded yet: id, title, heading path and text."""

    async def save_vectors(
        self, tenant_id: int, kb_id: int, embedder: EmbedderIdentity, vectors: Sequence[tuple[int, Vector]]
    ) -> None:
        """Add vectors of another embedder beside those in use."""

    async def switch_embedder(self, tenant_id: int, kb_id: int, embedder: EmbedderIdentity) -> None:
        """Search with EMBEDDER's vectors from now on and drop the others."""
