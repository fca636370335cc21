"""`docustack apply UNIT --commit SHA`: applies what a merge has left, by a command in the merged pull request."""

from datetime import timedelta
from typing import Annotated

import typer

from docustack.pull_request_state import PullRequestState
from starter.client import with_temporal
from starter.comment_commands import connect_github
from starter.console import output
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_pull_requests import read_left_behind
from starter.options import RepositoryOption
from starter.surroundings import repository_wanted

_ENDS_WITHIN = timedelta(hours=1)


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
    found = with_temporal(lambda connection: read_left_behind(connection, chosen), waiting="Looking for what is owed…")
    number = next((number for number, state in found.items() if wanted in state.owed and _is_by(state, commit)), None)
    if number is None:
        raise CommandFailed(f"No merge by {commit} owes {wanted!r}.", *_owed_lines(found), code=ExitCode.NOT_FOUND)
    state, github = found[number], connect_github()
    words, fails = f"apply {wanted}", f"{wanted} was not applied."
    address = github.carry_out(chosen, number, state, words, within=_ENDS_WITHIN, fails=fails)
    output().print(f"{wanted} is applied as {state.merge_commit[:7]} has it. {address}", markup=False)


def _is_by(state: PullRequestState, commit: str) -> bool:
    return len(commit) >= 7 and state.merge_commit.startswith(commit.lower())


def _owed_lines(found: dict[int, PullRequestState]) -> list[str]:
    owing = {number: state for number, state in found.items() if state.owed}
    if not owing:
        return ["Nothing that was merged is owed."]
    return [
        f"#{number}, merged as {state.merge_commit[:7]}, owes {', '.join(state.owed[:10])}."
        for number, state in owing.items()
    ]
