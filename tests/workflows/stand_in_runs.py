"""Under the names of the real ones: a run and a bootstrap that do what one activity of the test says, and a deployment
that starts whatever run it is told to."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from docustack.bootstrap import BootstrapOutcome, BootstrapState, SignedBootstrapOrder, Step, StepState, StepStatus
    from docustack.runs import RunResult
    from workflows.run_models import RunStart


@workflow.defn(name="RunWorkflow")
class StandInRun:
    @workflow.run
    async def run(self, start: RunStart) -> RunResult:
        """A cancelled one tells how it ended, as the real one does."""
        result: RunResult = await workflow.execute_activity(
            "carry_out_run",
            start.input,
            result_type=RunResult,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=2),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        return result


@workflow.defn(name="BootstrapWorkflow")
class StandInBootstrap:
    @workflow.init
    def __init__(self, signed: SignedBootstrapOrder) -> None:
        order = signed.order
        step = StepState(name=Step.PREFLIGHT, status=StepStatus.RUNNING)
        self._state = BootstrapState(
            environment=order.environment, account_id=order.account_id, actor=order.login, steps=[step]
        )

    @workflow.query
    def show(self) -> BootstrapState:
        return self._state

    @workflow.run
    async def run(self, signed: SignedBootstrapOrder) -> BootstrapOutcome:
        outcome: BootstrapOutcome = await workflow.execute_activity(
            "carry_out_bootstrap", signed, result_type=BootstrapOutcome, start_to_close_timeout=timedelta(minutes=5)
        )
        return outcome


@workflow.defn(name="InitialDeploymentWorkflow")
class StandInDeployment:
    """As somebody would write it who can run a worker in the namespace."""

    @workflow.run
    async def run(self, start: RunStart) -> RunResult:
        result: RunResult = await workflow.execute_child_workflow(
            "RunWorkflow", start, id=f"run:{start.input.run_id}", result_type=RunResult
        )
        return result


@workflow.defn(name="OtherWorkflow")
class StandInParent(StandInDeployment):
    @workflow.run
    async def run(self, start: RunStart) -> RunResult:
        return await super().run(start)
