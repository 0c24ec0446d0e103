"""The modals of administrators, as pure functions: views from what is known, decisions from what was filled in.

docs.slack.dev/reference/views/modal-views. In every form the id of a block is also that of its element.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from adapters.slack.inbound import File, files_of
from adapters.slack.limits import (
    FILE_INPUT_FILES,
    OPTION_TEXT,
    OPTION_VALUE,
    PLAIN_TEXT_INPUT,
    SECTION_TEXT,
    SELECT_OPTIONS,
    VIEW_TITLE,
)
from adapters.slack.markup import to_mrkdwn
from core.channels import ChannelSettings, Listens, change
from core.escalation import TicketPolicy
from core.payloads import object_at, objects_at, text_at, value_at
from core.places import EMPLOYEE_PLATFORMS, Platform
from core.wording import TRANSLATIONS

ADD = "kb_add"
CHANNEL = "channel_settings"
"""The callback ids of the forms."""

MOST_ADDRESSES = 50
_LONGEST_NAME = 60
_DEFAULT = "default"
_SCOPES = (*EMPLOYEE_PLATFORMS, Platform.TELEGRAM, Platform.WEB, Platform.API)

_LISTENS = {
    Listens.MENTION: "When I am mentioned",
    Listens.QUESTION: "When a message looks like a question",
    Listens.ALWAYS: "Every message",
}
_FOLLOW_UPS = {"on": "Yes", "off": "Only when I am mentioned again"}
_TICKETS = {
    TicketPolicy.OPEN: "Open one at once",
    TicketPolicy.OFFER: "Offer a person; the author decides",
    TicketPolicy.OFF: "Never",
}
_LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """Who opened a form, and where; it travels inside the form."""

    user: str
    channel: str
    told_in: str = ""  # the direct conversation in which the outcome is told


@dataclass(frozen=True, slots=True)
class AddForm:
    """What is to be added to which knowledge base."""

    kb_name: str
    addresses: tuple[str, ...]
    files: tuple[File, ...]
    platforms: tuple[Platform, ...] = ()  # empty: as they are, for a new one as by default
    channels: tuple[str, ...] = ()  # empty: as they are, for a new one all


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong, by the id of the block it stands in."""

    errors: Mapping[str, str]


def write_opened(opened: Opened) -> str:
    """Write a form's private_metadata."""
    return json.dumps(asdict(opened))


def read_opened(view: Mapping[str, Any]) -> Opened:
    """Read a form's private_metadata; empty fields where it is none of ours."""
    try:
        kept = json.loads(text_at(view, "private_metadata"))
    except ValueError:
        kept = {}
    return Opened(text_at(kept, "user"), text_at(kept, "channel"), text_at(kept, "told_in"))


def loading_view(title: str) -> Json:
    """Make what is shown until the form is there."""
    return message_view(title, "One moment …")


def message_view(title: str, markdown: str) -> Json:
    """Make a view that says something."""
    said = to_mrkdwn(markdown)[:SECTION_TEXT]
    section = {"type": "section", "text": {"type": "mrkdwn", "text": said or "–"}}
    return {"type": "modal", "title": _plain(title[:VIEW_TITLE]), "close": _plain("Close"), "blocks": [section]}


def add_view(opened: Opened, names: Sequence[str], kb_name: str = "") -> Json:
    """Make the form that adds documents; NAMES are the knowledge bases there are, KB_NAME the one to begin with."""
    known = [_option(name, name) for name in names if len(name) <= OPTION_VALUE][:SELECT_OPTIONS]
    chosen = kb_name or (names[0] if len(names) == 1 else "")
    blocks = [
        _input("files", "Files", {"type": "file_input", "max_files": FILE_INPUT_FILES}, optional=True),
        _input("urls", "Addresses of web pages, one a line", _text_input(multiline=True), optional=True),
    ]
    if known:
        select = _select("static_select", "Choose one", known, chosen)
        blocks.append(_input("kb", "Knowledge base", select, optional=True))
    start = kb_name if kb_name and kb_name not in names else ("" if known else _DEFAULT)
    blocks += [
        _input(
            "new_kb", "A new knowledge base" if known else "Knowledge base", _text_input(start), optional=bool(known)
        ),
        _input(
            "platforms",
            "Where it answers",
            _select("multi_static_select", "As it is", [_option(name.value.title(), name.value) for name in _SCOPES]),
            optional=True,
            hint="Empty: as it is; a new one answers where employees write, never where customers do.",
        ),
        _input(
            "channels",
            "Only in these channels",
            {"type": "multi_conversations_select", "placeholder": _plain("As it is")},
            optional=True,
            hint="Empty: as it is; a new one answers in all channels.",
        ),
    ]
    return _form(ADD, "Add documents", "Add", opened, blocks)


def read_add(view: Mapping[str, Any]) -> AddForm | Wrong:
    """Read the form that adds documents."""
    addresses = tuple(dict.fromkeys((_value(view, "urls") or "").split()))
    files = files_of(_field(view, "files"))
    chosen, new = _chosen(view, "kb"), " ".join(_value(view, "new_kb").split())
    errors: dict[str, str] = {}
    bad = next((address for address in addresses if not is_web_address(address)), None)
    if bad is not None:
        errors["urls"] = f"{bad[:80]} is no address of a web page; write it as https://…"
    elif len(addresses) > MOST_ADDRESSES:
        errors["urls"] = f"At most {MOST_ADDRESSES} addresses at once; add the others afterwards."
    elif not addresses and not files:
        errors["urls"] = "There is nothing to add: choose files above, or write addresses."
    if len(new) > _LONGEST_NAME:
        errors["new_kb"] = f"A name has at most {_LONGEST_NAME} characters."
    elif not (new or chosen):
        errors["new_kb"] = "Choose a knowledge base above, or name a new one here."
    if errors:
        return Wrong(errors)
    platforms = tuple(Platform(value) for value in _all_chosen(view, "platforms") if value in {*Platform})
    channels = value_at(_field(view, "channels"), "selected_conversations")
    return AddForm(new or chosen, addresses, files, platforms, tuple(channels) if isinstance(channels, list) else ())


