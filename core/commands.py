"""The one table of commands: every platform's help, manifest and parser come from here.

A command begins with a slash at the very start of a message. Only "help" and "stop", as the whole message and in the
languages of the catalogues, are commands without one: all other words may begin a question.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

from core import command_words as words
from core.wording import say


class Rights(StrEnum):
    """Who may give a command."""

    EVERYBODY = "everybody"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Verb:
    """What a command can be told to do, such as add in /kb add."""

    name: str
    summary: str  # a message of the catalogues
    arguments: str = ""
    rights: Rights = Rights.ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the table."""

    name: str
    summary: str  # a message of the catalogues
    arguments: str = ""
    rights: Rights = Rights.EVERYBODY  # for the command without a verb
    examples: tuple[str, ...] = ()  # without the prefix
    verbs: tuple[Verb, ...] = ()
    options: tuple[str, ...] = ()  # what may be written as NAME=VALUE
    alias: str = ""
    instant: bool = False  # quick enough for a platform that waits three seconds for the answer itself
    hidden: bool = False  # without a verb it is in no list

    def verb(self, name: str) -> Verb | None:
        """Look a verb up."""
        return next((verb for verb in self.verbs if verb.name == name), None)


_OURS = Rights.ADMINISTRATOR
_CHANNEL_OPTIONS = ("kb", "listens", "threshold", "language", "tickets", "followups")
_SETTINGS = (
    "[kb=NAME,...] [listens=mention|always|question] [threshold=0.9] [language=de] [tickets=open|offer|off] "
    "[followups=on|off]"
)

COMMANDS = (
    Command("ask", words.ASK, "QUESTION", examples=("ask How do I claim travel expenses?",)),
    Command("new", words.NEW),
    Command("history", words.HISTORY, "[TURNS]", examples=("history", "history 20")),
    Command("favourite", words.FAVOURITE, "[off]", alias="favorite", instant=True),
    Command(
        "tickets",
        words.TICKETS,
        examples=("tickets", "tickets show 7", "tickets answer 7 The parcel leaves on Monday.", "tickets close 7"),
        verbs=(
            Verb("show", words.TICKETS_SHOW, "NUMBER"),
            Verb("answer", words.TICKETS_ANSWER, "NUMBER TEXT"),
            Verb("take", words.TICKETS_TAKE, "NUMBER"),
            Verb("close", words.TICKETS_CLOSE, "NUMBER"),
        ),
    ),
    Command("human", words.HUMAN),
    Command("language", words.LANGUAGE, "[LANGUAGE|auto]", examples=("language de", "language auto"), instant=True),
    Command("forget", words.FORGET, "[yes]"),
    Command("export", words.EXPORT, "[markdown|json]"),
    Command("stop", words.STOP, instant=True),
    Command("help", words.HELP, "[COMMAND]", examples=("help", "help history"), instant=True),
    Command("start", words.START, hidden=True, instant=True),
    Command(
        "kb",
        words.KB,
        rights=_OURS,
        hidden=True,
        examples=(
            "kb add https://example.com/handbook kb=handbook",
            "kb show handbook",
            "kb search how many holidays kb=handbook",
        ),
        verbs=(
            Verb("add", words.KB_ADD, "[URL ...] [kb=NAME] [platforms=slack,telegram] [channels=ID,here|all]"),
            Verb("list", words.KB_LIST),
            Verb("show", words.KB_SHOW, "NAME"),
            Verb("remove", words.KB_REMOVE, "NAME [DOCUMENT] [yes]"),
            Verb("refresh", words.KB_REFRESH, "NAME"),
            Verb("search", words.KB_SEARCH, "WORDS [kb=NAME]"),
            Verb("channel", words.CHANNEL, "[...]"),
            Verb("jobs", words.KB_JOBS),
            Verb("cancel", words.KB_CANCEL, "NUMBER"),
        ),
        options=("platforms", "channels", *_CHANNEL_OPTIONS),
    ),
    Command(
        "channel",
        words.CHANNEL,
        _SETTINGS,
        rights=_OURS,
        examples=("channel", "channel kb=handbook,travel listens=always", "channel reset"),
        verbs=(Verb("reset", words.CHANNEL_RESET),),
        options=_CHANNEL_OPTIONS,
    ),
    Command("stats", words.STATS, "[DAYS]", rights=_OURS, examples=("stats", "stats 7")),
    Command(
        "admin",
        words.ADMIN,
        "CODE",
        examples=("admin list", "admin remove U024BE7LH"),
        verbs=(
            Verb("invite", words.ADMIN_INVITE),
            Verb("list", words.ADMIN_LIST),
            Verb("remove", words.ADMIN_REMOVE, "ID"),
        ),
        instant=True,  # so that a code is not stored on its way
        hidden=True,
    ),
)

