"""The saved-plan rule: a plan is applied only if it was made from the outputs that its dependencies have now."""

from docustack.errors import ErrorType
from docustack.plans import OutputsKind, PlanSummary
from docustack.runs import RunStatus, UnitPhase
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

VPC = "dev/us-east-1/vpc"
CLUSTER = "dev/us-east-1/ecs-cluster"
RDS = "dev/us-east-1/rds"
SERVICE = "dev/us-east-1/new-service"
PROD = "prod/us-east-1/vpc"


async def planned(stage: Stage, units: dict[str, Unit]) -> None:
    stage.world.units = units
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)


async def applied(stage: Stage, command: str = "terrateam apply", sender: str = "infra-member") -> None:
    before = len((await stage.state()).runs)
    await stage.comment(command, sender=sender)
    await stage.until_ended(before + 1)


async def test_a_plan_made_from_mock_outputs_is_refused_while_its_dependency_has_none(stage: Stage) -> None:
    units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,))}
    await planned(stage, units)
    await applied(stage, f"terrateam apply {CLUSTER}")
    assert stage.world.applied == []
    assert units[CLUSTER].applies == 0
    assert stage.world.texts("never applied")
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "failure"


async def test_a_plan_made_from_the_present_outputs_is_not_made_again(stage: Stage) -> None:
    units = {
        VPC: Unit(outputs="sha256:same", outputs_after_apply="sha256:same"),
        CLUSTER: Unit(dependencies=(VPC,)),
    }
    await planned(stage, units)
    await applied(stage)
    assert stage.world.applied == [VPC, CLUSTER]
    assert units[CLUSTER].plans == 1


async def test_outputs_changed_by_the_run_itself_make_a_new_plan_that_the_approval_covers(stage: Stage) -> None:
    units = {VPC: Unit(outputs="sha256:old"), CLUSTER: Unit(dependencies=(VPC,))}
    await planned(stage, units)
    await applied(stage)
    assert stage.world.applied == [VPC, CLUSTER]
    assert units[CLUSTER].plans == 2
    assert stage.world.applied_plans[-1].dependencies[0].digest == "sha256:applied"
    assert stage.world.texts("Planned again")


async def test_a_new_plan_that_does_more_waits_for_a_yes_of_its_own(stage: Stage) -> None:
    more = frozenset({"create main", "delete database"})
    units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,), later_changes=more)}
    await planned(stage, units)
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("delete `database`")), "what the new plan does beyond")
    assert stage.world.applied == [VPC]
    await stage.comment("terrateam apply", sender="developer")
    state = await stage.state()
    assert state.active is not None
    await stage.comment("terrateam apply", sender="infra-member")
    await stage.until(lambda: stage.world.applied == [VPC, CLUSTER], "the apply after the second yes")
    await stage.until_idle()


async def test_a_deferred_unit_is_planned_once_its_dependency_is_there_and_wants_a_yes(stage: Stage) -> None:
    units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,), mocks=False)}
    await planned(stage, units)
    state = await stage.state()
    assert state.deferred == [CLUSTER]
    await stage.comment("terrateam apply")
    await stage.until(lambda: units[CLUSTER].plans == 1, "the plan of the deferred unit")
    await stage.until(lambda: len(stage.world.texts(f"`{CLUSTER}`")) >= 2, "its comment")
    assert stage.world.applied == [VPC]
    await stage.comment("terrateam apply")
    await stage.until(lambda: stage.world.applied == [VPC, CLUSTER], "the apply of the deferred unit")


async def test_dependants_of_a_failed_unit_are_skipped_and_named_and_others_finish(stage: Stage) -> None:
    units = {
        VPC: Unit(),
        CLUSTER: Unit(dependencies=(VPC,), apply_errors=[ErrorType.FAILED]),
        RDS: Unit(dependencies=(VPC,)),
        SERVICE: Unit(dependencies=(CLUSTER,)),
    }
    await planned(stage, units)
    await applied(stage)
    assert sorted(stage.world.applied) == sorted([VPC, RDS])
    assert stage.world.texts(f"depends on `{CLUSTER}`")
    state = await stage.state()
    assert state.runs[-1].status is RunStatus.FAILED
    assert set(state.applied) == {VPC, RDS}


async def test_a_failed_apply_never_applies_its_first_plan_again(stage: Stage) -> None:
    units = {VPC: Unit(apply_errors=[ErrorType.FAILED])}
    await planned(stage, units)
    await applied(stage)
    state = await stage.state()
    assert state.plans[VPC].spent
    await applied(stage)
    assert units[VPC].plans == 2
    assert stage.world.applied == [VPC]


async def test_a_stale_plan_is_made_again_and_applied_when_covered(stage: Stage) -> None:
    units = {VPC: Unit(apply_errors=[ErrorType.STALE_PLAN])}
    await planned(stage, units)
    await applied(stage)
    assert units[VPC].plans == 2
    assert stage.world.applied == [VPC]


