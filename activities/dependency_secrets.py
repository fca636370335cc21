"""Finds out which outputs of a dependency are sensitive: Terragrunt passes their values on without that mark."""

import functools
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from temporalio import activity

from activities.dependency_outputs import Dependency, TerragruntFailed, UnitReader, scratch_folder
from activities.in_flight import InFlight
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from docustack.plan_document import Json, digest_of
from docustack.plans import Digest
from docustack.sensitive import Secret, leaves

_LIMIT = timedelta(minutes=2)
_KNOWN_FOR = 600.0
_MANY = 10_000


class DependencySecrets:
    """Asks each dependency's state, and again only when its outputs have changed or some minutes have passed.

    One that was applied here minutes ago is not asked: its plan has told.
    """

    def __init__(self, command: TerragruntCommand, reader: UnitReader, scratch: Path, key: bytes) -> None:
        self._command = command
        self._reader = reader
        self._scratch = scratch
        self._key = key
        self._known: dict[Digest, tuple[float, frozenset[str]]] = {}
        self._plain: dict[Path, tuple[float, frozenset[str]]] = {}  # by folders of work trees, which no other run has
        self._asking: InFlight[frozenset[str]] = InFlight()

    def remember(self, folder: Path, plain: frozenset[str]) -> None:
        """The unit there has been applied a moment ago: of its outputs these are not sensitive, all others may be."""
        if len(self._plain) > _MANY:
            self._plain.clear()
        self._plain[folder] = (time.monotonic(), plain)

    async def of(self, dependency: Dependency, outputs: Json, environ: Mapping[str, str]) -> set[Secret]:
        """The values of the sensitive ones; of all of them where it can't be found out which these are."""
        if not isinstance(outputs, dict):
            return set()
        names = await self._names(dependency, outputs, environ)
        return {leaf for name in names & outputs.keys() for leaf in leaves(outputs[name])}

    async def _names(
        self, dependency: Dependency, outputs: dict[str, Json], environ: Mapping[str, str]
    ) -> frozenset[str]:
        applied_at, plain = self._plain.get(dependency.path, (0.0, frozenset[str]()))
        if time.monotonic() - applied_at < _KNOWN_FOR and applied_at:
            return frozenset(outputs) - plain
        # Each run has a work tree of its own, so what lies above the unit tells nothing.
        name: list[Json] = [*dependency.path.parts[-3:]]
        digest = digest_of([name, outputs], self._key)
        asked_at, known = self._known.get(digest, (0.0, frozenset[str]()))
        if time.monotonic() - asked_at < _KNOWN_FOR and asked_at:
            return known
        try:
            names = await self._asking.ask(digest, functools.partial(self._ask, dependency, environ))
        except (TerragruntFailed, TimeoutError, ValueError):
            activity.logger.warning("which outputs of %s are sensitive is not known: all are", dependency.path)
            return frozenset(outputs)
        if len(self._known) > _MANY:
            self._known.clear()
        self._known[digest] = (time.monotonic(), names)
        return names

    async def _ask(self, dependency: Dependency, environ: Mapping[str, str]) -> frozenset[str]:
        """Of the state alone, without module and providers, where the dependency says where its state is."""
        remote_state = await self._reader.remote_state(dependency.path, environ)
        if remote_state is None:
            return await self._outputs(dependency.path, environ)
        with scratch_folder(self._scratch, {"terragrunt.hcl.json": _state_only(remote_state)}) as folder:
            return await self._outputs(folder, environ)

    async def _outputs(self, folder: Path, environ: Mapping[str, str]) -> frozenset[str]:
        shown = await run_process(self._command.outputs(), cwd=folder, environ=environ, timeout=_LIMIT)
        if shown.code != 0:
            raise TerragruntFailed("terragrunt output", shown.stderr)
        outputs: Json = json.loads(shown.stdout)
        if not isinstance(outputs, dict):
            raise ValueError("the outputs are not an object")
        return frozenset(
            name for name, output in outputs.items() if isinstance(output, dict) and output.get("sensitive") is True
        )


def _state_only(remote_state: dict[str, Json]) -> str:
    """A unit with the same state and nothing else; `${` in a value must not be evaluated a second time."""
    block = {
        "backend": remote_state.get("backend"),
        "config": remote_state.get("config"),
        "generate": {"path": "backend.tf", "if_exists": "overwrite"},
    }
    return json.dumps({"remote_state": block}).replace("${", "$${").replace("%{", "%%{")
