"""Has pull requests look again at what their merges have left owned by nobody, and waits for what they find."""

import asyncio
from datetime import timedelta

from temporalio.service import RPCError, RPCStatusCode

from docustack.events import pull_request_workflow_id
from docustack.pull_request_state import LookAtOrphans, PullRequestState
from docustack.repository import Repository
from starter.client import Connection
from starter.found_pull_requests import read_pull_request

_EVERY = 0.5
_WITHIN = timedelta(minutes=2)
"""A check-out, Terragrunt's graph of it, and one state a unit."""


async def look_again(
    connection: Connection, repository: Repository, found: dict[int, PullRequestState]
) -> dict[int, PullRequestState | None]:
    """What those of them know that have left something, after a look; None where none has ended in time."""

    async def look(number: int, before: PullRequestState) -> PullRequestState | None:
        try:
            async with asyncio.timeout(_WITHIN.total_seconds()):
                return await _look(connection, repository, number, before)
        except TimeoutError:
            return None

    numbers = [number for number, state in found.items() if state.orphans and state.merge_commit]
    states = await asyncio.gather(*(look(number, found[number]) for number in numbers))
    return dict(zip(numbers, states, strict=True))


async def _look(
    connection: Connection, repository: Repository, number: int, before: PullRequestState
) -> PullRequestState | None:
    handle = connection.client.get_workflow_handle(pull_request_workflow_id(repository, number))
    try:
        await handle.signal("look_at_orphans", LookAtOrphans())
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile, and knows of none any more
            raise
    while True:
        state = await read_pull_request(connection, repository, number)
        if state.looks > before.looks or not state.orphans:
            return state
        if state.active is not None and not state.active.only_looks:
            return None  # it is busy with them
        await asyncio.sleep(_EVERY)
