"""GitHub's merge queue: what is green there is what was planned or applied, and nothing is left waiting."""

import contextlib
from collections.abc import Iterator

import httpx

from local.waiting import wait_for
from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.desk import Desk
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.small_world import SmallWorld


@contextlib.contextmanager
def required(world: SmallWorld, *checks: str) -> Iterator[None]:
    """`main` is merged into only with these checks."""
    rule = f"{world.status.github.api_url}/_stand_in/protection/main"
    with httpx.Client(trust_env=False) as http:
        http.put(rule, json={"required_checks": [f"docustack/{check}" for check in checks]}).raise_for_status()
        try:
            yield
        finally:
            http.delete(rule).raise_for_status()


def merged(change: Change) -> bool:
    return change.author.pull_request(change.number).merged


def until_merged(change: Change) -> None:
    change.wait(lambda: merged(change), "the merge")


def applied(change: Change, path: str) -> None:
    change.planned(path)
    assert change.ended("terrateam apply") == "rocket"
    change.wait(lambda: change.concluded("apply") == "success", "the check of the apply")


def groups(change: Change) -> list[str]:
    """The commits that the queue has asked checks for in this pull request's place, the oldest first."""
    lead = change.world.person("lead")
    found = []
    for delivery in lead.request("GET", "hooks/1/deliveries?per_page=100").json():
        if (delivery["event"], delivery["action"]) == ("merge_group", "checks_requested"):
            group = lead.request("GET", f"hooks/1/deliveries/{delivery['id']}").json()["request"]["payload"][
                "merge_group"
            ]
            if f"/pr-{change.number}-" in group["head_ref"]:
                found.append(group["head_sha"])
    return found[::-1]


def test_pull_requests_over_different_units_pass_the_queue_together(world: SmallWorld) -> None:
    paths = ("dev/queue/one", "dev/queue/two")
    changes = [open_change(world, f"queue-{path[-3:]}", unit(path)) for path in paths]
    with required(world, "plan", "apply"):
        for path, change in zip(paths, changes, strict=True):
            applied(change, path)
        for change in changes:
            world.person("lead").enqueue(change.number)
        for change in changes:
            until_merged(change)
    for path, change in zip(paths, changes, strict=True):
        [group] = groups(change)
        assert (change.concluded("plan", group), change.concluded("apply", group)) == ("success", "success")
        assert world.states.output(path) == f"one-{path[-3:]}"


def test_a_group_in_which_a_unit_is_not_what_was_planned_is_not_merged_before_it_was_planned_anew(
    world: SmallWorld,
) -> None:
    """Two pull requests over one unit, one behind the other in the queue; nothing in git keeps them apart."""
    path = "dev/queue/both"
    with Desk(world, "infra-member") as desk:
        desk.push(unit(path))
    first = open_change(world, "queue-first", unit(path, value="two"))
    second = open_change(world, "queue-second", {f"{path}/more.tf": 'output "more" { value = "more" }\n'})
    lead = world.person("lead")
    with required(world, "plan"):
        for change in (first, second):
            change.planned(path)
            lead.enqueue(change.number)
        until_merged(first)
        assert second.concluded("plan") == "success", "its own head was planned well"
        wait_for(lambda: bool(groups(second)), "the group of the second one", 60)
        group = groups(second)[0]
        second.wait(lambda: second.concluded("plan", group) == "action_required", "the check of the group")
        check = second.check("plan", group)
        assert check is not None
        assert "reads other files in this group" in (check.output.summary or "")
        assert not merged(second)

        second.wait_said("`main` has moved", "which changes what")
        assert '"two"' in second.planned(path)[path], "planned again, with what was merged"
        lead.enqueue(second.number)
        until_merged(second)
    assert world.states.text(path) == "", "a merge applies nothing that it isn't meant to"
