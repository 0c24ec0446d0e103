"""Who people are in Slack, asked while Slack waits: their names, and by the one rule whether they administer."""

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from adapters.slack.api import Refusal
from core.errors import ChannelUnavailable, Rejected, UsageError
from core.language import hint_of
from core.payloads import Json, object_at, text_at, value_at

KEPT_S = 600.0
UNKNOWN_S = 60.0  # how long it stays unknown what Slack did not say
WITHIN_S = 0.8  # for the names in a question, which is acknowledged afterwards
RIGHTS_WITHIN_S = 1.2
_OUTSIDE = ("is_restricted", "is_ultra_restricted", "is_stranger", "is_invited_user")
_MOST_KNOWN = 10_000
_MOST_NAMES = 10  # looked up for one message
_USER = re.compile(r"[UW][A-Z0-9]{2,40}")
_OF_TEAM = re.compile(r"[TE][A-Z0-9]{2,40}/[UW][A-Z0-9]{2,40}")
_GROUP = re.compile(r"S[A-Z0-9]{2,40}")

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Calls(Protocol):
    """The part of SlackApi that is used here."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the Web API."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may administer: SLACK_ADMINISTRATORS."""

    admins: bool = True  # of the workspace; its owners are admins too
    owners: bool = True
    users: frozenset[str] = frozenset()  # U... for the home workspaces, T.../U... for the one they name
    groups: frozenset[str] = frozenset()
    homes: frozenset[str] | None = None  # the workspaces whose word counts; None: there is only one

    def counts(self, team_id: str) -> bool:
        """Tell whether the word of a workspace counts."""
        return self.homes is None or team_id in self.homes


def parse_rule(text: str, homes: Iterable[str] | None = None) -> Rule:
    """Read admins, owners, ids of users and of user groups with commas between them, or none; raises UsageError.

    All workspaces share one tenant, so an administrator of one administers what is read in all. HOMES are those
    whose own word makes administrators; None where there is only one workspace.
    """
    words = [word for part in text.split(",") if (word := part.strip())] or ["admins"]
    users, named, groups = (
        frozenset(word for word in words if kind.fullmatch(word)) for kind in (_USER, _OF_TEAM, _GROUP)
    )
    unknown = [word for word in words if word not in {*users, *named, *groups, "admins", "owners", "none"}]
    if unknown:
        raise UsageError(
            f"SLACK_ADMINISTRATORS: {unknown[0][:60]} is not admins, owners, none, the id of a person (U... or "
            "T.../U...) or of a user group (S...)."
        )
    known = None if homes is None else frozenset(homes)
    return Rule("admins" in words, "admins" in words or "owners" in words, users | named, groups, known)


@dataclass(frozen=True, slots=True)
class Person:
    """One user of a workspace."""

    name: str
    is_admin: bool = False
    is_owner: bool = False
    is_outsider: bool = False  # a guest, or of another organisation
    language: str = ""  # that they read Slack in, as an ISO 639-1 code


