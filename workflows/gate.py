"""The gate before an apply: access, approvals, the state of the pull request; waiting at it costs nothing."""

from datetime import datetime

from temporalio import workflow

from workflows import policies
from workflows.calls import call
from workflows.decisions import approvals_of, is_own_yes, rejection_of
from workflows.following import follow_base
from workflows.other_holders import held_by_others
from workflows.patience import Patience
from workflows.renewing import leave_out_gone, renew_outdated_plans
from workflows.reporting import Report
from workflows.rules import known_rules, missing_rules_approval, show_other_rules
from workflows.run_state import Refused, Run
from workflows.waiting import begin_to_wait, go_on

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import ReadGate, ReadPerson
    from docustack.access import Person, decide_access
    from docustack.approvals import count_approvals
    from docustack.base_moves import wants_another_command
    from docustack.checks import waiting_check
    from docustack.decisions import as_review
    from docustack.gate_facts import Door, GateFacts
    from docustack.manual_runs import asks_for_yes, facts_of_order
    from docustack.plans import Change
    from docustack.pull_request_replies import DRAFT
    from docustack.run_comments import more_than_approved, waiting_for_approval_comment
    from docustack.runs import Operation, RunStatus, UnitOutcome, UnitPhase


async def pass_gate(run: Run, report: Report, environments: list[str]) -> None:
    """Wait until every environment's rules say yes.

    Raises:
        Refused: the pull request was closed or moved on, the actor may not apply there, the approval never came.
    """
    told: str | None = None
    patience = Patience(run, report, run.state.selected)
    has_waited = False
    while True:
        run.stop_if_cancelled()
        seen = run.wakes
        facts = await read_facts(run)
        refuse_what_was_rejected(run)
        refuse_what_can_not_be_applied(run, facts)
        if has_waited:
            await follow_base(run)
            leave_out_gone(run, report)
            environments = run.environments()
        refuse_access(run, facts, environments)
        await show_other_rules(run, report)
        await renew_outdated_plans(run, report)
        missing = [
            *missing_confirmation(run),
            *missing_approvals(run, facts, environments),
            *await _missing_commands(run, facts),
        ]
        if not missing:
            run.state.approved_rules = shown.digest if (shown := known_rules(run)) is not None else ""
            await go_on(run, report)
            return
        message = "\n\n".join(missing)
        began = await _waits(run, report, message)  # the pull request knows before the person can answer
        if message != told:
            server_takes_it = run.start.run_id if run.state.installation.takes_approvals else ""
            held = await held_by_others(run)
            if held:
                run.state.message = f"{message}\n\n{held}"
                report.show()
            if held or not began:
                report.check.set(waiting_check(message, held))
            report.say_why(f"gate:{seen}", waiting_for_approval_comment(missing, server_takes_it, held))
            told = message
        await patience.wait(seen, message)
        has_waited = True


async def refuse_at_once(run: Run, environments: list[str]) -> None:
    """What no waiting would change.

    Raises:
        Refused: as the gate itself would.
    """
    facts = await read_facts(run)
    refuse_what_can_not_be_applied(run, facts)
    refuse_access(run, facts, environments)


def nobody_is_asked(run: Run, environment: str) -> bool:
    """Its actor has said yes beforehand to whatever the plans of an order show, and the environment wants no more."""
    confirmed = run.start.manual is not None and run.start.manual.confirmed
    return confirmed and not run.configuration.environments[environment].approvals.minimum


async def pass_unit_gate(run: Run, report: Report, outcome: UnitOutcome, beyond: tuple[Change, ...]) -> str:
    """A new plan does more than was approved: it wants a yes of its own, given after it was shown.

    Returns since when it can be read.

    Where the environment asks for approvals these are reviews submitted since; where it asks for none, the command
    `apply` of somebody who may apply there.
    """
    run.asking += 1
    try:
        # A run that waits may be ended by a command, which must interrupt no apply: the others of the wave end first.
        await workflow.wait_condition(lambda: run.applying == 0)
        return await _wait_for_yes(run, report, outcome, beyond)
    finally:
        run.asking -= 1


async def _wait_for_yes(run: Run, report: Report, outcome: UnitOutcome, beyond: tuple[Change, ...]) -> str:
    assert outcome.plan is not None
    run_id = run.start.run_id if run.start.manual is not None else ""
    message = more_than_approved(outcome.unit, beyond, run.prefix, run_id)
    await _waits(run, report, message)
    shown_at = await report.ask(outcome, message, key=f"{outcome.unit}:again:{run.wakes}")
    run.show_plan(outcome.plan.model_copy(update={"shown_at": shown_at}))
    patience = Patience(run, report, [outcome.unit])
    while True:
        run.stop_if_cancelled()
        seen = run.wakes
        facts = await read_facts(run)
        refuse_what_was_rejected(run)
        refuse_what_can_not_be_applied(run, facts)
        await show_other_rules(run, report)
        if await _said_yes(run, facts, outcome, patience.asked):
            await go_on(run, report)
            return shown_at
        await _waits(run, report, message)
        await patience.wait(seen, message)


async def check_again(run: Run, environments: list[str]) -> None:
    """Right before an apply: nobody was thrown out of a team, no approval dismissed, no commit pushed meanwhile."""
    facts = await read_facts(run)
    refuse_what_was_rejected(run)
    refuse_what_can_not_be_applied(run, facts)
    refuse_access(run, facts, environments)
    if missing := missing_approvals(run, facts, environments):
        raise Refused("\n\n".join(missing), on_check=True)


