"""Addresses of resources by which a plan is narrowed (guide, "Targeted Deployment"): do they name anything?"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

from docustack.plan_document import Json

_KEY = re.compile(r"\[(?:\d+|\"[^\"]*\")\]")


def unmatched_targets(targets: Sequence[str], document: dict[str, Json]) -> list[str]:
    """What is wrong, a sentence for each target that is neither in the configuration nor in the state."""
    known = {*_configured(_object(_object(document.get("configuration")).get("root_module")), "")}
    known |= {*_in_state(_object(_object(_object(document.get("prior_state")).get("values")).get("root_module")))}
    without_keys = {_KEY.sub("", address) for address in known}
    return [
        _nothing_named(target, sorted(without_keys))
        for target in targets
        if not any(_names(_KEY.sub("", target), address) for address in without_keys)
    ]


def _names(target: str, address: str) -> bool:
    """A resource by its whole address, or all of a module."""
    return address == target or address.startswith(f"{target}.")


def _nothing_named(target: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(target, known, n=1, cutoff=0.5)
    meant = f" Did you mean `{close[0]}`?" if close else ""
    return f"The target `{target}` is no resource or module of this unit.{meant}"


def _configured(module: dict[str, Json], prefix: str) -> Iterator[str]:
    for resource in _objects(module.get("resources")):
        yield f"{prefix}{resource.get('address', '')}"
    for name, call in _object(module.get("module_calls")).items():
        yield f"{prefix}module.{name}"
        yield from _configured(_object(_object(call).get("module")), f"{prefix}module.{name}.")


def _in_state(module: dict[str, Json]) -> Iterator[str]:
    for resource in _objects(module.get("resources")):
        yield str(resource.get("address", ""))
    for child in _objects(module.get("child_modules")):
        yield str(child.get("address", ""))
        yield from _in_state(child)


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> Iterable[dict[str, Json]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
