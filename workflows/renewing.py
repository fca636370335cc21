"""Makes plans again that the base branch has outdated while they waited for an approval, and shows them."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import policies
from workflows.failures import message_of
from workflows.hosts import near_tree
from workflows.reporting import ONE_COMMENT_EACH, Report
from workflows.run_state import Refused, Run
from workflows.telling import tell_pull_request
from workflows.together import together
from workflows.unit_calls import plan_outcome
from workflows.waiting import begin_to_wait

with workflow.unsafe.imports_passed_through():
    from activities.discovery import MovedSince, Units
    from docustack.base_moves import (
        MovedInputs,
        cannot_be_planned,
        gone_from_base,
        many_moved_reason,
        moved_reason,
        outdated_plans,
        renewed_plans_wait,
    )
    from docustack.checks import waiting_check
    from docustack.deletion_texts import deletion_remark
    from docustack.plans import PlanRecord
    from docustack.pull_request_state import RunWaits
    from docustack.run_comments import refusal_comment
    from docustack.runs import RunStatus, UnitOutcome, UnitPhase


def outdated(run: Run) -> list[PlanRecord]:
    """The plans of this run's units that were made from other files than there are with the present base.

    None after a merge: there every unit is planned again right before its apply, and that plan has to be covered. And
    none of an order, whose commit stays.
    """
    if run.stays_at_commit:
        return []
    return outdated_plans(run.start.plans, run.state.selected, run.discovery.inputs, run.tree.tree_commit)


async def renew_outdated_plans(run: Run, report: Report) -> None:
    """At the gate of an apply: what people are to approve is the plan of the present base.

    Raises:
        Refused: a unit can't be planned any more.
    """
    plans = outdated(run)
    if not plans:
        return
    outcomes, moved = await asyncio.gather(_plan_again(run, plans), _what_moved(run, plans))
    failures = {outcome.unit: outcome.message for outcome in outcomes if outcome.phase is UnitPhase.FAILED}
    if failures:
        raise Refused(cannot_be_planned(run.tree.base_ref, failures), on_check=True)
    asked, message = workflow.now(), renewed_plans_wait(run.tree.base_ref, [plan.unit for plan in plans])
    if await begin_to_wait(run, report, RunStatus.WAITING, message):  # known before anybody can answer the new plans
        report.check.set(waiting_check(message))
    shown_at = await _show(run, report, outcomes, plans, moved)
    for outcome in outcomes:
        run.renew(outcome.unit, outcome.plan, shown_at.get(outcome.unit, ""), asked)
    if shows := report.outbox.take_plan_comments():
        await tell_pull_request(run.start, "run_waits", RunWaits(run_id=run.start.run_id, waiting=True, shows=shows))


async def choose_outdated(run: Run, report: Report) -> bool:
    """For a run that only plans again what its base, or who held it, has outdated: is there any? With the reasons."""
    plans = outdated(run)
    moved = await _what_moved(run, plans) if plans else {}
    freed = {unit: why for unit, why in run.start.freed.items() if unit in run.state.selected}
    chosen = {plan.unit for plan in plans} | freed.keys()
    run.state.selected = [unit for unit in run.state.selected if unit in chosen]
    if not chosen:
        return False
    run.state.quiet = False
    if len(chosen) > ONE_COMMENT_EACH:
        told = [_reason_of_all(run, plans, moved)] if plans else []
        report.say("base", refusal_comment("\n\n".join([*told, *freed.values()])))
    else:
        run.state.reasons = freed | _reasons(run, plans, moved)
    return True


def end_quietly(run: Run, problem: BaseException | None) -> None:
    """Nobody has asked for this run, and it has found nothing to do: people hear nothing of it, not even a failure.

    What has outdated the plans is found again at the gate of their apply, and told there.
    """
    state = run.state
    if problem is None:
        state.status = RunStatus.SUCCEEDED
    elif isinstance(problem, Refused):
        state.status, state.message = problem.status, problem.message
    else:
        state.status = RunStatus.CANCELLED if is_cancelled_exception(problem) else RunStatus.REFUSED
        state.message = message_of(problem)


def leave_out_gone(run: Run, report: Report) -> None:
    """Go on without the units that the base branch, or its configuration, no longer has.

    Raises:
        Refused: none is left.
    """
    there = {*run.discovery.dependencies, *(unit for unit in run.deleted if run.destroys(unit))}
    gone = [
        unit
        for unit in run.state.selected
        if unit not in there or run.configuration.environment_of(unit) not in run.configuration.environments
    ]
    if not gone:
        return
    run.state.selected = [unit for unit in run.state.selected if unit not in gone]
    kept = [unit for unit in gone if unit in run.deleted]  # deleted ones that are not to be destroyed any more
    lost = [unit for unit in gone if unit not in kept]
    told = "\n\n".join(
        [
            *([gone_from_base(lost, run.tree.base_ref)] if lost else []),
            *(deletion_remark(run.deleted[unit]) for unit in kept),
        ]
    )
    if not run.state.selected:
        raise Refused(told, on_check=True)
    report.say(f"gone:{run.tree.base_commit[:12]}", refusal_comment(told))


async def _what_moved(run: Run, plans: Sequence[PlanRecord]) -> dict[str, MovedInputs]:
    """For each of the plans the files that have changed since it was made; none where git can't tell any more."""
    moved = {plan.unit: MovedInputs(unit=plan.unit) for plan in plans}
    try:
        answer = await near_tree(
            run,
            Units.find_moved_inputs,
            MovedSince(tree=run.tree, since={plan.unit: plan.base_commit for plan in plans if plan.base_commit}),
            summary=f"{len(plans)} plans",
            policy=policies.GIT,
        )
    except ActivityError as error:
        workflow.logger.warning("it could not be found what has moved: %s", error.cause)
        return moved
    return moved | {found.unit: found for found in answer.units}


