"""The steps of a saga as people watch them, and the undo that each registers before it begins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.failures import message_of
from workflows.together import stop_if_cancelled

with workflow.unsafe.imports_passed_through():
    from docustack.bootstrap import BootstrapEnd, BootstrapState, StepState, StepStatus, Undone

Undo = Callable[[], Awaitable[Undone]]


class Stopped(Exception):
    """It can't go on, for a reason that the workflow itself has found."""

    def __init__(self, message: str, end: BootstrapEnd = BootstrapEnd.REFUSED) -> None:
        super().__init__(message)
        self.end = end


class RunningStep:
    """What a step tells of itself, while it runs and after."""

    def __init__(self, state: BootstrapState) -> None:
        self._state = state

    def tell(self, detail: str) -> None:
        self._state.steps[-1] = self._state.steps[-1].model_copy(update={"detail": detail})
        workflow.set_current_details(f"{self._state.steps[-1].name}: {detail}")


class Steps:
    """Shows each step in the workflow's state and in Temporal's own UI."""

    def __init__(self, state: BootstrapState) -> None:
        self._state = state
        self._undo: list[tuple[str, Undo]] = []

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[RunningStep]:
        self._state.steps.append(StepState(name=name, status=StepStatus.RUNNING))
        workflow.set_current_details(f"{name}…")
        try:
            yield RunningStep(self._state)
            stop_if_cancelled()
        except (Stopped, FailureError, asyncio.CancelledError) as error:
            told = str(error) if isinstance(error, Stopped) else _told(error)
            self._state.steps[-1] = StepState(name=name, status=StepStatus.FAILED, detail=told)
            raise
        self._state.steps[-1] = self._state.steps[-1].model_copy(update={"status": StepStatus.DONE})

    def undo_with(self, name: str, undo: Undo) -> None:
        """Registered before the step begins: it may do its work and fail to say so."""
        self._undo.append((name, undo))

    def undo_instead(self, name: str, undo: Undo) -> None:
        """From here on this is what undoes, and nothing of before."""
        self._undo = [(name, undo)]

    def nothing_to_undo(self) -> None:
        self._undo = []

    async def undo(self) -> Undone:
        """In reverse; one that fails is told, and keeps none of the others from being tried."""
        done: list[str] = []
        left: list[str] = []
        while self._undo:
            name, undo = self._undo.pop()
            self._state.steps.append(StepState(name=name, status=StepStatus.RUNNING))
            workflow.set_current_details(f"undo: {name}…")
            try:
                undone = await undo()
            except FailureError as error:
                left.append(f"could not {name}: {message_of(error)}")
                self._state.steps[-1] = StepState(name=name, status=StepStatus.FAILED, detail=message_of(error))
                continue
            done += undone.done
            left += undone.left
            detail = "; ".join([*undone.done, *undone.left])
            self._state.steps[-1] = StepState(name=name, status=StepStatus.UNDONE, detail=detail)
        return Undone(done=tuple(done), left=tuple(left))


def _told(error: BaseException) -> str:
    return "cancelled" if is_cancelled_exception(error) else message_of(error)
