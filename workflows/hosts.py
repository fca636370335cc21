"""Where a run's work is done: on the host that has its work tree, as long as that one takes it up soon."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout
from temporalio.workflow import ActivityConfig

from workflows import policies
from workflows.calls import call
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from activities.git import Git
    from activities.git_messages import CheckedOut, RemoveWorkTree
    from activities.installation import Surroundings
    from docustack.model import Nothing

Owner = TypeVar("Owner")
Question = TypeVar("Question")
Answer = TypeVar("Answer")


def work_in(run: Run, checked_out: CheckedOut) -> None:
    """Go on in this tree; who has checked it out goes on with it, for the environments that it works for too."""
    run.state.tree = checked_out.tree
    queues = [policies.CONTROL_QUEUE, *(policies.environment_queue(name) for name in checked_out.environments)]
    run.state.hosts |= dict.fromkeys(queues, checked_out.host)


async def near_tree(
    run: Run,
    method: Callable[[Owner, Question], Coroutine[Any, Any, Answer]],
    question: Question,
    *,
    policy: ActivityConfig,
    summary: str | None = None,
) -> Answer:
    """`call`, on the run's host; on any other of the policy's queue where that one is gone, drains or is busy.

    For work that may be begun again anywhere. Raises ActivityError as `call` does.
    """
    queue = _queue_of(policy)
    if (host := run.state.hosts.get(queue)) is not None:
        try:
            return await call(method, question, policy=policies.on_host(policy, queue, host), summary=summary)
        except ActivityError as error:
            if not was_not_taken_up(error):
                raise
            workflow.logger.info("%s on %s takes nothing up", queue, host)
            leave_host(run, queue, host)
    return await call(method, question, policy=policy, summary=summary)


async def near_unit(
    run: Run,
    method: Callable[[Owner, Question], Coroutine[Any, Any, Answer]],
    question: Question,
    *,
    policy: ActivityConfig,
    summary: str | None = None,
) -> Answer:
    """The same for an environment, whose host is found first where the run has none yet."""
    async with run.finding_host:
        if _queue_of(policy) not in run.state.hosts:
            await _ask_host(run, _queue_of(policy))
    return await near_tree(run, method, question, policy=policy, summary=summary)


async def living_host(run: Run, environment: str) -> str:
    """The run's host for an environment, which answers at this moment: for work that has to stay where it began."""
    async with run.finding_host:
        return await _ask_host(run, policies.environment_queue(environment))


async def _ask_host(run: Run, queue: str) -> str:
    answer = await near_tree(run, Surroundings.name_host, Nothing(), summary=queue, policy=policies.on(queue))
    run.state.hosts[queue] = answer.host
    return answer.host


def leave_host(run: Run, queue: str, host: str | None = None) -> None:
    """The run goes on elsewhere, unless it does so already."""
    if host is None or run.state.hosts.get(queue) == host:
        run.state.hosts.pop(queue, None)


async def remove_work_trees(run: Run, folders: list[str]) -> None:
    """From each host that the run has worked on to its end; those that it has left sweep what lies there themselves."""
    queues = {host: queue for queue, host in reversed(run.state.hosts.items())}
    for host, queue in queues.items():
        for folder in folders:
            question = RemoveWorkTree(repository=run.start.repository, run_id=folder)
            try:
                await call(
                    Git.remove_work_tree, question, policy=policies.on_host(policies.GIT, queue, host), summary=host
                )
            except ActivityError as error:
                workflow.logger.warning("a work tree stays on %s until that sweeps: %s", host, error.cause)


def _queue_of(policy: ActivityConfig) -> str:
    queue = policy.get("task_queue")
    assert queue is not None
    return queue


def was_not_taken_up(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START