BY_NAME = {name: command for command in COMMANDS for name in (command.name, command.alias) if name}
"""The commands by their names and other names."""

_BARE = {
    **dict.fromkeys(("help", "hilfe", "aide", "ayuda"), "help"),
    **dict.fromkeys(("stop", "stopp", "arrête", "alto"), "stop"),
}
_FREE = frozenset({"ask"})  # what follows is the author's own text: quotes and equals signs stay in it

_NAME = re.compile(r"(?P<name>[^\W\d_][\w-]{0,31})(?:@(?P<bot>\w{1,64}))?(?=\s|$)")
_QUOTED = r"\"([^\"]*)\"|“([^”“]*)[”“]|„([^“”„]*)[“”]|«([^«»]*)»"
_WORD = re.compile(rf"(?:(?P<option>[a-z]{{1,20}})=)?(?:{_QUOTED}|(\S+))|\S+")
_WHOLE = re.compile(r"\W*(\w+)\W*")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command as it was written."""

    name: str  # of the command where there is one, else what was written
    command: Command | None = None  # None: there is no such command
    text: str = ""  # everything after the name
    words: tuple[str, ...] = ()  # the arguments, without the options
    options: Mapping[str, str] = field(default_factory=dict)
    nearest: str = ""  # of an unknown command, the name it resembles
    unknown_option: str = ""  # the first option the command does not have
    ends: tuple[int, ...] = ()  # where each of the words ends in the text

    @property
    def verb(self) -> Verb | None:
        """Return what the command is told to do."""
        return self.command.verb(self.words[0].lower()) if self.command and self.words else None

    @property
    def rights(self) -> Rights:
        """Tell who may give it; an unknown command is nobody's."""
        if self.command is None:
            return Rights.EVERYBODY
        return self.verb.rights if self.verb else self.command.rights

    def after(self, count: int) -> str:
        """Return the text after the first COUNT words, as it was written."""
        return self.text[self.ends[count - 1] :].strip() if 0 < count <= len(self.ends) else ""


def parse(text: str, *, prefix: str = "/", bot_name: str = "") -> Parsed | None:
    """Read a command; None where TEXT is none, or names another bot than BOT_NAME.

    With an empty PREFIX a name is a command only where nothing but a verb can follow it: "kb list" is one, "history
    of the company" is not. "/etc/hosts is wrong?" is no command, because a name ends at a space.
    """
    stripped = text.strip()
    rest = stripped.removeprefix(prefix)
    match = _NAME.match(rest) if stripped.startswith(prefix) else None
    whole = _WHOLE.fullmatch(stripped)
    if whole and (match is None or not prefix) and (bare := _BARE.get(whole[1].lower())):
        return Parsed(bare, BY_NAME[bare])
    if match is None or (match["bot"] and bot_name and match["bot"].lower() != bot_name.lower()):
        return None
    name = match["name"].lower()
    if not prefix and name not in BY_NAME:  # most messages begin so: nobody needs the nearest name
        return None
    parsed = _read(name, rest[match.end() :].strip())
    return parsed if prefix or _is_plain(parsed) else None


def _is_plain(parsed: Parsed) -> bool:
    """Tell whether words without a slash can only be a command."""
    if parsed.command is None:
        return False
    closed = _CLOSED.get(parsed.name)
    is_closed = closed is not None and len(parsed.words) == 1 and closed.fullmatch(parsed.text) is not None
    return not parsed.text or parsed.verb is not None or is_closed


# Arguments that no question ends with.
_CLOSED = {
    "language": re.compile(r"auto|[a-z]{2}(?:-[a-z]{2})?|english|german|deutsch|french|français|spanish|español", re.I),
    "help": re.compile(r"/?(?:" + "|".join(command.name for command in COMMANDS) + ")", re.I),
    "history": re.compile(r"\d{1,4}"),
    "stats": re.compile(r"\d{1,4}"),
    "favourite": re.compile("off", re.I),
    "forget": re.compile("yes", re.I),
    "export": re.compile("markdown|json", re.I),
}


