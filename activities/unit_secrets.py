"""Finds out which values of a unit are secret, before anything about it leaves the worker."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from activities.unit_work import Unit
from docustack.plan_document import Json
from docustack.redaction import Redactor
from docustack.sensitive import Secret, leaves, sensitive_values, sensitive_variable_names

_TELLING = re.compile(r"passw(?:or)?d|secret|token|private_?key|api_?key|credential", re.IGNORECASE)
_OWN_CREDENTIALS = re.compile(r"^(?:AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|TF_TOKEN_\w+)$")
_LEAST_CREDENTIAL = 16
"""Shorter ones are placeholders of a simulator, `test`, and ordinary words."""


def redactor_for(
    unit: Unit, inputs: Mapping[str, Json], documents: Iterable[Json] = (), more: Iterable[Secret] = ()
) -> Redactor:
    """Knows what Terraform marks as sensitive in the documents (plan, state) and in the module's source.

    Blocking. `inputs` are the unit's own, as Terragrunt has evaluated them; `more` are secrets known otherwise.
    """
    secrets: set[Secret] = {*more}
    for document in documents:
        secrets |= sensitive_values(document)
    secrets |= _values_of_sensitive_variables(unit, inputs)
    secrets |= {
        value
        for name, value in unit.environ.items()
        if _OWN_CREDENTIALS.match(name) and len(value) >= _LEAST_CREDENTIAL
    }
    return Redactor(secrets)


def telling(values: Mapping[str, Json]) -> set[Secret]:
    """Values under names that say what they are, such as `password`."""
    return {
        leaf
        for name, value in values.items()
        if _TELLING.search(name)
        for leaf in leaves(value)
        if isinstance(leaf, str)
    }


def _values_of_sensitive_variables(unit: Unit, inputs: Mapping[str, Json]) -> set[Secret]:
    folders = [*unit.prepared(), unit.folder]
    names = sensitive_variable_names(_texts(folders, "*.tf"))
    given: dict[str, Json] = {**inputs}
    for text in _texts(folders, "*.tfvars"):
        given |= dict(re.findall(r'^\s*([\w-]+)\s*=\s*"(.*)"\s*$', text, re.MULTILINE))
    found = {leaf for name in names if name in given for leaf in leaves(given[name])} | telling(given)
    for name, value in unit.environ.items():
        if name.startswith("TF_VAR_") and (name[7:] in names or _TELLING.search(name)):
            found |= {value, *_parsed(value)}
    return found


def _parsed(value: str) -> set[Secret]:
    try:
        return set(leaves(json.loads(value)))
    except ValueError:
        return set()


def _texts(folders: Iterable[Path], pattern: str) -> list[str]:
    paths = {path for folder in folders for path in folder.glob(pattern) if path.is_file()}
    return [path.read_text(errors="replace") for path in sorted(paths)]
