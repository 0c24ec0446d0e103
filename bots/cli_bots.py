"""`frontdesk bot`."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from adapters.console import outbound
from bots.screen import Json, run, show, show_either
from bots.wiring import Frontdesk
from core.domain import Assignment, BotConfiguration, Mode
from core.errors import NotFound, UsageError
from core.places import Platform
from core.ports import BotStore

T = TypeVar("T")

bot = typer.Typer(
    help="List, show, make, change, place and remove bots: how channels are answered.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The bot; the one named default answers everywhere else.")]
OnPlatform = Annotated[Platform, typer.Option("--platform", help="Where it answers.")]
Channel = Annotated[
    str, typer.Option("--channel", metavar="CHANNEL", help="Only in this channel. Without it: the whole platform.")
]


def _with_bots(work: Callable[[BotStore, int], Awaitable[T]]) -> T:
    return run(lambda frontdesk: work(frontdesk.bots, frontdesk.tenant_id))


def _described(found: BotConfiguration, assignments: list[Assignment]) -> dict[str, Any]:
    """Describe a bot to a machine, with the places it answers in."""
    places = [{"platform": a.platform, "channel": a.channel} for a in assignments if a.bot_name == found.name]
    return {**asdict(found), "places": places}


@bot.command("list")
def list_(json: Json = False) -> None:
    """List the bots and where each answers."""

    async def look(bots: BotStore, tenant_id: int) -> tuple[list[BotConfiguration], list[Assignment]]:
        return await bots.bots(tenant_id), await bots.assignments(tenant_id)

    found, assignments = _with_bots(look)
    described = [_described(one, assignments) for one in found]
    show_either(described, outbound.bots(found, assignments), json=json)


@bot.command("show")
def show_one(name: Name, json: Json = False) -> None:
    """Show one bot with its prompt."""

    async def look(bots: BotStore, tenant_id: int) -> tuple[BotConfiguration, list[Assignment]]:
        return await bots.bot(tenant_id, name), await bots.assignments(tenant_id)

    found, assignments = _with_bots(look)
    show_either(_described(found, assignments), outbound.bot_text(found, assignments), json=json)


@bot.command("set")
def set_(
    name: Name,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT|@FILE", help="Added to the instructions: a tone, the organisation's name."),
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="Answer from the documents alone, or also from what the model knows.")
    ] = None,
    kb: Annotated[
        list[str] | None,
        typer.Option("--kb", metavar="NAME", help="Search this knowledge base; may be repeated; '' for all."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Models in the order to try; may be repeated; '' for the usual."),
    ] = None,
    temperature: Annotated[float | None, typer.Option(metavar="NUMBER", help="From 0, the same words, to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="NUMBER", help="Of an answer: 50 to 4000.")] = None,
    top_k: Annotated[int | None, typer.Option(metavar="NUMBER", help="Passages for one question: 1 to 20.")] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|default",
            help="How close a passage must be to be answered from: 0 to 2, more is stricter; default: as measured.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a bot, or change what is given of it."""
    given = {
        "prompt": _text(prompt),
        "mode": mode,
        "knowledge_bases": _names(kb),
        "models": _names(model),
        "temperature": temperature,
        "max_tokens": max_tokens,
        "top_k": top_k,
    }
    changes = {field: value for field, value in given.items() if value is not None} | _threshold(threshold)
    saved, assignments = run(lambda frontdesk: _save(frontdesk, name, changes))
    show_either(_described(saved, assignments), outbound.bot_text(saved, assignments), json=json)


async def _save(frontdesk: Frontdesk, name: str, changes: dict[str, Any]) -> tuple[BotConfiguration, list[Assignment]]:
    bots = frontdesk.bots
    for kb_name in changes.get("knowledge_bases", ()):
        await frontdesk.knowledge.knowledge_base(frontdesk.tenant_id, kb_name)  # an unknown name is an error
    try:
        before = await bots.bot(frontdesk.tenant_id, name)
    except NotFound:
        before = BotConfiguration(name)
    saved = await bots.save(frontdesk.tenant_id, replace(before, **changes))
    return saved, await bots.assignments(frontdesk.tenant_id)


def _names(given: list[str] | None) -> tuple[str, ...] | None:
    """Take the names given, in their order; an empty one stands for none at all."""
    if given is None:
        return None
    return tuple(dict.fromkeys(name.strip() for name in given if name.strip()))


def _threshold(given: str | None) -> dict[str, float | None]:
    """Take the change of the threshold that is asked for, if any: its unset value is None."""
    if given is None:
        return {}
    try:
        return {"threshold": None if given == "default" else float(given)}
    except ValueError:
        raise UsageError(f"The threshold is {given!r}; give a number from 0 to 2, or default.") from None


def _text(given: str | None) -> str | None:
    """Take a text as it is, or read it from the file after an @."""
    if given is None or not given.startswith("@"):
        return given
    path = Path(given[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"The prompt cannot be read from {path} ({error.strerror}); name a text file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The prompt in {path} is not UTF-8 text; save it as UTF-8.") from error


@bot.command()
def remove(name: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove a bot; its channels go back to their platform's bot, else to the default one."""
    if not yes:
        typer.confirm(f"Remove the bot {name}?", abort=True)
    _with_bots(lambda bots, tenant_id: bots.remove(tenant_id, name))
    show(f"Removed the bot {name}.")


@bot.command()
def assign(name: Name, platform: OnPlatform, channel: Channel = "") -> None:
    """Let a bot answer in a channel, or on a whole platform."""
    _with_bots(lambda bots, tenant_id: bots.assign(tenant_id, platform, channel, name))
    show(f"{name} answers {outbound.where(platform, channel)}.")


@bot.command()
def unassign(platform: OnPlatform, channel: Channel = "") -> None:
    """Take the bot of a channel, or of a whole platform, away again."""
    _with_bots(lambda bots, tenant_id: bots.unassign(tenant_id, platform, channel))
    show(f"No bot of its own answers {outbound.where(platform, channel)} any more.")
