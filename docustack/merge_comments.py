"""What people are told after a merge: what it applies by itself, and what the base branch promises and nobody applied.

The texts are for `prose`: inline code and plain words.
"""

from collections.abc import Sequence
from datetime import datetime

from docustack.comment_text import code_list, counted, inline_code, moment, person
from docustack.lock_messages import UnitsFreed
from docustack.locks import Grant
from docustack.run_comments import notice_comment
from docustack.slack_messages import escaped, units_text

NOTHING_OWED = "Nothing to apply: all that this merge has brought is applied, or a later one has brought it along."


def applies_itself_text(units: Sequence[str], environments: Sequence[str], merge_commit: str) -> str:
    """Nobody has commanded this apply: why it begins."""
    have = "has" if len(environments) == 1 else "have"
    return (
        f"Merged as {inline_code(merge_commit[:7])}. {code_list(tuple(environments))} {have} `auto_apply_on_merge`, so "
        f"{counted(len(units), 'unit')} {'is' if len(units) == 1 else 'are'} planned at that commit and applied: "
        f"{code_list(tuple(units))}."
    )


def owed_comment(
    units: Sequence[str], held_by_others: Sequence[Grant], base_ref: str, merge_commit: str, prefix: str, now: datetime
) -> str:
    """Merged and not applied: until somebody does it, reality is another than the branch says."""
    others = {grant.unit: grant for grant in held_by_others}
    listed = "\n".join(f"- {inline_code(unit)}{_held(others.get(unit), now)}" for unit in units)
    it = "it is" if len(units) == 1 else "they are"
    what = (
        f"{inline_code(base_ref)} promises what isn't there: merged as {inline_code(merge_commit[:7])}, and not "
        f"applied.\n\n{listed}"
    )
    apply, unlock = inline_code(f"{prefix} apply"), inline_code(f"{prefix} unlock")
    how = (
        f"This pull request keeps the lock until {it} applied: comment {apply} here, or call "
        f"{inline_code(f'docustack apply UNIT --commit {merge_commit[:7]}')}. The next apply of a pull request "
        f"that changes it too, and contains this merge, takes it over. To give it up, comment {unlock}."
    )
    return notice_comment([what, how])


def taken_over_comment(units: Sequence[str], number: int) -> str:
    """To the merged pull request: somebody else's apply brings its change along."""
    return notice_comment(
        [f"{code_list(tuple(units))}: taken over by pull request {number}, which contains this merge and applies it."]
    )


def taken_back_comment(units: Sequence[str], freed: UnitsFreed) -> str:
    """To the merged pull request: who took it over doesn't hold it any more, and isn't merged."""
    who = f"{freed.holder_name}, which had taken this over, {freed.how}"
    return notice_comment([f"{code_list(tuple(units))}: {who}. It is looked at again what is left to be applied."])


def owed_message(units: Sequence[str], base_ref: str, number: int) -> str:
    """The same for Slack, in one line."""
    return f"{escaped(base_ref)} promises what isn't there: merged with PR #{number}, not applied: {units_text(units)}"


def _held(grant: Grant | None, now: datetime) -> str:
    if grant is None:
        return ""
    return f": held by {grant.holder_name} ({person(grant.actor)}) since {moment(grant.since, now)}"
