"""Histories wherever they are: in Temporal, else in the record of those that were imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from docustack.model import Model
from starter.client import Connection, with_temporal
from starter.exit_codes import CommandFailed, ExitCode
from starter.history.manifest import HistoryEntry
from starter.history.opened import entries_at_hand, open_record
from starter.run_lines import PREFIX
from starter.surroundings import client_settings


class HistoryLine(Model):
    """One history, as `history list` has it."""

    workflow_id: str
    run_id: str
    workflow_type: str
    status: str
    started_at: datetime
    closed_at: datetime | None
    events: int | None  # None: Temporal tells it only of those that have ended
    imported: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.workflow_id, self.run_id


@dataclass(frozen=True)
class FoundHistory:
    history: WorkflowHistory
    is_imported: bool


async def from_temporal(connection: Connection, limit: int) -> list[HistoryLine]:
    return [
        HistoryLine(
            workflow_id=found.id,
            run_id=found.run_id,
            workflow_type=found.workflow_type,
            status=found.status.name if found.status is not None else "",
            started_at=found.start_time,
            closed_at=found.close_time,
            events=found.history_length or None,
            imported=False,
        )
        async for found in connection.client.list_workflows(limit=limit)
    ]


def from_record(entries: Mapping[tuple[str, str], HistoryEntry]) -> list[HistoryLine]:
    return [
        HistoryLine(**entry.model_dump(include=set(HistoryLine.model_fields)), imported=True)
        for entry in entries.values()
    ]


def read_history(name: str, run_id: str, *, imported: bool) -> FoundHistory:
    """Of a workflow's id or of a run's own.

    Raises:
        CommandFailed: NOT_FOUND, neither Temporal nor the record has it.
    """

    async def read(connection: Connection) -> WorkflowHistory | None:
        for workflow_id in names:
            try:
                return await connection.client.get_workflow_handle(workflow_id, run_id=run_id or None).fetch_history()
            except RPCError as error:
                if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
                    raise
        return None

    names = (name, f"{PREFIX}{name}")
    history = None if imported else with_temporal(read, waiting="Asking Temporal…")
    if history is not None:
        return FoundHistory(history, is_imported=False)
    settings = client_settings()
    known = entries_at_hand(settings)
    found = [entry for entry in known.values() if entry.workflow_id in names and (not run_id or entry.run_id == run_id)]
    if not found:
        where = "No imported workflow" if imported else "Neither Temporal nor the imported record has a workflow"
        raise CommandFailed(
            f"{where} {name!r}{f' with the run {run_id}' if run_id else ''}.",
            "docustack history list shows them.",
            code=ExitCode.NOT_FOUND,
        )
    newest = max(found, key=lambda entry: entry.started_at)
    return FoundHistory(open_record(settings).history(newest), is_imported=True)
