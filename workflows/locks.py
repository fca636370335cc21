"""One table a live repository of which pull request holds which unit; asked, answered and released by signals."""

import asyncio
from collections.abc import Mapping

from temporalio import workflow

from workflows import search_attributes
from workflows.telling import tell

with workflow.unsafe.imports_passed_through():
    from docustack.lock_messages import (
        LOCK_ANSWER_SIGNAL,
        LOCKS_HELD_SIGNAL,
        Confirmation,
        ConfirmGrants,
        LockMessage,
        LocksStart,
        ReleaseLocks,
        WithdrawRequest,
        has_to_hear,
        held_by,
    )
    from docustack.locks import Grant, LockAnswer, LockRequest, LockTable


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

    async def _act(self, message: LockMessage) -> None:
        """Change the table, and tell all whom it concerns: who asked, whose turn it is, whose place is another now."""
        held, line = dict(self._table.grants), self._table.line()
        requests = {request.request_id: request for request in self._table.queue}
        answers: dict[str, LockAnswer] = {}
        match message:
            case LockRequest():
                requests[message.request_id] = message
                answers[message.request_id] = self._table.request(message, workflow.now())
            case ReleaseLocks():
                self._table.release(message.holder, message.units, message.but_not)
                if message.units is None:
                    self._table.withdraw_holder(message.holder)
            case WithdrawRequest():
                self._table.withdraw(message.request_id)
        while True:
            for granted in self._table.grant_ready(workflow.now()):
                answers[granted.request_id] = self._table.answer(granted)
            if not answers:  # whoever can have a turn has it: now the others hear how they stand
                now = self._table.line()
                answers = {name: now[name] for name in now.keys() & line.keys() if has_to_hear(line[name], now[name])}
                line = now
            if not answers:
                break
            for request_id in await self._answer(answers, requests):
                self._table.withdraw(request_id)  # what it wanted or took may be what others wait for
            answers = {}
        await self._tell_holders(held, message)

    async def _answer(self, answers: Mapping[str, LockAnswer], requests: Mapping[str, LockRequest]) -> list[str]:
        """Tell the runs; those that have ended meanwhile can't hear, and keep nothing they did not hold before."""
        names = sorted(answers)
        heard = await asyncio.gather(
            *(tell(requests[name].answer_to, LOCK_ANSWER_SIGNAL, answers[name]) for name in names)
        )
        return [name for name, has_heard in zip(names, heard, strict=True) if not has_heard]

    async def _tell_holders(self, before: Mapping[str, Grant], message: LockMessage) -> None:
        """Who holds other units than before is told; one that has given up everything is about to end."""
        now = self._table.grants
        changed = [unit for unit in {**before, **now} if before.get(unit) != now.get(unit)]
        holders = {grant.holder for unit in changed for grant in (before.get(unit), now.get(unit)) if grant}
        released = message if isinstance(message, ReleaseLocks) else None
        if released is not None and released.units is None and not released.but_not:
            holders.discard(released.holder)
        await asyncio.gather(
            *(
                tell(holder, LOCKS_HELD_SIGNAL, held_by(self._table, holder, before, released))
                for holder in sorted(holders)
            )
        )

    def _show(self) -> None:
        held = sorted(self._table.grants.values(), key=lambda grant: grant.unit)
        lines = [
            f"- `{grant.unit}`: #{grant.pull_request} ({grant.actor}) since {grant.since:%Y-%m-%d %H:%M} UTC"
            for grant in held
        ]
        waiting = [
            f"{place}. #{request.pull_request} ({request.actor}) waits for {len(request.units)} units"
            for place, request in enumerate(self._table.queue, 1)
        ]
        workflow.set_current_details("\n".join([*lines, "", *waiting]).strip() or "No unit is locked.")
