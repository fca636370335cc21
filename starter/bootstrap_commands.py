"""`docustack bootstrap ENVIRONMENT`: the guide's "Bootstrap State Backend", watched step by step."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from docustack.bootstrap import (
    BootstrapEnd,
    BootstrapOutcome,
    BootstrapState,
    StepState,
    StepStatus,
    unknown_environment,
)
from docustack.configuration import Configuration
from docustack.configuration_file import CONFIGURATION_PATH, load_configuration
from starter.api_messages import BootstrapCommand, BootstrapStarted
from starter.client import ANSWER_WITHIN, Connection, is_away, with_temporal
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption, RepositoryOption
from starter.server_client import connect_server
from starter.standalone.surrounding import standalone
from starter.surroundings import repository_wanted

_EVERY = 0.5
_ENDED_WELL = (BootstrapEnd.DONE, BootstrapEnd.NOTHING_TO_DO, BootstrapEnd.DRY_RUN)
_MARKS = {
    StepStatus.RUNNING: ("…", "dim"),
    StepStatus.DONE: ("✓", "green"),
    StepStatus.FAILED: ("✗", "red"),
    StepStatus.UNDONE: ("↶", "yellow"),
}


def bootstrap(
    environment: Annotated[str, typer.Argument(help="One of `environments` in docustack.yaml, as `dev`.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and touch nothing.")] = False,
    fix_account_id: Annotated[
        bool,
        typer.Option("--fix-account-id", help="Correct `account_id` in bootstrap/terragrunt.hcl, in the pull request."),
    ] = False,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the bucket and the table of an account's Terraform state, and keep the state of both in that bucket.

    Called in a clone of the live repository, as the owner of your GitHub token, whom the environment's `apply` has to
    name. What exists and matches is adopted; called again it goes on where it stopped, or changes nothing.
    Exit codes: 0 it is done, or was before, 1 it failed or was refused (and what was undone), 2 no server or token is
    known, 3 the server or Temporal doesn't answer, 4 there is no such environment.
    """
    configuration = _configuration_here()
    rules = configuration.environments.get(environment)
    if rules is None:
        raise CommandFailed(unknown_environment(configuration.environments, environment), code=ExitCode.NOT_FOUND)
    command = BootstrapCommand(
        repository=repository_wanted(repository).full_name,
        environment=environment,
        account_id=rules.account_id,
        dry_run=dry_run,
        fix_account_id=fix_account_id,
    )
    started = connect_server().post("/bootstrap", command, BootstrapStarted)
    if started.attached and not as_json:
        errors().print(f"A bootstrap of {rules.account_id} works already; this is that one.")
    try:
        outcome = with_temporal(lambda connection: _watch(connection, started, quiet=as_json))
    except KeyboardInterrupt:
        errors().print(standalone.detached(f"docustack bootstrap {environment}"))
        raise
    _tell(outcome, as_json=as_json)
    if outcome.end not in _ENDED_WELL:
        raise typer.Exit(ExitCode.FAILED)


def _configuration_here() -> Configuration:
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / CONFIGURATION_PATH
        if path.is_file():
            return load_configuration(path.read_text(encoding="utf-8", errors="replace"), str(path))
    raise CommandFailed(
        f"There is no {CONFIGURATION_PATH} here or above.",
        "Call it in a clone of the live repository.",
        code=ExitCode.USAGE,
    )


async def _watch(connection: Connection, started: BootstrapStarted, *, quiet: bool) -> BootstrapOutcome:
    """Until it has ended; without a worker nothing is seen meanwhile, and it goes on all the same."""
    handle: WorkflowHandle[Any, Any] = connection.client.get_workflow_handle(
        started.workflow_id, run_id=started.run_id or None
    )
    url = connection.url(started.workflow_id)
    if url and not quiet:
        errors().print(url)
    shown = _Shown(quiet=quiet)
    while True:
        status = (await handle.describe()).status
        try:
            shown.show(await handle.query("show", result_type=BootstrapState, rpc_timeout=ANSWER_WITHIN))
        except RPCError as error:
            if not is_away(error):
                raise
        if status is not WorkflowExecutionStatus.RUNNING:
            break
        await asyncio.sleep(_EVERY)
    if status is not WorkflowExecutionStatus.COMPLETED:
        ended = status.name.lower() if status is not None else "over"
        raise CommandFailed(
            f"The bootstrap was {ended} by somebody, and undid nothing.", "The same command goes on from there."
        )
    return BootstrapOutcome.model_validate(await handle.result())


class _Shown:
    """One line a change."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._lines: list[StepState] = []
        self._since = time.monotonic()

    def show(self, state: BootstrapState) -> None:
        for number, step in enumerate(state.steps):
            known = self._lines[number] if number < len(self._lines) else None
            if step != known and not self._quiet:
                output().print(self._line(step))
        self._lines = list(state.steps)

    def _line(self, step: StepState) -> Text:
        mark, style = _MARKS[step.status]
        detail = f": {step.detail}" if step.detail else ""
        return Text.assemble(
            (f"[{time.monotonic() - self._since:4.0f}s] ", "dim"), (mark, style), f" {step.name}{detail}"
        )


def _tell(outcome: BootstrapOutcome, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome.model_dump(mode="json"))
        return
    if outcome.plan:
        output().print(Text(outcome.plan))
    output().print(Text(outcome.message, "green" if outcome.end in _ENDED_WELL else "red"))
