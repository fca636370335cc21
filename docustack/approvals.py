"""Whose approvals count, and whether they are enough (guide, "Approval Requirements")."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from docustack.access import named_teams, no_environment, who_it_takes
from docustack.configuration import Approvals, Configuration, Who
from docustack.gate_facts import APPROVED, CHANGES_REQUESTED, DISMISSED, Door, Review
from docustack.model import Model
from docustack.shown_plans import Shown, ShownPlan, first_unseen, moment_of


class IgnoredReview(Model):
    """A review that doesn't count, and why."""

    login: str
    reason: str
    what: str = "review"


class ApprovalDecision(Model):
    """Whether an environment has the approvals that it asks for.

    `blocked_by` are approvers who requested changes: until they approve, or their review is dismissed, nothing is
    applied, however many others approved. So does GitHub's branch protection.
    """

    satisfied: bool
    minimum: int
    counted: tuple[str, ...] = ()
    missing: int = 0
    blocked_by: tuple[str, ...] = ()
    ignored: tuple[IgnoredReview, ...] = ()
    message: str


def count_approvals(
    configuration: Configuration,
    environment: str,
    author: str,
    head_commit: str,
    reviews: Iterable[Review],
    shown: Sequence[ShownPlan] = (),
) -> ApprovalDecision:
    """Are the approvals there that the guide's table "Approval Requirements" asks for?

    An approval counts if its reviewer is in a team that the rule names (`anyone`: has push access), is not the author,
    has not been dismissed, and was given to the current head, once all of the plans in `shown` could be read. The last
    word of each reviewer counts; a signal of Temporal's is nobody's word where its operators aren't trusted.
    """
    known = configuration.environments.get(environment)
    if known is None:
        refusal = no_environment(configuration, environment, f"environments.{environment}.approvals")
        return ApprovalDecision(satisfied=False, minimum=0, message=refusal.message)
    rule = f"environments.{environment}.approvals"
    trusts_temporal = known.trust_temporal_operators
    return _count(f"`{environment}`", rule, known.approvals, author, head_commit, reviews, shown, trusts_temporal)


def count_team_approvals(
    subject: str,
    rule: str,
    team: str,
    author: str,
    head_commit: str,
    reviews: Iterable[Review],
    shown: Sequence[Shown] = (),
) -> ApprovalDecision:
    """The same for what one approval of a team is asked for; `subject` is what needs it, for the message."""
    return _count(subject, rule, Approvals(from_=[team], minimum=1), author, head_commit, reviews, shown)


def _count(
    subject: str,
    rule: str,
    approvals: Approvals,
    author: str,
    head_commit: str,
    reviews: Iterable[Review],
    shown: Sequence[Shown] = (),
    trusts_temporal: bool = False,
) -> ApprovalDecision:
    counted: list[str] = []
    blocked_by: list[str] = []
    ignored: list[IgnoredReview] = []
    words, claims = list[Review](), list[Review]()
    for review in reviews:
        (claims if _is_only_claimed(review, trusts_temporal) else words).append(review)
    # What is only claimed to be somebody's is no word of theirs: it neither lifts their no nor hides their yes.
    for review in [*_last_words(words), *_last_words(claims)]:
        reason = why_not_counted(approvals, author, head_commit, review, shown, trusts_temporal=trusts_temporal)
        if reason is not None:
            what = "review" if review.door is Door.REVIEW else "approval"
            ignored.append(IgnoredReview(login=review.reviewer.login, reason=reason, what=what))
        elif review.state == APPROVED:
            counted.append(review.reviewer.login)
        else:
            blocked_by.append(review.reviewer.login)
    missing = max(0, approvals.minimum - len(counted))
    return ApprovalDecision(
        satisfied=missing == 0 and not blocked_by,
        minimum=approvals.minimum,
        counted=tuple(counted),
        missing=missing,
        blocked_by=tuple(blocked_by),
        ignored=tuple(ignored),
        message=_approvals_message(subject, rule, approvals, counted, blocked_by, ignored),
    )


def why_not_counted(
    approvals: Approvals,
    author: str,
    head_commit: str,
    review: Review,
    shown: Sequence[Shown] = (),
    *,
    trusts_temporal: bool = False,
) -> str | None:
    """As in "@lead …": one function for the yes and no of every door. None where it counts."""
    if _is_only_claimed(review, trusts_temporal):
        return "is only claimed to have sent the signal, and nobody has verified who did"
    reason = _reason_to_ignore(review, approvals.from_, author, head_commit)
    return reason or _reason_not_seen(review, shown)


def _is_only_claimed(review: Review, trusts_temporal: bool) -> bool:
    return review.door is Door.TEMPORAL and not trusts_temporal


def _reason_to_ignore(review: Review, who: Who, author: str, head_commit: str) -> str | None:
    if review.reviewer.login.lower() == author.lower():
        return "is the author of the pull request"
    if who == "anyone":
        if not review.reviewer.can_push:
            return "has no push access to the repository"
    elif not set(who) & set(review.reviewer.teams):
        return f"is not a member of {named_teams(who)}"
    if review.state == DISMISSED:
        return "gave a review that has been dismissed"
    # A request for changes outlives a push, as on GitHub: the new commits may not answer it.
    if review.state == APPROVED and review.commit != head_commit:
        return f"approved {review.commit[:7]}, but the head is now {head_commit[:7]}"
    return None


def _reason_not_seen(review: Review, shown: Sequence[Shown]) -> str | None:
    unseen = first_unseen(review.submitted_at, review.seen, shown) if review.state == APPROVED else None
    if unseen is None:
        return None
    return f"approved before {unseen.what} could be read, and would have to approve again"


def _last_words(reviews: Iterable[Review]) -> list[Review]:
    latest: dict[str, Review] = {}
    long_ago = datetime.min.replace(tzinfo=UTC)
    for review in sorted(reviews, key=lambda review: moment_of(review.submitted_at) or long_ago):
        if review.state in (APPROVED, CHANGES_REQUESTED, DISMISSED):
            latest[review.reviewer.login.lower()] = review
    return list(latest.values())


def _approvals_message(
    subject: str,
    rule: str,
    approvals: Approvals,
    counted: list[str],
    blocked_by: list[str],
    ignored: list[IgnoredReview],
) -> str:
    minimum = approvals.minimum
    sentences: list[str] = []
    if minimum == 0:
        sentences.append(f"{subject} needs no approval.")
    else:
        number = "1 approval" if minimum == 1 else f"{minimum} approvals"
        has = f"has it, from {_logins(counted)}" if len(counted) >= minimum else f"has {len(counted)}"
        if counted and len(counted) < minimum:
            has += f", from {_logins(counted)}"
        sentences.append(f"{subject} needs {number} from {who_it_takes(approvals.from_)}, and {has}.")
    if blocked_by:
        sentences.append(
            f"{_logins(blocked_by)} requested changes, which blocks the apply until they approve or the review is "
            "dismissed."
        )
    if minimum and len(counted) < minimum:
        sentences.extend(
            f"The {review.what} of @{review.login} doesn't count, who {review.reason}." for review in ignored
        )
    sentences.append(f"(Rule `{rule}` in `docustack.yaml`.)")
    return " ".join(sentences)


def _logins(logins: list[str]) -> str:
    names = [f"@{login}" for login in logins]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
