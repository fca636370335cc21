"""Asks a unit's state what the unit owns: for units that a pull request deletes."""

from activities.messages import OwnedResources
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import Unit
from docustack.state_document import owned_addresses

_LISTED = 200


async def owned_resources(command: TerragruntCommand, unit: Unit) -> OwnedResources:
    """The addresses in the state; not known where Terragrunt can't read it, which is no reason to stop anything."""
    answer = await run_process(command.pull_state(), cwd=unit.folder, environ=unit.environ)
    if answer.code != 0:
        return OwnedResources(known=False)
    try:
        addresses = owned_addresses(answer.stdout)
    except ValueError:
        return OwnedResources(known=False)
    return OwnedResources(known=True, addresses=tuple(addresses[:_LISTED]), count=len(addresses))
