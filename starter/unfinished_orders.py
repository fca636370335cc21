"""The run that a person has ordered before and that hasn't ended: standalone, the same command goes on with it."""

from docustack.orders import unsigned
from docustack.runs import RunInput
from starter.api_messages import RunCommand
from starter.client import Connection
from starter.found_runs import RunFilter
from starter.run_lines import PREFIX
from starter.run_starts import read_start


async def find_unfinished(connection: Connection, login: str, command: RunCommand) -> str | None:
    """The id of the newest run of this person for the very same order."""
    wanted = RunFilter(actor=login, repository=command.repository)
    running = f"{wanted.query()} AND ExecutionStatus = 'Running'"
    async for run in connection.client.list_workflows(running):
        start = await read_start(connection.client, run.id, run.run_id)
        if start is not None and is_of_order(start, command):
            return run.id.removeprefix(PREFIX)
    return None


def is_of_order(start: RunInput, command: RunCommand) -> bool:
    """Whoever has ordered it."""
    if start.manual is None or start.repository.full_name.lower() != command.repository.lower():
        return False
    asked = (start.operation, start.directories, unsigned(start.manual))
    return asked == (command.operation, command.paths, unsigned(command.order))
