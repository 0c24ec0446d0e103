"""The terminal a command writes to, and how a command runs."""

import asyncio
import json as jsons
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, RenderableType

from adapters.console.outbound import as_json
from bots import settings
from bots.wiring import Frontdesk, open_frontdesk

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]


class Screen(Console):
    """A console that shows text as it is: brackets are no markup, and a closed pipe is the caller's to handle."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Leave it to main(), which ends without an error: the reader has seen enough."""
        raise BrokenPipeError


out = Screen()
err = Screen(stderr=True)


def show(value: RenderableType) -> None:
    """Write for a person."""
    out.print(value)


def show_json(value: Any) -> None:
    """Write for a machine: one JSON document on stdout."""
    sys.stdout.write(jsons.dumps(as_json(value), ensure_ascii=False, indent=2) + "\n")


def show_either(value: Any, text: RenderableType, *, json: bool) -> None:
    """Write VALUE for a machine or TEXT for a person."""
    if json:
        show_json(value)
    else:
        show(text)


def say(text: str) -> None:
    """Tell a person what takes a while; stdout stays for results."""
    err.print(text, style="dim", markup=False)


def run(work: Callable[[Frontdesk], Awaitable[T]]) -> T:
    """Open Frontdesk with the settings of the environment, do WORK with it, and close it."""

    async def opened() -> T:
        async with open_frontdesk(settings.load(), say) as frontdesk:
            return await work(frontdesk)

    return asyncio.run(opened())
