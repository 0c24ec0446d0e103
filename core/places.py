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
