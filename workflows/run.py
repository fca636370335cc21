"""One operation over a set of units at one commit: the only place that plans or applies."""

import asyncio
import contextlib
from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

from workflows import gate, search_attributes
from workflows.accounts import refuse_wrong_accounts
from workflows.apply_order import refuse_what_is_behind, refuse_what_others_applied_meanwhile
from workflows.applying import all_waves, apply_wave, remaining_waves
from workflows.believing import believe_order, believe_scope, refuse_what_nobody_began
from workflows.choosing import choose_units, choose_what_to_apply
from workflows.decisions import Decisions
from workflows.deletions import look_at_deletions
from workflows.ending import end_run
from workflows.locking import LockAnswers, take_locks, take_over
from workflows.manual import (
    choose_ordered_units,
    look_at_destruction,
    put_off_plans,
    refuse_what_is_never_applied,
    settle_plans,
)
from workflows.merging import (
    choose_what_is_owed,
    leave_out_what_others_applied_meanwhile,
)
from workflows.orphans import hold_who_let_go, plan_orphans
from workflows.outputs import read_outputs
from workflows.planning import drop_what_may_not_be_planned, plan_units
from workflows.preparing import find_ordered_units, find_units, read_rules
from workflows.renewing import choose_outdated
from workflows.reporting import ONE_COMMENT_EACH, Report
from workflows.rules import mark_new_rules, show_other_rules
from workflows.run_state import Refused, Run
from workflows.together import to_its_end
from workflows.turns import take_turn
from workflows.unlocking import unlock

with workflow.unsafe.imports_passed_through():
    from docustack.checks import running_check
    from docustack.locks import LockAnswer
    from docustack.run_remarks import remarks_comment
    from docustack.runs import Operation, RunResult, UnitPhase
    from docustack.signed_approvals import ApprovalAnswer, SignedApproval, Verdict
    from docustack.slack_messages import (
        apply_started,
        plan_started,
    )
    from docustack.units import DependencyCycle
    from workflows.run_models import LookAgain, RunStart, RunState, RunView, YourTurn

BATCH = 40
"""Units planned between two chances to continue as new."""


