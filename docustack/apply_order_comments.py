"""What the order guard tells people: which applied commits a pull request or a merge lacks, and what to do.

The texts are for `prose`: inline code and plain words.
"""

from collections.abc import Sequence
from datetime import datetime

from docustack.apply_order import OutOfOrder, Standing
from docustack.comment_text import counted, inline_code, moment, person

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
    return f"{inline_code(commit[:7])} is behind what is applied here, so it was skipped. {_lacks(found, now)}"


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
    open_ones = sorted(
        {each.order.last.pull_request or 0 for each in found if each.order.last and each.standing is Standing.UNMERGED}
    )
    merge = f"merge {inline_code(base_ref)} first (`git fetch && git merge origin/{base_ref}`) and push"
    if not open_ones:
        return f"To go on, {merge}; it is planned again by itself."
    names = " and ".join(f"pull request {number}" for number in open_ones)
    is_not = "isn't" if len(open_ones) == 1 else "aren't"
    return f"P{names[1:]} {is_not} merged yet. Once that is done, {merge}; it is planned again by itself."
