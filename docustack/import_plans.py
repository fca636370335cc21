"""Does the plan of an import take in what was asked for, and change nothing else?"""

from collections.abc import Iterator, Sequence

from docustack.comment_text import inline_code
from docustack.plan_document import Json, changes

_LISTED = 10
_VERBS = {"update": "change", "delete": "destroy"}
_NAMES = ("id", "arn")  # by one of them nearly every provider imports


def import_problem(unit: str, address: str, resource_id: str, document: dict[str, Json]) -> str:
    """Why the plan must not be applied as an import; empty where it may be, or where the state has that id already.

    Terraform passes over an `import` block for what it manages, and a plan that is narrowed to one address takes along
    all that this depends on.
    """
    if _imports(address, document):
        return _beyond(unit, address, resource_id, document)
    managed = next((one for one in _managed(document) if one.get("address") == address), None)
    if managed is None:
        return f"Terraform plans no import of {inline_code(address)}, and its state doesn't have it either."
    values, hidden = _object(managed.get("values")), _object(managed.get("sensitive_values"))
    known = [str(values[name]) for name in _NAMES if values.get(name) and not hidden.get(name)]
    if resource_id in known:
        return ""
    has = f", as {inline_code(known[0])}" if known else ""
    return (
        f"{inline_code(address)} is in the state of {inline_code(unit)} already{has}, and Terraform imports nothing "
        "over what it manages. If that is the one you mean, there is nothing to do. To manage "
        f"{inline_code(resource_id)} in its place, first let go of the other, which stays in AWS as it is: "
        f"{inline_code(f'terragrunt state rm {address}')} in the unit's folder. Then import again."
    )


def _beyond(unit: str, address: str, resource_id: str, document: dict[str, Json]) -> str:
    """All but the import itself, and what its configuration changes in place of it: that is shown, and said yes to."""
    found: dict[str, list[str]] = {}
    for each in changes(document):
        of_it = each.address == address and each.action in ("import", "update")
        if not of_it and not each.address.startswith("output."):
            named = found.setdefault(each.action, [])
            named += [each.address] if each.address not in named else []
    if address in found.get("replace", ()):
        names = ", ".join(map(inline_code, _forcing(address, document)))
        return (
            f"{inline_code(resource_id)} would be destroyed and created anew as {inline_code(address)}: it isn't as "
            f"the configuration says{f' in {names}' if names else ''}, and can't be changed in place. Write it into "
            f"the configuration of {inline_code(unit)} as it is, then import again."
        )
    if not found:
        return ""
    told = ", and ".join(f"{_VERBS.get(action, action)} {_some(named)}" for action, named in found.items())
    return (
        f"Importing {inline_code(address)} would also {told}, and an import does nothing else. Import what exists of "
        f"that first, and see to the rest by {inline_code(f'docustack apply {unit} --target ADDRESS')}."
    )


def _some(named: Sequence[str]) -> str:
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    return ", ".join(inline_code(each) for each in named[:_LISTED]) + more


def _imports(address: str, document: dict[str, Json]) -> bool:
    return any(_object(entry.get("change")).get("importing") for entry in _entries(address, document))


def _forcing(address: str, document: dict[str, Json]) -> list[str]:
    """The attributes for which the resource can't stay."""
    paths = [
        path for entry in _entries(address, document) for path in _list(_object(entry["change"]).get("replace_paths"))
    ]
    return sorted({str(path[0]) for path in paths if isinstance(path, list) and path})


def _entries(address: str, document: dict[str, Json]) -> list[dict[str, Json]]:
    entries = map(_object, _list(document.get("resource_changes")))
    return [each for each in entries if each.get("address") == address and not each.get("deposed")]


def _managed(document: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """All that the state has, as it was when the plan was made."""
    modules = [_object(_object(_object(document.get("prior_state")).get("values")).get("root_module"))]
    while modules:
        module = modules.pop()
        yield from map(_object, _list(module.get("resources")))
        modules += map(_object, _list(module.get("child_modules")))


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
