"""What GitHub is asked and told, and what it answers."""

from docustack.events import PullRequestFacts
from docustack.model import Model
from docustack.repository import Repository


class PostComment(Model):
    """Create a comment, once: `key` is hidden in it, and a retry looks for it before it posts.

    With `comment_id` that comment is rewritten in place instead.
    """

    repository: Repository
    pull_request: int
    key: str
    body: str
    comment_id: int | None = None


class PostedComment(Model):
    comment_id: int
    url: str
    updated_at: str = ""  # when it got this text, by GitHub's clock


class MarkOutdated(Model):
    """Fold old comments away under a line that says why; their text stays."""

    repository: Repository
    pull_request: int
    comment_ids: tuple[int, ...]
    reason: str


class MarkForgotten(Model):
    """Mark the comments of all plans outdated that nobody remembers: those before a moment of GitHub's clock."""

    repository: Repository
    pull_request: int
    before: str
    reason: str


class AskAnswered(Model):
    """Has a comment been answered before, perhaps by a workflow that is long over?"""

    repository: Repository
    comment_id: int


class Answered(Model):
    """`answered` is told by a sign of ours at the comment; one that is gone can't be answered any more."""

    answered: bool


class React(Model):
    """Acknowledge a comment: `eyes`, `+1`, `-1`, `confused`, `rocket`."""

    repository: Repository
    comment_id: int
    content: str


class SetCheck(Model):
    """Create or update the check run `name` of a commit; `external_id` tells ours apart on a retry."""

    repository: Repository
    head_commit: str
    name: str
    external_id: str
    status: str  # queued, in_progress, completed
    conclusion: str | None = None  # success, failure, neutral, cancelled, action_required
    title: str
    summary: str
    details_url: str | None = None
    check_run_id: int | None = None
    only_existing: bool = False  # update the one that was made before; where there is none, make none


class CheckRun(Model):
    check_run_id: int | None  # None: there was none to update


class ReadPerson(Model):
    """Who is a login: teams by the names that docustack.yaml gives them."""

    repository: Repository
    login: str
    teams: dict[str, str]  # name -> GitHub team slug


class ReadGate(Model):
    """Read all that the gate decides on, afresh."""

    repository: Repository
    pull_request: int
    actor: str
    teams: dict[str, str]


class ReadPullRequest(Model):
    repository: Repository
    pull_request: int


class ListPullRequests(Model):
    """Which pull requests are open, for the sweep that picks up what GitHub never delivered."""

    repository: Repository


class OpenPullRequests(Model):
    pull_requests: tuple[PullRequestFacts, ...]
