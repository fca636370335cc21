"""What a run has been told to its face, beside reviews: approvals, rejections, and what became of each.

Everything is kept, whatever it is: a signal that means nothing, or that claims to be of somebody else, is answered in
the pull request like any other.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from docustack.access import Person, decide_access, may_reject
from docustack.approvals import why_not_counted
from docustack.comment_text import inline_code, one_line, person, prose
from docustack.configuration import Approvals, Configuration
from docustack.gate_facts import APPROVED, Door, Review
from docustack.model import Model
from docustack.runs import Operation
from docustack.signed_approvals import Verdict

KEPT = 100
"""Decisions that a run remembers one by one: what doesn't count makes room first, and is counted."""

_SHOWN = 20


class GivenDecision(Model):
    """One yes, one no, or what was meant as one."""

    door: Door
    verdict: str  # approve, reject; of a signal that is neither, its name
    login: str = ""  # claimed only, where the door is Temporal's
    reason: str = ""
    commit: str = ""
    seen: int = 0  # the number of the last plan that had been shown
    received_at: datetime
    counts: bool = False
    told: str = ""  # what became of it


def as_review(decision: GivenDecision, person: Person) -> Review:
    """An approval in the form in which the gate weighs all of them."""
    return Review(
        reviewer=person,
        state=APPROVED,
        commit=decision.commit,
        submitted_at=decision.received_at.isoformat(),
        door=decision.door,
        seen=decision.seen,
    )


def why_it_does_not_count(
    configuration: Configuration,
    environments: Iterable[str],
    author: str,
    decision: GivenDecision,
    person: Person,
    *,
    rules: bool = False,
) -> str | None:
    """As in "@lead …"; None where it counts for at least one environment, or for the change of the rules."""
    ask = _why_no_approval if decision.verdict == Verdict.APPROVE.value else _why_no_rejection
    reasons = [ask(configuration, name, author, decision, person) for name in environments]
    if rules and decision.verdict == Verdict.APPROVE.value:
        owners = Approvals(from_=[configuration.rules_owners], minimum=1)
        reasons.append(why_not_counted(owners, author, decision.commit, as_review(decision, person)))
    against = [reason for reason in reasons if reason is not None]
    return "; ".join(dict.fromkeys(against)) if len(against) == len(reasons) else None


def why_no_cancel(configuration: Configuration, environments: Iterable[str], actor: str, person: Person) -> str | None:
    """Who else than the actor may stop a run: who may apply in all of its environments. As in "@lead …"."""
    decisions = [decide_access(configuration, name, Operation.APPLY, person) for name in environments]
    against = [inline_code(decision.rule) for decision in decisions if not decision.allowed]
    if decisions and not against:
        return None
    rules = f" ({', '.join(against)})" if against else ""
    return f"may not cancel it: that may {inline_code(actor)}, whose run it is, and who may apply there{rules}"


def _why_no_approval(
    configuration: Configuration, environment: str, author: str, decision: GivenDecision, person: Person
) -> str | None:
    rules = configuration.environments[environment]
    reason = why_not_counted(
        rules.approvals,
        author,
        decision.commit,
        as_review(decision, person),
        trusts_temporal=rules.trust_temporal_operators,
    )
    if reason is not None or rules.approvals.minimum:
        return reason
    # Nobody's approval is asked for there; what is, is the word of who may apply.
    allowed = decide_access(configuration, environment, Operation.APPLY, person).allowed
    return None if allowed else f"may not apply `{environment}`, and nobody else is asked there"


def _why_no_rejection(
    configuration: Configuration, environment: str, author: str, decision: GivenDecision, person: Person
) -> str | None:
    """A no takes less than a yes: who could approve or apply there may say it, the author of the change too."""
    rules = configuration.environments[environment]
    if decision.door is Door.TEMPORAL and not rules.trust_temporal_operators:
        return why_not_counted(rules.approvals, author, decision.commit, as_review(decision, person))
    allowed = may_reject(rules, person)
    return None if allowed else f"can neither approve nor apply `{environment}`"


class _Judged(Protocol):
    """A decision of whichever kind, and whether it counts."""

    @property
    def counts(self) -> bool: ...


_Given = TypeVar("_Given", bound=_Judged)


def remember(decisions: list[_Given], new: _Given, kept: int = KEPT) -> int:
    """Keep one more; returns how many had to make room for it."""
    decisions.append(new)
    made_room = 0
    while len(decisions) > kept:
        oldest = next((index for index, decision in enumerate(decisions[:-1]) if not decision.counts), 0)
        del decisions[oldest]
        made_room += 1
    return made_room


def decisions_comment(run_id: str, decisions: Sequence[GivenDecision], forgotten: int = 0) -> str:
    """The one comment of a run that says what became of each; rewritten whenever another one comes."""
    shown = decisions[-_SHOWN:]
    earlier = forgotten + len(decisions) - len(shown)
    lines = [f"- {_line(decision)}" for decision in shown]
    if earlier:
        lines.insert(0, f"- {earlier:,} earlier ones")
    return "\n".join([f"**What run {inline_code(run_id)} was told beside reviews**", "", *lines])


def _line(decision: GivenDecision) -> str:
    mark = "✅" if decision.counts and decision.verdict == Verdict.APPROVE.value else "⛔" if decision.counts else "⚠️"
    at = f"{decision.received_at:%Y-%m-%d %H:%M} UTC"
    reason = f' ("{prose(one_line(decision.reason, 200))}")' if decision.reason else ""
    if decision.door is Door.TEMPORAL:
        claims = f", which claims to be of {person(decision.login)}" if decision.login else ""
        said = f"the signal {inline_code(decision.verdict, 100)} from Temporal{claims}"
    else:
        said = f"{inline_code(decision.verdict, 100)} of {person(decision.login)} through the server"
    return f"{mark} {at}: {said}{reason}: {prose(decision.told)}"
