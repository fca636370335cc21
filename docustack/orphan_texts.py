"""What people read of units that a merge has left owned by nobody: what they are, how they go away, that they have.

The texts are for `prose`: inline code and plain words.
"""

from collections.abc import Mapping, Sequence

from docustack.comment_text import code_list, counted, inline_code, person
from docustack.configuration import Environment
from docustack.deleted_units import DeletedUnit, Fate
from docustack.run_comments import notice_comment
from docustack.slack_messages import escaped, units_text


def orphans_comment(left: Sequence[DeletedUnit], prefix: str) -> str:
    """The closing comment: what it is, what nobody does with it any more, how it goes away after all."""
    listed = "\n".join(f"- {inline_code(each.unit)}{owns(each)}{_kept(each)}" for each in left)
    commit = inline_code(left[0].commit[:12])
    destroy = inline_code(f"{prefix} apply --destroy")
    what = f"Owned by nobody: this was merged without destroying what it deletes.\n\n{listed}"
    how = (
        f"No plan shows it and no apply changes it any more; what it costs goes on. To destroy it, comment {destroy} "
        f"here: it is planned from its folder as it was at {commit}, before the merge, under the access and the "
        "approvals of any destruction."
    )
    otherwise = (
        f"By hand that is `terragrunt destroy` in a checkout of {commit}; it is noticed within a day, or by "
        f"{inline_code('docustack units orphans')}. Or it stays as it is: it is on record until somebody who knows "
        f"what became of it comments {inline_code(f'{prefix} dismiss UNIT')} here."
    )
    return notice_comment([what, how, otherwise])


def _kept(each: DeletedUnit) -> str:
    """What stands in the way of the command."""
    if each.fate in (Fate.NEEDED, Fate.KEPT_FOR):
        depend = "depends" if len(each.because) == 1 else "depend"
        return f"; {code_list(each.because)} still {depend} on it"
    return "; it lies in no environment, so only by hand" if each.fate is Fate.OUTSIDE else ""


def orphans_message(left: Sequence[DeletedUnit], number: int) -> str:
    """The same for Slack, in one line."""
    return f"Owned by nobody since PR #{number} was merged: {units_text([each.unit for each in left])}"


def orphans_ended_comment(
    destroyed: Sequence[str], by: str, found: Mapping[str, DeletedUnit], left: Sequence[str]
) -> str:
    """What is on record no more, since it was destroyed here or found to be gone; and what still is."""
    told: list[str] = []
    if destroyed:
        told.append(f"Destroyed by {person(by)}, and owned by nobody no longer: {code_list(tuple(destroyed))}.")
    told += [_found(each) for each in found.values()]
    still = f"Still owned by nobody: {code_list(tuple(left))}." if left else "Nothing of this merge is left so."
    return notice_comment([*told, still])


def _found(each: DeletedUnit) -> str:
    name = inline_code(each.unit)
    match each.fate:
        case Fate.NOTHING_LEFT:
            return (
                f"{name} is gone: its state holds no resources any more. No run of this pull request has destroyed "
                "it, so who did, and when, is not known."
            )
        case Fate.BACK:
            return f"{name} is in the base branch again, which owns it now."
        case Fate.MOVED:
            return f"{name} goes on as {code_list(each.because)}: both have the same state."
        case Fate.COPIED:
            return f"{name} has had its state copied for {code_list(each.because)}, which owns the same resources now."
    return f"{name} is owned by nobody no longer."


def orphans_ended_message(destroyed: Sequence[str], by: str, found: Sequence[str], number: int) -> str:
    """The same for Slack, in one line."""
    told = [f"destroyed by {escaped(by)}: {units_text(destroyed)}"] if destroyed else []
    told += [f"found gone, by whom is not known: {units_text(found)}"] if found else []
    return f"Owned by nobody no longer (PR #{number}): {'; '.join(told)}"


def destruction_question(deleted: DeletedUnit, environment: Environment, prefix: str) -> str:
    """Beside the plan that is made after the merge: from what, and whose yes it wants."""
    minimum = environment.approvals.minimum
    again = inline_code(f"{prefix} apply --destroy")
    yes = (
        f"It waits for {counted(minimum, 'approval')} given after this was posted."
        if minimum
        else f"Read it; then comment {again} again."
    )
    return f"This is what is left of it now, by its folder at {inline_code(deleted.commit[:12])}. {yes}"


def orphans_planned(units: Sequence[str]) -> str:
    """What a run waits for once the plans are there."""
    return f"What is left of {code_list(tuple(units))} is planned, and waits for a yes."


def orphans_not_planned(failures: Mapping[str, str]) -> str:
    """Some of what a command wants destroyed can't be planned, so nobody could approve it."""
    listed = "\n".join(f"- {inline_code(unit)}: {message.strip()}" for unit, message in failures.items())
    return (
        f"No destruction can be planned of\n\n{listed}\n\nNothing was applied or destroyed. To go on with the others, "
        "name them in the command."
    )


def not_on_record(units: Sequence[str], prefix: str) -> str:
    """Their state still owns something, and nobody is known to want it destroyed."""
    is_are = "is" if len(units) == 1 else "are"
    it = "it" if len(units) == 1 else "them"
    command = inline_code(f"{prefix} apply --destroy UNIT")
    return (
        f"{code_list(tuple(units))} {is_are} not on record as owned by nobody (dismissed, or the record is gone), and "
        f"not destroyed. To destroy {it} all the same, name {it}: {command}."
    )


def owns(each: DeletedUnit) -> str:
    if each.owned is None:
        return ": what it owns could not be read"
    more = each.owned - len(each.addresses)
    return f": {counted(each.owned, 'resource')}, {code_list(each.addresses)}" + (f" and {more:,} more" if more else "")
