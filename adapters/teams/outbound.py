"""From answers to activities, as plain data: the bytes on the wire are those of these dicts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.teams.cards import answer_card, attachment, cut, has_address, job_card, ticket_card, with_submits
from adapters.teams.inbound import Scope
from adapters.teams.limits import (
    CITATION_ABSTRACT,
    CITATION_NAME,
    CITATIONS,
    INFORMATIVE_TEXT,
    MESSAGE_UNITS,
    RESERVED_UNITS,
    SUGGESTED_PROMPTS,
)
from adapters.teams.markup import escape, plain, to_teams
from adapters.teams.payload import is_teams
from core import wording
from core.commands import BY_NAME, summary
from core.documents import Citation
from core.domain import Answer, Origin, TicketState
from core.parts import split_text, utf16_units
from core.routing import SmallTalkKind
from core.routing import reply as small_talk_reply

Activity = dict[str, Any]

_TEXT_LIMITS = (11_000, 8_000, 5_500, 3_500, 2_000, 1_000)  # UTF-16 units, tried in this order
_QUOTES = (1_200, 500, 0)  # characters of a passage in a card
_LONGEST_URL = 1_000
_EMPTY = "…"
_PROMPTS = (("help", "help"), ("new", "new"), ("human", "human"))  # command, and what is written when it is pressed


def units_of(activity: Mapping[str, Any]) -> int:
    """Measure an activity as Teams does: UTF-16 code units of its JSON."""
    return utf16_units(json.dumps(activity, ensure_ascii=False, separators=(",", ":")))


def may_stream(text: str) -> bool:
    """Tell whether TEXT, in Teams' Markdown, is short enough to be shown in one message while it grows."""
    return (
        utf16_units(text) <= _TEXT_LIMITS[0] and units_of(streaming(text, 1, _EMPTY)) <= MESSAGE_UNITS - RESERVED_UNITS
    )


