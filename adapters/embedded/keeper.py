"""Stop the embedded PostgreSQL when its last user has gone: ``python -m adapters.embedded.keeper HOME/postgres``.

Every process that uses the server shares the lock ``users.lock``, however that process ends. Who gets the lock alone
knows that nobody is left, and nobody can come while the server stops.
"""

import os
import sys
import time
from pathlib import Path

from adapters.embedded.pg_lock import take_lock

POLL_S = 0.25
GRACE_S = 0.5  # one command is often followed by the next
INHERIT_S = 5.0  # attach() lets go of its lock once it has started us


def keep(root: Path, lock: int) -> None:
    """Wait until nobody uses the server in ``root``, then stop it; ``lock`` says meanwhile that a keeper lives."""
    users = _wait_for_last_user(root / "users.lock")
    from adapters.embedded.postgres import stop  # noqa: PLC0415 - imported late: it would double the keeper's size

    stop(root)
    os.close(lock)  # before the users may come: they start a new keeper when they find none
    os.close(users)


def _wait_for_last_user(lock: Path) -> int:
    while True:
        time.sleep(POLL_S)
        try:
            os.close(take_lock(lock))
            time.sleep(GRACE_S)
            return take_lock(lock)
        except TimeoutError:
            continue


def main(root: str, lock: str = "") -> None:
    """Keep the server with the lock inherited from attach(), or on Windows, where none is inherited, with our own."""
    keep(Path(root), int(lock) if lock else take_lock(Path(root) / "keeper.lock", timeout_s=INHERIT_S))


if __name__ == "__main__":
    main(*sys.argv[1:])
