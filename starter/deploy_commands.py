"""`docustack deploy`: the guide's "Initial Deployment", watched, and what people decide where it has stopped."""

import sys
import time
from collections.abc import Collection
from typing import Annotated

import typer
from rich.text import Text

from docustack.deployment_decisions import DecisionKind, Question
from docustack.initial_deployment import (
    DeploymentEnd,
    DeploymentOrder,
    DeploymentState,
    NoSuchDeployment,
    NoSuchEnvironment,
    chosen_environments,
    deployment_workflow_id,
)
from docustack.repository import Repository
from starter.api_messages import DecisionAnswer, DeploymentCommand, DeploymentDecision, WorkflowStarted
from starter.client import Connection, with_temporal
from starter.console import errors, output, print_json
from starter.deployment_display import deployment_page, question_text
from starter.deployment_document import deployment_document
from starter.deployment_watching import Changes, Look, follow, look_once, read_memory
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption, RepositoryOption, WaitOption
from starter.order_paths import clone_here
from starter.server_client import connect_server
from starter.standalone.resting import of_workflow
from starter.standalone.surrounding import standalone
from starter.surroundings import repository_wanted

app = typer.Typer(
    name="deploy", help="Deploy environments whole, in the order of the guide, and decide where one stops.",
    no_args_is_help=True,
)  # fmt: skip

_ENDED_WELL = (DeploymentEnd.DONE, DeploymentEnd.NOTHING_TO_DO)

DetachOption = Annotated[bool, typer.Option("--detach", "-d", help="Begin it, and don't watch.")]
AGAIN = "deploy watch"
_RESTS = f"It has not ended, and rests: docustack --standalone {AGAIN} goes on with it."


