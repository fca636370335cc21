"""Applies units, environment by environment and wave by wave, each by a plan that was made from what is there now."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import gate, policies
from workflows.apply_order import record_apply
from workflows.attending import apply_to_its_end
from workflows.calls import call
from workflows.deletions import refuse_destruction, with_what_remains
from workflows.failures import error_type_of, failed_outcome, was_told
from workflows.following import follow_base, is_of_another_base
from workflows.hosts import leave_host, living_host, near_unit
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.together import to_its_end, together
from workflows.unit_calls import free_state_lock, plan_coverage, plan_unit, unit_policy, unit_request

with workflow.unsafe.imports_passed_through():
    from activities.locks import ConfirmLocks, Locks
    from activities.terragrunt import Terragrunt
    from activities.terragrunt_messages import ApplyRequest, OutputsAnswer
    from docustack.deletion_texts import DESTROYED, no_outputs_to_destroy_with
    from docustack.destroy_order import destroy_waves, not_destroyed_because
    from docustack.errors import ErrorType
    from docustack.lock_messages import ConfirmGrants
    from docustack.manual_runs import imports_nothing
    from docustack.plans import Change, PlanRecord, PlanVerdict, judge_plan
    from docustack.runs import UnitOutcome, UnitPhase
    from docustack.units import skipped_because, waves

TRIES = 4
"""Plans of one unit in one run: the first, and again after its dependency, its state or its host has changed."""

_CUT_OFF = (
    "The run was cancelled while it was not known how an apply of this unit had ended. It is planned again before "
    "anything else changes it."
)

_PLAN_AGAIN = (ErrorType.STALE_PLAN, ErrorType.INTERRUPTED)


def all_waves(run: Run) -> list[list[str]]:
    """The units of the run in the order in which they are applied: by environment, then by dependencies.

    What is destroyed comes after everything that is applied, dependants first.
    """
    found: list[list[str]] = []
    destroyed = [unit for unit in run.state.selected if run.destroys(unit)]
    applied = [unit for unit in run.state.selected if unit not in destroyed]
    for environment in run.environments():
        units = [unit for unit in applied if run.environment_of(unit) == environment]
        found += waves(units, run.discovery.dependencies)
    return found + destroy_waves(run.configuration, run.order, destroyed)


def remaining_waves(run: Run) -> list[list[str]]:
    """What is still to be applied, in order."""
    return [left for wave in all_waves(run) if (left := [unit for unit in wave if unit not in run.state.outcomes])]


async def apply_wave(run: Run, report: Report, wave: list[str], *, first: bool) -> None:
    """One wave in parallel; a unit whose dependency failed is skipped, the others finish."""
    environment = run.environment_of(wave[0])
    if not first or (run.start.merge_commit and run.destroys(wave[0])):
        try:
            await gate.check_again(run, [environment])
            await follow_base(run)
        except Refused as refused:
            for unit in wave:
                _skip(run, report, unit, refused.message)
            return
    limit = asyncio.Semaphore(run.configuration.apply.parallelism)
    left_alone = await refuse_destruction(run, wave)

    async def apply_one(unit: str) -> None:
        async with limit:
            reason = left_alone.get(unit) or _earlier_failure(run, unit)
            if reason:
                _skip(run, report, unit, reason)
                return
            report.phase(unit, UnitPhase.APPLYING)
            await UnitApply(run, report, unit).carry_out()

    await together(apply_one(unit) for unit in wave)


def _earlier_failure(run: Run, unit: str) -> str | None:
    """What comes first did not end well; and environments are applied in order: after a failure in dev no staging."""
    own, outcomes = run.environment_of(unit), run.state.outcomes
    if run.destroys(unit):
        return not_destroyed_because(unit, own, run.order, outcomes)
    if reason := skipped_because(unit, run.discovery.dependencies, outcomes):
        return reason
    for other in outcomes.values():
        if other.environment != own and other.phase in (UnitPhase.FAILED, UnitPhase.UNKNOWN):
            return f"`{other.unit}` failed, and `{own}` comes after `{other.environment}`."
    return None


def _skip(run: Run, report: Report, unit: str, reason: str) -> None:
    outcome = UnitOutcome(
        unit=unit,
        environment=run.environment_of(unit),
        phase=UnitPhase.SKIPPED,
        message=reason,
        plan=_approved(run, unit),
    )
    report.applied(outcome, planned_again=False)


def _approved(run: Run, unit: str) -> PlanRecord | None:
    return next((plan for plan in run.start.plans if plan.unit == unit), None)


class UnitApply:
    """The way of one unit through an apply (design, "A run", rule 5)."""

    def __init__(self, run: Run, report: Report, unit: str) -> None:
        self._run = run
        self._report = report
        self._unit = unit
        self._approved = _approved(run, unit)
        self._plan = self._approved
        self._planned_again = False
        self._is_new = False  # the plan was made a moment ago
        self._tree = run.tree  # in which it is applied
        self._begun = False  # an apply has begun, so state may be half written
        self._in_doubt = False  # one was interrupted, and nobody has looked since what it has left
        self._created = False  # one has begun whose plan was made from an empty state
        self._since = workflow.now()

    async def carry_out(self) -> None:
        try:
            outcome = await self._apply()
        except Refused as refused:
            outcome = self._outcome(UnitPhase.SKIPPED, message=refused.message)
        except ActivityError as error:
            outcome = failed_outcome(self._run, self._unit, error)
            if self._in_doubt or (self._begun and not was_told(error)):
                outcome = outcome.model_copy(update={"phase": UnitPhase.UNKNOWN})
            outcome = outcome.model_copy(update={"plan": self._spent()})
            if self._run.destroys(self._unit):
                outcome = await with_what_remains(self._run, outcome)
        except asyncio.CancelledError:
            if self._begun:
                outcome = self._outcome(UnitPhase.UNKNOWN, message=_CUT_OFF, error_type=ErrorType.CANCELLED)
                await to_its_end(self._ended(outcome.model_copy(update={"plan": self._spent()})))
            raise
        except Exception as error:  # whatever it is, it is told as this unit's, and the others go on
            outcome = failed_outcome(self._run, self._unit, error)
            phase = UnitPhase.UNKNOWN if self._begun else UnitPhase.FAILED
            outcome = outcome.model_copy(update={"phase": phase, "plan": self._spent()})
        await to_its_end(self._ended(outcome))

    async def _ended(self, outcome: UnitOutcome) -> None:
        seconds = (workflow.now() - self._since).total_seconds()
        outcome = outcome.model_copy(update={"created": self._created, "seconds": seconds})
        outcome = await record_apply(self._run, outcome, self._tree)
        self._report.applied(outcome, planned_again=self._planned_again)

    async def _apply(self) -> UnitOutcome:
        for _ in range(TRIES):
            self._run.stop_if_cancelled()
            refusal = await self._make_sure_of_plan()
            if refusal is not None:
                return refusal
            assert self._plan is not None
            if self._plan.summary.is_empty:
                return self._outcome(UnitPhase.APPLIED if self._begun else UnitPhase.NO_CHANGES)
            if not await self._still_locked():
                return self._outcome(
                    UnitPhase.FAILED,
                    message=f"The lock of `{self._unit}` was released meanwhile, so it was not applied.",
                    error_type=ErrorType.LOCK_LOST,
                )
            self._run.stop_if_cancelled()
            try:
                return await self._apply_plan(self._plan)
            except ActivityError as error:
                if not was_told(error):
                    self._begun = True  # it may have: nobody could be asked
                    raise
                error_type = error_type_of(error)
                left_by_us = error_type is ErrorType.STATE_LOCKED and await self._is_free_now()
                if error_type not in _PLAN_AGAIN and not left_by_us:
                    raise
                self._plan, self._is_new = self._spent(), False
                if error_type is ErrorType.INTERRUPTED:
                    self._begun = self._in_doubt = True
                    await self._after_interruption()
        return self._outcome(
            UnitPhase.UNKNOWN if self._begun else UnitPhase.FAILED,
            message=f"It was planned and begun {TRIES} times, and each time something changed it meanwhile.",
            error_type=ErrorType.STALE_PLAN,
        )

    async def _make_sure_of_plan(self) -> UnitOutcome | None:
        """Plan again unless the plan was made from what is there now; None when it may be applied."""
        while not await self._plan_is_of_now():
            refusal = await self._plan_again()
            if refusal is not None:
                return refusal
        return None

    async def _plan_is_of_now(self) -> bool:
        """Of the files with the present base, and of the outputs that the dependencies have now."""
        plan = self._plan
        if plan is None or plan.spent or plan.destroy is not self._run.destroys(self._unit):
            return False
        if self._run.state.plans_are_old and not self._planned_again:
            return False
        if is_of_another_base(self._run, plan):
            return False
        if self._is_new or not plan.dependencies:
            return True
        present = await self._present_outputs()
        return judge_plan(plan, present.dependencies) is PlanVerdict.APPLY

    async def _plan_again(self) -> UnitOutcome | None:
        """A new plan, that the approval covers or that was said yes to; an outcome where there can be none."""
        answer = await plan_unit(self._run, self._unit)
        self._in_doubt = False
        if answer.record is None or answer.record.is_preview:
            waits_for = answer.waits_for or tuple(
                dependency.unit for dependency in (answer.record.dependencies if answer.record else ())
            )
            names = ", ".join(f"`{unit}`" for unit in waits_for)
            if self._run.destroys(self._unit):
                message = no_outputs_to_destroy_with(waits_for)
                return self._outcome(UnitPhase.FAILED, message=message, error_type=ErrorType.NO_OUTPUTS)
            return self._outcome(
                UnitPhase.FAILED,
                message=(
                    f"Not applied: {names} has no outputs yet, and a plan made from mock outputs is never applied. "
                    f"Apply {names} first."
                ),
                error_type=ErrorType.NO_OUTPUTS,
            )
        if not self._begun and imports_nothing(self._run.start.operation, answer.record.summary):
            return self._outcome(UnitPhase.NO_CHANGES)  # somebody has imported it meanwhile
        self._planned_again = self._is_new = True
        await self._cover(answer.record)
        return None

    async def _cover(self, shown: PlanRecord) -> None:
        """The new plan is applied if the approval of the old one covers it; else the gate opens again."""
        record = shown.without_text()
        beyond: tuple[Change, ...] = ()
        if self._approved is not None:
            coverage = await plan_coverage(self._run, self._approved, record)
            if coverage.covered:
                self._plan = record.model_copy(update={"shown_at": self._approved.shown_at})
                return
            beyond = coverage.beyond
        if record.summary.is_empty:
            self._plan = record
            return
        if gate.nobody_is_asked(self._run, self._environment):
            self._plan = self._approved = record
            return
        outcome = UnitOutcome(
            unit=self._unit, environment=self._environment, phase=UnitPhase.PLANNED, plan=shown, log=record.log
        )
        self._report.phase(self._unit, UnitPhase.WAITING)
        shown_at = await gate.pass_unit_gate(self._run, self._report, outcome, beyond)
        await follow_base(self._run)
        self._is_new = False  # it has waited for people: what it was made from may be another by now
        self._report.phase(self._unit, UnitPhase.APPLYING)
        self._plan = self._approved = record.model_copy(update={"shown_at": shown_at})

    async def _apply_plan(self, plan: PlanRecord) -> UnitOutcome:
        self._tree = self._run.tree
        request = ApplyRequest(**dict(unit_request(self._run, self._unit)), plan=plan)
        request = request.model_copy(update={"timeout_minutes": self._run.configuration.apply.timeout_minutes})
        host = await living_host(self._run, self._environment)
        await workflow.wait_condition(lambda: self._run.asking == 0)
        self._run.applying += 1
        self._created = self._created or (plan.from_nothing and not plan.destroy)
        try:
            answer = await apply_to_its_end(self._run, host, request)
        finally:
            self._run.applying -= 1
        outcome = self._outcome(UnitPhase.APPLIED, message=DESTROYED if plan.destroy else "")
        return outcome.model_copy(update={"summary": answer.summary, "text": answer.text, "log": answer.log})

    async def _after_interruption(self) -> None:
        """The process is gone without a result, and none can live any more: free the lock it left, then plan again."""
        leave_host(self._run, policies.environment_queue(self._environment))
        answer = await free_state_lock(self._run, self._unit)
        if answer.locked and not answer.freed:
            raise Refused(answer.message)

    async def _is_free_now(self) -> bool:
        """Terraform found its state locked: by an apply of ours that is dead, or even by itself.

        The backend asks again for a lock whose answer was lost on the way, and then finds its own.
        """
        try:
            answer = await free_state_lock(self._run, self._unit)
        except ActivityError as error:
            workflow.logger.warning("the state lock of %s could not be looked at: %s", self._unit, error.cause)
            return False
        return answer.freed or not answer.locked

    async def _present_outputs(self) -> OutputsAnswer:
        return await near_unit(
            self._run,
            Terragrunt.dependency_outputs,
            unit_request(self._run, self._unit),
            summary=self._unit,
            policy=unit_policy(self._run, self._environment),
        )

    async def _still_locked(self) -> bool:
        run = self._run
        token = self._run.state.tokens.get(self._unit)
        if token is None:
            return False
        confirmation = await call(
            Locks.confirm_locks,
            ConfirmLocks(
                repository=run.start.repository, grants=ConfirmGrants(holder=run.holder, tokens={self._unit: token})
            ),
            summary=self._unit,
            policy=policies.LOCKS,
        )
        return confirmation.confirmed

    def _spent(self) -> PlanRecord | None:
        plan = self._plan or self._approved
        return plan.model_copy(update={"spent": True}) if plan else None

    def _outcome(self, phase: UnitPhase, *, message: str = "", error_type: ErrorType | None = None) -> UnitOutcome:
        return UnitOutcome(
            unit=self._unit,
            environment=self._environment,
            phase=phase,
            plan=self._plan,
            message=message,
            error_type=error_type.value if error_type else None,
        )

    @property
    def _environment(self) -> str:
        return self._run.environment_of(self._unit)
