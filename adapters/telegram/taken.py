"""The files of a message: references to what can be read, and a kind word about the rest."""

from collections.abc import Callable

from adapters.telegram import limits
from adapters.telegram.addressed import Written
from core.attached import PICTURE, RECORDING
from core.commands import parse
from core.domain import Attachment
from core.payloads import Json, flag_at, integer_at, object_at, objects_at, text_at

# For whoever sent it, as those of core/attached.py: they end the sentence "NAME was not read: ...".
ONLY_TEXT = "only texts and files are read; write what you would like to know"
TOO_LARGE = f"Telegram hands files over {limits.DOWNLOAD_BYTES >> 20} MB to nobody; send a smaller one, or a part of it"

REFERENCE = "telegram:"
"""Where Attachment.reason begins with it, the rest is a file_id: the file is still to be fetched."""


def attachments(message: Json) -> tuple[Attachment, ...]:
    """List what came with MESSAGE."""
    taken = tuple(take(object_at(message, field)) for field, take in _FIELDS.items() if object_at(message, field))
    return taken + _photo(message)


def replied(message: Json, found: Written) -> tuple[Attachment, ...]:
    """Take the file that MESSAGE replies to, where it is about that: /kb add, or a mention below somebody's file."""
    parsed = parse(found.text)
    adds = parsed is not None and parsed.name == "kb" and parsed.words[:1] == ("add",)
    below = object_at(message, "reply_to_message")
    theirs = found.named and parsed is None and not flag_at(object_at(below, "from"), "is_bot")
    document = object_at(below, "document")
    return (_document(document),) if document and (adds or theirs) else ()


def file_id_of(attachment: Attachment) -> str:
    """Return the file_id of an attachment that is still to be fetched; empty where there is nothing to fetch."""
    waits = attachment.upload_id is None and attachment.reason.startswith(REFERENCE)
    return attachment.reason.removeprefix(REFERENCE) if waits else ""


def _photo(message: Json) -> tuple[Attachment, ...]:
    sizes = objects_at(message, "photo")
    return (_refused(sizes[-1], "photo.jpg", "image/jpeg", PICTURE),) if sizes else ()


def _document(found: Json) -> Attachment:
    name, media_type = text_at(found, "file_name") or "document", text_at(found, "mime_type")
    size, file_id = integer_at(found, "file_size") or 0, text_at(found, "file_id")
    if size > limits.DOWNLOAD_BYTES or not file_id:
        return Attachment(name, media_type, max(size, 0), None, TOO_LARGE)
    return Attachment(name, media_type, max(size, 0), None, REFERENCE + file_id)


def _refused(found: Json, name: str, media_type: str, reason: str) -> Attachment:
    size = max(integer_at(found, "file_size") or 0, 0)
    name, media_type = text_at(found, "file_name") or name, text_at(found, "mime_type") or media_type
    return Attachment(name, media_type, size, None, reason)


def _refusal(name: str, media_type: str, reason: str) -> Callable[[Json], Attachment]:
    return lambda found: _refused(found, name, media_type, reason)


# An animation comes with a document of the same file, for clients that know no animations.
_FIELDS: dict[str, Callable[[Json], Attachment]] = {
    "document": _document,
    "voice": _refusal("voice.ogg", "audio/ogg", RECORDING),
    "audio": _refusal("audio.mp3", "audio/mpeg", RECORDING),
    "video": _refusal("video.mp4", "video/mp4", RECORDING),
    "video_note": _refusal("video.mp4", "video/mp4", RECORDING),
    "sticker": _refusal("sticker", "image/webp", ONLY_TEXT),
    "location": _refusal("location", "", ONLY_TEXT),
    "contact": _refusal("contact", "", ONLY_TEXT),
    "poll": _refusal("poll", "", ONLY_TEXT),
    "dice": _refusal("dice", "", ONLY_TEXT),
    "story": _refusal("story", "", ONLY_TEXT),
}
