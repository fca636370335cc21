"""Many things at once, all of them to their end: a run that goes on, or is cancelled, leaves nothing behind at work."""

import asyncio
from collections.abc import Awaitable, Iterable


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
