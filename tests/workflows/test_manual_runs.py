"""Runs without a pull request: what an order plans, whose yes it wants, what it holds, and what it leaves behind."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle

from docustack.errors import ErrorType
from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockTable
from docustack.orders import sign_run
from docustack.plans import PlanSummary
from docustack.runs import ManualOrder, Operation, RunInput, RunResult, RunStatus, UnitPhase
from docustack.signed_approvals import ApprovalAnswer, Verdict
from docustack.state_document import OwnedResources
from docustack.unit_outputs import UnitOutputs
from tests.workflows.conftest import Stage
from tests.workflows.fakes import APPROVAL_KEY, CONFIGURATION, Unit
from tests.workflows.test_decisions import Waiting
from workflows.policies import CONTROL_QUEUE
from workflows.run_models import RunStart, RunView

VPC, CLUSTER, DATABASE = "dev/us-east-1/vpc", "dev/us-east-1/ecs-cluster", "dev/us-east-1/rds"
PROD = "prod/us-east-1/vpc"
COMMIT = "c" * 40

_Run = WorkflowHandle[Any, RunResult]


async def order(
    stage: Stage,
    operation: Operation,
    *directories: str,
    actor: str = "infra-member",
    confirmed: bool = True,
    run_id: str = "",
    key: str = APPROVAL_KEY,
    age: timedelta = timedelta(),
    **fields: Any,
) -> _Run:
    run_id = run_id or uuid4().hex[:10]
    start = RunInput(
        run_id=run_id,
        repository=stage.repository,
        operation=operation,
        actor=actor,
        directories=directories,
        manual=ManualOrder(confirmed=confirmed, **fields),
    )
    return await stage.client.start_workflow(
        "RunWorkflow",
        RunStart(input=sign_run(start, datetime.now(UTC) - age, key)),
        id=f"run:{run_id}",
        task_queue=CONTROL_QUEUE,
        result_type=RunResult,
    )


def phases(result: RunResult) -> dict[str, UnitPhase]:
    return {outcome.unit: outcome.phase for outcome in result.outcomes}


async def view(run: _Run) -> RunView:
    shown: RunView = await run.query("show", result_type=RunView)
    return shown


async def until_waiting(run: _Run, status: RunStatus = RunStatus.WAITING) -> RunView:
    async with asyncio.timeout(60):
        while (shown := await view(run)).status is not status:
            await asyncio.sleep(0.02)
    return shown


async def approve(stage: Stage, run: _Run, login: str) -> ApprovalAnswer:
    shown = await view(run)
    gate = Waiting(stage, run, shown.input.run_id)
    return await gate.send(await gate.approval(login, commit=shown.commit))


async def held(stage: Stage) -> dict[str, str]:
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    table: LockTable = await handle.query("table", result_type=LockTable)
    return {unit: grant.holder for unit, grant in table.grants.items()}


def chain(*names: str) -> dict[str, Unit]:
    """Units that depend on one another in this order, none of them ever applied."""
    return {name: Unit(dependencies=names[place - 1 : place]) for place, name in enumerate(names)}


@pytest.mark.parametrize("how", [{"key": "a key of somebody else"}, {"age": timedelta(hours=1)}])
async def test_an_order_that_our_server_has_not_just_signed_is_nobodys(stage: Stage, how: dict[str, Any]) -> None:
    stage.world.units = {VPC: Unit()}
    result = await (await order(stage, Operation.APPLY, VPC, **how)).result()
    assert (result.status, stage.world.applied) == (RunStatus.REFUSED, [])
    assert "Nobody knows whose order this is" in result.message


async def test_a_plan_of_a_folder_plans_its_units_and_changes_nothing(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,)), PROD: Unit()}
    result = await (await order(stage, Operation.PLAN, "dev/us-east-1", actor="developer")).result()
    assert result.status is RunStatus.SUCCEEDED
    assert phases(result) == {VPC: UnitPhase.PLANNED, CLUSTER: UnitPhase.PLANNED}
    assert stage.world.applied == []
    assert (stage.world.comments, stage.world.checks, stage.world.slack) == ([], [], [])


async def test_an_apply_works_by_dependencies_and_plans_again_on_real_outputs(stage: Stage) -> None:
    stage.world.units = chain(VPC, CLUSTER)
    result = await (await order(stage, Operation.APPLY, "dev")).result()
    assert (result.status, result.message) == (RunStatus.SUCCEEDED, "2 added, 0 changed, 0 destroyed.")
    assert stage.world.applied == [VPC, CLUSTER]
    assert not any(plan.is_preview for plan in stage.world.applied_plans), "no plan made from mocks is applied"
    assert [message.text.split("\n")[0] for message in stage.world.slack] == [
        f"Apply started for {CLUSTER} and {VPC}",
        "Apply completed successfully",
    ]
    assert await held(stage) == {}, "nobody is there to keep them"
    assert {record.pull_request for record in stage.world.commits.audit} == {None}


@pytest.mark.parametrize("late, looks", [(True, 3), (False, 5)])
async def test_where_nobody_is_asked_what_depends_on_others_is_planned_once_at_its_turn(
    stage: Stage, late: bool, looks: int
) -> None:
    stage.world.units = chain(VPC, CLUSTER, DATABASE)
    result = await (await order(stage, Operation.APPLY, "dev", late=late)).result()
    assert result.status is RunStatus.SUCCEEDED
    assert stage.world.applied == [VPC, CLUSTER, DATABASE]
    assert [unit.plans for unit in stage.world.units.values()] == [1, 1, 1]
    assert not any(plan.is_preview for plan in stage.world.applied_plans)
    assert len(stage.world.asked_to_plan) == looks


async def test_a_preview_is_made_only_for_somebody_who_looks_at_it(stage: Stage) -> None:
    stage.world.units = chain(VPC, CLUSTER)
    run = await order(stage, Operation.APPLY, "dev", confirmed=False)
    assert {plan.unit for plan in (await until_waiting(run)).shown} == {VPC, CLUSTER}


async def test_where_approvals_are_asked_for_all_is_planned_first(stage: Stage) -> None:
    top = "prod/us-east-1/rds"
    stage.world.units = {PROD: Unit(), top: Unit(dependencies=(PROD,))}
    run = await order(stage, Operation.APPLY, "prod", actor="lead", late=True)
    assert {plan.unit for plan in (await until_waiting(run)).shown} == {PROD, top}
    await approve(stage, run, "second-lead")
    assert (await run.result()).status is RunStatus.SUCCEEDED


async def test_an_apply_waits_for_the_word_of_who_has_ordered_it(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    run = await order(stage, Operation.APPLY, VPC, confirmed=False)
    shown = await until_waiting(run)
    assert "@infra-member's own yes" in shown.message
    assert [plan.unit for plan in shown.shown] == [VPC]
    assert stage.world.applied == []
    assert (await approve(stage, run, "infra-member")).accepted
    assert (await run.result()).status is RunStatus.SUCCEEDED


async def test_a_rejection_ends_it_with_nothing_changed(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    run = await order(stage, Operation.APPLY, VPC, confirmed=False)
    shown = await until_waiting(run)
    gate = Waiting(stage, run, shown.input.run_id)
    await gate.send(await gate.approval("infra-member", verdict=Verdict.REJECT, commit=shown.commit))
    result = await run.result()
    assert (result.status, stage.world.applied) == (RunStatus.REFUSED, [])


async def test_the_own_yes_is_nobody_elses_approval(stage: Stage) -> None:
    stage.world.units = {PROD: Unit()}
    run = await order(stage, Operation.APPLY, "prod", actor="lead")
    assert "`prod` needs 1 approval" in (await until_waiting(run)).message
    answer = await approve(stage, run, "lead")
    assert (answer.accepted, answer.refusal) == (False, "author")
    assert "has ordered this run" in answer.message
    assert (await view(run)).status is RunStatus.WAITING
    assert stage.world.applied == []
    await approve(stage, run, "second-lead")
    assert (await run.result()).status is RunStatus.SUCCEEDED


async def test_who_may_not_apply_is_refused_before_anything_is_planned(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    result = await (await order(stage, Operation.APPLY, VPC, actor="developer")).result()
    assert result.status is RunStatus.REFUSED
    assert "infra" in result.message
    assert stage.world.units[VPC].plans == 0


@pytest.mark.parametrize(
    "directories, told",
    [
        (("dev/us-east-1/vcp",), "Did you mean `dev/us-east-1/vpc`"),
        (("modules/vpc",), "There is no unit in `modules/vpc`"),
        (("bootstrap",), "docustack bootstrap ENVIRONMENT"),
    ],
)
async def test_a_path_that_means_nothing_is_named_with_what_is_near(
    stage: Stage, directories: Sequence[str], told: str
) -> None:
    stage.world.units = {VPC: Unit(), "bootstrap": Unit()}
    result = await (await order(stage, Operation.PLAN, *directories)).result()
    assert result.status is RunStatus.REFUSED
    assert told in result.message


async def test_a_circle_of_dependencies_is_printed(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(dependencies=(CLUSTER,)), CLUSTER: Unit(dependencies=(VPC,))}
    result = await (await order(stage, Operation.APPLY, "dev")).result()
    assert result.status is RunStatus.REFUSED
    assert f"`{CLUSTER}` -> `{VPC}` -> `{CLUSTER}`" in result.message


async def test_a_dependency_that_was_never_applied_is_named_with_the_command_for_it(stage: Stage) -> None:
    for mocks in (True, False):
        stage.world.units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,), mocks=mocks)}
        result = await (await order(stage, Operation.APPLY, CLUSTER)).result()
        assert result.status is RunStatus.REFUSED
        assert f"`docustack apply {VPC}`" in result.message
    assert stage.world.applied == []


async def test_nothing_is_applied_where_one_unit_can_not_be_planned(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), DATABASE: Unit(plan_error=ErrorType.CONFIGURATION)}
    result = await (await order(stage, Operation.APPLY, "dev")).result()
    assert result.status is RunStatus.FAILED
    assert phases(result) == {VPC: UnitPhase.SKIPPED, DATABASE: UnitPhase.FAILED}
    assert stage.world.applied == []


async def test_the_last_word_of_an_order_that_failed_names_what_it_has_not_done(stage: Stage) -> None:
    stage.world.units = {
        VPC: Unit(),
        CLUSTER: Unit(dependencies=(VPC,), apply_errors=[ErrorType.FAILED]),
        DATABASE: Unit(dependencies=(CLUSTER,)),
    }
    result = await (await order(stage, Operation.APPLY, "dev")).result()
    assert result.status is RunStatus.FAILED
    changed, *left = result.message.splitlines()
    assert changed == "1 added, 0 changed, 0 destroyed."
    assert left == [f"Failed: `{CLUSTER}`.", f"Skipped: `{DATABASE}`."]


async def test_nothing_to_do_asks_nobody(stage: Stage) -> None:
    stage.world.units = {PROD: Unit(summary=PlanSummary(), changes=frozenset())}
    result = await (await order(stage, Operation.APPLY, "prod", actor="lead", confirmed=False)).result()
    assert (result.status, phases(result)) == (RunStatus.SUCCEEDED, {PROD: UnitPhase.NO_CHANGES})
    assert "Nothing to apply" in result.message


async def test_nothing_to_do_for_a_target_is_said_of_the_target_alone(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(summary=PlanSummary(), changes=frozenset())}
    result = await (await order(stage, Operation.APPLY, VPC, targets=("aws_vpc.main",))).result()
    assert result.message == (
        "Nothing to apply: `aws_vpc.main` is as the configuration says. The rest was not looked at."
    )


async def test_a_unit_without_changes_is_looked_at_again_after_its_dependency(stage: Stage) -> None:
    stage.world.units = {
        VPC: Unit(outputs="sha256:before"),
        CLUSTER: Unit(dependencies=(VPC,), outputs="sha256:its", summary=PlanSummary(), changes=frozenset()),
    }
    result = await (await order(stage, Operation.APPLY, "dev")).result()
    assert phases(result) == {VPC: UnitPhase.APPLIED, CLUSTER: UnitPhase.NO_CHANGES}
    assert stage.world.units[CLUSTER].plans == 2, "once before, once on the new outputs"


async def test_units_left_out_are_not_touched(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), DATABASE: Unit()}
    result = await (await order(stage, Operation.APPLY, "dev", without=(DATABASE,))).result()
    assert phases(result) == {VPC: UnitPhase.APPLIED}


async def test_the_branch_of_the_environment_counts(stage: Stage) -> None:
    stage.world.units = {"staging/us-east-1/vpc": Unit(), VPC: Unit()}
    run = await order(stage, Operation.APPLY, "staging")
    await until_waiting(run)
    assert stage.world.refs == [("staging", "")]
    assert (await approve(stage, run, "lead")).accepted
    assert (await run.result()).status is RunStatus.SUCCEEDED
    both = await (await order(stage, Operation.APPLY, "dev", "staging")).result()
    assert both.status is RunStatus.REFUSED
    assert "`dev` from `main`; `staging` from `staging`" in both.message
    assert {"docustack apply dev", "docustack apply staging"} <= set(map(str.strip, both.message.splitlines()))
    assert "pull request" not in both.message


async def test_a_pattern_that_only_another_branch_has_units_of_is_told_how_to_be_named(stage: Stage) -> None:
    stage.world.units = {"staging/us-east-1/vpc": Unit()}
    refused = await (await order(stage, Operation.APPLY, "s*/us-east-1/vpc")).result()
    assert refused.status is RunStatus.REFUSED
    assert "this order was taken for one of `main`" in refused.message
    assert "docustack apply staging/us-east-1/vpc" in refused.message


async def test_a_named_commit_stays_what_it_is_wherever_the_branch_moves(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    run = await order(stage, Operation.APPLY, VPC, confirmed=False, ref=COMMIT)
    assert (await until_waiting(run)).commit == COMMIT
    stage.world.commits.move_base("d" * 40, {VPC: "sha256:moved"})
    await approve(stage, run, "infra-member")
    assert (await run.result()).head_commit == COMMIT
    assert [tree.tree_commit for tree in stage.world.applied_in] == [COMMIT]
    assert stage.world.units[VPC].plans == 1


async def test_a_commit_that_lacks_what_was_applied_is_refused(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    await (await order(stage, Operation.APPLY, VPC, ref="e" * 40)).result()
    stage.world.commits.lacked.add("e" * 40)
    stage.world.commits.on_base.add("e" * 40)
    result = await (await order(stage, Operation.APPLY, VPC, ref=COMMIT)).result()
    assert result.status is RunStatus.REFUSED
    assert "It lacks 1 commit" in result.message


async def test_an_order_undoes_what_no_branch_has_and_says_so_with_the_plan(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    await (await order(stage, Operation.APPLY, VPC, ref="e" * 40)).result()
    stage.world.commits.lacked.add("e" * 40)
    run = await order(stage, Operation.APPLY, VPC, confirmed=False)
    assert any(
        "No branch has what is applied here, so this undoes it" in note for note in (await until_waiting(run)).notes
    )
    await approve(stage, run, "infra-member")
    result = await run.result()
    assert result.status is RunStatus.SUCCEEDED
    assert len(stage.world.applied) == 2


async def test_two_runs_on_one_unit_know_of_each_other(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.hold_applies = asyncio.Event()
    first = await order(stage, Operation.APPLY, VPC, run_id="thefirst")
    await stage.until(stage.world.applying.is_set)
    second = await order(stage, Operation.APPLY, VPC)
    shown = await until_waiting(second, RunStatus.IN_LINE)
    assert "held by run thefirst (`infra-member`)" in shown.message
    stage.world.hold_applies.set()
    assert (await first.result()).status is RunStatus.SUCCEEDED
    assert (await second.result()).status is RunStatus.SUCCEEDED
    assert await held(stage) == {}


async def test_a_pull_request_with_a_plan_of_the_unit_plans_again_after_it(stage: Stage) -> None:
    await stage.planned({VPC: Unit(later_changes=frozenset({"create main"}))})
    await (await order(stage, Operation.APPLY, VPC)).result()
    await stage.until_ended(2)
    assert stage.world.units[VPC].plans == 3
    await stage.until(lambda: bool(stage.world.texts("is free: run ")))


async def test_a_cancelled_order_gives_back_what_it_holds(stage: Stage) -> None:
    stage.world.units = {PROD: Unit(), VPC: Unit()}
    stage.world.hold_applies = asyncio.Event()
    run = await order(stage, Operation.APPLY, VPC)
    await stage.until(stage.world.applying.is_set)
    assert await held(stage) == {VPC: run.id}
    await run.cancel()
    result = await run.result()
    assert result.status is RunStatus.CANCELLED
    async with asyncio.timeout(30):
        while await held(stage):
            await asyncio.sleep(0.05)


async def test_what_an_order_holds_comes_back_after_the_table_was_lost(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.hold_applies = asyncio.Event()
    first = await order(stage, Operation.APPLY, VPC)
    await stage.until(stage.world.applying.is_set)
    await stage.client.get_workflow_handle(locks_workflow_id(stage.repository)).terminate("by an operator")
    second = await order(stage, Operation.APPLY, VPC)
    await until_waiting(second, RunStatus.IN_LINE)
    assert await held(stage) == {VPC: first.id}
    stage.world.hold_applies.set()
    assert [(await run.result()).status for run in (first, second)] == [RunStatus.SUCCEEDED] * 2


async def test_a_terminated_order_does_not_hold_for_ever(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.hold_applies = asyncio.Event()
    first = await order(stage, Operation.APPLY, VPC)
    await stage.until(stage.world.applying.is_set)
    await first.terminate("by an operator")
    stage.world.hold_applies.set()
    result = await (await order(stage, Operation.APPLY, VPC)).result()
    assert result.status is RunStatus.SUCCEEDED
    assert await held(stage) == {}


# ---- destroy, refresh, import, targets -------------------------------------------------------------------------------


async def test_a_destruction_goes_against_the_dependencies(stage: Stage) -> None:
    stage.world.units = {name: Unit(outputs="sha256:there", summary=PlanSummary(destroy=1)) for name in (VPC, CLUSTER)}
    stage.world.units[CLUSTER].dependencies = (VPC,)
    result = await (await order(stage, Operation.DESTROY, "dev")).result()
    assert (result.status, result.message) == (RunStatus.SUCCEEDED, "0 added, 0 changed, 2 destroyed.")
    assert stage.world.applied == [CLUSTER, VPC]
    assert all(plan.destroy for plan in stage.world.applied_plans)
    assert {record.operation for record in stage.world.commits.audit} == {Operation.DESTROY}


async def test_a_destruction_in_production_takes_a_lead_and_the_yes_of_another(stage: Stage) -> None:
    stage.world.units = {PROD: Unit(outputs="sha256:there", summary=PlanSummary(destroy=1))}
    refused = await asyncio.wait_for((await order(stage, Operation.DESTROY, PROD)).result(), 30)
    assert (refused.status, stage.world.units[PROD].plans) == (RunStatus.REFUSED, 0)
    assert "the `leads` team" in refused.message
    run = await order(stage, Operation.DESTROY, PROD, actor="lead")
    assert "`prod` needs 1 approval" in (await until_waiting(run)).message
    assert stage.world.applied == []
    await approve(stage, run, "second-lead")
    assert ((await run.result()).status, stage.world.applied) == (RunStatus.SUCCEEDED, [PROD])


async def test_what_others_still_use_is_not_destroyed(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,))}
    result = await (await order(stage, Operation.DESTROY, VPC)).result()
    assert result.status is RunStatus.REFUSED
    assert f"docustack destroy {CLUSTER} {VPC}" in result.message
    stage.world.states[CLUSTER] = OwnedResources(known=True, count=0)
    result = await (await order(stage, Operation.DESTROY, VPC)).result()
    assert (result.status, stage.world.applied) == (RunStatus.SUCCEEDED, [VPC]), "one that owns nothing is in no way"


@pytest.mark.parametrize("count", [0, 3])
async def test_who_may_not_destroy_is_not_told_what_a_state_holds_or_who_uses_it(stage: Stage, count: int) -> None:
    stage.world.units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,))}
    stage.world.states[VPC] = OwnedResources(known=True, count=count)
    stage.world.states[CLUSTER] = OwnedResources(known=True, count=count)
    result = await (await order(stage, Operation.DESTROY, VPC, actor="developer")).result()
    assert result.status is RunStatus.REFUSED
    assert "infra" in result.message
    assert CLUSTER not in result.message


async def test_an_empty_unit_beside_another_takes_the_right_to_its_environment_too(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), PROD: Unit()}
    stage.world.states[PROD] = OwnedResources(known=True, count=0)
    result = await (await order(stage, Operation.DESTROY, VPC, PROD, actor="developer")).result()
    assert (result.status, stage.world.applied) == (RunStatus.REFUSED, [])
    assert "prod" in result.message


async def test_a_refresh_and_an_import_shape_the_plan_and_are_no_apply_on_record(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    refreshed = await (await order(stage, Operation.REFRESH, VPC)).result()
    assert "nothing else was changed" in refreshed.message
    stage.world.units[VPC].summary = PlanSummary(imported=1)
    adopted = await (await order(stage, Operation.IMPORT, VPC, address="aws_vpc.main", resource_id="vpc-1")).result()
    assert "1 imported" in adopted.message
    refresh, adoption = [request.shape for request in stage.world.asked_to_plan]
    assert (refresh.refresh_only, adoption.address, adoption.resource_id) == (True, "aws_vpc.main", "vpc-1")
    assert [record.operation for record in stage.world.commits.audit] == [Operation.REFRESH, Operation.IMPORT]
    assert "/@refreshes/" in stage.world.commits.audit[0].key
    assert "/@imports/" in stage.world.commits.audit[1].key


async def test_an_import_of_what_the_state_has_changes_nothing(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(summary=PlanSummary(change=1))}
    result = await (await order(stage, Operation.IMPORT, VPC, address="aws_vpc.main", resource_id="vpc-1")).result()
    assert (result.status, stage.world.applied) == (RunStatus.SUCCEEDED, [])
    assert result.message == "Nothing to import: the state has it already."


async def test_targets_are_of_one_unit(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), DATABASE: Unit()}
    result = await (await order(stage, Operation.APPLY, "dev", targets=("aws_vpc.main",))).result()
    assert result.status is RunStatus.REFUSED
    assert "of one unit" in result.message
    result = await (await order(stage, Operation.APPLY, VPC, targets=("aws_vpc.main",))).result()
    assert result.status is RunStatus.SUCCEEDED
    assert stage.world.commits.audit[-1].targets == ("aws_vpc.main",)


async def test_what_is_plan_only_is_not_applied_by_an_order_either(stage: Stage) -> None:
    stage.world.configuration = CONFIGURATION.model_copy(update={"mode": "plan-only"})
    stage.world.units = {VPC: Unit()}
    result = await (await order(stage, Operation.APPLY, VPC)).result()
    assert result.status is RunStatus.REFUSED
    assert "plan-only" in result.message


async def test_outputs_are_read_by_who_may_plan_and_change_nothing(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), CLUSTER: Unit(), PROD: Unit()}
    result = await (await order(stage, Operation.OUTPUT, "dev", actor="developer")).result()
    assert (result.status, stage.world.applied) == (RunStatus.SUCCEEDED, [])
    found = {one.unit: UnitOutputs.model_validate_json(one.text).outputs[0].value for one in result.outcomes}
    assert found == {unit: f'"{unit}-id"' for unit in (VPC, CLUSTER)}
    refused = await (await order(stage, Operation.OUTPUT, PROD, actor="developer")).result()
    assert (refused.status, refused.outcomes) == (RunStatus.REFUSED, ())


async def test_a_working_copy_is_applied_only_where_the_rules_say_so(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    kept: dict[str, Any] = {"working_copy": f"working-copies/{'0' * 64}.patch", "ref": COMMIT}
    refused = await (await order(stage, Operation.APPLY, VPC, **kept)).result()
    assert (refused.status, stage.world.applied) == (RunStatus.REFUSED, [])
    assert "environments.dev.apply_working_copies" in refused.message
    dev = CONFIGURATION.environments["dev"].model_copy(update={"apply_working_copies": True})
    environments = {**CONFIGURATION.environments, "dev": dev}
    stage.world.configuration = CONFIGURATION.model_copy(update={"environments": environments})
    applied = await (await order(stage, Operation.APPLY, VPC, **kept)).result()
    assert (applied.status, stage.world.applied) == (RunStatus.SUCCEEDED, [VPC])