async def read_facts(run: Run) -> GateFacts:
    """The pull request, or who gave the order, as it is now; with the approvals given to the run itself."""
    start = run.start
    if start.number is None:
        facts = facts_of_order(run.head_commit, run.base_ref, await read_person(run, start.actor))
    else:
        facts = await call(
            GitHub.read_gate,
            ReadGate(
                repository=start.repository,
                pull_request=start.number,
                actor=start.actor,
                teams=run.configuration.known_teams(),
            ),
            summary=f"#{start.number}",
            policy=policies.GITHUB,
        )
    given = [as_review(approval, await read_person(run, approval.login)) for approval in approvals_of(run)]
    return facts.model_copy(update={"reviews": (*facts.reviews, *given)})


async def read_person(run: Run, login: str) -> Person:
    return await call(
        GitHub.read_person,
        ReadPerson(repository=run.start.repository, login=login, teams=run.configuration.known_teams()),
        summary=login,
        policy=policies.GITHUB,
    )


def refuse_what_was_rejected(run: Run) -> None:
    if no := rejection_of(run):
        how = " by a signal from Temporal" if no.door is Door.TEMPORAL else ""
        raise Refused(f"Rejected by @{no.login}{how}: {no.reason}", on_check=True)


def refuse_what_can_not_be_applied(run: Run, facts: GateFacts) -> None:
    head, settings = run.head_commit, run.configuration.apply
    if facts.head_commit != head:
        raise Refused(
            f"`{head[:7]}` is no longer the head of this pull request (`{facts.head_commit[:7]}` is), so its plans are "
            "not applied any more. Look at the new plan, and comment `terrateam apply` again.",
            status=RunStatus.CANCELLED,
            on_check=True,
        )
    if run.start.merge_commit and facts.merged:
        return
    if facts.base_ref != run.base_ref:
        raise Refused(
            f"This pull request is to `{facts.base_ref}` now, no longer to `{run.base_ref}`, so its plans of then are "
            "not applied any more. Look at the new plan, and comment `terrateam apply` again.",
            status=RunStatus.CANCELLED,
            on_check=True,
        )
    if facts.state != "open":
        raise Refused("The pull request was closed, so nothing is applied from it.", status=RunStatus.CANCELLED)
    if settings.require_mergeable and facts.draft:
        raise Refused(DRAFT, on_check=True)
    if settings.require_mergeable and facts.mergeable is False:
        raise Refused(
            f"This pull request conflicts with `{facts.base_ref}`. Resolve the conflicts and push; it is planned again "
            "by itself.",
            on_check=True,
        )


def refuse_access(run: Run, facts: GateFacts, environments: list[str]) -> None:
    """Whether the actor may apply there; where the merge is the command, who may merge decides, and the approvals."""
    if run.start.applies_itself:
        return
    decisions = [decide_access(run.configuration, name, Operation.APPLY, facts.actor) for name in environments]
    refusals = [decision for decision in decisions if not decision.allowed]
    if not refusals:
        return
    allowed = [name for name, decision in zip(environments, decisions, strict=True) if decision.allowed]
    told = "\n\n".join(decision.message for decision in refusals)
    if allowed:
        paths = " ".join(run.configuration.environments[name].path for name in allowed)
        told += f"\n\nNothing was applied. What you may apply: `{run.prefix} apply {paths}`."
    raise Refused(told)


def missing_confirmation(run: Run) -> list[str]:
    """Who has ordered a run without a pull request says yes to what it shows, unless they have said so beforehand."""
    order = run.start.manual
    if order is None or order.confirmed:
        return []
    asked = max((plan.number for plan in run.state.shown.values()), default=0)
    said = any(is_own_yes(run, yes) and yes.seen >= asked for yes in approvals_of(run))
    return [] if said else [asks_for_yes(run.start)]


def missing_approvals(run: Run, facts: GateFacts, environments: list[str]) -> list[str]:
    decisions = [
        count_approvals(
            run.configuration, name, facts.author, facts.head_commit, facts.reviews, run.waiting_plans(name)
        )
        for name in environments
    ]
    told = [decision.message for decision in decisions if not decision.satisfied]
    return [*missing_rules_approval(run, facts), *told]


async def _said_yes(run: Run, facts: GateFacts, outcome: UnitOutcome, asked: datetime) -> bool:
    environment = outcome.environment
    if missing_rules_approval(run, facts):
        return False
    rules = run.configuration.environments[environment]
    if rules.approvals.minimum:
        shown = [run.state.shown[outcome.unit]]
        return count_approvals(
            run.configuration, environment, facts.author, facts.head_commit, facts.reviews, shown
        ).satisfied
    if run.start.manual is not None and run.start.manual.confirmed:
        return True
    said = [actor for actor, at in run.commanded if at >= asked]
    number = run.state.shown[outcome.unit].number
    said += [
        approval.login
        for approval in approvals_of(run)
        if approval.seen >= number and (approval.door is not Door.TEMPORAL or rules.trust_temporal_operators)
    ]
    for login in said:
        person = await read_person(run, login)
        if decide_access(run.configuration, environment, Operation.APPLY, person).allowed:
            return True
    return False


async def _missing_commands(run: Run, facts: GateFacts) -> list[str]:
    """Where no approval is asked for, who commanded the apply has to see a plan that was made again since."""
    unseen = []
    for unit, asked in run.renewed_at.items():
        environment = run.environment_of(unit)
        outcome = UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.WAITING)
        needs_command = not run.configuration.environments[environment].approvals.minimum
        if needs_command and not await _said_yes(run, facts, outcome, asked):
            unseen.append(unit)
    command = f"{run.prefix} apply{' --destroy' if run.start.destroy else ''}"
    return [wants_another_command(unseen, command)] if unseen else []


async def _waits(run: Run, report: Report, message: str) -> bool:
    """False where it has waited already."""
    began = await begin_to_wait(run, report, RunStatus.WAITING, message)
    if began:
        report.check.set(waiting_check(message))
    return began
