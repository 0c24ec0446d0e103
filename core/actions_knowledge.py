"""The commands about knowledge bases and channels."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from core import command_words as words
from core.actions_call import Call, Tools, respond
from core.asked import own_reader
from core.authors import reply_target
from core.channels import CHOICES, ChannelSettings, change, names
from core.documents import EmbedderIdentity, KnowledgeBase, Outcome, Passage, Query, Vector
from core.domain import Answer
from core.errors import ModelUnavailable, NotFound, UsageError
from core.ingestions import IngestionJobs, job_target
from core.job_reports import outcome_text, progress_text, state_text
from core.outbox import Target
from core.places import EMPLOYEE_PLATFORMS, Platform
from core.reasons import retell
from core.terms import terms

_DEFAULT = "default"
_NAMING = ("show", "remove", "refresh")  # verbs whose first word is a knowledge base
_LISTED = 40
_FOUND = 5
_QUOTE = 300  # characters of each passage found
_TOLD_DIRECTLY = (Platform.SLACK,)  # late words for one person come to their own conversation there


async def kb(tools: Tools, call: Call) -> Answer | str:
    """Manage the knowledge bases."""
    if not call.verb:
        return call.misused() if call.word(0) else await _list(tools, call)
    if call.verb in _NAMING and (name := call.parsed.options.get("kb")):
        verb, *rest = call.parsed.words
        call = replace(call, parsed=replace(call.parsed, words=(verb, name, *rest)))
    return await _VERBS[call.verb](tools, call)


async def _list(tools: Tools, call: Call) -> str:
    found = await tools.knowledge.knowledge_bases(call.tenant_id)
    return "\n".join(f"- **{base.name}** ({_size(call, base)}): {_scope(base)}" for base in found) or call.say(
        words.NO_KBS
    )


def _size(call: Call, base: KnowledgeBase) -> str:
    return call.say(words.SIZE, documents=base.documents, passages=base.chunks)


def _scope(base: KnowledgeBase) -> str:
    return ", ".join((*base.platforms, *(f"`{channel}`" for channel in base.channels)))


async def _find(tools: Tools, call: Call, name: str) -> KnowledgeBase | None:
    try:
        return await tools.knowledge.knowledge_base(call.tenant_id, name)
    except NotFound:
        return None


async def _missing(tools: Tools, call: Call, name: str) -> str:
    known = ", ".join(_quoted(base.name) for base in await tools.knowledge.knowledge_bases(call.tenant_id))
    return call.say(words.NO_KB, name=name, names=known) if known else call.say(words.NO_KBS)


async def _show(tools: Tools, call: Call) -> str:
    name = call.word(1)
    if not name:
        return call.misused()
    base = await _find(tools, call, name)
    if base is None:
        return await _missing(tools, call, name)
    documents = await tools.knowledge.documents(call.tenant_id, base.kb_id)
    if not documents:
        return call.say(words.NO_DOCUMENTS, name=name)
    lines = [f"**{base.name}** ({_size(call, base)}): {_scope(base)}"]
    for document in documents[:_LISTED]:
        trouble = outcome_text(document.outcome, "", document.reason, call.language)
        ended = "" if document.outcome is Outcome.INDEXED else f" – {trouble}"
        lines.append(f"- {document.title or document.source} (`{document.source}`){ended}")
    if len(documents) > _LISTED:
        lines.append(f"- + {len(documents) - _LISTED}")
    return "\n".join(lines)


async def _remove(tools: Tools, call: Call) -> str:
    """Remove a knowledge base or a document of it, once the administrator has said yes."""
    _, name, *rest = (*call.parsed.words, "")[:4] if call.word(1) else ("", "")
    if not name:
        return call.misused()
    base = await _find(tools, call, name)
    if base is None:
        return await _missing(tools, call, name)
    sure = bool(rest) and call.parsed.words[-1].lower() == "yes"
    source = call.word(2) if len(call.parsed.words) > (3 if sure else 2) else ""
    if source:
        return await _remove_document(tools, call, base, source, sure=sure)
    if not sure:
        warning = call.say(words.REMOVES_KB, name=name, count=base.documents)
        return f"{warning} {call.say(words.CONFIRM, command=call.command(f'kb remove {_quoted(name)} yes'))}"
    await tools.knowledge.remove(call.tenant_id, name)
    return call.say(words.REMOVED, name=name)


async def _remove_document(tools: Tools, call: Call, base: KnowledgeBase, source: str, *, sure: bool) -> str:
    documents = await tools.knowledge.documents(call.tenant_id, base.kb_id)
    if source not in {document.source for document in documents}:
        return call.say(words.NO_DOCUMENT, source=f"`{source}`", name=base.name)
    if not sure:
        warning = call.say(words.REMOVES_DOCUMENT, source=f"`{source}`", name=base.name)
        again = call.command(f"kb remove {_quoted(base.name)} {_quoted(source)} yes")
        return f"{warning} {call.say(words.CONFIRM, command=again)}"
    await tools.knowledge.remove_document(call.tenant_id, base.kb_id, source)
    return call.say(words.REMOVED, name=f"`{source}`")


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


async def _add(tools: Tools, call: Call) -> Answer | str:
    """Start a job over the addresses given and the files of the message."""
    if tools.jobs is None:
        return call.say(words.NOT_HERE)
    given = list(dict.fromkeys(word.strip("<>") for word in call.parsed.words[1:]))
    addresses = [word for word in given if word.startswith(("https://", "http://"))]
    taken = [attachment for attachment in call.message.attachments if attachment.upload_id is not None]
    # A path would be one on the server: only what the web or the message brings is read.
    others = [word for word in given if word not in addresses]
    if len(others) == 1 and "kb" not in call.parsed.options and await _find(tools, call, others[0]):
        options = {**call.parsed.options, "kb": others.pop()}
        call = replace(call, parsed=replace(call.parsed, options=options))
    if others and (addresses or taken):
        asked = call.command(f"kb add kb={_quoted(others[0])} …")
        return call.say(words.NO_ADDRESS, word=f"`{others[0]}`", command=asked)
    if not (addresses or taken):
        return "\n".join([*_not_taken(call), call.say(words.NOTHING_TO_ADD)])
    try:
        base, is_new = await _base_to_add_to(tools, call)
    except (ValueError, UsageError):
        return call.misused()
    number = await _start(tools, call, tools.jobs, base, addresses, is_new=is_new)
    started = call.say(words.JOB_STARTED, number=number, name=base.name, count=len(addresses) + len(taken))
    said = f"{started} {_where_it_ends(call)}"
    return respond(call, "\n".join([said, *_not_taken(call), *_elsewhere(call, base)]), job=number)


async def _start(
    tools: Tools, call: Call, jobs: IngestionJobs, base: KnowledgeBase, addresses: Sequence[str], *, is_new: bool
) -> int:
    return await jobs.start(
        call.tenant_id,
        base.name,
        addresses,
        call.message.attachments,
        author_id=call.message.author.author_id,
        target=await _target(tools, call, new_base=is_new),
    )


async def _target(tools: Tools, call: Call, *, new_base: bool = False) -> Target:
    """Return where to tell of a job, and how."""
    return job_target(await reply_target(tools.authors, call.message), call.language, new_base=new_base)


def _where_it_ends(call: Call) -> str:
    elsewhere = call.message.place.platform in _TOLD_DIRECTLY and not call.message.direct
    return call.say(words.ENDS_DIRECTLY if elsewhere else words.ENDS_HERE)


def _not_taken(call: Call) -> list[str]:
    refused = [attachment for attachment in call.message.attachments if attachment.upload_id is None]
    return [call.say(words.NOT_TAKEN, name=part.name, reason=retell(part.reason, call.language)) for part in refused]


def _elsewhere(call: Call, base: KnowledgeBase) -> list[str]:
    place = call.message.place
    if place.platform in base.platforms and (not base.channels or place.channel in base.channels):
        return []
    return [call.say(words.ANSWERS_ELSEWHERE, name=base.name, platforms=_scope(base))]


async def _base_to_add_to(tools: Tools, call: Call) -> tuple[KnowledgeBase, bool]:
    """Return the knowledge base that was named, else the only one there is, and whether it is made just now.

    Raises ValueError for a platform or a channel that is none, UsageError for an impossible name.
    """
    options = call.parsed.options
    known = await tools.knowledge.knowledge_bases(call.tenant_id)
    name = options.get("kb") or (known[0].name if len(known) == 1 else _DEFAULT)
    base = next((base for base in known if base.name == name), None)
    platforms = tuple(Platform(part.lower()) for part in names(options["platforms"])) if "platforms" in options else ()
    channels = _channels(call, options["channels"]) if "channels" in options else None
    is_new = base is None
    if base is None:
        base = await tools.knowledge.create(call.tenant_id, name, platforms or EMPLOYEE_PLATFORMS)
    if platforms or channels is not None:
        kept = base.channels if channels is None else channels
        base = await tools.knowledge.set_scope(call.tenant_id, name, platforms or base.platforms, kept)
    return base, is_new


def _channels(call: Call, value: str) -> tuple[str, ...]:
    if value.strip().lower() == "all":
        return ()
    return tuple(call.message.place.channel if name.lower() == "here" else name for name in names(value))


async def _refresh(tools: Tools, call: Call) -> Answer | str:
    if tools.jobs is None:
        return call.say(words.NOT_HERE)
    name = call.word(1)
    if not name:
        return call.misused()
    if await _find(tools, call, name) is None:
        return await _missing(tools, call, name)
    author_id, target = call.message.author.author_id, await _target(tools, call)
    number = await tools.jobs.refresh(call.tenant_id, name, author_id=author_id, target=target)
    said = f"{call.say(words.JOB_REFRESHES, number=number, name=name)} {_where_it_ends(call)}"
    return respond(call, said, job=number)


async def _jobs(tools: Tools, call: Call) -> str:
    if tools.jobs is None:
        return call.say(words.NOT_HERE)
    found = await tools.jobs.jobs(call.tenant_id, 10)
    spoken = call.language
    lines = (f"- **{job.number}** ({state_text(job.state, spoken)}): {progress_text(job, spoken)}" for job in found)
    return "\n".join(lines) or call.say(words.NO_JOBS)


async def _cancel(tools: Tools, call: Call) -> str:
    if tools.jobs is None:
        return call.say(words.NOT_HERE)
    number = call.number(1)
    if number is None:
        return call.misused()
    try:
        await tools.jobs.cancel(call.tenant_id, number)
    except NotFound:
        return call.say(words.NO_JOB, number=number)
    return call.say(words.JOB_CANCELLED, number=number)


async def _search(tools: Tools, call: Call) -> str:
    """Show the best passages among what may be read in the place, as a question asked there would find them."""
    text = " ".join(call.parsed.words[1:])
    if not text:
        return call.misused()
    vector, identity = await _embed(tools, text)
    query = Query(
        reader=own_reader(call.message),
        terms=tuple(terms(text)),
        vector=vector,
        embedder=identity,
        knowledge_bases=names(call.parsed.options["kb"]) if call.parsed.options.get("kb") else (),
        limit=_FOUND,
    )
    found = await tools.retriever.search(call.tenant_id, query)
    return "\n".join(_found(passage) for passage in found) or call.say(words.NOTHING_FOUND)


async def _embed(tools: Tools, text: str) -> tuple[Vector | None, EmbedderIdentity | None]:
    if tools.embedder is None:
        return None, None
    try:
        return (await tools.embedder.embed([text]))[0], tools.embedder.identity
    except ModelUnavailable:  # words are found without it
        return None, None


def _found(passage: Passage) -> str:
    quote = " ".join(passage.text.split())
    shown = quote if len(quote) <= _QUOTE else quote[: _QUOTE - 1] + "…"
    page = f", p. {passage.page}" if passage.page else ""
    return f"- **{passage.title}**{page} ({passage.kb_name}, {passage.score:.2f}): {shown}"


async def channel(tools: Tools, call: Call) -> str:
    """Show, change or take back what was decided for the channel."""
    place = call.message.place
    if call.parsed.name == "channel" and call.verb == "reset":
        await tools.channels.reset(call.tenant_id, place)
        return call.say(words.CHANNEL_AGAIN)
    if len(call.parsed.words) > (1 if call.parsed.name == "kb" else 0):
        return call.misused("channel")
    settings = call.settings
    for option, value in call.parsed.options.items():
        changed = change(settings, option, value) if option in CHOICES else None
        if changed is None:
            return call.say(words.BAD_VALUE, value=f"`{value}`", option=option, choices=CHOICES.get(option, "–"))
        settings = changed
    for name in settings.knowledge_bases:
        if await _find(tools, call, name) is None:
            return await _missing(tools, call, name)
    if settings != call.settings:
        settings = await tools.channels.save(call.tenant_id, place, settings)
    return _settings(call, settings)


def _settings(call: Call, settings: ChannelSettings) -> str:
    by_default = call.say(words.BY_DEFAULT)
    shown = {
        "kb": ", ".join(settings.knowledge_bases) or call.say(words.EVERYTHING),
        "listens": settings.listens.value,
        "threshold": f"{settings.threshold:g}" if settings.threshold is not None else by_default,
        "language": settings.language or call.say(words.OF_THE_QUESTION),
        "tickets": settings.tickets.value if settings.tickets else by_default,
        "followups": "on" if settings.follow_ups else "off",
    }
    return "\n".join([call.say(words.CHANNEL_NOW), *(f"- `{name}`: {value}" for name, value in shown.items())])


_VERBS: Mapping[str, Callable[[Tools, Call], Awaitable[Answer | str]]] = {
    "add": _add,
    "list": _list,
    "show": _show,
    "remove": _remove,
    "refresh": _refresh,
    "search": _search,
    "channel": channel,
    "jobs": _jobs,
    "cancel": _cancel,
}