def _read(name: str, text: str) -> Parsed:
    command = BY_NAME.get(name)
    if command is None:
        near = get_close_matches(name, [known.name for known in COMMANDS], n=1)
        return Parsed(name, None, text, nearest=near[0] if near else "")
    if command.name in _FREE:
        return Parsed(command.name, command, text)
    found: list[str] = []
    ends: list[int] = []
    options: dict[str, str] = {}
    unknown = ""
    for option, value, end in _split(text, command):
        if option in command.options:
            options[option] = value
        elif option:
            unknown = unknown or option
        else:
            found.append(value)
            ends.append(end)
    return Parsed(command.name, command, text, tuple(found), options, unknown_option=unknown, ends=tuple(ends))


def _split(text: str, command: Command) -> Iterator[tuple[str, str, int]]:
    """Yield option, value and end of each argument; where a command has no options, equals signs mean nothing."""
    for match in _WORD.finditer(text):
        option = match["option"] or ""
        value = next((group for group in match.groups()[1:] if group is not None), match[0])
        if option and not command.options:
            option, value = "", match[0]
        yield option, value, match.end()


def write(parsed: Parsed, prefix: str = "/") -> str:
    """Write a command so that `parse` reads the same again."""
    if parsed.command is None or parsed.command.name in _FREE:
        return f"{prefix}{parsed.name} {parsed.text}".strip()
    pieces = [_quote(word, parsed.command) for word in parsed.words]
    pieces += [f"{name}={_quote(value)}" for name, value in parsed.options.items()]
    return " ".join([prefix + parsed.name, *pieces])


def _quote(word: str, command: Command | None = None) -> str:
    looks_like_option = command is not None and command.options and re.match(r"[a-z]{1,20}=", word)
    return f'"{word}"' if not word or looks_like_option or re.search(r"[\s“”„«»]", word) else word


def usage(command: Command, verb: Verb | None = None, prefix: str = "/") -> str:
    """Write how a command is given: /kb show NAME."""
    used = (command.name, verb.name, verb.arguments) if verb else (command.name, command.arguments)
    return prefix + " ".join(part for part in used if part)


def find(name: str) -> Command | None:
    """Look a command up by its name, with or without a slash, or its other name."""
    return BY_NAME.get(name.lower().removeprefix("/"))


def listed(rights: Rights) -> tuple[Command, ...]:
    """List the commands that people with RIGHTS are told of, in the table's order."""
    return tuple(command for command in COMMANDS if list(_lines(command, rights)))


def _allows(rights: Rights, needed: Rights) -> bool:
    return rights is Rights.ADMINISTRATOR or needed is Rights.EVERYBODY


def _lines(command: Command, rights: Rights) -> Iterator[Verb | None]:
    """Yield the ways to give a command: None is the one without a verb."""
    if not command.hidden and _allows(rights, command.rights):
        yield None
    yield from (verb for verb in command.verbs if _allows(rights, verb.rights))


def summary(command: Command, language: str = "en") -> str:
    """Say in a sentence what a command does."""
    return say(command.summary, language)


def help_for(rights: Rights, language: str = "en", prefix: str = "/") -> str:
    """Write the list of commands as Markdown."""
    return "\n".join(line for command in listed(rights) for line in _described(command, rights, language, prefix))


def help_on(command: Command, rights: Rights, language: str = "en", prefix: str = "/") -> str:
    """Write what there is to know about one command as Markdown."""
    lines = [*_described(command, rights, language, prefix)] or [f"`{usage(command, prefix=prefix)}`"]
    shown = [example for example in command.examples if _allows(rights, _read(*_halves(example)).rights)]
    examples = [say(words.EXAMPLES, language), *(f"- `{prefix}{example}`" for example in shown)] if shown else []
    return "\n".join([*lines, *examples])


def _halves(example: str) -> tuple[str, str]:
    name, _, text = example.partition(" ")
    return name, text


def _described(command: Command, rights: Rights, language: str, prefix: str) -> Iterator[str]:
    for verb in _lines(command, rights):
        yield f"- `{usage(command, verb, prefix)}` – {say(verb.summary if verb else command.summary, language)}"
