"""One apply to its end, also where Temporal loses sight of it: its folder is asked before anything is waited for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ActivityConfig

from workflows import policies
from workflows.calls import call
from workflows.hosts import living_host
from workflows.run_state import Run
from workflows.together import to_its_end

with workflow.unsafe.imports_passed_through():
    from activities.terragrunt import Terragrunt
    from activities.terragrunt_messages import ApplyAnswer, ApplyRequest, AttendApply

_LOOKS = 4


async def apply_to_its_end(run: Run, host: str, request: ApplyRequest) -> ApplyAnswer:
    """Apply a saved plan on this host.

    Raises:
        ActivityError: it failed; where no activity tells how, nobody could be asked, and it may have begun.
    """
    policy = _on_host(run, host, request)
    try:
        return await _not_lost(call(Terragrunt.apply_unit, request, summary=request.unit, policy=policy))
    except ActivityError as error:
        if isinstance(error.cause, ApplicationError):
            raise
        return await _find_again(run, request, error)


async def _find_again(run: Run, request: ApplyRequest, lost: ActivityError) -> ApplyAnswer:
    """Nobody attends it: its host was away for too long, or it was cancelled while no worker had it in hand.

    Its folder knows how it ended, or it works still and is attended; only what is out of reach is waited for. Where the
    run is cancelled Terraform is interrupted, which nobody has done yet.
    """
    for _ in range(_LOOKS):
        end = run.is_cancelled
        look = _look_again(run, AttendApply(**dict(request), end=end))
        try:
            return await (to_its_end(look) if end else _not_lost(look))
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError):
                raise
            lost = error
        except asyncio.CancelledError:
            if end:
                raise
    raise lost


async def _look_again(run: Run, again: AttendApply) -> ApplyAnswer:
    host = await living_host(run, again.environment_name)
    return await call(Terragrunt.attend_apply, again, summary=again.unit, policy=_on_host(run, host, again))


def _on_host(run: Run, host: str, request: ApplyRequest) -> ActivityConfig:
    queue = policies.host_queue(policies.environment_queue(request.environment_name), host)
    return policies.apply_config(queue, request.timeout_minutes, run.state.installation.apply_lease_seconds)


async def _not_lost(apply: Coroutine[Any, Any, ApplyAnswer]) -> ApplyAnswer:
    """How an apply ended, also where the run is cancelled in the very moment in which that is heard."""
    task = asyncio.ensure_future(apply)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # A result that came together with the cancellation is on its way to us, and cancelling the call would drop it:
        # the condition is looked at only once everything that came has been heard.
        await workflow.wait_condition(lambda: True)
        if not task.done():
            task.cancel()  # Terraform is interrupted, and tells how it ended
        return await task
