"""From an Answer to Slack's messages and modals, within all limits of adapters/slack/limits.py.

An answer's Markdown goes into a `markdown` block as it is: Slack renders it as it renders a stream, so that an edit
behind a stream changes nothing, and headings, tables and nested lists stay what they are. It is converted once, for
the text that notifications, screen readers and a message without blocks show.
docs.slack.dev/reference/block-kit/blocks/markdown-block
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack import limits
from adapters.slack.cutting import cut_all
from adapters.slack.markup import escape, plain, to_mrkdwn, to_short_mrkdwn
from adapters.slack.pressed import BAD, FEEDBACK, FEEDBACK_REASON, GOOD, HUMAN, PASSAGE, SHARE
from adapters.slack.tickets import ticket_buttons
from core import wording
from core.documents import Citation
from core.domain import Answer, Origin
from core.parts import split_text

Block = dict[str, Any]

BODY = 3_800
"""The most of an answer's Markdown in one message, by `cost`: so its text is whole without its blocks too."""
EMPTY = "…"
QUIET: Mapping[str, bool] = {"unfurl_links": False, "unfurl_media": False}
"""What every post is sent with: a link in an answer is a source, not a picture."""

_RATEABLE = (Origin.DOCUMENTS, Origin.OPEN_CHAT, Origin.NOTHING_FOUND)
_MOST_SOURCES = 2 * limits.ACTIONS_ELEMENTS
_LINES = 5_000  # characters of all linked sources; further ones become buttons
_LONGEST_URL = 2_000
_LABEL = 200
_GUARD = "\u00ad"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What could become a mention, however its "<" is written; a soft hyphen, which nobody sees, keeps it from being one.
# Only that: one more character breaks an e-mail address, the anchor of a link and a colour in code.
_MENTION = re.compile(
    r"(?<=[<;\\])(?:[@!](?=(?:here|channel|everyone|group)\b|subteam\^)|@(?=[UW][A-Z0-9]{5})|#(?=[CG][A-Z0-9]{5}))"
    r"|(?<!\w)@(?=(?:here|channel|everyone|group)\b)",
    re.IGNORECASE,
)
_COSTS = {"&": 5, "<": 4, ">": 4, "*": 3, "_": 3, "~": 3, "`": 3, ":": 2, "@": 2, "!": 2, "#": 2}


@dataclass(frozen=True, slots=True)
class Part:
    """One message of an answer."""

    body: str  # Markdown, at most 12,000 characters
    text: str  # the same as mrkdwn, at most 4,000: for notifications, and where the blocks are refused
    head: tuple[Block, ...] = ()
    tail: tuple[Block, ...] = ()

    @property
    def blocks(self) -> list[Block]:
        """List all its blocks."""
        return [*self.head, {"type": "markdown", "text": self.body}, *self.tail]


def render(
    answer: Answer,
    outbox_id: int,
    *,
    private: bool = False,
    can_share: bool = False,
    shared_by: str = "",
    offers_person: bool = True,
) -> list[Part]:
    """Write ANSWER as messages, at least one.

    PRIVATE is one that only its reader sees, who may share it where CAN_SHARE; SHARED_BY is the id of whoever did.
    """
    header, words = _introduced(answer)
    texts = cut_all(sound(words), BODY, cost) or [EMPTY]
    head = (_context(header),) if header else ()
    tail = _tail(answer, outbox_id, private=private, can_share=can_share, offers_person=offers_person)
    if shared_by:
        tail = (*tail, _context(wording.say(wording.SHARED_BY, answer.language, name=f"<@{shared_by}>")))
    parts = []
    for number, text in enumerate(texts):
        first, last = number == 0, number == len(texts) - 1
        listed = [source_line(citation) for citation in answer.citations] if last else []
        parts.append(
            Part(
                text,
                _text(text, header if first else "", listed),
                head if first else (),
                tail if last else (),
            )
        )
    return parts


def interim(markdown: str) -> Part:
    """Write what there is of an answer that grows: as much as fits one message."""
    body = next(iter(cut_all(sound(markdown), BODY, cost)), EMPTY)
    return Part(body, _text(body, "", ()))


