"""Asks a unit's state what the unit owns and which state it is: for units that a pull request deletes or renames."""

from activities.dependency_outputs import TerragruntFailed, UnitReader
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import Unit
from docustack.state_document import OwnedResources, owned_resources, state_location


async def look_at_state(command: TerragruntCommand, reader: UnitReader, unit: Unit) -> OwnedResources:
    """The addresses in the state; not known where Terragrunt can't read it, which is no reason to stop anything."""
    try:
        rendered = await reader.render(unit.folder, unit.environ)
    except (TerragruntFailed, TimeoutError):
        return OwnedResources(known=False)
    async with reader.preparing(unit.folder):
        answer = await run_process(command.pull_state(), cwd=unit.folder, environ=unit.environ)
    if answer.code != 0:
        return OwnedResources(known=False)
    try:
        return owned_resources(answer.stdout, state_location(rendered.remote_state))
    except ValueError:
        return OwnedResources(known=False)
