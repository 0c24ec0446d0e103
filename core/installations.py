"""Where Frontdesk was installed, and whose it is there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from core.places import Platform


@dataclass(frozen=True, slots=True)
class Installed:
    """Frontdesk in one workspace."""

    tenant_id: int
    platform: Platform
    installation: str  # the platform's id of the workspace
    token: str = field(repr=False)  # kept encrypted
    name: str = ""
    app_id: str = ""
    bot_user_id: str = ""
    bot_id: str = ""
    scopes: tuple[str, ...] = ()
    installed_by: str = ""


class Installations(Protocol):
    """Keep installations with their tokens, and the states of installations under way."""

    async def save(self, installed: Installed) -> None:
        """Keep an installation in place of the one before; raises Refused where the workspace is another tenant's."""

    async def installed(self, platform: Platform, installation: str) -> Installed | None:
        """Look an installation up, whoever it belongs to; None where there is none or it was revoked.

        Raises Refused where its token cannot be decrypted with the keys there are.
        """

    async def tenant_of(self, platform: Platform, installation: str) -> int | None:
        """Tell whose a workspace is, also after it was revoked; None where it is nobody's."""

    async def names(self, tenant_id: int, platform: Platform) -> Sequence[str]:
        """List the tenant's workspaces that are not revoked."""

    async def revoke(self, platform: Platform, installation: str, reason: str, told_at: datetime) -> bool:
        """Erase the token of an installation made before TOLD_AT; False where a newer one stands there."""

    async def begin(self, tenant_id: int, state_sha256: bytes, valid_for: timedelta) -> None:
        """Keep the hash of a state, and drop those that are too old."""

    async def finish(self, tenant_id: int, state_sha256: bytes) -> bool:
        """Use a state up; False where it is not known, used, or too old."""
