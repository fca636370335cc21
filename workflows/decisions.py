"""What people tell a run to its face, by whichever door: taken down, judged by the rules of every approval, answered.

The updates `approve` and `reject` come signed from our server, the signals of those names from Temporal's UI or CLI.
"""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import policies
from workflows.calls import call
from workflows.raw_signals import decoded
from workflows.reporting import Report
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from activities.approvals import Approvals
    from activities.github import GitHub
    from activities.github_messages import ReadPerson
    from docustack.access import Person
    from docustack.decisions import GivenDecision, decisions_comment, remember, why_it_does_not_count, why_no_cancel
    from docustack.gate_facts import Door
    from docustack.operator_signals import read_signal
    from docustack.runs import RunStatus
    from docustack.shown_plans import digest_of
    from docustack.signed_approvals import (
        REPLAYED,
        ApprovalAnswer,
        Asked,
        Refusal,
        SignedApproval,
        Verdict,
        not_waiting,
        refuse,
    )

NONCES = 1_000
"""Remembered of one run, of what our server has signed: more are not given while a signature is good."""

_AWAY = "GitHub or a worker doesn't answer now, so it can't be told whether this counts. Send it again"


class Decisions:
    """The two doors of one run that are not GitHub's; what counts is then weighed by the gate beside the reviews."""

    def __init__(self, run: Run, report: Report) -> None:
        self._run = run
        self._report = report

    # ---- signed, through the server ----------------------------------------------------------------------------------

    def validate(self, signed: SignedApproval, verdict: Verdict) -> None:
        """Refuse without a trace what can't be an answer to what the run asks.

        Raises:
            ApplicationError: its type is a `Refusal`.
        """
        refused = refuse(signed.approval, verdict, self.asked(), workflow.now(), self._run.state.nonces)
        if refused is not None:
            refusal, message = refused
            raise ApplicationError(message, type=refusal.value, non_retryable=True)

    async def take(self, signed: SignedApproval, verdict: Verdict) -> ApprovalAnswer:
        """Judge one and answer; what doesn't count is on record, and the pull request is told."""
        approval = signed.approval
        decision = self._decision(Door.SERVER, verdict.value, approval.login, approval.reason)
        try:
            refusal = await self._refusal_of_signed(signed, decision)
        except ActivityError as error:
            workflow.logger.warning("a decision could not be judged: %s", error.cause)
            refusal = (Refusal.UNAVAILABLE, f"{_AWAY}.")
        return self._answered(decision, refusal)

    async def _refusal_of_signed(self, signed: SignedApproval, decision: GivenDecision) -> tuple[Refusal, str] | None:
        signature = await call(
            Approvals.check_signature, signed, summary=decision.login, policy=policies.WHILE_SOMEBODY_WAITS
        )
        if not signature.has_key:
            return Refusal.UNAVAILABLE, "The worker has no DOCUSTACK_APPROVAL_KEYS, so it can check no signature."
        if not signature.genuine:
            return Refusal.FORGED, "It was not signed by this installation's server."
        # Only now: whoever reaches Temporal could else push out those that count with as many forged ones.
        if signed.approval.nonce in self._run.state.nonces:  # the same came a second time while this was checked
            return Refusal.REPLAYED, REPLAYED
        self._run.state.nonces = [*self._run.state.nonces[-NONCES + 1 :], signed.approval.nonce]
        if signed.approval.verdict is Verdict.CANCEL:
            return await self._refusal_of_cancel(decision)
        return await self._refusal(decision)

    # ---- bare signals ------------------------------------------------------------------------------------------------

    async def hear(self, name: str, payloads: Sequence[RawValue]) -> None:
        """A signal that no other handler takes; whatever it holds, it is recorded and answered."""
        signal = read_signal(name, [decoded(payload) for payload in payloads])
        decision = self._decision(Door.TEMPORAL, signal.name, signal.login, signal.reason)
        refusal: tuple[Refusal, str] | None
        if signal.problem:
            refusal = (Refusal.NOT_ALLOWED, f"{signal.problem[0].upper()}{signal.problem[1:]}.")
        elif not self.asked().waiting:
            refusal = (Refusal.NOT_WAITING, not_waiting(self.asked()))
        else:
            try:
                refusal = await self._refusal(decision)
            except ActivityError as error:
                workflow.logger.warning("a signal could not be judged: %s", error.cause)
                refusal = (Refusal.UNAVAILABLE, f"{_AWAY}.")
        self._answered(decision, refusal)

    # ---- both --------------------------------------------------------------------------------------------------------

    def asked(self) -> Asked:
        """What there is to say yes to now."""
        start, state = self._run.start, self._run.state
        # Who has ordered a run without a pull request says yes to its plans like anybody else: as the order's own yes.
        author = start.pull_request.author if start.pull_request is not None else ""
        return Asked(
            run_id=start.run_id,
            waiting=state.status is RunStatus.WAITING,
            commit=self._run.head_commit,
            plans=digest_of(state.shown.values(), state.shown_rules.digest if state.shown_rules is not None else ""),
            author=author,
            status=state.status.value,
        )

    def _decision(self, door: Door, verdict: str, login: str, reason: str) -> GivenDecision:
        """As it came: of the plans that had been shown by now, whenever it will have been judged."""
        return GivenDecision(
            door=door,
            verdict=verdict,
            login=login,
            reason=reason,
            commit=self._run.head_commit,
            seen=self._run.plans_shown,
            received_at=workflow.now(),
        )

    async def _refusal(self, decision: GivenDecision) -> tuple[Refusal, str] | None:
        """By the rules of docustack.yaml, and the person's teams as they are now."""
        run = self._run
        if is_own_yes(run, decision):
            if run.start.manual is None or not run.start.manual.confirmed:
                return None
            told = f"It doesn't count: @{decision.login} has ordered this run, and somebody else has to approve it."
            return Refusal.AUTHOR, told
        person = await self._read_person(decision.login)
        why = why_it_does_not_count(
            run.configuration, run.environments(), run.author, decision, person, rules=run.state.new_rules is not None
        )
        return (Refusal.NOT_ALLOWED, f"It doesn't count: @{decision.login} {why}.") if why else None

    async def _refusal_of_cancel(self, decision: GivenDecision) -> tuple[Refusal, str] | None:
        run = self._run
        if decision.login.lower() == run.start.actor.lower():
            return None
        if not run.state.selected:
            return Refusal.NOT_ALLOWED, "It isn't known yet what this run touches, so only its actor may cancel it now."
        person = await self._read_person(decision.login)
        why = why_no_cancel(run.configuration, run.environments(), run.start.actor, person)
        return (Refusal.NOT_ALLOWED, f"It doesn't count: @{decision.login} {why}.") if why else None

    async def _read_person(self, login: str) -> Person:
        run = self._run
        return await call(
            GitHub.read_person,
            ReadPerson(repository=run.start.repository, login=login, teams=run.configuration.known_teams()),
            summary=login,
            policy=policies.WHILE_SOMEBODY_WAITS,
        )

    def _answered(self, decision: GivenDecision, refusal: tuple[Refusal, str] | None) -> ApprovalAnswer:
        """Say what became of it: in the run's own record, in the pull request, to who asked; and let the gate look."""
        message = refusal[1] if refusal else _TAKEN[decision.verdict]
        state = self._run.state
        told = decision.model_copy(update={"told": message, "counts": refusal is None})
        state.decisions_forgotten += remember(state.decisions, told)
        if told.counts:
            self._run.wakes += 1
        self._report.say_again("decisions", self._comment)
        return ApprovalAnswer(accepted=refusal is None, refusal=refusal[0].value if refusal else "", message=message)

    def _comment(self) -> str:
        state = self._run.state
        return decisions_comment(self._run.start.run_id, state.decisions, state.decisions_forgotten)


