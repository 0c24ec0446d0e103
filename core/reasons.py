"""Why a file or a page was not read, in its sender's language; what is stored, and the command line, is English.

A reason that none of these messages makes stays English.
"""

import re
from functools import cache

from core.attached import ARCHIVE, GONE, NOT_READ, PICTURE, READ_IN_PART, RECORDING, SESSION_FULL, TOO_MANY
from core.ingestions import CANNOT_FETCH, DIED_TWICE, NOT_KEPT
from core.wording import say

REASONS = (
    TOO_MANY,
    SESSION_FULL,
    PICTURE,
    RECORDING,
    ARCHIVE,
    GONE,
    CANNOT_FETCH,
    NOT_KEPT,
    DIED_TWICE,
    "it has {size} MB and the limit is {limit}; split it, or have the limit raised",
    "it holds no text",
    "it holds no text; a scan needs text recognition (OCR) first",
    "it is empty",
    "it is damaged or not a PDF; open it and save it again as .pdf",
    "it is protected by a password; save an unprotected copy",
    "{extension} files are not read; save it as {format}",
    "{extension} files are not read; save each sheet as .csv",
    "{extension} files are not read; accepted are PDF, DOCX, HTML, Markdown, TXT, JSON and CSV",
    "its address is longer than {limit} characters; use a shorter one",
    "its address does not name a host in the usual way; check how it is written",
    "its address cannot be parsed; check how it is written",
    "{host} is on a private network ({address}); "
    "where it may be read, name the host in FETCH_ALLOW_HOSTS or the network in FETCH_ALLOW_NETWORKS",
    "there is no host {host}; check how it is written",
    "{host} cannot be reached or broke off; check the address, or try again later",
    "the server answers with {status}; check that the page is public",
    "it did not arrive within {seconds} s; try again later",
    "files can be read in the personal chat alone; send it to me there",
    "it lies on a server that I may not fetch from",
    "it came without an address",
    "Teams no longer gives it; send it again",
    "Telegram no longer has it; send it again",
    "it has over {limit} MB; split it and try again",
    "it lies outside Slack; send the file itself",
    "it was deleted in Slack",
    "Slack does not show it to Frontdesk; invite Frontdesk to the channel and send it again",
    "Its worker died {times} times; start it again.",
    READ_IN_PART,
)
"""The messages of the catalogues that reasons are made from; a reason is made in English, where it arises."""

_PLACE = re.compile(r"\\\{(\w+)\\\}")


def retell(text: str, language: str) -> str:
    """Say in LANGUAGE a reason that was made in English."""
    for message in REASONS:
        if match := _made_from(message).fullmatch(text):
            return say(message, language, **match.groupdict())
    return text


def not_read(name: str, reason: str, language: str) -> str:
    """Say that the file NAME was not read for a REASON that was made in English."""
    return say(NOT_READ, language, name=name, reason=retell(reason, language))


@cache
def _made_from(message: str) -> re.Pattern[str]:
    return re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(message)))
