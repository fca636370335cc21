"""`docustack bootstrap ENVIRONMENT`: the guide's "Bootstrap State Backend", watched step by step."""

from pathlib import Path
from typing import Annotated

import typer

from docustack.bootstrap import bootstrap_workflow_id, unknown_environment
from docustack.configuration import Configuration
from docustack.configuration_file import CONFIGURATION_PATH, load_configuration
from starter.api_messages import BootstrapCommand, WorkflowStarted
from starter.bootstrap_watching import ENDED_WELL, follow_bootstrap
from starter.console import errors
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption, RepositoryOption
from starter.server_client import connect_server
from starter.standalone.surrounding import standalone
from starter.surroundings import repository_wanted


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
    workflow_id = bootstrap_workflow_id(rules.account_id)
    standalone.take_up(lambda one: one.workflow_id == workflow_id and not one.part_of)
    started = connect_server().post("/bootstrap", command, WorkflowStarted)
    if started.attached and not as_json:
        errors().print(f"A bootstrap of {rules.account_id} works already; this is that one.")
    outcome = follow_bootstrap(started.workflow_id, started.run_id, as_json=as_json)
    if outcome.end not in ENDED_WELL:
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
