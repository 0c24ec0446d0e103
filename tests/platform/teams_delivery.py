"""How activities reach the bot: signed posts with their deadline, sent again where nobody answers."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.platform.teams_keys import Keys
from tests.platform.teams_state import Json


@dataclass(frozen=True)
class Ack:
    """How one delivery went."""

    kind: str
    activity_id: str
    attempt: int  # 0 is the first
    status: int  # 0: nobody answered in time
    seconds: float
    body: Any = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Rules:
    """What a test may change about delivery."""

    bot_url: str = ""
    ack_s: float = 15.0
    resend_delays_s: tuple[float, ...] = (1.0, 4.0)  # how often and when Teams resends is not documented
    time_scale: float = 1.0
    signs: bool = True


@dataclass
class Delivery:
    """Bring activities to the bot."""

    rules: Rules
    keys: Keys
    session: aiohttp.ClientSession
    acks: list[Ack] = field(default_factory=list)

    async def send(self, activity: Json) -> list[Ack]:
        """Deliver, and again while there is no answer or a server error; an invoke is delivered once."""
        delays = () if activity["type"] == "invoke" else self.rules.resend_delays_s
        acks = [await self.once(activity, 0)]
        for attempt, delay_s in enumerate(delays, 1):
            if acks[-1].status not in (0, 500, 502, 503, 504):
                break
            await asyncio.sleep(delay_s * self.rules.time_scale)
            acks.append(await self.once(activity, attempt))
        return acks

    async def once(self, activity: Json, attempt: int = 0, *, forgery: str = "") -> Ack:
        headers = self.keys.headers(activity["serviceUrl"], forgery) if self.rules.signs else []
        begun = time.monotonic()
        status, body = await self._post(activity, headers)
        ack = Ack(activity["type"], str(activity.get("id", "")), attempt, status, time.monotonic() - begun, body)
        self.acks.append(ack)
        return ack

    async def _post(self, activity: Json, headers: list[tuple[str, str]]) -> tuple[int, Any]:
        timeout = aiohttp.ClientTimeout(total=self.rules.ack_s)
        try:
            async with self.session.post(
                self.rules.bot_url, json=activity, headers=headers, timeout=timeout
            ) as response:
                return response.status, _parsed(await response.text())
        except (TimeoutError, aiohttp.ClientConnectionError):
            return 0, None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text or None
