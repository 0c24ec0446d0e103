"""A Frontdesk of real processes in a folder of its own, and what its database says happened."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from adapters.embedded.postgres import Attachment
from bench.embedded import embedded_postgres
from bots.settings import Settings
from core.places import Platform

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT / "bots" / "handbook"
KEY = "a key of at least twenty characters"
INSTALLATION = "shop"
SIDE = "bench.faults.worker"  # a worker that can be told where to die


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """One process of the house."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self.process.poll() is None

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; a killed process is waited for."""
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        if how is signal.SIGKILL:
            self.process.wait(10)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; None where it has not ended in time."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout_s)
        return None

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-3_000:]


@dataclass
class House:
    """The processes, their settings and their embedded PostgreSQL."""

    folder: Path
    server: Attachment
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the web process's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def events_url(self) -> str:
        """Return where the HTTP channel takes events."""
        return f"{self.url}/http/{INSTALLATION}/events"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the settings of a process of the house."""
        return {
            "FRONTDESK_HOME": str(self.folder),
            "HTTP_KEYS": f"{INSTALLATION}={KEY}",
            "LOG_LEVEL": "info",
            "AUTHOR_PER_MINUTE": "100000",
            "WAITING_LIMIT": "100000",
            **self.settings,
            **more,
        }

    def start(self, name: str, *command: str, **more: str) -> Running:
        """Start a process."""
        log = self.folder / f"{name}-{len(self.running)}.log"
        with log.open("wb") as out:
            words = [*_with(self.environment(**more)), sys.executable, "-m", *command]
            process = subprocess.Popen(words, stdout=out, stderr=out, cwd=ROOT)
        running = Running(name, process, log)
        self.running.append(running)
        return running

    def frontdesk(self, *arguments: str, **more: str) -> Running:
        """Start a `frontdesk` command."""
        return self.start(arguments[0], "bots", *arguments, **more)

    def run(self, *arguments: str, **more: str) -> None:
        """Run a `frontdesk` command to its end."""
        running = self.frontdesk(*arguments, **more)
        if running.wait(120) != 0:
            raise RuntimeError(f"frontdesk {' '.join(arguments)} failed: {running.tail()}")

    def learn(self, platform: Platform, **more: str) -> None:
        """Ingest a page of the sample handbook, for PLATFORM."""
        self.run("ingest", str(HANDBOOK / "time-off.md"), "--kb", "handbook", **more)
        self.run("kb", "scope", "handbook", "--platform", platform, **more)

    def web(self, *arguments: str, **more: str) -> Running:
        """Start a web process without a worker."""
        return self.frontdesk("serve", "--no-worker", "--port", str(self.port), *arguments, **more)

    def worker(self, *arguments: str, **more: str) -> Running:
        """Start a worker; with arguments, one that dies where they say (bench/faults/worker.py)."""
        return self.start("worker", SIDE, *arguments, **more)

    async def owner(self) -> asyncpg.Connection:
        """Connect to the database as its owner, who sees every tenant."""
        return await asyncpg.connect(self.server.owner_url("frontdesk"), timeout=10)

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Read what the database says."""
        connection = await self.owner()
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def value(self, statement: str, *values: Any) -> Any:
        """Read one value."""
        rows = await self.fetch(statement, *values)
        return rows[0][0]

    async def has_its_workers(self) -> bool:
        """Tell whether a worker has begun to work, where one was started."""
        started = any(running.alive and running.name == "worker" for running in self.running)
        return not started or await self.value("select count(*) from procrastinate_workers") > 0

    async def unended(self) -> int:
        """Count the rows of the inbox that have not ended."""
        return int(await self.value("select count(*) from inbox where state <> 'ended'"))

    async def all_ended(self, timeout_s: float) -> float | None:
        """Wait until every row has ended and return the seconds it took; None where TIMEOUT_S was not enough."""
        begun = time.monotonic()
        while time.monotonic() - begun < timeout_s:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if await self.unended() == 0:
                    return time.monotonic() - begun
            await asyncio.sleep(0.25)
        return None

    def postmaster(self) -> int:
        """Return the process id of the embedded server."""
        return int((self.folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        """Kill every process."""
        for running in self.running:
            if running.alive:
                with suppress(OSError):
                    running.process.send_signal(signal.SIGCONT)
                running.kill()


def _with(settings: dict[str, str]) -> list[str]:
    """Run what follows with these settings and none of whoever runs this."""
    foreign = [word for name in Settings.model_fields for word in ("-u", name.upper())]
    return ["env", *foreign, *(f"{name}={value}" for name, value in settings.items())]


@contextmanager
def house(platform: Platform = Platform.API, **settings: str) -> Iterator[House]:
    """Make a house with a page of the sample handbook in a knowledge base that answers on PLATFORM."""
    with embedded_postgres("frontdesk-faults-") as (folder, server):
        made = House(folder, server, settings=settings)
        try:
            made.learn(platform)
            yield made
        finally:
            made.stop()
