"""GitHub and Slack on bad days: what is said is said once, and nothing waits for Slack."""

import httpx
import pytest

from docustack.comment_markers import find_marker
from local.waiting import wait_for
from tests.e2e.pull_requests.change import BOT, open_change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.small_world import SmallWorld


def switch_on(stand_in: str, **fault: object) -> int:
    response = httpx.post(f"{stand_in}/_stand_in/faults", json=fault, timeout=10, trust_env=False)
    assert response.is_success, response.text
    return int(response.json()["id"])


def switch_off(stand_in: str, fault: int) -> None:
    httpx.delete(f"{stand_in}/_stand_in/faults/{fault}", timeout=10, trust_env=False).raise_for_status()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "secondary_rate_limit", "times": 2, "retry_after": 1},
        {"kind": "server_error", "times": 2, "status": 503},
        {"kind": "lost_answer", "times": 1, "status": 502},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_each_comment_check_and_sign_is_there_once_whatever_github_does(
    world: SmallWorld, fault: dict[str, object]
) -> None:
    name = str(fault["kind"]).replace("_", "-")
    path = f"dev/outage/{name}"
    github = world.status.github
    change = open_change(world, name, unit(path))
    on_comments = f".*/issues/{change.number}/comments"
    switch_on(github.api_url, **fault, path=on_comments, method="POST")
    switch_on(github.api_url, **fault, path=".*/check-runs.*")
    change.planned(path)
    command = change.command("terrateam apply")
    switch_on(github.api_url, **fault, path=on_comments, method="POST")
    switch_on(github.api_url, **fault, path=f".*/comments/{command.id}/reactions", method="POST")
    assert change.end_of(command) == "rocket"
    change.applied(path)
    keys = [find_marker(body) for body in change.said()]
    assert None not in keys
    assert len(keys) == len(set(keys)), keys
    assert [len(bodies) for bodies in (*change.plans().values(), *change.applies().values())] == [1, 1]
    signs = [one.content for one in change.author.reactions(command) if one.user.login == BOT]
    assert sorted(signs) == ["eyes", "rocket"]
    response = change.author.request("GET", f"commits/{change.head}/check-runs?per_page=100&filter=all")
    names = sorted(run["name"] for run in response.json()["check_runs"])
    assert names == ["docustack/apply", "docustack/plan"]
    assert change.concluded("apply") == "success"


def test_slack_down_holds_up_nothing_and_is_told_later_once(world: SmallWorld) -> None:
    path = "dev/outage/slack"
    slack = world.status.slack.url
    down = switch_on(slack, kind="server_error", path="chat.postMessage")
    try:
        change = open_change(world, "slack-down", unit(path))
        change.planned(path)
        assert change.ended("terrateam apply") == "rocket"
        assert world.states.output(path) == "one-slack"
        assert not [text for text in world.slack.texts() if path in text]
    finally:
        switch_off(slack, down)
    switch_on(slack, kind="lost_answer", path="chat.postMessage", times=1)

    def told() -> list[list[str]]:
        of_this = f"#{change.number}"
        threads = [thread for thread in world.slack.threads() if of_this in thread.text]
        return [thread.texts for thread in threads if len(thread.texts) == 2]

    wait_for(lambda: len(told()) == 2, f"the threads of #{change.number}", 90, found_instead=lambda: str(told()))
    assert sorted(told()) == [
        [f"Apply started for {path}", "Apply completed successfully"],
        [f"Plan started for {path}", "Plan completed: 1 to add, 0 to change"],
    ]
