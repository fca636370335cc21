"""Units that a pull request deletes: what becomes of each, and a second look right before one is destroyed."""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.hosts import near_unit
from workflows.run_state import Run
from workflows.unit_calls import unit_policy, unit_request

with workflow.unsafe.imports_passed_through():
    from activities.terragrunt import Terragrunt
    from docustack.deleted_units import DeletedUnit, Fate
    from docustack.deletion_texts import breaks_others, deletion_remark, destroys_left_out, held_back, what_remains
    from docustack.deletions import decide_fates, may_be_destroyed
    from docustack.destroy_order import settled_units, still_holding
    from docustack.repository import Deletion, UnitStatus
    from docustack.runs import Operation, UnitOutcome, UnitPhase
    from docustack.state_document import OwnedResources


async def look_at_deletions(run: Run) -> None:
    """What becomes of every deleted unit, by its state as the base branch has it, and by the graphs of both trees."""
    run.state.deleted = await _fates(run, run.discovery.deletions)


def what_was_seen_of_deletions(run: Run) -> tuple[DeletedUnit, ...] | None:
    """For the pull request, which tells of them once it is merged; None from a run that hasn't looked."""
    looked = run.state.discovery is not None and run.start.operation is not Operation.UNLOCK
    return tuple(run.state.deleted) if looked else None


async def refuse_destruction(run: Run, wave: Iterable[str]) -> dict[str, str]:
    """Right before a destruction: a unit that has got an heir to its state meanwhile is left alone, and why."""
    deletions = [each for each in run.discovery.deletions if each.unit in wave]
    refused: dict[str, str] = {}
    for deleted in await _fates(run, deletions):
        if deleted.fate not in (Fate.DESTROY, Fate.NOTHING_LEFT):
            refused[deleted.unit] = deletion_remark(deleted)
        elif deleted.owned is None:
            refused[deleted.unit] = "Its state could not be read, so it can't be told whether another unit has it now."
    return refused


def choose_destructions(run: Run, chosen: Sequence[str], settled: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Of the units that an apply could take those that it may destroy go along; of the others it is told why not.

    `settled`: units of which nothing is left to do, beside those that the run's own input tells.
    """
    start, configuration = run.start, run.configuration
    applies = [unit for unit in chosen if not run.destroys(unit)]
    allowed = [
        unit
        for unit in chosen
        if run.destroys(unit)
        and may_be_destroyed(
            run.deleted[unit],
            configuration.environments[run.environment_of(unit)],
            words=start.destroy,
            automatic=start.automatic,
        )
    ]
    told: list[str] = []
    left_out = [run.deleted[unit] for unit in chosen if run.destroys(unit) and unit not in allowed]
    if left_out:
        told.append(destroys_left_out(left_out, configuration.comment_prefixes[0], automatic=start.automatic))
    if not start.directories:
        told += [
            deletion_remark(run.deleted[plan.unit])
            for plan in start.plans
            if plan.destroy and plan.unit in run.deleted and not run.destroys(plan.unit)
            if plan.unit in start.orphans or not start.merge_commit
        ]
    left, held = without_held_back(run, applies, allowed, settled)
    return applies + left, told + held


def without_held_back(
    run: Run, applies: Sequence[str], allowed: Sequence[str], settled: Collection[str]
) -> tuple[list[str], list[str]]:
    """The destructions that come before nobody who still has to let go; and what is said of the others."""
    settled = {*settled} | settled_units(run.discovery, run.state.deleted, run.start.plans, run.start.applied)
    allowed, told = list(allowed), list[str]()
    while True:
        holding = {unit: still_holding(unit, run.order, {*applies, *allowed}, settled) for unit in allowed}
        held = [unit for unit in allowed if holding[unit]]
        if not held:
            return allowed, told
        told += [held_back(unit, holding[unit]) for unit in held]
        allowed = [unit for unit in allowed if unit not in held]


def undestroyed(run: Run) -> list[str]:
    """Units whose destruction is planned and that neither this run nor an earlier one has destroyed."""
    done = {*run.state.outcomes, *run.start.applied}
    planned = [plan.unit for plan in run.start.plans if plan.destroy and not plan.summary.is_empty]
    return sorted(unit for unit in planned if unit not in done and run.is_applied_from_here(unit))


def still_needed(run: Run) -> list[str]:
    """What is said of deleted units on which others still depend, whatever becomes of their resources."""
    deletions = run.discovery.deletions if run.state.discovery else ()
    return [breaks_others(each.unit, each.needed_by) for each in deletions if each.in_base and each.needed_by]


async def with_what_remains(run: Run, outcome: UnitOutcome) -> UnitOutcome:
    """A destruction that failed may have destroyed a part: what is left is read from the state and told."""
    if outcome.phase not in (UnitPhase.FAILED, UnitPhase.UNKNOWN):
        return outcome
    state = await state_of(run, outcome.unit)
    remains = what_remains(state.count if state.known else None, state.addresses)
    return outcome.model_copy(update={"message": f"{outcome.message}\n{remains}"})


async def own_nothing(run: Run, units: Iterable[str]) -> set[str]:
    """Those of the units whose states are known to hold no resources."""
    placed = [unit for unit in units if run.configuration.environment_of(unit) is not None]
    states = await asyncio.gather(*(state_of(run, unit) for unit in placed))
    return {unit for unit, state in zip(placed, states, strict=True) if state.known and not state.count}


async def _fates(run: Run, deletions: Sequence[Deletion]) -> list[DeletedUnit]:
    """A few at once: a pull request may delete a whole region."""
    if not deletions:
        return []
    limit = asyncio.Semaphore(run.configuration.plan.parallelism)

    async def look(unit: str) -> OwnedResources:
        async with limit:
            return await state_of(run, unit)

    owned = [each.unit for each in deletions if each.in_base and each.environment is not None]
    placed, concerned = run.configuration.environment_of, {each.environment for each in deletions}
    newcomers = [unit for unit in run.discovery.come_since if placed(unit) in concerned - {None}]
    heirs = [unit for unit in run.discovery.may_have_taken_over if placed(unit) is not None] + newcomers
    states = dict(zip([*owned, *heirs], await asyncio.gather(*(look(unit) for unit in [*owned, *heirs])), strict=True))
    added = {unit.unit for unit in run.discovery.changed if unit.status is UnitStatus.ADDED} | {*newcomers}
    return decide_fates(
        deletions,
        {unit: states[unit] for unit in owned},
        {unit: states[unit] for unit in heirs},
        added,
        run.tree.base_commit,
    )


async def state_of(run: Run, unit: str) -> OwnedResources:
    try:
        return await near_unit(
            run,
            Terragrunt.list_resources,
            unit_request(run, unit),
            summary=unit,
            policy=unit_policy(run, run.environment_of(unit)),
        )
    except ActivityError as error:
        workflow.logger.warning("the state of %s could not be read: %s", unit, error.cause)
        return OwnedResources(known=False)
