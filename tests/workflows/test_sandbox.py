"""What workflows may not do is refused while they run, although their modules are loaded only once."""

import uuid
from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.workflows.forbidden_deeds import DEEDS, Deed, Tries
from worker.wiring import workflow_runner


async def test_every_run_is_refused_what_would_differ_when_it_is_replayed(client: Client) -> None:
    refused: dict[str, str | None] = {}
    async with Worker(client, task_queue="sandbox", workflows=[Tries], workflow_runner=workflow_runner()):
        for name in DEEDS:
            try:
                await client.execute_workflow(
                    Tries.run,
                    Deed(name=name),
                    id=f"tries-{uuid.uuid4()}",
                    task_queue="sandbox",
                    execution_timeout=timedelta(minutes=1),
                )
            except WorkflowFailureError as failure:
                refused[name] = (
                    failure.cause.type if isinstance(failure.cause, ApplicationError) else str(failure.cause)
                )
    assert refused == dict.fromkeys(DEEDS.keys() - {"nothing"}, "RestrictedWorkflowAccessError")
