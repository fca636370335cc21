"""A run that a deployment has started rests on the deployment's signed words, and on nothing that its parent says."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from docustack.deployment_decisions import Decision, DecisionKind, sign_decision
from docustack.deployment_steps import DeploymentWord
from docustack.errors import ErrorType
from docustack.initial_deployment import (
    DeploymentEnd,
    DeploymentOrder,
    SignedDeploymentOrder,
    deployment_workflow_id,
    sign_deployment,
)
from docustack.orders import sign_run
from docustack.runs import ManualOrder, Operation, PullRequestRef, RunInput, RunResult, RunStatus
from tests.workflows.conftest import Stage, end_everything, environment_workers, sandbox
from tests.workflows.fakes import APPROVAL_KEY, Unit, World
from tests.workflows.organisation import Organisation
from tests.workflows.organisation import start as start_deployment
from tests.workflows.stand_in_runs import StandInDeployment, StandInParent
from tests.workflows.test_manual_runs import approve, until_waiting
from workflows.initial_deployment import InitialDeploymentWorkflow
from workflows.locks import LocksWorkflow
from workflows.policies import CONTROL_QUEUE, environment_queue, host_queue
from workflows.run import RunWorkflow
from workflows.run_models import RunStart, RunState

VPC, PROD = "dev/us-east-1/vpc", "prod/us-east-1/vpc"
COMMIT = "c" * 40
LONG_AGO = timedelta(hours=3)


def control_worker(client: Client, world: World, deployment: type, *more: Any) -> Worker:
    return Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=[RunWorkflow, LocksWorkflow, StandInParent, deployment],
        activities=[*world.activities(client), *more],
        workflow_runner=sandbox(),
    )


@pytest.fixture
async def stage(client: Client) -> AsyncIterator[Stage]:
    world = World({VPC: Unit(), PROD: Unit()})
    async with control_worker(client, world, StandInDeployment), environment_workers(client, world):
        yield Stage(client, world)
        await end_everything(client)


def step(stage: Stage, operation: Operation = Operation.APPLY, *paths: str, **changes: Any) -> RunInput:
    fields = {"actor": "lead", "ref": COMMIT, **changes}
    return RunInput(
        run_id=secrets.token_hex(5),
        repository=stage.repository,
        operation=operation,
        actor=fields.pop("actor"),
        directories=paths or ("dev",),
        manual=ManualOrder(confirmed=True, **fields),
    )


def ordered(
    stage: Stage, *, key: str = APPROVAL_KEY, ago: timedelta = timedelta(), **changes: Any
) -> SignedDeploymentOrder:
    known: dict[str, Any] = {
        "login": "lead",
        "repository": stage.repository,
        "only": "dev",
        "given_at": datetime.now(UTC) - ago,
        "nonce": secrets.token_hex(16),
    }
    return sign_deployment(DeploymentOrder(**known | changes), key)


def decided(stage: Stage, kind: DecisionKind, *, key: str = APPROVAL_KEY, **changes: Any) -> DeploymentWord:
    """The words after somebody's answer to a deployment of dev."""
    known: dict[str, Any] = {
        "kind": kind,
        "login": "infra-member",
        "deployment": deployment_workflow_id(stage.repository),
        "question": 1,
        "environment": "dev" if kind is DecisionKind.ROLL_BACK else "",
        "given_at": datetime.now(UTC),
        "nonce": secrets.token_hex(16),
    }
    return DeploymentWord(deployment=ordered(stage), decision=sign_decision(Decision(**known | changes), key))


async def child(
    stage: Stage, start: RunInput, word: DeploymentWord | None, *, parent: str = "", of_type: str = ""
) -> RunResult:
    """How a run ends that this parent has started; by default the deployment's own workflow has."""
    async with asyncio.timeout(60):  # one that is believed where it should not be may wait for an approval
        result: RunResult = await stage.client.execute_workflow(
            of_type or "InitialDeploymentWorkflow",
            RunStart(input=start, word=word),
            id=parent or deployment_workflow_id(stage.repository),
            task_queue=CONTROL_QUEUE,
            result_type=RunResult,
        )
    return result


