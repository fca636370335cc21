"""What every operation on a unit starts from: its folder, its environment, heartbeats, and one way to fail."""

import asyncio
import contextlib
import errno
import functools
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.terragrunt_messages import FailureDetails, UnitRequest
from docustack.errors import NEVER_RETRIED, ErrorType
from docustack.repository import WorkTree

Owner = TypeVar("Owner")
Question = TypeVar("Question")
Answer = TypeVar("Answer")

_OFTEN = 5.0
"""Seconds between heartbeats, where the heartbeat timeout doesn't ask for more."""

_ROOM = 64 * 1024
"""Bytes below which a disk counts as full."""


class WorkTrees(Protocol):
    """Where runs' commits are checked out on this host."""

    async def ensure(self, tree: WorkTree) -> Path:
        """The root of the tree, checked out now if it wasn't."""
        ...


@dataclass(frozen=True)
class Unit:
    """One unit on this host."""

    request: UnitRequest
    root: Path
    folder: Path
    environ: dict[str, str]
    credentials_until: datetime | None = None  # None: they don't end, as far as is known
    blind: str = ""  # the role that could not be assumed, where only what an apply left is to be read

    def prepared(self) -> list[Path]:
        """The folders where Terragrunt has put the module and run `init`, the latest first."""
        found = [self.folder] if (self.folder / ".terraform").is_dir() else []
        for path, folders, _ in os.walk(self.folder / ".terragrunt-cache"):
            if ".terraform" in folders:
                found.append(Path(path))
            folders[:] = [name for name in folders if not name.startswith(".")]
        return sorted(found, key=lambda folder: (folder / ".terraform").stat().st_mtime, reverse=True)


async def unit_folder(trees: WorkTrees, request: UnitRequest) -> tuple[Path, Path]:
    """The tree's root, checked out if need be, and the unit in it; raises NOT_FOUND where the commit has none such."""
    root = await trees.ensure(request.tree)
    folder = root / request.unit
    if not folder.resolve().is_relative_to(root.resolve()) or not await asyncio.to_thread(_is_unit, folder):
        raise unit_failure(
            ErrorType.NOT_FOUND, f"There is no unit {request.unit} at commit {request.tree.tree_commit[:12]}."
        )
    return root, folder


def _is_unit(folder: Path) -> bool:
    return (folder / "terragrunt.hcl").is_file() or (folder / "terragrunt.hcl.json").is_file()


def unit_failure(
    error_type: ErrorType, message: str, details: FailureDetails | None = None, *, retry: bool | None = None
) -> ApplicationError:
    """The error that an operation on a unit raises; `retry` decides where the type alone doesn't."""
    never = error_type in NEVER_RETRIED if retry is None else not retry
    busy = error_type in (ErrorType.THROTTLED, ErrorType.STATE_LOCKED, ErrorType.CANCELLED)
    return ApplicationError(
        message,
        *([details] if details else []),
        type=error_type.value,
        non_retryable=never,
        category=ApplicationErrorCategory.BENIGN if busy else ApplicationErrorCategory.UNSPECIFIED,
    )


@contextlib.asynccontextmanager
async def heartbeating(details: Callable[[], object]) -> AsyncIterator[None]:
    """Tells Temporal that this attempt lives, at once and then often enough, with details that a retry could use.

    Raises an `ApplicationError` where the work has met a full disk.
    """
    if not activity.in_activity():
        yield
        return
    timeout = activity.info().heartbeat_timeout
    interval = min(_OFTEN, timeout.total_seconds() / 3) if timeout else _OFTEN
    activity.heartbeat(details())

    async def beat() -> None:
        while True:
            await asyncio.sleep(interval)
            activity.heartbeat(details())

    task = asyncio.create_task(beat())
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise unit_failure(
            ErrorType.DISK_FULL,
            f"The disk of the worker on {socket.gethostname()} is full ({error.filename or error}). Make room there "
            "and comment the command again.",
        ) from None
    finally:
        task.cancel()


def make_sure_of_room(folder: Path) -> None:
    """Raises OSError where the disk is full: what failed on it may not have had the room to say why."""
    there = os.statvfs(folder)
    if there.f_bavail * there.f_frsize < _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def heartbeats(
    method: Callable[[Owner, Question], Coroutine[Any, Any, Answer]],
) -> Callable[[Owner, Question], Coroutine[Any, Any, Answer]]:
    """An activity that may take long and has nothing to tell meanwhile: a dead worker is still noticed soon."""

    @functools.wraps(method)
    async def attended(self: Owner, question: Question) -> Answer:
        async with heartbeating(lambda: method.__name__):
            return await method(self, question)

    return attended


def was_cancelled() -> bool:
    """Somebody wants the work to end; it isn't only that this worker shuts down, or that Temporal lost sight of it."""
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested


def worker_stops() -> bool:
    """This worker was told to stop, and the time that it gives to what runs is over."""
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown
