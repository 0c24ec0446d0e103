"""A PostgreSQL of our own, shared by every process of an installation.

``attach`` starts the server or finds it running; a keeper (keeper.py) stops it when the last process has gone.
Nothing rests on a process id: use is a lock the kernel drops at death, life is an answer on the socket.

Who holds what, below HOME/postgres:
    users.lock   shared by every attachment; taken alone by the keeper while it stops the server
    start.lock   by one attach() at a time
    keeper.lock  by the keeper
"""

import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psutil

from adapters.embedded.pg_files import WINDOWS, Server, make_private, open_root, prepare
from adapters.embedded.pg_lock import held_lock, take_lock
from core.errors import Refused, StoreUnavailable

SUPERUSER = "frontdesk_owner"
MAJOR = "18"
PORT = 5432  # on POSIX only part of the socket's name
START_S = 120  # recovery after a crash of a busy server
STOP_S = 60
LOG_DAYS = 6
SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One file a weekday, begun afresh a week later; without statements or details: they would quote documents.
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_size": "0",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@dataclass(slots=True)
class Attachment:
    """A share in the running server, until ``leave``."""

    host: str  # the folder of the Unix socket; 127.0.0.1 on Windows
    port: int
    superuser: str
    password: str = field(repr=False)
    _root: Path = field(repr=False)
    _users_fd: int | None = field(repr=False)

    def owner_url(self, database: str) -> str:
        """Write the address of a database for asyncpg, as the superuser."""
        login = f"{self.superuser}:{quote(self.password, safe='')}"
        return f"postgresql://{login}@/{quote(database, safe='')}?host={quote(self.host)}&port={self.port}"

    def is_dead(self) -> bool:
        """Tell whether nobody listens where it answered; a server that only hangs or recovers is not dead."""
        unix = not WINDOWS
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(f"{self.host}/.s.PGSQL.{self.port}" if unix else (self.host, self.port))
            except TimeoutError:
                return False
            except OSError:
                return True
        return False

    def revive(self, *, say: Callable[[str], None] = lambda _: None) -> None:
        """Start the server again where it has died; it answers where it did, on Windows at another port.

        Nothing happens where it runs. Blocks, and raises, as attach() does.
        """
        with _mapped(self._root.parent), held_lock(self._root / "start.lock", timeout_s=START_S):
            self.host, self.port = _ensure_running(prepare(self._root), say)

    def leave(self) -> None:
        """Give up the share: the server stops soon after the last one."""
        fd, self._users_fd = self._users_fd, None
        if fd is None:
            return
        with suppress(OSError):  # without a keeper the server runs on until the next one has come and gone
            _ensure_keeper(self._root)
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


def attach(home: Path, *, say: Callable[[str], None] = lambda _: None) -> Attachment:
    """Share the PostgreSQL of ``home``, starting it where it does not run; blocks for up to minutes.

    Raises Refused where accounts or versions forbid it and StoreUnavailable where it does not start.
    """
    with _mapped(home):
        root = open_root(home)
        users = take_lock(root / "users.lock", shared=True, timeout_s=START_S)
        try:
            with held_lock(root / "start.lock", timeout_s=START_S):
                server = prepare(root)
                _ensure_keeper(root)
                host, port = _ensure_running(server, say)
            password = (root / "password").read_text()
        except BaseException:
            os.close(users)
            raise
    return Attachment(host, port, SUPERUSER, password, root, users)


@contextmanager
def _mapped(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The PostgreSQL in {home} cannot be started ({error}): see that the disk has room and that this account "
            "may write there, or set DATABASE_URL."
        ) from error


def stop(root: Path) -> None:
    """Stop the server in ``root`` where it runs; only for who holds users.lock alone."""
    server = prepare(root)
    if _postmaster(server):
        server.run("pg_ctl", "stop", "-m", "fast", "-t", str(STOP_S), data=server.data)


def _ensure_keeper(root: Path) -> None:
    try:
        lock = take_lock(root / "keeper.lock")
    except TimeoutError:
        return
    command = [sys.executable, "-m", "adapters.embedded.keeper", str(root)]
    where = Path(__file__).parents[2]  # adapters is found from here, installed or not
    quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    try:
        if sys.platform == "win32":
            subprocess.Popen(command, cwd=where, creationflags=subprocess.DETACHED_PROCESS, **quiet)  # noqa: S603
        else:
            # The shell ends at once, so that the keeper is no child to wait for; it inherits the lock.
            command = ["/bin/sh", "-c", '"$@" &', "sh", *command, str(lock)]
            subprocess.run(command, cwd=where, pass_fds=(lock,), start_new_session=True, check=False, **quiet)  # noqa: S603
    finally:
        os.close(lock)


