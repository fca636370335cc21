"""The GitHub stand-in tells of what happens by signed webhooks, once and in order, and goes on after being killed."""

import hashlib
import hmac
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from githubkit.webhooks import parse, verify
from githubkit_schemas.latest.models import HookDeliveryItem, IssueComment

from tests.integration.stand_ins import OWNER, REPOSITORY, SECRET, GitHubStandIn, Received, eventually, listed

BOT = "docustack[bot]"
HERE = (OWNER, REPOSITORY)
_numbers = count(1)


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubStandIn]:
    stand_in = GitHubStandIn(root=tmp_path)
    stand_in.prepare()
    stand_in.start()
    yield stand_in
    stand_in.close()


def opened(github: GitHubStandIn, branch: str = "feature/a", *, draft: bool = False) -> int:
    github.push(branch, {f"{branch}.hcl": "a = 1\n"}, base="main")
    pulls = github.client("developer").rest.pulls
    return pulls.create(*HERE, title="Add a", head=branch, base="main", draft=draft).parsed_data.number


def settled(github: GitHubStandIn) -> list[str]:
    """Names of all webhooks that came, once none waits."""
    eventually(lambda: github.control("GET", "health")["waiting"] == 0)
    return [one.name for one in github.receiver.received]


def sender(one: Received) -> object:
    found = one.content["sender"]
    assert isinstance(found, dict)
    return found["login"]


def deliveries(github: GitHubStandIn) -> list[HookDeliveryItem]:
    return listed(HookDeliveryItem, github.client("lead").rest.repos.list_webhook_deliveries(*HERE, 1))


def test_webhook_is_signed_over_its_exact_bytes(github: GitHubStandIn) -> None:
    opened(github)
    [one] = github.receiver.wait_for("pull_request.opened")
    expected = hmac.new(SECRET.encode(), one.body, hashlib.sha256).hexdigest()
    assert one.headers["x-hub-signature-256"] == f"sha256={expected}"
    assert verify(SECRET, one.body, one.headers["x-hub-signature-256"])
    assert one.headers["x-github-hook-id"] == "1"
    assert len(one.headers["x-github-delivery"]) == 36


def test_every_webhook_has_the_shape_that_githubkit_knows(github: GitHubStandIn) -> None:
    number = opened(github, draft=True)
    developer, lead = github.client("developer").rest, github.client("lead").rest
    github.request("developer", "PATCH", f"pulls/{number}", {"draft": False})
    github.request("developer", "PATCH", f"pulls/{number}", {"draft": True})
    github.request("developer", "PATCH", f"pulls/{number}", {"draft": False})
    github.push("feature/a", {"b.hcl": "b = 1\n"})
    developer.pulls.update(*HERE, number, base="staging")
    developer.pulls.update(*HERE, number, title="Other")
    comment = developer.issues.create_comment(*HERE, number, body="terrateam plan").parsed_data
    developer.issues.update_comment(*HERE, comment.id, body="terrateam apply")
    developer.issues.delete_comment(*HERE, comment.id)
    review = lead.pulls.create_review(*HERE, number, event="APPROVE").parsed_data
    lead.pulls.update_review(*HERE, number, review.id, body="Good")
    lead.pulls.dismiss_review(*HERE, number, review.id, message="stale")
    developer.pulls.update(*HERE, number, state="closed")
    developer.pulls.update(*HERE, number, state="open")
    developer.pulls.merge(*HERE, number)
    lead.repos.ping_webhook(*HERE, 1)
    assert settled(github) == [
        "push",
        "pull_request.opened",
        "pull_request.ready_for_review",
        "pull_request.converted_to_draft",
        "pull_request.ready_for_review",
        "push",
        "pull_request.synchronize",
        "pull_request.edited",
        "pull_request.edited",
        "issue_comment.created",
        "issue_comment.edited",
        "issue_comment.deleted",
        "pull_request_review.submitted",
        "pull_request_review.edited",
        "pull_request_review.dismissed",
        "pull_request.closed",
        "pull_request.reopened",
        "pull_request.closed",
        "push",
        "ping",
    ]
    for one in github.receiver.received:
        parse(one.event, one.body)


def test_push_to_an_open_pull_request_tells_before_and_after(github: GitHubStandIn) -> None:
    opened(github)
    before = github.git("rev-parse", "HEAD")
    after = github.push("feature/a", {"b.hcl": "b = 1\n"})
    [one] = github.receiver.wait_for("pull_request.synchronize")
    assert (one.content["before"], one.content["after"], sender(one)) == (before, after, "developer")
    push = github.receiver.wait_for("push", 2)[1].content
    assert (push["ref"], push["before"], push["after"]) == ("refs/heads/feature/a", before, after)
    assert push["forced"] is False