@workflow.defn(name="RunWorkflow")
class RunWorkflow:
    """Prepare, then plan, or gate, lock and apply wave by wave, or unlock; report; tell the pull request."""

    @workflow.init
    def __init__(self, start: RunStart) -> None:
        state = start.carried.model_copy(deep=True) if start.carried else RunState()
        self._run = Run(start.input, state)
        self._word = start.word
        self._report = Report(self._run)
        self._locks = LockAnswers()
        self._decisions = Decisions(self._run, self._report)
        if state.started_at is None:
            state.quiet = start.input.only_outdated
            state.started_at = workflow.info().start_time

    @workflow.run
    async def run(self, start: RunStart) -> RunResult:
        problem: BaseException | None = None
        try:
            refuse_what_nobody_began(start)
            await self._carry_out()
        except (Exception, asyncio.CancelledError) as error:
            problem = error
        result = await to_its_end(end_run(self._run, self._report, self._locks, problem))
        with contextlib.suppress(asyncio.CancelledError):  # who cancels a run that has ended won't wait for Slack
            await self._report.slack.flush()
        await to_its_end(self._settle())
        return result

    # ---- signals and queries -----------------------------------------------------------------------------------------

    @workflow.signal
    def look_again(self, message: LookAgain) -> None:
        if message.actor:
            self._run.commanded.append((message.actor, workflow.now()))
        self._run.wakes += 1

    @workflow.signal
    def your_turn(self, message: YourTurn) -> None:
        self._run.state.has_turn = True

    @workflow.signal
    def lock_answer(self, answer: LockAnswer) -> None:
        self._locks.heard(answer)
        if answer.granted and self._run.state.tokens and answer.request_id not in self._locks.beside:
            take_over(self._run, answer)

    @workflow.signal(dynamic=True)
    async def from_temporal(self, name: str, payloads: Sequence[RawValue]) -> None:
        """`approve` and `reject` from Temporal's own UI or CLI, and every name that is none, whatever they carry.

        Undecoded, and without handlers of their own: the SDK would drop an input that can't be decoded, and stop at
        one too many.
        """
        await self._decisions.hear(name, payloads)

    @workflow.update
    async def approve(self, signed: SignedApproval) -> ApprovalAnswer:
        """The twin of the signal, from our server, which has verified who it is; answered at once."""
        return await self._decisions.take(signed, Verdict.APPROVE)

    @approve.validator
    def _may_be_approved(self, signed: SignedApproval) -> None:
        self._decisions.validate(signed, Verdict.APPROVE)

    @workflow.update
    async def reject(self, signed: SignedApproval) -> ApprovalAnswer:
        return await self._decisions.take(signed, Verdict.REJECT)

    @reject.validator
    def _may_be_rejected(self, signed: SignedApproval) -> None:
        self._decisions.validate(signed, Verdict.REJECT)

    @workflow.update(name="cancel")
    async def may_cancel(self, signed: SignedApproval) -> ApprovalAnswer:
        """Who may have the run cancelled, and that they have: the server then cancels it, as Temporal's UI does."""
        return await self._decisions.take(signed, Verdict.CANCEL)

    @may_cancel.validator
    def _may_be_cancelled(self, signed: SignedApproval) -> None:
        self._decisions.validate(signed, Verdict.CANCEL)

    @workflow.query
    def show(self) -> RunView:
        state = self._run.state
        return RunView(
            input=self._run.start.model_copy(update={"plans": ()}),  # an answer has at most 2 MB
            status=state.status,
            message=state.message,
            units={unit: state.phases.get(unit, UnitPhase.WAITING) for unit in state.selected},
            outcomes=tuple(state.outcomes.values()),
            started_at=state.started_at or workflow.info().start_time,
            plans=self._decisions.asked().plans,
            shown=tuple(state.shown.values()),
            decisions=tuple(state.decisions),
            waves=self._waves(),
            commit=self._run.head_commit,
            base_ref=self._run.base_ref,
            notes=tuple(state.notes),
        )

    def _waves(self) -> tuple[tuple[str, ...], ...]:
        state = self._run.state
        if state.discovery is None or not state.selected:
            return ()
        try:
            return tuple(tuple(wave) for wave in all_waves(self._run))
        except DependencyCycle:
            return (tuple(state.selected),)

    # ---- the run -----------------------------------------------------------------------------------------------------

    async def _carry_out(self) -> None:
        run, report = self._run, self._report
        report.slack.speak()
        if run.state.tree is None:
            if run.start.manual is not None:
                await believe_order(run, self._word)
            await read_rules(run)
            if self._word is not None:
                await believe_scope(run, self._word)
            await self._find_units()
        match run.start.operation:
            case Operation.PLAN:
                await self._plan()
            case Operation.UNLOCK:
                await unlock(run, report)
            case Operation.OUTPUT:
                await read_outputs(run, report)
            case _:
                if run.start.manual is None or await self._plan_order():
                    await self._apply()

    async def _find_units(self) -> None:
        run = self._run
        if run.start.manual is not None:
            # By these it is found when it holds units and the table of locks has to be put together again.
            workflow.upsert_search_attributes(
                search_attributes.of_order(run.start.repository.full_name, run.start.actor)
            )
            await find_ordered_units(run, run.start.manual, on_branch=self._word is not None)
            choose_ordered_units(run, run.start.manual)
            return
        if run.is_unwanted_draft:
            raise Refused("This pull request is a draft; it is planned once it is ready for review.", on_check=True)
        await find_units(run)
        if run.start.operation is not Operation.UNLOCK:
            await look_at_deletions(run)
        choose_units(run)

    async def _plan(self) -> None:
        run, report = self._run, self._report
        if run.state.quiet and not await choose_outdated(run, report):
            await show_other_rules(run, report)
            return
        if not run.state.outcomes:
            await drop_what_may_not_be_planned(run)  # who is refused leaves the check as it was
            await take_turn(run)
            await refuse_wrong_accounts(run)
            report.check.set(running_check(Operation.PLAN, len(run.state.selected)))
            if run.state.selected and run.start.manual is None:
                report.slack.say(plan_started(run.state.selected))
            body = remarks_comment(run.discovery, run.state.remarks)
            if (
                body and run.start.manual is None and not run.start.only_outdated
            ):  # else it has been said with the plans before
                report.say("remarks", body)
            mark_new_rules(run, report)
        report.status()
        await self._plan_selected()
        report.summarize()

    async def _plan_selected(self) -> None:
        run = self._run
        while left := [unit for unit in run.state.selected if unit not in run.state.outcomes]:
            run.stop_if_cancelled()
            await plan_units(run, self._report, left[:BATCH])
            await self._maybe_continue_as_new()

    async def _plan_order(self) -> bool:
        """What an order would change, before anybody is asked for a yes; is there anything to go on with?"""
        run = self._run
        if run.state.planned:
            return True
        if not run.state.outcomes:
            refuse_what_is_never_applied(run)
            await gate.refuse_at_once(run, run.environments())
            await refuse_wrong_accounts(run)
            if run.start.operation is Operation.DESTROY:
                await look_at_destruction(run)
            put_off_plans(run)
            self._report.status()
        await self._plan_selected()
        go_on = settle_plans(run)
        self._report.status()
        return go_on

    async def _apply(self) -> None:
        run, report = self._run, self._report
        if not run.state.gate_passed:
            if run.start.merge_commit:
                if not await choose_what_is_owed(run, report, self._locks):
                    return
            else:
                if run.start.manual is None:
                    choose_what_to_apply(run, report)
                await refuse_what_is_behind(run)
            if run.start.challenges:
                await gate.refuse_at_once(run, run.environments())
                await take_turn(run)
            await refuse_wrong_accounts(run)
            if run.start.merge_commit:
                await plan_orphans(run, report)
            await gate.pass_gate(run, report, run.environments())
            await take_locks(run, report, self._locks)
            if run.start.merge_commit:
                await leave_out_what_others_applied_meanwhile(run, report)
                await hold_who_let_go(run, report, self._locks)
            else:
                await refuse_what_others_applied_meanwhile(run)
            run.state.gate_passed = True
            report.check.set(running_check(Operation.APPLY, len(run.state.selected)))
            report.slack.say(apply_started(run.state.selected, run.start.operation))
            report.status()
        first = not run.state.outcomes
        while remaining := remaining_waves(run):
            run.stop_if_cancelled()
            await apply_wave(run, report, remaining[0][:BATCH], first=first)
            first = False
            await self._maybe_continue_as_new()
        report.summarize()

    async def _maybe_continue_as_new(self) -> None:
        """Between two batches; what Slack and the one comment of many units wait for goes along in the state."""
        run, report = self._run, self._report
        if not workflow.info().is_continue_as_new_suggested() or len(run.state.selected) <= ONE_COMMENT_EACH:
            return
        await report.outbox.flush()
        await report.slack.pause()
        await self._settle()
        run.stop_if_cancelled()
        left = tuple(plan for plan in run.start.plans if plan.unit not in run.state.outcomes)
        workflow.continue_as_new(RunStart(input=run.start.model_copy(update={"plans": left}), carried=run.state))

    async def _settle(self) -> None:
        """Until everybody who told the run something has an answer."""
        while self._report.outbox.is_talking or not workflow.all_handlers_finished():
            await self._report.outbox.flush()
            await workflow.wait_condition(workflow.all_handlers_finished)
