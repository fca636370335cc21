"""What can follow from an event of a pull request: data, which its workflow carries out."""

from typing import Literal

from docustack.checks import Check
from docustack.model import Model
from docustack.pull_request_state import RunToStart
from docustack.runs import Operation


class Sign(Model):
    kind: Literal["react"] = "react"
    comment_id: int
    content: str


class Reply(Model):
    kind: Literal["reply"] = "reply"
    key: str
    body: str


class StartRun(Model):
    kind: Literal["start-run"] = "start-run"
    run: RunToStart


class CancelRun(Model):
    kind: Literal["cancel-run"] = "cancel-run"
    run_id: str
    reason: str


class SignalRun(Model):
    """Tell a run at its gate to look again; `actor` is who commanded the apply anew, if somebody did."""

    kind: Literal["signal-run"] = "signal-run"
    run_id: str
    actor: str | None = None


class EndCheck(Model):
    """Complete the check of a run that can't do so itself any more; where it never had one there is nothing to do."""

    kind: Literal["end-check"] = "end-check"
    run_id: str
    operation: Operation
    head_commit: str
    message: str


class LookAtGroup(Model):
    """Find out what a commit of GitHub's merge queue makes of these units, and set its checks by that."""

    kind: Literal["look-at-group"] = "look-at-group"
    group_commit: str
    group_base: str
    units: tuple[str, ...]


class ReportCheck(Model):
    """A check that no run has set: of a commit of GitHub's merge queue."""

    kind: Literal["report-check"] = "report-check"
    head_commit: str
    operation: Operation
    check: Check
    external_id: str


class GiveTurn(Model):
    """Tell a challenger that the apply before it has ended."""

    kind: Literal["give-turn"] = "give-turn"
    run_id: str


class ReleaseAllLocks(Model):
    kind: Literal["release-locks"] = "release-locks"
    but_not: tuple[str, ...] = ()


class TellFreed(Model):
    """Tell the other open pull requests that have plans for these units that nobody holds them any more."""

    kind: Literal["tell-freed"] = "tell-freed"
    units: tuple[str, ...]
    how: str
    merged: bool = False
    only_owed: bool = False


class FoldComments(Model):
    kind: Literal["fold-comments"] = "fold-comments"
    comment_ids: tuple[int, ...]
    reason: str


class Announce(Model):
    """A message for Slack that belongs to no run; `key` keeps it from being posted twice."""

    kind: Literal["announce"] = "announce"
    key: str
    channel: str
    text: str


class JudgeRules(Model):
    """Set the check of a pull request that changes the rules, by its reviews as they are now."""

    kind: Literal["judge-rules"] = "judge-rules"


class FoldForgotten(Model):
    """Mark the comments of plans outdated that a workflow before this one has made, and nobody remembers."""

    kind: Literal["fold-forgotten"] = "fold-forgotten"
    before: str  # by GitHub's clock
    reason: str


Action = (
    Sign
    | Reply
    | StartRun
    | CancelRun
    | SignalRun
    | ReleaseAllLocks
    | FoldComments
    | Announce
    | JudgeRules
    | FoldForgotten
    | GiveTurn
    | EndCheck
    | TellFreed
    | LookAtGroup
    | ReportCheck
)
