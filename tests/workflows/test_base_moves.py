"""The base branch moves while a plan waits: it is made again exactly if the move changes what its unit reads."""

import asyncio

import pytest

from activities.open_pull_requests import OpenPullRequestWorkflows
from docustack.base_moves import BASE_MOVED_SIGNAL, BaseMoved
from docustack.errors import ErrorType
from docustack.pull_request_state import PullRequestState
from docustack.runs import Operation, RunStatus
from tests.workflows.commits import FIRST
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

PROD, PROD_RDS = "prod/us-east-1/vpc", "prod/us-east-1/rds"
DEV, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"
NEW_MAIN = "1" * 40


async def planned(stage: Stage, *units: str) -> None:
    stage.world.units = {unit: Unit() for unit in units}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)


async def waiting_at_the_gate(stage: Stage, *units: str) -> None:
    await planned(stage, *units)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")


def how_the_apply_ended(state: PullRequestState) -> RunStatus:
    """What it had not looked at is looked at after it, by a run of its own."""
    return next(run.status for run in reversed(state.runs) if run.operation is Operation.APPLY)


def comment_of(stage: Stage, unit: str) -> int:
    """The one that shows its first plan."""
    keys = [comment.key.partition(":")[2] for comment in stage.world.comments]
    return 1001 + keys.index(f"{unit}:plan")


async def told_of_move(stage: Stage, base_ref: str = "main") -> None:
    moved = BaseMoved(repository=stage.repository, base_ref=base_ref, commit=stage.world.commits.tip)
    await stage.handle().signal("base_moved", moved)


async def approved(stage: Stage) -> None:
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead")


# ---- an apply that waits at its gate ---------------------------------------------------------------------------------


async def test_plan_whose_inputs_move_is_made_again_and_the_approval_before_falls_with_the_reason(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD, PROD_RDS)
    stage.world.approve("lead")
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage)
    await stage.until(lambda: bool(stage.world.texts(f"before the plan of `{PROD}` could be read")), "a no")
    assert {unit: known.plans for unit, known in stage.world.units.items()} == {PROD: 2, PROD_RDS: 1}
    (shown,) = stage.world.texts("which changes what")
    assert f"`main` has moved from `{FIRST[:7]}` to `1111111`, which changes what `{PROD}` reads: `root.hcl`" in shown
    assert stage.world.applied == []
    await stage.until(lambda: bool(stage.world.outdated), "the fold of the plan before, while the new one waits")
    await approved(stage)
    state = await stage.until_ended(2)
    assert how_the_apply_ended(state) is RunStatus.SUCCEEDED
    assert stage.world.outdated == [comment_of(stage, PROD)]
    assert {plan.unit: plan.base_commit for plan in stage.world.applied_plans} == {PROD: NEW_MAIN, PROD_RDS: FIRST}
    assert {record.base_commit for record in stage.world.commits.audit} == {NEW_MAIN}


async def test_a_command_given_as_soon_as_the_new_plan_can_be_read_is_a_yes_to_it(stage: Stage) -> None:
    await planned(stage, DEV)
    stage.world.commits.move_base(NEW_MAIN, {DEV: "sha256:other"})
    answered = asyncio.Event()
    stage.world.hold_comments = ("which changes what", answered)
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("which changes what")), "the new plan")
    second = await stage.comment("terrateam apply")
    await stage.until(
        lambda: any(comment == second for comment, _ in stage.world.reactions), "the sign that it was seen"
    )
    answered.set()
    state = await stage.until_ended(2)
    assert how_the_apply_ended(state) is RunStatus.SUCCEEDED
    assert stage.world.applied == [DEV]


async def test_plan_whose_inputs_stay_keeps_its_approval_and_is_applied_in_the_present_base(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD)
    stage.world.approve("lead")
    stage.world.commits.move_base(NEW_MAIN)
    await told_of_move(stage)
    state = await stage.until_ended(2)
    assert how_the_apply_ended(state) is RunStatus.SUCCEEDED
    assert stage.world.units[PROD].plans == 1
    assert [tree.base_commit for tree in stage.world.applied_in] == [NEW_MAIN]


async def test_push_that_nobody_told_of_is_seen_when_the_approval_comes(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD)
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await approved(stage)
    await stage.until(lambda: bool(stage.world.texts(f"before the plan of `{PROD}` could be read")), "a no")
    assert stage.world.applied == []


