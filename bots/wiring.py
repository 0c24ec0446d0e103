"""Settings become adapters, adapters become the engine."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from adapters.embedded.cache import InProcessCache
from adapters.embedded.extractive import ExtractiveAnswerer
from adapters.embedded.minilm import MiniLM
from adapters.embedded.postgres import attach
from adapters.embedded.weights import find
from adapters.postgres.bots import PostgresBots
from adapters.postgres.database import Database, open_database
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.search import PostgresSearch
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.tickets import PostgresTickets
from bots.models import Answerers, open_models
from bots.settings import Settings
from core.cache import Cache
from core.cost import parse_prices
from core.domain import BotConfiguration
from core.engine import Engine, Policy
from core.errors import StoreUnavailable
from core.found_again import RememberedSearch
from core.ports import BotStore, Embedder, KnowledgeStore, SessionStore, TicketStore
from core.verify import ModelVerifier
from ingest.fetch import AllowedTargets, FetchLimits
from ingest.pipeline import Ingestion, Limits
from migrations import HEAD

Say = Callable[[str], None]

_DATABASE = "frontdesk"
_ROLE = "frontdesk"


@dataclass(frozen=True, slots=True)
class Frontdesk:
    """Everything a command works with."""

    tenant_id: int
    engine: Engine
    sessions: SessionStore
    tickets: TicketStore
    bots: BotStore
    knowledge: KnowledgeStore
    ingestion: Ingestion
    embedder: Embedder | None
    database: Database
    embedded: bool  # whether the server is our own


@asynccontextmanager
async def open_frontdesk(settings: Settings, say: Say) -> AsyncIterator[Frontdesk]:
    """Open everything SETTINGS ask for and close it at the end; SAY hears of what takes a while."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_store(settings, say))
        embedder = await stack.enter_async_context(open_embedder(settings))
        models = await stack.enter_async_context(open_models(settings))
        cache = await stack.enter_async_context(open_cache(settings))
        sessions, tickets = PostgresSessions(database), PostgresTickets(database)
        knowledge, bots = PostgresKnowledge(database), PostgresBots(database, default_bot(settings))
        model = await models.chain(())
        engine = Engine(
            sessions=sessions,
            tickets=tickets,
            bots=bots,
            retriever=RememberedSearch(
                PostgresSearch(database), cache, embeds=embedder is not None, ttl_s=settings.cache_ttl_s
            ),
            answerers=Answerers(models, ExtractiveAnswerer(embedder), settings.model_deadline_s),
            embedder=embedder,
            cache=cache,
            model=model,
            verifier=ModelVerifier(model) if model else None,
            prices=parse_prices(settings.model_prices, settings.currency),
            policy=policy(settings),
        )
        yield Frontdesk(
            tenant_id=settings.tenant_id,
            engine=engine,
            sessions=sessions,
            tickets=tickets,
            bots=bots,
            knowledge=knowledge,
            ingestion=Ingestion(knowledge, embedder, document_limits(settings)),
            embedder=embedder,
            database=database,
            embedded=settings.database_url is None,
        )


def default_bot(settings: Settings) -> BotConfiguration:
    """Make the bot that answers where no other was made."""
    return BotConfiguration(mode=settings.mode, max_tokens=settings.max_tokens, top_k=settings.top_k)


def policy(settings: Settings) -> Policy:
    """Say what the operator decided about answering."""
    return Policy(
        tickets=settings.tickets,
        longest_question=settings.max_question_characters,
        history_tokens=settings.history_tokens,
        cache_ttl_s=settings.cache_ttl_s,
        currency=settings.currency,
    )


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncIterator[Cache]:
    """Open the cache of SETTINGS: Redis, or this process."""
    if settings.redis_url is None:
        yield InProcessCache()
        return
    from adapters.redis.cache import open_cache as open_redis_cache  # noqa: PLC0415 - slow to import, seldom wanted

    async with open_redis_cache(settings.redis_url.get_secret_value()) as cache:
        yield cache


def document_limits(settings: Settings) -> Limits:
    """Say what documents may be."""
    size_bytes = settings.max_file_mb * 1024 * 1024
    return Limits(
        size_bytes=size_bytes,
        fetch=FetchLimits(size_bytes=size_bytes),
        allow=AllowedTargets(hosts=settings.fetch_allow_hosts, networks=settings.fetch_allow_networks),
    )


@asynccontextmanager
async def open_store(settings: Settings, say: Say) -> AsyncIterator[Database]:
    """Open the database of SETTINGS, an embedded one where none is named, and check its login and its tables."""
    async with AsyncExitStack() as stack:
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
        else:
            url = await stack.enter_async_context(_embedded(settings.frontdesk_home, say))
        database = await stack.enter_async_context(open_database(url))
        await database.check(HEAD)
        yield database


@asynccontextmanager
async def _embedded(home: Path, say: Say) -> AsyncIterator[str]:
    """Run the embedded server with its tables up to date; yield the application's address."""
    attachment = await asyncio.to_thread(attach, home, say=say)
    try:
        owner_url = attachment.owner_url(_DATABASE)
        url = _application_url(owner_url, _password(home / "postgres" / "application-password"))
        if not await _is_current(url):
            say("Preparing the tables ...")
            # Alembic takes 0.3 s to import, and most starts need no migration.
            from migrations.run import prepare  # noqa: PLC0415

            await prepare(attachment.owner_url("postgres"), owner_url, url)
        yield url
    finally:
        await asyncio.to_thread(attachment.leave)


async def _is_current(url: str) -> bool:
    try:
        async with open_database(url, size=1) as database:
            await database.check(HEAD)
    except StoreUnavailable:
        return False
    return True


def _password(path: Path) -> str:
    """Read the application role's password, made at the first start; only its owner may read the file."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(24), encoding="ascii")
        with suppress(FileExistsError):  # of two processes at once, one is first; whole or absent, never empty
            os.link(new, path)
        new.unlink()
    return path.read_text(encoding="ascii")


def _application_url(owner_url: str, password: str) -> str:
    parts = urlsplit(owner_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{_ROLE}:{password}@{host}"))


@asynccontextmanager
async def open_embedder(settings: Settings) -> AsyncIterator[Embedder | None]:
    """Open the embedder of SETTINGS: a server's, else the embedded one, else none."""
    if settings.embedding_model is not None:
        from adapters.openai.embedder import OpenAIEmbedder  # noqa: PLC0415 - slow to import, seldom wanted

        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        async with OpenAIEmbedder.connect(
            model=settings.embedding_model,
            base_url=settings.openai_base_url,
            api_key=key,
            dimensions=settings.embedding_dimensions,
        ) as embedder:
            yield embedder
        return
    weights = find(settings.frontdesk_home / "models")
    yield MiniLM(weights) if weights else None
