"""The run after a merge: what the merge alone may apply, and what the branch promises until somebody applies it."""

from collections.abc import Sequence

from temporalio import workflow

from workflows.apply_order import look_at_order
from workflows.choosing import applied_from_here, take_chosen
from workflows.locking import LockAnswers, hold
from workflows.orphans import choose_orphans
from workflows.reporting import Report
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from docustack.apply_order import OutOfOrder, Standing, UnitOrder
    from docustack.apply_order_comments import skipped_behind, undoes_abandoned
    from docustack.left_over import left_to_apply, without_plan
    from docustack.merge_comments import (
        NOTHING_OWED,
        applies_itself_text,
        owed_comment,
        owed_message,
    )
    from docustack.run_comments import notice_comment
    from docustack.runs import DONE, UnitPhase


def _in_the_way(run: Run, found: Sequence[OutOfOrder]) -> list[OutOfOrder]:
    """What no branch has is applied over where somebody asks for it, and never by the merge alone."""
    allowed = () if run.start.applies_itself else (Standing.ABANDONED,)
    return [each for each in found if each.standing not in allowed]


async def choose_what_is_owed(run: Run, report: Report, locks: LockAnswers) -> bool:
    """Of what the merge has left unapplied, or owned by nobody, what this run applies and destroys; is there any?

    By itself it applies the environments that have `auto_apply_on_merge`, and nothing of a pull request that changes
    the rules: it would be judged by its own.

    Raises:
        Refused: somebody asked for an apply, and nothing is owed.
    """
    state, start = run.state, run.start
    promised = applied_from_here(run)
    left = set(left_to_apply(promised, start, ()))
    owed = [unit for unit in promised if unit in left]
    orders, found = await look_at_order(run, owed)
    state.owed = _not_overtaken(run, owed, orders, found)
    in_the_way = [each for each in _in_the_way(run, found) if each.unit in state.selected]
    skipped = {each.unit: _skipped(run, each) for each in in_the_way}
    chosen = [unit for unit in state.selected if unit in state.owed and unit not in skipped and _may_apply(run, unit)]
    standing: list[str] = []
    if not start.applies_itself:
        chosen, standing = await choose_orphans(run, locks, chosen)
    if start.applies_itself:
        await _keep_locks(run, [unit for unit in state.owed if unit not in chosen], locks)
        state.quiet = not chosen
    elif not chosen:
        raise Refused("\n\n".join([*skipped.values(), *standing]) or NOTHING_OWED)
    told = [_applies_itself(run, chosen)] if chosen and start.applies_itself else []
    told += [undoes_abandoned(each, workflow.now()) for each in found if each.unit in chosen]
    if told or skipped:
        report.say("merged", notice_comment([*told, *skipped.values()]))
    take_chosen(run, report, chosen, standing)
    return bool(chosen)


async def leave_out_what_others_applied_meanwhile(run: Run, report: Report) -> None:
    """Once the locks are held: what somebody has applied since is left alone, and said.

    Raises:
        Refused: nothing is left.
    """
    state = run.state
    _, found = await look_at_order(run, state.selected)
    skipped = {each.unit: _skipped(run, each) for each in _in_the_way(run, found)}
    overtaken = {each.unit for each in found if each.standing is Standing.BEHIND}
    state.owed = [unit for unit in state.owed or () if unit not in overtaken]
    state.selected = [unit for unit in state.selected if unit not in skipped]
    told = list(skipped.values())
    if not state.selected:
        raise Refused("\n\n".join(told))
    if told:
        report.say("skipped", notice_comment(told))


def _skipped(run: Run, found: OutOfOrder) -> str:
    return skipped_behind(found, run.start.merge_commit, workflow.now())


def still_owed(run: Run) -> tuple[str, ...] | None:
    """What is left after this run; None from one that hasn't looked, or that no merge has started."""
    owed = run.state.owed
    if owed is None:
        return None
    done = {unit for unit, outcome in run.state.outcomes.items() if outcome.phase in DONE}
    return tuple(unit for unit in owed if unit not in done)


async def tell_what_is_owed(run: Run, report: Report, locks: LockAnswers) -> None:
    """At the end of the run that the merge has started: the branch promises what isn't there, in the open."""
    left = still_owed(run)
    if not run.start.applies_itself or run.start.number is None or not left:
        return
    # What it would have applied itself, but was rejected, or not approved in time, has no lock yet.
    await _keep_locks(
        run, [unit for unit in left if unit in run.state.selected and unit not in run.state.tokens], locks
    )
    prefix, base_ref = run.configuration.comment_prefixes[0], run.base_ref
    merge_commit, now = run.start.merge_commit, workflow.now()
    report.say("owed", owed_comment(left, run.state.held_by_others, base_ref, merge_commit, prefix, now))
    report.slack.say(owed_message(left, base_ref, run.start.number))


def _applies_itself(run: Run, units: Sequence[str]) -> str:
    environments = list(dict.fromkeys(run.environment_of(unit) for unit in units))
    return applies_itself_text(units, environments, run.start.merge_commit)


def _may_apply(run: Run, unit: str) -> bool:
    if not run.start.applies_itself:
        return True
    environment = run.configuration.environments[run.environment_of(unit)]
    return environment.auto_apply_on_merge and run.state.new_rules is None


def _not_overtaken(
    run: Run, owed: Sequence[str], orders: Sequence[UnitOrder], found: Sequence[OutOfOrder]
) -> list[str]:
    """Without what a later merge has brought along already, and what was applied before by a workflow that is over."""
    overtaken = {each.unit for each in found if each.standing is Standing.BEHIND}
    unknown = set(without_plan(owed, run.start))
    for order in orders:
        last = order.last
        if order.unit in unknown and order.same_inputs and last and last.outcome is UnitPhase.APPLIED:
            overtaken.add(order.unit)
    return [unit for unit in owed if unit not in overtaken]


async def _keep_locks(run: Run, units: Sequence[str], locks: LockAnswers) -> None:
    """Nobody else is to apply over what is owed, unknowingly; what others hold is told."""
    if units:
        run.state.held_by_others += await hold(run, locks, units)
