"""Records the histories that `test_replay.py` replays: `.venv/bin/python -m tests.replay.record [SCENARIO ...]`.

Record anew only when a workflow is changed on purpose in a way that no running workflow can meet: before a release,
or once the old way is behind `workflow.patched` and its histories have all ended. A history that no longer replays is
otherwise a workflow that would break in production.
"""

import asyncio
import gzip
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from docustack.base_moves import BaseMoved
from docustack.deployment_decisions import DecisionKind
from docustack.deployment_steps import DeploymentWord
from docustack.errors import ErrorType
from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockRequest
from docustack.plans import PlanSummary
from docustack.pull_request_state import LookAtOrphans
from docustack.repository import UnitStatus
from docustack.rule_changes import NewRules, RuleChange
from docustack.runs import Operation
from docustack.signed_approvals import Verdict
from docustack.state_document import OwnedResources
from tests.dev_server import dev_server
from tests.workflows import test_bootstrap as bootstraps
from tests.workflows import test_decisions as decisions
from tests.workflows import test_manual_runs as manual
from tests.workflows import test_steps_of_deployments as steps
from tests.workflows.account import GOOD, FakeAccount
from tests.workflows.conftest import Stage, environment_workers, workers
from tests.workflows.fakes import CONFIGURATION, Unit, World
from tests.workflows.organisation import Deployment, Organisation
from tests.workflows.organisation import start as start_deployment
from tests.workflows.organisation import workers as deployment_workers
from tests.workflows.stand_in_runs import StandInDeployment
from tests.workflows.test_bootstrap import start as start_bootstrap
from tests.workflows.test_bootstrap import workers as bootstrap_workers

HISTORIES = Path(__file__).resolve().parent / "histories"

VPC = "dev/us-east-1/vpc"
RDS = "dev/us-east-1/rds"
CLUSTER = "dev/us-east-1/ecs-cluster"
PROD, PROD_RDS = "prod/us-east-1/vpc", "prod/us-east-1/rds"

Scenario = Callable[[Stage], Awaitable[None]]


async def planned_applied_merged(stage: Stage) -> None:
    await stage.planned({VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,))})
    await stage.comment("terrateam apply", sender="developer")
    await stage.until_ended(2)
    await stage.comment("terrateam apply")
    await stage.until_ended(3)
    await stage.comment("terrateam unlock")
    await stage.until_ended(4)
    await stage.close()
    await stage.handle().result()


async def waited_for_approval(stage: Stage) -> None:
    await stage.planned({PROD: Unit()}, author="infra-member")
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until_ended(2)


async def merged_applied_by_itself_and_owed(stage: Stage) -> None:
    """dev by the merge alone; prod once somebody asks for it on the merged pull request."""
    dev = CONFIGURATION.environments["dev"].model_copy(update={"auto_apply_on_merge": True})
    stage.world.configuration = CONFIGURATION.model_copy(
        update={"environments": {**CONFIGURATION.environments, "dev": dev}}
    )
    stage.world.units = {VPC: Unit(), PROD: Unit()}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)
    stage.world.approve("lead")
    await stage.merge("c" * 40)
    await stage.until_ended(2)
    await stage.comment("terrateam apply", sender="lead")
    await stage.handle().result()


async def in_the_merge_queue(stage: Stage) -> None:
    """Two groups: one that is as planned and applied, and one in which a unit reads something else."""
    await stage.planned({VPC: Unit()})
    await stage.comment("terrateam apply")
    await stage.until_ended(2)

    async def queued(group: str) -> None:
        await stage.send("checks_requested", group_commit=group, group_base="8" * 40)
        await stage.until(lambda: sum(check.head_commit == group for check in stage.world.checks) == 2)

    await queued("9" * 40)
    stage.world.commits.inputs[VPC] = "sha256:other"
    await queued("7" * 40)


