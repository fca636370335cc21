"""Plans one unit: what it would get from its dependencies, the saved plan, and its redacted text, JSON and log."""

import asyncio
import dataclasses
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from activities.artifacts import ArtifactMissing, ArtifactStore
from activities.dependency_outputs import TerragruntFailed, UnitReader, present_outputs, scratch_folder
from activities.disclosure import Disclosure, Look, ShowFailed, artifact_prefix
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import CoverageAnswer, CoverageRequest, PlanAnswer, PlanRequest
from activities.unit_work import Unit, make_sure_of_room, unit_failure
from docustack.errors import ErrorType
from docustack.import_block import FILE, import_block
from docustack.plan_document import (
    Json,
    changes,
    destroyed_types,
    digest_plan,
    is_from_nothing,
    of_refresh,
    parse_document,
    summarize,
)
from docustack.plan_text import cut_middle, plan_text
from docustack.plans import (
    CHANGES,
    MARKED,
    Change,
    DependencyOutputs,
    OutputsKind,
    PlanRecord,
    changes_of,
    marked_of,
)
from docustack.redaction import Redactor
from docustack.sensitive import Marked, Secret, mask_document
from docustack.targets import unmatched_targets
from docustack.terragrunt_errors import clean_output

_BEYOND = 50
_RECENT = 30.0


@dataclass(frozen=True)
class _Made:
    """A saved plan with all its secrets."""

    binary: bytes
    document: dict[str, Json]
    text: str
    log: str
    marked: Marked


class Planning:
    """Plans units with one Terragrunt."""

    def __init__(
        self,
        command: TerragruntCommand,
        artifacts: ArtifactStore,
        reader: UnitReader,
        disclosure: Disclosure,
        scratch: Path,
    ) -> None:
        self._command = command
        self._artifacts = artifacts
        self._reader = reader
        self._disclosure = disclosure
        self._scratch = scratch
        self._looks: dict[Path, tuple[float, Look]] = {}  # by the unit's folder in the run's own work tree

    async def look(self, unit: Unit, *, join: bool = False) -> Look:
        """Raises an `ApplicationError` where the unit or its dependencies' outputs can't be read.

        With `join` it shares what others are reading already, and may see what was there a moment ago.
        """
        look, reader = Look(), self._reader
        try:
            look = Look(await reader.render(unit.folder, unit.environ, join=join))
            dependencies = look.rendered.dependencies
            return Look(look.rendered, await reader.real_outputs(dependencies, unit.environ, join=join))
        except TerragruntFailed as error:
            raise await self._disclosure.failure(unit, error.command, error.output, look) from None
        except TimeoutError:
            message = f"The configuration of {unit.request.unit} could not be read in time."
            raise unit_failure(ErrorType.UNAVAILABLE, message) from None

    async def present_outputs(self, unit: Unit) -> tuple[DependencyOutputs, ...]:
        """What the unit gets from its dependencies now; the look is kept for the apply that this may allow."""
        look = await self.look(unit)
        self._keep_look(unit, look)
        return self.present(unit, look)

    def _keep_look(self, unit: Unit, look: Look) -> None:
        now = time.monotonic()
        self._looks = {folder: each for folder, each in self._looks.items() if now - each[0] < _RECENT}
        self._looks[unit.folder] = (now, look)

    async def recent_look(self, unit: Unit) -> Look:
        """The look by which the unit's plan was made or judged, if this worker did that seconds ago; else a new one."""
        kept_at, look = self._looks.pop(unit.folder, (-_RECENT, Look()))
        return look if time.monotonic() - kept_at < _RECENT else await self.look(unit)

    def present(self, unit: Unit, look: Look) -> tuple[DependencyOutputs, ...]:
        """What the unit gets from its dependencies now, as digests."""
        return present_outputs(look.rendered.dependencies, look.real, unit.root, self._artifacts.digest_key)

    async def plan(self, unit: Unit) -> PlanAnswer:
        """Raises an `ApplicationError` where the plan fails; a unit that can't be planned yet is deferred instead."""
        # What the dependencies have is read before the plan is made: if it changes in between, the record differs from
        # what they have at the apply, and the unit is planned again. The other way round a stale plan would be applied.
        look = await self.look(unit, join=True)
        present = self.present(unit, look)
        await asyncio.to_thread(_write_import, unit)
        if waits_for := _waits_for(unit, present):
            return PlanAnswer(record=None, waits_for=waits_for)
        secrets = asyncio.create_task(self._disclosure.dependency_secrets(unit, look))
        try:
            made = await self._make(unit, look, secrets)
            redactor = await self._disclosure.redactor(unit, look, [made.document], await secrets)
        finally:
            secrets.cancel()
        record = await self._keep(unit, present, made, redactor)
        self._keep_look(unit, look)
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

    async def marked(self, record: PlanRecord) -> Marked | None:
        """What is sensitive in a saved plan, as it was read when it was made; None where that is not on record."""
        try:
            return Marked.load(await self._artifacts.get_sealed(marked_of(record)))
        except (ArtifactMissing, ValueError, LookupError):
            return None

    async def _make(self, unit: Unit, look: Look, secrets: "asyncio.Task[set[Secret]]") -> _Made:
        with scratch_folder(self._scratch, {"log": ""}) as folder:
            binary, log = folder / "plan.bin", folder / "log"
            try:
                async with self._reader.preparing(unit.folder):
                    done = await run_process(
                        self._command.plan(binary, destroy=unit.request.destroy, shape=unit.request.shape),
                        cwd=unit.folder,
                        environ=unit.environ,
                        log=log,
                        timeout=timedelta(minutes=unit.request.timeout_minutes),
                    )
                output = await asyncio.to_thread(log.read_text, errors="replace")
                if done.code not in (0, 2) or not await asyncio.to_thread(binary.is_file):
                    make_sure_of_room(folder)
                    raise await self._disclosure.failure(unit, "terragrunt plan", output, look, await secrets)
                document, text = await asyncio.gather(
                    self._disclosure.show(unit, binary, as_json=True),
                    self._disclosure.show(unit, binary, as_json=False),
                )
            except TimeoutError:
                limit = f"{unit.request.timeout_minutes} minutes"
                message = f"`terragrunt plan` of {unit.request.unit} took longer than {limit}."
                raise unit_failure(ErrorType.TIMEOUT, message) from None
            except ShowFailed as error:
                raise await self._disclosure.failure(unit, "terragrunt show", str(error), look, await secrets) from None
            parsed = parse_document(document)
            marked = await asyncio.to_thread(Marked.in_plan, parsed)
            made = _Made(await asyncio.to_thread(binary.read_bytes), parsed, text, output, marked)
        return _as_asked(unit, made)

    async def _keep(
        self, unit: Unit, present: tuple[DependencyOutputs, ...], made: _Made, redactor: Redactor
    ) -> PlanRecord:
        text, log, document, triples = await asyncio.to_thread(_redacted, made, redactor)
        prefix = artifact_prefix(unit, "plan")
        put = self._artifacts.put_text
        binary, json_ref, text_ref, log_ref, *_ = await asyncio.gather(
            self._artifacts.put_sealed(f"{prefix}/plan.bin", made.binary),
            put(f"{prefix}/plan.json", document),
            put(f"{prefix}/plan.txt", text),
            put(f"{prefix}/plan.log", log),
            put(f"{prefix}/{CHANGES}", triples),
            self._artifacts.put_sealed(f"{prefix}/{MARKED}", made.marked.dump()),
        )
        request = unit.request
        return PlanRecord(
            unit=request.unit,
            run_id=request.tree.run_id,
            commit=request.tree.head_commit,
            tree_commit=request.tree.tree_commit,
            digest=digest_plan(made.document, self._artifacts.digest_key),
            summary=summarize(made.document),
            dependencies=present,
            binary=binary,
            json_document=json_ref,
            text=text_ref,
            log=log_ref,
            text_preview=cut_middle(text, request.text_limit),
            destroy=request.destroy,
            destroys=destroyed_types(made.document),
            from_nothing=is_from_nothing(made.document),
        )

    async def _changes(self, record: PlanRecord) -> list[Change]:
        text = await self._artifacts.get_text(changes_of(record))
        return [Change.model_validate(each) for each in json.loads(text)]