async def refused(stage: Stage, start: RunInput, word: DeploymentWord | None, **parent: str) -> str:
    """Why; and nothing was changed, nor checked out."""
    result = await child(stage, start, word, **parent)
    assert (result.status, stage.world.applied, stage.world.refs) == (RunStatus.REFUSED, [], [])
    return result.message


# ---- believed --------------------------------------------------------------------------------------------------------


async def test_a_deployments_own_runs_are_believed_and_also_after_a_decision(client: Client) -> None:
    world, organisation = World({VPC: Unit(apply_errors=[ErrorType.FAILED])}), Organisation()
    known = {each.__name__ for each in world.activities(client)}
    more = [each for each in organisation.activities() if each.__name__ not in known]  # what only deployments ask
    queues = (environment_queue("dev"), host_queue(CONTROL_QUEUE, "here"), host_queue(environment_queue("dev"), "here"))
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(control_worker(client, world, InitialDeploymentWorkflow, *more))
        for queue in queues:
            worker = Worker(client, task_queue=queue, activities=[*world.activities(client), *more])
            await stack.enter_async_context(worker)
        deployment = await start_deployment(client, first="dev", last="dev", bootstrap=False)
        await deployment.question()
        assert (await deployment.decide(DecisionKind.RETRY, "infra-member")).accepted
        assert (await deployment.outcome()).end is DeploymentEnd.DONE
        assert (world.applied, [record.actor for record in world.commits.audit]) == ([VPC], ["infra-member"])
        await end_everything(client)


@pytest.mark.parametrize("scope", [{"only": "dev"}, {"only": "", "last": "dev"}, {"only": ""}], ids=str)
async def test_a_step_that_the_order_covers_is_done(stage: Stage, scope: dict[str, Any]) -> None:
    result = await child(stage, step(stage), DeploymentWord(deployment=ordered(stage, **scope)))
    assert (result.status, stage.world.applied) == (RunStatus.SUCCEEDED, [VPC])


async def test_a_step_waits_for_the_approvals_of_its_environment(stage: Stage) -> None:
    start = step(stage, Operation.APPLY, "prod")
    ends = asyncio.create_task(child(stage, start, DeploymentWord(deployment=ordered(stage, only="prod"))))
    await stage.until(lambda: stage.world.units[PROD].plans == 1, "its plan")
    run = stage.client.get_workflow_handle(f"run:{start.run_id}", result_type=RunResult)
    assert "`prod` needs 1 approval" in (await until_waiting(run)).message
    own = await approve(stage, run, "lead")
    assert (own.refusal, stage.world.applied) == ("author", []), "who has ordered the deployment is not somebody else"
    await approve(stage, run, "second-lead")
    assert ((await ends).status, stage.world.applied) == (RunStatus.SUCCEEDED, [PROD])


# ---- refused ---------------------------------------------------------------------------------------------------------


async def test_a_child_without_an_order_is_refused(stage: Stage) -> None:
    assert "it carries no order" in await refused(stage, step(stage), None)


async def test_a_child_with_a_forged_order_is_refused(stage: Stage) -> None:
    forged = DeploymentWord(deployment=ordered(stage, key="a key of somebody else"))
    assert "not signed by this installation's server" in await refused(stage, step(stage), forged)


async def test_an_order_for_one_environment_covers_no_other(stage: Stage) -> None:
    word = DeploymentWord(deployment=ordered(stage))
    assert "the order is for dev, and this is about prod" in await refused(
        stage, step(stage, Operation.APPLY, PROD), word
    )
    both = step(stage, Operation.APPLY, "dev", "prod")
    assert "one environment" in await refused(stage, both, word)


async def test_an_order_for_another_repository_covers_nothing_here(stage: Stage) -> None:
    other = stage.repository.model_copy(update={"name": "other"})
    word = DeploymentWord(deployment=ordered(stage, repository=other))
    assert "rests on the order of `initial:docustack/other`" in await refused(stage, step(stage), word)
    theirs = await refused(stage, step(stage), word, parent=deployment_workflow_id(other))
    assert "rests on the order of `initial:docustack/other`" in theirs


async def test_another_parent_with_a_genuine_order_is_refused(stage: Stage) -> None:
    word = DeploymentWord(deployment=ordered(stage))
    assert "was started by `mine`" in await refused(stage, step(stage), word, parent="mine")
    assert "no deployment that is at work" in await refused(stage, step(stage), word, of_type="OtherWorkflow")


