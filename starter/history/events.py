"""Histories and their events as a terminal shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from starter.history.listed import HistoryLine
from starter.run_display import plain_table, status_text
from starter.times import ago, at

_NOISE = ("WORKFLOW_TASK_",)
"""How Temporal and its workers talk; what was done stands in the other events."""


@dataclass(frozen=True)
class EventLine:
    number: int
    time: datetime
    kind: str
    what: str


def event_lines(history: WorkflowHistory) -> list[EventLine]:
    """The events that tell what was done; `--json` has all of them."""
    named: dict[int, str] = {}
    lines: list[EventLine] = []
    for event in history.events:
        kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
        what = _what(event) or named.get(_scheduled_by(event), "")
        named[event.event_id] = what
        if not kind.startswith(_NOISE):
            moment = event.event_time.ToDatetime().replace(tzinfo=UTC)
            lines.append(EventLine(event.event_id, moment, kind.replace("_", " ").lower(), what))
    return lines


def events_table(lines: Iterable[EventLine]) -> Table:
    table = plain_table("EVENT", "TIME", "WHAT HAPPENED", "OF")
    for line in lines:
        table.add_row(str(line.number), at(line.time), line.kind, line.what)
    return table


def histories_table(lines: Iterable[HistoryLine]) -> Table:
    table = plain_table("WORKFLOW", "TYPE", "STATUS", "STARTED", "EVENTS", "")
    for line in lines:
        table.add_row(
            line.workflow_id,
            line.workflow_type,
            status_text(line.status.lower()),
            ago(line.started_at),
            str(line.events or ""),
            "imported" if line.imported else "",
        )
    return table


def _what(event: HistoryEvent) -> str:
    """The name of the activity, signal, child or timer that an event is about."""
    names = (
        event.activity_task_scheduled_event_attributes.activity_type.name,
        event.workflow_execution_signaled_event_attributes.signal_name,
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id,
        event.child_workflow_execution_completed_event_attributes.workflow_execution.workflow_id,
        event.signal_external_workflow_execution_initiated_event_attributes.signal_name,
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name,
        event.workflow_execution_started_event_attributes.workflow_type.name,
        event.timer_started_event_attributes.timer_id,
        event.marker_recorded_event_attributes.marker_name,
    )
    return next(filter(None, names), "")


def _scheduled_by(event: HistoryEvent) -> int:
    """The event in which the name stands of what has begun or ended here; 0 where none does."""
    return (
        event.activity_task_started_event_attributes.scheduled_event_id
        or event.activity_task_completed_event_attributes.scheduled_event_id
        or event.activity_task_failed_event_attributes.scheduled_event_id
        or event.activity_task_timed_out_event_attributes.scheduled_event_id
        or event.activity_task_canceled_event_attributes.scheduled_event_id
        or event.timer_fired_event_attributes.started_event_id
        or event.external_workflow_execution_signaled_event_attributes.initiated_event_id
    )
