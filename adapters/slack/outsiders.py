"""Who reads only what is granted to a channel by name: guests, other organisations, and whoever shares a channel."""

import asyncio
from dataclasses import dataclass

from adapters.slack.people import People
from core.inbox import Incoming


@dataclass(frozen=True, slots=True)
class Outsiders:
    """Tell outsiders from employees; whom Slack does not speak of in time is taken for an outsider."""

    people: People
    guests_allowed: bool = False  # SLACK_GUESTS=allow

    async def concerns(self, incoming: Incoming) -> bool:
        """Tell whether the answer to INCOMING is one for outsiders: by its author, or by who else reads the channel."""
        team_id, author_id = incoming.installation, incoming.message.author.author_id
        shared, outside = await asyncio.gather(self._is_shared(incoming), self.is_outsider(team_id, author_id))
        return shared or outside

    async def is_outsider(self, team_id: str, user_id: str) -> bool:
        """Tell whether somebody is a guest or of another organisation, and those are held apart."""
        return not self.guests_allowed and await self.people.is_outsider(team_id, user_id) is not False

    async def _is_shared(self, incoming: Incoming) -> bool:
        channel, told = incoming.message.place.channel, incoming.address.get("ext_shared")
        if isinstance(told, bool):
            return told
        if channel.startswith("D"):
            return False
        return await self.people.is_shared(incoming.installation, channel) is not False
