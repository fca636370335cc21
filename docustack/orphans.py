"""Units that a merge leaves owned by nobody: deleted in the code, and not destroyed."""

from collections.abc import Sequence

from docustack.comment_text import code_list, counted, inline_code, person
from docustack.deleted_units import DeletedUnit
from docustack.pull_request_actions import Action, Announce, Reply
from docustack.pull_request_state import PullRequestState
from docustack.run_comments import notice_comment
from docustack.runs import RunResult, UnitPhase
from docustack.slack_messages import units_text


def keep_deletions(state: PullRequestState, result: RunResult) -> None:
    """What a run has found out of deleted units, and what it has destroyed of them."""
    if result.slack_channel:
        state.slack_channel = result.slack_channel
    if result.deleted is not None:
        state.deleted, state.deleted_head = list(result.deleted), result.head_commit
    destroyed = {outcome.unit for outcome in result.outcomes if outcome.phase is UnitPhase.APPLIED}
    state.deleted = [each for each in state.deleted if each.unit not in destroyed]


def tell_orphans(state: PullRequestState) -> list[Action]:
    """Once a pull request is merged, and nothing of it runs any more: what is left owned by nobody, told once."""
    facts = state.facts
    if facts is None or not facts.merged or state.told_orphans or state.deleted_head != facts.head_commit:
        return []
    state.told_orphans = True
    left = [each for each in state.deleted if each.is_owned_by_nobody]
    if not left:
        return []
    state.orphans = left
    told: list[Action] = [Reply(key="orphans", body=orphans_comment(left, state.comment_prefixes[0]))]
    if state.slack_channel:
        text = orphans_message(left, facts.number)
        told.append(Announce(key=f"orphans-{facts.url or facts.number}", channel=state.slack_channel, text=text))
    return told


def orphans_comment(left: Sequence[DeletedUnit], prefix: str) -> str:
    """The closing comment: what it is, what nobody does with it any more, how it goes away after all."""
    listed = "\n".join(f"- {inline_code(each.unit)}{_owns(each)}" for each in left)
    commit = inline_code(left[0].commit[:12])
    destroy = inline_code(f"{prefix} apply --destroy")
    what = f"Owned by nobody: this was merged without destroying what it deletes.\n\n{listed}"
    how = (
        "No plan shows it and no apply changes it any more; what it costs goes on. To destroy it, run `terragrunt "
        f"destroy` in its folder in a checkout of {commit}; or restore the folder in a pull request, and delete it in "
        f"the next one, with {destroy} before the merge.\n\n"
        f"It stays on record, for {inline_code('docustack units orphans')}, until somebody who knows what became of it "
        f"comments {inline_code(f'{prefix} dismiss UNIT')} here."
    )
    return notice_comment([what, how])


def dismiss(state: PullRequestState, units: Sequence[str], login: str) -> tuple[bool, str]:
    """Take what is named off the record of what nobody owns; gives whether all of it was there, and what is said."""
    left = {each.unit: each for each in state.orphans}
    command = inline_code(f"{state.comment_prefixes[0]} dismiss UNIT")
    if not left:
        return False, f"Nothing to dismiss: no merge of this pull request has left a unit owned by nobody ({command})."
    unknown = [unit for unit in units if unit not in left]
    if unknown or not units:
        what = f"{code_list(unknown)} is none of them. " if unknown else "Which one? It takes their names. "
        return False, f"Nothing was dismissed. {what}Owned by nobody: {code_list(tuple(left))}. Comment {command}."
    state.orphans = [each for each in state.orphans if each.unit not in units]
    listed = "\n".join(f"- {inline_code(unit)}{_owns(left[unit])}" for unit in dict.fromkeys(units))
    return True, (
        f"Dismissed by {person(login)}: nothing was destroyed, and nothing reminds of it any more. When it was "
        f"deleted, it owned\n\n{listed}"
    )


def orphans_message(left: Sequence[DeletedUnit], number: int) -> str:
    """The same for Slack, in one line."""
    return f"Owned by nobody since PR #{number} was merged: {units_text([each.unit for each in left])}"


def _owns(each: DeletedUnit) -> str:
    if each.owned is None:
        return ": what it owns could not be read"
    more = each.owned - len(each.addresses)
    return f": {counted(each.owned, 'resource')}, {code_list(each.addresses)}" + (f" and {more:,} more" if more else "")
