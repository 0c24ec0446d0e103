"""`frontdesk ingest` and `frontdesk kb`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.console import outbound
from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.uploads import PostgresUploads
from bots import settings
from bots.screen import Json, err, run, show, show_either, show_json
from bots.wiring import Frontdesk, document_limits
from core.documents import DocumentRecord, KnowledgeBase, Outcome
from core.errors import UsageError
from core.ingestions import CANNOT_FETCH, SourceResult
from core.places import EMPLOYEE_PLATFORMS, Platform
from ingest.background import upload_files
from ingest.pipeline import Progress as Step
from ingest.sources import Source, is_url, sources

kb = typer.Typer(help="List, show, scope and remove knowledge bases.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The knowledge base.")]
Platforms = Annotated[
    list[Platform] | None,
    typer.Option("--platform", help="Where it answers; may be repeated. New ones: console, slack and teams."),
]

Background = Annotated[
    bool, typer.Option("--background", help="Make a job of it, which `frontdesk serve` or `frontdesk worker` does.")
]


def ingest(
    given: Annotated[list[str], typer.Argument(metavar="PATH|URL…", help="Files, folders and web addresses.")],
    kb: Annotated[
        str, typer.Option("--kb", metavar="NAME", help="Knowledge base; made where it is missing.")
    ] = "default",
    platform: Platforms = None,
    sync: Annotated[
        bool, typer.Option("--sync", help="Also remove documents whose files are gone from the folders given.")
    ] = False,
    background: Background = False,
    json: Json = False,
) -> None:
    """Add documents to a knowledge base; unchanged ones cost nothing."""
    found = sources(given)
    if not found and not sync:
        raise UsageError(f"There are no files in {', '.join(given)}.")
    if background:
        if sync:
            raise UsageError("A job in the background sees no folders; leave out --sync or --background.")
        show_job(run(lambda frontdesk: start_job(frontdesk, kb, found, platform or ())), json=json)
        return
    synced = folders(given) if sync else ()
    results = run(lambda frontdesk: ingest_sources(frontdesk, kb, found, platform or (), synced))
    if json:
        show_json(results)
    else:
        report(results)


async def ingest_sources(
    frontdesk: Frontdesk,
    name: str,
    found: Sequence[Source],
    platforms: Sequence[Platform],
    synced: tuple[str, ...] = (),
) -> list[SourceResult]:
    """Ingest FOUND into the knowledge base NAME under a progress bar; below the folders SYNCED, forget what is gone."""
    base = await _open_base(frontdesk, name, platforms)
    await reembed_with_progress(frontdesk, base)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("reading", total=len(found))

        def tell(step: Step) -> None:
            label = f"embedding {step.part:.0%}" if step.embedding else "reading"
            bar.update(task, completed=step.done, description=label)

        results = await frontdesk.ingestion.ingest(frontdesk.tenant_id, base, found, tell)
    await _forget_gone(frontdesk, base, found, synced)
    return results


async def _open_base(frontdesk: Frontdesk, name: str, platforms: Sequence[Platform]) -> KnowledgeBase:
    base = await frontdesk.knowledge.create(frontdesk.tenant_id, name, platforms or EMPLOYEE_PLATFORMS)
    if platforms and set(platforms) != set(base.platforms):
        raise UsageError(f"{name} answers on {', '.join(base.platforms)}; change that with `frontdesk kb scope`.")
    return base


async def start_job(frontdesk: Frontdesk, name: str, found: Sequence[Source], platforms: Sequence[Platform]) -> int:
    """Store the bytes of FOUND and make a job that ingests them into the knowledge base NAME; return its number."""
    base = await _open_base(frontdesk, name, platforms)
    limit_bytes = document_limits(settings.load()).size_bytes
    urls, files = await upload_files(PostgresUploads(frontdesk.database), frontdesk.tenant_id, found, limit_bytes)
    return await PostgresIngestions(frontdesk.database).start(frontdesk.tenant_id, base.name, urls, files)


def show_job(number: int, *, json: bool) -> None:
    """Say that a job was made."""
    said = f"Job {number} waits for a worker; `frontdesk jobs watch {number}` shows how far it is."
    show_either({"job": number}, said, json=json)


def folders(given: Sequence[str]) -> tuple[str, ...]:
    """Name the folders among what was given, as their files' sources begin."""
    return tuple(f"{Path(text).expanduser().resolve()}{os.sep}" for text in given if not is_url(text))