async def _plan_again(run: Run, plans: Sequence[PlanRecord]) -> list[UnitOutcome]:
    limit = asyncio.Semaphore(run.configuration.plan.parallelism)
    outcomes: dict[str, UnitOutcome] = {}

    async def plan_one(unit: str) -> None:
        async with limit:
            outcomes[unit] = await plan_outcome(run, unit)

    await together(plan_one(plan.unit) for plan in plans)
    run.stop_if_cancelled()
    return [outcomes[plan.unit] for plan in plans]


async def _show(
    run: Run,
    report: Report,
    outcomes: Sequence[UnitOutcome],
    plans: Sequence[PlanRecord],
    moved: dict[str, MovedInputs],
) -> dict[str, str]:
    """Post the new plans with why they were made; since when each can be read."""
    key = f"base:{run.tree.base_commit[:12]}"
    if len(outcomes) > ONE_COMMENT_EACH:
        report.say(key, refusal_comment(_reason_of_all(run, plans, moved)))
        shown_at = await report.ask_of_many(outcomes, key=f"{key}:plans")
        return {outcome.unit: shown_at for outcome in outcomes}
    reasons = _reasons(run, plans, moved)
    times = await asyncio.gather(
        *(report.ask(outcome, reasons[outcome.unit], key=f"{outcome.unit}:{key}") for outcome in outcomes)
    )
    return {outcome.unit: at for outcome, at in zip(outcomes, times, strict=True)}


def _reasons(run: Run, plans: Sequence[PlanRecord], moved: dict[str, MovedInputs]) -> dict[str, str]:
    tree = run.tree
    return {
        plan.unit: moved_reason(moved[plan.unit], tree.base_ref, plan.base_commit, tree.base_commit) for plan in plans
    }


def _reason_of_all(run: Run, plans: Sequence[PlanRecord], moved: dict[str, MovedInputs]) -> str:
    tree = run.tree
    found = [moved[plan.unit] for plan in plans]
    before = {plan.base_commit for plan in plans}
    return many_moved_reason(found, tree.base_ref, before.pop() if len(before) == 1 else "", tree.base_commit)