_TAKEN = {
    Verdict.APPROVE.value: "It counts, and the run goes on once it has all that it needs.",
    Verdict.REJECT.value: "It ends the run; what was not applied stays as it is.",
    Verdict.CANCEL.value: "The run ends; Terraform finishes what it has in hand and writes its state.",
}


def is_own_yes(run: Run, decision: GivenDecision) -> bool:
    """The word of who ordered a run without a pull request, given once its plans could be read, by a verified door.

    Whether they may apply is the gate's question; nobody's approval is replaced by it.
    """
    is_theirs = decision.login.lower() == run.start.actor.lower() and decision.door is Door.SERVER
    return run.start.manual is not None and is_theirs and decision.verdict == Verdict.APPROVE.value


def rejection_of(run: Run) -> GivenDecision | None:
    """The first no that counts."""
    given = (one for one in run.state.decisions if one.counts and one.verdict == Verdict.REJECT.value)
    return next(given, None)


def cancelled_by(run: Run) -> str:
    """The login of who has cancelled the run through our server; empty where nobody has."""
    given = (one.login for one in run.state.decisions if one.counts and one.verdict == Verdict.CANCEL.value)
    return next(given, "")


def approvals_of(run: Run) -> list[GivenDecision]:
    """Each yes that counted when it came; whether it still does is asked each time."""
    return [one for one in run.state.decisions if one.counts and one.verdict == Verdict.APPROVE.value]
