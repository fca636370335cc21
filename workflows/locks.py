"""One table a live repository of who holds which unit; asked, answered and released by signals."""

import asyncio
from collections.abc import Mapping, Sequence

from temporalio import workflow
from temporalio.common import RawValue

from workflows import policies, search_attributes
from workflows.calls import call
from workflows.telling import tell

with workflow.unsafe.imports_passed_through():
    from activities.locks import FindHoldings, Locks
    from docustack.lock_messages import (
        LOCK_ANSWER_SIGNAL,
        LOCKS_HELD_SIGNAL,
        Confirmation,
        ConfirmGrants,
        HeldByOthers,
        HolderEnded,
        LockMessage,
        LocksStart,
        OtherHolders,
        ReleaseLocks,
        WithdrawRequest,
        has_to_hear,
        held_by,
    )
    from docustack.locks import Grant, LockAnswer, LockRequest, LockTable
    from docustack.lost_locks import rebuilt


_UNKNOWN_SHOWN = 20


@workflow.defn(name="LocksWorkflow")
class LocksWorkflow:
    """Grants all of a request's units or none, first come first served (design, "Locks")."""

    @workflow.init
    def __init__(self, start: LocksStart) -> None:
        self._repository = start.repository
        self._is_whole = start.table is not None
        self._table = start.table.model_copy(deep=True) if start.table else LockTable()
        self._unknown: list[str] = []
        self._inbox = start.inbox.model_copy(deep=True)

    @workflow.run
    async def run(self, start: LocksStart) -> None:
        workflow.upsert_search_attributes([search_attributes.REPOSITORY.value_set(self._repository.full_name)])
        if not self._is_whole:
            await self._rebuild()
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

    @workflow.signal
    def holder_ended(self, ended: HolderEnded) -> None:
        self._inbox.requests.append(ended)

    @workflow.signal(dynamic=True)
    def from_temporal(self, name: str, payloads: Sequence[RawValue]) -> None:
        """What somebody sends from Temporal's own UI or CLI under a name that is none: shown there, no more."""
        workflow.logger.warning("signal of unknown name %r", name[:200])
        self._unknown = [*self._unknown[-_UNKNOWN_SHOWN + 1 :], name[:200]]
        self._show()

    @workflow.query
    def table(self) -> LockTable:
        return self._table

    @workflow.query
    def confirm(self, question: ConfirmGrants) -> Confirmation:
        confirmed = self._table.confirms(question.holder, question.tokens)
        return Confirmation(confirmed=confirmed, known=self._is_whole)

    @workflow.query
    def held_by_others(self, question: HeldByOthers) -> OtherHolders:
        return OtherHolders(grants=self._table.held_by_others(question.holder, question.units))

    async def _rebuild(self) -> None:
        """Begun without a table: either nobody has asked before, or it was ended from outside with all that it knew.

        Nothing is granted, freed or confirmed before everybody who runs was asked what is theirs.
        """
        question = FindHoldings(repository=self._repository)
        found = await call(
            Locks.find_holdings, question, summary=self._repository.full_name, policy=policies.LOST_LOCKS
        )
        self._table = rebuilt(found.memos, workflow.now())
        self._is_whole = True
        line, requests = self._table.line(), {request.request_id: request for request in self._table.queue}
        held = dict(self._table.grants)
        await self._settle({}, line, requests)
        await self._tell_holders(held, None)

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
            case HolderEnded():
                self._table.release_tokens(message.holder, message.tokens)
        await self._settle(answers, line, requests)
        await self._tell_holders(held, message)

    async def _settle(
        self, answers: dict[str, LockAnswer], line: dict[str, LockAnswer], requests: Mapping[str, LockRequest]
    ) -> None:
        """Grant what can be granted, until everybody has heard; `line` is what those who wait know of their places."""
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

    async def _answer(self, answers: Mapping[str, LockAnswer], requests: Mapping[str, LockRequest]) -> list[str]:
        """Tell the runs; those that have ended meanwhile can't hear, and keep nothing they did not hold before."""
        names = sorted(answers)
        heard = await asyncio.gather(
            *(tell(requests[name].answer_to, LOCK_ANSWER_SIGNAL, answers[name]) for name in names)
        )
        return [name for name, has_heard in zip(names, heard, strict=True) if not has_heard]

    async def _tell_holders(self, before: Mapping[str, Grant], message: LockMessage | None) -> None:
        """Pull requests that hold other units than before are told; one that gave up everything is about to end.

        A run without one knows what it was granted, and asks before each apply whether it still holds it.
        """
        now = self._table.grants
        changed = [unit for unit in {**before, **now} if before.get(unit) != now.get(unit)]
        grants = [grant for unit in changed for grant in (before.get(unit), now.get(unit)) if grant]
        holders = {grant.holder for grant in grants if grant.pull_request is not None}
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
            f"- `{grant.unit}`: {grant.holder_name} ({grant.actor}) since {grant.since:%Y-%m-%d %H:%M} UTC"
            for grant in held
        ]
        waiting = [
            f"{place}. {request.holder_name} ({request.actor}) waits for {len(request.units)} units"
            for place, request in enumerate(self._table.queue, 1)
        ]
        unknown = [f"There is no signal {name!r}: nothing followed from it." for name in self._unknown]
        shown = "\n".join([*lines, "", *waiting]).strip() or "No unit is locked."
        workflow.set_current_details("\n".join([shown, *unknown]))
