"""A lock on a file, held by one process alone or shared by many; the kernel drops it when its holder dies.

The standard library only: the keeper imports this module and nothing else while it waits.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.02

if sys.platform == "win32":
    import msvcrt

    def _lock_now(fd: int, *, shared: bool) -> None:
        # Windows has no shared lock here: one byte of many stands for a share, all bytes for holding it alone.
        os.lseek(fd, random.randrange(2**30) if shared else 0, os.SEEK_SET)  # noqa: S311 - spreads, does not protect
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1 if shared else 2**30)
else:
    import fcntl

    def _lock_now(fd: int, *, shared: bool) -> None:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def take_lock(path: Path, *, shared: bool = False, timeout_s: float = 0.0) -> int:
    """Lock the file and return its descriptor: closing that releases the lock.

    Raises TimeoutError when others still hold it after ``timeout_s``.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            _lock_now(fd, shared=shared)
        except (BlockingIOError, PermissionError) as error:  # the second is how Windows says it
            if time.monotonic() >= deadline:
                os.close(fd)
                raise TimeoutError(f"another process holds {path}") from error
            time.sleep(POLL_S)
        else:
            return fd


@contextmanager
def held_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock alone for the length of a block; raises TimeoutError as take_lock does."""
    fd = take_lock(path, timeout_s=timeout_s)
    try:
        yield
    finally:
        os.close(fd)
