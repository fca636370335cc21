"""The run that a person has ordered before and that hasn't ended: standalone, the same command goes on with it."""

from docustack.orders import unsigned
from starter.api_messages import RunCommand
from starter.client import Connection
from starter.found_runs import RunFilter, read_start
from starter.run_lines import PREFIX


async def find_unfinished(connection: Connection, login: str, command: RunCommand) -> str | None:
    """The id of the newest run of this person for the very same order."""
    wanted = RunFilter(actor=login, repository=command.repository)
    running = f"{wanted.query()} AND ExecutionStatus = 'Running'"
    async for run in connection.client.list_workflows(running):
        start = await read_start(connection, run.id, run.run_id)
        if start is None or start.manual is None:
            continue
        asked = (start.operation, start.directories, unsigned(start.manual))
        if asked == (command.operation, command.paths, unsigned(command.order)):
            return run.id.removeprefix(PREFIX)
    return None
