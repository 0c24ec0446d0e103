"""Block Kit's rules: what a message or a view may hold. docs.slack.dev/reference/block-kit; slack_sdk.models."""

from collections.abc import Iterator
from typing import Any

from tests.platform.slack_state import Json, SlackError

TOTAL_TEXT = 13_200  # undocumented, slackapi/bolt-js#2509
_OPTIONS = {"static_select": 100, "multi_static_select": 100, "overflow": 5, "radio_buttons": 10, "checkboxes": 10}
_SELECTS = {
    f"{many}{kind}_select"
    for many in ("", "multi_")
    for kind in ("static", "users", "conversations", "channels", "external")
}
_PICKERS = {"datepicker", "timepicker", "datetimepicker"}
_INPUTS = {"plain_text_input", "url_text_input", "email_text_input", "number_input", "file_input", "rich_text_input"}
_ACTION_ELEMENTS = {"button", "overflow", "radio_buttons", "checkboxes", "workflow_button"} | _SELECTS | _PICKERS


def _text(value: Any, limit: int, *kinds: str) -> Iterator[str]:
    """Check a text object; KINDS are those allowed."""
    if not isinstance(value, dict) or value.get("type") not in (kinds or ("plain_text", "mrkdwn")):
        yield f"text object of {' or '.join(kinds) or 'any type'} expected"
    elif not isinstance(value.get("text"), str) or not 1 <= len(value["text"]) <= limit:
        yield f"text must be 1 to {limit} characters"


def _string(owner: Json, name: str, limit: int, *, required: bool = False) -> Iterator[str]:
    value = owner.get(name)
    if value is None and not required:
        return
    if not isinstance(value, str) or not len(value) <= limit or (required and not value):
        yield f"{name} must be a string up to {limit} characters"


def _count(owner: Json, name: str, limit: int) -> Iterator[str]:
    value = owner.get(name)
    if not isinstance(value, list) or not 1 <= len(value) <= limit:
        yield f"{name} must hold 1 to {limit}"


def _button(element: Json) -> Iterator[str]:
    yield from _text(element.get("text"), 75, "plain_text")
    yield from _string(element, "value", 2000)
    yield from _string(element, "url", 3000)
    if element.get("style") not in (None, "primary", "danger"):
        yield "unknown style"


def _groups(element: Json) -> Iterator[str]:
    yield from _count(element, "option_groups", 100)
    for group in element.get("option_groups") or ():
        yield from _text(group.get("label"), 75, "plain_text")
        yield from _count(group, "options", 100)


def _options(element: Json) -> Iterator[str]:
    groups = element.get("option_groups")
    if groups is not None:
        yield from _groups(element)
    else:
        yield from _count(element, "options", _OPTIONS[element["type"]])
    found = element.get("options") or [option for group in groups or () for option in group.get("options", ())]
    for option in found:
        yield from _text(option.get("text"), 75)
        yield from _string(option, "value", 150, required=True)
    values = [option.get("value") for option in found]
    if len(set(values)) != len(values):
        yield "option values must be unique"
    initial = [element["initial_option"]] if element.get("initial_option") is not None else []
    if any(chosen not in found for chosen in (*initial, *element.get("initial_options", ()))):
        yield "initial_option and initial_options must be among the options"
    if element.get("initial_options") == []:
        yield "initial_options must not be empty"


def _feedback(element: Json) -> Iterator[str]:
    for name in ("positive_button", "negative_button"):
        button = element.get(name)
        if not isinstance(button, dict):
            yield f"{name} missing"
            continue
        yield from _text(button.get("text"), 75, "plain_text")
        yield from _string(button, "value", 2000, required=True)


def _confirm(confirm: Any) -> Iterator[str]:
    for name, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text(confirm.get(name), limit, *(("plain_text", "mrkdwn") if name == "text" else ("plain_text",)))


def _element(element: Any) -> Iterator[str]:
    if not isinstance(element, dict):
        yield "an element must be an object"
        return
    yield from _string(element, "action_id", 255)
    yield from _of_kind(element)
    if "placeholder" in element:
        yield from _text(element["placeholder"], 150, "plain_text")
    if "confirm" in element:
        yield from _confirm(element["confirm"])


def _of_kind(element: Json) -> Iterator[str]:
    kind = element.get("type")
    if kind == "button":
        yield from _button(element)
    elif kind in _OPTIONS:
        yield from _options(element)
    elif kind == "feedback_buttons":
        yield from _feedback(element)
    elif kind == "icon_button":
        yield from _text(element.get("text"), 75, "plain_text")
    elif kind == "image":
        yield from _image(element)
    elif kind == "file_input" and not 1 <= int(element.get("max_files", 10)) <= 10:
        yield "max_files must be 1 to 10"
    elif kind == "plain_text_input":
        yield from _text_input(element)


def _text_input(element: Json) -> Iterator[str]:
    shortest, longest = int(element.get("min_length", 0)), int(element.get("max_length", 3000))
    if not 0 <= shortest <= longest <= 3000 or longest < 1:
        yield "min_length and max_length must be up to 3000"
    yield from _string(element, "initial_value", longest)


def _image(block: Json) -> Iterator[str]:
    if not block.get("slack_file"):
        yield from _string(block, "image_url", 3000, required=True)
    yield from _string(block, "alt_text", 2000, required=True)
    if isinstance(block.get("title"), dict):
        yield from _text(block["title"], 2000, "plain_text")


