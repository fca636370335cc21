"""What follows for a plan when the branch that its pull request is to be merged into has moved on.

A plan is of the merge with the base branch as it was. As long as a move changes nothing that the unit reads, the plan
is still what it was; else it is made again, and who approved the old one hasn't read the new one.
"""

from collections.abc import Iterable, Mapping, Sequence

from docustack.comment_text import code_list, counted, inline_code
from docustack.model import Model
from docustack.plans import Digest, PlanRecord
from docustack.repository import Repository

BASE_MOVED_SIGNAL = "base_moved"
_FILES_SHOWN = 5


class BaseMoved(Model):
    """A branch of the repository was pushed to; pull requests into it hear of that."""

    repository: Repository
    base_ref: str
    commit: str


class MovedInputs(Model):
    """Which files of those that a unit reads differ between two commits (at most twenty, and how many)."""

    unit: str
    files: tuple[str, ...] = ()
    count: int = 0


def is_outdated(plan: PlanRecord, inputs: Mapping[str, Digest], tree_commit: str) -> bool:
    """Was the plan made from other files than the unit reads in the tree of this commit?"""
    if plan.tree_commit == tree_commit:
        return False
    return not plan.inputs or plan.inputs != inputs.get(plan.unit)


def outdated_plans(
    plans: Iterable[PlanRecord], units: Iterable[str], inputs: Mapping[str, Digest], tree_commit: str
) -> list[PlanRecord]:
    """The plans of these units that have to be made again."""
    wanted = set(units)
    return [plan for plan in plans if plan.unit in wanted and is_outdated(plan, inputs, tree_commit)]


def moved_reason(moved: MovedInputs, base_ref: str, before: str, now: str) -> str:
    """Why one unit was planned again, beside its new plan."""
    what = f": {code_list(moved.files, _FILES_SHOWN)}" if moved.files else ""
    return (
        f"{_moved(base_ref, before, now)}, which changes what {inline_code(moved.unit)} reads{what}. "
        "So it was planned again, and an approval of the plan before doesn't count for this one."
    )


def many_moved_reason(moved: Sequence[MovedInputs], base_ref: str, before: str, now: str) -> str:
    """The same for many units at once."""
    files = tuple(dict.fromkeys(path for each in moved for path in each.files))
    what = f": {code_list(files, _FILES_SHOWN)}" if files else ""
    return (
        f"{_moved(base_ref, before, now)}, which changes what {counted(len(moved), 'unit')} read{what}. "
        "So they were planned again, and approvals of the plans before don't count for these."
    )


def wants_another_command(units: Sequence[str], command: str) -> str:
    """Units that need no approval: who commanded the apply has not seen the new plans."""
    again = inline_code(command)
    return f"The new plan of {code_list(tuple(units))} has to be read first; then comment {again} again."


def renewed_plans_wait(base_ref: str, units: Sequence[str]) -> str:
    """For what a run waits from the moment on in which plans that were made again can be read."""
    return f"{code_list(tuple(units))}: planned again, since {inline_code(base_ref)} has moved. Look at the new plans."


def cannot_be_planned(base_ref: str, failures: Mapping[str, str]) -> str:
    """With the base branch as it is now some units have no plan, so nothing is applied."""
    listed = "\n".join(f"- {inline_code(unit)}: {message.splitlines()[0]}" for unit, message in failures.items())
    return (
        f"{inline_code(base_ref)} has moved, and with it there is no plan any more that could be applied:\n\n{listed}"
        "\n\nNothing was applied."
    )


def gone_from_base(units: Sequence[str], base_ref: str) -> str:
    """Units that the base branch, or its configuration, no longer has."""
    return f"{code_list(tuple(units))}: no longer there with {inline_code(base_ref)} as it is now, so left out."


def _moved(base_ref: str, before: str, now: str) -> str:
    came_from = f" from {inline_code(before[:7])}" if before else ""
    return f"{inline_code(base_ref)} has moved{came_from} to {inline_code(now[:7])}"