def sound(markdown: str) -> str:
    """Drop what Slack refuses from MARKDOWN, and guard what could mention somebody."""
    clean = _CONTROL.sub("", markdown.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n"))
    return _MENTION.sub(lambda found: found.group() + _GUARD, clean)


def cost(text: str) -> int:
    """Count how long TEXT may become as mrkdwn."""
    return sum(_COSTS.get(character, 1) for character in text)


def digest(answer: Answer) -> str:
    """Name what an answer says, so that the same is known."""
    return f"{zlib.crc32(repr((answer.text, answer.notice, answer.citations)).encode('utf-8', 'replace')):08x}"


def private_id(outbox_id: int, answer: Answer, part: int = 0) -> str:
    """Name a message that only its reader sees: Slack lets nobody edit or delete it, and often gives it no id."""
    return f"private:{outbox_id}:{digest(answer)}" + (f":{part}" if part else "")


def source_line(citation: Citation) -> str:
    """Write a source as mrkdwn, a link where its document has an address."""
    label = escape(_shortened(sound(citation.label), _LABEL)).strip() or EMPTY
    if not citation.source.lower().startswith(("http://", "https://")) or len(citation.source) > _LONGEST_URL:
        return f"[{citation.number}] {label}"
    encoded = "".join(f"%{ord(c):02X}" if c in '<>| "\n\r\t' else c for c in sound(citation.source))
    return f"[{citation.number}] <{encoded.replace('&', '&amp;')}|{label}>"


def passage_view(citation: Citation, language: str) -> dict[str, Any]:
    """Show the passage behind a source that has no address."""
    quote = sound(citation.quote).strip() or EMPTY
    where = _shortened(sound(citation.label) or EMPTY, limits.SECTION_TEXT)
    blocks: list[Block] = [{"type": "section", "text": _plain(where)}]
    if citation.page is not None:
        page = wording.say(wording.PAGE, language, number=citation.page)
        blocks.append({"type": "context", "elements": [_plain(page)]})
    blocks.append({"type": "divider"})
    texts = split_text(quote, limits.SECTION_TEXT)[: limits.BLOCKS_PER_VIEW - len(blocks)]
    blocks += [{"type": "section", "text": _plain(text)} for text in texts]
    title = wording.say(wording.SOURCE_NUMBER, language, number=citation.number)
    return {
        "type": "modal",
        "title": _plain(_shortened(title, limits.VIEW_TITLE)),
        "close": _plain(wording.say(wording.CLOSE, language)),
        "blocks": blocks,
    }


def message_view(text: str, language: str) -> dict[str, Any]:
    """Say one sentence in a modal."""
    return {
        "type": "modal",
        "title": _plain("Frontdesk"),
        "close": _plain(wording.say(wording.CLOSE, language)),
        "blocks": [{"type": "section", "text": _plain(_shortened(sound(text) or EMPTY, limits.SECTION_TEXT))}],
    }


def reason_view(rated: Mapping[str, str], language: str) -> dict[str, Any]:
    """Ask why an answer was rated badly; RATED names it: channel, ts, thread_ts, and message where it is private."""
    field = {"type": "plain_text_input", "action_id": "reason", "multiline": True, "max_length": 2_000}
    label = _plain(wording.say(wording.WHAT_WAS_WRONG, language))
    return {
        "type": "modal",
        "callback_id": FEEDBACK_REASON,
        "private_metadata": json.dumps({"rating": BAD, **rated}),
        "title": _plain(wording.say(wording.YOUR_FEEDBACK, language)),
        "submit": _plain(wording.say(wording.SEND, language)),
        "close": _plain(wording.say(wording.CLOSE, language)),
        "blocks": [{"type": "input", "block_id": "reason", "label": label, "element": field}],
    }


def _introduced(answer: Answer) -> tuple[str, str]:
    """Take a person's words apart from the line that says they are a person's."""
    if answer.origin is not Origin.PERSON:
        return "", answer.text
    if answer.ticket_number is None:
        return wording.say(wording.A_PERSON, answer.language), answer.text
    header = wording.person_answered(answer.ticket_number, answer.language)
    if not answer.text.startswith(header):  # that a person was asked for
        return "", answer.text
    return header, answer.text.removeprefix(header).lstrip("\n")


def _text(body: str, header: str, sources: Sequence[str]) -> str:
    """Write a message for where its blocks are not seen: the best form that fits."""
    for write in (to_mrkdwn, to_short_mrkdwn, escape, plain):
        said = write(body)
        whole = "\n\n".join(piece for piece in (header, said, "\n".join(sources)) if piece)
        if said and len(whole) <= limits.UPDATE_TEXT:
            return whole
        if said and len(said) <= limits.UPDATE_TEXT:
            return said
    return _shortened(escape(plain(body)), limits.UPDATE_TEXT) or EMPTY


def _tail(answer: Answer, outbox_id: int, *, private: bool, can_share: bool, offers_person: bool) -> tuple[Block, ...]:
    rateable = answer.origin in _RATEABLE
    buttons = []
    if rateable and offers_person and answer.ticket_number is None:
        label = wording.say(wording.NEED_PERSON, answer.language)
        buttons.append(_button(HUMAN, label, f"{outbox_id}:{answer.language}"))
    if private and can_share and rateable:
        buttons.append(_button(SHARE, wording.say(wording.SHARE, answer.language), str(outbox_id)))
    blocks = [*_sources(answer, outbox_id), *_remarks(answer)]
    if rateable:
        blocks.append(_feedback(answer, private_id(outbox_id, answer) if private else ""))
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    if (announced := _announced(answer)) is not None and not answer.resolved:
        blocks.append(ticket_buttons(announced))
    return tuple(blocks)


def _announced(answer: Answer) -> int | None:
    """Return the number of the ticket that ANSWER announces (core/announcements.py); None for any other answer."""
    return answer.ticket_number if answer.origin is Origin.COMMAND else None


def _sources(answer: Answer, outbox_id: int) -> list[Block]:
    lines, buttons = [wording.say(wording.SOURCES, answer.language)], []
    for citation in answer.citations[:_MOST_SOURCES]:
        line = source_line(citation)
        if line.endswith(">") and sum(map(len, lines)) + len(line) <= _LINES:
            lines.append(line)
        else:
            label = _shortened(sound(f"[{citation.number}] {citation.label}"), limits.BUTTON_TEXT)
            buttons.append(_button(f"{PASSAGE}:{citation.number}", label, f"{outbox_id}:{citation.number}"))
    if not answer.citations:
        return []
    texts = split_text("\n".join(lines), limits.SECTION_TEXT)
    rows = range(0, len(buttons), limits.ACTIONS_ELEMENTS)
    return [
        *map(_context, texts),
        *({"type": "actions", "elements": buttons[row : row + limits.ACTIONS_ELEMENTS]} for row in rows),
    ]


def _remarks(answer: Answer) -> list[Block]:
    notice = escape(sound(answer.notice)).strip()
    remarks = [notice] if notice else []
    if answer.ticket_number is not None and answer.origin not in (Origin.PERSON, Origin.COMMAND):
        remarks.append(wording.say(wording.TICKET, answer.language, number=answer.ticket_number))
    return [_context(_shortened(" · ".join(remarks), limits.FIELD_TEXT))] if remarks else []


def _feedback(answer: Answer, message_id: str) -> Block:
    """Ask for a rating; in a private answer the value names the message, whose own id says nothing."""

    def button(rating: str, label: str) -> dict[str, Any]:
        value = json.dumps({"rating": rating, "message": message_id}) if message_id else rating
        return {"text": _plain(wording.say(label, answer.language)), "value": value}

    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": button(GOOD, wording.HELPFUL),
        "negative_button": button(BAD, wording.NOT_HELPFUL),
    }
    return {"type": "context_actions", "elements": [buttons]}


def _button(action_id: str, label: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": _plain(label), "value": value}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