class People:
    """Look people and channels up, each once in a while."""

    def __init__(
        self,
        api: Calls,
        rule: Rule | None = None,
        *,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._rule = rule or Rule()
        self._kept_s = kept_s
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, Any]] = OrderedDict()  # until when, and what
        self._asked: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def names(self, team_id: str, user_ids: Iterable[str], *, within_s: float = WITHIN_S) -> dict[str, str]:
        """Name those who are known, and those whom Slack names within WITHIN_S; the others are known next time."""
        wanted = [user_id for user_id in dict.fromkeys(user_ids) if _USER.fullmatch(user_id)][:_MOST_NAMES]
        found = await asyncio.gather(*(self._person(team_id, user_id, within_s) for user_id in wanted))
        return {user_id: person.name for user_id, person in zip(wanted, found, strict=True) if person and person.name}

    async def is_administrator(self, team_id: str, user_id: str, *, within_s: float = RIGHTS_WITHIN_S) -> bool | None:
        """Tell whether the rule makes somebody an administrator; None where Slack does not say in time."""
        rule = self._rule
        if f"{team_id}/{user_id}" in rule.users:
            return True
        if not rule.counts(team_id):
            return False
        if user_id in rule.users:
            return True
        asked = (self._group(team_id, group, within_s) for group in rule.groups)
        person, groups = await asyncio.gather(self._person(team_id, user_id, within_s), asyncio.gather(*asked))
        if any(group is not None and user_id in group for group in groups):
            return person is not None  # a person who has left stays in a group for a while
        if person is None or None in groups:
            return None
        return (rule.admins and person.is_admin) or (rule.owners and person.is_owner)

    async def is_outsider(self, team_id: str, user_id: str, *, within_s: float = RIGHTS_WITHIN_S) -> bool | None:
        """Tell whether somebody is a guest or of another organisation; None where Slack does not say in time."""
        person = await self._person(team_id, user_id, within_s)
        return person.is_outsider if person is not None else None

    async def language(self, team_id: str, user_id: str, *, within_s: float = WITHIN_S) -> str:
        """Name the language somebody reads Slack in as an ISO 639-1 code; empty where Slack does not say in time."""
        person = await self._person(team_id, user_id, within_s)
        return person.language if person is not None else ""

    async def is_shared(self, team_id: str, channel: str, *, within_s: float = RIGHTS_WITHIN_S) -> bool | None:
        """Tell whether other organisations read along in a channel; None where Slack does not say in time."""
        return await self._once((team_id, channel), lambda: self._ask_channel(team_id, channel), within_s)

    async def _ask_channel(self, team_id: str, channel: str) -> bool | None:
        try:
            said = await self._api.call("conversations.info", team_id=team_id, channel=channel)
        except Refusal as refusal:
            if refusal.code != "channel_not_found":
                raise
            return False  # we are not in it: what is answered there its author alone can see
        return value_at(said, "channel", "is_ext_shared") is True

    async def close(self) -> None:
        """Let go of what is still being asked."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    async def _person(self, team_id: str, user_id: str, within_s: float) -> Person | None:
        async def ask() -> Person | None:
            answer = await self._api.call("users.info", team_id=team_id, user=user_id, include_locale=True)
            return person_of(object_at(answer, "user"), team_id)

        return await self._once((team_id, user_id), ask, within_s) if _USER.fullmatch(user_id) else None

    async def _group(self, team_id: str, group_id: str, within_s: float) -> frozenset[str] | None:
        async def ask() -> frozenset[str]:
            users = value_at(
                await self._api.call("usergroups.users.list", team_id=team_id, usergroup=group_id), "users"
            )
            return (
                frozenset(user for user in users if isinstance(user, str)) if isinstance(users, list) else frozenset()
            )

        return await self._once((team_id, group_id), ask, within_s)

    async def _once(self, key: tuple[str, str], ask: Callable[[], Awaitable[T | None]], within_s: float) -> T | None:
        """Return what is known of KEY, else ask; whoever comes meanwhile waits for the same answer."""
        until_s, known = self._known.get(key, (float("-inf"), None))
        if self._clock() < until_s:
            found: T | None = known
            return found
        task: asyncio.Task[T | None] | None = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        done, _ = await asyncio.wait({task}, timeout=within_s)
        return task.result() if done and not task.cancelled() else None

    async def _ask(self, key: tuple[str, str], ask: Callable[[], Awaitable[T | None]]) -> T | None:
        found: T | None = None
        try:
            found = await ask()
        except (Rejected, ChannelUnavailable) as error:
            _log.warning("Slack does not say who %s is: %s", key[1], error)
        self._known[key] = (self._clock() + (self._kept_s if found is not None else UNKNOWN_S), found)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found


def person_of(user: Json, team_id: str) -> Person | None:
    """Read a user; an administrator of another organisation, met in a shared channel, is none here."""
    if not user:
        return None
    profile = object_at(user, "profile")
    name = text_at(profile, "display_name") or text_at(profile, "real_name") or text_at(user, "name")
    language = hint_of(text_at(user, "locale"))
    ours = text_at(user, "team_id") in ("", team_id) or bool(object_at(user, "enterprise_user"))
    outsider = not ours or any(value_at(user, flag) is True for flag in _OUTSIDE)
    if not ours or any(value_at(user, flag) is True for flag in ("is_stranger", "deleted", "is_bot")):
        return Person(name, is_outsider=outsider, language=language)
    owner = value_at(user, "is_owner") is True or value_at(user, "is_primary_owner") is True
    return Person(name, value_at(user, "is_admin") is True or owner, owner, outsider, language)
