"""What the order guard tells people: which applied commits a pull request or a merge lacks, and what to do.

The texts are for `prose`: inline code and plain words.
"""

from collections.abc import Sequence
from datetime import datetime

from docustack.apply_order import OutOfOrder, Standing
from docustack.comment_text import code_list, counted, inline_code, moment, person
from docustack.run_comments import notice_comment

_UNITS_SHOWN = 10
_COMMITS_SHOWN = 10


def behind_comment(found: Sequence[OutOfOrder], base_ref: str, now: datetime) -> str:
    """Why an apply is refused: for each unit what it would undo, and how that comes into the branch."""
    listed = [_lacks(each, now) for each in found[:_UNITS_SHOWN]]
    if len(found) > _UNITS_SHOWN:
        listed.append(f"And {len(found) - _UNITS_SHOWN:,} more units.")
    head = "Nothing was applied: this pull request lacks what was applied last, so its apply would undo that."
    return "\n\n".join([head, *listed, _what_to_do(found, base_ref)])


def skipped_behind(found: OutOfOrder, commit: str, now: datetime) -> str:
    """Why the apply of a commit of the base branch leaves a unit out."""
    if found.standing is Standing.ABANDONED:
        return (
            f"No branch has what is applied here, so {inline_code(commit[:7])} was not applied over it by itself. "
            f"{_lacks(found, now)}\n\nTo undo that, ask for the apply: the plan is made then."
        )
    return f"{inline_code(commit[:7])} is behind what is applied here, so it was skipped. {_lacks(found, now)}"


def undoes_abandoned(found: OutOfOrder, now: datetime) -> str:
    """To who applies a branch on purpose: that this undoes what was applied and never merged."""
    return f"No branch has what is applied here, so this undoes it. {_lacks(found, now)}"


def closed_unmerged_comment(units: Sequence[str], base_ref: str) -> str:
    """To a pull request that was applied and closed without a merge: reality is another than the branch says."""
    it = "it" if len(units) == 1 else "them"
    what = (
        f"Closed without a merge, but applied from here: {code_list(tuple(units))}. {inline_code(base_ref)} doesn't "
        f"have that, and other pull requests that change {it} are refused until it is settled."
    )
    how = (
        f"To put {it} back to what {inline_code(base_ref)} says: `docustack apply UNIT`. To keep it: reopen and merge."
    )
    return notice_comment([what, how])


def _lacks(found: OutOfOrder, now: datetime) -> str:
    order, last = found.order, found.order.last
    assert last is not None, "only a unit that was applied before can be out of order"
    by = f"from pull request {last.pull_request} " if last.pull_request else ""
    applied = (
        f"{inline_code(order.unit)}: {inline_code(last.head_commit[:7])} was applied {by}by {person(last.actor)}, "
        f"{moment(last.at, now)}."
    )
    if not order.lacked:
        return f"{applied} That commit is in no branch that is here."
    lines = [
        f"- {inline_code(commit.commit[:7])} {commit.subject.replace('`', chr(39))} ({commit.author})"
        for commit in order.lacked[:_COMMITS_SHOWN]
    ]
    if order.lacked_count > len(lines):
        lines.append(f"- and {order.lacked_count - len(lines):,} more")
    return "\n".join([f"{applied} It lacks {counted(order.lacked_count, 'commit')}:", "", *lines])


def _what_to_do(found: Sequence[OutOfOrder], base_ref: str) -> str:
    abandoned = [each for each in found if each.standing is Standing.ABANDONED]
    others = [each for each in found if each.standing is not Standing.ABANDONED]
    steps = [_about_abandoned(abandoned, base_ref)] if abandoned else []
    return "\n\n".join([*steps, _about_others(others, base_ref)] if others else steps)


def _about_abandoned(found: Sequence[OutOfOrder], base_ref: str) -> str:
    """What was applied and then closed without a merge, or pushed over: kept or undone, but on purpose."""
    last = [each.order.last for each in found if each.order.last is not None]
    refs = {f"pull/{each.pull_request}/head" if each.pull_request else each.head_commit for each in last}
    fetch = " ".join(["git fetch origin", *sorted(refs)[:1]])
    return (
        f"No branch has that: it was closed without a merge, or pushed over. To undo it, put the unit back to what "
        f"{inline_code(base_ref)} says with `docustack apply {found[0].unit}`, which shows the plan, and comment the "
        f"command again. To keep it, merge it into this pull request (`{fetch} && git merge FETCH_HEAD`) and push."
    )


def _about_others(found: Sequence[OutOfOrder], base_ref: str) -> str:
    open_ones = sorted(
        {each.order.last.pull_request or 0 for each in found if each.order.last and each.standing is Standing.UNMERGED}
    )
    merge = f"merge {inline_code(base_ref)} first (`git fetch && git merge origin/{base_ref}`) and push"
    if not open_ones:
        return f"To go on, {merge}; it is planned again by itself."
    names = " and ".join(f"pull request {number}" for number in open_ones)
    is_not = "isn't" if len(open_ones) == 1 else "aren't"
    return f"P{names[1:]} {is_not} merged yet. Once that is done, {merge}; it is planned again by itself."
