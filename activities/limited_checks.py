"""Makes a check within a time limit: whatever happens, there is an answer that a person can read."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from activities.failures import failure
from docustack.errors import ErrorType
from docustack.prerequisites import Expected, Prerequisite

T = TypeVar("T")

ANSWERS_WITHIN = 15.0
"""Seconds that a check may take."""


async def limited(
    expected: Expected,
    check: Awaitable[Prerequisite],
    mend: str,
    seconds: float = ANSWERS_WITHIN,
    *,
    asked_again: bool = False,
) -> Prerequisite:
    """The check, or why it could not be made; `mend` is the command that shows or mends what is in its way.

    Raises:
        ApplicationError: retryable, and only with `asked_again`: the other side was away, busy or too slow, which says
            nothing of what was to be checked.
    """
    try:
        async with asyncio.timeout(seconds):
            return await check
    except TimeoutError:
        if asked_again:
            raise failure(
                ErrorType.UNAVAILABLE, f"{expected.name}: no answer within {seconds:g} s. It is asked again."
            ) from None
        return expected.failed(f"no answer within {seconds:g} s", mend)
    except ApplicationError as error:
        if asked_again and not error.non_retryable:
            raise
        return expected.failed(_one_line(error.message), mend)
    except Exception as error:
        return expected.failed(_one_line(f"{type(error).__name__}: {error}"), mend)


async def in_thread(call: Callable[[], T]) -> T:
    """A blocking call, which may be left behind: unlike a pool's thread it keeps no process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return  # nobody waits for it any more
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # a result of None is one of T's own

    def work() -> None:
        result: T | None = None
        failed: BaseException | None = None
        try:
            result = call()
        except Exception as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=work, daemon=True, name="check").start()
    return await future


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