async def test_a_state_lock_that_is_free_again_makes_a_new_plan_that_is_applied(stage: Stage) -> None:
    units = {VPC: Unit(apply_errors=[ErrorType.STATE_LOCKED])}
    await planned(stage, units)
    await applied(stage)
    assert units[VPC].plans == 2
    assert stage.world.applied == [VPC]


async def test_a_state_lock_of_somebody_else_fails_the_unit(stage: Stage) -> None:
    units = {VPC: Unit(apply_errors=[ErrorType.STATE_LOCKED])}
    stage.world.state_locked_by = "ines@laptop"
    await planned(stage, units)
    await applied(stage)
    assert (units[VPC].plans, stage.world.applied) == (1, [])
    assert (await stage.state()).runs[-1].status is RunStatus.FAILED


async def test_after_an_interruption_what_remains_is_planned_and_applied(stage: Stage) -> None:
    units = {VPC: Unit(apply_errors=[ErrorType.INTERRUPTED])}
    await planned(stage, units)
    await applied(stage)
    assert units[VPC].plans == 2
    assert stage.world.applied == [VPC]


async def test_an_interruption_that_had_done_everything_ends_as_applied(stage: Stage) -> None:
    unit = Unit(apply_errors=[ErrorType.INTERRUPTED])
    await planned(stage, {VPC: unit})
    unit.later_changes, unit.summary = frozenset(), PlanSummary()
    await applied(stage)
    assert unit.applies == 1
    state = await stage.state()
    assert VPC in state.applied


async def test_an_interruption_after_which_nothing_can_be_planned_leaves_its_end_unknown(stage: Stage) -> None:
    unit = Unit(apply_errors=[ErrorType.INTERRUPTED])
    await planned(stage, {VPC: unit})
    unit.plan_error = ErrorType.CONFIGURATION
    await applied(stage)
    assert stage.world.texts("⚠️ Unknown")
    assert [record.outcome for record in stage.world.commits.audit] == [UnitPhase.UNKNOWN]


async def test_a_unit_that_can_not_be_planned_leaves_the_plans_of_the_others(stage: Stage) -> None:
    units = {VPC: Unit(), RDS: Unit(plan_error=ErrorType.CONFIGURATION)}
    await planned(stage, units)
    state = await stage.state()
    assert set(state.plans) == {VPC}
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert check.conclusion == "failure"
    await applied(stage)
    assert stage.world.applied == [VPC]


async def test_a_second_apply_has_nothing_to_do(stage: Stage) -> None:
    units = {VPC: Unit()}
    await planned(stage, units)
    await applied(stage)
    await applied(stage)
    assert stage.world.applied == [VPC]
    assert stage.world.texts("Nothing to apply")


async def test_only_the_directory_that_was_named_is_applied_and_the_check_says_what_is_left(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    await applied(stage, f"terrateam apply {RDS}")
    assert stage.world.applied == [RDS]
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "action_required"
    await applied(stage)
    assert stage.world.applied == [RDS, VPC]
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "success"


async def test_every_applied_plan_of_a_dependant_was_made_from_real_outputs(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,)), SERVICE: Unit(dependencies=(VPC, CLUSTER))})
    await applied(stage)
    kinds = {dependency.kind for plan in stage.world.applied_plans for dependency in plan.dependencies}
    assert kinds == {OutputsKind.REAL}


async def test_slack_down_holds_up_no_apply(stage: Stage) -> None:
    stage.world.slack_is_down = True
    await planned(stage, {VPC: Unit()})
    await applied(stage)
    assert stage.world.applied == [VPC]
    assert stage.world.slack == []


async def test_a_unit_that_its_planner_may_not_plan_keeps_its_plan_and_is_told_where_it_has_none(stage: Stage) -> None:
    units = {VPC: Unit(), PROD: Unit()}
    await planned(stage, units)  # by a developer, who may not plan prod
    await applied(stage)
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert (check.conclusion, check.title) == ("action_required", "1 of 2 units applied")
    assert stage.world.texts(f"`{PROD}` has no plan")
    await applied(stage, "terrateam plan")
    await applied(stage, "terrateam plan", sender="developer")
    assert set((await stage.state()).plans) >= {PROD}
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert check.conclusion == "success"
    assert units[PROD].plans == 1


async def test_no_check_is_green_over_a_unit_whose_last_plan_failed(stage: Stage) -> None:
    units = {VPC: Unit(), RDS: Unit()}
    await planned(stage, units)
    units[VPC].plan_error = ErrorType.CONFIGURATION
    await applied(stage, f"terrateam plan {VPC}")
    await applied(stage, f"terrateam plan {RDS}")
    plan = stage.world.check("docustack/plan")
    assert plan is not None
    assert (plan.conclusion, plan.title) == ("action_required", "1 of 2 units planned")
    await applied(stage)
    assert stage.world.applied == [RDS]
    apply = stage.world.check("docustack/apply")
    assert apply is not None
    assert (apply.conclusion, apply.title) == ("action_required", "1 of 2 units applied")
