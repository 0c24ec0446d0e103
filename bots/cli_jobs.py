"""`frontdesk jobs`: ingestions in the background."""

import asyncio
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from adapters.console.outbound import plain
from adapters.postgres.ingestions import PostgresIngestions
from bots.screen import Json, err, run, show, show_either
from bots.wiring import Frontdesk
from core.ingestions import ENDED, Job, JobState
from core.job_reports import summary

jobs = typer.Typer(help="Watch, list and cancel ingestions in the background.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="N", min=1, max=2**31, help="The number of the job.")]

_LOOK_S = 0.5
_STYLE = {JobState.DONE: "green", JobState.FAILED: "red", JobState.CANCELLED: "yellow", JobState.RUNNING: "bold"}


@jobs.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 20, json: Json = False
) -> None:
    """List the jobs, the newest first."""
    found = run(lambda frontdesk: _jobs(frontdesk).jobs(frontdesk.tenant_id, limit))
    show_either(found, _table(found), json=json)


@jobs.command("show")
def show_one(number: Number, json: Json = False) -> None:
    """Show one job and how each of its sources ended."""
    job = run(lambda frontdesk: _jobs(frontdesk).job(frontdesk.tenant_id, number))
    show_either(job, Group(_table([job]), *_results(job)), json=json)


@jobs.command()
def watch(number: Number) -> None:
    """Show a job's progress until it ends; Ctrl-C stops the watching, not the job."""
    try:
        job = run(lambda frontdesk: watched(frontdesk, number))
    except KeyboardInterrupt:
        show(f"Job {number} goes on; `frontdesk jobs cancel {number}` would end it.")
        raise typer.Exit(130) from None
    show(_plain(summary(job)))
    if job.state is JobState.FAILED:
        raise typer.Exit(1)


@jobs.command()
def cancel(number: Number, json: Json = False) -> None:
    """End a job; what it has finished stays."""
    job = run(lambda frontdesk: _jobs(frontdesk).cancel(frontdesk.tenant_id, number))
    said = f"Job {number} is {job.state.value}." if job.state in ENDED else f"Job {number} ends within seconds."
    show_either(job, said, json=json)


async def watched(frontdesk: Frontdesk, number: int) -> Job:
    """Look at a job again and again under a progress bar; return it when it has ended."""
    rows = _jobs(frontdesk)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("waiting", total=None)
        while (job := await rows.job(frontdesk.tenant_id, number)).state not in ENDED:
            said = plain(job.activity[-60:]) or job.state.value
            bar.update(task, total=job.total, completed=job.done, description=said)
            await asyncio.sleep(_LOOK_S)
    return job


def _jobs(frontdesk: Frontdesk) -> PostgresIngestions:
    return PostgresIngestions(frontdesk.database)


def _table(found: list[Job]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("job", "knowledge base", "state", "done", "begun", "remark"):
        table.add_column(column, overflow="fold")
    for job in found:
        table.add_row(
            str(job.number),
            Text(plain(job.kb_name)),
            Text(job.state.value, style=_STYLE.get(job.state, "")),
            f"{job.done} of {job.total}",
            job.created_at.astimezone().strftime("%Y-%m-%d %H:%M"),
            Text(plain(job.reason or job.activity)),
        )
    return table


def _results(job: Job) -> list[Text]:
    return [
        Text(plain(f"  {result.outcome.value}: {result.source}" + f": {result.reason}" * bool(result.reason)))
        for result in job.results
    ]


def _plain(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))
