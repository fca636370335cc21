"""What is used of GitHub's webhooks, as small models of our own.

They name the few fields that are used, take in milliseconds what githubkit's take seconds to load for, and don't refuse
an event to which GitHub has added something.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Number = Annotated[int, Field(gt=0, lt=2**31)]  # of issues and pull requests
_Id = Annotated[int, Field(gt=0, lt=2**63)]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class UserBody(_Body):
    login: str
    type: str = "User"


class OwnerBody(_Body):
    login: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")


class RepositoryBody(_Body):
    name: str = Field(pattern=r"^(?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]{0,99}$")
    owner: OwnerBody

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


class BranchBody(_Body):
    sha: str
    ref: str
    repo: RepositoryBody | None = None  # null once a fork has been deleted


class PullRequestBody(_Body):
    number: _Number
    title: str | None = None
    html_url: str | None = None
    user: UserBody | None = None
    draft: bool | None = None
    merged: bool | None = None
    head: BranchBody
    base: BranchBody

    @property
    def from_fork(self) -> bool:
        return self.head.repo is None or self.base.repo is None or self.head.repo.full_name != self.base.repo.full_name


class ChangesBody(_Body):
    base: dict[str, object] | None = None


class ReviewBody(_Body):
    state: str
    commit_id: str | None = None


class IsPullRequest(_Body):
    """`issue.pull_request`: there only where the issue is one."""


class IssueBody(_Body):
    number: _Number
    title: str | None = None
    html_url: str | None = None
    user: UserBody | None = None
    draft: bool | None = None
    pull_request: IsPullRequest | None = None


class CommentBody(_Body):
    id: _Id
    body: str | None = None
    html_url: str | None = None
    created_at: str | None = None


class PushBody(_Body):
    ref: str
    after: _Commit
    deleted: bool = False
    repository: RepositoryBody


class MergeGroupBody(_Body):
    head_sha: _Commit
    head_ref: str
    base_sha: _Commit


class EventBody(_Body):
    action: str
    repository: RepositoryBody
    sender: UserBody


class PullRequestEventBody(EventBody):
    pull_request: PullRequestBody
    changes: ChangesBody | None = None


class ReviewEventBody(EventBody):
    pull_request: PullRequestBody
    review: ReviewBody


class CommentEventBody(EventBody):
    issue: IssueBody
    comment: CommentBody


class MergeGroupEventBody(EventBody):
    merge_group: MergeGroupBody