def _ensure_running(server: Server, say: Callable[[str], None]) -> tuple[str, int]:
    deadline = time.monotonic() + START_S
    trouble = "it does not answer"
    while time.monotonic() < deadline:
        address = _address(server)
        code = server.run("pg_isready", "-h", address[0], "-p", str(address[1]))[0] if address else 2
        if address and code == 0:
            return address
        if code == 2 and not _postmaster(server):
            trouble = _start(server, say)
        else:
            time.sleep(0.1)  # it starts, recovers or stops
    raise _not_started(server, trouble)


def _address(server: Server) -> tuple[str, int] | None:
    """Tell where the server answers if it runs; on Windows only the running server knows its port."""
    if server.sockets:
        return str(server.sockets), PORT
    if not _postmaster(server):
        return None
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    return ("127.0.0.1", int(lines[3])) if len(lines) > 3 else None


def _postmaster(server: Server) -> bool:
    """Check that the process in postmaster.pid is this folder's server and not one that got the number later."""
    try:
        process = psutil.Process(int((server.data / "postmaster.pid").read_text().split("\n")[0]))
        return process.name().startswith("postgres") and server.data.samefile(process.cwd())
    except (OSError, ValueError, psutil.Error):
        return False


def _start(server: Server, say: Callable[[str], None]) -> str:
    """Start the server, making the data first where there is none; what to report if it is not there in the end.

    Raises Refused for the data of another version, StoreUnavailable where the server gives up.
    """
    if not server.data.exists():
        say(f"Making a database in {server.root}")
        _create_data(server)
    found = (server.data / "PG_VERSION").read_text().strip()
    if found != MAJOR:
        raise Refused(
            f"{server.data} was made by PostgreSQL {found} and this Frontdesk brings PostgreSQL {MAJOR}: dump it with "
            "the Frontdesk that made it and load it into a new FRONTDESK_HOME, or set DATABASE_URL."
        )
    # PostgreSQL would take the numbers in these files for a running server when another process has them by now.
    (server.data / "postmaster.pid").unlink(missing_ok=True)
    if server.sockets:
        (server.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    for log in server.log.iterdir():
        if log.stat().st_mtime < time.time() - LOG_DAYS * 86400:
            log.unlink()
    code, output = server.run("pg_ctl", "start", "-t", str(START_S), "-o", _options(server), data=server.data)
    if code == 0:
        return "it stopped again"
    if "shared memory block" in output:  # processes of a killed server are still on their way out
        time.sleep(0.2)
        return _telling_line(output)
    if "redirecting log output" in output:
        newest = max(server.log.iterdir(), key=lambda log: log.stat().st_mtime)
        output = newest.read_text(errors="replace").rpartition("starting PostgreSQL")[2]
    raise _not_started(server, _telling_line(output))


def _options(server: Server) -> str:
    """Write the settings as pg_ctl passes them on, through a shell."""
    if server.sockets:
        where = {"listen_addresses": "", "unix_socket_directories": str(server.sockets), "port": str(PORT)}
    else:
        with socket.create_server(("127.0.0.1", 0)) as free:
            where = {"listen_addresses": "127.0.0.1", "port": str(free.getsockname()[1])}
    return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in (SETTINGS | where).items())


def _create_data(server: Server) -> None:
    """Run initdb beside the data folder and move the result there, so that it is whole or absent.

    The locale is the built-in C.UTF-8: the same order and upper case on every machine, whatever its C library does.
    """
    for left in server.root.glob("data.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    new, secret = Path(mkdtemp(prefix="data.new-", dir=server.root)), server.root / "password.new"
    make_private(new, server.account)
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24))
    if server.account:
        os.chown(secret, *server.account)
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    login = (f"--username={SUPERUSER}", f"--pwfile={secret}", "--auth=scram-sha-256")
    code, output = server.run("initdb", "--no-instructions", *locale, *login, data=new)
    if code:
        raise _not_started(server, _telling_line(output))
    if server.account:
        os.chown(secret, os.geteuid(), os.getegid())
    secret.replace(server.root / "password")
    new.rename(server.data)
    if not WINDOWS:
        root_fd = os.open(server.root, os.O_RDONLY)
        os.fsync(root_fd)  # what is still called data.new after a power cut is removed
        os.close(root_fd)


def _telling_line(output: str) -> str:
    """Pick the line that names the cause: the first that reports an error, unless it only turns a client away."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"(FATAL|PANIC|ERROR|error):(?!\s+the database system is)", line)]
    return (*telling, *reversed(lines), "no message")[0]


def _not_started(server: Server, trouble: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"The PostgreSQL in {server.root} did not start ({trouble}): see its log in {server.log}, or set DATABASE_URL."
    )
