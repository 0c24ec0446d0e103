"""Settings become adapters, adapters become the engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from adapters.embedded.cache import InProcessCache
from adapters.embedded.extractive import ExtractiveAnswerer
from adapters.embedded.minilm import MiniLM
from adapters.embedded.weights import find
from adapters.postgres.administrators import PostgresAdministrators
from adapters.postgres.announcements import PostgresAnnouncements
from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.bots import PostgresBots
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.database import Database
from adapters.postgres.given import PostgresGivenAnswers
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.search import PostgresSearch
from adapters.postgres.session_files import PostgresSessionFiles
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.signals import PostgresInterruptions, Signals
from adapters.postgres.stats import PostgresStats
from adapters.postgres.tickets import PostgresTickets
from adapters.postgres.uploads import PostgresUploads
from bots.models import Answerers, Models, open_models
from bots.settings import Settings
from bots.store import Say, Store, open_store
from core.accepting import Acceptance
from core.accepting import Limits as InputLimits
from core.access import Access
from core.actions import Actions
from core.actions_call import Tools, ticket_work
from core.announcements import AnnouncedTickets, Announcer
from core.attached import PluggedUploads
from core.cache import Cache
from core.cost import parse_prices
from core.desk import Desk
from core.domain import BotConfiguration
from core.engine import Engine, Policy
from core.escalation import Tickets
from core.found_again import RememberedSearch
from core.meter import Meter
from core.models import LanguageModel
from core.outbox import Channel
from core.places import Platform
from core.ports import BotStore, Embedder, KnowledgeStore, SessionStore
from core.tracing import Tracer
from core.verify import ModelVerifier
from ingest.attachments import SessionAttachments
from ingest.fetch import AllowedTargets, FetchLimits
from ingest.pipeline import Ingestion, Limits

RULED = (Platform.CONSOLE, Platform.SLACK, Platform.TEAMS, Platform.TELEGRAM)
"""Platforms that say of an author whether the operator's rule for them makes an administrator: see the settings."""


@dataclass(frozen=True, slots=True)
class Frontdesk:
    """Everything a command works with."""

    settings: Settings
    tenant_id: int
    engine: Engine
    sessions: SessionStore
    tickets: Tickets
    actions: Actions  # the commands of chats
    tools: Tools  # what they work with
    uploads: PluggedUploads
    announcer: Announcer  # of new tickets
    bots: BotStore
    knowledge: KnowledgeStore
    ingestion: Ingestion
    embedder: Embedder | None
    database: Database
    store: Store

    @property
    def embedded(self) -> bool:
        """Tell whether the server is our own."""
        return self.store.server is not None


@asynccontextmanager
async def open_frontdesk(settings: Settings, say: Say, *, embedder: Embedder | None = None) -> AsyncIterator[Frontdesk]:
    """Open everything SETTINGS ask for and close it at the end; SAY hears of what takes a while.

    An EMBEDDER given is used instead of that of SETTINGS and stays open.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings, say))
        embedder = embedder or await stack.enter_async_context(open_embedder(settings))
        models = await stack.enter_async_context(open_models(settings))
        cache = await stack.enter_async_context(open_cache(settings))
        yield _connect(settings, store, embedder, cache, models, await models.chain(()))


def _connect(
    settings: Settings,
    store: Store,
    embedder: Embedder | None,
    cache: Cache,
    models: Models,
    model: LanguageModel | None,
) -> Frontdesk:
    """Put the parts together."""
    database, limits = store.database, document_limits(settings)
    announcer = Announcer(PostgresAnnouncements(database))
    tickets = AnnouncedTickets(PostgresTickets(database), announcer)
    bots, uploads = PostgresBots(database, default_bot(settings)), PluggedUploads(PostgresUploads(database))
    tools = replace(_tools(settings, database, tickets, embedder, cache), announcer=announcer)
    actions = Actions(tools, prefixes={Platform.SLACK: f"{settings.slack_prefix} "})
    engine = Engine(
        sessions=tools.sessions,
        tickets=tickets,
        bots=bots,
        retriever=tools.retriever,
        answerers=Answerers(models, ExtractiveAnswerer(embedder), settings.model_deadline_s),
        embedder=embedder,
        cache=cache,
        model=model,
        verifier=ModelVerifier(model) if model else None,
        prices=parse_prices(settings.model_prices, settings.currency),
        policy=policy(settings),
        commands=actions,
        attachments=SessionAttachments(
            uploads, PostgresSessionFiles(database), embedder, limit_bytes=limits.size_bytes
        ),
        channels=tools.channels,
    )
    return Frontdesk(
        settings=settings,
        tenant_id=settings.tenant_id,
        engine=engine,
        sessions=tools.sessions,
        tickets=tickets,
        actions=actions,
        tools=tools,
        uploads=uploads,
        announcer=announcer,
        bots=bots,
        knowledge=tools.knowledge,
        ingestion=Ingestion(tools.knowledge, embedder, limits),
        embedder=embedder,
        database=database,
        store=store,
    )


def _tools(settings: Settings, database: Database, tickets: Tickets, embedder: Embedder | None, cache: Cache) -> Tools:
    """Gather what commands and the engine share."""
    search = PostgresSearch(database)
    return Tools(
        sessions=PostgresSessions(database),
        tickets=tickets,
        knowledge=PostgresKnowledge(database),
        channels=PostgresChannels(database),
        access=Access(PostgresAdministrators(database), RULED),
        authors=PostgresAuthors(database),
        outbox=PostgresOutbox(database),
        stats=PostgresStats(database),
        retriever=RememberedSearch(search, cache, embeds=embedder is not None, ttl_s=settings.cache_ttl_s),
        embedder=embedder,
        jobs=PostgresIngestions(database),
    )


def make_acceptance(settings: Settings, inbox: PostgresInbox, meter: Meter) -> Acceptance:
    """Make the way in."""
    limits = InputLimits()
    longest = max(limits.longest_text, settings.max_question_characters)
    return Acceptance(inbox, meter, replace(limits, longest_text=longest))


def make_desk(
    frontdesk: Frontdesk,
    inbox: PostgresInbox,
    signals: Signals,
    channels: Mapping[Platform, Channel],
    meter: Meter,
    tracer: Tracer,
    at: Callable[[str], None] = lambda _: None,
) -> Desk:
    """Make what answers and sends through CHANNELS."""
    database = frontdesk.database
    return Desk(
        inbox=inbox,
        outbox=PostgresOutbox(database),
        interruptions=PostgresInterruptions(signals, database),
        engine=frontdesk.engine,
        channels=channels,
        sessions=frontdesk.sessions,
        tickets=frontdesk.tickets,
        given=PostgresGivenAnswers(database),
        ticket_work=ticket_work(frontdesk.tools),
        meter=meter,
        tracer=tracer,
        at=at,
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
    if weights is None:
        yield None
        return
    minilm = MiniLM(weights)
    try:
        yield minilm
    finally:
        await asyncio.to_thread(minilm.close)
