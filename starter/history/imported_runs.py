"""Imported runs as `docustack runs` shows them: from their start and their end, as they stand in their histories."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from temporalio.api.common.v1 import Payloads
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack import visibility
from docustack.runs import RunInput, RunResult
from starter.answers import RunDetail, RunLine
from starter.exit_codes import CommandFailed
from starter.found_runs import RunFilter
from starter.history.manifest import HistoryEntry
from starter.history.opened import entries_at_hand, open_record
from starter.history.record import Record
from starter.run_lines import PREFIX, run_detail, shown_status, unit_lines
from starter.surroundings import client_settings
from starter.times import now
from workflows.run_models import RunStart

_RUN = "RunWorkflow"
_CONTINUED = WorkflowExecutionStatus.CONTINUED_AS_NEW.name


def runs_of(entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    """The newest first; of a run that has continued as new its last part."""
    found = [entry for entry in entries if entry.workflow_type == _RUN and entry.status != _CONTINUED]
    return sorted(found, key=lambda entry: entry.started_at, reverse=True)


def with_imported(runs: Sequence[RunLine], wanted: RunFilter, limit: int) -> list[RunLine]:
    """The runs of Temporal, and those imported ones that it doesn't have; the newest first."""
    settings = client_settings()
    entries = entries_at_hand(settings)
    if not entries:
        return list(runs)
    there = {run.workflow_id for run in runs}
    others = [entry for entry in entries.values() if entry.workflow_id not in there]
    lines = [*runs, *imported_lines(open_record(settings), others, wanted, limit)]
    return sorted(lines, key=lambda run: run.started_at, reverse=True)[:limit]


def read_imported(name: str) -> RunDetail | None:
    """None where no imported run is meant."""
    settings = client_settings()
    entry = find_imported(entries_at_hand(settings).values(), name)
    return imported_detail(open_record(settings), entry) if entry is not None else None


def imported_lines(record: Record, entries: Iterable[HistoryEntry], wanted: RunFilter, limit: int) -> list[RunLine]:
    lines: list[RunLine] = []
    for entry in runs_of(entries):
        if len(lines) == limit:
            break
        if _is_wanted(line := _line(entry, None), wanted):
            start = _start_of(record.history(entry))
            lines.append(_line(entry, start) if start is not None else line)
    return lines


def imported_detail(record: Record, entry: HistoryEntry) -> RunDetail:
    """Raises CommandFailed: its start can't be read."""
    history = record.history(entry)
    start = _start_of(history)
    if start is None:
        raise CommandFailed(
            f"What run {entry.workflow_id} was started with can't be read.",
            f"docustack history show {entry.workflow_id} has its events.",
        )
    result = _result_of(history)
    if result is None:
        return run_detail(_line(entry, start), start, message="", units=(), complete=False)
    line = _line(entry, start).model_copy(update={"status": result.status.value})
    units = unit_lines({}, result.outcomes)
    return run_detail(line, start, message=result.message, units=units, commit=result.head_commit)


def find_imported(entries: Iterable[HistoryEntry], name: str) -> HistoryEntry | None:
    """By a run's id, or its first characters where only one begins so."""
    wanted = name.removeprefix(PREFIX)
    runs = {entry.workflow_id.removeprefix(PREFIX): entry for entry in reversed(runs_of(entries))}
    if wanted in runs:
        return runs[wanted]
    beginning = [run_id for run_id in runs if wanted and run_id.startswith(wanted)]
    return runs[beginning[0]] if len(beginning) == 1 else None


def _line(entry: HistoryEntry, start: RunInput | None) -> RunLine:
    attributes = entry.search_attributes
    status = WorkflowExecutionStatus[entry.status] if entry.status in WorkflowExecutionStatus.__members__ else None
    number = attributes.get(visibility.PULL_REQUEST)
    return RunLine(
        run_id=entry.workflow_id.removeprefix(PREFIX),
        workflow_id=entry.workflow_id,
        operation=start.operation if start else None,
        status=shown_status(status, attributes.get(visibility.STATUS)),
        repository=start.repository.full_name if start else attributes.get(visibility.REPOSITORY, ""),
        pull_request=start.number if start else number,
        actor=start.actor if start else attributes.get(visibility.ACTOR, ""),
        automatic=start.automatic if start else False,
        directories=start.directories if start else (),
        environments=tuple(attributes.get(visibility.ENVIRONMENT, ())),
        units=tuple(attributes.get(visibility.UNITS, ())),
        started_at=entry.started_at,
        ended_at=entry.closed_at,
        seconds=round(((entry.closed_at or now()) - entry.started_at) / timedelta(seconds=1), 1),
        imported=True,
    )


def _is_wanted(line: RunLine, wanted: RunFilter) -> bool:
    asked = (
        (wanted.environment, line.environments),
        (wanted.unit, line.units),
        (wanted.status, (line.status,)),
        (wanted.actor, (line.actor,)),
        (wanted.repository, (line.repository,)),
        (wanted.pull_request, (line.pull_request,)),
    )
    return all(value is None or value in values for value, values in asked)


def _start_of(history: WorkflowHistory) -> RunInput | None:
    start = _decoded(history.events[0].workflow_execution_started_event_attributes.input, RunStart)
    return start.input if isinstance(start, RunStart) else None


def _result_of(history: WorkflowHistory) -> RunResult | None:
    """None of a run that hasn't ended by itself."""
    ended = history.events[-1].workflow_execution_completed_event_attributes
    result = _decoded(ended.result, RunResult) if ended.result.payloads else None
    return result if isinstance(result, RunResult) else None


def _decoded(payloads: Payloads, kind: type) -> object | None:
    """None where a codec has encrypted it, or another version has written it."""
    try:
        values = pydantic_data_converter.payload_converter.from_payloads(payloads.payloads, [kind])
    except (RuntimeError, ValueError, KeyError):
        return None
    return values[0] if values else None