def _section(block: Json) -> Iterator[str]:
    if not block.get("text") and not block.get("fields"):
        yield "text or fields required"
    if block.get("text"):
        yield from _text(block["text"], 3000)
    if "fields" in block:
        yield from _count(block, "fields", 10)
        for entry in block["fields"]:
            yield from _text(entry, 2000)
    if "accessory" in block:
        yield from _elements([block["accessory"]], _ACTION_ELEMENTS | {"image"})


def _elements(elements: Any, allowed: set[str]) -> Iterator[str]:
    for element in elements if isinstance(elements, list) else ():
        if not isinstance(element, dict) or element.get("type") not in allowed:
            yield f"element {element.get('type') if isinstance(element, dict) else element} not allowed here"
        else:
            yield from _element(element)


def _context(block: Json) -> Iterator[str]:
    yield from _count(block, "elements", 10)
    for element in block.get("elements") or ():
        if isinstance(element, dict) and element.get("type") == "image":
            yield from _image(element)
        else:
            yield from _text(element, 3000)


def _actions(block: Json) -> Iterator[str]:
    yield from _count(block, "elements", 25)
    yield from _elements(block.get("elements"), _ACTION_ELEMENTS)


def _context_actions(block: Json) -> Iterator[str]:
    yield from _count(block, "elements", 5)
    yield from _elements(block.get("elements"), {"feedback_buttons", "icon_button"})


def _input(block: Json) -> Iterator[str]:
    yield from _text(block.get("label"), 2000, "plain_text")
    if "hint" in block:
        yield from _text(block["hint"], 2000, "plain_text")
    yield from _elements([block.get("element")], _INPUTS | _ACTION_ELEMENTS - {"button"})


def _header(block: Json) -> Iterator[str]:
    yield from _text(block.get("text"), 150, "plain_text")


def _markdown(block: Json) -> Iterator[str]:
    yield from _string(block, "text", 12_000, required=True)


def _rich_text(block: Json) -> Iterator[str]:
    if not isinstance(block.get("elements"), list):
        yield "elements required"


def _anything(_block: Json) -> Iterator[str]:
    return iter(())


_BLOCKS = {
    "section": _section,
    "context": _context,
    "actions": _actions,
    "context_actions": _context_actions,
    "input": _input,
    "header": _header,
    "markdown": _markdown,
    "image": _image,
    "divider": _anything,
    "rich_text": _rich_text,
    "video": _anything,
    "table": _anything,
    "task_card": _anything,
    "plan": _anything,
    "alert": _anything,
}
_MESSAGE_ONLY = {"markdown", "context_actions", "table", "task_card", "plan"}


def elements_of(block: Json) -> list[Json]:
    """List the interactive elements of a block."""
    found = [*(block.get("elements") or ()), block.get("accessory"), block.get("element")]
    return [element for element in found if isinstance(element, dict) and "type" in element]


def _faults(blocks: list[Json], *, view: bool) -> Iterator[str]:
    ids: list[str] = []
    for number, block in enumerate(blocks):
        kind = block.get("type") if isinstance(block, dict) else None
        checks = _BLOCKS.get(str(kind))
        if checks is None or (kind in _MESSAGE_ONLY and view):
            yield f"unsupported type: {kind} [json-pointer:/blocks/{number}/type]"
            continue
        yield from (f"{fault} [json-pointer:/blocks/{number}]" for fault in checks(block))
        yield from (f"{fault} [json-pointer:/blocks/{number}]" for fault in _string(block, "block_id", 255))
        actions = [element["action_id"] for element in elements_of(block) if element.get("action_id")]
        if len(set(actions)) != len(actions):
            yield f"action_id must be unique in its block [json-pointer:/blocks/{number}]"
        ids += [block["block_id"]] if block.get("block_id") else []
    if len(set(ids)) != len(ids):
        yield "block_id must be unique"


def texts(value: Any) -> Iterator[str]:
    """Yield every text in blocks."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def check_blocks(blocks: Any, *, view: bool = False) -> list[Json]:
    """Return BLOCKS as Slack keeps them, each with an id; raises SlackError."""
    most = 100 if view else 50
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if len(blocks) > most:
        raise SlackError("invalid_blocks", f"no more than {most} items allowed [json-pointer:/blocks]")
    if faults := list(_faults(blocks, view=view)):
        raise SlackError("invalid_blocks", *faults)
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if not view and (sum(map(len, texts(blocks))) > TOTAL_TEXT or markdown > 12_000):
        raise SlackError("msg_blocks_too_long")
    return [{"block_id": f"b{number}", **block} for number, block in enumerate(blocks)]


def _view_faults(view: Json) -> Iterator[str]:
    modal = view.get("type") == "modal"
    if view.get("type") not in ("modal", "home"):
        yield "type must be modal or home"
    if modal:
        yield from _text(view.get("title"), 24, "plain_text")
    for name in ("submit", "close"):
        if name in view:
            yield from _text(view[name], 24, "plain_text")
    yield from _string(view, "private_metadata", 3000)
    yield from _string(view, "callback_id", 255)
    yield from _string(view, "external_id", 255)
    has_inputs = any(isinstance(block, dict) and block.get("type") == "input" for block in view.get("blocks") or ())
    if modal and has_inputs and "submit" not in view:
        yield "submit is required with an input"


def check_view(view: Any, kind: str) -> Json:
    """Return VIEW as Slack keeps it; raises SlackError."""
    if not isinstance(view, dict) or view.get("type") != kind:
        raise SlackError("invalid_arguments", f"a view of type {kind} expected")
    if faults := list(_view_faults(view)):
        raise SlackError("invalid_arguments", *faults)
    try:
        return {**view, "blocks": check_blocks(view.get("blocks"), view=True)}
    except SlackError as error:
        raise SlackError("invalid_arguments", *error.details or (error.code,)) from error
