"""Lets one setup work at a time; the lock ends with its process and what that has started, however they end."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.progress import Progress


@contextmanager
def one_at_a_time(path: Path, progress: Progress) -> Iterator[None]:
    """Waits, and says for whom, until no other setup works in this repository."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        # A pip or Go that outlives a killed setup would write into what the next one makes, so it holds the lock, too.
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            with progress.step(f"waiting for another setup (process {file.read().strip() or 'unknown'})"):
                fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
