"""What every command works with."""

from dataclasses import dataclass

from core import command_words as words
from core.access import Access
from core.announcements import Announcer
from core.authors import Authors
from core.channels import ChannelSettings, ChannelStore
from core.commands import BY_NAME, Parsed, Rights, usage
from core.domain import Answer, File, Message, Origin, Session
from core.ingestions import IngestionJobs
from core.outbox import Outbox
from core.ports import Embedder, KnowledgeStore, Retriever, SessionStore, TicketStore
from core.stats import StatsStore
from core.ticket_work import TicketWork
from core.wording import say


@dataclass(frozen=True, slots=True)
class Tools:
    """The ports that commands use."""

    sessions: SessionStore
    tickets: TicketStore
    knowledge: KnowledgeStore
    channels: ChannelStore
    access: Access
    authors: Authors
    outbox: Outbox
    stats: StatsStore
    retriever: Retriever
    embedder: Embedder | None = None
    jobs: IngestionJobs | None = None  # None: nothing can be added from a chat
    announcer: Announcer | None = None  # None: nobody hears what happens to a ticket


def ticket_work(tools: Tools) -> TicketWork:
    """Make what a person does with a ticket."""
    return TicketWork(tools.tickets, tools.sessions, tools.authors, tools.outbox, tools.announcer)


@dataclass(frozen=True, slots=True)
class Call:
    """A command with everything it meets."""

    message: Message
    parsed: Parsed
    session: Session | None  # the current one of the place
    settings: ChannelSettings
    language: str
    administrator: bool
    prefix: str = "/"

    @property
    def tenant_id(self) -> int:
        """Name the tenant."""
        return self.message.tenant_id

    @property
    def verb(self) -> str:
        """Name what the command is told to do; empty without a verb."""
        return self.parsed.verb.name if self.parsed.verb else ""

    @property
    def given(self) -> str:
        """Name the command with its verb, as it was given."""
        return f"{self.parsed.name} {self.verb}".strip()

    def word(self, place: int) -> str:
        """Return an argument; the empty string where there are fewer."""
        return self.parsed.words[place] if place < len(self.parsed.words) else ""

    def number(self, place: int) -> int | None:
        """Read an argument as a number such as 7 or #7; None where it is none."""
        digits = self.word(place).removeprefix("#")
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None

    def say(self, message: str, **values: str | int) -> str:
        """Write a message in the language of the conversation."""
        return say(message, self.language, **values)

    def command(self, text: str) -> str:
        """Write a command so that it can be copied."""
        return f"`{self.prefix}{text}`"

    def misused(self, name: str = "") -> str:
        """Say how the command is given, or the one called NAME."""
        given = f"`{usage(BY_NAME[name], None, self.prefix)}`" if name else self.usage
        return self.say(words.USAGE, usage=given)

    @property
    def usage(self) -> str:
        """Write how the command is given; empty where there is no such command."""
        command, verb = self.parsed.command, self.parsed.verb
        if command is None:
            return ""
        known = [each.name for each in command.verbs if self.administrator or each.rights is Rights.EVERYBODY]
        if verb is None and self.parsed.words and known and not command.arguments:  # it was told to do something else
            return f"`{self.prefix}{command.name} {'|'.join(known)}`"
        return f"`{usage(command, verb, self.prefix)}`"


def respond(call: Call, text: str, *, file: File | None = None, job: int | None = None) -> Answer:
    """Make the answer to a command; JOB is the ingestion it has begun."""
    session_id = call.session.session_id if call.session else None
    return Answer(text, Origin.COMMAND, session_id, file=file, job=job, language=call.language, private=True)
