"""What a live repository needs on GitHub (guide, "GitHub Access", "Terrateam Not Responding"), and what mends it."""

from collections.abc import Sequence

from docustack.model import Model
from docustack.prerequisites import Area, Expected, Prerequisite
from docustack.repository import Repository

WEBHOOK_PATH = "/webhooks/github"
WEBHOOK_EVENTS = ("pull_request", "pull_request_review", "issue_comment", "push")
PUSHES = ("git push", "pull requests")
"""The checks of what only a bootstrap does."""

LAST_DELIVERIES = 10
"""Events whose deliveries are looked at: an old failure is no reason to worry."""


class Webhook(Model):
    """A webhook as GitHub has it; without an id it is the GitHub App's own."""

    hook_id: int | None
    url: str
    content_type: str = ""
    active: bool = True
    events: tuple[str, ...] = ()


class Delivery(Model):
    """One attempt to deliver an event."""

    delivery_id: int
    guid: str
    event: str
    status: str
    status_code: int
    delivered_at: str

    @property
    def arrived(self) -> bool:
        return 200 <= self.status_code < 300


class GitHubExpectations:
    """The checks of one live repository."""

    def __init__(self, repository: Repository, public_url: str, sign_in: str = "gh auth login") -> None:
        self._repository = repository
        self._public_url = public_url.rstrip("/")
        self._sign_in = sign_in
        self.access = _expected("GitHub token", "a token or a GitHub App that sees the repository")
        self.push = _expected("push access", "you may push to the repository")
        self.git_push = _expected("git push", "the worker may push branches: a bootstrap does")
        self.pull_requests = _expected("pull requests", "the worker may open them: a bootstrap does")
        self.webhook = _expected("webhook", "active, as JSON, with all four events")
        self.deliveries = _expected("webhook deliveries", "the last ones arrived")

    # ---- who ---------------------------------------------------------------------------------------------------------

    def nobody(self) -> Prerequisite:
        """No token says who asks."""
        return self.push.skipped("no token says who you are", self._sign_in)

    def judge_push(self, login: str, may_push: bool) -> Prerequisite:
        if may_push:
            return self.push.met(f"{login} may push")
        return self.push.failed(
            f"{login} may not push", f"gh api -X PUT {self._api}/collaborators/{login} -f permission=push"
        )

    def team(self, slug: str) -> Expected:
        return _expected(f"team {slug}", "it exists; you are in it to apply for it")

    def no_team(self, slug: str) -> Prerequisite:
        return self.team(slug).failed(
            f"there is no team {self._repository.owner}/{slug}, or this token may not see it",
            f"gh api -X POST orgs/{self._repository.owner}/teams -f name={slug}",
        )

    def judge_team(self, slug: str, members: int, login: str | None, is_member: bool) -> Prerequisite:
        expected, counted = self.team(slug), f"{members} member{'' if members == 1 else 's'}"
        if login is None:
            return expected.met(counted)
        if is_member:
            return expected.met(f"{counted}, {login} among them")
        mend = f"gh api -X PUT orgs/{self._repository.owner}/teams/{slug}/memberships/{login}"
        return expected.optional(f"{counted}, {login} not among them", mend)

    # ---- the webhook -------------------------------------------------------------------------------------------------

    def choose(self, hooks: Sequence[Webhook]) -> Webhook | None:
        """The one that is ours: by its whole address where that is known, else by its path."""
        wanted = self._public_url + WEBHOOK_PATH
        ours = [hook for hook in hooks if (hook.url == wanted if self._public_url else hook.url.endswith(WEBHOOK_PATH))]
        return next(iter(sorted(ours, key=lambda hook: not hook.active)), None)

    def judge_webhook(self, hook: Webhook | None, others: Sequence[Webhook]) -> Prerequisite:
        if hook is None:
            there = f"only {', '.join(other.url for other in others)}" if others else "there is none"
            return self.webhook.failed(there, self._make_webhook())
        if hook.hook_id is None:  # a GitHub App's: its events are those of the App
            return self.webhook.met(f"of the GitHub App, to {hook.url}")
        change = f"gh api -X PATCH {self._api}/hooks/{hook.hook_id}"
        if not hook.active:
            return self.webhook.failed(f"{hook.url} is not active", f"{change} -F active=true")
        if hook.content_type != "json":
            mend = f"{change}/config -f content_type=json"
            return self.webhook.failed(f"{hook.url} gets its events as {hook.content_type or 'a form'}", mend)
        missing = [] if "*" in hook.events else [event for event in WEBHOOK_EVENTS if event not in hook.events]
        if missing:
            added = " ".join(f"-f 'add_events[]={event}'" for event in missing)
            return self.webhook.failed(f"{hook.url} without {', '.join(missing)}", f"{change} {added}")
        return self.webhook.met(f"to {hook.url}, active")

    def judge_deliveries(self, hook: Webhook, deliveries: Sequence[Delivery]) -> Prerequisite:
        """`deliveries` are the attempts, the newest first; an event that has arrived in a later attempt is well."""
        events: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            events.setdefault(delivery.guid, []).append(delivery)
        last = list(events.values())[:LAST_DELIVERIES]
        lost = [attempts[0] for attempts in last if not any(attempt.arrived for attempt in attempts)]
        if not last:
            return self.deliveries.met("none was sent yet")
        if not lost:
            return self.deliveries.met(f"the last {len(last)} arrived" if len(last) > 1 else "the only one arrived")
        newest = lost[0]
        found = f"{len(lost)} of the last {len(last)} did not: {newest.event} of {newest.delivered_at}, {newest.status}"
        if hook.hook_id is None:
            return self.deliveries.failed(found, "Redeliver, in the GitHub App's settings: Advanced, Recent Deliveries")
        again = f"{self._api}/hooks/{hook.hook_id}/deliveries/{newest.delivery_id}/attempts"
        return self.deliveries.failed(found, f"gh api -X POST {again}")

    def _make_webhook(self) -> str:
        events = " ".join(f"-f 'events[]={event}'" for event in WEBHOOK_EVENTS)
        return (
            f"gh api -X POST {self._api}/hooks -f name=web -F active=true {events} -f 'config[content_type]=json' "
            f"-f 'config[url]={self._webhook_url()}' -f \"config[secret]=$DOCUSTACK_WEBHOOK_SECRET\""
        )

    def _webhook_url(self) -> str:
        return f"{self._public_url or 'https://<your server>'}{WEBHOOK_PATH}"

    @property
    def _api(self) -> str:
        return f"repos/{self._repository.full_name}"


def _expected(name: str, needed: str) -> Expected:
    return Expected(area=Area.GITHUB, name=name, needed=needed)