@app.command()
def initial(
    until: Annotated[str, typer.Option("--until", help="The last environment, as `dev`.")] = "",
    first: Annotated[str, typer.Option("--from", help="The first environment, as `staging`.")] = "",
    only: Annotated[str, typer.Option("--environment", "-e", help="This environment alone.")] = "",
    detach: DetachOption = False,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bootstrap each account that isn't, then deploy management, dev, staging and prod, one after the other.

    As the owner of your GitHub token, whom the `apply` of each environment has to name. Every environment asks for its
    own approvals (`docustack approve`). Where one fails it waits for a decision. Called again it goes on: what is
    applied has no changes.
    Exit codes: 0 all is deployed, 1 it ended otherwise, 2 no server or token is known, 3 the server or Temporal
    doesn't answer, 4 there is no such environment, 130 Ctrl-C: it goes on.
    """
    if only and (first or until):
        raise CommandFailed(
            "--environment is one environment alone: --from and --until say where several begin and end.",
            "Leave out the one or the other.",
            code=ExitCode.USAGE,
        )
    _begin(
        DeploymentCommand(repository=_name(repository), only=only, first=first, last=until),
        detach=detach,
        as_json=as_json,
    )


@app.command()
def environment(
    name: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="One of `environments` in docustack.yaml.")],
    detach: DetachOption = False,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Apply all units of one environment, by their dependencies: the guide's "all at once".

    Its bucket and lock table have to be there. Exit codes as of `docustack deploy initial`.
    """
    command = DeploymentCommand(repository=_name(repository), only=name, bootstrap=False)
    _begin(command, detach=detach, as_json=as_json)


@app.command()
def show(repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """Show how far the deployment is that works, or how the last one ended."""
    wanted = repository_wanted(repository)
    standalone.surround()
    if not as_json and standalone.has_no_worker() is not None:
        overview, outcome = with_temporal(lambda connection: read_memory(connection, wanted))
        output().print(
            Text(overview), Text(standalone.told(outcome.message) if outcome else _RESTS), sep="\n", soft_wrap=True
        )
        return
    look = _look(wanted)
    if as_json:
        print_json(deployment_document(look.state))
    else:
        output().print(deployment_page(look))
        if look.state.outcome is not None:
            # Not broken into lines here: there are commands in it, which are copied.
            output().print(Text(standalone.told(look.state.outcome.message)), soft_wrap=True)


@app.command()
def watch(repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """Follow the deployment that works to its end. Ctrl-C stops watching, never the deployment."""
    wanted = repository_wanted(repository)
    _take_up(wanted)  # what is watched has to go on
    _watch(wanted, "", as_json=as_json)


@app.command()
def retry(
    latest: Annotated[
        bool, typer.Option("--latest", help="Go on with the commits that the environments' branches have now.")
    ] = False,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where it has stopped: apply once more what failed and what has not begun."""
    _decide(repository, DecisionKind.RETRY, latest=latest, as_json=as_json)


@app.command()
def skip(
    unit: Annotated[str, typer.Argument(help="By its path, as `dev/us-east-1/rds`.")],
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where it has stopped: leave a unit out, and all that depend on it, and go on."""
    _decide(repository, DecisionKind.SKIP, unit=unit.strip("/"), as_json=as_json)


@app.command("roll-back")
def roll_back(
    name: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT", help="The environment's name; asked for where it isn't given.")
    ] = "",
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where it has stopped: destroy what this deployment has made in that environment, dependants first.

    Only units whose state held nothing before; what was there stays.
    """
    _decide(repository, DecisionKind.ROLL_BACK, typed=name, as_json=as_json)


@app.command()
def stop(repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """Where it has stopped: end the deployment; what is done stays."""
    _decide(repository, DecisionKind.STOP, as_json=as_json)


@app.command()
def cancel(wait: WaitOption = False, repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """Cancel it, whatever it does: Terraform finishes the resource in hand and writes its state; what is done stays.

    It answers at once; with --wait, and always with --standalone, it stays until the deployment has ended.
    """
    wanted = repository_wanted(repository)
    _take_up(wanted)
    given = DeploymentDecision(repository=wanted.full_name, kind=DecisionKind.CANCEL, question=0)
    stays = wait or standalone.is_asked
    _answered(given, as_json=as_json, quiet=stays and as_json)
    if not stays:
        return
    state = _follow(wanted, "", as_json=as_json, left=standalone.ends_without_us("deploy cancel", "deploy watch"))
    _tell(state, as_json=as_json, well=(DeploymentEnd.CANCELLED,))


def _take_up(repository: Repository) -> None:
    standalone.take_up(of_workflow(deployment_workflow_id(repository)))
    standalone.surround(engine=True)


# ---- to begin and to watch -------------------------------------------------------------------------------------------


def _name(repository: str | None) -> str:
    return repository_wanted(repository).full_name


def _begin(command: DeploymentCommand, *, detach: bool, as_json: bool) -> None:
    if detach:
        standalone.refuse_detaching()
    _refuse_unknown(command)
    standalone.take_up(lambda one: one.deployment is not None and _is_the_same(one.deployment, command))
    started = connect_server().post("/deployments", command, WorkflowStarted)
    if started.attached:
        _refuse_another(command)
    if started.attached and not as_json:
        errors().print(f"A deployment of {command.repository} works already, and no other was begun; this is that one.")
    if detach:
        if as_json:
            print_json(started.model_dump(mode="json"))
        else:
            output().print(f"{started.workflow_id} goes on. To watch it: docustack {AGAIN}")
        return
    owner, _, name = command.repository.partition("/")
    _watch(Repository(owner=owner, name=name), started.run_id, as_json=as_json)


def _refuse_unknown(command: DeploymentCommand) -> None:
    """In a clone of the repository it can be told at once; elsewhere the workflow refuses it by the same words.

    Raises:
        CommandFailed: NOT_FOUND, an environment that there is not; USAGE, the last comes before the first.
    """
    clone = clone_here()
    if clone is None or (clone.configuration.repository or command.repository).lower() != command.repository.lower():
        return
    try:
        chosen_environments(clone.configuration, only=command.only, first=command.first, last=command.last)
    except NoSuchDeployment as error:
        code = ExitCode.NOT_FOUND if isinstance(error, NoSuchEnvironment) else ExitCode.USAGE
        raise CommandFailed(str(error), code=code) from None


def _refuse_another(command: DeploymentCommand) -> None:
    """The deployment that works is of something else than what was ordered now, whose end would not be this one's."""
    owner, _, name = command.repository.partition("/")
    works = _look(Repository(owner=owner, name=name)).state.order
    if _is_the_same(works, command):
        return
    bounds = [works.only, works.first and f"from {works.first}", works.last and f"until {works.last}"]
    what = " ".join(filter(None, bounds)) or "all environments"
    raise CommandFailed(
        f"Another deployment works already, of {what}, by {works.login}; nothing was begun.",
        f"{standalone.typed} {AGAIN} shows it. Order this one again once it has ended.",
    )


def _is_the_same(order: DeploymentOrder, command: DeploymentCommand) -> bool:
    """Whoever has ordered it."""
    of_one = order.repository.full_name.lower() == command.repository.lower()
    return of_one and (order.only, order.first, order.last) == (command.only, command.first, command.last)


def _watch(repository: Repository, run_id: str, *, as_json: bool) -> None:
    _tell(_follow(repository, run_id, as_json=as_json, left=standalone.detached(AGAIN)), as_json=as_json)


def _follow(repository: Repository, run_id: str, *, as_json: bool, left: str) -> DeploymentState:
    """Show each change as a line; `left` is what a person is told who doesn't stay for the end."""

    async def until_its_end(connection: Connection) -> DeploymentState:
        began, changes, asked = time.monotonic(), Changes(), 0
        last: Look | None = None
        async for last in follow(connection, repository, run_id):
            if as_json:
                continue
            for line in changes.since_last(last):
                output().print(Text.assemble((f"[{time.monotonic() - began:4.0f}s] ", "dim"), line))
            if (question := last.state.question) is not None and question.number != asked:
                asked = question.number
                output().print(question_text(question))
        assert last is not None
        return last.state

    try:
        return with_temporal(until_its_end)
    except KeyboardInterrupt:
        errors().print(left)
        raise


def _tell(state: DeploymentState, *, as_json: bool, well: Collection[DeploymentEnd] = _ENDED_WELL) -> None:
    if as_json:
        print_json(deployment_document(state))
    if state.outcome is None:
        raise CommandFailed(
            "The deployment was ended from outside; runs that it began go on by themselves.",
            "docustack runs list shows them. The same command goes on from there.",
        )
    is_well = state.outcome.end in well
    if not as_json:
        output().print(Text(standalone.told(state.outcome.message), "green" if is_well else "red"), soft_wrap=True)
    if not is_well:
        raise typer.Exit(ExitCode.NOT_FOUND if state.outcome.unknown_environment else ExitCode.FAILED)


# ---- to decide -------------------------------------------------------------------------------------------------------


def _decide(
    repository: str | None,
    kind: DecisionKind,
    *,
    unit: str = "",
    typed: str = "",
    latest: bool = False,
    as_json: bool,
) -> None:
    """Answer what it asks now, as the owner of the GitHub token."""
    wanted = repository_wanted(repository)
    _take_up(wanted)
    question = _look(wanted).state.question
    if question is None:
        raise CommandFailed("The deployment waits for no decision at this moment.", "docustack deploy show")
    if kind is DecisionKind.ROLL_BACK and not typed and question.made:
        typed = _typed_name(question)
    given = DeploymentDecision(
        repository=wanted.full_name,
        kind=kind,
        question=question.number,
        unit=unit,
        environment=typed,
        latest=latest,
    )
    _answered(given, as_json=as_json)
    standalone.leaves("The deployment", AGAIN)


def _answered(given: DeploymentDecision, *, as_json: bool, quiet: bool = False) -> None:
    answer = connect_server().post("/deployments/decision", given, DecisionAnswer)
    if quiet:
        return
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        output().print(Text(standalone.told(answer.message), "green"))


def _typed_name(question: Question) -> str:
    """From a person who has read what will be destroyed."""
    if not sys.stdin.isatty():
        raise CommandFailed(
            f"A rollback destroys {len(question.made)} units of {question.environment}: {', '.join(question.made)}.",
            f"Name it: docustack deploy roll-back {question.environment}",
            code=ExitCode.USAGE,
        )
    errors().print(f"This will be destroyed in {question.environment}:", *question.made, sep="\n  ")
    typed: str = typer.prompt("Type the environment's name to go on", default="", show_default=False, err=True)
    return typed.strip()


# ---- to show ---------------------------------------------------------------------------------------------------------


def _look(repository: Repository) -> Look:
    return with_temporal(lambda connection: look_once(connection, repository), waiting="Asking the worker…")
