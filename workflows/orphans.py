"""What a merge has left owned by nobody: chosen by the words for it, planned as it is now, shown before a yes."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow

from workflows.choosing import applied_from_here, not_applied_from_here
from workflows.deletions import choose_destructions, own_nothing, without_held_back
from workflows.locking import LockAnswers, hold
from workflows.reporting import ONE_COMMENT_EACH, Report
from workflows.run_state import Refused, Run
from workflows.together import together
from workflows.unit_calls import plan_coverage, plan_outcome
from workflows.waiting import begin_to_wait

with workflow.unsafe.imports_passed_through():
    from docustack.checks import waiting_check
    from docustack.deletion_texts import deletion_remark, no_outputs_to_destroy_with
    from docustack.orphan_texts import destruction_question, not_on_record, orphans_not_planned, orphans_planned
    from docustack.plans import PlanRecord
    from docustack.run_comments import notice_comment
    from docustack.runs import RunStatus, UnitOutcome, UnitPhase


async def choose_orphans(run: Run, locks: LockAnswers, chosen: Sequence[str]) -> tuple[list[str], list[str]]:
    """What an apply on the merged pull request destroys of them beside what it applies; and what is said of the rest.

    Those on record; one that was dismissed, or whose record is gone, only by its own name.
    """
    start = run.start
    there = [unit for unit in run.state.selected if run.destroys(unit)]
    named = {directory.strip("/") for directory in start.directories}
    forgotten = [unit for unit in there if unit not in {*start.orphans, *named}]
    there = [unit for unit in there if unit not in forgotten]
    kept = not_applied_from_here(run, there)
    wanted = [unit for unit in there if unit not in kept]
    rules = run.configuration.environments
    commanded = [unit for unit in wanted if start.destroy or rules[run.environment_of(unit)].allow_destroy]
    taken, told = choose_destructions(run, [*chosen, *wanted], await _have_let_go(run, locks, commanded, keep=False))
    told += dict.fromkeys(kept.values())
    if start.destroy and not start.directories:
        on_record = [unit for unit in start.orphans if unit in run.deleted and not run.destroys(unit)]
        remarks = [deletion_remark(run.deleted[unit]) for unit in on_record]
        told += [remark for remark in remarks if remark not in told]
    if start.destroy and forgotten:
        told.append(not_on_record(forgotten, run.configuration.comment_prefixes[0]))
    return taken, told


async def hold_who_let_go(run: Run, report: Report, locks: LockAnswers) -> None:
    """Once the run has its own locks: nobody changes what depended on them while they go.

    Raises:
        Refused: somebody does at this moment, and nothing else is left to do.
    """
    state = run.state
    destroyed = [unit for unit in state.selected if run.destroys(unit)]
    applied = [unit for unit in state.selected if unit not in destroyed]
    left, told = without_held_back(run, applied, destroyed, await _have_let_go(run, locks, destroyed, keep=True))
    state.selected = [unit for unit in state.selected if unit in {*applied, *left}]
    if told and not state.selected:
        raise Refused("\n\n".join(told), on_check=True)
    if told:
        report.say("held-back", notice_comment(told))


async def _have_let_go(run: Run, locks: LockAnswers, orphans: Sequence[str], *, keep: bool) -> set[str]:
    """Of the units that depended on these, those that do so no longer in reality either.

    By the present base branch none does. Those of the merge have let go once it doesn't owe them. Of others: what was
    merged and not applied is held by who owes it, so a unit that can be held is as the branch has it. One that was
    deleted since may still own something.
    """
    settled = {*applied_from_here(run)} - {*(run.state.owed or ())}
    changed = {unit.unit for unit in run.discovery.changed}
    others = {other for unit in orphans for other in run.order.get(unit, ())} - changed
    gone = others & {*run.discovery.gone_since}
    there = others - gone
    held = await hold(run, locks, sorted(there), purpose="still" if keep else "look", keep=keep)
    return settled | (there - {grant.unit for grant in held}) | await own_nothing(run, sorted(gone))


async def plan_orphans(run: Run, report: Report) -> None:
    """Before the gate: what is destroyed after its merge is planned as it is now.

    A plan that people have read in the pull request covers it only where nobody has to approve; else it is shown, and
    what is said after that counts.

    Raises:
        Refused: one of them can't be planned.
    """
    units = [unit for unit in run.state.selected if run.destroys(unit)]
    if not units:
        return
    outcomes = await _plan(run, units)
    if failures := {each.unit: each.message for each in outcomes if each.phase is UnitPhase.FAILED}:
        raise Refused(orphans_not_planned(failures), on_check=True)
    unread: list[UnitOutcome] = []
    for outcome in outcomes:
        assert outcome.plan is not None
        if (read := await _as_it_was_read(run, outcome.unit, outcome.plan)) is not None:
            run.keep_plan(read)
        else:
            unread.append(outcome)
    if not unread:
        return
    asked, message = workflow.now(), orphans_planned([each.unit for each in unread])
    if await begin_to_wait(run, report, RunStatus.WAITING, message):  # known before the person can answer
        report.check.set(waiting_check(message))
    for outcome, shown_at in zip(unread, await _show(run, report, unread), strict=True):
        run.renew(outcome.unit, outcome.plan, shown_at, asked)


async def _plan(run: Run, units: Sequence[str]) -> list[UnitOutcome]:
    limit, outcomes = asyncio.Semaphore(run.configuration.plan.parallelism), dict[str, UnitOutcome]()

    async def plan_one(unit: str) -> None:
        async with limit:
            outcomes[unit] = await plan_outcome(run, unit)

    await together(plan_one(unit) for unit in units)
    run.stop_if_cancelled()
    return [_real(outcomes[unit]) for unit in units]


def _real(outcome: UnitOutcome) -> UnitOutcome:
    """From mock outputs nothing is destroyed."""
    if outcome.plan is None or not outcome.plan.is_preview:
        return outcome
    waits_for = tuple(each.unit for each in outcome.plan.dependencies)
    update = {"phase": UnitPhase.FAILED, "message": no_outputs_to_destroy_with(waits_for)}
    return outcome.model_copy(update=update)


async def _as_it_was_read(run: Run, unit: str, plan: PlanRecord) -> PlanRecord | None:
    """The plan, where it does no more than the one in the pull request, and the command is yes enough."""
    if plan.summary.is_empty:
        return plan.without_text()
    before = next((known for known in run.start.plans if known.unit == unit), None)
    needs_approval = run.configuration.environments[run.environment_of(unit)].approvals.minimum
    if before is None or not before.destroy or not before.shown_at or needs_approval:
        return None
    coverage = await plan_coverage(run, before, plan.without_text())
    return plan.without_text().model_copy(update={"shown_at": before.shown_at}) if coverage.covered else None


async def _show(run: Run, report: Report, outcomes: Sequence[UnitOutcome]) -> list[str]:
    """Since when each can be read."""
    if len(outcomes) > ONE_COMMENT_EACH:
        shown_at = await report.ask_of_many(outcomes, key="orphans:plans")
        return [shown_at] * len(outcomes)
    prefix, question = run.configuration.comment_prefixes[0], destruction_question
    rules = run.configuration.environments
    return await asyncio.gather(
        *(
            report.ask(
                each,
                question(run.deleted[each.unit], rules[each.environment], prefix),
                key=f"{each.unit}:orphan:plan",
            )
            for each in outcomes
        )
    )
