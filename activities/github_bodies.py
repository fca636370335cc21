"""The few fields that are read of GitHub's answers.

GitHub's own schema changes by the week, and differs in Enterprise Server: a field that isn't used must not be able to
stop an apply, so answers are read through these models and not through githubkit's complete ones.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""A text that GitHub may leave out or set to null."""


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class UserBody(Body):
    login: str


class ReactionBody(Body):
    content: str
    user: UserBody | None = None


class CommentBody(Body):
    id: int
    created_at: Text = ""
    html_url: str = ""
    body: Text = ""
    user: UserBody | None = None
    updated_at: Text = ""


class RepositoryBody(Body):
    full_name: str


class BranchBody(Body):
    ref: str
    sha: str
    repo: RepositoryBody | None = None  # null once a fork has been deleted


class PullRequestBody(Body):
    number: int
    title: Text = ""
    html_url: str = ""
    user: UserBody | None = None  # null once an account has been deleted
    state: str
    merged: bool = False
    merged_at: str | None = None
    draft: bool = False
    head: BranchBody
    base: BranchBody
    mergeable: bool | None = None
    mergeable_state: str = "unknown"
    merge_commit_sha: str | None = None  # of an open one it is that of a trial merge
    merged_by: UserBody | None = None
    created_at: Text = ""
    updated_at: Text = ""
    closed_at: str | None = None

    @property
    def author(self) -> str:
        return self.user.login if self.user else "ghost"

    @property
    def from_fork(self) -> bool:
        return self.head.repo is None or self.base.repo is None or self.head.repo.full_name != self.base.repo.full_name


class ReviewBody(Body):
    user: UserBody | None = None
    state: str
    commit_id: Text = ""
    submitted_at: Text = ""


class MembershipBody(Body):
    state: str  # active, pending


class PermissionBody(Body):
    permission: str  # admin, write, read, none


class CheckRunBody(Body):
    id: int
    external_id: Text = ""


class CheckRunsBody(Body):
    check_runs: list[CheckRunBody]


COMMENT = TypeAdapter(CommentBody)
COMMENTS = TypeAdapter(list[CommentBody])
REACTIONS = TypeAdapter(list[ReactionBody])
PULL_REQUEST = TypeAdapter(PullRequestBody)
PULL_REQUESTS = TypeAdapter(list[PullRequestBody])
REVIEWS = TypeAdapter(list[ReviewBody])
MEMBERSHIP = TypeAdapter(MembershipBody)
PERMISSION = TypeAdapter(PermissionBody)
CHECK_RUN = TypeAdapter(CheckRunBody)
CHECK_RUNS = TypeAdapter(CheckRunsBody)
