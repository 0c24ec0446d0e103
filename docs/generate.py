"""Write docs/reference/settings.md, docs/reference/commands.md and .env.example from the code.

Run `python docs/generate.py`; tests/docs/test_reference.py fails while a file differs from what the code says.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from pydantic_core import PydanticUndefined

from bots.cli import app
from bots.settings import Settings

ROOT = Path(__file__).parents[1]


def settings() -> Iterator[tuple[str, str, str]]:
    """List each setting: its variable, its default as written in a .env file, and what it is for."""
    for name, field in Settings.model_fields.items():
        default = field.default
        empty = default is None or default is PydanticUndefined or default in (frozenset(), (), {})
        yield name.upper(), "" if empty else _written(default), field.description or ""


def _written(default: Any) -> str:
    """Write a default as in a .env file."""
    values = default if isinstance(default, tuple) else (default,)
    return ",".join(str(getattr(value, "value", value)) for value in values)


def settings_page() -> str:
    """Write the page of settings."""
    rows = [f"| `{name}` | {f'`{default}`' if default else ''} | {text} |" for name, default, text in settings()]
    return "\n".join(
        [
            "# Settings",
            "",
            "Each is an environment variable or a line of a `.env` file in the folder you start from; "
            "the environment goes first. An empty value counts as unset.",
            "",
            "| variable | default | what it is for |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def example() -> str:
    """Write .env.example."""
    lines = ["# Copy to .env and uncomment what you need; docs/reference/settings.md has the same list."]
    for name, default, text in settings():
        lines += ["", f"# {text}", f"#{name}={default}"]
    return "\n".join(lines) + "\n"


def _parameter(parameter: Any, context: Any) -> str | None:
    record = parameter.get_help_record(context)
    if record is None and parameter.param_type_name == "argument":
        record = (parameter.make_metavar(context), parameter.help or "")
    return f"- `{record[0]}` {record[1]}".rstrip() if record else None


def _command(command: Any, path: str) -> Iterator[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            yield from _command(command.get_command(context, name), f"{path} {name}")
        return
    pieces = " ".join(command.collect_usage_pieces(context))
    yield from (f"## {path}", "", (command.help or "").strip(), "", f"    {path} {pieces}", "")
    described = [text for parameter in command.params if (text := _parameter(parameter, context))]
    if described:
        yield from (*described, "")


def commands_page() -> str:
    """Write the page of commands."""
    command = typer.main.get_command(app)
    head = ["# Commands", "", "`frontdesk --debug COMMAND` shows tracebacks; every command takes `--help`.", ""]
    return "\n".join([*head, *_command(command, "frontdesk")])


PAGES = {
    ROOT / "docs/reference/settings.md": settings_page,
    ROOT / "docs/reference/commands.md": commands_page,
    ROOT / ".env.example": example,
}


def main() -> None:
    """Write every page."""
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
