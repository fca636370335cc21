"""`docustack approve`, `reject` and `runs cancel`: what a run is told to its face, with its answer."""

import sys
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from docustack.runs import RunStatus
from starter.api_messages import ApproveOrder, CancelOrder, DecisionAnswer, RejectOrder, RunToApprove
from starter.bootstrap_watching import PREFIX, follow_bootstrap, watch_bootstrap
from starter.client import with_temporal
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption, WaitOption
from starter.plan_colours import coloured
from starter.run_display import plain_table, status_text
from starter.run_following import await_run, follow_run
from starter.server_client import Server, ServerRefused, connect_server
from starter.standalone.resting import of_run
from starter.standalone.surrounding import standalone

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its first characters.")]


def approve(
    run_id: RunId,
    plans: Annotated[
        str | None,
        typer.Option("--plans", metavar="DIGEST", help="Only if these are the plans: `runs show --json` tells them."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask, though somebody sits at the terminal.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Approve the plans that a run waits with, as the owner of your GitHub token.

    Exit codes: 0 it counts, 1 it doesn't (and why), 2 no server or token is known, 3 the server or a worker doesn't
    answer, 4 there is no such run.
    """
    standalone.take_up(of_run(run_id))
    server = connect_server()

    def decide() -> DecisionAnswer:
        run = server.get(_path(run_id), RunToApprove)
        if plans is not None and plans != run.plans:
            raise CommandFailed(f"The run shows other plans by now: {run.plans}.", "Look at them first.")
        if not as_json:
            errors().print(_title(run), _units(run))
            if run.pull_request is None:  # nowhere else can they be read
                _show_plans(server, run)
            if run.status == RunStatus.WAITING and not yes and sys.stdin.isatty() and sys.stdout.isatty():
                typer.confirm("Approve this?", abort=True, err=True)
        order = ApproveOrder(commit=run.commit, plans=run.plans)
        return server.post(f"{_path(run.run_id)}/approve", order, DecisionAnswer)

    _tell(decide, as_json=as_json)


def reject(
    run_id: RunId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is told in the pull request.")],
    as_json: JsonOption = False,
) -> None:
    """Reject what a run waits with: it ends, and applies nothing more.

    Exit codes: 0 it ends, 1 your no doesn't count (and why), 2 no server or token is known, 3 the server or a worker
    doesn't answer, 4 there is no such run.
    """
    if not reason.strip():
        raise CommandFailed("A rejection says why.", "--reason 'it drops the database'", code=ExitCode.USAGE)
    order = RejectOrder(reason=reason.strip()[:1_000])
    standalone.take_up(of_run(run_id))
    server = connect_server()
    _tell(lambda: server.post(f"{_path(run_id)}/reject", order, DecisionAnswer), as_json=as_json)


def cancel(
    run_id: RunId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is on record.")] = "",
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel a run: nothing more is begun, and Terraform finishes what it has in hand and writes its state.

    Whose run it is may do that, and who may apply in its environments. It answers at once; with --wait, and always
    with --standalone, it stays until the run has ended: there nobody else would interrupt Terraform. A bootstrap, by
    its workflow id (`bootstrap:111111111111`), undoes what it has made before the migration: that is watched, and told.
    Exit codes: 0 it ends, 1 you may not, it has ended, or it ended otherwise while it was waited for, 2 no server or
    token is known, 3 the server or a worker doesn't answer, 4 there is no such run, 130 Ctrl-C: it ends by itself.
    """
    standalone.take_up(of_run(run_id))
    server, order = connect_server(), CancelOrder(reason=reason.strip()[:1_000])
    stays = wait or standalone.is_asked
    if run_id.startswith(PREFIX):
        account_id = quote(run_id.removeprefix(PREFIX), safe="")
        path = f"/bootstrap/{account_id}/cancel"
        answer = _answer(lambda: server.post(path, order, DecisionAnswer), as_json=as_json)
        _stay_for_bootstrap(run_id, answer, stays=stays, as_json=as_json)
        return
    answer = _answer(lambda: server.post(f"{_path(run_id)}/cancel", order, DecisionAnswer), as_json=as_json)
    if not (stays and as_json):
        _tell_answer(answer, as_json=as_json)
    if not stays:
        return
    try:
        follow = await_run if as_json else follow_run
        detail = with_temporal(lambda connection: follow(connection, answer.run_id))
    except KeyboardInterrupt:
        errors().print(standalone.ends_without_us(f"runs cancel {answer.run_id}", f"runs watch {answer.run_id}"))
        raise
    if as_json:
        _tell_answer(answer, as_json=True, status=detail.run.status)
    if detail.run.status != RunStatus.CANCELLED:
        raise typer.Exit(ExitCode.FAILED)


def _stay_for_bootstrap(workflow_id: str, answer: DecisionAnswer, *, stays: bool, as_json: bool) -> None:
    """What is undone is worth to be seen; who wants JSON gets one document."""
    if not as_json:
        _tell_answer(answer, as_json=False)
        follow_bootstrap(workflow_id)
    elif stays:
        outcome = with_temporal(lambda connection: watch_bootstrap(connection, workflow_id, quiet=True))
        _tell_answer(answer, as_json=True, status=outcome.end.value)
    else:
        _tell_answer(answer, as_json=True)


def _tell(decide: Callable[[], DecisionAnswer], *, as_json: bool) -> None:
    answer = _answer(decide, as_json=as_json)
    _tell_answer(answer, as_json=as_json)
    standalone.leaves(f"Run {answer.run_id}", f"runs watch {answer.run_id}")


def _answer(decide: Callable[[], DecisionAnswer], *, as_json: bool) -> DecisionAnswer:
    """A no of the run's is an answer too, though the exit code says that it is a no."""
    try:
        return decide()
    except ServerRefused as refused:
        if not as_json or not refused.refusal:
            raise
        told = {"accepted": False, "refusal": refused.refusal, "message": refused.message}
        print_json(told | {"what_to_do": " ".join(refused.advice)})
        raise typer.Exit(refused.code) from None


def _tell_answer(answer: DecisionAnswer, *, as_json: bool, **more: str) -> None:
    if as_json:
        print_json(answer.model_dump(mode="json") | {"refusal": "", **more})
    else:
        output().print(Text(answer.message, "green"))


def _path(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"


def _title(run: RunToApprove) -> Text:
    of = run.repository if run.pull_request is None else f"{run.repository}#{run.pull_request}"
    what = f"{run.operation.value} {run.run_id} of {of}, by {run.actor}, "
    return Text.assemble((what, "bold"), f"commit {run.commit[:7]}, ", status_text(run.status))


def _show_plans(server: Server, run: RunToApprove) -> None:
    for unit in run.units:
        text = server.text(unit.text) if unit.text else None
        if text is None:
            raise CommandFailed(
                f"The plan of {unit.unit} can't be read from the server, and nobody approves what nobody can read.",
                "Try again.",
                code=ExitCode.UNREACHABLE,
            )
        errors().print(Text.assemble("\n", (unit.unit, "bold")))
        errors().print(coloured(text))


def _units(run: RunToApprove) -> Table:
    table = plain_table("UNIT", "PLAN")
    for unit in run.units:
        changes = f"+{unit.summary.add} ~{unit.summary.change} -{unit.summary.destroy}"
        table.add_row(unit.unit, changes + (" (preview)" if unit.preview else ""))
    return table
