"""Takes the locks of a run's units, all or none; who is refused is told which pull request holds them."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow

from workflows import policies
from workflows.calls import call
from workflows.run_state import Refused, Run
from workflows.telling import tell_locks

with workflow.unsafe.imports_passed_through():
    from activities.locks import Locks
    from activities.messages import RequestLocks
    from docustack.events import pull_request_workflow_id
    from docustack.locks import Grant, LockAnswer, LockRequest, WithdrawRequest
    from docustack.run_comments import locks_held_comment


class LockAnswers:
    """What the table of locks has signalled to this run."""

    def __init__(self) -> None:
        self._by_request: dict[str, LockAnswer] = {}

    def heard(self, answer: LockAnswer) -> None:
        self._by_request[answer.request_id] = answer

    def of(self, request_id: str) -> LockAnswer | None:
        return self._by_request.get(request_id)


async def take_locks(run: Run, answers: LockAnswers) -> None:
    """Locks belong to the pull request: it keeps them until it is merged, closed or unlocked.

    Raises:
        Refused: another pull request holds one of the units; nothing was taken.
    """
    request = _request(run, _request_id(run), run.state.selected)
    try:
        answer = await _ask(run, request, answers)
        run.stop_if_cancelled()
    except (Exception, asyncio.CancelledError):
        await give_back(run)
        raise
    if answer.granted:
        run.state.tokens = dict(answer.tokens)
        return
    await give_back(run)
    raise Refused(
        locks_held_comment(answer.blocked_by, workflow.now(), run.configuration.comment_prefixes[0]), on_check=True
    )


async def hold(run: Run, answers: LockAnswers, units: Sequence[str]) -> tuple[Grant, ...]:
    """Take for the pull request what nobody else holds, for longer than this run; without waiting for the rest.

    Returns the grants of those who hold the rest.
    """
    request_id, wanted, blocked_by = f"{_request_id(run)}:owed", tuple(units), dict[str, Grant]()
    while wanted:
        answer = await _ask(run, _request(run, f"{request_id}:{len(wanted)}", wanted), answers)
        if answer.granted:
            break
        await _withdraw(run, f"{request_id}:{len(wanted)}")
        blocked_by |= {grant.unit: grant for grant in answer.blocked_by}
        free = tuple(unit for unit in wanted if unit not in blocked_by)
        wanted = free if len(free) < len(wanted) else ()  # somebody waits for them in line: they are theirs
    return tuple(blocked_by.values())


async def give_back(run: Run) -> None:
    """A run that does not wait for its locks, or can't use them, keeps nobody else from them.

    What its pull request held before this run stays held.
    """
    await _withdraw(run, _request_id(run))


async def _withdraw(run: Run, request_id: str) -> None:
    await tell_locks(run.start.repository, "withdraw", WithdrawRequest(request_id=request_id))


def _request(run: Run, request_id: str, units: Sequence[str]) -> LockRequest:
    start = run.start
    return LockRequest(
        request_id=request_id,
        holder=pull_request_workflow_id(start.repository, start.pull_request.number),
        pull_request=start.pull_request.number,
        actor=start.actor,
        units=tuple(units),
        requested_at=workflow.now(),
        answer_to=workflow.info().workflow_id,
    )


def _request_id(run: Run) -> str:
    return f"{run.start.run_id}:{workflow.info().run_id}"


async def _ask(run: Run, request: LockRequest, answers: LockAnswers) -> LockAnswer:
    """Ask until there is an answer: a lost signal heals, and the table answers the same request the same way."""
    while True:
        await call(
            Locks.request_locks,
            RequestLocks(repository=run.start.repository, request=request),
            summary=f"{len(request.units)} units",
            policy=policies.LOCKS,
        )
        try:
            await workflow.wait_condition(
                lambda: answers.of(request.request_id) is not None, timeout=policies.LOCK_ANSWERS_WITHIN
            )
        except TimeoutError:
            continue
        answer = answers.of(request.request_id)
        assert answer is not None
        return answer
