"""The block that makes a plan import what is in AWS already (guide, "Troubleshooting"), and what may stand in it."""

import json
import re

FILE = "docustack_import.tf"
"""In the unit's folder of the run's own work tree; nothing of it comes into the repository."""

_KEY = r"\[(?:\d+|\"(?:[^\"\\$%]|\\\")*\")\]"
_ADDRESS = re.compile(rf"(?:module\.[A-Za-z_][\w-]*(?:{_KEY})?\.)*[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*(?:{_KEY})?")
_ID_LIMIT = 2_048


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
