"""Starts a workflow of which one at a time can work, and tells of it, or of the one that works already."""

from pydantic import BaseModel
from temporalio.exceptions import WorkflowAlreadyStartedError

from starter.api import Call
from starter.api_messages import WorkflowStarted
from workflows.policies import CONTROL_QUEUE


async def start_or_join(
    call: Call, workflow: str, signed: BaseModel, *, workflow_id: str, summary: str
) -> WorkflowStarted:
    """`signed` is the order, in the name of who calls; whether they may, the workflow judges."""
    try:
        handle = await call.connection.client.start_workflow(
            workflow, signed, id=workflow_id, task_queue=CONTROL_QUEUE, static_summary=summary
        )
    except WorkflowAlreadyStartedError as error:
        return WorkflowStarted(workflow_id=workflow_id, run_id=error.run_id or "", login=call.login, attached=True)
    return WorkflowStarted(workflow_id=workflow_id, run_id=handle.first_execution_run_id or "", login=call.login)
