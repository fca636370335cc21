"""People who work with a live repository on GitHub, each with a token: what they do and what they can see."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from local import plain_http
from local.status import Status
from local.waiting import wait_for
from local.work_tree import WorkTree

SECONDS = 120.0
"""How long something that a run does may take to be seen on GitHub."""

M = TypeVar("M", bound=BaseModel)


class User(BaseModel):
    login: str


class PullRequest(BaseModel):
    number: int
    title: str
    state: str
    merged: bool
    draft: bool
    html_url: str
    merge_commit_sha: str | None
    head: "Tip"
    base: "Tip"

    @property
    def commit(self) -> str:
        return self.head.sha


class Tip(BaseModel):
    ref: str
    sha: str


class Comment(BaseModel):
    id: int
    body: str
    user: User
    html_url: str
    created_at: datetime
    updated_at: datetime

    @property
    def author(self) -> str:
        return self.user.login


class CheckOutput(BaseModel):
    title: str | None
    summary: str | None


class Check(BaseModel):
    id: int
    name: str
    status: str  # queued, in_progress, completed
    conclusion: str | None  # success, failure, …
    details_url: str | None
    output: CheckOutput

    @property
    def is_green(self) -> bool:
        return self.conclusion == "success"


class Checks(BaseModel):
    check_runs: list[Check]


class Reaction(BaseModel):
    content: str
    user: User
    created_at: datetime


class Review(BaseModel):
    id: int
    state: str
    user: User
    commit_id: str | None


class Refused(Exception):
    """GitHub said no; `status` is its status code."""

    def __init__(self, what: str, response: httpx.Response) -> None:
        super().__init__(f"{what}: GitHub answered {response.status_code}: {response.text[:500]}")
        self.status = response.status_code


@dataclass(frozen=True)
class Person:
    """One login of the local world, on GitHub's REST API with its own token."""

    login: str
    token: str
    api_url: str
    owner: str
    repository: str
    git_url: str
    _http: httpx.Client = field(default_factory=plain_http.client, repr=False)

    # ---- does --------------------------------------------------------------------------------------------------------

    def clone(self, path: Path) -> WorkTree:
        return WorkTree.clone(self.git_url, path, self.login)

    def open_pull_request(
        self, head: str, *, base: str = "main", title: str = "", body: str = "", draft: bool = False
    ) -> PullRequest:
        content = {"head": head, "base": base, "title": title or head, "body": body, "draft": draft}
        return PullRequest.model_validate_json(self._ask("POST", "pulls", content))

    def edit_pull_request(self, number: int, **changes: object) -> PullRequest:
        """`title`, `body`, `base`, `state`, `draft`."""
        return PullRequest.model_validate_json(self._ask("PATCH", f"pulls/{number}", changes))

    def close(self, number: int) -> PullRequest:
        return self.edit_pull_request(number, state="closed")

    def reopen(self, number: int) -> PullRequest:
        return self.edit_pull_request(number, state="open")

    def comment(self, number: int, body: str) -> Comment:
        return Comment.model_validate_json(self._ask("POST", f"issues/{number}/comments", {"body": body}))

    def approve(self, number: int, body: str = "") -> Review:
        return self.review(number, "APPROVE", body)

    def request_changes(self, number: int, body: str) -> Review:
        return self.review(number, "REQUEST_CHANGES", body)

    def review(self, number: int, verdict: str, body: str = "") -> Review:
        return Review.model_validate_json(
            self._ask("POST", f"pulls/{number}/reviews", {"event": verdict, "body": body})
        )

    def dismiss(self, number: int, review: int, message: str) -> None:
        self._ask("PUT", f"pulls/{number}/reviews/{review}/dismissals", {"message": message})

    def merge(self, number: int, method: Literal["merge", "squash", "rebase"] = "merge") -> None:
        self._ask("PUT", f"pulls/{number}/merge", {"merge_method": method})

    def enqueue(self, number: int) -> None:
        """Into the merge queue of the base branch; only the stand-in has this call, GitHub wants GraphQL."""
        response = self._http.post(f"{self.api_url}/_stand_in/merge-queue/{number}", json={"actor": self.login})
        if not response.is_success:
            raise Refused(f"{self.login}: enqueue #{number}", response)

    # ---- sees --------------------------------------------------------------------------------------------------------

    def pull_request(self, number: int) -> PullRequest:
        return PullRequest.model_validate_json(self._ask("GET", f"pulls/{number}"))

    def comments(self, number: int) -> list[Comment]:
        """All comments, the oldest first."""
        return self._all(Comment, f"issues/{number}/comments")

    def checks(self, commit: str) -> dict[str, Check]:
        """The newest check of each name on a commit."""
        found = Checks.model_validate_json(self._ask("GET", f"commits/{commit}/check-runs?per_page=100"))
        return {check.name: check for check in sorted(found.check_runs, key=lambda check: check.id)}

    def reactions(self, comment: Comment) -> list[Reaction]:
        return self._all(Reaction, f"issues/comments/{comment.id}/reactions")

    def reviews(self, number: int) -> list[Review]:
        return self._all(Review, f"pulls/{number}/reviews")

    # ---- waits -------------------------------------------------------------------------------------------------------

    def wait_for_comments(
        self,
        number: int,
        wanted: Callable[[Comment], bool],
        what: str,
        *,
        count: int = 1,
        seconds: float = SECONDS,
        see: Callable[[Comment], None] | None = None,
    ) -> list[Comment]:
        """The comments that are as wanted, once there are `count`; `see` is shown each new one, wanted or not."""
        seen: set[int] = set()
        latest: list[Comment] = []

        def look() -> list[Comment] | None:
            latest[:] = self.comments(number)
            for comment in latest:
                if comment.id not in seen:
                    seen.add(comment.id)
                    if see is not None:
                        see(comment)
            found = [comment for comment in latest if wanted(comment)]
            return found if len(found) >= count else None

        return wait_for(look, f"{what} in #{number}", seconds, every=0.3, found_instead=lambda: _told(latest))

    def wait_for_check(self, commit: str, name: str, *, seconds: float = SECONDS) -> Check:
        """A check of this name, once it is completed."""

        def look() -> Check | None:
            check = self.checks(commit).get(name)
            return check if check is not None and check.status == "completed" else None

        return wait_for(look, f"completed check {name} of {commit[:7]}", seconds, every=0.3)

    def wait_for_reaction(self, comment: Comment, content: str, *, seconds: float = SECONDS) -> Reaction:
        def look() -> Reaction | None:
            return next((one for one in self.reactions(comment) if one.content == content), None)

        return wait_for(look, f"reaction {content} to {comment.body[:40]!r}", seconds)

    # ---- asks --------------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, content: object = None) -> httpx.Response:
        """Any call of the API; `path` is below the repository."""
        url = f"{self.api_url}/repos/{self.owner}/{self.repository}/{path}"
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/vnd.github+json"}
        return self._http.request(method, url, json=content, headers=headers)

    def _ask(self, method: str, path: str, content: object = None) -> bytes:
        response = self.request(method, path, content)
        if not response.is_success:
            raise Refused(f"{self.login}: {method} {path}", response)
        return response.content

    def _all(self, kind: type[M], path: str) -> list[M]:
        """Every page of a list."""
        found: list[M] = []
        page = 1
        while True:
            content = self._ask("GET", f"{path}?per_page=100&page={page}")
            items = TypeAdapter(list[kind]).validate_json(content)  # type: ignore[valid-type]
            found += items
            if len(items) < 100:
                return found
            page += 1


def person(status: Status, login: str) -> Person:
    """A login of the world as a person.

    Raises:
        KeyError: the world knows no such login.
    """
    github = status.github
    return Person(login, github.tokens[login], github.api_url, github.owner, github.repository, status.git.url)


def _told(comments: list[Comment]) -> str:
    if not comments:
        return "there is no comment at all"
    first = [f"{comment.author}: {comment.body.strip().splitlines()[0][:100]}" for comment in comments[-8:]]
    return "the last comments there begin with\n  " + "\n  ".join(first)