async def test_base_that_moves_while_the_new_plan_is_made_makes_one_more(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD)
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage)
    await stage.until(lambda: len(stage.world.texts("which changes what")) == 1, "the second plan")
    stage.world.commits.move_base("2" * 40, {PROD: "sha256:yet another"})
    await told_of_move(stage)
    await stage.until(lambda: len(stage.world.texts("which changes what")) == 2, "the third plan")
    await approved(stage)
    await stage.until_ended(2)
    assert [plan.base_commit for plan in stage.world.applied_plans] == ["2" * 40]


async def test_new_plan_is_kept_for_the_next_apply_if_this_one_never_comes(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD)
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage)
    await stage.until(lambda: bool(stage.world.texts("which changes what")), "the new plan")
    await stage.comment("terrateam unlock", sender="lead")
    state = await stage.until_ended(3)  # the unlock, and a look at what else the move outdates
    assert state.plans[PROD].base_commit == NEW_MAIN
    await approved(stage)
    await stage.comment("terrateam apply", sender="lead")
    assert how_the_apply_ended(await stage.until_ended(4)) is RunStatus.SUCCEEDED
    assert stage.world.units[PROD].plans == 2


async def test_conflict_with_the_new_base_refuses_the_waiting_apply(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD)
    stage.world.commits.move_base(NEW_MAIN)
    stage.world.commits.conflict = True
    await told_of_move(stage)
    state = await stage.until_ended(2)
    assert how_the_apply_ended(state) is RunStatus.REFUSED
    assert stage.world.texts("doesn't merge into `main`")


async def test_unit_that_can_not_be_planned_any_more_refuses_the_waiting_apply(stage: Stage) -> None:
    await waiting_at_the_gate(stage, PROD)
    stage.world.units[PROD].plan_error = ErrorType.CONFIGURATION
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage)
    state = await stage.until_ended(2)
    assert how_the_apply_ended(state) is RunStatus.REFUSED
    assert stage.world.texts(f"`{PROD}`: {PROD} can't be planned")


# ---- where no approval is asked for ----------------------------------------------------------------------------------


async def test_old_plan_is_not_applied_over_what_others_have_merged(stage: Stage) -> None:
    """Plan made on an old base: applied as it is, it would put back what another pull request has changed."""
    await planned(stage, DEV)
    stage.world.commits.move_base(NEW_MAIN, {DEV: "sha256:merged by others"})
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("has to be read first")), "the question")
    assert stage.world.applied == []
    await stage.comment("terrateam apply")
    assert how_the_apply_ended(await stage.until_ended(2)) is RunStatus.SUCCEEDED
    assert [plan.base_commit for plan in stage.world.applied_plans] == [NEW_MAIN]


async def test_later_wave_follows_the_base_and_what_the_approval_covers_goes_on(stage: Stage) -> None:
    """Past the gate the approval decides by what the new plan does, as it does when outputs have changed."""
    stage.world.units = {DEV: Unit(outputs="same", outputs_after_apply="same"), RDS: Unit(dependencies=(DEV,))}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await stage.world.applying.wait()
    stage.world.commits.move_base(NEW_MAIN, {RDS: "sha256:other"})
    stage.world.hold_applies.set()
    assert how_the_apply_ended(await stage.until_ended(2)) is RunStatus.SUCCEEDED
    assert [plan.base_commit for plan in stage.world.applied_plans] == [FIRST, NEW_MAIN]
    assert [record.base_commit for record in stage.world.commits.audit] == [FIRST, NEW_MAIN]


# ---- plans that wait for a command -----------------------------------------------------------------------------------


async def test_only_what_the_move_outdates_is_planned_again_by_itself(stage: Stage) -> None:
    await planned(stage, PROD, DEV)
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage)
    state = await stage.until_ended(2)
    assert {unit: plan.base_commit for unit, plan in state.plans.items()} == {PROD: NEW_MAIN, DEV: FIRST}
    (shown,) = stage.world.texts("which changes what")
    assert "`root.hcl`" in shown
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert "planned again" in check.title
    assert "`root.hcl`" in check.summary


async def test_approval_of_a_plan_that_was_made_again_counts_no_more_even_if_it_does_the_same(stage: Stage) -> None:
    await planned(stage, PROD)
    stage.world.approve("lead")
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage)
    await stage.until_ended(2)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts(f"before the plan of `{PROD}` could be read")), "a no")
    await approved(stage)
    assert how_the_apply_ended(await stage.until_ended(3)) is RunStatus.SUCCEEDED


