"""Asks the table of locks over Temporal; a request starts it where it doesn't run yet."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from docustack.errors import ErrorType
from docustack.lock_messages import (
    LOCKS_MEMO,
    Confirmation,
    ConfirmGrants,
    HeldByOthers,
    LockMessage,
    LocksMemo,
    LocksStart,
    OtherHolders,
    ReleaseLocks,
    locks_workflow_id,
)
from docustack.locks import LockRequest
from docustack.model import Model, Nothing
from docustack.packing import Packed
from docustack.repository import Repository
from docustack.visibility import lock_holders, runs_since

_CONTROL_QUEUE = "docustack"
_AT_ONCE = 20
_NOTICED_WITHIN = timedelta(seconds=15)
"""In which an activity of a workflow that was terminated hears of that with its heartbeat."""


class RequestLocks(Model):
    """Signal a request to the table of a live repository."""

    repository: Repository
    request: LockRequest


class GiveUpLocks(Model):
    """Tell the table that somebody gives units up; one that was lost is brought back to hear of it."""

    repository: Repository
    release: ReleaseLocks


class FindHoldings(Model):
    """Who holds or wants what in a live repository, by their own word?"""

    repository: Repository


class Holdings(Model):
    memos: Packed[tuple[LocksMemo, ...]] = ()


class FindEnded(Model):
    """Which of these holders (workflow ids, with the number of the pull request, if it is one) are no more?"""

    repository: Repository
    holders: dict[str, int | None]


class Ended(Model):
    holders: tuple[str, ...] = ()


class ConfirmLocks(Model):
    """Ask whether tokens are still the units' grants."""

    repository: Repository
    grants: ConfirmGrants


class AskOtherHolders(Model):
    """Ask who else holds units that a run will want."""

    repository: Repository
    question: HeldByOthers


class Locks:
    """The way from a run to the `LocksWorkflow` of its live repository.

    Signals and queries only: more than ten updates in flight make one workflow collapse.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn
    async def request_locks(self, question: RequestLocks) -> Nothing:
        """Signal a request, idempotent by its id; the answer comes as a signal to `answer_to`."""
        await self._tell(question.repository, "request", question.request)
        return Nothing()

    @activity.defn
    async def give_up_locks(self, question: GiveUpLocks) -> Nothing:
        """Signal a release. Where the table was lost it would else be put together with what is given up here."""
        await self._tell(question.repository, "release", question.release)
        return Nothing()

    async def _tell(self, repository: Repository, signal: str, message: LockMessage) -> None:
        await self._client.start_workflow(
            "LocksWorkflow",
            LocksStart(repository=repository),
            id=locks_workflow_id(repository),
            task_queue=_CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=signal,
            start_signal_args=[message],
            static_summary=f"Locks of {repository.full_name}",
        )

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
        if not answer.known:
            raise ApplicationError("The table of locks is being put together again.", type=ErrorType.UNAVAILABLE.value)
        return answer

    @activity.defn
    async def find_other_holders(self, question: AskOtherHolders) -> OtherHolders:
        """Who holds them now, without asking for them; nobody, where nobody has asked for a lock yet."""
        handle = self._client.get_workflow_handle(locks_workflow_id(question.repository))
        try:
            answer: OtherHolders = await handle.query("held_by_others", question.question, result_type=OtherHolders)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return OtherHolders()
            raise
        return answer

    @activity.defn
    async def find_holdings(self, question: FindHoldings) -> Holdings:
        """What all that runs shows of itself: by visibility who that is, and from the server what it shows now."""
        running = [found.id async for found in self._client.list_workflows(lock_holders(question.repository))]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def memo_of(workflow_id: str) -> LocksMemo:
            async with gate:
                described = await self._client.get_workflow_handle(workflow_id).describe()
            if described.status is not WorkflowExecutionStatus.RUNNING:
                return LocksMemo()
            shown: LocksMemo = await described.memo_value(LOCKS_MEMO, LocksMemo(), type_hint=LocksMemo)
            return shown

        memos = await asyncio.gather(*map(memo_of, running))
        return Holdings(memos=tuple(memo for memo in memos if memo.grants or memo.request))

    @activity.defn
    async def find_ended(self, question: FindEnded) -> Ended:
        """Holders whose workflow is no more, and no run of theirs either, for longer than an activity could live on."""
        since = datetime.now(UTC) - _NOTICED_WITHIN

        async def has_ended(workflow_id: str, pull_request: int | None) -> bool:
            try:
                described = await self._client.get_workflow_handle(workflow_id).describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                if described.close_time is None or described.close_time > since:
                    return False
            if pull_request is None:  # the holder is the run itself
                return True
            query = runs_since(question.repository, pull_request, since)
            return not [run.id async for run in self._client.list_workflows(query)]

        ended = await asyncio.gather(*(has_ended(*each) for each in question.holders.items()))
        return Ended(holders=tuple(holder for holder, gone in zip(question.holders, ended, strict=True) if gone))
