"""The block that makes a plan import what is in AWS already (guide, "Troubleshooting"), and what may stand in it."""

import difflib
import json
import re
from collections.abc import Sequence

FILE = "docustack_import.tf"
"""In the unit's folder of the run's own work tree; nothing of it comes into the repository."""

_KEY = r"\[(?:\d+|\"(?:[^\"\\$%]|\\\")*\")\]"
_ADDRESS = re.compile(rf"(?:module\.[A-Za-z_][\w-]*(?:{_KEY})?\.)*[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*(?:{_KEY})?")
_ID_LIMIT = 2_048
_RESOURCE = re.compile(r'^[ \t]*resource[ \t]+"([\w-]+)"[ \t]+"([\w-]+)"', re.MULTILINE)
_NO_OBJECT = "Cannot import non-existent remote object"
_NO_TARGET = "Configuration for import target does not exist"
_NO_KEY = re.compile(r"The target resource (?:does not use|uses|requires)[^.]*\.")
_LISTED = 10


def address_problem(address: str) -> str:
    """What is wrong with the address of one resource; empty where nothing is. It stands in HCL as it is given."""
    if _ADDRESS.fullmatch(address) and not address.startswith("data."):
        return ""
    return f"`{address}` is no address of a resource. It is written as in a plan: `aws_ecs_service.main`."


def id_problem(resource_id: str) -> str:
    if resource_id.strip() and len(resource_id) <= _ID_LIMIT and resource_id.isprintable():
        return ""
    return "The id has to be what the provider knows the resource by: an ARN, a name, an id; in one line."


def import_block(address: str, resource_id: str) -> str:
    """HCL, for a file of the unit's root module.

    Raises:
        ValueError: the address or the id can't stand there.
    """
    if problem := address_problem(address) or id_problem(resource_id):
        raise ValueError(problem)
    literal = json.dumps(resource_id, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
    return f"import {{\n  to = {address}\n  id = {literal}\n}}\n"


def declared_resources(text: str) -> list[str]:
    """The addresses of the resources in one file of a module."""
    return [f"{kind}.{name}" for kind, name in _RESOURCE.findall(text)]


def no_object(unit: str, address: str, resource_id: str, output: str) -> str:
    """What Terraform's failure means where the provider finds nothing by that id; empty where it is another one."""
    if _NO_OBJECT not in " ".join(line.strip(" │╷╵") for line in output.splitlines()):
        return ""
    return (
        f"There is no `{resource_id}` to be imported as `{address}` of `{unit}`: the provider finds nothing by that id "
        "with this environment's account and region. By which id it knows such a resource stands in its documentation, "
        "under Import."
    )


def no_target(unit: str, address: str, output: str, known: Sequence[str]) -> str:
    """What Terraform's failure means where it has not found what the block names; empty where it is another one.

    `known` are the resources that the unit's modules declare, without keys.
    """
    plain = re.sub(_KEY, "", address)
    told = " ".join(line.strip(" │╷╵") for line in output.splitlines())
    wrong_key = _NO_KEY.search(told)
    if _NO_TARGET not in told and wrong_key is None:
        return ""
    if wrong_key is not None and plain in known:
        return f"`{unit}` has a resource `{plain}`, but none at `{address}`: {wrong_key[0]} Name it by the right key."
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6)
    near = f" Did you mean `{close[0]}`?" if close else ""
    if known:
        more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
        near += f" It has {', '.join(f'`{each}`' for each in known[:_LISTED])}{more}."
    return (
        f"`{unit}` has no resource `{address}`.{near} Correct the address, or write the resource into the unit first: "
        "what is imported has to be in its configuration."
    )