async def test_an_order_out_of_an_old_history_is_refused(stage: Stage) -> None:
    word = DeploymentWord(deployment=ordered(stage, ago=LONG_AGO))
    assert "not for the deployment that has started it" in await refused(stage, step(stage), word)


@pytest.mark.parametrize(
    "operation, changes",
    [
        (Operation.PLAN, {}),
        (Operation.IMPORT, {"address": "a.b", "resource_id": "1"}),
        (Operation.APPLY, {"targets": ("aws_vpc.main",)}),
        (Operation.APPLY, {"working_copy": "working-copies/x.patch"}),
        (Operation.APPLY, {"ref": "somebodys-branch"}),
    ],
    ids=str,
)
async def test_a_deployment_does_nothing_but_its_own_deeds(
    stage: Stage, operation: Operation, changes: dict[str, Any]
) -> None:
    start = step(stage, operation, VPC, **changes)
    assert "this is something else" in await refused(stage, start, DeploymentWord(deployment=ordered(stage)))


async def test_a_step_is_done_in_the_name_of_who_has_ordered_it(stage: Stage) -> None:
    start = step(stage, actor="second-lead")
    told = await refused(stage, start, DeploymentWord(deployment=ordered(stage)))
    assert "in the name of second-lead, and was ordered by lead" in told


async def test_nothing_is_destroyed_but_by_a_decision_to_roll_that_environment_back(stage: Stage) -> None:
    word = DeploymentWord(deployment=ordered(stage))
    nobody = "nobody has decided to roll dev back"
    assert nobody in await refused(stage, step(stage, Operation.DESTROY), word)
    destroys = step(stage, Operation.DESTROY, actor="infra-member")
    assert nobody in await refused(stage, destroys, decided(stage, DecisionKind.RETRY))
    elsewhere = decided(stage, DecisionKind.ROLL_BACK, environment="prod")
    assert nobody in await refused(stage, destroys, elsewhere)
    applies = step(stage, actor="infra-member")
    assert "`roll-back` applies nothing" in await refused(stage, applies, decided(stage, DecisionKind.ROLL_BACK))


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"key": "a key of somebody else"}, "not signed by this installation's server"),
        ({"deployment": "initial:docustack/other"}, "was given to `initial:docustack/other`"),
        ({"given_at": datetime(2026, 1, 1, tzinfo=UTC)}, "too long ago"),
    ],
    ids=["forged", "of another deployment", "old"],
)
async def test_a_decision_that_is_not_about_this_is_refused(stage: Stage, changes: dict[str, Any], why: str) -> None:
    word = decided(stage, DecisionKind.RETRY, **changes)
    assert why in await refused(stage, step(stage, actor="infra-member"), word)


# ---- started in Temporal, by nobody ----------------------------------------------------------------------------------


async def started(stage: Stage, start: RunStart) -> RunResult:
    result: RunResult = await stage.client.execute_workflow(
        "RunWorkflow", start, id=f"run:{start.input.run_id}", task_queue=CONTROL_QUEUE, result_type=RunResult
    )
    return result


async def test_a_run_that_claims_to_have_passed_its_gate_is_refused(stage: Stage) -> None:
    start = sign_run(step(stage), datetime.now(UTC), APPROVAL_KEY)
    result = await started(stage, RunStart(input=start, carried=RunState(gate_passed=True)))
    assert (result.status, stage.world.applied) == (RunStatus.REFUSED, [])
    assert "as if it had begun before" in result.message


async def test_a_run_of_a_pull_request_is_started_by_its_workflow_and_by_nobody_else(stage: Stage) -> None:
    stage.world.open(author="developer")
    pull_request = PullRequestRef(number=1, author="developer", head_commit=COMMIT, base_ref="main")
    start = step(stage).model_copy(update={"manual": None, "pull_request": pull_request})
    for result in (await started(stage, RunStart(input=start)), await child(stage, _again(start), None)):
        assert (result.status, stage.world.applied) == (RunStatus.REFUSED, [])
        assert "was not started by `pr:" in result.message


def _again(start: RunInput) -> RunInput:
    return start.model_copy(update={"run_id": secrets.token_hex(5)})
