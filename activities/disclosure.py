"""What may be told about a unit outside the worker: its secrets are found out first, then taken out of every text."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifacts import ArtifactStore
from activities.dependency_outputs import Rendered, UnitReader
from activities.dependency_secrets import DependencySecrets
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import FailureDetails
from activities.unit_secrets import redactor_for
from activities.unit_work import Unit, unit_failure
from docustack.plan_document import Json, parse_document
from docustack.plans import ArtifactRef
from docustack.redaction import Redactor
from docustack.sensitive import Marked, Secret
from docustack.terragrunt_errors import classify, clean_output

_SHOW = timedelta(minutes=5)
_SHOW_FOR_SECRETS = timedelta(minutes=1)


class ShowFailed(Exception):
    """A plan or a state can't be shown; the text is Terraform's, not redacted."""


@dataclass(frozen=True)
class Look:
    """A unit as Terragrunt reads it, and the real outputs of its dependencies by the names of their blocks."""

    rendered: Rendered = field(default_factory=lambda: Rendered(()))
    real: dict[str, Json] = field(default_factory=dict)


class Disclosure:
    """Knows how to find a unit's secrets."""

    def __init__(self, command: TerragruntCommand, artifacts: ArtifactStore, reader: UnitReader, scratch: Path) -> None:
        self._command = command
        self._artifacts = artifacts
        self._scratch = scratch
        self._dependency_secrets = DependencySecrets(command, reader, scratch, artifacts.digest_key)

    async def dependency_secrets(self, unit: Unit, look: Look) -> set[Secret]:
        """Sensitive outputs that the unit gets from its dependencies."""
        found = await asyncio.gather(
            *(
                self._dependency_secrets.of(each, look.real.get(each.name), unit.environ)
                for each in look.rendered.dependencies
            )
        )
        return set().union(*found)

    def remember_outputs(self, unit: Unit, marked: Marked) -> None:
        """A plan was applied whole: which outputs are sensitive needs not be asked of the state for its dependants."""
        request = unit.request
        if marked.plain_outputs is not None and not request.shape.targets and not request.destroy:
            self._dependency_secrets.remember(unit.folder, marked.plain_outputs)

    async def redactor(
        self, unit: Unit, look: Look, documents: Iterable[Json], more: Iterable[Secret] = ()
    ) -> Redactor:
        return await asyncio.to_thread(redactor_for, unit, look.rendered, [*documents], [*more], [self._scratch])

    async def failure(
        self, unit: Unit, command: str, output: str, look: Look, more: Iterable[Secret] = ()
    ) -> ApplicationError:
        """The error for a command that failed, with its redacted log in the artifact store."""
        redactor = await self.redactor(unit, look, await self.state_documents(unit, look), more)
        output = redactor.text(clean_output(output))
        found = classify(output, command, unit.request.unit, unit.request.environment.profile)
        log = f"{artifact_prefix(unit, command.rpartition(' ')[2])}/failed.log"
        await self._artifacts.put_text(log, output)
        details = FailureDetails(text=found.lines, log=log, state_lock=found.state_lock)
        return unit_failure(found.type, found.message, details)

    async def show(self, unit: Unit, plan: Path, *, as_json: bool) -> str:
        """A saved plan as Terraform shows it, with all its secrets; raises `ShowFailed`."""
        for folder in await asyncio.to_thread(unit.prepared):
            shown = await run_process(
                self._command.show_directly(plan, as_json=as_json), cwd=folder, environ=unit.environ, timeout=_SHOW
            )
            if shown.code == 0:
                return shown.stdout
        shown = await run_process(
            self._command.show(plan, as_json=as_json), cwd=unit.folder, environ=unit.environ, timeout=_SHOW
        )
        if shown.code != 0:
            raise ShowFailed(shown.stderr)
        return shown.stdout

    async def state_documents(self, unit: Unit, look: Look) -> list[Json]:
        """The unit's state with all its secrets, where it can be read."""
        ways = [(unit.folder, self._command.show(as_json=True))]
        if look.rendered.remote_state is not None and not look.rendered.extra_arguments:
            # Nothing in the unit could make Terragrunt's Terraform look elsewhere than where it was initialised.
            prepared = await asyncio.to_thread(unit.prepared)
            ways = [*((folder, self._command.show_directly(as_json=True)) for folder in prepared[:1]), *ways]
        for folder, command in ways:
            with contextlib.suppress(TimeoutError, ValueError):
                shown = await run_process(command, cwd=folder, environ=unit.environ, timeout=_SHOW_FOR_SECRETS)
                document = parse_document(shown.stdout) if shown.code == 0 else {}
                if "values" in document:
                    return [document]
        return []


def artifact_prefix(unit: Unit, what: str) -> ArtifactRef:
    """Each attempt has its own: two plans of one unit in one run never overwrite each other."""
    info = activity.info()
    attempt = f"{(info.workflow_run_id or '')[:8]}-{info.activity_id}-{info.attempt}"
    return f"runs/{unit.request.tree.run_id}/{unit.request.unit}/{what}-{attempt}"
