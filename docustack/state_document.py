"""Reads a Terraform state document (`terraform state pull`, format version 4): which resources it owns."""

import json

from pydantic import BaseModel, ValidationError


class _Instance(BaseModel):
    index_key: str | int | None = None


class _Resource(BaseModel):
    module: str = ""
    mode: str
    type: str
    name: str
    instances: list[_Instance] = []


class _State(BaseModel):
    resources: list[_Resource] = []


def owned_addresses(document: str) -> list[str]:
    """The addresses of all managed resources, sorted; data sources own nothing.

    Raises:
        ValueError: this is no state document.
    """
    if not document.strip():
        return []
    try:
        state = _State.model_validate_json(document)
    except ValidationError as error:
        raise ValueError("not a Terraform state document") from error
    return sorted(
        _address(resource, instance.index_key)
        for resource in state.resources
        if resource.mode == "managed"
        for instance in resource.instances
    )


def _address(resource: _Resource, key: str | int | None) -> str:
    address = ".".join(part for part in (resource.module, resource.type, resource.name) if part)
    return address if key is None else f"{address}[{json.dumps(key)}]"
