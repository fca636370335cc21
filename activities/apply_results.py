"""Reads how an apply ended: its redacted answer, or the error that tells what went wrong and what to do."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import runner
from activities.apply_folder import ApplyFolder
from activities.apply_records import ApplyRecords
from activities.artifacts import ArtifactStore
from activities.disclosure import Disclosure, Look, ShowFailed, artifact_prefix
from activities.planning import Planning
from activities.terragrunt_messages import ApplyAnswer, ApplyRequest, FailureDetails
from activities.unit_work import Unit, unit_failure
from activities.unwritten_states import UnwrittenStates
from docustack.errors import ErrorType
from docustack.model import Model
from docustack.plan_document import Json, parse_document
from docustack.plan_text import applied_summary, apply_text, cut_middle
from docustack.plans import PlanSummary
from docustack.redaction import Redactor
from docustack.role_sessions import withheld
from docustack.sensitive import Marked, Secret
from docustack.terragrunt_errors import classify, clean_output
from docustack.unwritten_states import UnwrittenState, was_left

Secrets = Awaitable[tuple[Look, set[Secret]]]


class _Result(Model):
    """What the activity answers, kept in the folder (redacted) for a retry whose first answer was lost."""

    answer: ApplyAnswer | None = None
    error_type: ErrorType = ErrorType.FAILED
    message: str = ""
    details: FailureDetails | None = None

    def open(self) -> ApplyAnswer:
        if self.answer is None:
            # An apply is never repeated by a policy, whatever made it fail: state may be written in part.
            raise unit_failure(self.error_type, self.message, self.details, retry=False)
        return self.answer


class ApplyResults:
    """Results of applies that ran under a runner."""

    def __init__(
        self, planning: Planning, disclosure: Disclosure, artifacts: ArtifactStore, unwritten: UnwrittenStates
    ) -> None:
        self._planning = planning
        self._unwritten = unwritten
        self._disclosure = disclosure
        self._artifacts = artifacts
        self._records = ApplyRecords(artifacts)

    def known(self, folder: ApplyFolder) -> ApplyAnswer | None:
        """The answer that an earlier attempt has read already; raises as that one did."""
        path = folder.path / "result.json"
        return _Result.model_validate_json(path.read_text()).open() if path.is_file() else None

    async def read(self, unit: Unit, folder: ApplyFolder, exit_: runner.Exit, secrets: Secrets) -> ApplyAnswer:
        """The answer; raises an `ApplicationError` where the apply didn't succeed."""
        request = unit.request
        assert isinstance(request, ApplyRequest)
        left = await self._unwritten.find(unit)
        # Whatever Terraform says of how it ended: first of all, while nothing else can fail, this state is made safe.
        if states := await self._unwritten.keep(unit, left):
            result = await self._left_unwritten(unit, folder, exit_, secrets, states, left)
        else:
            result = await self._ended(unit, folder, exit_, secrets)
        await asyncio.to_thread(runner.write_whole, folder.path / "result.json", result.model_dump(mode="json"))
        for path in left:
            path.unlink(missing_ok=True)
        with contextlib.suppress(Exception) if states else contextlib.nullcontext():
            await self._close_record(request, exit_)
        await asyncio.to_thread(folder.forget_secrets)
        return result.open()

    async def _ended(
        self, unit: Unit, folder: ApplyFolder, exit_: runner.Exit, secrets: Secrets, left: Sequence[Path] = ()
    ) -> _Result:
        request = unit.request
        assert isinstance(request, ApplyRequest)
        redactor = await self._redactor(unit, folder, exit_, secrets, left)
        output = redactor.text(clean_output(await asyncio.to_thread(folder.output)))
        summary = applied_summary(output)
        if unit.blind:
            output = withheld(unit.blind)
        log = await self._artifacts.put_text(f"{artifact_prefix(unit, 'apply')}/apply.log", output)
        if exit_["code"] == 0:
            text = cut_middle(apply_text(output), request.text_limit)
            return _Result(answer=ApplyAnswer(summary=summary or PlanSummary(), text=text, log=log))
        return _failed(request, output, log, exit_)

    async def _left_unwritten(
        self,
        unit: Unit,
        folder: ApplyFolder,
        exit_: runner.Exit,
        secrets: Secrets,
        states: Sequence[UnwrittenState],
        left: Sequence[Path],
    ) -> _Result:
        """Told also where what is told usually can't be found out: the artifact store may be away with the backend."""
        details, why = FailureDetails(), ""
        try:
            ended = await self._ended(unit, folder, exit_, secrets, left)
            details, why = ended.details or details, _why_not_written(ended)
        except Exception as error:
            activity.logger.warning("the output of the apply of %s is not told: %s", unit.request.unit, error)
        ended_by = f"Its apply {_REASONS[exit_['reason']][1]}. " if exit_["reason"] else ""
        assert isinstance(unit.request, ApplyRequest)
        message = was_left(states, why, ended=ended_by.format(minutes=unit.request.timeout_minutes))
        return _Result(error_type=ErrorType.UNWRITTEN_STATE, message=message, details=details)

    async def secrets(self, unit: Unit) -> tuple[Look, set[Secret]]:
        """What the unit gets from its dependencies, found out while the apply runs; it never makes one fail."""
        try:
            look = await self._planning.recent_look(unit)
            return look, await self._disclosure.dependency_secrets(unit, look)
        except ApplicationError as error:
            activity.logger.warning("secrets of the dependencies of %s: %s", unit.request.unit, error.message)
            return Look(), set()

    async def _redactor(
        self, unit: Unit, folder: ApplyFolder, exit_: runner.Exit, found: Secrets, left: Sequence[Path]
    ) -> Redactor:
        look, more = await found
        marked = await self._marked(unit, folder)
        documents: list[Json] = []
        if exit_["code"] == 0 and marked is not None:
            self._disclosure.remember_outputs(unit, marked)
        if exit_["code"] != 0 or marked is None or marked.more_to_come:
            documents = await self._disclosure.state_documents(unit, look)
        for path in left:  # what the backend doesn't have
            with contextlib.suppress(ShowFailed, ValueError, TimeoutError):
                documents.append(parse_document(await self._disclosure.show(unit, path, as_json=True)))
        return await self._disclosure.redactor(unit, look, documents, more | (marked.values if marked else set()))

    async def _marked(self, unit: Unit, folder: ApplyFolder) -> Marked | None:
        """What the plan marks as sensitive; asked of Terraform where nothing is on record beside the plan."""
        assert isinstance(unit.request, ApplyRequest)
        known = await self._planning.marked(unit.request.plan)
        if known is not None:
            return known
        with contextlib.suppress(ShowFailed, ValueError, TimeoutError):
            return Marked.in_plan(parse_document(await self._disclosure.show(unit, folder.plan, as_json=True)))
        return None

    async def _close_record(self, request: ApplyRequest, exit_: runner.Exit) -> None:
        record = await self._records.of_plan(request.plan)
        if record is not None and record.ended_at is None:
            ended_at = datetime.fromtimestamp(exit_["at"], UTC)
            await self._records.update(record.model_copy(update={"ended_at": ended_at}))


