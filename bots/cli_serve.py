"""`frontdesk serve` and `frontdesk worker`."""

import asyncio
import os
from typing import Annotated

import typer

from bots import settings as settings_file
from bots.screen import show

Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="Where it listens; 0 for any free port.")]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", min=1, max=200, help="Answers under way at once; else WORKER_CONCURRENCY."),
]


def serve(
    host: Annotated[str, typer.Option("--host", help="The address it listens on.")] = "127.0.0.1",
    port: Port = 8080,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only listen; `frontdesk worker` answers.")] = False,
    concurrency: Concurrency = None,
) -> None:
    """Listen for messages and answer them, until it is told to stop."""
    _run(host, port, events=True, work=not no_worker, concurrency=concurrency)


def worker(
    concurrency: Concurrency = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=0, max=65_535, help="Show health and figures there.")
    ] = None,
    metrics_host: Annotated[str, typer.Option("--metrics-host", help="The address of that port.")] = "127.0.0.1",
) -> None:
    """Answer messages and read documents, until it is told to stop; any number of them may run."""
    _run(metrics_host, metrics_port, events=False, work=True, concurrency=concurrency)


def _run(host: str, port: int | None, *, events: bool, work: bool, concurrency: int | None) -> None:
    # The web server and the engine of the jobs take half a second to import, and no other command needs them.
    from bots import serve as process  # noqa: PLC0415

    settings = settings_file.load()
    plan = process.Plan(host, port, events, work, concurrency or _concurrency(settings))
    asyncio.run(process.serve(settings, plan, show))


def _concurrency(settings: settings_file.Settings) -> int:
    """Choose how many answers are under way at once: quoting keeps a processor busy, a model's answer is waited for."""
    return settings.worker_concurrency or (8 if settings.models else os.cpu_count() or 2)
