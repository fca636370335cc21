"""GitHub's merge queue: the checks of a merge group, a commit of its own that stands on what is before it in line.

What the pull request's own checks say holds for it only if its units read the same files there as they did when they
were planned or applied. Nothing is planned for a group; but without an answer the queue would wait for ever, so there
is always one.
"""

from collections.abc import Mapping, Sequence

from docustack.checks import Check, apply_check, refused_check
from docustack.comment_text import code_list, counted, inline_code
from docustack.configuration import Configuration
from docustack.events import PullRequestEvent
from docustack.model import Model
from docustack.modes import is_applied_from
from docustack.packing import Packed
from docustack.plans import Digest
from docustack.pull_request_actions import Action, LookAtGroup, ReportCheck
from docustack.pull_request_merge import knows_what_changes, left_by_merge
from docustack.pull_request_state import PullRequestState
from docustack.runs import Operation

_UNKNOWN = "The head of this pull request isn't planned. Comment `terrateam plan`, then add it to the queue again."
_RULES = "Changes the rules, and waits for an approval of who owns them."
_AGAIN = "add this pull request to the queue again"


class GroupFound(Model):
    """What a group changes, and what units read there."""

    changed: Packed[tuple[str, ...]] = ()
    inputs: Packed[dict[str, Digest]] = {}  # those of units that aren't there are missing


def take_checks_requested(state: PullRequestState, event: PullRequestEvent) -> list[Action]:
    """Look at the group, or say at once that there is nothing to hold it against."""
    if not event.group_commit:
        return []
    if not knows_what_changes(state) or not event.group_base:
        return [*_both(event.group_commit, refused_check(_UNKNOWN))]
    units = tuple(_read_before(state))
    return [LookAtGroup(group_commit=event.group_commit, group_base=event.group_base, units=units)]


def group_checks(
    state: PullRequestState, group_commit: str, found: GroupFound, configuration: Configuration
) -> list[ReportCheck]:
    """Both checks of the group's commit, by what the pull request knows now."""
    if state.facts is None or not knows_what_changes(state):
        return _both(group_commit, refused_check(_UNKNOWN))
    base_ref = state.facts.base_ref
    before = _read_before(state)
    other = sorted(unit for unit, digest in before.items() if not digest or found.inputs.get(unit) != digest)
    new = [unit for unit in found.changed if unit not in state.changed and unit not in before]
    new = [
        unit
        for unit in new
        if configuration.environment_of(unit) is not None and is_applied_from(configuration, unit, base_ref)
    ]
    if other or new:
        return _both(group_commit, refused_check(_told(state, other, new)))
    checks = {Operation.PLAN: _plan(state), Operation.APPLY: _apply(state)}
    return [_report(group_commit, operation, check) for operation, check in checks.items()]


def group_not_seen(group_commit: str, why: str) -> list[ReportCheck]:
    """Nobody knows what the group would change: that is no yes."""
    told = f"It can't be told what this group changes, so it isn't merged: {why} Then {_AGAIN}."
    return _both(group_commit, refused_check(told))


def _read_before(state: PullRequestState) -> Mapping[str, Digest]:
    """What each unit read when it was planned or applied last, as far as it was at the present head."""
    destroyed = [unit for unit, plan in state.plans.items() if plan.destroy]
    found: dict[str, Digest] = {}
    for unit in [*state.changed, *destroyed]:
        if unit in state.plans:
            found[unit] = state.plans[unit].inputs
        elif state.applied.get(unit) == state.known_head:
            found[unit] = state.applied_by[unit].inputs if unit in state.applied_by else ""
    return found


def _told(state: PullRequestState, other: Sequence[str], new: Sequence[str]) -> str:
    prefix = state.comment_prefixes[0]
    told = []
    if other:
        reads = "reads" if len(other) == 1 else "read"
        told.append(f"{code_list(tuple(other))} {reads} other files in this group than when planned or applied.")
    if new:
        is_not = "isn't" if len(new) == 1 else "aren't"
        told.append(f"{code_list(tuple(new))} would change in this group and {is_not} planned in this pull request.")
    told.append(
        "What is before it in the queue, or in its base branch by now, makes the difference. Once that is merged "
        f"comment {inline_code(f'{prefix} plan')}, apply what is left, and {_AGAIN}."
    )
    return " ".join(told)


def _plan(state: PullRequestState) -> Check:
    known = {*state.plans, *state.deferred, *(unit for unit, head in state.applied.items() if head == state.known_head)}
    left = [unit for unit in state.changed if unit not in known]
    if left:
        return refused_check(f"{len(left)} of {counted(len(state.changed), 'unit')} not planned: {code_list(left)}")
    title = f"{counted(len(state.changed), 'unit')} planned in the pull request"
    return Check(status="completed", conclusion="success", title=title, summary=f"{title}, from the same files.")


def _apply(state: PullRequestState) -> Check:
    rules = state.rules
    if (
        rules is not None
        and rules.head_commit == state.known_head
        and not (state.rules_told and state.rules_told.approved)
    ):
        return refused_check(_RULES)
    standing = [unit for unit, plan in state.plans.items() if plan.destroy and not plan.summary.is_empty]
    return apply_check((), left=left_by_merge(state), not_destroyed=sorted(standing))


def _both(group_commit: str, check: Check) -> list[ReportCheck]:
    return [_report(group_commit, operation, check) for operation in (Operation.PLAN, Operation.APPLY)]


def _report(group_commit: str, operation: Operation, check: Check) -> ReportCheck:
    external_id = f"queue-{group_commit[:12]}-{operation.value}"
    return ReportCheck(head_commit=group_commit, operation=operation, check=check, external_id=external_id)
