"""What a workflow was started with: the first event of its history, which Temporal keeps without any worker."""

from typing import TypeVar

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from docustack.runs import RunInput
from workflows.run_models import RunStart

T = TypeVar("T", bound=BaseModel)


async def read_start(client: Client, workflow_id: str, run_id: str) -> RunInput | None:
    """That of a run."""
    start = await read_input(client, workflow_id, run_id, RunStart)
    return start.input if start is not None else None


async def read_input(client: Client, workflow_id: str, run_id: str, kind: type[T]) -> T | None:
    """None where its history is no longer kept, or was written by a version with which it can't be read."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        first = await anext(handle.fetch_history_events(page_size=1))
        payloads = first.workflow_execution_started_event_attributes.input.payloads
        decoded = await client.data_converter.decode(payloads, [kind])
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    except (RuntimeError, ValueError, StopAsyncIteration):
        return None
    return decoded[0] if decoded and isinstance(decoded[0], kind) else None
