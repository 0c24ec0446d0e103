"""The app manifest: everything Slack must know of the app, from the one table of commands.

docs.slack.dev/reference/app-manifest. Token rotation stays off: a refresh token works once, so two processes that
renew at the same time could lose a workspace for good, and rotation cannot be switched off again. Tokens are
encrypted where they are kept instead, and erased as soon as Slack says that they are worth nothing.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from adapters.slack.pressed import ASK_ABOUT_THIS
from core.commands import BY_NAME, Rights, listed, summary
from core.errors import UsageError

EVENTS_PATH = "/slack/events"
"""Where Slack sends events, commands and whatever is pressed."""
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

DEFAULT_PREFIX = "/frontdesk"
SHORTCUTS = ("ask", "kb")
"""Commands of the table that also have a slash command of their own."""

SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "reactions:read",
    "reactions:write",
    "team:read",
    "users:read",
)
OPTIONAL_SCOPES = ("files:write", "usergroups:read")
"""To send an export as a file, and to let a user group administer."""
EVENTS = (
    "agent_session_stopped",
    "agent_session_title_changed",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "tokens_revoked",
)
PROMPTS = (
    ("What can you do?", "help"),
    ("Talk to a person", "I would like to talk to a person"),
)
"""Title and message of what the agent pane suggests."""

_PREFIX = re.compile(r"/[a-z0-9][a-z0-9_-]{0,30}")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _./-]*[A-Za-z0-9.]")  # what YAML takes for text without quotes
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_DESCRIPTION = "Answers questions from your organisation's own documents, with sources, and hands over to a person."
_LONG_DESCRIPTION = (
    "Mention Frontdesk in a channel, write to it, or use the command: it answers in the thread from the documents "
    "your administrators have added, and names the passages it answers from. Where the documents hold no answer it "
    "says so and opens a ticket, and a person's answer arrives in the same thread."
)


def make_manifest(*, url: str = "", socket: bool = False, prefix: str = DEFAULT_PREFIX, shortcuts: bool = True) -> Any:
    """Make the manifest as plain data; without URL the app works in Socket Mode alone.

    URL is the public address of the web server. Raises UsageError for an impossible URL or PREFIX.
    """
    if not _PREFIX.fullmatch(prefix):
        raise UsageError("The prefix is a slash and up to 31 small letters, digits, - and _, such as /frontdesk.")
    if url and not re.fullmatch(r"https://[^\s/?#]+(?:/[^\s?#]*)?", url):
        raise UsageError("Slack needs an address of the form https://HOST; without one, use Socket Mode.")
    url = url.rstrip("/")
    listens = "" if socket or not url else url + EVENTS_PATH
    request_url = {"request_url": listens} if listens else {}
    oauth: dict[str, Any] = {"redirect_urls": [url + REDIRECT_PATH]} if url else {}
    return {
        "_metadata": {"major_version": 2, "minor_version": 0},
        "display_information": {
            "name": "Frontdesk",
            "description": _DESCRIPTION,
            "long_description": _LONG_DESCRIPTION,
            "background_color": "#1d3557",
        },
        "features": _features(prefix, listens, shortcuts=shortcuts),
        "oauth_config": {**oauth, "scopes": {"bot": [*SCOPES], "bot_optional": [*OPTIONAL_SCOPES]}},
        "settings": {
            "event_subscriptions": {**request_url, "bot_events": [*EVENTS]},
            "interactivity": {"is_enabled": True, **request_url},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not listens,
            "token_rotation_enabled": False,
        },
    }


def _features(prefix: str, url: str, *, shortcuts: bool) -> dict[str, Any]:
    prompts = [{"title": title, "message": message} for title, message in PROMPTS]
    return {
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "agent_view": {"agent_description": _DESCRIPTION, "suggested_prompts": prompts},
        "bot_user": {"display_name": "Frontdesk", "always_online": True},
        "shortcuts": [
            {
                "name": "Ask about this",
                "type": "message",
                "callback_id": ASK_ABOUT_THIS,
                "description": "Ask Frontdesk about this message",
            }
        ],
        "slash_commands": list(_slash_commands(prefix, url, shortcuts=shortcuts)),
    }


def _slash_commands(prefix: str, url: str, *, shortcuts: bool) -> Iterator[dict[str, Any]]:
    known = "|".join(command.name for command in listed(Rights.ADMINISTRATOR))
    yield _slash_command(prefix, _DESCRIPTION, f"[{known}]", url)
    for name in SHORTCUTS if shortcuts else ():
        command = BY_NAME[name]
        hint = command.arguments or f"[{'|'.join(verb.name for verb in command.verbs)}]"
        yield _slash_command(f"/{name}", summary(command), hint, url)


def _slash_command(command: str, description: str, hint: str, url: str) -> dict[str, Any]:
    # Nothing is escaped: what was typed is what is asked, and "@name" stays readable.
    where = {"url": url} if url else {}
    return {"command": command, **where, "description": description, "usage_hint": hint, "should_escape": False}


def to_yaml(value: Any) -> str:
    """Write plain data as YAML, ready to paste."""
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, held in value.items():
            yield from _entry(f"{indent}{_name(name)}:", held, f"{indent}  ")
        return
    for held in value:
        if isinstance(held, dict):
            first, *rest = _lines(held, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(held)}"


def _entry(name: str, held: Any, indent: str) -> Iterator[str]:
    if isinstance(held, dict | list):
        yield name
        yield from _lines(held, indent)
    else:
        yield f"{name} {_scalar(held)}"


def _name(name: str) -> str:
    return json.dumps(name) if name.lower() in _NOT_TEXT else name


def _scalar(value: str | int | bool) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
    return value if plain and isinstance(value, str) else json.dumps(value, ensure_ascii=False)