def test_forced_push_is_told_as_forced(github: GitHubStandIn) -> None:
    opened(github)
    github.git("commit", "-q", "--amend", "-m", "again")
    github.git("push", "-q", "-f", "origin", "feature/a")
    assert github.receiver.wait_for("push", 2)[1].content["forced"] is True


def test_committer_is_the_one_who_pushed(github: GitHubStandIn) -> None:
    opened(github)
    github.git("commit", "-q", "--allow-empty", "-m", "by the bot", author=BOT)
    github.git("push", "-q", "origin", "feature/a")
    [one] = github.receiver.wait_for("pull_request.synchronize")
    assert sender(one) == BOT


def test_retargeting_tells_the_base_it_had(github: GitHubStandIn) -> None:
    github.client("developer").rest.pulls.update(*HERE, opened(github), base="staging")
    [one] = github.receiver.wait_for("pull_request.edited")
    changes = one.content["changes"]
    assert isinstance(changes, dict)
    assert changes["base"]["ref"] == {"from": "main"}


def test_edited_comment_tells_what_it_said(github: GitHubStandIn) -> None:
    issues = github.client("developer").rest.issues
    comment = issues.create_comment(*HERE, opened(github), body="before").parsed_data
    issues.update_comment(*HERE, comment.id, body="after")
    [one] = github.receiver.wait_for("issue_comment.edited")
    assert one.content["changes"] == {"body": {"from": "before"}}


def test_merge_is_told_as_closed_and_merged_by_its_merger(github: GitHubStandIn) -> None:
    github.client("infra-member").rest.pulls.merge(*HERE, opened(github))
    [one] = github.receiver.wait_for("pull_request.closed")
    pull = one.content["pull_request"]
    assert isinstance(pull, dict)
    assert (pull["merged"], sender(one)) == (True, "infra-member")


def test_push_while_the_stand_in_is_down_is_told_when_it_is_back(github: GitHubStandIn) -> None:
    number = opened(github)
    settled(github)
    github.stop(signal.SIGKILL)
    sha = github.push("feature/a", {"b.hcl": "b = 1\n"})
    github.start()
    [one] = github.receiver.wait_for("pull_request.synchronize")
    assert one.content["after"] == sha
    assert github.client(BOT).rest.pulls.get(*HERE, number).parsed_data.head.sha == sha


def test_killed_stand_in_goes_on_with_the_same_data(github: GitHubStandIn) -> None:
    number, tokens = opened(github), github.token("lead")
    issues = github.client(BOT).rest.issues
    comment = issues.create_comment(*HERE, number, body="kept").parsed_data
    delivered = settled(github)
    url = github.url
    github.stop(signal.SIGKILL)
    github.start()
    assert (github.url, github.token("lead")) == (url, tokens)
    kept = listed(IssueComment, issues.list_comments(*HERE, number))
    assert [(one.id, one.body) for one in kept] == [(comment.id, "kept")]
    assert settled(github) == delivered  # nothing is sent a second time


def test_failed_delivery_is_recorded_and_not_repeated(github: GitHubStandIn) -> None:
    github.receiver.status = 503
    opened(github)
    names = settled(github)
    assert names.count("pull_request.opened") == 1
    newest = deliveries(github)[0]
    assert (newest.event, newest.action, newest.status_code) == ("pull_request", "opened", 503)


def test_unreachable_receiver_is_recorded(github: GitHubStandIn) -> None:
    github.receiver.close()
    opened(github)
    eventually(lambda: github.control("GET", "health")["waiting"] == 0)
    assert {delivery.status for delivery in deliveries(github)} == {"failed to connect to host"}


def test_dropped_delivery_can_be_redelivered_under_its_guid(github: GitHubStandIn) -> None:
    github.fault(kind="drop_deliveries", path="pull_request", times=1)
    opened(github)
    assert "pull_request.opened" not in settled(github)
    dropped = next(one for one in deliveries(github) if one.event == "pull_request")
    repos = github.client("lead").rest.repos
    assert dropped.status_code == 0
    assert repos.redeliver_webhook_delivery(*HERE, 1, dropped.id).status_code == 202
    [one] = github.receiver.wait_for("pull_request.opened")
    assert one.headers["x-github-delivery"] == dropped.guid
    again = next(one for one in deliveries(github) if one.guid == dropped.guid and one.redelivery)
    whole = repos.get_webhook_delivery(*HERE, 1, again.id).parsed_data
    assert (whole.status, whole.status_code) == ("OK", 202)


def test_deliveries_are_paged_by_cursor(github: GitHubStandIn) -> None:
    opened(github)
    settled(github)
    repos = github.client("lead").rest.repos
    first = repos.list_webhook_deliveries(*HERE, 1, per_page=1)
    [newest] = listed(HookDeliveryItem, first)
    link = first.headers["link"].partition(">")[0].lstrip("<")
    rest = httpx.get(link, headers={"authorization": f"token {github.token('lead')}"}).json()
    assert [delivery["event"] for delivery in rest] == ["push"]
    assert newest.event == "pull_request"


