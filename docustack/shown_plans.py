"""To what an approval is bound beside the commit: the plans that could be read when it was given.

A yes to a commit is not a yes to every plan of it: a plan that was still being made, or that was made again since with
another result, has been approved by nobody. A plan made again that says the same needs no second yes.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from docustack.model import Model
from docustack.plans import ArtifactRef, Digest, PlanRecord, PlanSummary


class ShownPlan(Model):
    """A plan that people can read, and since when."""

    unit: str
    commit: str
    digest: Digest
    shown_at: str = ""  # by GitHub's clock, as reviews are; empty where that isn't known
    number: int = 0  # the how manieth that a run has shown: what else it is told is counted by this, not by clocks
    preview: bool = False
    summary: PlanSummary = PlanSummary()
    inputs: Digest = ""  # of the files that it was made from
    text: ArtifactRef = ""  # as people read it

    @property
    def what(self) -> str:
        return f"the plan of `{self.unit}`"


class Shown(Protocol):
    """Whatever an approval has to come after: a plan, or a change of the rules."""

    @property
    def what(self) -> str: ...
    @property
    def shown_at(self) -> str: ...
    @property
    def number(self) -> int: ...


_Shown = TypeVar("_Shown", bound=Shown)


def shown_plan(plan: PlanRecord, number: int = 0) -> ShownPlan:
    return ShownPlan(
        unit=plan.unit,
        commit=plan.commit,
        digest=plan.digest,
        shown_at=plan.shown_at,
        number=number,
        preview=plan.is_preview,
        summary=plan.summary,
        inputs=plan.inputs,
        text=plan.text,
    )


def says_the_same(one: ShownPlan, other: ShownPlan) -> bool:
    """Whether who has read one plan has read the other: it does the same, and is made from the same files."""
    return all(
        getattr(one, field) == getattr(other, field) for field in ("unit", "commit", "digest", "preview", "inputs")
    )


def digest_of(shown: Iterable[ShownPlan], rules: Digest = "") -> Digest:
    """Of all plans together, and of a change of the rules: the same exactly where each of them says the same."""
    lines = sorted(
        f"{plan.unit} {plan.commit} {plan.digest} {plan.inputs} {'preview' if plan.preview else ''}" for plan in shown
    )
    lines += [f"rules {rules}"] if rules else []
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def first_shown(plan: PlanRecord, before: ShownPlan | None) -> PlanRecord:
    """A plan that says the same as the last one that was shown counts as shown since then."""
    if before is None or not before.shown_at or not says_the_same(before, shown_plan(plan)):
        return plan
    return plan.model_copy(update={"shown_at": before.shown_at})


def first_unseen(given_at: str, seen: int | None, shown: Iterable[_Shown]) -> _Shown | None:
    """The first that who gave an approval can't have read; None where all of them had been shown.

    Args:
        given_at: when a review was submitted, by GitHub's clock.
        seen: for an approval that the run itself was given: the number of the last plan that it had shown by then;
            None for a review, which is told by its time.
        shown: the plans, or the change of the rules, that the approval would have to cover.
    """
    for plan in shown:
        if seen is not None:
            if plan.number > seen:
                return plan
        elif plan.shown_at and not could_be_read(plan.shown_at, given_at):
            return plan
    return None


def could_be_read(shown_at: str, at: str) -> bool:
    """GitHub's times are whole seconds: within the same one nobody could have read and approved, but a script may."""
    shown, then = moment_of(shown_at), moment_of(at)
    return shown is not None and then is not None and then >= shown.replace(microsecond=0)


def moment_of(text: str) -> datetime | None:
    """A time of GitHub's or of a workflow's; None for what is none, or has no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