async def test_move_that_outdates_nothing_is_not_spoken_of(stage: Stage) -> None:
    await planned(stage, PROD)
    said = (len(stage.world.comments), len(stage.world.checks), len(stage.world.slack))
    stage.world.commits.move_base(NEW_MAIN)
    await told_of_move(stage)
    state = await stage.until_ended(2)
    assert state.runs[-1].status is RunStatus.SUCCEEDED
    assert (len(stage.world.comments), len(stage.world.checks), len(stage.world.slack)) == said
    assert state.plans[PROD].base_commit == FIRST


async def test_broken_base_is_not_spoken_of_before_somebody_wants_something(stage: Stage) -> None:
    await planned(stage, PROD)
    said = len(stage.world.comments)
    stage.world.commits.move_base(NEW_MAIN)
    stage.world.commits.conflict = True
    await told_of_move(stage)
    assert (await stage.until_ended(2)).plans.keys() == {PROD}
    assert len(stage.world.comments) == said


async def test_moves_of_other_branches_concern_nobody(stage: Stage) -> None:
    await planned(stage, PROD)
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    await told_of_move(stage, "staging")
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(stage.world.texts("terrateam plan")), "the answer")
    assert len((await stage.until_idle()).runs) == 1


async def test_moves_while_a_plan_is_made_are_looked_at_once_it_is_there(stage: Stage) -> None:
    stage.world.units = {PROD: Unit()}
    stage.world.open(author="infra-member")
    stage.world.hold_plans = asyncio.Event()
    await stage.send("opened")
    await stage.world.planning.wait()
    for number in range(3):
        stage.world.commits.move_base(str(number) * 40, {PROD: f"sha256:{number}"})
        await told_of_move(stage)
    stage.world.hold_plans.set()
    state = await stage.until_ended(2)
    assert state.plans[PROD].base_commit == "2" * 40
    assert stage.world.units[PROD].plans == 2


async def test_more_units_than_get_comments_of_their_own_get_one_reason_and_one_table(stage: Stage) -> None:
    units = [f"dev/us-east-1/unit-{number:02}" for number in range(12)]
    await planned(stage, *units)
    stage.world.commits.move_base(NEW_MAIN, dict.fromkeys(units, "sha256:other"))
    said = len(stage.world.comments)
    await told_of_move(stage)
    await stage.until_ended(2)
    assert len(stage.world.comments) == said + 2
    assert stage.world.texts("which changes what 12 units read: `root.hcl`")


# ---- dependencies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs,plans", [("sha256:other", 2), ("sha256:same", 1)])
async def test_dependency_that_others_apply_meanwhile_counts_by_its_outputs_alone(
    stage: Stage, outputs: str, plans: int
) -> None:
    stage.world.units = {PROD_RDS: Unit(dependencies=(PROD,))}
    elsewhere = Unit(outputs="sha256:same")
    stage.world.others = {PROD: elsewhere}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")
    elsewhere.outputs = outputs
    stage.world.commits.move_base(NEW_MAIN)
    await told_of_move(stage)
    await approved(stage)
    assert how_the_apply_ended(await stage.until_ended(2)) is RunStatus.SUCCEEDED
    assert stage.world.units[PROD_RDS].plans == plans
    assert stage.world.applied == [PROD_RDS]


async def test_pull_requests_into_the_branch_are_found_and_plan_again_what_the_move_has_outdated(stage: Stage) -> None:
    await planned(stage, PROD, PROD_RDS)
    stage.world.commits.move_base(NEW_MAIN, {PROD: "sha256:other"})
    moved = BaseMoved(repository=stage.repository, base_ref="main", commit=NEW_MAIN)
    workflows = OpenPullRequestWorkflows(stage.client)
    async with asyncio.timeout(120):  # visibility is a moment behind
        while not await workflows.tell(stage.repository, BASE_MOVED_SIGNAL, moved, base_ref="main"):
            await asyncio.sleep(0.1)
    await stage.until_ended(2)
    assert await workflows.tell(stage.repository, BASE_MOVED_SIGNAL, moved, base_ref="staging") == []
    assert {unit: known.plans for unit, known in stage.world.units.items()} == {PROD: 2, PROD_RDS: 1}
    assert len(stage.world.texts("which changes what")) == 1
