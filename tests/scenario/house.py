"""A small Frontdesk over one database: documents in it, an engine that quotes them, the tools of its commands."""

from adapters.embedded.cache import InProcessCache
from adapters.embedded.extractive import ExtractiveAnswerer
from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.bots import PostgresBots
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.search import PostgresSearch
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.stats import PostgresStats
from adapters.postgres.tickets import PostgresTickets
from core.actions_call import Tools
from core.documents import Block, BlockKind, DocumentVersion, IndexedChunk, Outcome, ReadDocument
from core.engine import Engine
from core.terms import count
from ingest.split import indexed_text, split


class Collected:
    """A Reply that keeps what was written."""

    def __init__(self):
        self.text = ""

    async def write(self, text):
        self.text += text

    async def restart(self):
        self.text = ""


async def ask_engine(engine, message):
    """Have ENGINE answer MESSAGE; what it wrote must be what it returns."""
    reply = Collected()
    answer = await engine.handle(message, reply)
    assert reply.text == answer.text
    return answer


async def save_document(knowledge, kb, title, *sentences, source, content=b"1", tenant_id=1):
    """Save a document of SENTENCES, found by its words alone."""
    document = ReadDocument(title, tuple(Block(BlockKind.PARAGRAPH, sentence) for sentence in sentences))
    chunks = [
        IndexedChunk(chunk, count(indexed_text(title, chunk)), None)
        for chunk in split(document, lambda text: len(text.split()))
    ]
    version = DocumentVersion(source, title, "markdown", content, 1, 100, Outcome.INDEXED)
    await knowledge.save(tenant_id, kb.kb_id, version, chunks, None)


def make_engine(database, **parts):
    """Make an engine over DATABASE that quotes the documents; PARTS stand in for its own."""

    async def quoting(bot):
        return ExtractiveAnswerer(None)

    own = {
        "sessions": PostgresSessions(database),
        "tickets": PostgresTickets(database),
        "bots": PostgresBots(database),
        "retriever": PostgresSearch(database),
        "answerers": quoting,
        "embedder": None,
        "cache": InProcessCache(),
    }
    return Engine(**own | parts)


def make_tools(database, access):
    """Make what the commands of a chat work with, over DATABASE."""
    return Tools(
        sessions=PostgresSessions(database),
        tickets=PostgresTickets(database),
        knowledge=PostgresKnowledge(database),
        channels=PostgresChannels(database),
        access=access,
        authors=PostgresAuthors(database),
        outbox=PostgresOutbox(database),
        stats=PostgresStats(database),
        retriever=PostgresSearch(database),
        jobs=PostgresIngestions(database),
    )
