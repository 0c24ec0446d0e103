"""What somebody wrote, and whether it was written to the bot."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from core import commands
from core.channels import Listens, looks_like_question
from core.payloads import Json, flag_at, integer_at, object_at, objects_at, text_at

_LINKED = ("http://", "https://")
_HELP = "/help"


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a message without what only says whom it is for."""

    text: str
    named: bool = False  # it names the bot: a mention, or a command with its name
    to_another: bool = False  # a command with another bot's name


@dataclass(frozen=True, slots=True)
class _Change:
    """A stretch of the text, in UTF-16 code units, and what stands there instead."""

    begin: int
    end: int
    instead: str


def written(message: Json, bot_id: int, username: str) -> Written:
    """Read the text or caption of MESSAGE; links behind words are written out."""
    field, entities = ("text", "entities") if text_at(message, "text") else ("caption", "caption_entities")
    units = text_at(message, field).encode("utf-16-le", "surrogatepass")
    changes: list[_Change] = []
    named = to_another = False
    for kind, begin, end, entity in _entities(objects_at(message, entities), len(units) // 2):
        covered = _decoded(units[2 * begin : 2 * end])
        if kind == "bot_command" and begin == 0 and "@" in covered:
            command, _, name = covered.partition("@")
            ours = name.lower() == username.lower()
            named, to_another = named or ours, not ours
            changes += [_Change(0, end, command)] if ours else []
        elif _is_mention(kind, covered, entity, bot_id, username):
            changes += [] if named else [_Change(begin, end, "")]
            named = True
        elif kind == "text_link" and (url := text_at(entity, "url")).startswith(_LINKED) and url != covered:
            changes.append(_Change(begin, end, f"{covered} ({url})"))
    said = _changed(units, changes)
    return Written(said or (_quoted(message, bot_id) if named else ""), named, to_another)


def is_for(found: Written, message: Json, bot_id: int, listens: Listens, albums: Collection[str] = ()) -> bool:
    """Tell whether a group's message is for the bot: it names it, answers it, or the channel is listened to.

    ALBUMS are those of which a message was for the bot, as only one of them carries the caption.
    """
    if found.to_another:
        return False
    album = text_at(message, "media_group_id")
    if found.named or (album and album in albums) or _is_reply(message, bot_id):
        return True
    parsed = commands.parse(found.text) if found.text.startswith("/") else None
    if parsed is not None:
        return parsed.command is not None
    return listens is Listens.ALWAYS or (listens is Listens.QUESTION and looks_like_question(found.text))


def _is_reply(message: Json, bot_id: int) -> bool:
    """Tell whether MESSAGE replies to the bot; every message of a topic replies to the topic's first one."""
    replied = object_at(message, "reply_to_message")
    first = flag_at(message, "is_topic_message") and integer_at(replied, "message_id") == integer_at(
        message, "message_thread_id"
    )
    return integer_at(object_at(replied, "from"), "id") == bot_id and not first


def _is_mention(kind: str, covered: str, entity: Json, bot_id: int, username: str) -> bool:
    if kind == "mention":
        return bool(username) and covered.lower() == f"@{username}".lower()
    return kind == "text_mention" and integer_at(object_at(entity, "user"), "id") == bot_id


def _entities(found: Sequence[Json], length: int) -> Iterator[tuple[str, int, int, Json]]:
    """Yield kind, begin and end of the entities that lie in a text of LENGTH units, in order and one after another."""
    last = 0
    known = [(integer_at(entity, "offset"), integer_at(entity, "length"), entity) for entity in found]
    placed = [(begin, size, entity) for begin, size, entity in known if begin is not None and size is not None]
    for begin, size, entity in sorted(placed, key=lambda item: item[0]):
        kind = text_at(entity, "type")
        if kind in ("bot_command", "mention", "text_mention", "text_link") and last <= begin < begin + size <= length:
            last = begin + size
            yield kind, begin, begin + size, entity


def _changed(units: bytes, changes: list[_Change]) -> str:
    written_out, at = [], 0
    for change in changes:
        before = _decoded(units[2 * at : 2 * change.begin])
        taken_out = not change.instead and (not before or before.endswith((" ", "\n")))
        written_out += [before, change.instead]
        at = change.end
        while taken_out and units[2 * at : 2 * at + 2] == b" \0":
            at += 1
    return "".join([*written_out, _decoded(units[2 * at :])]).strip()


def _decoded(units: bytes) -> str:
    return units.decode("utf-16-le", "surrogatepass")


def _quoted(message: Json, bot_id: int) -> str:
    """Return what a bare mention asks about: the message it replies to, else for help."""
    replied = object_at(message, "reply_to_message")
    if integer_at(object_at(replied, "from"), "id") == bot_id:
        return _HELP
    return text_at(replied, "text").strip() or text_at(replied, "caption").strip() or _HELP
