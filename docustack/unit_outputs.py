"""What a unit gives to others: its outputs, without the values that it marks as sensitive."""

import json
from collections.abc import Callable

from docustack.model import Model
from docustack.plan_document import Json

SENSITIVE = "(sensitive value)"


class UnitOutput(Model):
    """One output; `value` is JSON, and empty of a sensitive one, which never leaves the worker."""

    name: str
    sensitive: bool = False
    value: str = ""


class UnitOutputs(Model):
    """All of one unit, by name."""

    outputs: tuple[UnitOutput, ...] = ()


def read_outputs(document: Json, redacted: Callable[[Json], Json] = lambda value: value) -> UnitOutputs:
    """What `terraform output -json` prints; `redacted` takes out what a value holds in spite of not being marked.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(document, dict) or not all(isinstance(each, dict) for each in document.values()):
        raise ValueError("the outputs are no object of objects")
    found = []
    for name, output in sorted(document.items()):
        assert isinstance(output, dict)
        # What doesn't say that it is none counts as sensitive.
        sensitive = output.get("sensitive") is not False
        value = "" if sensitive else json.dumps(redacted(output.get("value")), indent=2, ensure_ascii=False)
        found.append(UnitOutput(name=name, sensitive=sensitive, value=value))
    return UnitOutputs(outputs=tuple(found))


def outputs_text(given: UnitOutputs) -> str:
    """As Terraform prints them."""
    return "\n".join(f"{each.name} = {SENSITIVE if each.sensitive else each.value}" for each in given.outputs)


def no_outputs(unit: str) -> str:
    """Its state doesn't tell whether the unit has none, or was never applied."""
    return f"`{unit}` has no outputs. If it was never applied: `docustack apply {unit}`."
