"""`docustack apply UNIT --commit SHA`: applies what a merge has left, by a command in the merged pull request."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from docustack.pull_request_state import PullRequestState
from docustack.repository import Repository
from starter.client import Connection, with_temporal
from starter.comment_commands import connect_github
from starter.console import output
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_pull_requests import list_pull_requests, read_pull_request
from starter.options import RepositoryOption
from starter.surroundings import repository_wanted

_ENDS_WITHIN = timedelta(hours=1)
_LOOKED_AT = 500
"""Pull requests that may owe something: those whose workflow still lives, the newest first."""


def apply(
    unit: Annotated[str, typer.Argument(help="The unit's path, as `prod/us-east-1/vpc`.")],
    commit: Annotated[str, typer.Option("--commit", "-c", help="The merge commit that owes it, or how it begins.")],
    repository: RepositoryOption = None,
) -> None:
    """Apply a unit that was merged and not applied: comments `terrateam apply UNIT` in the merged pull request, as you.

    It is planned at the merge commit; access, approvals and order are judged as for any apply.
    Exit codes: 0 it is applied, 1 it isn't (and why), 2 no token of yours is known, 3 no end in time: it goes on, 4 no
    merge by that commit owes this unit.
    """
    chosen, wanted = repository_wanted(repository), unit.strip("/")
    found = with_temporal(lambda connection: _owing(connection, chosen), waiting="Looking for what is owed…")
    number = next((number for number, state in found.items() if wanted in state.owed and _is_by(state, commit)), None)
    if number is None:
        raise CommandFailed(f"No merge by {commit} owes {wanted!r}.", *_owed_lines(found), code=ExitCode.NOT_FOUND)
    state, github = found[number], connect_github()
    address, went_well = github.command(chosen, number, state, f"apply {wanted}", within=_ENDS_WITHIN)
    if not went_well:
        said = github.answer_after(chosen, number, state, address)
        raise CommandFailed(f"{wanted} was not applied.", *said.splitlines(), address)
    output().print(f"{wanted} is applied as {state.merge_commit[:7]} has it. {address}", markup=False)


async def _owing(connection: Connection, repository: Repository) -> dict[int, PullRequestState]:
    """The merged pull requests that owe something, by number."""
    lines = await list_pull_requests(connection, repository, everything=False, limit=_LOOKED_AT)
    owing = [line.number for line in lines if line.status == "owed"]
    states = await asyncio.gather(*(read_pull_request(connection, repository, number) for number in owing))
    return dict(zip(owing, states, strict=True))


def _is_by(state: PullRequestState, commit: str) -> bool:
    return len(commit) >= 7 and state.merge_commit.startswith(commit.lower())


def _owed_lines(found: dict[int, PullRequestState]) -> list[str]:
    if not found:
        return ["Nothing that was merged is owed."]
    return [
        f"#{number}, merged as {state.merge_commit[:7]}, owes {', '.join(state.owed[:10])}."
        for number, state in sorted(found.items())
    ]