def _why_not_written(ended: _Result) -> str:
    """What the backend said, in Terraform's own words."""
    text = ended.details.text if ended.details else ""
    found = re.search(r"Error saving state: (.*?)(?:\n\n|\nError: |\Z)", text, re.DOTALL)
    said = " ".join(found[1].split()) if found else ""
    return re.sub(r"(?:RequestID|HostID): \S*,? ?", "", said)[:300].rstrip(". ")


_REASONS = {
    "cancelled": (ErrorType.CANCELLED, "was cancelled"),
    "timeout": (ErrorType.TIMEOUT, "took longer than its {minutes} minutes and was interrupted"),
    "lease": (ErrorType.INTERRUPTED, "was interrupted, because its worker was gone for too long"),
    "credentials": (ErrorType.INTERRUPTED, "was interrupted, because the session of its role was about to end"),
    "drained": (ErrorType.INTERRUPTED, "was interrupted, because its worker was told to stop"),
    "terminated": (ErrorType.INTERRUPTED, "was interrupted, because its machine was shutting down"),
}


def _failed(request: ApplyRequest, output: str, log: str, exit_: runner.Exit) -> _Result:
    found = classify(output, "terragrunt apply", request.unit, request.environment.profile)
    details = FailureDetails(text=cut_middle(found.lines, request.text_limit), log=log, state_lock=found.state_lock)
    if not exit_["reason"]:
        return _Result(error_type=found.type, message=found.message, details=details)
    error_type, what = _REASONS[exit_["reason"]]
    message = f"The apply of {request.unit} {what.format(minutes=request.timeout_minutes)}. "
    if exit_["killed"]:
        error_type = ErrorType.INTERRUPTED
        message += (
            "It did not stop in time and was killed: its state may need a look, and its lock may be left "
            "(`terrateam unlock`). A new plan shows what is there."
        )
    elif found.type is ErrorType.UNWRITTEN_STATE:
        error_type = ErrorType.UNWRITTEN_STATE
        message += f"Terraform could not write its state.\n{found.advice}"
    elif not output.strip():
        message += "Nothing was begun."
    else:
        message += "Terraform finished what it had in hand and wrote its state; a new plan shows what remains."
    return _Result(error_type=error_type, message=message, details=details)
