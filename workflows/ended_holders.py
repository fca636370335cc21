"""Who waits for a unit looks whether its holder still is: one that an operator has terminated gives nothing back."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.run_state import Run
from workflows.telling import tell_locks
from workflows.unit_calls import free_state_lock

with workflow.unsafe.imports_passed_through():
    from activities.locks import FindEnded, Locks
    from activities.open_pull_requests import OpenPullRequestWorkflows
    from docustack.lock_messages import HolderEnded, UnitsFreed
    from docustack.locks import Grant


async def free_what_ended_holders_left(run: Run, blocked_by: Sequence[Grant]) -> None:
    """Free what is held by pull requests or runs whose workflows are no more, and on which no Terraform works.

    An apply outlives its run. So a unit is freed only once no process of an apply lives, and Terraform's own lock is
    free; a lock that such a process has left is freed with it. What can't be looked at now is looked at later.
    """
    if not blocked_by:
        return
    holders = {grant.holder: grant.pull_request for grant in blocked_by}
    question = FindEnded(repository=run.start.repository, holders=holders)
    try:
        ended = await call(Locks.find_ended, question, summary=f"{len(holders)} holders", policy=policies.LOCKS)
        for holder in ended.holders:
            left = [grant for grant in blocked_by if grant.holder == holder]
            await _free(run, holder, [grant for grant in left if await _is_quiet(run, grant.unit)])
    except ActivityError as error:
        workflow.logger.warning("it could not be found whether the holders still are: %s", error.cause)


async def _is_quiet(run: Run, unit: str) -> bool:
    answer = await free_state_lock(run, unit)
    return not answer.living and (answer.freed or not answer.locked)


async def _free(run: Run, holder: str, grants: Sequence[Grant]) -> None:
    if not grants:
        return
    repository = run.start.repository
    tokens = {grant.unit: grant.token for grant in grants}
    await tell_locks(repository, "holder_ended", HolderEnded(holder=holder, tokens=tokens))
    freed = UnitsFreed(
        repository=repository,
        pull_request=grants[0].pull_request,
        holder=holder,
        units=tuple(tokens),
        how="was ended from outside, and nothing of it works any more",
        key=f"{holder}:{max(tokens.values())}",
    )
    await call(OpenPullRequestWorkflows.tell_freed, freed, summary=f"{len(tokens)} units", policy=policies.LOCKS)
