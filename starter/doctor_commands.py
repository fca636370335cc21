"""`docustack doctor`: whether all that a deployment needs is there, on one screen."""

import asyncio
import difflib
from pathlib import Path
from typing import Annotated

import typer

from docustack.configuration import Configuration
from docustack.prerequisites import Prerequisites
from starter.console import errors, output, print_json
from starter.doctor_display import show_checks
from starter.doctor_surroundings import look_around
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption


def doctor(
    path: Annotated[
        Path | None, typer.Argument(help="A live repository; else this folder, or the local world.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", metavar="NAME", help="Only what this one needs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check all that a deployment needs (guide, "Prerequisites"), and say for each what mends it.

    Tools, AWS (profile, session, account, state bucket, lock table), GitHub (access, teams, webhook), Slack, Temporal
    and its workers. Nothing is changed. Exit codes: 0 all that is needed is there, 1 something is not.
    """
    around = look_around(path)
    environments = _chosen(around.rules, environment)
    with errors().status("Asking tools, AWS, GitHub, Slack and Temporal…"):
        # Here, because the clients of GitHub, Slack and AWS take a while to load, which no other command needs.
        from starter.doctor_checks import check_all  # noqa: PLC0415

        made = Prerequisites(checks=tuple(asyncio.run(check_all(around, environments))))
    if as_json:
        print_json({"ok": made.are_met, "checks": [check.model_dump(mode="json") for check in made.checks]})
    else:
        show_checks(output(), made)
    if not made.are_met:
        raise typer.Exit(ExitCode.FAILED)


def _chosen(rules: Configuration | None, environment: str | None) -> list[str]:
    known = list(rules.environments) if rules else []
    if environment is None:
        return known
    if rules is not None and environment not in known:
        near = difflib.get_close_matches(environment, known, n=1)
        meant = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
        raise CommandFailed(f"There is no environment {environment!r}.", meant, code=ExitCode.USAGE)
    return [environment] if rules is not None else []
