"""Microsoft's local Teams client on loopback, and a person in front of it; see teams_person.mjs."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).parent
CLIENT = HERE / "node_modules" / "@microsoft" / "m365agentsplayground" / "cli.js"
START_S = 60


def program(*names):
    return next((found for name in names if (found := shutil.which(name))), None)


NODE = program("node")
CHROMIUM = program("chromium", "chromium-browser", "google-chrome")


def missing():
    """Say what this machine lacks to show the client; empty where nothing."""
    if not NODE:
        return "there is no Node"
    if not CLIENT.is_file():
        return "Microsoft's local client is not installed: npm ci --prefix tests/endtoend"
    return "" if CHROMIUM else "there is no Chromium"


@asynccontextmanager
async def running(log, ready, *command, **more):
    """Run COMMAND, which writes to LOG, until the block ends; yield the match of READY in what it wrote."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=out, stderr=asyncio.subprocess.STDOUT, start_new_session=True, **more
        )
    try:
        async with asyncio.timeout(START_S):
            while not (found := re.search(ready, log.read_text())):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield found
    finally:
        await end(process)


async def end(process):
    """End PROCESS with all that it started."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def showing(folder, bot_url):
    """Run the client for the bot at BOT_URL; yield the address of its page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--app-endpoint", bot_url, "--channel-id", "msteams", "--port", str(port), "--disable-telemetry"]
    quiet = {**os.environ, "TEAMSAPPTESTER_BROWSER": "none"}
    log, ready = folder / "client.log", r"Listening on (\d+)"
    async with running(log, ready, NODE, CLIENT, "start", *options, cwd=folder, env=quiet) as found:
        yield f"http://127.0.0.1:{found[1]}/"


class Person:
    """Somebody who types, reads and presses buttons."""

    def __init__(self, process):
        self._process = process

    async def _told(self):
        line = await self._process.stdout.readline()
        told = json.loads(line or '{"failed": "the browser has ended"}')
        assert "failed" not in told, told["failed"]
        return told["done"]

    async def do(self, order, **given):
        self._process.stdin.write(json.dumps({"order": order, **given}).encode() + b"\n")
        return await self._told()

    async def say(self, words, *, mention=False):
        await self.do("say", words=words, mention=mention)

    async def read(self, until, *, after=""):
        """Return what stands behind AFTER, as soon as UNTIL stands there."""
        return await self.do("read", after=after, until=until)


@asynccontextmanager
async def sitting_at(url, folder):
    """Open the page at URL in a browser with a new profile."""
    command = (NODE, HERE / "teams_person.mjs", url, CHROMIUM, folder / "profile")
    with (folder / "browser.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=1 << 24,
            start_new_session=True,
        )
    try:
        person = Person(process)
        await person._told()
        yield person
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()
    finally:
        await end(process)
