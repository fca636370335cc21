"""`docustack output PATH…`: what units give to others, read by the worker that may; sensitive values stay there."""

import json
import secrets
from typing import Any

import typer
from rich.text import Text
from temporalio.client import WorkflowHandle

from docustack.orders import order_problem
from docustack.runs import ManualOrder, Operation, RunResult, UnitOutcome, UnitPhase
from docustack.unit_outputs import UnitOutputs, no_outputs, outputs_text
from starter.api_messages import RunCommand
from starter.client import Connection, with_temporal
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption, RepositoryOption
from starter.order_commands import Paths, Ref, start_run
from starter.order_paths import clone_here, order_paths
from starter.run_lines import PREFIX
from starter.server_client import connect_server
from starter.standalone.surrounding import standalone
from starter.surroundings import repository_wanted


def output_(
    paths: Paths,
    ref: Ref = "",
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the outputs of units as their state has them now; changes nothing, and takes no lock.

    Who may plan a unit may read its outputs, but for those that are marked sensitive: their values never leave the
    worker.
    Exit codes: 0 all are read, 1 one isn't or you may not (and why), 2 wrong usage, 3 the server or Temporal doesn't
    answer, 4 no such unit.
    """
    chosen = order_paths(paths, clone_here(), elsewhere=bool(ref))
    order = ManualOrder(ref=ref)
    if problem := order_problem(Operation.OUTPUT, chosen, order):
        raise CommandFailed(problem, code=ExitCode.USAGE)
    command = RunCommand(
        request=secrets.token_hex(16),
        repository=repository_wanted(repository).full_name,
        operation=Operation.OUTPUT,
        paths=chosen,
        order=order,
    )
    started = start_run(connect_server(), command)

    async def end(connection: Connection) -> RunResult:
        handle: WorkflowHandle[Any, RunResult] = connection.client.get_workflow_handle(
            f"{PREFIX}{started.run_id}", result_type=RunResult
        )
        return await handle.result()

    _tell(with_temporal(end, waiting=f"Run {started.run_id} reads outputs…"), as_json=as_json)


def _tell(result: RunResult, *, as_json: bool) -> None:
    read = {one.unit: UnitOutputs.model_validate_json(one.text) for one in result.outcomes if _was_read(one)}
    if as_json:
        print_json({"units": {unit: _as_object(found) for unit, found in read.items()}})
    for unit, found in read.items():
        if not as_json:
            if len(read) > 1:
                output().print(Text(unit, "bold"))
            output().print(outputs_text(found) or Text(standalone.told(no_outputs(unit)), "dim"))
    for one in result.outcomes:
        if not _was_read(one):
            errors().print(Text.assemble(("error: ", "red"), f"{one.unit}: {standalone.told(one.message)}"))
    if not read or len(read) < len(result.outcomes):
        if result.message:
            errors().print(Text.assemble(("error: ", "red"), standalone.told(result.message)))
        raise typer.Exit(ExitCode.FAILED)


def _was_read(outcome: UnitOutcome) -> bool:
    return outcome.phase is UnitPhase.NO_CHANGES and bool(outcome.text)


def _as_object(found: UnitOutputs) -> dict[str, object]:
    return {
        each.name: {"sensitive": each.sensitive, "value": json.loads(each.value) if each.value else None}
        for each in found.outputs
    }
