"""What a Teams message says: its text without our own mention, the command it may be, and its files."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.teams.limits import FILE_HOSTS
from adapters.teams.payload import host_allowed
from core.attached import MOST_FILES, PICTURE
from core.commands import BY_NAME, parse, write
from core.domain import Attachment
from core.payloads import Json, objects_at, text_at

REFERENCE = "teams:"
"""Begins the reference of a file that waits to be fetched; the address follows."""
FOREIGN_HOST = "it lies on a server that I may not fetch from"
PERSONAL_ONLY = "files can be read in the personal chat alone; send it to me there"
NO_ADDRESS = "it came without an address"

FILE = "application/vnd.microsoft.teams.file.download.info"
"""The type of an attachment that is a file of a personal chat."""
_UNREAD = ("text/html", "messageReference", "application/vnd.microsoft.teams.messaging-announcementBanner")
_CARD = "application/vnd.microsoft.card."
_AT = re.compile(r"<at\b[^<>]*>(.*?)</at>", re.IGNORECASE | re.DOTALL)
_ATTACHED = re.compile(r"<attachment\b", re.IGNORECASE)
_MOST_FILES = 2 * MOST_FILES  # the reader names those over its own limit; who sends more hears of the first ones


@dataclass(frozen=True, slots=True)
class File:
    """A file that waits to be fetched."""

    reference: str  # REFERENCE and the address, which is good for some minutes and needs no token
    name: str
    media_type: str


def mentions_us(activity: Json) -> bool:
    """Tell whether a message mentions the bot."""
    return _own_mention(activity) is not None


def _mentions(activity: Json) -> list[dict[str, Any]]:
    return [entity for entity in objects_at(activity, "entities") if text_at(entity, "type").lower() == "mention"]


def _own_mention(activity: Json) -> dict[str, Any] | None:
    bot = text_at(activity, "recipient", "id")
    return next((entity for entity in _mentions(activity) if text_at(entity, "mentioned", "id") == bot), None)


def first_mentioned(activity: Json) -> str:
    """Return the id of whoever a message begins by mentioning; empty where it does not begin so."""
    text = text_at(activity, "text").replace("&nbsp;", " ").lstrip()
    for entity in _mentions(activity):
        written = text_at(entity, "text")
        if written and text.startswith(written):
            return text_at(entity, "mentioned", "id")
    return ""


def readable(activity: Json) -> str:
    """Write what a message says as plain text; the bot's own mention is left out once, those of others are names."""
    text = text_at(activity, "text")
    own = _own_mention(activity)
    written = text_at(own, "text")
    if written and written in text:
        before, _, after = text.partition(written)
        text = before + (after.removeprefix("&nbsp;").lstrip(" \u00a0") if before.strip() == "" else after)
    text = _AT.sub(lambda found: found[1], text)
    text = html.unescape(text) if text_at(activity, "textFormat") == "xml" else text.replace("&nbsp;", " ")
    return text.replace("\u00a0", " ").strip()


def as_command(text: str, *, targeted: bool = False) -> str:
    """Write a command so that core.commands.parse reads it: "kb list" becomes "/kb list".

    With TARGETED it was chosen from the list of slash commands, so that a command's name may also have a text behind.
    """
    if text.startswith("/") or not text:
        return text
    first = text.split(maxsplit=1)[0].lower()
    known = BY_NAME.get(first)
    if targeted and known is not None and (known.arguments or known.verbs or text.lower() == first):
        return f"/{text}"
    parsed = parse(text, prefix="")
    return write(parsed) if parsed is not None else text


def read_attachments(
    activity: Json, hosts: Sequence[str] = FILE_HOSTS
) -> tuple[tuple[File, ...], tuple[Attachment, ...]]:
    """List the files to fetch, and those that are not taken with the reason; the HTML copy of the text is neither."""
    files: list[File] = []
    refused: list[Attachment] = _left_out(activity)
    for item in objects_at(activity, "attachments"):
        if not is_file(item):
            continue
        found = _read_file(item, text_at(item, "contentType"), hosts)
        if isinstance(found, File):
            files.append(found)
        else:
            refused.append(found)
    return tuple(files[:_MOST_FILES]), tuple(refused[:_MOST_FILES])


def is_file(item: Json) -> bool:
    """Tell whether an attachment is a file or picture, and not a card, a quote or the HTML copy of the text."""
    media_type = text_at(item, "contentType")
    return bool(media_type) and media_type not in _UNREAD and not media_type.startswith(_CARD)


def _left_out(activity: Json) -> list[Attachment]:
    """List the files of which only the HTML copy of the text tells, and not their names: those of channels."""
    if text_at(activity, "conversation", "conversationType") == "personal":
        return []
    items = objects_at(activity, "attachments")
    copies = [text_at(item, "content") for item in items if text_at(item, "contentType") == "text/html"]
    told = sum(len(_ATTACHED.findall(copy)) for copy in copies)
    missing = min(told - (len(items) - len(copies)), _MOST_FILES)
    return [Attachment("file", "", 0, reason=PERSONAL_ONLY) for _ in range(missing)]


def _read_file(item: Json, media_type: str, hosts: Sequence[str]) -> File | Attachment:
    name = text_at(item, "name") or "file"
    if media_type.startswith("image/"):
        return Attachment(name, media_type, 0, reason=PICTURE)
    if media_type != FILE:
        return Attachment(name, media_type, 0, reason=PERSONAL_ONLY)
    url, suffix = text_at(item, "content", "downloadUrl"), text_at(item, "content", "fileType")
    if not url:
        return Attachment(name, suffix, 0, reason=NO_ADDRESS)
    if not host_allowed(url, hosts):
        return Attachment(name, suffix, 0, reason=FOREIGN_HOST)
    return File(REFERENCE + url, name, "")