def test_outsider_sees_no_hooks(github: GitHubStandIn) -> None:
    assert github.request("outsider", "GET", "hooks").status_code == 403


def test_push_succeeds_when_the_address_is_wrong(github: GitHubStandIn) -> None:
    (github.root / "data" / "url").write_text("http://127.0.0.1:1")
    sha = github.push("feature/a", {"a.hcl": "a = 1\n"}, base="main")
    assert github.git("ls-remote", "origin", "feature/a").startswith(sha)
    # The next request finds it.
    assert github.client(BOT).rest.repos.get_branch(*HERE, "feature/a").parsed_data.commit.sha == sha
    github.receiver.wait_for("push")


# ---- the merge queue -------------------------------------------------------------------------------------------------


def in_line(github: GitHubStandIn, *branches: str) -> list[int]:
    """Pull requests in the merge queue of a branch that requires a check, which each has at its head."""
    github.control("PUT", "protection/main", {"required_checks": ["ci"]})
    numbers = [opened(github, branch) for branch in branches]
    for number in numbers:
        concluded(github, str(pull(github, number)["head"]["sha"]))
        github.control("POST", f"merge-queue/{number}", {"actor": "lead"})
    return numbers


def pull(github: GitHubStandIn, number: int) -> dict[str, Any]:
    found: dict[str, Any] = github.request("lead", "GET", f"pulls/{number}").json()
    return found


def concluded(github: GitHubStandIn, commit: str, conclusion: str = "success") -> None:
    content = {"name": "ci", "head_sha": commit, "conclusion": conclusion}
    assert github.request(BOT, "POST", "check-runs", content).status_code == 201


def groups(github: GitHubStandIn, action: str, count: int) -> list[dict[str, Any]]:
    found = [one.content for one in github.receiver.wait_for(f"merge_group.{action}", count)]
    return [{"reason": one.get("reason"), **dict(one["merge_group"])} for one in found]  # type: ignore[call-overload]


def test_each_place_in_the_merge_queue_gets_a_commit_on_the_one_before_it(github: GitHubStandIn) -> None:
    first, second = in_line(github, "feature/a", "feature/b")
    tip = github.git("ls-remote", "origin", "main").split()[0]
    one, two = groups(github, "checks_requested", 2)
    assert (one["base_sha"], two["base_sha"]) == (tip, one["head_sha"])
    assert one["head_ref"] == f"refs/heads/gh-readonly-queue/main/pr-{first}-{tip}"
    assert github.git("ls-remote", "origin", two["head_ref"]).split()[0] == two["head_sha"]
    assert not pull(github, second)["merged"]
    with pytest.raises(httpx.HTTPStatusError):
        github.control("POST", f"merge-queue/{first}", {"actor": "lead"})


def test_groups_are_merged_in_order_once_their_required_checks_are_green(github: GitHubStandIn) -> None:
    first, second = in_line(github, "feature/a", "feature/b")
    one, two = groups(github, "checks_requested", 2)
    concluded(github, two["head_sha"])
    assert not pull(github, second)["merged"], "what is before it isn't merged"
    concluded(github, one["head_sha"])
    assert [pull(github, number)["merge_commit_sha"] for number in (first, second)] == [
        one["head_sha"],
        two["head_sha"],
    ]
    assert [each["reason"] for each in groups(github, "destroyed", 2)] == ["merged", "merged"]
    assert "gh-readonly-queue" not in github.git("ls-remote", "origin")


def test_a_failed_group_leaves_the_queue_and_those_behind_get_new_commits(github: GitHubStandIn) -> None:
    first, second = in_line(github, "feature/a", "feature/b")
    one, _ = groups(github, "checks_requested", 2)
    concluded(github, one["head_sha"], "action_required")
    again = groups(github, "checks_requested", 3)[-1]
    assert again["base_sha"] == one["base_sha"]
    assert {each["reason"] for each in groups(github, "destroyed", 2)} == {"dequeued", "invalidated"}
    concluded(github, again["head_sha"])
    assert (pull(github, first)["merged"], pull(github, second)["merged"]) == (False, True)


def test_a_push_takes_a_pull_request_out_of_the_queue(github: GitHubStandIn) -> None:
    [number] = in_line(github, "feature/a")
    groups(github, "checks_requested", 1)
    github.push("feature/a", {"feature/a.hcl": "a = 2\n"})
    assert not pull(github, number)["merged"]
    assert groups(github, "destroyed", 1)[0]["reason"] == "dequeued"


def test_only_what_could_be_merged_enters_the_queue(github: GitHubStandIn) -> None:
    github.control("PUT", "protection/main", {"required_checks": ["ci"]})
    number = opened(github)
    with pytest.raises(httpx.HTTPStatusError):
        github.control("POST", f"merge-queue/{number}", {"actor": "lead"})
