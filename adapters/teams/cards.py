"""Adaptive Cards 1.5, as plain data, and what an invoke is answered with.

adaptivecards.microsoft.com; each button is an Action.Execute with an Action.Submit for clients that do not know it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.teams.inbound import MARK, Scope
from adapters.teams.invoked import Button
from adapters.teams.limits import ACTIONS, CARD_VERSION, CITATIONS, REFRESH_USERS
from adapters.teams.markup import escape
from core import wording
from core.documents import Citation
from core.domain import Answer, TicketState

CARD_TYPE = "application/vnd.microsoft.card.adaptive"
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_ERROR_TYPE = "application/vnd.microsoft.error"
_MESSAGE_TYPE = "application/vnd.microsoft.activity.message"
_STATES = {
    TicketState.OPEN: wording.TICKET_WAITS,
    TicketState.ANSWERED: wording.TICKET_HAS_ANSWER,
    TicketState.CLOSED: wording.TICKET_IS_OVER,
}
_CUT = "…"


def cut(text: str, longest: int) -> str:
    """Return TEXT in one line of at most LONGEST characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + _CUT


def attachment(card: Mapping[str, Any]) -> dict[str, Any]:
    """Put a card into the attachments of a message."""
    return {"contentType": CARD_TYPE, "content": dict(card)}


