"""Follows a deployment to its end, with the units of the run that works in it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from docustack.bootstrap import BootstrapState, bootstrap_workflow_id
from docustack.deployment_texts import warned
from docustack.initial_deployment import (
    MEMO,
    DeploymentOutcome,
    DeploymentState,
    EnvironmentProgress,
    Stage,
    deployment_workflow_id,
)
from docustack.repository import Repository
from docustack.runs import RunStatus, UnitPhase
from starter.bootstrap_watching import step_line
from starter.client import ANSWER_WITHIN, Connection, failure_of, is_away
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_pull_requests import no_worker
from starter.standalone.surrounding import standalone
from starter.times import duration, now
from workflows.run_models import RunView

_EVERY = 0.5
_AWAY_AT_MOST = 120.0
_COMES_BACK_WITHIN = 12.0
"""Seconds for which Temporal may still hand questions to a worker that is gone."""

_WORKS = (Stage.BOOTSTRAPPING, Stage.DEPLOYING, Stage.ROLLING_BACK)

_Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Look:
    """A deployment at one moment; `run` or `bootstrap` is that of the environment that is worked on."""

    state: DeploymentState
    run: RunView | None = None
    bootstrap: BootstrapState | None = None  # of the environment that is bootstrapped
    over: bool = False

    @property
    def at_work(self) -> EnvironmentProgress | None:
        return next((one for one in self.state.environments if one.stage in _WORKS), None)

    def of(self, environment: EnvironmentProgress) -> dict[str, UnitPhase]:
        """Its units as far as they are known, as they are at this moment."""
        works = self.run is not None and environment is self.at_work
        return environment.units | (self.run.units if self.run is not None and works else {})

    @property
    def waits_for(self) -> str:
        """What the run says of it: whose approval is missing, or who holds its units."""
        run = self.run
        waits = run is not None and run.status in (RunStatus.WAITING, RunStatus.IN_LINE)
        return " ".join(run.message.split()) if run is not None and waits else ""

    @property
    def waits_for_approval(self) -> str:
        """The run that asks for it."""
        waits = self.run is not None and self.run.status is RunStatus.WAITING
        return self.run.input.run_id if self.run is not None and waits else ""


async def look_at(connection: Connection, repository: Repository, run_id: str = "") -> Look:
    """The deployment that works, or the last one.

    Raises:
        CommandFailed: NOT_FOUND, there was none.
    """
    workflow_id = deployment_workflow_id(repository)
    handle: _Handle = connection.client.get_workflow_handle(workflow_id, run_id=run_id or None)
    try:
        return await _look(connection, handle)
    except RPCError as error:
        if _is_none(error):
            raise _no_deployment(repository) from None
        raise


def _is_none(error: RPCError) -> bool:
    return error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message


def _no_deployment(repository: Repository) -> CommandFailed:
    return CommandFailed(
        f"There is no deployment of {repository.full_name}.",
        f"{standalone.typed} deploy initial begins one.",
        code=ExitCode.NOT_FOUND,
    )


async def read_memory(connection: Connection, repository: Repository) -> tuple[str, DeploymentOutcome | None]:
    """What Temporal alone knows of it: a line an environment, and how it ended, if it has.

    Raises:
        CommandFailed: NOT_FOUND, there was none.
    """
    handle: _Handle = connection.client.get_workflow_handle(deployment_workflow_id(repository))
    try:
        described = await handle.describe()
    except RPCError as error:
        if _is_none(error):
            raise _no_deployment(repository) from None
        raise
    overview: str = await described.memo_value(MEMO, "")
    if described.status is not WorkflowExecutionStatus.COMPLETED:
        return overview, None
    return overview, DeploymentOutcome.model_validate(await handle.result())


async def look_once(connection: Connection, repository: Repository) -> Look:
    """`look_at` for who wants one answer: a worker that has just come back hears the question some seconds later.

    Raises:
        CommandFailed: as `look_at`; UNREACHABLE, Temporal is there and no worker answers.
    """
    until = time.monotonic() + _COMES_BACK_WITHIN
    while True:
        try:
            return await look_at(connection, repository)
        except RPCError as error:
            if not is_away(error) or standalone.has_no_worker() is not None:
                raise
            if time.monotonic() > until:
                # Raises, as Temporal's failure, where it is Temporal itself that is away.
                await connection.client.get_workflow_handle(deployment_workflow_id(repository)).describe()
                raise no_worker(f"the deployment of {repository.full_name}") from None


async def follow(connection: Connection, repository: Repository, run_id: str = "") -> AsyncIterator[Look]:
    """Until it has ended; a worker that is away for a while is waited for.

    Raises:
        CommandFailed: UNREACHABLE, nothing answers any more.
    """
    away_since: float | None = None
    while True:
        try:
            look = await look_at(connection, repository, run_id)
        except RPCError as error:
            if not is_away(error):
                raise
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > _AWAY_AT_MOST:
                raise failure_of(error, connection.settings) from error
        else:
            away_since = None
            yield look
            if look.over:
                await standalone.until_closed(
                    connection.client.get_workflow_handle(deployment_workflow_id(repository), run_id=run_id or None)
                )
                return
        await asyncio.sleep(_EVERY)


async def _look(connection: Connection, handle: _Handle) -> Look:
    status = (await handle.describe()).status
    state: DeploymentState = await handle.query("show", result_type=DeploymentState, rpc_timeout=ANSWER_WITHIN)
    look = Look(state, over=state.outcome is not None or status is not WorkflowExecutionStatus.RUNNING)
    environment = look.at_work
    if look.over or environment is None:
        return look
    if environment.stage is Stage.BOOTSTRAPPING:
        return Look(state, bootstrap=await _bootstrap_of(connection, environment))
    if not environment.run_id:
        return look
    run: _Handle = connection.client.get_workflow_handle(f"run:{environment.run_id}")
    try:
        view: RunView = await run.query("show", result_type=RunView, rpc_timeout=ANSWER_WITHIN)
    except (RPCError, WorkflowQueryFailedError):
        return look  # it begins, or has just ended: the deployment itself is what is looked at
    return Look(state, view)


async def _bootstrap_of(connection: Connection, environment: EnvironmentProgress) -> BootstrapState | None:
    """None where it has not begun yet, or where its worker is away."""
    handle: _Handle = connection.client.get_workflow_handle(bootstrap_workflow_id(environment.account_id))
    try:
        state: BootstrapState = await handle.query("show", result_type=BootstrapState, rpc_timeout=ANSWER_WITHIN)
    except (RPCError, WorkflowQueryFailedError):
        return None
    return state


class Changes:
    """What is different from look to look, a line each."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def since_last(self, look: Look) -> list[str]:
        lines = [self._changed(f"warning {warning}", warned(warning)) for warning in look.state.warnings]
        for one in look.state.environments:
            units = [self._changed(f"unit {unit}", f"  {unit} {phase.value}") for unit, phase in look.of(one).items()]
            stage = self._changed(f"environment {one.name}", _stage_line(one))
            units += self._steps(look, one)
            # An environment begins before its units do, and ends after them.
            lines += [stage, *units] if one is look.at_work else [*units, stage]
        asks = (
            f"  run {look.waits_for_approval} waits for approval: {standalone.typed} approve {look.waits_for_approval}"
        )
        lines.append(self._changed("waits", f"  {look.waits_for}" if look.waits_for else ""))
        lines.append(self._changed("approval", asks if look.waits_for_approval else ""))
        lines.append(self._changed("doing", look.state.doing if not look.state.environments else ""))
        lines += [
            self._changed(f"decision {number}", f"{given.kind} by {given.login or 'nobody named'}: {given.told}")
            for number, given in enumerate(look.state.decisions)
        ]
        return [line for line in lines if line]

    def _steps(self, look: Look, environment: EnvironmentProgress) -> list[str]:
        """Of its bootstrap; one that has ended before any of its steps was seen at work is an earlier one."""
        if look.bootstrap is None or environment is not look.at_work:
            return []
        if look.bootstrap.outcome is not None and f"step {environment.name} 0" not in self._seen:
            return []
        return [
            self._changed(f"step {environment.name} {number}", f"  {step_line(step).plain}")
            for number, step in enumerate(look.bootstrap.steps)
        ]

    def _changed(self, what: str, line: str) -> str:
        if self._seen.get(what, "") == line:
            return ""
        self._seen[what] = line
        return line


def _stage_line(environment: EnvironmentProgress) -> str:
    if environment.stage is Stage.WAITING:
        return ""
    runs = environment.run_id and environment.stage in (Stage.DEPLOYING, Stage.ROLLING_BACK)
    run = f", run {environment.run_id}" if runs else ""
    return f"{environment.name}: {environment.stage.value}{run}{estimate(environment)}"


def estimate(environment: EnvironmentProgress) -> str:
    """How long it will take, while it does."""
    if environment.stage is not Stage.DEPLOYING or environment.expected_seconds is None:
        return ""
    return f" (about {duration(environment.expected_seconds)}, by earlier runs)"


def elapsed(environment: EnvironmentProgress) -> str:
    if environment.began_at is None:
        return ""
    return duration(((environment.ended_at or now()) - environment.began_at).total_seconds())