def is_web_address(text: str) -> bool:
    """Tell whether TEXT is an address that can be fetched: a path would be one on the server."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def channel_view(opened: Opened, settings: ChannelSettings, names: Sequence[str]) -> Json:
    """Make the form of what is decided for a channel."""
    known = [_option(name, name) for name in names if len(name) <= OPTION_VALUE][:SELECT_OPTIONS]
    languages = dict.fromkeys(("en", *TRANSLATIONS, *([settings.language] if settings.language else [])))
    blocks = []
    if known:
        kb_select = _select("multi_static_select", "All that may be read here", known, *settings.knowledge_bases)
        blocks.append(_input("kb", "Knowledge bases", kb_select, optional=True))
    listens = [_option(label, value.value) for value, label in _LISTENS.items()]
    threshold = "" if settings.threshold is None else f"{settings.threshold:g}"
    spoken = [_option(_LANGUAGES.get(code, code), code) for code in languages]
    policies = [_option(label, value.value) for value, label in _TICKETS.items()]
    tickets = settings.tickets.value if settings.tickets else ""
    goes_on = [_option(label, value) for value, label in _FOLLOW_UPS.items()]
    follows = "on" if settings.follow_ups else "off"
    blocks += [
        _input("listens", "I answer", _select("radio_buttons", "", listens, settings.listens.value)),
        _input("followups", "A thread in which I answered goes on", _select("radio_buttons", "", goes_on, follows)),
        _input(
            "threshold",
            "How close a passage must be, 0 to 2",
            _text_input(threshold),
            optional=True,
            hint="A higher number means fewer answers, and surer ones. Empty: the default.",
        ),
        _input(
            "language",
            "Language of all answers",
            _select("static_select", "That of the question", spoken, settings.language),
            optional=True,
        ),
        _input(
            "tickets",
            "A ticket, where the documents hold no answer",
            _select("static_select", "As by default", policies, tickets),
            optional=True,
        ),
    ]
    return _form(CHANNEL, "How I answer here", "Save", opened, blocks)


def read_channel(view: Mapping[str, Any], before: ChannelSettings) -> ChannelSettings | Wrong:
    """Read the form of a channel; knowledge bases that the form could not show stay as they were."""
    shown = {text_at(block, "block_id") for block in objects_at(view, "blocks")}
    names = tuple(_all_chosen(view, "kb")) if "kb" in shown else before.knowledge_bases
    settings: ChannelSettings | None = replace(before, knowledge_bases=names)
    given = {
        "listens": _chosen(view, "listens") or before.listens.value,
        "threshold": _value(view, "threshold").strip() or "auto",
        "language": _chosen(view, "language") or "auto",
        "tickets": _chosen(view, "tickets") or "auto",
        "followups": _chosen(view, "followups") or ("on" if before.follow_ups else "off"),
    }
    for option, value in given.items():
        changed = change(settings, option, value) if settings else None
        if changed is None:
            why = "Write a number from 0 to 2, or nothing." if option == "threshold" else "Choose one of the list."
            return Wrong({option: why})
        settings = changed
    return settings or before


def errors_of(wrong: Wrong) -> Json:
    """Write what is wrong as the answer to a submission."""
    return {"response_action": "errors", "errors": dict(wrong.errors)}


def shown_instead(view: Json) -> Json:
    """Put VIEW in place of a form as the answer to its submission."""
    return {"response_action": "update", "view": view}


def _form(callback_id: str, title: str, submit: str, opened: Opened, blocks: Iterable[Json]) -> Json:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": write_opened(opened),
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "blocks": list(blocks),
    }


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def _option(label: str, value: str) -> Json:
    shown = label if len(label) <= OPTION_TEXT else label[: OPTION_TEXT - 1] + "…"
    return {"text": _plain(shown), "value": value}


def _text_input(value: str = "", *, multiline: bool = False) -> Json:
    begun = {"initial_value": value} if value else {}
    return {"type": "plain_text_input", "multiline": multiline, "max_length": PLAIN_TEXT_INPUT, **begun}


def _select(kind: str, placeholder: str, options: Sequence[Json], *chosen: str) -> Json:
    picked = [option for option in options if option["value"] in chosen]
    named = {"placeholder": _plain(placeholder)} if placeholder else {}
    initial: Json = {}
    if picked:
        initial = {"initial_options": picked} if kind.startswith("multi_") else {"initial_option": picked[0]}
    return {"type": kind, "options": list(options), **named, **initial}


def _input(name: str, label: str, element: Json, *, optional: bool = False, hint: str = "") -> Json:
    hinted = {"hint": _plain(hint)} if hint else {}
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label),
        "optional": optional,
        "element": {**element, "action_id": name},
        **hinted,
    }


def _field(view: Mapping[str, Any], name: str) -> Json:
    return object_at(view, "state", "values", name, name)


def _value(view: Mapping[str, Any], name: str) -> str:
    return text_at(_field(view, name), "value")


def _chosen(view: Mapping[str, Any], name: str) -> str:
    return text_at(_field(view, name), "selected_option", "value")


def _all_chosen(view: Mapping[str, Any], name: str) -> list[str]:
    return [text_at(option, "value") for option in objects_at(_field(view, name), "selected_options")]