async def superseded_by_a_push(stage: Stage) -> None:
    world = stage.world
    world.units, world.hold_plans = {VPC: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await world.planning.wait()
    await stage.push("d" * 40)
    await stage.until(lambda: any(check.head_commit == "d" * 40 for check in world.checks))
    world.hold_plans.set()
    await stage.until_ended(1)


async def failed_and_skipped(stage: Stage) -> None:
    await stage.planned({VPC: Unit(apply_errors=[ErrorType.FAILED]), CLUSTER: Unit(dependencies=(VPC,))})
    await stage.comment("terrateam apply")
    await stage.until_ended(2)


async def interrupted_and_planned_again(stage: Stage) -> None:
    await stage.planned({VPC: Unit(apply_errors=[ErrorType.INTERRUPTED, ErrorType.STALE_PLAN])})
    await stage.comment("terrateam apply")
    await stage.until_ended(2)


async def more_than_approved(stage: Stage) -> None:
    later = frozenset({"create main", "delete database"})
    await stage.planned({VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,), later_changes=later)})
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("delete `database`")))
    await stage.comment("terrateam apply")
    await stage.until_ended(2)


async def cancelled_while_applying(stage: Stage) -> None:
    apply = CONFIGURATION.apply.model_copy(update={"parallelism": 1})
    stage.world.configuration = CONFIGURATION.model_copy(update={"apply": apply})
    await stage.planned({VPC: Unit(), RDS: Unit(), CLUSTER: Unit(dependencies=(VPC,))})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await stage.world.applying.wait()
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").cancel()
    await stage.until_ended(2)


async def broken_by_a_circle(stage: Stage) -> None:
    await stage.planned({VPC: Unit(dependencies=(CLUSTER,)), CLUSTER: Unit(dependencies=(VPC,))})


async def decided_by_every_door(stage: Stage) -> None:
    """A review that doesn't count, signals of all kinds, and updates: refused, forged, a no, and in the end a yes."""
    gate = await decisions.waiting(stage, trusting=True)
    stage.world.approve("developer")
    await stage.send("review_submitted", sender="developer", review_state="approved")
    await gate.signal("aprove", {"actor": "lead"})
    await gate.signal("approve", "lead", 17)
    await gate.signal("approve", {"actor": "developer"})
    await gate.refused(await gate.approval("developer"))
    await gate.refused(await gate.approval("lead"), key="a key of somebody else")
    await gate.send(await gate.approval("lead", verdict=Verdict.REJECT))
    await stage.until_ended(2)
    asked = len(stage.world.texts("Waiting for approval"))
    await stage.comment("terrateam apply", sender="lead")
    again = await decisions.at_gate(stage, asked + 1)
    await again.send(await again.approval("second-lead"))
    await stage.until_ended(3)


async def base_moved_while_it_waited(stage: Stage) -> None:
    await stage.planned({PROD: Unit(), PROD_RDS: Unit()}, author="infra-member")
    await stage.comment(f"terrateam apply {PROD}", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    stage.world.commits.move_base("1" * 40, {PROD: "sha256:other"})
    moved = BaseMoved(repository=stage.repository, base_ref="main", commit="1" * 40)
    await stage.handle().signal("base_moved", moved)
    await stage.until(lambda: bool(stage.world.texts("which changes what")), "the new plan")
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: stage.world.applied == [PROD])
    await stage.until_idle()
    stage.world.commits.move_base("2" * 40, {PROD_RDS: "sha256:another"})
    await stage.handle().signal("base_moved", moved.model_copy(update={"commit": "2" * 40}))
    await stage.until(lambda: stage.world.units[PROD_RDS].plans == 2)
    await stage.until_idle()


async def units_destroyed(stage: Stage) -> None:
    def gone(*dependencies: str) -> Unit:
        summary, changes = PlanSummary(destroy=2), frozenset({"delete main"})
        return Unit(dependencies, "sha256:there", summary=summary, changes=changes)

    stage.world.units = {VPC: gone(), RDS: gone(VPC), CLUSTER: Unit()}
    stage.world.statuses = {VPC: UnitStatus.DELETED, RDS: UnitStatus.DELETED}
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.comment("terrateam apply")
    await stage.until_ended(2)
    await stage.comment("terrateam apply --destroy")
    await stage.until_ended(3)


