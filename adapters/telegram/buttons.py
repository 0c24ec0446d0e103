"""The buttons below an answer: what their data says, in Telegram's 64 bytes.

A client can send any data it likes, so nothing rests on it but what the one who pressed could do anyway: a rating goes
to the message with the button, and a passage is shown only where that message belongs to the answer named.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_DATA = re.compile(r"([a-z]{1,8}):([0-9]{1,18})(?::([0-9]{1,4}))?")


class Action(StrEnum):
    """What a button does."""

    UP = "up"  # the answer helped
    DOWN = "down"
    HUMAN = "human"  # a person is asked for
    SHOW = "show"  # the passage behind a source
    STOP = "stop"  # the answer under way


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed; the query is to be answered within CALLBACK_S."""

    query_id: str
    action: Action | None = None  # None: data of an earlier version, or somebody's own
    outbox_id: int = 0
    number: int = 0  # of the source to be shown
    message_id: str = ""  # the platform's id of the message with the button


def data_of(action: Action, outbox_id: int, number: int = 0) -> str:
    """Write the data of a button."""
    return f"{action.value}:{outbox_id}:{number}" if number else f"{action.value}:{outbox_id}"


def read_data(query_id: str, data: str, message_id: str) -> Press:
    """Read the data of a button; what is none of ours has no action."""
    found = _DATA.fullmatch(data) if data.isascii() else None
    known = found is not None and found[1] in list(Action)
    if found is None or not known:
        return Press(query_id, message_id=message_id)
    return Press(query_id, Action(found[1]), int(found[2]), int(found[3] or 0), message_id)
