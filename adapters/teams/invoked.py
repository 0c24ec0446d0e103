"""From what is pressed to an Incoming, or to what the invoke's own answer must say.

learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/universal-actions-for-adaptive-cards/work-with-universal-actions-for-adaptive-cards
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from adapters.teams.inbound import (
    MARK,
    Heard,
    Ignored,
    Scope,
    Seen,
    address_of,
    author_of,
    make_incoming,
    make_rating,
    place_of,
    scope_of,
)
from core.payloads import Json, object_at, parse_object, text_at, value_at
from core.places import Place

CARD_ACTION = "adaptiveCard/action"
FEEDBACK = "message/submitAction"
FEEDBACK_FORM = "message/fetchTask"
FILE_CONSENT = "fileConsent/invoke"

WISH = "human:"
"""What the message_id of a wish for a person begins with."""

_RATINGS = {"like": 1, "dislike": -1}


class Button(StrEnum):
    """The buttons of our cards."""

    HUMAN = "human"  # asks for a person
    SHARE = "share"  # shows a private answer to everybody
    TICKET = "ticket"  # asks how a ticket stands


class Asked(StrEnum):
    """What else an invoke wants to be told at once."""

    FORM = "feedback form"
    CONSENT = "file consent"


_ASKED = {
    FEEDBACK_FORM: (Asked.FORM, ("value", "data", "actionValue")),
    FILE_CONSENT: (Asked.CONSENT, ("value",)),
}


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button whose effect is shown at once, in the answer of the invoke."""

    what: Button | Asked
    data: Mapping[str, Any]
    place: Place
    message_id: str  # of the message with the button
    author_id: str
    address: Mapping[str, Any] = field(default_factory=dict)


def is_invoke(activity: Json) -> bool:
    """Tell whether the answer is expected in the body of the response."""
    return text_at(activity, "type") == "invoke"


def is_submitted(activity: Json) -> bool:
    """Tell whether a message is a card's Action.Submit, which clients without Action.Execute send."""
    ours = text_at(activity, "value", MARK) in tuple(Button)
    return text_at(activity, "type") == "message" and not text_at(activity, "text") and ours


def from_invoke(activity: Json, seen: Seen) -> Heard | Pressed | Ignored:
    """Turn an invoke, or what a card submits, into what it says."""
    if not author_of(activity) or not text_at(activity, "conversation", "id"):
        return Ignored("it says not who pressed it where")
    name = text_at(activity, "name")
    if is_submitted(activity) or name == CARD_ACTION:
        return _button(activity, seen, button_data(activity))
    if name == FEEDBACK:
        return _feedback(activity, seen)
    asked = _ASKED.get(name)
    if asked is None:
        return Ignored("nothing is done about this kind of invoke")
    what, path = asked
    return _pressed(activity, what, object_at(activity, *path))


def button_data(activity: Json) -> dict[str, Any]:
    """Return what one of our buttons carries."""
    return object_at(activity, "value") if is_submitted(activity) else _card_data(activity)


def is_wish(heard: Heard) -> bool:
    """Tell whether something that was pressed asks for a person."""
    return heard.incoming.message_id.startswith(WISH)


def _card_data(activity: Json) -> dict[str, Any]:
    action = object_at(activity, "value", "action")
    data = object_at(action, "data")
    return {**data, MARK: text_at(action, "verb") or text_at(data, MARK)}


def _button(activity: Json, seen: Seen, data: Json) -> Heard | Pressed | Ignored:
    name = text_at(data, MARK)
    if name not in tuple(Button):
        return Ignored("nothing is done about this button")
    if name == Button.HUMAN:
        return _wish(activity, seen, private=_is_private(activity, data))
    return _pressed(activity, Button(name), data)


def _is_private(activity: Json, data: Json) -> bool:
    return value_at(data, "private") is True and scope_of(activity) is not Scope.PERSONAL


def _wish(activity: Json, seen: Seen, *, private: bool) -> Heard:
    """Make the wish for a person; pressed twice under one answer it is one wish."""
    incoming = make_incoming(activity, seen, text="/human", private=private)
    target = text_at(activity, "replyToId") or incoming.message_id
    wish = f"{WISH}{target}:{author_of(activity)}"
    return Heard(replace(incoming, message_id=wish))


def _feedback(activity: Json, seen: Seen) -> Heard | Ignored:
    """Read a thumb under an answer, which the local client does not name: then it is the newest one.

    The form's fields come as JSON in a text, their names are Teams' own; the local client sends the text alone.
    """
    value = object_at(activity, "value", "actionValue")
    rating = _RATINGS.get(text_at(value, "reaction"))
    if text_at(activity, "value", "actionName") != "feedback" or rating is None:
        return Ignored("it rates neither well nor badly")
    written = text_at(value, "feedback")
    parsed = parse_object(written)
    given = object_at(value, "feedback") or ({"": written} if parsed is None else parsed)
    said = [text.strip() for text in given.values() if isinstance(text, str) and text.strip()]
    return Heard(make_rating(activity, seen, text_at(activity, "replyToId"), rating, " ".join(said)))


def _pressed(activity: Json, what: Button | Asked, data: Json) -> Pressed:
    private = _is_private(activity, data)
    return Pressed(
        what=what,
        data=dict(data),
        place=place_of(activity, private=private),
        message_id=text_at(activity, "replyToId"),
        author_id=author_of(activity),
        address=address_of(activity, private=private),
    )
