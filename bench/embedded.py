"""An embedded PostgreSQL for one measurement, in a folder that is gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.embedded.pg_lock import take_lock
from adapters.embedded.postgres import Attachment, attach

_STOPPED_S = 30.0


@contextmanager
def embedded_postgres(prefix: str) -> Iterator[tuple[Path, Attachment]]:
    """Run a server in a new folder, named PREFIX and more, that every account may enter as root's own server needs."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        with attach(folder) as attachment:
            yield folder, attachment
        # Its keeper stops the server after its last user has gone, and would write into a folder removed before that.
        with suppress(TimeoutError):
            os.close(take_lock(folder / "postgres" / "keeper.lock", timeout_s=_STOPPED_S))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
