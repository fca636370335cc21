"""Many things at once, all of them to their end: a run that goes on, or is cancelled, leaves nothing behind at work."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

from temporalio import workflow

Outcome = TypeVar("Outcome")


async def together(work: Iterable[Awaitable[None]]) -> None:
    """Wait for all, whatever happens to one of them.

    A bare `gather` goes on with the first that fails or is cancelled, while another may still be interrupting
    Terraform.

    Raises:
        CancelledError: the run was cancelled; everything has heard of it and has ended.
        Exception: the first one that was raised.
    """
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def to_its_end(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """A cancellation that comes meanwhile changes nothing of the work: it is told, recorded or cleaned up whole."""
    task = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise


def stop_if_cancelled() -> None:
    """What has ended well in spite of our cancellation is no reason to go on.

    Raises:
        CancelledError: somebody has cancelled this workflow.
    """
    if workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError
