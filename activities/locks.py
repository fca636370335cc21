"""Asks the table of locks over Temporal; a request starts it where it doesn't run yet."""

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.messages import ConfirmLocks, Nothing, RequestLocks
from docustack.lock_messages import Confirmation, LocksStart, locks_workflow_id

_CONTROL_QUEUE = "docustack"


class Locks:
    """The way from a run to the `LocksWorkflow` of its live repository.

    Signals and queries only: more than ten updates in flight make one workflow collapse.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn
    async def request_locks(self, question: RequestLocks) -> Nothing:
        """Signal a request, idempotent by its id; the answer comes as a signal to `answer_to`."""
        await self._client.start_workflow(
            "LocksWorkflow",
            LocksStart(repository=question.repository),
            id=locks_workflow_id(question.repository),
            task_queue=_CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="request",
            start_signal_args=[question.request],
            static_summary=f"Locks of {question.repository.full_name}",
        )
        return Nothing()

    @activity.defn
    async def confirm_locks(self, question: ConfirmLocks) -> Confirmation:
        """Ask, right before an apply, whether the tokens are still the units' grants."""
        handle = self._client.get_workflow_handle(locks_workflow_id(question.repository))
        try:
            answer: Confirmation = await handle.query("confirm", question.grants, result_type=Confirmation)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return Confirmation(confirmed=False)
            raise
        return answer
