"""The order guard of a run: what was applied is put on record, and no apply undoes what it doesn't contain."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.failures import message_of
from workflows.locking import give_back
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from activities.apply_order import ApplyOrder, CompareOrder
    from activities.github import GitHub
    from activities.github_messages import ReadPullRequest
    from docustack.apply_audit import AuditedApply
    from docustack.apply_order import OutOfOrder, Standing, UnitOrder, out_of_order, pull_requests_to_ask
    from docustack.apply_order_comments import behind_comment, undoes_abandoned
    from docustack.events import PullRequestFacts
    from docustack.repository import WorkTree
    from docustack.runs import Operation, UnitOutcome, UnitPhase

RECORDED = (UnitPhase.APPLIED, UnitPhase.UNKNOWN)
"""The ends after which a unit may be what this run has made of it."""


async def refuse_what_is_behind(run: Run) -> None:
    """Refuse the whole apply where one of its units would lose what was applied to it before.

    What an open pull request has applied it holds as a rule: who wants that is told by the locks, which come next.

    Raises:
        Refused: with the commits that are lacked, and how they come into the pull request.
    """
    await _refuse(run, Standing.BEHIND, Standing.ABANDONED)


async def refuse_what_others_applied_meanwhile(run: Run) -> None:
    """The same once the locks are held, from where on nobody else can apply; an apply that is refused keeps none.

    Raises:
        Refused: as above.
    """
    try:
        await _refuse(run, Standing.BEHIND, Standing.UNMERGED, Standing.ABANDONED)
    except Refused:
        await give_back(run)
        raise


async def _refuse(run: Run, *standings: Standing) -> None:
    found = await find_out_of_order(run, run.state.selected)
    undone = [each for each in found if each.standing is Standing.ABANDONED and run.start.manual is not None]
    behind = [each for each in found if each.standing in standings and each not in undone]
    if behind:
        raise Refused(behind_comment(behind, run.tree.base_ref, workflow.now()), on_check=True)
    for each in undone:  # who orders it puts the unit back to what its branch says, and is asked with the plan
        told = undoes_abandoned(each, run.state.started_at or workflow.now())  # in the same words at each look
        if told not in run.state.notes:
            run.state.notes.append(told)


async def find_out_of_order(run: Run, units: Sequence[str]) -> list[OutOfOrder]:
    """The units whose last apply isn't contained in what this run would apply."""
    return (await look_at_order(run, units))[1]


async def look_at_order(run: Run, units: Sequence[str]) -> tuple[list[UnitOrder], list[OutOfOrder]]:
    """The last apply of each unit; and those that this run would undo."""
    pull_request = run.start.number
    orders = await _compare(run, units, {})
    others = await _ask_github(run, pull_requests_to_ask(orders, pull_request))
    merges = {number: facts.merge_commit for number, facts in others.items() if facts.merge_commit}
    if merges:
        orders = await _compare(run, units, merges)
    return orders, out_of_order(orders, pull_request, others)


async def _compare(run: Run, units: Sequence[str], merges: dict[int, str]) -> list[UnitOrder]:
    """Each environment's workers keep their own records."""
    by_environment: dict[str, list[str]] = {}
    for unit in units:
        by_environment.setdefault(run.environment_of(unit), []).append(unit)
    answers = await asyncio.gather(
        *(
            call(
                ApplyOrder.compare_order,
                CompareOrder(
                    repository=run.start.repository,
                    base_ref=run.tree.base_ref,
                    commits=tuple(dict.fromkeys((run.tree.head_commit, run.tree.base_commit))),
                    units={unit: run.discovery.inputs.get(unit, "") for unit in of_one},
                    pull_request=run.start.number,
                    merges=merges,
                ),
                summary=environment,
                policy=policies.order_config(policies.environment_queue(environment)),
            )
            for environment, of_one in by_environment.items()
        )
    )
    return [order for answer in answers for order in answer.units]


async def _ask_github(run: Run, numbers: Sequence[int]) -> dict[int, PullRequestFacts]:
    found = await asyncio.gather(
        *(
            call(
                GitHub.read_pull_request,
                ReadPullRequest(repository=run.start.repository, pull_request=number),
                summary=f"#{number}",
                policy=policies.GITHUB,
            )
            for number in numbers
        )
    )
    return {facts.number: facts for facts in found}


async def record_apply(run: Run, outcome: UnitOutcome, tree: WorkTree) -> UnitOutcome:
    """Put an apply on record while the unit's lock is still held; what can't be recorded is said with the outcome."""
    if outcome.phase not in RECORDED:
        return outcome
    record = AuditedApply(
        repository=run.start.repository,
        unit=outcome.unit,
        environment=outcome.environment,
        run_id=run.start.run_id,
        actor=run.start.actor,
        at=workflow.now(),
        outcome=outcome.phase,
        pull_request=run.start.number,
        base_ref=tree.base_ref,
        base_commit=tree.base_commit,
        head_commit=tree.head_commit,
        tree_commit=tree.tree_commit,
        inputs=outcome.plan.inputs if outcome.plan else "",
        plan_digest=outcome.plan.digest if outcome.plan else "",
        operation=Operation.DESTROY if run.destroys(outcome.unit) else run.start.operation,
        targets=run.start.manual.targets if run.start.manual is not None else (),
    )
    try:
        await call(
            ApplyOrder.record_apply,
            record,
            summary=outcome.unit,
            policy=policies.record_config(policies.environment_queue(outcome.environment)),
        )
    except ActivityError as error:
        told = f"It could not be put on record that this was applied: {message_of(error)}"
        return outcome.model_copy(update={"message": "\n".join(part for part in (outcome.message, told) if part)})
    return outcome
