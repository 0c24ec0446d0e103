"""`frontdesk migrate`, `check` and `model`."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import RenderableType
from rich.table import Table

from adapters.embedded import weights
from bots import settings as settings_file
from bots.screen import Json, say, show, show_either
from bots.settings import Settings, tenants
from bots.store import open_store
from bots.wiring import open_embedder
from core import wording
from core.errors import FrontdeskError, UsageError

model = typer.Typer(help="Manage the weights of the embedded embedder.", no_args_is_help=True)


def migrate(
    owner_url: Annotated[
        str | None,
        typer.Option("--owner-url", metavar="URL", help="The database as its owner; else DATABASE_OWNER_URL."),
    ] = None,
    revision: Annotated[str, typer.Option("--to", metavar="REVISION", help="Another revision, or base.")] = "head",
) -> None:
    """Bring the tables up to date and let the application's ordinary role in."""
    settings = settings_file.load()
    if settings.database_url is None:
        raise UsageError("DATABASE_URL is not set; the embedded database migrates itself.")
    owner = owner_url or (settings.database_owner_url.get_secret_value() if settings.database_owner_url else None)
    if owner is not None and not owner.startswith(("postgresql://", "postgres://")):
        raise UsageError("Write the owner's address as postgresql://OWNER:PASSWORD@HOST/DATABASE.")
    if owner is None:
        raise UsageError("Name the database's owner: --owner-url postgresql://OWNER:PASSWORD@HOST/DATABASE")
    from migrations.run import prepare  # noqa: PLC0415  (Alembic takes 0.3 s to import)

    at, role = asyncio.run(
        prepare(None, owner, settings.database_url.get_secret_value(), revision, tenants=tenants(settings))
    )
    show(f"The tables are at revision {at}." + (f" The application logs in as {role}." if role else ""))


@dataclass(frozen=True, slots=True)
class Part:
    """One line of `frontdesk check`."""

    part: str
    used: str
    missing: str = ""  # for the real thing
    ok: bool = True


def check(json: Json = False) -> None:
    """Say what is in use, and what is missing for the real thing; exit code 1 where a part does not work."""
    parts = asyncio.run(_parts(settings_file.load()))
    show_either(parts, _table(parts), json=json)
    if not all(part.ok for part in parts):
        raise typer.Exit(1)


async def _parts(settings: Settings) -> list[Part]:
    return [
        await _database(settings),
        await _embedder(settings),
        _model(settings),
        await _cache(settings),
        Part("home", str(settings.frontdesk_home)),
        Part("tickets", settings.tickets.value),
    ]


async def _database(settings: Settings) -> Part:
    embedded = settings.database_url is None
    missing = "DATABASE_URL: a server that is backed up" if embedded else ""
    try:
        async with open_store(settings, say) as store:
            database = store.database
            kind = "embedded PostgreSQL" if embedded else "PostgreSQL"
            return Part("database", f"{kind} {await database.version()} at {database.place}", missing)
    except FrontdeskError as error:
        return Part("database", "not working", str(error), ok=False)


def _host(address: str | None) -> str:
    """Name a server without what its address may hold of secrets."""
    return urlsplit(address).netloc.rpartition("@")[2] if address else "the OpenAI API"


def _model(settings: Settings) -> Part:
    if not settings.models:
        return Part("model", "none: answers quote the documents", "MODELS and OPENAI_API_KEY (docs/howto/models.md)")
    place = _host(settings.openai_base_url)
    missing = "" if settings.openai_api_key or settings.openai_base_url else "OPENAI_API_KEY"
    return Part(
        "model",
        f"{', '.join(text.partition('@http')[0] for text in settings.models)} ({place})",
        missing,
        ok=not missing,
    )


async def _cache(settings: Settings) -> Part:
    if settings.redis_url is None:
        return Part("cache", "in this process", "REDIS_URL: a cache that all processes share")
    from adapters.redis.link import open_link  # noqa: PLC0415 - slow to import, seldom wanted

    async with open_link(settings.redis_url.get_secret_value()) as link:
        up = await link.call(lambda client: client.ping())
    used = "Redis" if up else "Redis does not answer: every question is answered anew"
    return Part("cache", used, "" if up else "start the server that REDIS_URL names", ok=bool(up))


async def _embedder(settings: Settings) -> Part:
    try:
        async with AsyncExitStack() as stack:
            embedder = await stack.enter_async_context(open_embedder(settings))
            if embedder is None:
                return Part("embedder", "none: words only", "frontdesk model install, or EMBEDDING_MODEL", ok=True)
            identity = embedder.identity
            place = _host(settings.openai_base_url) if settings.embedding_model else "embedded, English"
            return Part("embedder", f"{identity.name}, {identity.dimensions} dimensions ({place})")
    except FrontdeskError as error:
        return Part("embedder", wording.NO_WEIGHTS, str(error), ok=False)


def _table(parts: list[Part]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "in use", "for the real thing"):
        table.add_column(column, overflow="fold")
    for part in parts:
        table.add_row(part.part, part.used, part.missing, style="" if part.ok else "red")
    return table


@model.command()
def install() -> None:
    """Install the weights of the embedded embedder (90 MB) for those who installed the package from an index."""
    found = weights.install(settings_file.load().frontdesk_home / "models", say)
    show(f"Installed and verified: {found.model}")