async def reembed_with_progress(frontdesk: Frontdesk, base: KnowledgeBase) -> int:
    """Embed with the present embedder whatever it has not embedded yet."""
    with Progress(
        TextColumn("re-embedding {task.description}", markup=False),
        BarColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        task = bar.add_task(base.name, total=1.0, visible=False)
        return await frontdesk.ingestion.reembed(
            frontdesk.tenant_id, base, lambda step: bar.update(task, completed=step.part, visible=True)
        )


async def _forget_gone(
    frontdesk: Frontdesk, base: KnowledgeBase, found: Sequence[Source], synced: tuple[str, ...]
) -> None:
    names = {source.name for source in found}
    for document in await frontdesk.knowledge.documents(frontdesk.tenant_id, base.kb_id) if synced else ():
        if document.source.startswith(synced) and document.source not in names:
            await frontdesk.knowledge.remove_document(frontdesk.tenant_id, base.kb_id, document.source)
            err.print(f"removed, its file is gone: {outbound.plain(document.source)}", style="dim")


def report(results: Sequence[SourceResult]) -> None:
    """Say how many documents ended how, and list those that were not indexed with the reason."""
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    chunks = sum(result.chunks for result in results)
    show(", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count) + f" ({chunks} chunks)")
    for result in results:
        if result.outcome in (Outcome.REFUSED, Outcome.NO_TEXT) or result.reason == CANNOT_FETCH:
            show(outbound.plain(f"  {result.outcome.value}: {result.source}: {result.reason}"))


@kb.command("list")
def list_(json: Json = False) -> None:
    """List the knowledge bases."""
    found = run(lambda frontdesk: frontdesk.knowledge.knowledge_bases(frontdesk.tenant_id))
    show_either(found, outbound.knowledge_bases(found), json=json)


@kb.command("show")
def show_one(name: Name, json: Json = False) -> None:
    """Show one knowledge base and how each of its documents ended."""

    async def look(frontdesk: Frontdesk) -> tuple[KnowledgeBase, list[DocumentRecord]]:
        base = await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)
        return base, await frontdesk.knowledge.documents(frontdesk.tenant_id, base.kb_id)

    base, found = run(look)
    if json:
        show_json({"knowledge_base": base, "documents": found})
    else:
        show(outbound.knowledge_bases([base]))
        show(outbound.documents(found))


@kb.command()
def remove(
    name: Name,
    document: Annotated[str | None, typer.Argument(metavar="[DOCUMENT]", help="Only this document of it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a knowledge base, or one document of it; at once no answer rests on it any more."""
    what = f"the document {document}" if document else f"the knowledge base {name} with all its documents"
    if not yes:
        typer.confirm(f"Remove {what}?", abort=True)

    path = str(Path(document).expanduser().resolve()) if document and not is_url(document) else document or ""

    async def drop(frontdesk: Frontdesk) -> None:
        if document is None:
            await frontdesk.knowledge.remove(frontdesk.tenant_id, name)
            return
        base = await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)
        known = {record.source for record in await frontdesk.knowledge.documents(frontdesk.tenant_id, base.kb_id)}
        # A file that came by chat has a name and no path.
        source = document if document in known else path
        await frontdesk.knowledge.remove_document(frontdesk.tenant_id, base.kb_id, source)

    run(drop)
    show(f"Removed {what}.")


@kb.command()
def refresh(name: Name, background: Background = False, json: Json = False) -> None:
    """Fetch every web address of a knowledge base again; files cannot be, they are ingested again."""
    if background:
        show_job(
            run(lambda frontdesk: PostgresIngestions(frontdesk.database).refresh(frontdesk.tenant_id, name)), json=json
        )
        return
    results = run(lambda frontdesk: _refresh(frontdesk, name))
    if json:
        show_json(results)
    else:
        report(results)


async def _refresh(frontdesk: Frontdesk, name: str) -> list[SourceResult]:
    base = await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)
    known = [document.source for document in await frontdesk.knowledge.documents(frontdesk.tenant_id, base.kb_id)]
    urls = [Source(source) for source in known if is_url(source)]
    left = [SourceResult(source, Outcome.UNCHANGED, CANNOT_FETCH) for source in known if not is_url(source)]
    return [*await ingest_sources(frontdesk, name, urls, ()), *left]


@kb.command()
def scope(
    name: Name,
    platform: Platforms = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            "--channel", metavar="CHANNEL", help="Only in this one, or for this person; may be repeated; '' for all."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Set where a knowledge base answers; what is not given stays as it is."""
    if platform is None and channel is None:
        raise UsageError("Say what to change: --platform NAME, --channel CHANNEL, or --channel '' for every channel.")
    wanted = [text for text in channel or () if text]

    async def change(frontdesk: Frontdesk) -> KnowledgeBase:
        base = await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)
        return await frontdesk.knowledge.set_scope(
            frontdesk.tenant_id, name, platform or base.platforms, base.channels if channel is None else wanted
        )

    base = run(change)
    show_either(base, outbound.knowledge_bases([base]), json=json)


@kb.command()
def reembed(name: Name) -> None:
    """Embed a knowledge base again after the embedder has changed."""

    async def again(frontdesk: Frontdesk) -> int:
        if frontdesk.embedder is None:
            raise UsageError("No embedder is installed; run `frontdesk model install` or set EMBEDDING_MODEL.")
        base = await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, name)
        return await reembed_with_progress(frontdesk, base)

    show(f"Embedded {run(again)} chunks of {name}.")
