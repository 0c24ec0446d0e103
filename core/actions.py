"""What commands do: the rights are checked here, once, before anything else happens.

A worker that dies may run a command a second time, so each does no harm when it is repeated.
"""

from collections.abc import Awaitable, Callable, Mapping

from core import actions_admin, actions_author, actions_knowledge
from core import command_words as words
from core.actions_call import Call, Tools, respond
from core.commands import Parsed, Rights, help_for, help_on, parse
from core.commands import find as find_command
from core.domain import Answer, Message
from core.places import Platform
from core.ports import Reply
from core.routing import SmallTalkKind
from core.routing import reply as small_talk_reply
from core.wording import say

Action = Callable[[Tools, Call], Awaitable[Answer | str]]


class Actions:
    """Run the commands of messages."""

    def __init__(self, tools: Tools, *, prefixes: Mapping[Platform, str] | None = None, bot_name: str = "") -> None:
        """Run commands with TOOLS; PREFIXES are what people write before them on platforms where it is not a slash."""
        self._tools = tools
        self._prefixes = prefixes or {}
        self._bot_name = bot_name

    async def run(self, message: Message, reply: Reply) -> Answer | None:
        """Do what MESSAGE commands and say so to REPLY; None where it is no command, or one the engine answers.

        Raises StoreUnavailable when PostgreSQL does not answer.
        """
        parsed = self._parse(message)
        if parsed is None or _is_question(parsed):
            return None
        answer = await self._do(message, parsed)
        await reply.write(answer.text)
        return answer

    async def instant(self, message: Message) -> Answer | None:
        """Do what MESSAGE commands where that is quick enough to answer a platform's own request; else None."""
        parsed = self._parse(message)
        if parsed is None or (parsed.command is not None and not parsed.command.instant):
            return None
        return await self._do(message, parsed)

    def _parse(self, message: Message) -> Parsed | None:
        return parse(message.text, bot_name=self._bot_name)

    async def _do(self, message: Message, parsed: Parsed) -> Answer:
        call = await self._call(message, parsed)
        if refusal := _refuse(call):
            return respond(call, refusal)
        done = await _ACTIONS[parsed.name](self._tools, call)
        return done if isinstance(done, Answer) else respond(call, done)

    async def _call(self, message: Message, parsed: Parsed) -> Call:
        """Find what the command meets: the session of its place, its language, the author's rights."""
        tenant_id = message.tenant_id
        session_id = message.session_id or await self._tools.authors.session_of(tenant_id, message.place)
        session = await self._tools.sessions.session(tenant_id, session_id) if session_id else None
        settings = await self._tools.channels.settings(tenant_id, message.place)
        chosen = session.language if session and session.language_chosen else settings.language
        return Call(
            message=message,
            parsed=parsed,
            session=session,
            settings=settings,
            language=chosen or (session.language if session else "") or message.language_hint or "en",
            administrator=await self._tools.access.is_administrator(message),
            prefix=self._prefixes.get(message.place.platform, "/"),
        )


def _is_question(parsed: Parsed) -> bool:
    """Tell whether the engine answers it: a question, or the wish for a person."""
    return parsed.name == "human" or (parsed.name == "ask" and bool(parsed.text))


def _refuse(call: Call) -> str:
    """Say why a command is not run; the empty string where it is."""
    parsed = call.parsed
    if parsed.command is None:
        name, near = f"`{call.prefix}{parsed.name}`", f"`{call.prefix}{parsed.nearest}`"
        if parsed.nearest:
            return say(words.NEAREST, call.language, name=name, nearest=near)
        return say(words.UNKNOWN, call.language, name=name, help=call.command("help"))
    if parsed.rights is Rights.ADMINISTRATOR and not call.administrator:
        return say(words.ONLY_ADMINISTRATORS, call.language, command=call.command(call.given))
    if parsed.unknown_option:
        return say(words.UNKNOWN_OPTION, call.language, option=f"`{parsed.unknown_option}`", usage=call.usage)
    return ""


async def _help(_: Tools, call: Call) -> str:
    rights = Rights.ADMINISTRATOR if call.administrator else Rights.EVERYBODY
    wanted = find_command(call.word(0))
    if wanted is not None:
        return help_on(wanted, rights, call.language, call.prefix)
    return help_for(rights, call.language, call.prefix)


async def _start(_: Tools, call: Call) -> str:
    greeting = small_talk_reply(SmallTalkKind.GREETING, call.language)
    return f"{greeting}\n\n{help_for(Rights.EVERYBODY, call.language, call.prefix)}"


async def _ask(_: Tools, call: Call) -> str:
    return call.misused()


_ACTIONS: Mapping[str, Action] = {
    "ask": _ask,
    "help": _help,
    "start": _start,
    "new": actions_author.new,
    "history": actions_author.history,
    "favourite": actions_author.favourite,
    "language": actions_author.language,
    "forget": actions_author.forget,
    "export": actions_author.export,
    "stop": actions_author.stop,
    "tickets": actions_admin.tickets,
    "stats": actions_admin.stats,
    "admin": actions_admin.admin,
    "channel": actions_knowledge.channel,
    "kb": actions_knowledge.kb,
}
