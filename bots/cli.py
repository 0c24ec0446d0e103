"""The `frontdesk` command."""

import asyncio
import sys
from contextlib import suppress
from typing import Annotated

import typer
from typer.exceptions import TyperException

from adapters.console.outbound import answer_text, plain
from bots import (
    cli_admin,
    cli_admins,
    cli_bots,
    cli_jobs,
    cli_knowledge,
    cli_manifest,
    cli_serve,
    cli_sessions,
    cli_stats,
    cli_tickets,
    logs,
    settings,
)
from bots.chat import ask_once, keep_file, talk
from bots.demo import demonstrate
from bots.screen import Json, err, run, show, show_json
from core.domain import Origin
from core.errors import FrontdeskError, UsageError

app = typer.Typer(
    name="frontdesk",
    help="Answer questions from your own documents, with sources; hand over to a person when there is no answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_knowledge.kb, name="kb")
app.add_typer(cli_bots.bot, name="bot")
app.add_typer(cli_sessions.sessions, name="sessions")
app.add_typer(cli_tickets.tickets, name="tickets")
app.add_typer(cli_admin.model, name="model")
app.add_typer(cli_admins.admin, name="admin")
app.add_typer(cli_manifest.manifest, name="manifest")
app.command()(cli_knowledge.ingest)
app.add_typer(cli_jobs.jobs, name="jobs")
app.command()(cli_serve.serve)
app.command()(cli_serve.worker)
app.command()(cli_stats.stats)
app.command()(cli_admin.migrate)
app.command()(cli_admin.check)

Session = Annotated[str | None, typer.Option("--session", "-s", metavar="ID", help="Go on with this session.")]
KnowledgeBases = Annotated[
    list[str] | None, typer.Option("--kb", metavar="NAME", help="Search only this knowledge base; may be repeated.")
]


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")] = False,
) -> None:
    """Set up the logs; the errors are shown by main()."""
    loaded = settings.load()
    logs.configure("debug" if debug else loaded.log_level, settings.secrets(loaded))


@app.command()
def demo() -> None:
    """Try it: ingest the sample handbook, watch a short conversation, then ask for yourself."""
    demonstrate()


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you would like to know; - reads it from stdin.")],
    session: Session = None,
    kb: KnowledgeBases = None,
    json: Json = False,
) -> None:
    """Answer one question from the documents, with its sources."""
    text = sys.stdin.read() if question == "-" else question
    answer = run(lambda frontdesk: ask_once(frontdesk, text, session=session, knowledge_bases=tuple(kb or ())))
    if json:
        show_json(answer)
    else:
        show(answer_text(answer))
        keep_file(answer)
    if answer.origin is Origin.STOPPED:
        raise typer.Exit(130)


@app.command()
def chat(session: Session = None, kb: KnowledgeBases = None) -> None:
    """Talk in the terminal; follow-up questions are understood, and /help lists the commands."""
    run(lambda frontdesk: talk(frontdesk, session=session, knowledge_bases=tuple(kb or ())))


def main() -> None:
    """Run the command line; an error is one line or a list, with exit code 2 for usage and 1 for the rest."""
    debug = "--debug" in sys.argv[1:]
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        _complain(" ".join(error.format_message().split()), _hint(error))
        code = error.exit_code
    except FrontdeskError as error:
        if debug:
            raise
        _complain(str(error))
        code = 2 if isinstance(error, UsageError) else 1
    except (typer.Abort, KeyboardInterrupt, asyncio.CancelledError):
        code = 130
    except BrokenPipeError:
        code = 0  # the reader of a pipe has seen enough
        with suppress(OSError):
            sys.stdout.close()
    sys.exit(code)


def _hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f" Try: {context.command_path} --help" if context else ""


def _complain(message: str, hint: str = "") -> None:
    err.print("error: ", style="bold red", end="")
    err.print("\n".join(plain(line) for line in (message + hint).splitlines()))