async def destroyed_after_the_merge(stage: Stage) -> None:
    """One is found to be gone by a look, the other is planned anew, shown, and destroyed."""

    def gone() -> Unit:
        return Unit((), "sha256:there", summary=PlanSummary(destroy=2), changes=frozenset({"delete main"}))

    stage.world.units = {PROD: gone(), VPC: gone()}
    stage.world.statuses = {PROD: UnitStatus.DELETED, VPC: UnitStatus.DELETED}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.merge("c" * 40)
    await stage.until(lambda: bool(stage.world.texts("Owned by nobody")))
    stage.world.states[VPC] = OwnedResources(known=True)
    await stage.handle().signal("look_at_orphans", LookAtOrphans())
    await stage.until(lambda: bool(stage.world.texts("is gone: its state holds")))
    await stage.comment("terrateam apply --destroy", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    stage.world.approve("second-lead")
    await stage.send("review_submitted", sender="second-lead", review_state="approved")
    await stage.handle().result()


async def rules_changed(stage: Stage) -> None:
    looser = RuleChange(where="dev", rule="apply", before="infra", after="anyone")
    stage.world.new_rules = NewRules(files=("docustack.yaml",), changes=(looser,))
    await stage.planned({VPC: Unit()})
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until_ended(2)


async def ended_by_another_command(stage: Stage) -> None:
    """Beside an apply that waits: one that is refused, then a plan that takes its place."""
    await stage.planned({PROD: Unit()}, author="infra-member")
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    await stage.comment("terrateam plan", sender="developer")
    await stage.until(lambda: (2, "-1") in stage.world.reactions)
    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until_ended(3)


async def terminated_and_missed(stage: Stage) -> None:
    await stage.planned({VPC: Unit()})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await stage.world.applying.wait()
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").terminate("by an operator")
    stage.world.hold_applies.set()
    await stage.comment("terrateam apply")
    await stage.until_ended(3)


async def closed_while_applying(stage: Stage) -> None:
    await stage.planned({VPC: Unit()})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await stage.world.applying.wait()
    await stage.close(merged=False)
    await stage.comment("terrateam help")
    stage.world.hold_applies.set()
    await stage.handle().result()


async def behind_what_was_applied(stage: Stage) -> None:
    """Another pull request has applied and merged the unit: one that lacks it is refused."""
    stage.world.units = {VPC: Unit()}
    stage.world.open(2, head="e" * 40)
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until_ended(2, 2)
    stage.world.commits.lacked.add("e" * 40)
    await stage.close(2)
    await stage.handle(2).result()
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.comment("terrateam apply")
    await stage.until_ended(2)


async def waited_in_line(stage: Stage) -> None:
    """Another pull request holds one of its units; it waits, and goes on when that one is closed."""
    stage.world.units = {VPC: Unit(), RDS: Unit()}
    stage.world.open(2, head="e" * 40)
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await stage.comment(f"terrateam apply {VPC}", number=2)
    await stage.until_ended(2, 2)
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.comment("terrateam apply")
    await stage.until(lambda: any(comment.key.endswith(":line") for comment in stage.world.comments), "its place")
    await stage.close(2, merged=False)
    await stage.until_ended(2)


async def locks_continued_as_new(stage: Stage) -> None:
    """Eighty requests for one unit while another pull request holds it, and then its release."""
    await stage.planned({VPC: Unit()})
    await stage.comment("terrateam apply")
    await stage.until_ended(2)
    locks = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    first = (await locks.describe()).run_id
    for number in range(10, 90):
        request = LockRequest(
            request_id=f"request-{number}",
            holder=f"pr:{stage.repository.full_name}#{number}",
            pull_request=number,
            actor="infra-member",
            units=(VPC,),
            requested_at=datetime(2026, 1, 1, tzinfo=UTC),
            answer_to=f"run:{number}",
        )
        await locks.signal("request", request)
    async with asyncio.timeout(120):
        while (await locks.describe()).run_id == first:
            await asyncio.sleep(0.1)
    await stage.comment("terrateam unlock")
    await stage.until_ended(3)


async def continued_as_new(stage: Stage) -> None:
    """Many units, commands and lock requests, on a server that suggests it early."""
    stage.world.units = {f"dev/us-east-1/unit-{index:02}": Unit() for index in range(50)}
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1, seconds=60)
    for _ in range(10):
        await stage.comment("terrateam help")
    await stage.comment("terrateam apply")
    await stage.until_ended(2, seconds=120)


