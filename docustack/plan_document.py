"""What Terraform's JSON of a saved plan says: how much it changes, what exactly, and which values are secret."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from docustack.plans import Change, Digest, PlanSummary, TypeCount

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

WHOLE = "*"
"""The attribute of a change that is about a resource as a whole: a delete, a forget, a move, an import."""

_TYPES = 20

_ACTIONS: dict[tuple[str, ...], str] = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("forget",): "forget",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "replace",
}


def parse_document(text: str | bytes) -> dict[str, Json]:
    """The object in the output of `terraform show -json`; raises ValueError where there is none."""
    document: Json = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("the plan's JSON is not an object")
    return document


def summarize(document: dict[str, Json]) -> PlanSummary:
    """Counts as Terraform's own line has them: a replacement adds one and destroys one, reading counts nothing."""
    changing = [change for _, change in _resource_changes(document)]
    actions = [_actions(change) for change in changing]
    return PlanSummary(
        add=sum("create" in each for each in actions),
        change=sum("update" in each for each in actions),
        destroy=sum("delete" in each for each in actions),
        outputs_changed=sum(_actions(change) not in ((), ("no-op",)) for _, change in _output_changes(document)),
        imported=sum(bool(change.get("importing")) for change in changing),
    )


def of_refresh(document: dict[str, Json]) -> dict[str, Json]:
    """The document of a refresh-only plan, with what it takes into the state in the place of what it would change."""
    return {**document, "resource_changes": document.get("resource_drift", [])}


def destroyed_types(document: dict[str, Json]) -> tuple[TypeCount, ...]:
    """What the plan destroys, counted by type, the most first; of more than 20 types the rest counts as `others`."""
    found = Counter(str(entry.get("type", "")) for _, entry in _resources(document) if _destroys(entry))
    counts = [TypeCount(type=name, count=number) for name, number in sorted(found.items(), key=lambda each: -each[1])]
    rest = sum(each.count for each in counts[_TYPES:])
    return (*counts[:_TYPES], TypeCount(type="others", count=rest)) if rest else tuple(counts)


def changes(document: dict[str, Json]) -> tuple[Change, ...]:
    """Every (address, action, attribute) that the plan would touch, in a fixed order.

    An attribute is one of the resource's own arguments, whatever lies below it; its new value plays no part, and one
    that is known only after the apply counts like any other. Reading changes nothing and is left out.
    """
    found = {
        *(each for address, entry in _resources(document) for each in _changes_of(address, entry)),
        *(each for name, change in _output_changes(document) for each in _output_change(name, change)),
    }
    return tuple(sorted(found, key=lambda each: (each.address, each.action, each.attribute)))


def is_from_nothing(document: dict[str, Json]) -> bool:
    """Did the state hold no resource, but for what the plan itself has read, when it was made?"""
    values = _object(_object(document.get("prior_state")).get("values"))
    modules = [_object(values.get("root_module"))]
    while modules:
        module = modules.pop()
        if any(each.get("mode") != "data" for each in _objects(module.get("resources"))):
            return False
        modules += _objects(module.get("child_modules"))
    return True


def digest_plan(document: dict[str, Json], key: bytes = b"") -> Digest:
    """Over all that changes, values included: two plans with the same digest do the same."""
    changing: list[Json] = [
        {"address": address, "entry": _without(entry, "previous_address"), "moved_from": entry.get("previous_address")}
        for address, entry in sorted(_resources(document), key=lambda each: each[0])
        if _is_change(entry)
    ]
    outputs: dict[str, Json] = {
        name: change for name, change in _output_changes(document) if _actions(change) not in ((), ("no-op",))
    }
    return digest_of({"resources": changing, "outputs": outputs}, key)


def digest_of(value: Json, key: bytes = b"") -> Digest:
    """Over canonical JSON; with a key nobody without it can find out a short secret by trying."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return "sha256:" + (hmac.new(key, canonical, hashlib.sha256) if key else hashlib.sha256(canonical)).hexdigest()


# ---- the document's own shape ----------------------------------------------------------------------------------------


def _resources(document: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    for entry in _objects(document.get("resource_changes")):
        deposed = entry.get("deposed")
        yield str(entry.get("address", "")) + (f" (deposed {deposed})" if deposed else ""), entry


def _destroys(entry: dict[str, Json]) -> bool:
    return "delete" in _actions(_object(entry.get("change")))


def _resource_changes(document: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    for address, entry in _resources(document):
        yield address, _object(entry.get("change"))


def _output_changes(document: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    for name, change in sorted(_object(document.get("output_changes")).items()):
        yield name, _object(change)


def _is_change(entry: dict[str, Json]) -> bool:
    change = _object(entry.get("change"))
    return (
        _actions(change) not in ((), ("no-op",), ("read",))
        or "importing" in change
        or bool(entry.get("previous_address"))
    )


def _changes_of(address: str, entry: dict[str, Json]) -> Iterator[Change]:
    change = _object(entry.get("change"))
    if change.get("importing"):
        yield Change(address=address, action="import", attribute=WHOLE)
    if entry.get("previous_address"):
        yield Change(address=address, action="move", attribute=WHOLE)
    action = _ACTIONS.get(_actions(change))
    if action is None:
        return
    attributes = () if action in ("delete", "forget") else _changed_attributes(change)
    for attribute in attributes or (WHOLE,):
        yield Change(address=address, action=action, attribute=attribute)


def _output_change(name: str, change: dict[str, Json]) -> Iterator[Change]:
    action = _ACTIONS.get(_actions(change))
    if action is not None:
        yield Change(address=f"output.{name}", action=action, attribute="value")


def _changed_attributes(change: dict[str, Json]) -> tuple[str, ...]:
    before, after = _object(change.get("before")), _object(change.get("after"))
    unknown = _object(change.get("after_unknown"))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return tuple(sorted(changed | {name for name, mark in unknown.items() if _has_mark(mark)}))


def _has_mark(mark: Json) -> bool:
    """Terraform marks with `true` at any depth, and leaves empty containers where nothing is marked."""
    if isinstance(mark, dict):
        return any(_has_mark(each) for each in mark.values())
    if isinstance(mark, list):
        return any(_has_mark(each) for each in mark)
    return mark is True


def _actions(change: dict[str, Json]) -> tuple[str, ...]:
    actions = change.get("actions")
    return tuple(str(action) for action in actions) if isinstance(actions, list) else ()


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> list[dict[str, Json]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _without(entry: dict[str, Json], name: str) -> dict[str, Json]:
    return {key: value for key, value in entry.items() if key != name}
