"""What is being found out right now is found out once for all who ask for the same meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


class InFlight(Generic[Answer]):
    """Joins equal questions while the first of them is on its way; nothing is remembered after its answer.

    Not for what must not be older than the question: the answer may have been read a moment before it was asked.
    """

    def __init__(self) -> None:
        self._asked: dict[Hashable, _Shared[Answer]] = {}

    async def ask(self, key: Hashable, find_out: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """The answer, or the error, of the question that is on its way; given up once nobody waits for it any more."""
        shared = self._asked.get(key)
        if shared is None:
            shared = self._asked[key] = _Shared(asyncio.create_task(find_out()))
            shared.task.add_done_callback(lambda _: self._forget(key, shared))
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                self._forget(key, shared)
                shared.task.cancel()
                await asyncio.wait([shared.task])  # so that no process of it is left behind

    def _forget(self, key: Hashable, shared: "_Shared[Answer]") -> None:
        if self._asked.get(key) is shared:
            del self._asked[key]


class _Shared(Generic[Answer]):
    def __init__(self, task: "asyncio.Task[Answer]") -> None:
        self.task = task
        self.waiting = 0
