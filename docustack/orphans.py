"""Units that a merge leaves owned by nobody: on record until they are destroyed, found to be gone, or dismissed."""

from collections.abc import Sequence

from docustack.comment_text import code_list, inline_code, person
from docustack.deleted_units import DeletedUnit
from docustack.orphan_texts import (
    orphans_comment,
    orphans_ended_comment,
    orphans_ended_message,
    orphans_message,
    owns,
)
from docustack.pull_request_actions import Action, Announce, Reply, SignalRun, StartRun
from docustack.pull_request_state import PullRequestState, RunToStart
from docustack.runs import Operation, RunResult, UnitPhase


def keep_deletions(state: PullRequestState, result: RunResult) -> None:
    """What a run has found out of deleted units, and what it has destroyed of them."""
    if result.slack_channel:
        state.slack_channel = result.slack_channel
    if result.deleted is not None:
        state.deleted, state.deleted_head = list(result.deleted), result.head_commit
    destroyed = _destroyed(result)
    state.deleted = [each for each in state.deleted if each.unit not in destroyed]


def _destroyed(result: RunResult) -> set[str]:
    return {outcome.unit for outcome in result.outcomes if outcome.phase is UnitPhase.APPLIED}


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
    return [*told, *_announce(state, "orphans", orphans_message(left, facts.number))]


def _announce(state: PullRequestState, key: str, text: str) -> list[Action]:
    if not state.slack_channel or state.facts is None:
        return []
    where = state.facts.url or state.facts.number
    return [Announce(key=f"{key}-{where}", channel=state.slack_channel, text=text)]


def settle_orphans(state: PullRequestState, result: RunResult, actor: str) -> list[Action]:
    """What a run after the merge has destroyed, or has found to be nobody's no longer, is off the record, and told.

    What could not be read stays as it was seen last.
    """
    if not state.orphans or state.facts is None or result.head_commit != state.facts.head_commit:
        return []
    destroyed, seen = _destroyed(result), {each.unit: each for each in result.deleted or ()}
    ended = [each.unit for each in state.orphans if each.unit in destroyed]
    found: dict[str, DeletedUnit] = {}
    left: list[DeletedUnit] = []
    for known in state.orphans:
        now = seen.get(known.unit, known)
        if known.unit in destroyed:
            continue
        if not now.is_owned_by_nobody:
            found[known.unit] = now
        else:
            left.append(known.model_copy(update={"unread": True}) if now.owned is None else now)
    state.orphans = left
    if not ended and not found:
        return []
    body = orphans_ended_comment(ended, actor, found, [each.unit for each in left])
    text = orphans_ended_message(ended, actor, tuple(found), state.facts.number)
    key = f"orphans-ended-{result.run_id}"
    return [Reply(key=key, body=body), *_announce(state, key, text)]


def look_at_orphans(state: PullRequestState) -> list[Action]:
    """Somebody may have destroyed them by other means: a run that only looks, unless one is at work that has looked."""
    if state.is_open or not state.merge_commit or not state.orphans:
        return []
    if state.active is not None:
        return [SignalRun(run_id=state.active.run_id)]
    assert state.facts is not None
    look = RunToStart(
        operation=Operation.PLAN,
        actor=state.facts.merged_by or state.facts.author,
        automatic=True,
        only_outdated=True,
        head_commit=state.facts.head_commit,
        merge_commit=state.merge_commit,
    )
    return [StartRun(run=look)]


def dismiss(state: PullRequestState, units: Sequence[str], login: str) -> tuple[bool, str]:
    """Take what is named off the record of what nobody owns; gives whether all of it was there, and what is said."""
    left = {each.unit: each for each in state.orphans}
    command = inline_code(f"{state.comment_prefixes[0]} dismiss UNIT")
    if state.facts is None or not state.facts.merged:
        return False, "Nothing to dismiss: that is for what a merge has left owned by nobody, and this isn't merged."
    if not left:
        return False, "Nothing to dismiss: no unit that this pull request has deleted is on record as owned by nobody."
    unknown = [unit for unit in units if unit not in left]
    if unknown or not units:
        what = f"{code_list(unknown)} is none of them. " if unknown else "Which one? It takes their names. "
        return False, f"Nothing was dismissed. {what}Owned by nobody: {code_list(tuple(left))}. Comment {command}."
    state.orphans = [each for each in state.orphans if each.unit not in units]
    listed = "\n".join(f"- {inline_code(unit)}{owns(left[unit])}" for unit in dict.fromkeys(units))
    return True, (
        f"Dismissed by {person(login)}: nothing was destroyed, and nothing reminds of it any more. When it was "
        f"deleted, it owned\n\n{listed}"
    )
