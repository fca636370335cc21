"""Plans one unit: what it would get from its dependencies, the saved plan, and its redacted text, JSON and log."""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio import activity

from activities.artifacts import ArtifactMissing, ArtifactStore
from activities.dependency_outputs import Rendered, TerragruntFailed, UnitReader, present_outputs
from activities.messages import CoverageAnswer, CoverageRequest, FailureDetails, PlanAnswer, PlanRequest
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.unit_secrets import redactor_for
from activities.unit_work import Unit, unit_failure
from docustack.errors import ErrorType
from docustack.plan_document import Json, changes, digest_plan, parse_document, summarize
from docustack.plan_text import cut_middle, plan_text
from docustack.plans import ArtifactRef, Change, DependencyOutputs, OutputsKind, PlanRecord
from docustack.redaction import Redactor
from docustack.sensitive import mask_document
from docustack.terragrunt_errors import classify, clean_output

_SHOW = timedelta(minutes=5)
_BEYOND = 50
_CHANGES = "changes.json"


@dataclass(frozen=True)
class _Made:
    """A saved plan on this worker's disk, with all its secrets."""

    binary: bytes
    document: dict[str, Json]
    text: str


class Planning:
    """Plans units with one Terragrunt."""

    def __init__(self, command: TerragruntCommand, artifacts: ArtifactStore, scratch: Path) -> None:
        self._command = command
        self._artifacts = artifacts
        self._scratch = scratch
        self._reader = UnitReader(command, scratch)

    async def outputs(self, unit: Unit) -> tuple[Rendered, tuple[DependencyOutputs, ...]]:
        """The unit as Terragrunt reads it, and what it would get from its dependencies now."""
        try:
            rendered = await self._reader.render(unit.folder, unit.environ)
            real = await self._reader.real_outputs(rendered.dependencies, unit.environ)
        except TerragruntFailed as error:
            raise await self._failure(unit, error.command, error.output, Rendered(()), None) from None
        return rendered, present_outputs(rendered.dependencies, real, unit.root, self._artifacts.digest_key)

    async def plan(self, unit: Unit, request: PlanRequest) -> PlanAnswer:
        """Raises an `ApplicationError` where the plan fails; a unit that can't be planned yet is deferred instead."""
        rendered, present = await self.outputs(unit)
        missing = tuple(each.unit for each in present if each.kind is OutputsKind.MISSING)
        if missing:
            return PlanAnswer(record=None, waits_for=missing)
        with self._folder() as folder:
            log = folder / "log"
            made = await self._make(unit, rendered, folder, log)
            documents: list[Json] = [made.document]
            redactor = await asyncio.to_thread(redactor_for, unit, rendered.inputs, documents)
            record = await self._keep(request, present, made, redactor, log)
        return PlanAnswer(record=record)

    async def coverage(self, request: CoverageRequest) -> CoverageAnswer:
        """Does the new plan do the same as the approved one, or less of it?"""
        if request.approved.digest == request.new.digest:
            return CoverageAnswer(covered=True)
        try:
            approved, new = await asyncio.gather(self._changes(request.approved), self._changes(request.new))
        except ArtifactMissing as error:
            raise unit_failure(ErrorType.NOT_FOUND, f"A plan of {request.new.unit} is gone: {error}") from None
        beyond = tuple(each for each in new if each not in set(approved))
        return CoverageAnswer(covered=not beyond, beyond=beyond[:_BEYOND], beyond_count=len(beyond))

    async def _make(self, unit: Unit, rendered: Rendered, folder: Path, log: Path) -> _Made:
        binary = folder / "plan.bin"
        limit = timedelta(minutes=unit.request.timeout_minutes)
        try:
            done = await run_process(
                self._command.plan(binary), cwd=unit.folder, environ=unit.environ, log=log, timeout=limit
            )
        except TimeoutError:
            message = (
                f"`terragrunt plan` of {unit.request.unit} took longer than {unit.request.timeout_minutes} minutes."
            )
            raise unit_failure(ErrorType.TIMEOUT, message) from None
        if done.code not in (0, 2) or not binary.is_file():
            output = await asyncio.to_thread(log.read_text, errors="replace")
            raise await self._failure(unit, "terragrunt plan", output, rendered, log)
        document, text = await asyncio.gather(
            self.show(unit, binary, as_json=True), self.show(unit, binary, as_json=False)
        )
        return _Made(await asyncio.to_thread(binary.read_bytes), parse_document(document), text)

    async def show(self, unit: Unit, plan: Path | None, *, as_json: bool) -> str:
        """A saved plan (or the state) as Terraform shows it, with all its secrets."""
        prepared = await asyncio.to_thread(unit.prepared) if plan else None
        if plan and prepared:
            argv, cwd = self._command.show_directly(plan, as_json=as_json), prepared
        else:
            argv, cwd = self._command.show(plan, as_json=as_json), unit.folder
        shown = await run_process(argv, cwd=cwd, environ=unit.environ, timeout=_SHOW)
        if shown.code != 0:
            raise await self._failure(unit, "terragrunt show", shown.stderr, Rendered(()), None)
        return shown.stdout

    async def _keep(
        self,
        request: PlanRequest,
        present: tuple[DependencyOutputs, ...],
        made: _Made,
        redactor: Redactor,
        log: Path,
    ) -> PlanRecord:
        text = redactor.text(plan_text(made.text))
        output = redactor.text(clean_output(await asyncio.to_thread(log.read_text, errors="replace")))
        document = redactor.document(mask_document(made.document))
        triples = [each.model_dump() for each in changes(made.document)]
        prefix = artifact_prefix(request.tree.run_id, request.unit, "plan")
        put = self._artifacts.put_text
        binary, json_document, text_ref, log_ref, _ = await asyncio.gather(
            self._artifacts.put_sealed(f"{prefix}/plan.bin", made.binary),
            put(f"{prefix}/plan.json", json.dumps(document)),
            put(f"{prefix}/plan.txt", text),
            put(f"{prefix}/plan.log", output),
            put(f"{prefix}/{_CHANGES}", redactor.text(json.dumps(triples))),
        )
        return PlanRecord(
            unit=request.unit,
            run_id=request.tree.run_id,
            commit=request.tree.head_commit,
            tree_commit=request.tree.tree_commit,
            digest=digest_plan(made.document, self._artifacts.digest_key),
            summary=summarize(made.document),
            dependencies=present,
            binary=binary,
            json_document=json_document,
            text=text_ref,
            log=log_ref,
            text_preview=cut_middle(text, request.text_limit),
        )

    async def _changes(self, record: PlanRecord) -> list[Change]:
        text = await self._artifacts.get_text(f"{record.json_document.rpartition('/')[0]}/{_CHANGES}")
        return [Change.model_validate(each) for each in json.loads(text)]

    async def _failure(self, unit: Unit, command: str, output: str, rendered: Rendered, log: Path | None) -> Exception:
        redactor = await asyncio.to_thread(redactor_for, unit, rendered.inputs, await self.state_documents(unit))
        output = redactor.text(clean_output(output))
        found = classify(output, command, unit.request.unit, unit.request.environment.profile)
        ref = f"{artifact_prefix(unit.request.tree.run_id, unit.request.unit, 'plan')}/plan.log"
        await self._artifacts.put_text(ref, output)
        return unit_failure(
            found.type, found.message, FailureDetails(text=found.lines, log=ref, state_lock=found.state_lock)
        )

    async def state_documents(self, unit: Unit) -> list[Json]:
        """The unit's state with all its secrets, where it can be read: to know them in the output of a failure."""
        try:
            shown = await run_process(
                self._command.show(as_json=True), cwd=unit.folder, environ=unit.environ, timeout=timedelta(minutes=1)
            )
            return [parse_document(shown.stdout)] if shown.code == 0 else []
        except (TimeoutError, ValueError):
            return []

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="plan-", dir=self._scratch))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def artifact_prefix(run_id: str, unit: str, what: str) -> ArtifactRef:
    """Each attempt has its own: two plans of one unit in one run never overwrite each other."""
    info = activity.info()
    return f"runs/{run_id}/{unit}/{what}-{(info.workflow_run_id or '')[:8]}-{info.activity_id}-{info.attempt}"
