"""Reads a Terraform state document (`terraform state pull`, format version 4): what it owns, and which state it is."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from docustack.model import Model

_LISTED = 200

_PLACE = {
    "s3": ("endpoint", "bucket", "key"),
    "gcs": ("bucket", "prefix"),
    "azurerm": ("storage_account_name", "container_name", "key"),
}
"""The settings of a backend that decide which state it is; the others say how it is reached, locked and encrypted.

Of backends whose settings may hold credentials nothing is told: there a state is known by its lineage alone.
"""


class OwnedResources(Model):
    """What a unit's state holds: (at most 200 of) the addresses; `known` is False where it could not be read."""

    known: bool
    addresses: tuple[str, ...] = ()
    count: int = 0
    lineage: str = ""  # Terraform's own id of the state, which a copy has too; empty where there is none
    location: str = ""  # where it lies; empty where Terragrunt doesn't tell


class StateFacts(Model):
    """Which state it is: equal facts, the same state."""

    lineage: str
    serial: int
    content: str  # a digest of its resources and outputs
    addresses: tuple[str, ...] = ()

    def is_later_of_same(self, other: "StateFacts") -> bool:
        """The same state as the other one, or what has become of it."""
        return self.lineage == other.lineage and self.serial >= other.serial

    def holds_the_same(self, other: "StateFacts") -> bool:
        """The same resources and outputs, whatever Terraform calls the state."""
        return self.content == other.content


class _Instance(BaseModel):
    index_key: str | int | None = None


class _Resource(BaseModel):
    module: str = ""
    mode: str
    type: str
    name: str
    instances: list[_Instance] = []


class _State(BaseModel):
    lineage: str = ""
    serial: int = 0
    resources: list[_Resource] = []


def owned_resources(document: str, location: str = "") -> OwnedResources:
    """What a state owns; a unit that was never applied has an empty document, and owns nothing.

    Raises:
        ValueError: this is no state document.
    """
    state = _parse(document)
    addresses = _addresses(state)
    return OwnedResources(
        known=True,
        addresses=tuple(addresses[:_LISTED]),
        count=len(addresses),
        lineage=state.lineage,
        location=location,
    )


def state_facts(document: str) -> StateFacts:
    """Raises ValueError: this is no state document."""
    state = _parse(document)
    whole = json.loads(document) if document.strip() else {}
    held = {name: whole.get(name) for name in ("outputs", "resources")}
    digest = hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()
    return StateFacts(
        lineage=state.lineage, serial=state.serial, content=digest, addresses=tuple(_addresses(state)[:_LISTED])
    )


def state_location(remote_state: Mapping[str, object] | None) -> str:
    """Where Terragrunt's `remote_state` block keeps a state: two units with the same one share their state.

    Empty where it can't be told: without such a block, and for a backend that isn't known here.
    """
    block = remote_state or {}
    backend, config = str(block.get("backend") or ""), block.get("config")
    if not isinstance(config, Mapping):
        return ""
    if backend == "local":  # a relative path lies in the unit's own folder
        path = str(config.get("path") or "")
        return f"local:{path}" if path.startswith("/") else ""
    settings = _PLACE.get(backend, ())
    parts = [str(config[name]) for name in settings if config.get(name)]
    return f"{backend}:{'/'.join(parts)}" if parts else ""


def _parse(document: str) -> _State:
    if not document.strip():
        return _State()
    try:
        return _State.model_validate_json(document)
    except ValidationError as error:
        raise ValueError("not a Terraform state document") from error


def _addresses(state: _State) -> list[str]:
    return sorted(
        _address(resource, instance.index_key)
        for resource in state.resources
        if resource.mode == "managed"
        for instance in resource.instances
    )


def _address(resource: _Resource, key: str | int | None) -> str:
    address = ".".join(part for part in (resource.module, resource.type, resource.name) if part)
    return address if key is None else f"{address}[{json.dumps(key)}]"
