"""How one workflow tells another: by a signal, and whoever is gone meanwhile need not hear it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from docustack.events import pull_request_workflow_id
    from docustack.lock_messages import LockMessage, locks_workflow_id
    from docustack.model import Model
    from docustack.repository import Repository
    from docustack.runs import RunInput


async def tell(workflow_id: str, signal: str, message: Model) -> bool:
    """Signal a workflow; one that doesn't run is no failure of the one that tells. Has it heard?"""
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal(signal, message)
    except Exception as error:
        workflow.logger.info("%s did not hear %s: %s", workflow_id, signal, error)
        return False
    return True


async def tell_pull_request(start: RunInput, signal: str, message: Model) -> None:
    """From a run to the workflow of its pull request, if it has one."""
    if start.pull_request is not None:
        await tell(pull_request_workflow_id(start.repository, start.pull_request.number), signal, message)


async def tell_locks(repository: Repository, signal: str, message: LockMessage) -> None:
    """To the table of locks; where there is none, nothing is held or waited for."""
    await tell(locks_workflow_id(repository), signal, message)
