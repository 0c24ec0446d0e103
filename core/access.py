"""Who is an administrator: asked in one place, and how one comes to be so.

A code makes its author an administrator once. Only its SHA-256 is kept, so that neither the database nor a backup of
it holds one that still works, and a code that was used is worthless wherever it was written down.
"""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from core.domain import Author, Message
from core.places import Platform

VALID_FOR = timedelta(hours=24)
TRIES = 5
"""Codes one author may try within TRIES_WITHIN."""
TRIES_WITHIN = timedelta(minutes=10)

# Consonants alone: no digits that read like a card number or a phone, no letters that are taken for each other, no
# words, and no password rule of core/redact.py that would hide a code on its way in.
_LETTERS = "bcdfghjkmnpqrstvwxyz"
_GROUPS, _GROUP = 6, 5  # 20 ** 30 is 129 bits
_CODE = re.compile(rf"[{_LETTERS}]{{{_GROUPS * _GROUP}}}")


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who may administer, beside those whom a platform names."""

    platform: Platform
    installation: str
    author: Author
    created_at: datetime | None = None


class Redemption(StrEnum):
    """What became of a code."""

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"  # never made, used before, or too old
    TOO_MANY = "too many"  # this author has tried too often


class AdministratorStore(Protocol):
    """Keep administrators and the hashes of the codes that make them."""

    async def is_administrator(self, tenant_id: int, platform: Platform, installation: str, author_id: str) -> bool:
        """Tell whether an author is listed."""

    async def administrators(self, tenant_id: int) -> list[Administrator]:
        """List them by platform and id."""

    async def remove(self, tenant_id: int, author_id: str, platform: Platform | None = None) -> int:
        """Take an author from the list, on every platform where PLATFORM is None; tell how many entries went."""

    async def keep_code(self, tenant_id: int, code_sha256: bytes, valid_for: timedelta) -> None:
        """Keep the hash of a code and drop those that are too old."""

    async def allow_try(self, tenant_id: int, administrator: Administrator) -> bool:
        """Count a try; False where there were too many of late, whichever process took them."""

    async def redeem(self, tenant_id: int, code_sha256: bytes, administrator: Administrator) -> bool:
        """Use up the code and list ADMINISTRATOR in one transaction; False where there is no such code."""


class Access:
    """Decide who may administer."""

    def __init__(
        self, store: AdministratorStore, trusted: Collection[Platform] = frozenset({Platform.CONSOLE})
    ) -> None:
        self._store = store
        self._trusted = frozenset(trusted)  # platforms whose own administrators are ours too

    async def is_administrator(self, message: Message) -> bool:
        """Tell whether the author of MESSAGE may administer: the one rule, and nobody else decides it."""
        if message.administrator and message.place.platform in self._trusted:
            return True
        return await self._store.is_administrator(
            message.tenant_id, message.place.platform, message.installation, message.author.author_id
        )

    async def redeem(self, message: Message, code: str) -> Redemption:
        """Make the author of MESSAGE an administrator where CODE is good, and use it up."""
        who = Administrator(message.place.platform, message.installation, message.author)
        if not await self._store.allow_try(message.tenant_id, who):
            return Redemption.TOO_MANY
        known = digest(code)
        if known is not None and await self._store.redeem(message.tenant_id, known, who):
            return Redemption.ACCEPTED
        return Redemption.UNKNOWN

    async def invite(self, tenant_id: int) -> str:
        """Make a code, to be shown once."""
        code = make_code()
        await self._store.keep_code(tenant_id, _sha256(code), VALID_FOR)
        return code

    async def administrators(self, tenant_id: int) -> list[Administrator]:
        """List the administrators whom no platform names."""
        return await self._store.administrators(tenant_id)

    async def remove(self, tenant_id: int, author_id: str, platform: Platform | None = None) -> int:
        """Take an administrator from the list; tell how many entries went."""
        return await self._store.remove(tenant_id, author_id, platform)


def make_code() -> str:
    """Make a code of 129 random bits in groups that can be typed."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))


def digest(code: str) -> bytes | None:
    """Hash a code as somebody typed it, in capitals or with spaces; None where it has not the form of one."""
    letters = re.sub(r"[\s\-‐‑–]", "", code).lower()
    return _sha256(letters) if _CODE.fullmatch(letters) else None


def _sha256(code: str) -> bytes:
    return hashlib.sha256(code.replace("-", "").encode()).digest()
