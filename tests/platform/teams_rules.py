"""What an activity may be: the size, the entities, the citations, the cards."""

import json
import re
from typing import Any

from tests.platform.teams_state import Json

MESSAGE_BYTES = 28 * 1024  # of UTF-16
ROOT = "https://schema.org/Message"
CARD = "application/vnd.microsoft.card.adaptive"
TEXT_FORMATS = ("plain", "markdown", "xml", "extendedmarkdown")
ELEMENTS = frozenset(
    "TextBlock Container ColumnSet Column FactSet Image ImageSet ActionSet RichTextBlock Table "
    "Input.Text Input.ChoiceSet Input.Toggle Input.Date Input.Number Input.Time Media".split()
)
ACTIONS = frozenset("Action.Execute Action.Submit Action.OpenUrl Action.ShowCard Action.ToggleVisibility".split())
_MOST_USERS = 60


class TeamsError(Exception):
    """A refusal with its status and its code."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: int = 0) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.retry_after_s = status, code, message, retry_after_s

    def body(self) -> Json:
        return {"error": {"code": self.code, "message": self.message}}


def bad(message: str) -> TeamsError:
    return TeamsError(400, "BadSyntax", message)


def size_bytes(activity: Json) -> int:
    return len(json.dumps(activity, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le", "surrogatepass"))


def check_activity(activity: Any) -> None:
    """Raise TeamsError for what the service refuses, whatever kind of activity it is."""
    if not isinstance(activity, dict) or not isinstance(activity.get("type"), str):
        raise bad("Activity type is missing.")
    if activity["type"] not in ("message", "typing"):
        raise bad(f"Activities of type {activity['type']} cannot be sent to a conversation.")
    if size_bytes(activity) > MESSAGE_BYTES:
        raise TeamsError(413, "MessageSizeTooBig", "Message size too large.")
    if activity.get("textFormat", "markdown") not in TEXT_FORMATS:
        raise bad("Unknown textFormat.")
    if activity["type"] == "message" and not (activity.get("text") or activity.get("attachments")):
        raise bad("The message has neither text nor attachments.")
    entities = activity.get("entities") or []
    if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
        raise bad("Entities must be objects.")
    check_entities(entities)
    for attachment in activity.get("attachments") or []:
        check_attachment(attachment)


def check_entities(entities: list[Json]) -> None:
    roots = [entity for entity in entities if entity.get("type") == ROOT]
    if len(roots) > 1:
        raise bad("Only one root message entity is allowed.")
    for root in roots:
        if root.get("@type") != "Message" or not root.get("@context"):
            raise bad("The message entity needs @type and @context.")
        citations = root.get("citation") or []
        if len(citations) > 20:
            raise bad("A message has at most 20 citations.")
        positions = [check_citation(citation) for citation in citations]
        if len(set(positions)) != len(positions):
            raise bad("Two citations have the same position.")
    for entity in entities:
        if set(entity) == {"type"} and entity["type"] != "typing":
            raise bad("Only start streaming and continue streaming types are allowed as a typing activity.")


def check_citation(citation: Json) -> int:
    document = citation.get("appearance") or {}
    position = citation.get("position")
    if citation.get("@type") != "Claim" or not isinstance(position, int) or position < 1:
        raise bad("A citation is a Claim with a position.")
    if document.get("@type") != "DigitalDocument" or not document.get("name") or len(document["name"]) > 80:
        raise bad("A citation's name has 1 to 80 characters.")
    if not document.get("abstract") or len(document["abstract"]) > 160:
        raise bad("A citation's abstract has 1 to 160 characters.")
    keywords = document.get("keywords") or []
    if len(keywords) > 3 or any(len(word) > 28 for word in keywords):
        raise bad("A citation has at most 3 keywords of 28 characters.")
    if not re.match(r"https?://", document.get("url", "https://")):
        raise bad("A citation's url is not an address.")
    return position


def unmarked(activity: Json) -> list[int]:
    """List the citations whose marks the text does not hold: they are shown nowhere."""
    text = str(activity.get("text") or "")
    roots = [entity for entity in activity.get("entities") or [] if entity.get("type") == ROOT]
    return [
        claim["position"]
        for root in roots
        for claim in root.get("citation") or []
        if f"[{claim['position']}]" not in text
    ]


def check_attachment(attachment: Any) -> None:
    if not isinstance(attachment, dict) or not attachment.get("contentType"):
        raise bad("An attachment has no contentType.")
    if attachment["contentType"] == CARD:
        card = attachment.get("content")
        if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
            raise bad("The card is not an AdaptiveCard.")
        version = str(card.get("version", ""))
        if not re.fullmatch(r"1\.[0-5]", version):
            raise bad(f"Adaptive Cards {version or 'without a version'} are not supported.")
        check_card(card)


def check_card(card: Json) -> None:
    if not isinstance(card.get("body", []), list) or not (card.get("body") or card.get("actions")):
        raise bad("The card is empty.")
    if len(card.get("refresh", {}).get("userIds", [])) > _MOST_USERS:
        raise bad("A card is refreshed for at most 60 people.")
    for element in card.get("body", []):
        check_element(element)
    for action in card.get("actions", []):
        check_action(action)


def check_element(element: Json) -> None:
    if element.get("type") not in ELEMENTS:
        raise bad(f"Unknown card element {element.get('type')}.")
    if element["type"] == "TextBlock" and not isinstance(element.get("text"), str):
        raise bad("A TextBlock needs a text.")
    for action in element.get("actions", []):
        check_action(action)
    for inner in [*element.get("items", []), *element.get("columns", [])]:
        check_element(inner)


def check_action(action: Json) -> None:
    kind = action.get("type")
    if kind not in ACTIONS:
        raise bad(f"Unknown card action {kind}.")
    if kind == "Action.Execute" and not isinstance(action.get("verb"), str):
        raise bad("An Action.Execute needs a verb.")
    if kind == "Action.ShowCard":
        check_card(action.get("card") or {})
    if isinstance(action.get("fallback"), dict):
        check_action(action["fallback"])


def actions_of(card: Json) -> list[Json]:
    """List the actions of a card, those inside its elements and its inner cards too."""
    found = list(card.get("actions", []))
    for element in card.get("body", []):
        found += element.get("actions", [])
    return found + [inner for action in found if "card" in action for inner in actions_of(action["card"])]
