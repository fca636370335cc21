"""Which values Terraform itself marks as sensitive in a plan's or a state's JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from docustack.plan_document import Json

Secret = str | int | float

MASK = "(sensitive value)"

_MARKED_PAIRS = (
    ("before", "before_sensitive"),
    ("after", "after_sensitive"),
    ("values", "sensitive_values"),
)


def sensitive_values(document: Json) -> set[Secret]:
    """Every value at a place that is marked as sensitive, of a plan (`show -json PLAN`) or a state (`show -json`)."""
    found = set(_marked(document))
    if isinstance(document, dict):
        found |= set(_sensitive_variables(document))
    return found


def mask_document(document: Json) -> Json:
    """The same document with every marked place masked; the values elsewhere are for the redactor to find."""
    if isinstance(document, list):
        return [mask_document(each) for each in document]
    if not isinstance(document, dict):
        return document
    masked = {key: mask_document(value) for key, value in document.items()}
    for values, marks in _MARKED_PAIRS:
        if values in masked and marks in masked:
            masked[values] = _mask(masked[values], masked[marks])
    if masked.get("sensitive") is True:
        for name in ("value", "default"):
            if name in masked:
                masked[name] = MASK
    return masked


def still_unknown(document: dict[str, Json]) -> bool:
    """Will the apply of this plan make sensitive values that nobody knows yet, such as a generated password?"""
    entries = document.get("resource_changes")
    resource_changes = (
        [each.get("change") for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    )
    outputs = document.get("output_changes")
    output_changes = list(outputs.values()) if isinstance(outputs, dict) else []
    return any(
        _overlap(change.get("after_unknown"), change.get("after_sensitive"))
        for change in [*resource_changes, *output_changes]
        if isinstance(change, dict)
    )


@dataclass(frozen=True)
class Marked:
    """What Terraform marks as sensitive in one plan; kept beside it, sealed as it is."""

    values: frozenset[Secret]
    more_to_come: bool  # sensitive values that nobody knows before the apply
    plain_outputs: frozenset[str] | None = None  # names of all that will not be sensitive; None: not on record

    @classmethod
    def in_plan(cls, document: dict[str, Json]) -> "Marked":
        return cls(frozenset(sensitive_values(document)), still_unknown(document), _plain_outputs(document))

    def dump(self) -> bytes:
        plain = None if self.plain_outputs is None else sorted(self.plain_outputs)
        found = {"values": [*self.values], "more_to_come": self.more_to_come, "plain_outputs": plain}
        return json.dumps(found).encode()

    @classmethod
    def load(cls, data: bytes) -> "Marked":
        """Raises ValueError or KeyError where it isn't what `dump` has made."""
        found = json.loads(data)
        plain = found.get("plain_outputs")
        return cls(
            frozenset(leaves(found["values"])),
            bool(found["more_to_come"]),
            None if plain is None else frozenset(map(str, plain)),
        )


def _plain_outputs(document: dict[str, Json]) -> frozenset[str] | None:
    """The outputs of which the plan says that they will not be sensitive once it is applied."""
    planned = document.get("planned_values")
    outputs = planned.get("outputs", {}) if isinstance(planned, dict) else None
    if not isinstance(outputs, dict):
        return None
    return frozenset(
        name for name, output in outputs.items() if isinstance(output, dict) and output.get("sensitive") is False
    )


def leaves(value: Json) -> Iterator[Secret]:
    """The strings and numbers in a value, at any depth; truth values tell nothing."""
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value


def _marked(document: Json) -> Iterator[Secret]:
    if isinstance(document, list):
        for each in document:
            yield from _marked(each)
    elif isinstance(document, dict):
        for values, marks in _MARKED_PAIRS:
            if values in document and marks in document:
                yield from _at_marks(document[values], document[marks])
        if document.get("sensitive") is True:
            yield from leaves(document.get("value"))
            yield from leaves(document.get("default"))
            expression = document.get("expression")
            if isinstance(expression, dict):
                yield from leaves(expression.get("constant_value"))
        for each in document.values():
            yield from _marked(each)


def _at_marks(value: Json, mark: Json) -> Iterator[Secret]:
    if mark is True:
        yield from leaves(value)
    elif isinstance(mark, dict) and isinstance(value, dict):
        for name, each in mark.items():
            yield from _at_marks(value.get(name), each)
    elif isinstance(mark, list) and isinstance(value, list):
        for item, each in zip(value, mark, strict=False):
            yield from _at_marks(item, each)


def _mask(value: Json, mark: Json) -> Json:
    if mark is True:
        return value if value is None else MASK
    if isinstance(mark, dict) and isinstance(value, dict):
        return {name: _mask(each, mark.get(name)) for name, each in value.items()}
    if isinstance(mark, list) and isinstance(value, list):
        return [_mask(each, mark[index] if index < len(mark) else None) for index, each in enumerate(value)]
    return value


def _overlap(unknown: Json, mark: Json) -> bool:
    if unknown is True or mark is True:
        return _any_true(unknown) and _any_true(mark)
    if isinstance(unknown, dict) and isinstance(mark, dict):
        return any(_overlap(each, mark.get(name)) for name, each in unknown.items())
    if isinstance(unknown, list) and isinstance(mark, list):
        return any(_overlap(left, right) for left, right in zip(unknown, mark, strict=False))
    return False


def _any_true(mark: Json) -> bool:
    if isinstance(mark, dict):
        return any(_any_true(each) for each in mark.values())
    if isinstance(mark, list):
        return any(_any_true(each) for each in mark)
    return mark is True


def _sensitive_variables(document: dict[str, Json]) -> Iterator[Secret]:
    """Values of the root module's variables, and of what it passes literally to those of its modules."""
    configuration = document.get("configuration")
    root = configuration.get("root_module") if isinstance(configuration, dict) else None
    if not isinstance(root, dict):
        return
    values = document.get("variables")
    for name in _names_of_sensitive(root):
        given = values.get(name) if isinstance(values, dict) else None
        if isinstance(given, dict):
            yield from leaves(given.get("value"))
    yield from _passed_to_modules(root)


def _passed_to_modules(module: dict[str, Json]) -> Iterator[Secret]:
    calls = module.get("module_calls")
    for call in calls.values() if isinstance(calls, dict) else ():
        inner = call.get("module") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(inner, dict):
            continue
        expressions = call.get("expressions")
        for name in _names_of_sensitive(inner):
            expression = expressions.get(name) if isinstance(expressions, dict) else None
            if isinstance(expression, dict):
                yield from leaves(expression.get("constant_value"))
        yield from _passed_to_modules(inner)


def _names_of_sensitive(module: dict[str, Json]) -> list[str]:
    variables = module.get("variables")
    if not isinstance(variables, dict):
        return []
    return [name for name, each in variables.items() if isinstance(each, dict) and each.get("sensitive") is True]
