"""Writes histories from Temporal into a folder: whole, as they are there, and only what isn't in it yet."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from docustack.visibility import quoted
from starter.exit_codes import CommandFailed, ExitCode
from starter.history.manifest import (
    OPEN,
    HistoryEntry,
    Manifest,
    digest,
    file_of,
    write_manifest,
    write_whole,
)
from starter.run_lines import PREFIX


@dataclass
class Exported:
    """How many histories were new, were written again (gone on since, or damaged), and were there already."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


async def export(client: Client, folder: Path, known: Manifest, workflow_ids: Sequence[str]) -> Exported:
    """All workflows of the namespace, or those that are named, each with all its runs that Temporal still has.

    What the folder has already, as `known` says, and Temporal no longer knows stays in it.

    Raises:
        CommandFailed: NOT_FOUND, there is no such workflow.
        OSError: the folder can't be written.
    """
    entries = {entry.key: entry for entry in known.histories}
    counts = Exported()
    try:
        async for execution in _executions(client, workflow_ids):
            before = entries.get((execution.id, execution.run_id))
            is_whole = before is not None and _is_whole(folder, before)
            if before is not None and is_whole and before.status != OPEN:
                counts.unchanged += 1
                continue
            found = await _read(client, execution)
            if found is None:
                continue
            entry, text = found
            if before is None or not is_whole or before.sha256 != entry.sha256:
                write_whole(folder / entry.file, text)
                counts.new, counts.changed = counts.new + (before is None), counts.changed + (before is not None)
            else:
                counts.unchanged += 1
            entries[entry.key] = entry
    finally:  # what is written counts, also when the rest is interrupted
        write_manifest(folder, client.namespace, entries.values())
    return counts


async def _executions(client: Client, workflow_ids: Sequence[str]) -> AsyncIterator[WorkflowExecution]:
    if not workflow_ids:
        async for execution in client.list_workflows():
            yield execution
        return
    for workflow_id in dict.fromkeys(workflow_ids):
        found = False
        # A run's own id is what people read everywhere.
        names = ", ".join(map(quoted, (workflow_id, f"{PREFIX}{workflow_id}")))
        async for execution in client.list_workflows(f"WorkflowId IN ({names})"):
            found = True
            yield execution
        if not found:
            raise CommandFailed(
                f"Temporal has no workflow {workflow_id!r}.",
                "docustack history list shows those that it has.",
                code=ExitCode.NOT_FOUND,
            )


async def _read(client: Client, execution: WorkflowExecution) -> tuple[HistoryEntry, str] | None:
    """None where Temporal has removed it meanwhile."""
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        history = await handle.fetch_history()
        described = await handle.describe()
        if described.close_time is not None and described.history_length != len(history.events):
            history = await handle.fetch_history()  # it has ended in between
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    # Sorted: the order of a map's keys isn't always the same, and a digest has to be.
    text = json.dumps(json.loads(history.to_json()), indent=2, sort_keys=True)
    entry = HistoryEntry(
        workflow_id=described.id,
        run_id=described.run_id,
        workflow_type=described.workflow_type,
        status=described.status.name if described.status is not None else "",
        task_queue=described.task_queue,
        started_at=described.start_time,
        closed_at=described.close_time,
        events=len(history.events),
        search_attributes=_attributes(described),
        memo=_memo(described),
        file=file_of(execution.id, execution.run_id),
        sha256=digest(text),
    )
    return entry, text


def _is_whole(folder: Path, entry: HistoryEntry) -> bool:
    try:
        return digest((folder / entry.file).read_text(encoding="utf-8")) == entry.sha256
    except (OSError, UnicodeDecodeError):
        return False


def _attributes(execution: WorkflowExecution) -> dict[str, Any]:
    return {
        pair.key.name: pair.value if isinstance(pair.value, (str, int, float, bool, list)) else str(pair.value)
        for pair in execution.typed_search_attributes
    }


def _memo(execution: WorkflowExecution) -> dict[str, Any]:
    """As they are: whoever has encoded them can read them; in Temporal's own JSON form of a payload."""
    return {
        name: {
            "metadata": {key: _base64(value) for key, value in payload.metadata.items()},
            "data": _base64(payload.data),
        }
        for name, payload in execution.raw_info.memo.fields.items()
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
