"""One run as commands show it: from its own account, its start, and what Temporal says of it."""

from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from docustack.decisions import GivenDecision
from docustack.gate_facts import Door
from docustack.plans import PlanSummary
from docustack.runs import RunInput, RunStatus, UnitOutcome, UnitPhase
from docustack.shown_plans import ShownPlan
from starter.answers import DecisionLine, OperatorLine, RunDetail, RunLine, UnitLine
from starter.client import Connection
from starter.times import now
from workflows import search_attributes

PREFIX = "run:"
ENDED: frozenset[str] = frozenset(
    {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.REFUSED, RunStatus.CANCELLED, "terminated", "timed-out"}
)

_AS_TEMPORAL_SAYS = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed-out",
    WorkflowExecutionStatus.FAILED: RunStatus.FAILED.value,
    WorkflowExecutionStatus.CANCELED: RunStatus.CANCELLED.value,
}


def run_line(
    connection: Connection,
    run: WorkflowExecution,
    start: RunInput | None,
    *,
    told: str | None = None,
    units: Iterable[str] = (),
) -> RunLine:
    """A run by Temporal's index and its own start; `told` is its status by its own account, newer than the index."""
    attributes = run.typed_search_attributes
    pull_request = start.number if start else attributes.get(search_attributes.PULL_REQUEST)
    return RunLine(
        run_id=run.id.removeprefix(PREFIX),
        workflow_id=run.id,
        operation=start.operation if start else None,
        status=shown_status(run.status, told or attributes.get(search_attributes.STATUS)),
        repository=start.repository.full_name if start else attributes.get(search_attributes.REPOSITORY) or "",
        pull_request=pull_request,
        actor=start.actor if start else attributes.get(search_attributes.ACTOR) or "",
        automatic=start.automatic if start else False,
        directories=start.directories if start else (),
        environments=tuple(attributes.get(search_attributes.ENVIRONMENT) or ()),
        units=tuple(units) or tuple(attributes.get(search_attributes.UNITS) or ()),
        started_at=run.start_time,
        ended_at=run.close_time,
        seconds=round(((run.close_time or now()) - run.start_time) / timedelta(seconds=1), 1),
        url=connection.url(run.id, run.run_id),
    )


def shown_status(execution: WorkflowExecutionStatus | None, told: str | None) -> str:
    """A run's own word for how it stands; but one that Temporal ended could not say so itself."""
    ended = _AS_TEMPORAL_SAYS.get(execution) if execution is not None else None
    return ended or told or RunStatus.RUNNING.value


def unit_lines(
    phases: dict[str, UnitPhase], outcomes: Iterable[UnitOutcome], shown: Iterable[ShownPlan] = ()
) -> tuple[UnitLine, ...]:
    """Each unit with how far it is, the plan that there is to approve, and how it ended where it has."""
    ended = {outcome.unit: outcome for outcome in outcomes}
    asked = {plan.unit: plan for plan in shown}
    lines = [_unit_line(unit, phase, ended.get(unit), asked.get(unit)) for unit, phase in phases.items()]
    return (*lines, *(_unit_line(unit, ended[unit].phase, ended[unit]) for unit in ended if unit not in phases))


def _unit_line(unit: str, phase: UnitPhase, outcome: UnitOutcome | None, asked: ShownPlan | None = None) -> UnitLine:
    if outcome is None and asked is not None:
        counted = asked.summary
        return UnitLine(
            unit=unit,
            phase=phase,
            add=counted.add,
            change=counted.change,
            destroy=counted.destroy,
            preview=asked.preview,
            text=asked.text or None,
        )
    if outcome is None:
        return UnitLine(unit=unit, phase=phase)
    summary: PlanSummary | None = outcome.summary or (outcome.plan.summary if outcome.plan else None)
    return UnitLine(
        unit=unit,
        phase=outcome.phase,
        environment=outcome.environment,
        add=summary.add if summary else None,
        change=summary.change if summary else None,
        destroy=summary.destroy if summary else None,
        preview=bool(outcome.plan and outcome.plan.is_preview and outcome.phase is UnitPhase.PLANNED),
        message=outcome.message,
        error_type=outcome.error_type,
        log=outcome.log or (outcome.plan.log if outcome.plan else None),
        text=outcome.plan.text if outcome.plan else None,
    )


def run_detail(
    line: RunLine,
    start: RunInput,
    *,
    message: str,
    units: tuple[UnitLine, ...],
    waves: tuple[tuple[str, ...], ...] = (),
    decisions: tuple[GivenDecision, ...] = (),
    plans: str = "",
    commit: str = "",
    base_ref: str = "",
    notes: tuple[str, ...] = (),
    complete: bool = True,
) -> RunDetail:
    return RunDetail(
        run=line,
        complete=complete,
        message=message,
        head_commit=commit or (start.pull_request.head_commit if start.pull_request is not None else ""),
        base_ref=base_ref or (start.pull_request.base_ref if start.pull_request is not None else ""),
        notes=notes,
        waves=waves,
        units=units,
        decisions=tuple(decision_line(decision) for decision in decisions),
        operator_signals=tuple(
            OperatorLine(decision=given.verdict, actor=given.login, reason=given.reason, received_at=given.received_at)
            for given in decisions
            if given.door is Door.TEMPORAL
        ),
        plans=plans,
    )


def decision_line(given: GivenDecision) -> DecisionLine:
    return DecisionLine(
        door=given.door,
        decision=given.verdict,
        login=given.login,
        reason=given.reason,
        received_at=given.received_at,
        counts=given.counts,
        told=given.told,
    )
