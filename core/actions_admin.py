"""The commands about tickets, figures and administrators."""

from core import command_words as words
from core.access import Redemption
from core.actions_call import Call, Tools, ticket_work
from core.authors import reply_target
from core.domain import Ticket, TicketState
from core.errors import NotFound
from core.redact import redact
from core.stats import Stats
from core.ticket_work import By, TicketWork

_MOST_DAYS = 365
_DAYS = 30
_LISTED = 20
_LONGEST_QUESTION = 200  # characters of it in a list


async def tickets(tools: Tools, call: Call) -> str:
    """List the open tickets, one's own or an administrator's, or work on one."""
    if not call.verb:
        return call.misused() if call.word(0) else await _list(tools, call)
    number = call.number(1)
    if number is None or (call.verb == "answer" and not call.parsed.after(2)):
        return call.misused()
    work = ticket_work(tools)
    try:
        ticket = await tools.tickets.ticket(call.tenant_id, number)
        return await _work(work, call, ticket)
    except NotFound:
        return call.say(words.TICKET_MISSING, number=number)


async def _list(tools: Tools, call: Call) -> str:
    author = call.message.author
    if call.administrator:
        found = await tools.tickets.tickets(call.tenant_id, state=TicketState.OPEN, limit=_LISTED)
    else:
        found = await tools.authors.tickets(call.tenant_id, call.message.place.platform, author.author_id)
    return "\n".join(_line(ticket) for ticket in found[:_LISTED]) or call.say(words.NO_TICKETS)


def _line(ticket: Ticket) -> str:
    question = " ".join(ticket.question.split())
    shown = question if len(question) <= _LONGEST_QUESTION else question[: _LONGEST_QUESTION - 1] + "…"
    return f"- **{ticket.number}** ({ticket.created_at:%Y-%m-%d}): {shown}"


async def _work(work: TicketWork, call: Call, ticket: Ticket) -> str:
    number, closed = ticket.number, ticket.state is TicketState.CLOSED
    if call.verb == "show":
        return _shown(ticket)
    if call.verb == "close":
        await work.close(call.tenant_id, number, by=_by(call))
        return call.say(words.TICKET_IS_CLOSED, number=number)
    if closed:
        return call.say(words.TICKET_CLOSED, number=number)
    if call.verb == "take":
        if not await work.take(call.tenant_id, number):
            return call.say(words.TICKET_NO_SESSION, number=number)
        return call.say(words.TICKET_TAKEN, number=number, command=call.command(f"tickets answer {number} ..."))
    text, answerer = redact(call.parsed.after(2)).text, await reply_target(work.authors, call.message)
    by = _by(call)
    sent = await work.answer(call.tenant_id, number, text, answerer=answerer, language=call.language, by=by)
    return call.say(words.TICKET_SENT if sent else words.TICKET_KEPT, number=number)


def _by(call: Call) -> By:
    message = call.message
    receipt = message.delivery.outbox_id if message.delivery else None
    return By(message.author.name or message.author.author_id, message.place, receipt)


def _shown(ticket: Ticket) -> str:
    parts = [
        f"**{ticket.number}** ({ticket.state.value}, {ticket.created_at:%Y-%m-%d %H:%M} UTC)",
        ticket.reason,
        ticket.transcript or ticket.question,
        ticket.answer,
    ]
    return "\n\n".join(part for part in parts if part)


async def stats(tools: Tools, call: Call) -> str:
    """Show the figures of the last days."""
    days = call.number(0) if call.word(0) else _DAYS
    if not days or days > _MOST_DAYS:
        return call.misused()
    return _figures(call, await tools.stats.stats(call.tenant_id, days))


def _figures(call: Call, stats: Stats) -> str:
    origins = ", ".join(f"{origin} {count}" for origin, count in stats.answered.items()) or "0"
    lines = [
        call.say(words.STATS_ACCEPTED, count=stats.accepted, authors=stats.authors),
        call.say(words.STATS_WAITING, count=stats.waiting),
        call.say(words.STATS_ANSWERED, origins=origins),
        call.say(words.STATS_UNRESOLVED, count=stats.unresolved),
        call.say(words.STATS_TICKETS, opened=stats.tickets_opened, open=stats.tickets_open),
        call.say(words.STATS_RATINGS, liked=stats.liked, disliked=stats.disliked),
    ]
    text = "\n".join([call.say(words.STATS_OF, days=stats.days), *(f"- {line}" for line in lines)])
    if not stats.unanswered:
        return text
    top = (f"- {unanswered.count} × {unanswered.question}" for unanswered in stats.unanswered)
    return "\n".join([text, "", call.say(words.STATS_TOP), *top])


async def admin(tools: Tools, call: Call) -> str:
    """Make the author an administrator by a code, or manage the list of administrators."""
    if call.verb == "invite":
        return await _invite(tools, call)
    if call.verb == "list":
        return await _administrators(tools, call)
    if call.verb == "remove":
        return await _remove(tools, call)
    return await _redeem(tools, call) if call.parsed.text else call.misused()


async def _redeem(tools: Tools, call: Call) -> str:
    became = await tools.access.redeem(call.message, call.parsed.text)
    if call.message.delivery is not None:  # a code is not kept, whether it was good or not
        await tools.authors.reword(call.tenant_id, call.message.delivery, f"{call.prefix}admin ***")
    if became is Redemption.TOO_MANY:
        return call.say(words.TOO_MANY_CODES)
    # The second run after a crash meets a code that this author has used: that is no reason to scold them.
    if became is Redemption.ACCEPTED or call.administrator:
        return call.say(words.NOW_ADMINISTRATOR, help=call.command("help"))
    return call.say(words.BAD_CODE)


async def _invite(tools: Tools, call: Call) -> str:
    code = await tools.access.invite(call.tenant_id)
    return call.say(words.INVITATION, command=call.command(f"admin {code}"))


async def _administrators(tools: Tools, call: Call) -> str:
    found = await tools.access.administrators(call.tenant_id)
    lines = (
        f"- `{listed.author.author_id}` {listed.author.name} ({listed.platform.value})".replace("  ", " ")
        for listed in found
    )
    return "\n".join(lines) or call.say(words.NO_ADMINISTRATORS)


async def _remove(tools: Tools, call: Call) -> str:
    author_id = call.word(1)
    if not author_id:
        return call.misused()
    gone = await tools.access.remove(call.tenant_id, author_id, call.message.place.platform)
    return call.say(words.ADMINISTRATOR_GONE if gone else words.NO_ADMINISTRATOR, name=f"`{author_id}`")