BOOTSTRAPS = "bootstraps"
DEPLOYMENTS = "deployments"
STEPS = "steps"


async def ordered_without_a_pull_request(stage: Stage) -> None:
    """A plan, an apply that waits for its own yes and for a lead's, one that is refused, and a destruction."""
    stage.world.units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,)), PROD: Unit()}
    await (await manual.order(stage, Operation.PLAN, "dev")).result()
    await (await manual.order(stage, Operation.APPLY, "dev", actor="developer")).result()
    await (await manual.order(stage, Operation.APPLY, "dev")).result()
    run = await manual.order(stage, Operation.APPLY, PROD, actor="lead", confirmed=False)
    await manual.until_waiting(run)
    await manual.approve(stage, run, "lead")
    await manual.approve(stage, run, "second-lead")
    await run.result()
    for unit in (VPC, CLUSTER):
        stage.world.units[unit].summary = PlanSummary(destroy=1)
    await (await manual.order(stage, Operation.DESTROY, VPC)).result()
    await (await manual.order(stage, Operation.DESTROY, "dev")).result()


SCENARIOS: tuple[Scenario, ...] = (
    planned_applied_merged,
    waited_for_approval,
    merged_applied_by_itself_and_owed,
    in_the_merge_queue,
    superseded_by_a_push,
    failed_and_skipped,
    interrupted_and_planned_again,
    more_than_approved,
    cancelled_while_applying,
    broken_by_a_circle,
    continued_as_new,
    decided_by_every_door,
    base_moved_while_it_waited,
    units_destroyed,
    destroyed_after_the_merge,
    rules_changed,
    ended_by_another_command,
    terminated_and_missed,
    closed_while_applying,
    behind_what_was_applied,
    waited_in_line,
    locks_continued_as_new,
    ordered_without_a_pull_request,
)


async def record(names: list[str]) -> None:
    """Record the scenarios named, or all."""
    async with dev_server("limit.historyCount.suggestContinueAsNew=200", identity="recorder") as environment:
        for scenario in SCENARIOS:
            if names and scenario.__name__ not in names:
                continue
            world = World({})
            async with workers(environment.client, world):
                stage = Stage(environment.client, world)
                await scenario(stage)
                await _save(environment.client, stage, scenario.__name__)
        if not names or BOOTSTRAPS in names:
            await record_bootstraps(environment.client)
        if not names or DEPLOYMENTS in names:
            await record_deployments(environment.client)
        if not names or STEPS in names:
            await record_steps(environment.client)


async def record_bootstraps(client: Client) -> None:
    """One that came to its end, one that was undone, one whose migration failed, and one that was cancelled."""
    for name, account in (
        ("bootstrapped", FakeAccount(bucket=GOOD)),
        ("bootstrap_undone", FakeAccount(fail="apply_bootstrap", fail_after=True)),
        ("bootstrap_not_migrated", FakeAccount(fail="migrate_state")),
    ):
        async with bootstrap_workers(client, account):
            handle = await start_bootstrap(client)
            await handle.result()
            _write(name, 0, "bootstrap", await _histories(client, handle.id))
    cancelled = FakeAccount(hang="migrate_state")
    async with bootstrap_workers(client, cancelled):
        handle = await start_bootstrap(client)
        await bootstraps.until_in(cancelled, "migrate_state")
        await bootstraps.told_to_cancel(handle, "developer")
        await bootstraps.told_to_cancel(handle)
        await handle.result()
        _write("bootstrap_cancelled", 0, "bootstrap", await _histories(client, handle.id))


