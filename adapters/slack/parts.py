"""What the router of adapters/slack/router.py hands things to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.slack.outsiders import Outsiders
from adapters.slack.people import People
from adapters.slack.pressed import Pressed
from core.domain import Attachment, Ticket
from core.file_tickets import FileTickets
from core.inbox import Thread
from core.listening import Listening
from core.meter import Meter
from core.places import Place
from core.taking import Accepts, Instant


@dataclass(frozen=True, slots=True)
class Reply:
    """What Slack's request is answered with."""

    status: int = 200
    body: Mapping[str, Any] | None = None


class Token(Protocol):
    """Who the app is in one workspace."""

    @property
    def team_id(self) -> str:
        """Name the workspace."""

    @property
    def bot_user_id(self) -> str:
        """Name our user."""

    @property
    def bot_id(self) -> str:
        """Name our bot."""

    @property
    def app_id(self) -> str:
        """Name our app."""


class Workspaces(Protocol):
    """Know where the app is installed."""

    async def of(self, team_id: str) -> Token:
        """Return the token of a workspace; raises Rejected where the app is not installed there."""

    async def tenant_of(self, team_id: str) -> int | None:
        """Tell whose a workspace is; None where it is nobody's."""


class Handled(Protocol):
    """What was done at once."""

    @property
    def body(self) -> Mapping[str, Any] | None:
        """Return the JSON of the response; None for an empty one."""


class Speaks(Protocol):
    """The part of SlackApi that says a word to somebody."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the Web API."""

    async def respond(self, response_url: str, body: Mapping[str, Any]) -> None:
        """Send BODY to a response_url."""


class Interactions(Protocol):
    """Modals, the App Home and whatever else is answered at once."""

    def hears(self, payload: Mapping[str, Any], team_id: str) -> bool:
        """Tell whether a message event is to be brought to them first."""

    async def handle(self, kind: str, payload: Mapping[str, Any], team_id: str) -> Handled | None:
        """Do what PAYLOAD asks; None where it is not theirs."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the router hands things to."""

    workspaces: Workspaces
    acceptance: Accepts
    listening: Listening
    people: People
    api: Speaks
    meter: Meter
    files: FileTickets
    file_secret: bytes  # what their tickets are signed with
    outsiders: Outsiders | None = None  # None: there are none
    interactions: Interactions | None = None
    commands: Instant | None = None
    show: Callable[[Pressed, int], Awaitable[Handled | None]] | None = None  # a passage, or an answer to all
    files_of: Callable[[Thread, str], Awaitable[tuple[Attachment, ...]]] | None = None  # of a message taken in before
    is_answering: Callable[[Thread], Awaitable[bool]] | None = None  # whether there is anything to stop
    ticket_of: Callable[[Thread, str], Awaitable[Ticket | None]] | None = None  # of a message taken in before
    rename: Callable[[int, str, Place, str], Awaitable[None]] | None = None  # tenant, installation, place, title
