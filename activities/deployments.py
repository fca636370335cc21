"""What a deployment asks about earlier runs and bootstraps, and its runs about it: Temporal has them all."""

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from docustack.bootstrap import BootstrapEnd, BootstrapOutcome, bootstrap_workflow_id
from docustack.deployment_steps import Parent
from docustack.model import Model
from docustack.packing import Packed
from docustack.repository import Repository
from docustack.runs import DONE, RunResult
from docustack.visibility import finished_runs

_RUNS = 10
"""Of one environment that are looked at: the newest."""


class AskEarlierRuns(Model):
    """What is known of the units of these environments."""

    repository: Repository
    environments: tuple[str, ...]


class EarlierRuns(Model):
    """How long units took when they were applied last, and on what each depends."""

    seconds: Packed[dict[str, float]] = {}
    dependencies: Packed[dict[str, tuple[str, ...]]] = {}


class AskBootstrap(Model):
    """How did the last bootstrap of an account end?"""

    account_id: str


class FoundBootstrap(Model):
    """`end` is None where there was none, or nothing is known of it any more."""

    end: BootstrapEnd | None = None
    works: bool = False


class AskParent(Model):
    """What is the workflow that has started a run?"""

    workflow_id: str
    run_id: str


class Deployments:
    """Reads results, which Temporal keeps as long as its histories; what it no longer has is not known."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn
    async def read_earlier_runs(self, question: AskEarlierRuns) -> EarlierRuns:
        """The newest word of each unit."""
        seconds: dict[str, float] = {}
        dependencies: dict[str, tuple[str, ...]] = {}
        for environment in question.environments:
            query = finished_runs(question.repository, environment)
            async for run in self._client.list_workflows(query, limit=_RUNS):
                result = await self._result(run)
                if result is None:
                    continue
                dependencies = dependencies or result.dependencies
                for outcome in result.outcomes:
                    if outcome.phase in DONE and outcome.seconds:
                        seconds.setdefault(outcome.unit, outcome.seconds)
        return EarlierRuns(seconds=seconds, dependencies=dependencies)

    @activity.defn
    async def find_bootstrap(self, question: AskBootstrap) -> FoundBootstrap:
        """One that failed in the middle has to be gone on with, though bucket and table are there by then."""
        handle = self._client.get_workflow_handle(
            bootstrap_workflow_id(question.account_id), result_type=BootstrapOutcome
        )
        try:
            status = (await handle.describe()).status
            if status is WorkflowExecutionStatus.RUNNING:
                return FoundBootstrap(works=True)
            outcome: BootstrapOutcome = await handle.result()
        except WorkflowFailureError:
            return FoundBootstrap(end=BootstrapEnd.FAILED)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return FoundBootstrap()
        return FoundBootstrap(end=outcome.end)

    @activity.defn
    async def read_parent(self, question: AskParent) -> Parent:
        """As Temporal has it, which gives out neither types nor times that somebody has only claimed."""
        handle = self._client.get_workflow_handle(question.workflow_id, run_id=question.run_id)
        try:
            found = await handle.describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Parent(workflow_id=question.workflow_id)
        return Parent(
            workflow_id=found.id,
            workflow_type=found.workflow_type,
            started_at=found.start_time,
            works=found.status is WorkflowExecutionStatus.RUNNING,
        )

    async def _result(self, run: WorkflowExecution) -> RunResult | None:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id, result_type=RunResult)
        try:
            result: RunResult = await handle.result(follow_runs=False)
        except (WorkflowFailureError, RPCError, ValueError):
            return None
        return result
