"""The modals of administrators, as pure functions: views from what is known, decisions from what was filled in.

Whoever opened a form reads it in their language, which travels inside it: so does what is wrong with it.
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
from core import command_words as words
from core import wording
from core.channels import ChannelSettings, Listens, change
from core.escalation import TicketPolicy
from core.payloads import object_at, objects_at, text_at, value_at
from core.places import EMPLOYEE_PLATFORMS, Platform
from core.wording import TRANSLATIONS, say

ADD = "kb_add"
CHANNEL = "channel_settings"
"""The callback ids of the forms."""

MOST_ADDRESSES = 50
_AN_ADDRESS = "https://…"
_LONGEST_NAME = 60
_DEFAULT = "default"
_SCOPES = (*EMPLOYEE_PLATFORMS, Platform.TELEGRAM, Platform.WEB, Platform.API)

_PLATFORM_NAMES = {Platform.CONSOLE: words.CONSOLE, Platform.API: "API"}  # where it is not that of the platform
_LISTENS = {
    Listens.MENTION.value: words.WHEN_MENTIONED,
    Listens.QUESTION.value: words.WHEN_ASKED,
    Listens.ALWAYS.value: words.EVERY_MESSAGE,
}
_FOLLOW_UPS = {"on": words.YES, "off": words.WHEN_MENTIONED_AGAIN}
_TICKETS = {
    TicketPolicy.OPEN.value: words.OPEN_AT_ONCE,
    TicketPolicy.OFFER.value: words.OFFER_PERSON,
    TicketPolicy.OFF.value: words.NEVER,
}
_LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """Who opened a form, and where; it travels inside the form."""

    user: str
    channel: str
    told_in: str = ""  # the direct conversation in which the outcome is told
    language: str = "en"  # that they read


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
    language = text_at(kept, "language") or "en"
    return Opened(text_at(kept, "user"), text_at(kept, "channel"), text_at(kept, "told_in"), language)


def loading_view(title: str, language: str = "en") -> Json:
    """Make what is shown until the form is there; TITLE is a message of the catalogues."""
    return message_view(title, say(words.ONE_MOMENT, language), language)


def message_view(title: str, markdown: str, language: str = "en") -> Json:
    """Make a view that says MARKDOWN, which is in LANGUAGE already, under TITLE, a message of the catalogues."""
    said = to_mrkdwn(markdown)[:SECTION_TEXT]
    return {
        "type": "modal",
        "title": _plain(say(title, language)[:VIEW_TITLE]),
        "close": _plain(say(wording.CLOSE, language)),
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": said or "–"}}],
    }


def add_view(opened: Opened, names: Sequence[str], kb_name: str = "") -> Json:
    """Make the form that adds documents; NAMES are the knowledge bases there are, KB_NAME the one to begin with."""
    form = _Form(opened.language)
    known = _options_of_names(names)
    chosen = kb_name or (names[0] if len(names) == 1 else "")
    start = kb_name if kb_name and kb_name not in names else ("" if known else _DEFAULT)
    blocks = [
        form.field("files", words.FORM_FILES, {"type": "file_input", "max_files": FILE_INPUT_FILES}, optional=True),
        form.field("urls", words.FORM_PAGES, _text_input(multiline=True), optional=True),
    ]
    if known:
        select = form.select("static_select", words.FORM_CHOOSE_ONE, known, chosen)
        blocks.append(form.field("kb", words.FORM_KB, select, optional=True))
    label = words.FORM_NEW_KB if known else words.FORM_KB
    blocks += [form.field("new_kb", label, _text_input(start), optional=bool(known)), *_scope(form)]
    return form.view(ADD, words.ADD_DOCUMENTS, words.ADD, opened, blocks)


def _scope(form: "_Form") -> list[Json]:
    """Ask where a knowledge base answers."""
    platforms = form.options({name.value: _PLATFORM_NAMES.get(name, name.value.title()) for name in _SCOPES})
    channels = {"type": "multi_conversations_select", "placeholder": form.text(words.FORM_AS_IT_IS)}
    return [
        form.field(
            "platforms",
            words.FORM_PLATFORMS,
            form.select("multi_static_select", words.FORM_AS_IT_IS, platforms),
            optional=True,
            hint=words.FORM_PLATFORMS_HINT,
        ),
        form.field("channels", words.FORM_CHANNELS, channels, optional=True, hint=words.FORM_CHANNELS_HINT),
    ]


def read_add(view: Mapping[str, Any]) -> AddForm | Wrong:
    """Read the form that adds documents."""
    addresses = tuple(dict.fromkeys((_value(view, "urls") or "").split()))
    files = files_of(_field(view, "files"))
    chosen, new = _chosen(view, "kb"), " ".join(_value(view, "new_kb").split())
    language = read_opened(view).language
    found = {"urls": _wrong_addresses(addresses, files, language), "new_kb": _wrong_name(new, chosen, language)}
    errors = {name: error for name, error in found.items() if error}
    if errors:
        return Wrong(errors)
    platforms = tuple(Platform(value) for value in _all_chosen(view, "platforms") if value in {*Platform})
    channels = value_at(_field(view, "channels"), "selected_conversations")
    return AddForm(new or chosen, addresses, files, platforms, tuple(channels) if isinstance(channels, list) else ())


def _wrong_addresses(addresses: Sequence[str], files: Sequence[File], language: str) -> str:
    """Say what is wrong with what is to be added; empty where nothing is."""
    bad = next((address for address in addresses if not is_web_address(address)), None)
    if bad is not None:
        return say(words.NOT_AN_ADDRESS, language, address=bad[:80], example=_AN_ADDRESS)
    if len(addresses) > MOST_ADDRESSES:
        return say(words.TOO_MANY_ADDRESSES, language, limit=MOST_ADDRESSES)
    return "" if addresses or files else say(words.NOTHING_IN_FORM, language)


def _wrong_name(new: str, chosen: str, language: str) -> str:
    """Say what is wrong with the name of a knowledge base; empty where nothing is."""
    if len(new) > _LONGEST_NAME or not new.isprintable():
        return say(words.BAD_KB_NAME, language, limit=_LONGEST_NAME)
    return "" if new or chosen else say(words.CHOOSE_KB, language)


def is_web_address(text: str) -> bool:
    """Tell whether TEXT is an address that can be fetched: a path would be one on the server."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def channel_view(opened: Opened, settings: ChannelSettings, names: Sequence[str]) -> Json:
    """Make the form of what is decided for a channel."""
    form, known = _Form(opened.language), _options_of_names(names)
    blocks = []
    if known:
        kb_select = form.select("multi_static_select", words.FORM_ALL_KBS, known, *settings.knowledge_bases)
        blocks.append(form.field("kb", words.FORM_KBS, kb_select, optional=True))
    threshold = "" if settings.threshold is None else f"{settings.threshold:g}"
    listens = form.select("radio_buttons", "", form.options(_LISTENS), settings.listens.value)
    follow_ups = form.select("radio_buttons", "", form.options(_FOLLOW_UPS), "on" if settings.follow_ups else "off")
    languages = dict.fromkeys(("en", *TRANSLATIONS, *([settings.language] if settings.language else [])))
    spoken = [_option(_LANGUAGES.get(code, code), code) for code in languages]
    language = form.select("static_select", words.FORM_ITS_LANGUAGE, spoken, settings.language)
    policy = settings.tickets.value if settings.tickets else ""
    tickets = form.select("static_select", words.FORM_BY_DEFAULT, form.options(_TICKETS), policy)
    hint = words.FORM_THRESHOLD_HINT
    blocks += [
        form.field("listens", words.FORM_LISTENS, listens),
        form.field("followups", words.FORM_FOLLOW_UPS, follow_ups),
        form.field("threshold", words.FORM_THRESHOLD, _text_input(threshold), optional=True, hint=hint),
        form.field("language", words.FORM_LANGUAGE, language, optional=True),
        form.field("tickets", words.FORM_TICKETS, tickets, optional=True),
    ]
    return form.view(CHANNEL, words.HOW_I_ANSWER, words.SAVE, opened, blocks)


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
            why = words.BAD_THRESHOLD if option == "threshold" else words.CHOOSE_FROM_LIST
            return Wrong({option: say(why, read_opened(view).language)})
        settings = changed
    return settings or before