def _waits_for(unit: Unit, present: tuple[DependencyOutputs, ...]) -> tuple[str, ...]:
    """The dependencies without which there is no plan, or none that anybody wants."""
    request = unit.request
    real_only = isinstance(request, PlanRequest) and not request.previews
    unwanted = (OutputsKind.MISSING, OutputsKind.MOCK) if real_only else (OutputsKind.MISSING,)
    return tuple(each.unit for each in present if each.kind in unwanted)


def _write_import(unit: Unit) -> None:
    """An import is planned like any other change, by a block in the run's own work tree."""
    shape = unit.request.shape
    if not shape.address:
        return
    try:
        block = import_block(shape.address, shape.resource_id)
    except ValueError as error:
        raise unit_failure(ErrorType.INVALID_INPUT, str(error)) from None
    (unit.folder / FILE).write_text(block, encoding="utf-8")


def _as_asked(unit: Unit, made: _Made) -> _Made:
    """Raises INVALID_INPUT where a target names nothing: Terraform would only say that there are no changes."""
    shape = unit.request.shape
    if problems := unmatched_targets(shape.targets, made.document):
        raise unit_failure(ErrorType.INVALID_INPUT, " ".join(problems))
    return dataclasses.replace(made, document=of_refresh(made.document)) if shape.refresh_only else made


def _redacted(made: _Made, redactor: Redactor) -> tuple[str, str, str, str]:
    """Text, log, JSON and the list of changes, fit to leave the worker."""
    triples: Json = [{**each.model_dump()} for each in changes(made.document)]
    return (
        redactor.text(plan_text(made.text)),
        redactor.text(clean_output(made.log)),
        json.dumps(redactor.document(mask_document(made.document))),
        json.dumps(redactor.document(triples)),
    )
