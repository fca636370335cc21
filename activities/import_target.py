"""The resource that an import is of: the block that names it, and what to say where the unit has no such one."""

import json
from collections.abc import Iterator
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.unit_work import Unit, unit_failure
from docustack.errors import ErrorType
from docustack.import_block import FILE, declared_resources, import_block, no_object, no_target

_MODULES = Path(".terraform/modules/modules.json")


def write_import(unit: Unit) -> None:
    """An import is planned like any other change, by a block in the run's own work tree; blocking."""
    shape = unit.request.shape
    if not shape.address:
        return
    try:
        block = import_block(shape.address, shape.resource_id)
    except ValueError as error:
        raise unit_failure(ErrorType.INVALID_INPUT, str(error)) from None
    (unit.folder / FILE).write_text(block, encoding="utf-8")


def import_failure(unit: Unit, output: str) -> ApplicationError | None:
    """What failed, where the configuration lacks the address, or the provider the id; blocking, reads its sources."""
    name, address, resource_id = unit.request.unit, unit.request.shape.address, unit.request.shape.resource_id
    if not address:
        return None
    folder = next(iter(unit.prepared()), unit.folder)
    told = no_object(name, address, resource_id, output) or no_target(name, address, output, sorted(_known(folder)))
    return unit_failure(ErrorType.INVALID_INPUT, told) if told else None


def _known(folder: Path) -> Iterator[str]:
    """The addresses of all resources that the unit's modules declare, without keys."""
    for prefix, module in _modules(folder):
        for path in sorted(module.glob("*.tf")):
            if path.name != FILE:
                text = path.read_text(encoding="utf-8", errors="replace")
                yield from (f"{prefix}{address}" for address in declared_resources(text))


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each with what its addresses begin with; Terraform has written down where it found those that are called."""
    yield "", folder
    try:
        found = json.loads((folder / _MODULES).read_text(encoding="utf-8"))["Modules"]
    except (OSError, ValueError, KeyError):
        return
    for each in found:
        if each["Key"]:
            yield "".join(f"module.{name}." for name in each["Key"].split(".")), folder / each["Dir"]
