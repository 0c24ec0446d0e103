"""The commands everybody may give."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from core import command_words as words
from core import wording
from core.actions_call import Call, Tools, respond
from core.channels import language_code
from core.domain import Answer, Author, File, Role, Session, Turn
from core.wording import TRANSLATIONS

"""Who has said what another person asked in the same thread, where no name is known."""

_TURNS = 10  # shown where no number is given
_MOST_TURNS = 50
_LONGEST_TURN = 600  # characters shown of each
_PAGE = 100


async def new(tools: Tools, call: Call) -> str:
    """Begin a new session in the place; one in which nothing was said yet is new enough."""
    if call.session is None or call.session.turns:
        message = call.message
        await tools.sessions.start(call.tenant_id, message.place, message.author.author_id)
    return call.say(wording.NEW_CONVERSATION)


async def history(tools: Tools, call: Call) -> str:
    """Show the last turns."""
    count = call.number(0) if call.word(0) else _TURNS
    if not count:
        return call.misused()
    if call.session is None:
        return call.say(words.NOTHING_SAID)
    turns = await tools.sessions.turns(call.tenant_id, call.session.session_id, limit=min(count, _MOST_TURNS))
    if not turns:
        return call.say(words.NOTHING_SAID)
    said_by = await tools.authors.said_by(call.tenant_id, call.session.session_id)
    spoken = ((_speaker(call, turn, call.session, said_by), turn) for turn in turns)
    return "\n\n".join(f"**{speaker}**: {_shorten(turn.text)}" for speaker, turn in spoken)


def _speaker(call: Call, turn: Turn, session: Session, said_by: Mapping[int, Author]) -> str:
    """Name who said TURN; in a thread several people ask, and where it is not known who, whoever began it did."""
    if turn.role is not Role.AUTHOR:
        return "Frontdesk" if turn.role is Role.ASSISTANT else call.say(wording.A_PERSON)
    author = said_by.get(turn.turn_id, Author(session.author_id))
    if author.author_id == call.message.author.author_id:
        return call.say(words.YOU)
    return author.name or call.say(wording.SOMEBODY)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_TURN else text[: _LONGEST_TURN - 1].rstrip() + "…"


async def favourite(tools: Tools, call: Call) -> str:
    """Mark the session as a favourite or not."""
    if call.word(0).lower() not in ("", "on", "off"):
        return call.misused()
    if call.session is None:
        return call.say(words.NO_CONVERSATION)
    marked = call.word(0).lower() != "off"
    await tools.sessions.set_favourite(call.tenant_id, call.session.session_id, marked)
    return call.say(words.NOW_FAVOURITE if marked else words.NO_FAVOURITE)


async def language(tools: Tools, call: Call) -> str:
    """Choose the language of the session's answers, or show it."""
    wanted = call.word(0).lower()
    if not wanted:
        known = ", ".join(f"`{code}`" for code in ("en", *TRANSLATIONS))
        return f"{call.say(words.LANGUAGE_NOW, language=f'`{call.language}`')} ({known})"
    if wanted == "auto":
        if call.session is not None:
            await tools.sessions.choose_language(call.tenant_id, call.session.session_id, "")
        return call.say(words.LANGUAGE_DETECTED)
    try:
        code = language_code(wanted)
    except ValueError:
        return call.misused()
    session = call.session or await _open(tools, call)
    await tools.sessions.choose_language(call.tenant_id, session.session_id, code)
    return wording.say(words.LANGUAGE_CHOSEN, code)


async def _open(tools: Tools, call: Call) -> Session:
    return await tools.sessions.open(call.tenant_id, call.message.place, call.message.author.author_id)


async def forget(tools: Tools, call: Call) -> str:
    """Erase what is kept of the author, once they have said yes."""
    if call.word(0).lower() != "yes":
        return f"{call.say(words.FORGET_WARNING)} {call.say(words.CONFIRM, command=call.command('forget yes'))}"
    platform, author_id = call.message.place.platform, call.message.author.author_id
    erased = await tools.authors.erase(call.tenant_id, platform, author_id)
    sessions = await tools.sessions.erase_author(call.tenant_id, platform, author_id)
    said = call.say(words.FORGOTTEN, sessions=sessions, turns=erased.turns, files=erased.files, ratings=erased.ratings)
    return f"{said} {call.say(words.TICKETS_STAY, count=erased.tickets)}" if erased.tickets else said


async def stop(_: Tools, call: Call) -> str:
    """Say that there is nothing to stop: what was under way has been stopped before this is run."""
    return call.say(words.NOTHING_TO_STOP)


async def export(tools: Tools, call: Call) -> Answer | str:
    """Hand the author's own sessions on this platform over as one file."""
    form = call.word(0).lower() or "markdown"
    if form not in ("markdown", "md", "json"):
        return call.misused()
    kept = [(session, await _all_turns(tools, call, session)) async for session in _own_sessions(tools, call)]
    said_by = [await tools.authors.said_by(call.tenant_id, session.session_id) for session, _ in kept]
    if not kept:
        return call.say(words.NOTHING_TO_EXPORT)
    if form == "json":
        file = File("frontdesk.json", "application/json", _as_json(kept))
    else:
        file = File("frontdesk.md", "text/markdown", _as_markdown(call, kept, said_by))
    return respond(call, call.say(words.EXPORTED, count=len(kept)), file=file)


async def _own_sessions(tools: Tools, call: Call) -> AsyncIterator[Session]:
    author_id, platform = call.message.author.author_id, call.message.place.platform
    offset = 0
    while page := await tools.sessions.sessions(call.tenant_id, author_id=author_id, limit=_PAGE, offset=offset):
        for session in page:
            if session.place.platform is platform and session.turns:
                yield session
        offset += len(page)


async def _all_turns(tools: Tools, call: Call, session: Session) -> list[Turn]:
    turns: list[Turn] = []
    before = None
    while page := await tools.sessions.turns(call.tenant_id, session.session_id, limit=_PAGE, before=before):
        turns = [*page, *turns]
        before = page[0].turn_id
    return turns


def _as_json(kept: list[tuple[Session, list[Turn]]]) -> str:
    sessions: list[dict[str, Any]] = [
        {
            "session_id": str(session.session_id),
            "title": session.title,
            "favourite": session.favourite,
            "created_at": session.created_at.isoformat(),
            "turns": [
                {
                    "role": turn.role.value,
                    "text": turn.text,
                    "created_at": turn.created_at.isoformat(),
                    "origin": turn.origin.value if turn.origin else None,
                    "sources": [
                        {"label": citation.label, "source": citation.source, "quote": citation.quote}
                        for citation in turn.citations
                    ],
                }
                for turn in turns
            ],
        }
        for session, turns in kept
    ]
    return json.dumps({"sessions": sessions}, ensure_ascii=False, indent=2)


def _as_markdown(call: Call, kept: list[tuple[Session, list[Turn]]], said_by: list[Mapping[int, Author]]) -> str:
    parts = []
    for (session, turns), authors in zip(kept, said_by, strict=True):
        parts.append(f"# {session.title or session.session_id}\n\n{session.created_at:%Y-%m-%d %H:%M} UTC")
        for turn in turns:
            sources = "".join(f"\n- [{citation.number}] {citation.label}" for citation in turn.citations)
            speaker = _speaker(call, turn, session, authors)
            parts.append(f"**{speaker}**: {turn.text}" + (f"\n{sources}" if sources else ""))
    return "\n\n".join(parts) + "\n"
