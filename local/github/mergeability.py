"""Whether a pull request can be merged, worked out with real git, and what stands in its way."""

from dataclasses import dataclass

from local.github.hub import Hub
from local.github.records import CheckRun, Protection, PullRequest, Review

GOOD = ("success", "neutral", "skipped")


@dataclass(frozen=True)
class Mergeability:
    """`mergeable` and `state` as GitHub's API names them; `reasons` say to a person what blocks."""

    mergeable: bool | None
    state: str
    reasons: tuple[str, ...] = ()


def mergeability(hub: Hub, pull: PullRequest) -> Mergeability:
    if pull.state == "closed" or hub.faults.take("mergeability_unknown", f"/{pull.number}"):
        return Mergeability(None, "unknown")
    base = hub.repository.resolve(f"refs/heads/{pull.base_ref}")
    if base is None:
        return Mergeability(False, "dirty", (f"The base branch {pull.base_ref} is gone.",))
    if hub.repository.merged_tree(base, pull.head_sha) is None:
        return Mergeability(False, "dirty", ("This branch has conflicts that must be resolved.",))
    if pull.draft:
        return Mergeability(True, "draft", ("This pull request is still a draft.",))
    missing = tuple(_missing(hub, pull))
    if missing:
        return Mergeability(True, "blocked", missing)
    unsettled = [run for run in latest_checks(hub, pull.head_sha) if run.conclusion not in GOOD]
    return Mergeability(True, "unstable" if unsettled else "clean")


def latest_checks(hub: Hub, sha: str) -> list[CheckRun]:
    """The newest check run of each name at a commit."""
    return list({run.name: run for run in hub.store.all(CheckRun, sha)}.values())


def effective_reviews(hub: Hub, pull: PullRequest) -> dict[str, Review]:
    """Each reviewer's last word, of those whose review counts: GitHub asks for the push right."""
    words = [review for review in hub.store.all(Review, pull.within) if review.state != "COMMENTED"]
    return {review.author: review for review in words if hub.user(review.author).may_push}


def _missing(hub: Hub, pull: PullRequest) -> list[str]:
    """What the protection of the base branch asks for and is not there."""
    rule = hub.store.first(Protection, pull.base_ref)
    if rule is None:
        return []
    states = [review.state for review in effective_reviews(hub, pull).values()]
    conclusions = {run.name: run.conclusion for run in latest_checks(hub, pull.head_sha)}
    missing = [
        f'Required status check "{name}" {"is expected" if conclusions.get(name) is None else "is failing"}.'
        for name in rule.required_checks
        if conclusions.get(name) not in GOOD
    ]
    if rule.required_approvals and "CHANGES_REQUESTED" in states:
        missing.append("Changes are requested by a reviewer with write access.")
    if states.count("APPROVED") < rule.required_approvals:
        wanted = rule.required_approvals
        missing.append(f"At least {wanted} approving review{'s are' if wanted > 1 else ' is'} required.")
    return missing