def make_card(body: Sequence[Mapping[str, Any]], actions: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Make a card of BODY with ACTIONS below it."""
    card = {"$schema": _SCHEMA, "type": "AdaptiveCard", "version": CARD_VERSION, "body": list(body)}
    return {**card, "actions": list(actions)} if actions else card


def text_block(text: str, **more: Any) -> dict[str, Any]:
    """Make a text that wraps; what it says it says literally."""
    return {"type": "TextBlock", "text": escape(text), "wrap": True, **more}


def button(verb: Button, title: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make one of our buttons; DATA comes back when it is pressed."""
    carried = {**(data or {}), MARK: verb.value}
    submit = {"type": "Action.Submit", "title": title, "data": carried}
    return {"type": "Action.Execute", "title": title, "verb": verb.value, "data": carried, "fallback": submit}


def answer_card(
    answer: Answer,
    *,
    share_in: Scope | None = None,
    longest_quote: int = 1_200,
    handed_on: bool = False,
    outbox_id: int | None = None,
) -> dict[str, Any] | None:
    """Make what stands below an answer: passages that no address leads to, and the buttons; None where there are none.

    With SHARE_IN, the answer is private and may be shown to all there. Quotes are cut at LONGEST_QUOTE characters.
    HANDED_ON says so in place of the button that asks for a person. Buttons name the delivery OUTBOX_ID.
    """
    language = answer.language
    shown = (
        [citation for citation in answer.citations if not has_address(citation)][:CITATIONS] if longest_quote else []
    )
    passages = [passage_button(citation, longest_quote) for citation in shown]
    actions: list[dict[str, Any]] = []
    carried = {
        **({"private": True} if answer.private else {}),
        **({"answer": outbox_id} if outbox_id is not None else {}),
    }
    if offers_person(answer) and not handed_on:
        actions.append(button(Button.HUMAN, wording.say(wording.NEED_PERSON, language), carried))
    if share_in is not None:
        title = wording.SHARE if share_in is Scope.CHANNEL else wording.SHARE_IN_CHAT
        actions.append(button(Button.SHARE, wording.say(title, language), carried))
    # In sets of the body, as a card without a body is not shown by every client.
    sets = [passages[start : start + ACTIONS] for start in range(0, len(passages), ACTIONS)] + (
        [actions] if actions else []
    )
    body = [text_block(wording.say(wording.SOURCES, language), isSubtle=True, spacing="None")] if passages else []
    body += [{"type": "ActionSet", "actions": held} for held in sets]
    if handed_on:
        body.append(text_block(wording.say(wording.HANDED_ON, language)))
    return make_card(body) if body else None


def offers_person(answer: Answer) -> bool:
    """Tell whether there is something in an answer that a person could do better."""
    return answer.ticket_number is None and answer.origin.value in ("documents", "open chat", "nothing found", "failed")


def has_address(citation: Citation) -> bool:
    """Tell whether a reader can open the source."""
    return citation.source.lower().startswith(("https://", "http://"))


def passage_button(citation: Citation, longest_quote: int) -> dict[str, Any]:
    """Make the button that shows the passage an answer rests on, without asking us again."""
    label = cut(citation.label, 80)
    return {
        "type": "Action.ShowCard",
        "title": f"[{citation.number}] {label}",
        "card": make_card([text_block(label, weight="Bolder"), text_block(cut(citation.quote, longest_quote))]),
    }


def ticket_card(
    number: int, state: TicketState, question: str = "", *, language: str = "en", users: Sequence[str] = ()
) -> dict[str, Any]:
    """Show how a ticket stands; for USERS, by their Teams ids, it brings itself up to date when they look."""
    data = {"number": number, "language": language}
    refresh = button(Button.TICKET, wording.say(wording.REFRESH, language), data)
    body = [text_block(wording.say(wording.TICKET, language, number=number), weight="Bolder")]
    if question:
        body.append(text_block(cut(question, 300), isSubtle=True))
    body.append(text_block(wording.say(_STATES[state], language)))
    card = make_card(body, [refresh] if state is TicketState.OPEN else [])
    if not users or state is not TicketState.OPEN:
        return card
    automatic = {name: held for name, held in refresh.items() if name != "fallback"}
    return {**card, "refresh": {"action": automatic, "userIds": list(users)[:REFRESH_USERS]}}


def job_card(text: str) -> dict[str, Any]:
    """Show how an ingestion goes: what TEXT says, line by line."""
    first, *rest = text.split("\n")
    lines = [text_block(cut(line.removeprefix("- "), 200), isSubtle=True, spacing="Small") for line in rest if line]
    return make_card([text_block(cut(first, 500)), *lines])


def with_submits(held: Any) -> Any:
    """Return cards without Action.Execute: Web Chat and its kin neither do it nor take what stands in its place."""
    if isinstance(held, list):
        return [with_submits(one) for one in held]
    if not isinstance(held, dict):
        return held
    if held.get("type") == "Action.Execute" and "fallback" in held:
        return held["fallback"]
    return {name: with_submits(one) for name, one in held.items() if name != "refresh"}


# What an invoke is answered with: the HTTP status is always 200, its own status is in the body.


def invoke_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Answer an Action.Execute by a card that takes the place of its own."""
    return {"statusCode": 200, "type": CARD_TYPE, "value": dict(card)}


def invoke_message(text: str) -> dict[str, Any]:
    """Answer an Action.Execute by a short text."""
    return {"statusCode": 200, "type": _MESSAGE_TYPE, "value": text}


def invoke_error(status: int, text: str) -> dict[str, Any]:
    """Refuse an Action.Execute; STATUS is that of HTTP."""
    return {"statusCode": status, "type": _ERROR_TYPE, "value": {"code": str(status), "message": text}}


def invoke_form(card: Mapping[str, Any], title: str) -> dict[str, Any]:
    """Answer a task/fetch or message/fetchTask by a form."""
    return {"task": {"type": "continue", "value": {"title": title, "card": attachment(card)}}}


def feedback_form(reaction: str, language: str = "en") -> dict[str, Any]:
    """Ask why an answer was rated; REACTION is like or dislike."""
    question = wording.YOUR_FEEDBACK if reaction == "like" else wording.WHAT_WAS_WRONG
    label = wording.say(question, language)
    field = {"type": "Input.Text", "id": "feedbackText", "label": label, "isMultiline": True, "maxLength": 2_000}
    return make_card([field], [{"type": "Action.Submit", "title": wording.say(wording.SEND, language)}])
