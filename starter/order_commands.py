"""`docustack plan|apply|destroy|refresh|import PATH…` (guide, "Manual Deployment"): runs without a pull request.

They work on the workers as every run does: by the same rules, with the same locks, on the same record.
"""

import base64
import secrets
import time
from functools import partial
from typing import Annotated

import typer

from docustack.orders import order_problem
from docustack.runs import ManualOrder, Operation, RunInput, RunStatus
from starter import owed_commands
from starter.api_messages import PersonAnswer, RunCommand, RunStarted, WorkingCopy, WorkingCopyKept
from starter.client import with_temporal
from starter.console import errors, output, print_json_line
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption, RepositoryOption
from starter.order_following import (
    OrderFollowing,
    asks_for_paths,
    asks_for_yes,
    is_terminal,
    refuse_without_terminal,
)
from starter.order_paths import clone_here, order_paths, refuse_several_units
from starter.server_client import Server, connect_server
from starter.standalone.settings import login_of_person
from starter.standalone.surrounding import standalone
from starter.surroundings import repository_wanted
from starter.unfinished_orders import find_unfinished, is_of_order
from starter.working_copy import uncommitted_changes
from starter.working_copy_endpoint import working_copy_key

_TRIES = 3
_SHOWN = 10

TARGETED = (
    "Only what --target names is planned, with what it depends on: the result may not be all that the configuration "
    "asks for. Use it to get out of trouble, not every day; then plan the whole unit."
)


Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH…", help="Units, or folders with units: from here on, or from the repository's root."),
]
Unit = Annotated[str, typer.Argument(metavar="UNIT", help="The unit's path.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", "-target", metavar="ADDRESS", help="Only this resource or module, of one unit; several."),
]
AutoApprove = Annotated[
    bool,
    typer.Option(
        "--auto-approve", "-auto-approve", help="Say yes beforehand. Approvals of others are asked for all the same."
    ),
]
Ref = Annotated[
    str,
    typer.Option(
        "--ref", metavar="REF", help="Branch, tag or commit; else the branch that is the environment's truth."
    ),
]
WorkingCopyOption = Annotated[
    bool,
    typer.Option("--working-copy", help="What lies in this clone, uncommitted changes too, on its pushed commit."),
]