def errors_of(wrong: Wrong) -> Json:
    """Write what is wrong as the answer to a submission."""
    return {"response_action": "errors", "errors": dict(wrong.errors)}


def shown_instead(view: Json) -> Json:
    """Put VIEW in place of a form as the answer to its submission."""
    return {"response_action": "update", "view": view}


@dataclass(frozen=True, slots=True)
class _Form:
    """Make the parts of a form in one language, from messages of the catalogues."""

    language: str

    def text(self, message: str) -> Json:
        return _plain(say(message, self.language))

    def options(self, labels: Mapping[str, str]) -> list[Json]:
        return [_option(say(label, self.language), value) for value, label in labels.items()]

    def select(self, kind: str, placeholder: str, options: Sequence[Json], *chosen: str) -> Json:
        picked = [option for option in options if option["value"] in chosen]
        named = {"placeholder": self.text(placeholder)} if placeholder else {}
        initial: Json = {}
        if picked:
            initial = {"initial_options": picked} if kind.startswith("multi_") else {"initial_option": picked[0]}
        return {"type": kind, "options": list(options), **named, **initial}

    def field(self, name: str, label: str, element: Json, *, optional: bool = False, hint: str = "") -> Json:
        hinted = {"hint": self.text(hint)} if hint else {}
        return {
            "type": "input",
            "block_id": name,
            "label": self.text(label),
            "optional": optional,
            "element": {**element, "action_id": name},
            **hinted,
        }

    def view(self, callback_id: str, title: str, submit: str, opened: Opened, blocks: Iterable[Json]) -> Json:
        return {
            "type": "modal",
            "callback_id": callback_id,
            "private_metadata": write_opened(opened),
            "title": self.text(title),
            "submit": self.text(submit),
            "close": self.text(words.CANCEL),
            "blocks": list(blocks),
        }


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def _option(label: str, value: str) -> Json:
    shown = label if len(label) <= OPTION_TEXT else label[: OPTION_TEXT - 1] + "…"
    return {"text": _plain(shown), "value": value}


def _options_of_names(names: Sequence[str]) -> list[Json]:
    return [_option(name, name) for name in names if len(name) <= OPTION_VALUE][:SELECT_OPTIONS]


def _text_input(value: str = "", *, multiline: bool = False) -> Json:
    begun = {"initial_value": value} if value else {}
    return {"type": "plain_text_input", "multiline": multiline, "max_length": PLAIN_TEXT_INPUT, **begun}


def _field(view: Mapping[str, Any], name: str) -> Json:
    return object_at(view, "state", "values", name, name)


def _value(view: Mapping[str, Any], name: str) -> str:
    return text_at(_field(view, name), "value")


def _chosen(view: Mapping[str, Any], name: str) -> str:
    return text_at(_field(view, name), "selected_option", "value")


def _all_chosen(view: Mapping[str, Any], name: str) -> list[str]:
    return [text_at(option, "value") for option in objects_at(_field(view, name), "selected_options")]
