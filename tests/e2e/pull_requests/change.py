"""One pull request from a person's desk: what is pushed, commanded and seen of it."""

import re
from collections.abc import Callable, Iterable

from local.people import Check, Comment, PullRequest
from local.waiting import wait_for
from local.work_tree import WorkTree
from tests.e2e.pull_requests.live_repository import Files
from tests.e2e.pull_requests.small_world import SmallWorld

BOT = "docustack[bot]"
SECONDS = 180.0
_PLAN = re.compile(r"\A## Terrateam Plan\n\n\*\*Directory:\*\* `([^`]+)`")
_APPLY = re.compile(r"\A## Terrateam Apply\n\n\*\*Directory:\*\* `([^`]+)`")
ENDS = {"rocket", "confused", "-1", "+1"}


class Change:
    """A branch with its pull request."""

    def __init__(self, world: SmallWorld, author: str, tree: WorkTree, pull_request: PullRequest) -> None:
        self.world = world
        self.author = world.person(author)
        self.tree = tree
        self.number = pull_request.number

    # ---- does --------------------------------------------------------------------------------------------------------

    def push(self, files: Files, message: str = "change more", *, deleted: Iterable[str] = ()) -> str:
        for path in deleted:
            (self.tree.path / path).unlink()
        for path, text in files.items():
            self.tree.write(path, text)
        self.tree.commit(message)
        return self.tree.push()

    def command(self, body: str, by: str = "infra-member") -> Comment:
        return self.world.person(by).comment(self.number, body)

    def ended(self, body: str, by: str = "infra-member", seconds: float = SECONDS) -> str:
        """Give a command; gives the sign with which the run answers it at its end."""
        return self.end_of(self.command(body, by), seconds)

    def end_of(self, comment: Comment, seconds: float = SECONDS) -> str:
        def look() -> str | None:
            signs = {one.content for one in self.author.reactions(comment)} & ENDS
            return signs.pop() if signs else None

        what = f"the end of {comment.body!r} in #{self.number}"
        return wait_for(look, what, seconds, at_last_every=1, found_instead=self.told)

    def approve(self, by: str) -> None:
        self.world.person(by).approve(self.number)

    def merge(self, by: str = "lead") -> None:
        self.world.person(by).merge(self.number)

    # ---- sees --------------------------------------------------------------------------------------------------------

    @property
    def head(self) -> str:
        return self.author.pull_request(self.number).commit

    def said(self) -> list[str]:
        """The bodies of what the bot has said, the oldest first."""
        return [comment.body for comment in self.author.comments(self.number) if comment.author == BOT]

    def plans(self) -> dict[str, list[str]]:
        """Plan comments by unit, the outdated ones left out."""
        return _by_unit(_PLAN, (body for body in self.said() if not is_outdated(body)))

    def applies(self) -> dict[str, list[str]]:
        return _by_unit(_APPLY, self.said())

    def check(self, name: str, commit: str = "") -> Check | None:
        return self.author.checks(commit or self.head).get(f"docustack/{name}")

    def told(self) -> str:
        """What there is instead of what was waited for."""
        checks = self.author.checks(self.head).values()
        listed = [f"check {one.name}: {one.status} {one.conclusion} {one.output.title}" for one in checks]
        return "\n".join([f"#{self.number} says:", *(f"---\n{body[:1500]}" for body in self.said()), "---", *listed])

    # ---- waits -------------------------------------------------------------------------------------------------------

    def wait(self, look: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        wait_for(
            lambda: bool(look()),
            f"{what} in #{self.number}",
            seconds,
            every=0.2,
            at_last_every=1,
            found_instead=self.told,
        )

    def planned(self, *units: str, seconds: float = SECONDS) -> dict[str, str]:
        """The newest plan comment of each unit, once all are there and the check of the head says so too."""
        self.wait(
            lambda: set(units) <= set(self.plans()) and self.concluded("plan"),
            f"plans of {', '.join(units)} and their check",
            seconds,
        )
        return {unit: bodies[-1] for unit, bodies in self.plans().items()}

    def applied(self, *units: str, seconds: float = SECONDS) -> dict[str, str]:
        """The one apply comment of each unit, once all are there."""
        self.wait(lambda: set(units) <= set(self.applies()), f"applies of {', '.join(units)}", seconds)
        return {unit: bodies[-1] for unit, bodies in self.applies().items()}

    def concluded(self, name: str, commit: str = "") -> str | None:
        """The conclusion of a check; None while it isn't there or works."""
        check = self.check(name, commit)
        return check.conclusion if check is not None and check.status == "completed" else None

    def wait_said(self, *words: str, seconds: float = SECONDS) -> str:
        """The first comment of the bot's that holds all these words."""
        self.wait(lambda: self.saying(*words), f"a comment with {words}", seconds)
        return self.saying(*words)[0]

    def saying(self, *words: str) -> list[str]:
        return [body for body in self.said() if all(word in body for word in words)]


def open_change(
    world: SmallWorld, branch: str, files: Files, *, author: str = "developer", base: str = "main", draft: bool = False
) -> Change:
    """Clone, branch, commit, push, open."""
    one = world.person(author)
    tree = one.clone(world.clone_folder())
    tree.branch(branch, base)
    for path, text in files.items():
        tree.write(path, text)
    tree.commit(f"feat: {branch}")
    tree.push()
    return Change(world, author, tree, one.open_pull_request(branch, base=base, draft=draft))


def is_outdated(body: str) -> bool:
    return body.startswith("<!-- docustack-outdated -->")


def _by_unit(pattern: re.Pattern[str], bodies: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for body in bodies:
        if match := pattern.match(body):
            found.setdefault(match[1], []).append(body)
    return found
