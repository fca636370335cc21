"""`docustack units orphans` and `units dismiss`: what merges have deleted and not destroyed, until it is dismissed."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from docustack.pull_request_state import PullRequestState
from docustack.repository import Repository
from starter.answers import OrphanLine
from starter.client import with_temporal
from starter.comment_commands import connect_github
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_pull_requests import read_left_behind
from starter.options import JsonOption, RepositoryOption
from starter.orphan_looks import look_again
from starter.run_display import plain_table
from starter.surroundings import repository_wanted

_ENDS_WITHIN = timedelta(minutes=2)


def orphans(
    repository: RepositoryOption = None,
    look: Annotated[
        bool, typer.Option("--look/--no-look", help="Read their states first, or list what was seen last.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """List units that were deleted and merged, and are neither destroyed there nor dismissed: nobody owns them.

    What they cost goes on. Comment `terrateam apply --destroy` in the merged pull request, or dismiss one once it is
    known what became of it. One that was destroyed by other means is found by this, and its pull request is told.
    """
    chosen = repository_wanted(repository)
    found = _read(chosen)
    looked = _look(chosen, found) if look and found else {}
    lines = orphan_lines(chosen, found | {number: state for number, state in looked.items() if state is not None})
    _say_what_has_ended(orphan_lines(chosen, found), lines)
    for number in (number for number, state in looked.items() if state is None):
        errors().print(f"#{number} has not looked in time, or is busy: what it has left is listed as it was seen last.")
    if as_json:
        print_json({"orphans": [line.model_dump(mode="json") for line in lines]})
    elif lines:
        output().print(_table(lines))
    else:
        errors().print(f"Every unit of {chosen.full_name} that was deleted is destroyed, or dismissed.")


def dismiss(
    unit: Annotated[str, typer.Argument(help="The unit's path, as `docustack units orphans` has it.")],
    repository: RepositoryOption = None,
) -> None:
    """Take a unit that nobody owns off the list: comments `terrateam dismiss UNIT` in the merged pull request, as you.

    Nothing is destroyed. Exit codes: 0 it is dismissed, 1 it isn't (and why), 2 no token of yours is known, 3 no answer
    in time, 4 there is no such unit on the list.
    """
    chosen, wanted = repository_wanted(repository), unit.strip("/")
    found = _read(chosen)
    lines = orphan_lines(chosen, found)
    line = next((line for line in lines if line.unit == wanted), None)
    if line is None:
        listed = [f"There are {', '.join(one.unit for one in lines[:10])}."] if lines else ["There is none."]
        raise CommandFailed(f"{wanted!r} is no unit owned by nobody.", *listed, code=ExitCode.NOT_FOUND)
    state, github = found[line.pull_request], connect_github()
    words, fails = f"dismiss {wanted}", f"{wanted} was not dismissed."
    address = github.carry_out(chosen, line.pull_request, state, words, within=_ENDS_WITHIN, fails=fails)
    output().print(f"{wanted} is dismissed. {address}", markup=False)


def orphan_lines(repository: Repository, found: dict[int, PullRequestState]) -> list[OrphanLine]:
    """What each merged pull request has left, by unit."""
    lines = [
        OrphanLine(
            unit=each.unit,
            repository=repository.full_name,
            pull_request=number,
            environment=each.environment,
            resources=each.owned,
            unread=each.unread,
            commit=each.commit,
            url=state.facts.url if state.facts else "",
        )
        for number, state in found.items()
        for each in state.orphans
    ]
    return sorted(lines, key=lambda line: (line.unit, line.pull_request))


def _say_what_has_ended(before: list[OrphanLine], now: list[OrphanLine]) -> None:
    left = {(line.unit, line.pull_request) for line in now}
    for line in before:
        if (line.unit, line.pull_request) not in left:
            told = f"{line.unit} is owned by nobody no longer; #{line.pull_request} says what was found."
            errors().print(told, markup=False)


def _look(repository: Repository, found: dict[int, PullRequestState]) -> dict[int, PullRequestState | None]:
    return with_temporal(lambda connection: look_again(connection, repository, found), waiting="Reading their states…")


def _read(repository: Repository) -> dict[int, PullRequestState]:
    return with_temporal(lambda connection: read_left_behind(connection, repository), waiting="Looking for them…")


def _table(lines: list[OrphanLine]) -> Table:
    table = plain_table("UNIT", "ENVIRONMENT", "RESOURCES", "MERGED BY", "LAST AT")
    for line in lines:
        owned = "unknown" if line.resources is None else f"{line.resources}{' (before)' if line.unread else ''}"
        table.add_row(line.unit, line.environment or "", owned, f"#{line.pull_request}", line.commit[:7])
    return table
