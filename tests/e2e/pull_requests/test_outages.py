"""GitHub and Slack on bad days: what is said is said once, and nothing waits for Slack."""

import os
import shutil
import signal
import time
from collections.abc import Iterator

import pytest

from docustack.comment_markers import find_marker
from local.waiting import wait_for
from tests.e2e.pull_requests.cable import Cable
from tests.e2e.pull_requests.change import BOT, Change, open_change
from tests.e2e.pull_requests.live_repository import dependent, unit
from tests.e2e.pull_requests.slow_unit import SlowUnit, told_once
from tests.e2e.pull_requests.small_world import SmallWorld
from tests.e2e.pull_requests.stand_in_faults import switch_off, switch_on
from tests.e2e.pull_requests.test_state_locks import LockedUnit


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


def test_a_minute_without_aws_and_github_costs_only_time(world: SmallWorld) -> None:
    """AWS doesn't answer while one pull request is applied, GitHub fails and then limits us while another one is."""
    locked, path = LockedUnit(world, "minute"), "dev/outage/minute"
    on_aws, on_github = open_change(world, "aws-minute", locked.files), open_change(world, "github-minute", unit(path))
    on_aws.planned(locked.path)
    on_github.planned(path)
    command_on_aws = on_aws.command("terrateam apply")
    locked.begun()
    github, of_this = world.status.github.api_url, f".*/(issues|pulls)/{on_github.number}(/.*)?"
    switch_on(github, kind="secondary_rate_limit", path=of_this, seconds=60, retry_after=1)
    switch_on(github, kind="server_error", path=".*/check-runs.*", seconds=60)
    moto = world.status.processes["moto"]
    os.kill(moto, signal.SIGSTOP)
    try:
        locked.let_go()  # Terraform wants to write its state, and can't
        until = time.monotonic() + 60
        wait_for(lambda: time.monotonic() > until, "the end of the minute", 90)
    finally:
        os.kill(moto, signal.SIGCONT)
    assert on_aws.end_of(command_on_aws, 120) == "rocket"
    assert on_github.ended("terrateam apply", seconds=120) == "rocket"
    assert locked.value() == "one-minute"
    assert not locked.is_locked()
    locked.begun(times=1)
    assert world.states.output(path) == "one-minute"
    for change, unit_path in ((on_aws, locked.path), (on_github, path)):
        assert len(change.applies()[unit_path]) == 1
        assert "Planned again" not in change.applies()[unit_path][0]
        change.wait(lambda change=change: change.concluded("apply") == "success", "the check")  # type: ignore[misc]
        keys = [find_marker(body) for body in change.said()]
        assert len(keys) == len(set(keys)), keys


@pytest.fixture
def aws(breakable_world: SmallWorld) -> Iterator[Cable]:
    """The way to AWS of the only worker that there is."""
    environment = breakable_world.worker_environment()
    aws = Cable(environment["AWS_ENDPOINT_URL"].removeprefix("http://"))
    breakable_world.kill("worker")
    worker = breakable_world.start_worker("wired", environment, AWS_ENDPOINT_URL=f"http://{aws.address}")
    try:
        yield aws
    finally:
        worker.kill()
        aws.close()
        breakable_world.restart("worker")


def test_a_minute_in_which_aws_refuses_connections_is_told_and_nothing_is_done_twice(
    breakable_world: SmallWorld, aws: Cable
) -> None:
    """Terraform itself gives up sooner: one before its plan has read the state, one before its apply has written it."""
    world = breakable_world
    applied, planned = LockedUnit(world, "refused-apply"), LockedUnit(world, "refused-plan")
    on_apply = open_change(world, "refused-apply", applied.files)
    on_apply.planned(applied.path)
    command = on_apply.command("terrateam apply")
    applied.begun()
    aws.refuse()
    until = time.monotonic() + 60
    applied.let_go()
    on_plan = open_change(world, "refused-plan", planned.files)
    wait_for(lambda: time.monotonic() > until, "the end of the minute", 90)
    assert on_plan.said() == [], "it is tried again"
    aws.serve_again()

    assert on_apply.end_of(command, 120) == "confused"
    (body,) = on_apply.applies()[applied.path]
    assert "**Status:** ⚠️ Unknown" in body
    assert "could not write the state" in body
    assert f"unwritten-states/docustack/small-live/{applied.path}/" in body
    assert on_apply.concluded("apply") == "failure"
    assert on_apply.ended("terrateam plan") == "+1"
    assert "doesn't know what that apply has made" in on_apply.planned(applied.path)[applied.path]
    assert on_apply.ended("terrateam apply") == "rocket", on_apply.told()
    assert "No changes" in on_apply.applies()[applied.path][-1], "the kept state was written, and planned from"

    on_plan.planned(planned.path)
    assert [len(bodies) for bodies in on_plan.plans().values()] == [1]
    assert on_plan.concluded("plan") == "success"
    planned.let_go()
    assert on_plan.ended("terrateam apply") == "rocket"

    for change, unit_in_aws, name in ((on_apply, applied, "apply"), (on_plan, planned, "plan")):
        assert unit_in_aws.value() == f"one-refused-{name}"
        assert not unit_in_aws.is_locked(), "not by what Terraform couldn't free either"
        unit_in_aws.begun(times=1)
        keys = [find_marker(body) for body in change.said()]
        assert len(keys) == len(set(keys)), keys


def test_a_work_tree_deleted_under_a_run_is_made_again(world: SmallWorld) -> None:
    slow, after = SlowUnit(world, "lost", folder="dev/outage"), "dev/outage/after"
    change = open_change(world, "lost-tree", slow.files | dependent(after, "lost"))
    change.planned(slow.path, after)
    command = change.command("terrateam apply")
    slow.begun()
    (trees,) = (list((world.data / "worker" / "worktrees").glob(f"{run[4:]}+*")) for run in last_run(change))
    assert trees
    for tree in trees:
        shutil.rmtree(tree)
    slow.let_go()
    assert change.end_of(command, 120) == "rocket"
    slow.applied_exactly_once()
    told_once(change, slow.path)
    assert world.states.output(after) == "one-lost-after"


def last_run(change: Change) -> list[str]:
    return change.world.histories.runs_of(change.number)[-1:]
