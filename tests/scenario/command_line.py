"""The `frontdesk` command in a folder with a home of its own, whose embedded server runs all the while."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.embedded.postgres import Attachment, attach

FRONTDESK = Path(sys.executable).with_name("frontdesk")


@dataclass(frozen=True)
class Frontdesk:
    """The command; call it with its arguments."""

    folder: Path
    environment: dict[str, str]
    server: Attachment

    def __call__(self, *arguments, code=0, stdin="", **settings):
        """Run the command to its end, which must be CODE; return what it left."""
        done = subprocess.run(
            [FRONTDESK, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self.environment, **settings},
            timeout=100,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def start(self, *arguments, stderr=None, **settings):
        """Start the command and leave it running; return its process."""
        return subprocess.Popen(
            [FRONTDESK, *arguments],
            cwd=self.folder,
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


@contextmanager
def open_home():
    """Make a home whose server runs until the block ends, or every command would start one; yield the command."""
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-commands-"))
    folder.chmod(0o755)  # a server that root starts runs as somebody else
    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        with attach(home) as server:
            yield Frontdesk(folder, {**os.environ, "FRONTDESK_HOME": str(home), "COLUMNS": "200"}, server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
