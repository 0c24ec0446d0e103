"""Where Frontdesk was installed: tokens encrypted at rest, and whose a workspace is.

A process hears of a workspace before it knows the tenant, so the table installation_tenants lets everybody read which
tenant a workspace belongs to; it holds no secrets, and only the tenant itself may write its rows. Everything else lies
behind the tenant's policy.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from adapters.postgres.database import NO_TENANT, Connection, Database
from core.errors import Refused, UsageError
from core.installations import Installed
from core.places import Platform

_MAKE_A_KEY = "openssl rand -base64 32 | tr '+/' '-_'"

_BIND = """
insert into installation_tenants (tenant_id, platform, installation) values ($1, $2, $3)
on conflict (platform, installation) do nothing
"""

_TENANT = "select tenant_id from installation_tenants where platform = $1 and installation = $2"

_SAVE = """
insert into installations (tenant_id, platform, installation, name, app_id, bot_user_id, bot_id, secret, scopes,
    installed_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (tenant_id, platform, installation) do update set
    name = excluded.name, app_id = excluded.app_id, bot_user_id = excluded.bot_user_id, bot_id = excluded.bot_id,
    secret = excluded.secret, scopes = excluded.scopes, installed_by = excluded.installed_by, installed_at = now(),
    revoked_at = null, reason = ''
"""

_REVOKE = """
update installations set secret = null, revoked_at = coalesce(revoked_at, now()), reason = $3
where platform = $1 and installation = $2 and installed_at <= $4
returning true
"""


class Vault:
    """Encrypt tokens with the newest key, and decrypt them with any of the keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take KEYS, the newest first, each 32 bytes in base64; raises UsageError."""
        if not keys:
            raise UsageError(f"SLACK_ENCRYPTION_KEYS is not set; make a key with: {_MAKE_A_KEY}")
        try:
            self._fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise UsageError(
                f"A key of SLACK_ENCRYPTION_KEYS is not 32 bytes in URL-safe base64; make one with: {_MAKE_A_KEY}"
            ) from error
        self._all = MultiFernet(self._fernets)

    def seal(self, token: str, installation: str) -> bytes:
        """Encrypt TOKEN so that it can be read for INSTALLATION alone."""
        return self._all.encrypt(json.dumps([installation, token]).encode())

    def open(self, secret: bytes, installation: str) -> str:
        """Decrypt a token; raises Refused where no key fits or it is another installation's."""
        try:
            named, token = json.loads(self._all.decrypt(secret))
        except InvalidToken as error:
            raise Refused(
                f"The token of workspace {installation} was encrypted with a key that is not in SLACK_ENCRYPTION_KEYS; "
                "add that key again, or install the app once more."
            ) from error
        if named != installation:
            raise Refused(f"The token kept for workspace {installation} is that of another one; install the app again.")
        return str(token)

    def is_newest(self, secret: bytes) -> bool:
        """Tell whether SECRET was encrypted with the newest key."""
        try:
            self._fernets[0].decrypt(secret)
        except InvalidToken:
            return False
        return True


class PostgresInstallations:
    """The Installations port on PostgreSQL."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def save(self, installed: Installed) -> None:
        """Keep an installation in place of the one before; raises Refused where the workspace is another tenant's."""
        platform, installation = installed.platform.value, installed.installation
        secret = self._vault.seal(installed.token, installation)
        async with self._database.tenant(installed.tenant_id) as connection:
            await connection.execute(_BIND, installed.tenant_id, platform, installation)
            if await connection.fetchval(_TENANT, platform, installation) != installed.tenant_id:
                raise Refused("This workspace belongs to another tenant already; ask whoever runs Frontdesk.")
            await connection.execute(
                _SAVE,
                installed.tenant_id,
                platform,
                installation,
                installed.name,
                installed.app_id,
                installed.bot_user_id,
                installed.bot_id,
                secret,
                list(installed.scopes),
                installed.installed_by,
            )

    async def installed(self, platform: Platform, installation: str) -> Installed | None:
        """Look an installation up, whoever it belongs to; None where there is none or it was revoked.

        A token encrypted with an older key is encrypted with the newest one on the way. Raises Refused where no key
        fits.
        """
        tenant_id = await self.tenant_of(platform, installation)
        if tenant_id is None:
            return None
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(
                "select * from installations where platform = $1 and installation = $2 and secret is not null",
                platform.value,
                installation,
            )
            if row is None:
                return None
            token = self._vault.open(row["secret"], installation)
            if not self._vault.is_newest(row["secret"]):
                await self._renew(connection, platform, installation, row["secret"], token)
        return Installed(
            tenant_id=tenant_id,
            platform=platform,
            installation=installation,
            token=token,
            name=row["name"],
            app_id=row["app_id"],
            bot_user_id=row["bot_user_id"],
            bot_id=row["bot_id"],
            scopes=tuple(row["scopes"]),
            installed_by=row["installed_by"],
        )

    async def _renew(
        self, connection: Connection, platform: Platform, installation: str, before: bytes, token: str
    ) -> None:
        await connection.execute(
            "update installations set secret = $4 where platform = $1 and installation = $2 and secret = $3",
            platform.value,
            installation,
            before,
            self._vault.seal(token, installation),
        )

    async def tenant_of(self, platform: Platform, installation: str) -> int | None:
        """Tell whose a workspace is, also after it was revoked; None where it is nobody's."""
        async with self._database.tenant(NO_TENANT) as connection:
            tenant_id: int | None = await connection.fetchval(_TENANT, platform.value, installation)
        return tenant_id

    async def names(self, tenant_id: int, platform: Platform) -> list[str]:
        """List the tenant's workspaces that are not revoked."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select installation from installations where platform = $1 and secret is not null order by 1",
                platform.value,
            )
        return [row["installation"] for row in rows]

    async def revoke(self, platform: Platform, installation: str, reason: str, told_at: datetime) -> bool:
        """Erase the token of an installation made before TOLD_AT; False where a newer one stands there.

        The platform repeats what it tells for an hour, and a workspace may have been installed anew meanwhile.
        """
        tenant_id = await self.tenant_of(platform, installation)
        if tenant_id is None:
            return False
        async with self._database.tenant(tenant_id) as connection:
            return bool(await connection.fetchval(_REVOKE, platform.value, installation, reason, told_at))

    async def begin(self, tenant_id: int, state_sha256: bytes, valid_for: timedelta) -> None:
        """Keep the hash of a state, and drop those that are too old."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute("delete from installation_states where expires_at < now()")
            await connection.execute(
                "insert into installation_states (tenant_id, state_sha256, expires_at) values ($1, $2, now() + $3)",
                tenant_id,
                state_sha256,
                valid_for,
            )

    async def finish(self, tenant_id: int, state_sha256: bytes) -> bool:
        """Use a state up; False where it is not known, used, or too old."""
        async with self._database.tenant(tenant_id) as connection:
            left = await connection.fetchval(
                "delete from installation_states where state_sha256 = $1 returning expires_at > now()", state_sha256
            )
        return bool(left)
