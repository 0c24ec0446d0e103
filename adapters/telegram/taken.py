"""The files of a message: references to what can be read, and a kind word about the rest."""

from collections.abc import Callable

from adapters.telegram import limits
from adapters.telegram.addressed import Written
from adapters.telegram.sender import is_private
from core import wording
from core.attached import PICTURE, RECORDING
from core.commands import parse
from core.domain import Attachment
from core.payloads import Json, flag_at, integer_at, object_at, objects_at, text_at

# As those of core/attached.py, this ends the sentence "NAME was not read: ...".
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


def word_for(message: Json) -> str:
    """Return what to say of a MESSAGE without a text that holds nothing to be read; empty for files, and in albums.

    What is not known here is said to be so in private chats, unless it only tells of a change of the chat.
    """
    if text_at(message, "media_group_id"):
        return ""
    word = next((word for field, word in _WORDS.items() if object_at(message, field)), "")
    if word or not is_private(message) or attachments(message):
        return word
    return wording.NO_OTHER if any(not _is_known(field) for field, value in message.items() if value) else ""


def _is_known(field: str) -> bool:
    """Tell whether FIELD is about the message itself, or of a kind that tells of a change of the chat."""
    return field in _ENVELOPE or field in _CHANGES or field.startswith(_CHANGING)


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
}

# Before a document, which comes with an animation for clients that know none; a venue comes with its location.
_WORDS = {
    "voice": wording.NO_VOICE,
    "audio": wording.NO_SOUND,
    "video": wording.NO_VIDEO,
    "video_note": wording.NO_VIDEO,
    "animation": wording.NO_ANIMATION,
    "sticker": wording.NO_STICKER,
    "location": wording.NO_LOCATION,
    "contact": wording.NO_CONTACT,
    "poll": wording.NO_POLL,
    "dice": wording.NO_OTHER,
    "story": wording.NO_OTHER,
    "game": wording.NO_OTHER,
    "invoice": wording.NO_OTHER,
    "checklist": wording.NO_OTHER,
    "paid_media": wording.NO_OTHER,
    "giveaway": wording.NO_OTHER,
    "giveaway_winners": wording.NO_OTHER,
}

# API, Message: the fields that are no content, and those of service messages.
_ENVELOPE = frozenset(
    "message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count sender_business_bot "
    "sender_tag date business_connection_id chat forward_origin is_topic_message is_automatic_forward reply_to_message "
    "external_reply quote reply_to_story reply_to_checklist_task_id via_bot edit_date has_protected_content "
    "is_from_offline is_paid_post media_group_id author_signature paid_star_count text entities link_preview_options "
    "suggested_post_info effect_id caption caption_entities show_caption_above_media has_media_spoiler reply_markup "
    "document photo guest_query_id".split()
)
_CHANGES = frozenset(
    "left_chat_member delete_chat_photo group_chat_created supergroup_chat_created channel_chat_created "
    "message_auto_delete_timer_changed pinned_message successful_payment refunded_payment users_shared gift "
    "unique_gift gift_upgrade_sent connected_website write_access_allowed passport_data proximity_alert_triggered "
    "boost_added checklist_tasks_done checklist_tasks_added direct_message_price_changed giveaway_created "
    "giveaway_completed managed_bot_created paid_message_price_changed web_app_data poll_option_added "
    "poll_option_deleted".split()
)
_CHANGING = ("new_chat_", "chat_", "migrate_", "forum_topic_", "general_forum_topic_", "video_chat_", "suggested_post_")