async def record_deployments(client: Client) -> None:
    """One of each way that they end, past bootstraps and decisions of every kind."""
    retried = Organisation(without_backend={"dev", "prod"}, fails={RDS, CLUSTER}, took={VPC: 10.0})
    async with deployment_workers(client, retried):
        deployment = await start_deployment(client)
        await deployment.question()
        await deployment.handle.signal("stop", {"actor": "lead"})
        await deployment.decide(DecisionKind.RETRY, "developer")
        await deployment.decide(DecisionKind.SKIP, unit=CLUSTER)
        await deployment.question(2)
        retried.fails = set()
        await deployment.decide(DecisionKind.RETRY, latest=True)
        await _write_deployment(client, "deployed", deployment)
    rolled_back = Organisation(fails={RDS}, keeps={VPC})
    async with deployment_workers(client, rolled_back):
        deployment = await start_deployment(client, only="dev", bootstrap=False)
        await deployment.question()
        await deployment.decide(DecisionKind.ROLL_BACK, environment="dev")
        await deployment.question(2)
        rolled_back.keeps = set()
        await deployment.decide(DecisionKind.ROLL_BACK, environment="dev")
        await _write_deployment(client, "deployment_rolled_back", deployment)
    async with deployment_workers(client, Organisation(broken={"dev": "account 999999999999"})):
        await _write_deployment(client, "deployment_refused", await start_deployment(client))
    async with deployment_workers(client, Organisation(fails={RDS})):
        deployment = await start_deployment(client, last="dev")
        await deployment.question()
        await deployment.handle.cancel()
        await _write_deployment(client, "deployment_cancelled", deployment)


async def record_steps(client: Client) -> None:
    """Runs that are steps of a deployment: one that its words cover, and one that they don't."""
    world = World({VPC: Unit(), PROD: Unit()})
    async with steps.control_worker(client, world, StandInDeployment), environment_workers(client, world):
        stage = Stage(client, world)
        for name, path in (("step_of_a_deployment", "dev"), ("no_step_of_a_deployment", "prod")):
            start = steps.step(stage, Operation.APPLY, path)
            await steps.child(stage, start, DeploymentWord(deployment=steps.ordered(stage)))
            _write(name, 0, "run", await _histories(client, f"run:{start.run_id}"))


async def _write_deployment(client: Client, name: str, deployment: Deployment) -> None:
    await deployment.outcome()
    _write(name, 0, "deployment", await _histories(client, deployment.handle.id))


async def _save(client: Client, stage: Stage, name: str) -> None:
    """Every workflow of the scenario, whether it has ended or not; names say what each of them is."""
    runs = (await stage.state()).runs if await _lives(stage) else []
    ids = [stage.handle().id, locks_workflow_id(stage.repository), *(f"run:{run.run_id}" for run in runs)]
    if not runs:
        ids += await _runs_of(client, stage)
    HISTORIES.mkdir(exist_ok=True)
    for old in HISTORIES.glob(f"{name}.*"):
        old.unlink()
    for number, workflow_id in enumerate(ids):
        kind = workflow_id.partition(":")[0]
        _write(name, number, kind, await _histories(client, workflow_id))


def _write(name: str, number: int, kind: str, histories: list[WorkflowHistory]) -> None:
    for part, history in enumerate(histories):
        path = HISTORIES / f"{name}.{number}-{kind}{f'.{part}' if part else ''}.json.gz"
        text = history.to_json().replace(f"{HISTORIES.parents[2]}/", "")  # stack traces: no path of who has recorded
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
        print(path.name, len(history.events), "events")  # noqa: T201


async def _histories(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """The newest first, and then those that were continued as new; none where a scenario had no such workflow."""
    found: list[WorkflowHistory] = []
    run_id: str | None = None
    while True:
        try:
            history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND and not found:
                return []
            raise
        found.append(history)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return found


async def _lives(stage: Stage) -> bool:
    try:
        return (await stage.handle().describe()).close_time is None
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False  # a scenario without a pull request


async def _runs_of(client: Client, stage: Stage) -> list[str]:
    query = f"WorkflowType = 'RunWorkflow' AND DocustackRepository = '{stage.repository.full_name}'"
    return [execution.id async for execution in client.list_workflows(query)]


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)  # the SDK can crash the interpreter while it shuts down (temporalio/sdk-python#300)
