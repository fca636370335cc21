"""One table a live repository of which pull request holds which unit; asked, answered and released by signals."""

import asyncio

from temporalio import workflow

from workflows import search_attributes

with workflow.unsafe.imports_passed_through():
    from docustack.locks import (
        Confirmation,
        ConfirmGrants,
        LockAnswer,
        LockRequest,
        LocksStart,
        LockTable,
        ReleaseLocks,
        WithdrawRequest,
    )


@workflow.defn(name="LocksWorkflow")
class LocksWorkflow:
    """Grants all of a request's units or none, first come first served (design, "Locks")."""

    @workflow.init
    def __init__(self, start: LocksStart) -> None:
        self._repository = start.repository
        self._table = start.table.model_copy(deep=True)
        self._inbox = start.inbox.model_copy(deep=True)

    @workflow.run
    async def run(self, start: LocksStart) -> None:
        workflow.upsert_search_attributes([search_attributes.REPOSITORY.value_set(self._repository.full_name)])
        while True:
            await workflow.wait_condition(
                lambda: bool(self._inbox.requests) or workflow.info().is_continue_as_new_suggested()
            )
            while self._inbox.requests and not workflow.info().is_continue_as_new_suggested():
                await self._act(self._inbox.requests.pop(0))
            self._show()
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(LocksStart(repository=self._repository, table=self._table, inbox=self._inbox))

    @workflow.signal
    def request(self, request: LockRequest) -> None:
        self._inbox.requests.append(request)

    @workflow.signal
    def release(self, release: ReleaseLocks) -> None:
        self._inbox.requests.append(release)

    @workflow.signal
    def withdraw(self, withdraw: WithdrawRequest) -> None:
        self._inbox.requests.append(withdraw)

    @workflow.query
    def table(self) -> LockTable:
        return self._table

    @workflow.query
    def confirm(self, question: ConfirmGrants) -> Confirmation:
        return Confirmation(confirmed=self._table.confirms(question.holder, question.tokens))

    async def _act(self, message: LockRequest | ReleaseLocks | WithdrawRequest) -> None:
        if isinstance(message, LockRequest):
            await self._answer(message, self._table.request(message, workflow.now()))
        elif isinstance(message, ReleaseLocks):
            self._table.release(message.holder, message.units, message.but_not)
            if message.units is None:
                self._table.withdraw_holder(message.holder)
        else:
            self._table.withdraw(message.request_id)
        # An answer that nobody hears gives its units back, and they may be what others wait for.
        while granted := self._table.grant_ready(workflow.now()):
            for request in granted:
                await self._answer(request, self._table.answer(request))

    async def _answer(self, request: LockRequest, answer: LockAnswer) -> None:
        """Tell the run; one that has ended meanwhile can't hear, and keeps nothing it did not hold before."""
        try:
            await workflow.get_external_workflow_handle(request.answer_to).signal("lock_answer", answer)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            workflow.logger.info("%s did not hear its answer: %s", request.answer_to, error)
            self._table.withdraw(request.request_id)

    def _show(self) -> None:
        held = sorted(self._table.grants.values(), key=lambda grant: grant.unit)
        lines = [
            f"- `{grant.unit}`: #{grant.pull_request} ({grant.actor}) since {grant.since:%Y-%m-%d %H:%M} UTC"
            for grant in held
        ]
        workflow.set_current_details("\n".join(lines) or "No unit is locked.")
