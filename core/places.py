"""Where conversations happen."""

from dataclasses import dataclass
from enum import StrEnum


class Platform(StrEnum):
    """Where a message comes from."""

    CONSOLE = "console"
    SLACK = "slack"
    TEAMS = "teams"
    TELEGRAM = "telegram"
    WEB = "web"
    API = "api"


EMPLOYEE_PLATFORMS = (Platform.CONSOLE, Platform.SLACK, Platform.TEAMS)
"""Where a new knowledge base answers unless its administrator says otherwise: never where customers write."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation happens: a platform, its channel, and the thread in it."""

    platform: Platform
    channel: str
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads where: what decides which knowledge bases may be read."""

    place: Place
    author_id: str = ""  # whose own grants count beside those of the place; empty: nobody's
    outsider: bool = False  # reads only what is granted to the channel by name

    @property
    def grants(self) -> tuple[str, ...]:
        """List what a knowledge base may be granted to for this reader; ANY_CHANNEL stands for those granted to all."""
        held = (self.place.channel, *([self.author_id] if self.author_id else []))
        return held if self.outsider else (*held, ANY_CHANNEL)


ANY_CHANNEL = "*"