def render(
    answer: Answer,
    scope: Scope,
    *,
    feedback: bool = True,
    state: TicketState = TicketState.OPEN,
    outbox_id: int | None = None,
    limit_units: int = MESSAGE_UNITS - RESERVED_UNITS,
) -> list[Activity]:
    """Write ANSWER as the messages that show it, in their order; each fits LIMIT_UNITS.

    Citations stand in the message with their marks, the card and the feedback buttons under the last one. STATE is that
    of the ticket it has opened. Buttons name the delivery OUTBOX_ID.
    """
    for longest_quote in _QUOTES:
        cards = _cards(answer, longest_quote, scope, state, outbox_id)
        for limit in _TEXT_LIMITS:
            messages = _messages(answer, full_text(answer), limit, feedback=feedback, cards=cards)
            if all(units_of(message) <= limit_units for message in messages):
                return messages
    return [message_of(text) for text in split_text(plain(answer.text), limit_units // 4, utf16_units)]


def _messages(
    answer: Answer, full: str, limit: int, *, feedback: bool = True, cards: Sequence[Activity] = ()
) -> list[Activity]:
    texts = split_text(full, limit, utf16_units) or [_EMPTY]
    messages = [message_of(text) for text in texts]
    for message in messages:
        if entity := root_entity(answer, message["text"]):
            message["entities"] = [entity]
    last = messages[-1]
    if cards:
        last["attachments"] = [*cards]
    if feedback and answer.origin in _RATED:
        last["channelData"] = {"feedbackLoop": {"type": "default"}}
    return messages


_RATED = (Origin.DOCUMENTS, Origin.OPEN_CHAT, Origin.NOTHING_FOUND)


def may_share(answer: Answer, scope: Scope) -> bool:
    """Tell whether an answer is one person's alone and of a kind that others may want to read."""
    return answer.private and not answer.personal and answer.origin in _RATED and scope is not Scope.PERSONAL


def _cards(
    answer: Answer, longest_quote: int, scope: Scope, state: TicketState, outbox_id: int | None
) -> list[Activity]:
    number = answer.ticket_number
    if answer.job is not None:
        return [attachment(job_card(answer.text))]
    if number is not None and answer.text.startswith(wording.person_answered(number, answer.language)):
        return []
    if number is not None:
        return [attachment(ticket_card(number, state, language=answer.language))]
    share_in = scope if may_share(answer, scope) else None
    card = answer_card(answer, share_in=share_in, longest_quote=longest_quote, outbox_id=outbox_id)
    return [attachment(card)] if card else []


def stopped(answer: Answer, shown: str, *, limit_units: int = MESSAGE_UNITS - RESERVED_UNITS) -> list[Activity]:
    """Write an answer that its reader has stopped: what was SHOWN, in Teams' Markdown, and that it was stopped.

    One message where that fits LIMIT_UNITS, if need be without its passages.
    """
    word = escape(wording.say(wording.STOPPED, answer.language))
    full = f"{shown}\n\n*{word}*" if shown else word
    cited = tuple(one for one in answer.citations if f"[{one.number}]" in shown)
    ended = replace(answer, citations=cited, origin=Origin.STOPPED)
    cards = [answer_card(ended, longest_quote=longest) for longest in _QUOTES[1:]]
    for limit in (MESSAGE_UNITS, *_TEXT_LIMITS):
        for card in cards:
            messages = _messages(ended, full, limit, cards=[attachment(card)] if card else [])
            if all(units_of(message) <= limit_units for message in messages):
                return messages
    return [message_of(text) for text in split_text(full, limit_units // 4, utf16_units)]


def full_text(answer: Answer) -> str:
    """Write the text of an answer with its notice, and those sources that no citation entity has room for."""
    if answer.job is not None:
        return f"**{wording.say(wording.JOB, answer.language, number=answer.job)}**"
    parts = [to_teams(answer.text)]
    if answer.notice and answer.notice not in answer.text:
        parts.append(f"*{escape(answer.notice)}*")
    if rest := [citation for citation in answer.citations if citation.number > CITATIONS]:
        lines = [wording.say(wording.SOURCES, answer.language), *(_source_line(citation) for citation in rest)]
        parts.append("  \n".join(lines))
    return "\n\n".join(part for part in parts if part)


def _source_line(citation: Citation) -> str:
    label = escape(cut(citation.label, 200))
    url = _url_of(citation)
    return f"[{citation.number}] [{label}]({url})" if url else f"[{citation.number}] {label}"


def _url_of(citation: Citation) -> str:
    if not has_address(citation) or len(citation.source) > _LONGEST_URL:
        return ""
    return "".join(f"%{ord(c):02X}" if c in "<>()\\ \"'`|[]" else c for c in citation.source)


def root_entity(answer: Answer, text: str) -> Activity | None:
    """Make the one schema.org entity of a message: that a model wrote it, and what the marks in TEXT stand for."""
    cited = [one for one in answer.citations if one.number <= CITATIONS and f"[{one.number}]" in text]
    if not cited and not answer.model:
        return None
    entity: Activity = {
        "type": "https://schema.org/Message",
        "@type": "Message",
        "@context": "https://schema.org",
        "@id": "",
    }
    if answer.model:
        entity["additionalType"] = ["AIGeneratedContent"]
    if cited:
        entity["citation"] = [_claim(citation) for citation in cited]
    return entity


def _claim(citation: Citation) -> Activity:
    name = cut(citation.label or citation.source, CITATION_NAME)
    document: Activity = {
        "@type": "DigitalDocument",
        "name": name,
        "abstract": cut(citation.quote, CITATION_ABSTRACT) or name,
    }
    if url := _url_of(citation):
        document["url"] = url
    return {"@type": "Claim", "position": citation.number, "appearance": document}


def message_of(text: str, attachments: Sequence[Mapping[str, Any]] = ()) -> Activity:
    """Make a message of Teams' Markdown."""
    message: Activity = {"type": "message", "text": text, "textFormat": "markdown"}
    return {**message, "attachments": [*attachments]} if attachments else message


def card_message(card: Mapping[str, Any], fallback: str = "") -> Activity:
    """Make a message of one card; FALLBACK is what notifications show."""
    message: Activity = {"type": "message", "attachments": [attachment(card)]}
    return {**message, "summary": fallback} if fallback else message


def typing() -> Activity:
    """Show that somebody is at it, for some five seconds."""
    return {"type": "typing"}


def welcome(scope: Scope, language: str = "en", *, user: str = "") -> Activity:
    """Greet; where few are listening, with prompts to choose from."""
    text = small_talk_reply(SmallTalkKind.GREETING, language)
    message = message_of(to_teams(text))
    if scope is Scope.CHANNEL:
        return message
    actions = [
        {"type": "imBack", "title": summary(BY_NAME[command], language).rstrip("."), "value": said}
        for command, said in _PROMPTS[:SUGGESTED_PROMPTS]
    ]
    return {**message, "suggestedActions": {"actions": actions, "to": [user] if user else []}}


def addressed(activity: Mapping[str, Any], address: Mapping[str, Any], *, reply_to: str = "") -> Activity:
    """Say in ACTIVITY where it goes; with a private ADDRESS, only its user sees it there."""
    sent: Activity = {
        **activity,
        "from": {"id": address.get("bot", ""), "name": address.get("bot_name", "")},
        "conversation": {"id": address.get("conversation", "")},
    }
    if "attachments" in sent and not is_teams(address):
        sent["attachments"] = with_submits(sent["attachments"])
    if reply_to:
        sent["replyToId"] = reply_to
    if address.get("private") and address.get("scope") != Scope.PERSONAL:
        sent["recipient"] = {"id": address.get("user", ""), "isTargeted": True}
    return sent


# Streams, as bots/streaming-ux tells


def _stream_entity(kind: str, **more: Any) -> Activity:
    return {"type": "streaminfo", "streamType": kind, **more}


def _numbered(sequence: int, stream_id: str) -> Activity:
    return {"streamSequence": sequence, **({"streamId": stream_id} if stream_id else {})}


def informative(text: str, sequence: int = 1, stream_id: str = "") -> Activity:
    """Say below the chat what is being done; without STREAM_ID it begins the stream."""
    entity = _stream_entity("informative", **_numbered(sequence, stream_id))
    return {"type": "typing", "text": text[:INFORMATIVE_TEXT], "entities": [entity]}


def streaming(text: str, sequence: int, stream_id: str = "") -> Activity:
    """Show all the TEXT there is so far; it begins with what was shown before."""
    entity = _stream_entity("streaming", **_numbered(sequence, stream_id))
    return {"type": "typing", "text": text, "entities": [entity]}


def final(message: Mapping[str, Any], stream_id: str) -> Activity:
    """End a stream with MESSAGE in place of what was shown."""
    entity = _stream_entity("final", streamId=stream_id)
    return {**message, "entities": [entity, *message.get("entities", ())]}


# Files we send: bots/how-to/bots-filesv4


def consent(name: str, description: str, size_bytes: int, context: Mapping[str, Any]) -> Activity:
    """Ask whether a file may be put into the reader's own files, in a personal chat; CONTEXT comes back."""
    content = {
        "description": description,
        "sizeInBytes": size_bytes,
        "acceptContext": dict(context),
        "declineContext": dict(context),
    }
    card = {"contentType": "application/vnd.microsoft.teams.card.file.consent", "name": name, "content": content}
    return {"type": "message", "attachments": [card]}


def file_info(name: str, url: str, unique_id: str, suffix: str) -> Activity:
    """Show a file that was put there; the values are those of the consent's uploadInfo."""
    content = {"uniqueId": unique_id, "fileType": suffix}
    card = {
        "contentType": "application/vnd.microsoft.teams.card.file.info",
        "contentUrl": url,
        "name": name,
        "content": content,
    }
    return {"type": "message", "attachments": [card]}
