"""What rests unfinished in a standalone installation: a worker goes on with all of it, whichever command starts one."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.bootstrap import SignedBootstrapOrder
from docustack.deployment_texts import title
from docustack.initial_deployment import DeploymentOrder, SignedDeploymentOrder
from docustack.runs import RunInput
from local.temporal_server import NAMESPACE
from starter.console import errors
from starter.exit_codes import CommandFailed, ExitCode
from starter.run_starts import read_input, read_start

RUN, BOOTSTRAP = "run:", "bootstrap:"

_UNFINISHED = (
    "ExecutionStatus = 'Running' AND WorkflowType IN ('RunWorkflow', 'BootstrapWorkflow', 'InitialDeploymentWorkflow')"
)


@dataclass(frozen=True)
class Resting:
    """One run, bootstrap or deployment that has not ended; `run` or `deployment` is what it was started with."""

    workflow_id: str
    what: str
    since: datetime
    part_of: str = ""  # the deployment of which it is a step
    run: RunInput | None = None
    deployment: DeploymentOrder | None = None

    @property
    def to_go_on(self) -> str:
        if self.workflow_id.startswith((RUN, BOOTSTRAP)):
            return f"docustack --standalone runs watch {self.workflow_id.removeprefix(RUN)}"
        return "docustack --standalone deploy watch"

    @property
    def to_end(self) -> str:
        if self.workflow_id.startswith((RUN, BOOTSTRAP)):
            return f"docustack --standalone runs cancel {self.workflow_id.removeprefix(RUN)}"
        return "docustack --standalone deploy cancel"


Own = Callable[[Resting], bool]
"""Which of what rests a command goes on with by itself: that of the same command, and what it names."""


def nothing(_: Resting) -> bool:
    return False


def of_workflow(workflow_id: str) -> Own:
    return lambda one: one.workflow_id == workflow_id


def of_run(name: str) -> Own:
    """By the id of a run or its first characters, or the workflow id of a bootstrap."""
    wanted = name.removeprefix(RUN)
    return lambda one: bool(wanted) and one.workflow_id.removeprefix(RUN).startswith(wanted)


async def find_resting(address: str) -> list[Resting]:
    """What the Temporal of an installation has, the oldest first; it needs no worker."""
    client = await Client.connect(address, namespace=NAMESPACE, data_converter=pydantic_data_converter)
    found = [execution async for execution in client.list_workflows(_UNFINISHED)]
    resting = [one for execution in found if (one := await _resting(client, execution)) is not None]
    return sorted(resting, key=lambda one: one.since)


async def _resting(client: Client, execution: WorkflowExecution) -> Resting | None:
    # The index may be behind the end of a workflow; what the workflow itself says is not.
    described = await client.get_workflow_handle(execution.id, run_id=execution.run_id).describe()
    if described.status is not WorkflowExecutionStatus.RUNNING:
        return None
    run = deployment = None
    what = execution.id
    match execution.workflow_type:
        case "RunWorkflow":
            run = await read_start(client, execution.id, execution.run_id)
            what = f"run {execution.id.removeprefix(RUN)}: {_of_run(run)}" if run is not None else what
        case "BootstrapWorkflow":
            asked = await read_input(client, execution.id, execution.run_id, SignedBootstrapOrder)
            what = f"bootstrap {asked.order.environment} by {asked.order.login}" if asked is not None else what
        case _:
            signed = await read_input(client, execution.id, execution.run_id, SignedDeploymentOrder)
            deployment = signed.order if signed is not None else None
            what = title(deployment) if deployment is not None else what
    return Resting(execution.id, what, execution.start_time, execution.parent_id or "", run, deployment)


def _of_run(run: RunInput) -> str:
    where = f"#{run.number}" if run.number else " ".join(run.directories)
    return " ".join(filter(None, [run.operation.value, where, f"by {run.actor}"]))


def others(resting: Sequence[Resting], own: Own) -> list[Resting]:
    """What the command is not for; a step of a deployment belongs to that."""
    known = {one.workflow_id for one in resting}

    def whole(one: Resting) -> str:
        return one.part_of if one.part_of in known else one.workflow_id

    mine = {whole(one) for one in resting if own(one)}
    return [one for one in resting if whole(one) == one.workflow_id and one.workflow_id not in mine]


def agree(unwanted: Sequence[Resting], *, resume: bool, ask: Callable[[], bool] | None = None) -> None:
    """Nothing goes on that nobody has thought of: ask, or refuse.

    Raises:
        CommandFailed: somebody has said no; USAGE, nobody can be asked.
    """
    if not unwanted:
        return
    it = "it" if len(unwanted) == 1 else "them"
    told = [f"{one.what}, since {one.since:%Y-%m-%d %H:%M} UTC" for one in unwanted]
    if resume:
        errors().print(f"This goes on too: {'; '.join(told)}.")
        return
    number = "Something else rests" if len(unwanted) == 1 else f"{len(unwanted)} other things rest"
    ask = ask or (_asks if sys.stdin.isatty() and sys.stderr.isatty() else None)
    if ask is not None:
        errors().print(f"{number} unfinished, and a worker goes on with {it}:", *told, sep="\n  ")
        if ask():
            return
    advice = [line for one in unwanted for line in (f"To go on with it: {one.to_go_on}", f"To end it: {one.to_end}")]
    if ask is not None:
        raise CommandFailed("Nothing was begun, and it rests on.", *advice)
    raise CommandFailed(
        f"{number} unfinished, and a worker would go on with {it}: {'; '.join(told)}.",
        *advice,
        f"To go on with {it} beside this command: docustack --standalone --resume …",
        code=ExitCode.USAGE,
    )


def _asks() -> bool:
    errors().print("Go on with it too? Only 'yes' will be accepted: ", end="")
    try:
        return input().strip() == "yes"
    except EOFError:
        return False
