"""Which executable of a tool a command on this machine uses."""

import os

from local.places import tool
from worker.settings import Settings, variable


def executable(name: str, settings: Settings) -> str:
    """The one that DOCUSTACK_TERRAGRUNT or DOCUSTACK_TERRAFORM names, else that of `make setup`, else that on PATH."""
    if name in ("terragrunt", "terraform") and os.environ.get(variable(name)):
        return settings.terragrunt if name == "terragrunt" else settings.terraform
    found = tool(name)
    return str(found) if found else name
