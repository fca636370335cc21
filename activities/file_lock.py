"""One at a time on this machine: a lock on a file that ends with the processes that hold it."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_ASK_AGAIN = 0.05  # seconds; waiting in a thread instead couldn't be cancelled


@asynccontextmanager
async def file_lock(path: Path) -> AsyncIterator[int]:
    """Hold the lock; gives its file descriptor.

    A child process that inherits the descriptor (`pass_fds`) holds the lock with us: after a kill -9 of this process
    it stays locked until the child has ended, so whoever gets it next meets nobody half way through.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(descriptor):  # noqa: ASYNC110 - another process tells no event of ours
            await asyncio.sleep(_ASK_AGAIN)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