def plan(
    paths: Paths,
    target: Targets = None,
    ref: Ref = "",
    working_copy: WorkingCopyOption = False,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan units, and change nothing.

    Exit codes: 0 all are planned, 1 one isn't or you may not (and why), 2 wrong usage, 3 the server or Temporal doesn't
    answer, 4 no such unit, 130 Ctrl-C: it goes on.
    """
    order = ManualOrder(ref=ref, targets=tuple(target or ()))
    patch = b""
    if working_copy:
        order, patch = _with_working_copy(order)
    _carry_out(Operation.PLAN, paths, order, repository, as_json=as_json, patch=patch)


def apply(
    paths: Paths,
    target: Targets = None,
    auto_approve: AutoApprove = False,
    ref: Ref = "",
    commit: Annotated[
        str | None,
        typer.Option("--commit", "-c", help="Apply what this merge owes, by a command in its pull request."),
    ] = None,
    working_copy: WorkingCopyOption = False,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan units, show the plans, ask for your yes, and apply them in the order of their dependencies.

    As the owner of your GitHub token, by the same rules as in a pull request; the approvals of an environment are
    waited for. With --commit: of a merged pull request, what it owes of one unit.
    Exit codes: 0 all is applied, or there was nothing to do, 1 it isn't (and why), 2 wrong usage, 3 the server or
    Temporal doesn't answer, 4 no such unit, 130 Ctrl-C: it goes on.
    """
    if commit is not None:
        if len(paths) != 1 or target or ref or auto_approve or working_copy:
            raise CommandFailed("--commit goes with one unit and nothing else.", code=ExitCode.USAGE)
        owed_commands.apply(paths[0], commit, repository)
        return
    order = ManualOrder(ref=ref, targets=tuple(target or ()), confirmed=auto_approve)
    patch = b""
    if working_copy:
        if not auto_approve:
            refuse_without_terminal(Operation.APPLY)
        order, patch = _with_working_copy(order)
    _carry_out(Operation.APPLY, paths, order, repository, as_json=as_json, patch=patch)


def destroy(
    paths: Paths,
    target: Targets = None,
    auto_approve: AutoApprove = False,
    confirm_path: Annotated[
        list[str] | None,
        typer.Option("--confirm-path", metavar="PATH", help="With --auto-approve: each path again, as in a plan."),
    ] = None,
    ref: Ref = "",
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy all that units own, dependants first; their path has to be typed again.

    What an environment asks of an apply it asks of this too: prod and management wait for a lead's approval.
    Exit codes: 0 it is destroyed, 1 it isn't (and why), 2 wrong usage, 3 the server or Temporal doesn't answer, 4 no
    such unit, 130 Ctrl-C: it goes on.
    """
    order = ManualOrder(ref=ref, targets=tuple(target or ()), confirmed=auto_approve)
    _carry_out(Operation.DESTROY, paths, order, repository, as_json=as_json, confirmed_paths=confirm_path)


def refresh(
    paths: Paths,
    auto_approve: AutoApprove = False,
    ref: Ref = "",
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what is in AWS into the state, and change nothing else: shows what has drifted, and asks for your yes.

    Exit codes: as those of apply.
    """
    _carry_out(Operation.REFRESH, paths, ManualOrder(ref=ref, confirmed=auto_approve), repository, as_json=as_json)


def import_(
    unit: Unit,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The resource in the unit's configuration.")],
    resource_id: Annotated[str, typer.Argument(metavar="ID", help="What the provider knows it by, as an ARN.")],
    auto_approve: AutoApprove = False,
    ref: Ref = "",
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take something that exists into a unit's state: shows what that would do, and asks for your yes.

    Exit codes: as those of apply.
    """
    order = ManualOrder(ref=ref, address=address, resource_id=resource_id, confirmed=auto_approve)
    _carry_out(Operation.IMPORT, [unit], order, repository, as_json=as_json)


def _carry_out(
    operation: Operation,
    typed: list[str],
    order: ManualOrder,
    repository: str | None,
    *,
    as_json: bool,
    confirmed_paths: list[str] | None = None,
    patch: bytes = b"",
) -> None:
    asks = operation is not Operation.PLAN and not order.confirmed
    if asks and as_json:
        raise CommandFailed("--json asks nobody: add --auto-approve.", code=ExitCode.USAGE)
    clone, elsewhere = clone_here(), bool(order.ref) and not order.working_copy
    paths = order_paths(typed, clone, elsewhere=elsewhere)
    if problem := order_problem(operation, paths, order):
        raise CommandFailed(problem, code=ExitCode.USAGE)
    if (order.targets or order.address) and not elsewhere:
        refuse_several_units(paths, clone, "Targets are" if order.targets else "An import is")
    if asks:
        refuse_without_terminal(operation)
    if operation is Operation.DESTROY and order.confirmed:
        _confirm_paths(paths, confirmed_paths)
    if order.targets:
        errors().print(f"warning: {TARGETED}", style="yellow")
    command = RunCommand(
        request=secrets.token_hex(16),
        repository=repository_wanted(repository).full_name,
        operation=operation,
        paths=paths,
        order=order,
    )
    standalone.take_up(lambda one: _is_this_again(one.run, command))
    server = connect_server()
    if patch:
        sent = WorkingCopy(repository=command.repository, patch=base64.b64encode(patch))
        server.post("/working-copies", sent, WorkingCopyKept)
    started = _unfinished(server, command) or start_run(server, command)
    if as_json:
        print_json_line({"kind": "started", "run_id": started.run_id, "login": started.login})
    else:
        errors().print(f"Run {started.run_id}: {operation.value} {' '.join(paths)}, by {started.login}")
    destroys = operation is Operation.DESTROY
    ask = partial(asks_for_paths, paths) if destroys else partial(asks_for_yes, operation)
    following = OrderFollowing(server, started.run_id, operation, as_json, ask if asks else None)
    if following.to_its_end().run.status != RunStatus.SUCCEEDED:
        raise typer.Exit(ExitCode.FAILED)


def _with_working_copy(order: ManualOrder) -> tuple[ManualOrder, bytes]:
    """The same order, of what lies in this clone, and what of it is not committed, to be sent along."""
    clone = clone_here()
    if order.ref or clone is None:
        wrong = (
            "--working-copy and --ref are two commits." if order.ref else "--working-copy is of a clone you stand in."
        )
        raise CommandFailed(wrong, code=ExitCode.USAGE)
    changes = uncommitted_changes(clone.root)
    if not changes.files:
        return order.model_copy(update={"ref": changes.commit}), b""
    shown = ", ".join(changes.files[:_SHOWN]) + (" …" if len(changes.files) > _SHOWN else "")
    errors().print(f"Sends {len(changes.files)} uncommitted file(s) on {changes.commit[:7]}: {shown}")
    kept = working_copy_key(changes.patch)
    return order.model_copy(update={"ref": changes.commit, "working_copy": kept}), changes.patch


def _is_this_again(run: RunInput | None, command: RunCommand) -> bool:
    if run is None or not is_of_order(run, command):
        return False
    return run.actor.lower() == login_of_person().lower()


def _unfinished(server: Server, command: RunCommand) -> RunStarted | None:
    """Standalone, what was interrupted rests, and is gone on with; elsewhere it never rested."""
    if not standalone.is_asked:
        return None
    login = server.get("/person", PersonAnswer).login
    run_id = with_temporal(lambda connection: find_unfinished(connection, login, command))
    if run_id is None:
        return None
    errors().print(f"Run {run_id} of the same order hasn't ended; this goes on with it.")
    return RunStarted(run_id=run_id, login=login)


def start_run(server: Server, command: RunCommand) -> RunStarted:
    """Sent again where the answer is lost: the same request starts one run."""
    for left in reversed(range(_TRIES)):
        try:
            return server.post("/runs", command, RunStarted)
        except CommandFailed as failed:
            if failed.code is not ExitCode.UNREACHABLE or not left:
                raise
            time.sleep(1)
    raise AssertionError


def _confirm_paths(paths: tuple[str, ...], again: list[str] | None) -> None:
    """The path is said twice, whoever says it: a script says it by --confirm-path."""
    if again is not None:
        if set(again) != set(paths):
            raise CommandFailed(f"--confirm-path has to say {' '.join(paths)} again.", code=ExitCode.USAGE)
        return
    if not is_terminal():
        told = "Without a terminal a destroy says its path twice."
        raise CommandFailed(told, *(f"--confirm-path {path}" for path in paths), code=ExitCode.USAGE)
    output().print(f"This destroys all that {' '.join(paths)} own, and shows the plans only as it goes on.")
    if not asks_for_paths(paths):
        raise CommandFailed("Nothing was started.")
