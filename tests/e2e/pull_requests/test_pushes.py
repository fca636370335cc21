"""A push while a plan runs, two pull requests that want one unit, and a fork."""

from local.waiting import wait_for
from tests.e2e.pull_requests.change import Change, is_outdated, open_change
from tests.e2e.pull_requests.live_repository import MODULE, provisioned, unit
from tests.e2e.pull_requests.small_world import SmallWorld


def slow_plan(world: SmallWorld, path: str) -> dict[str, str]:
    """A unit that is planned only once the test lets it go."""
    name = path.replace("/", "-")
    begun, go = world.folder / f"{name}.begun", world.folder / f"{name}.go"
    wait = f"echo begun >> {begun}; for i in $(seq 300); do test -e {go} && break; sleep 0.2; done; echo slow"
    hcl = f"""
inputs = {{ value = run_cmd("--terragrunt-quiet", "sh", "-c", "{wait}") }}
"""
    return unit(path, hcl, value=None)


def test_a_push_cancels_the_plan_that_runs_and_the_new_commit_is_planned(world: SmallWorld) -> None:
    quick, slow = "dev/pushed/quick", "dev/pushed/slow"
    change = open_change(world, "pushed", unit(quick) | slow_plan(world, slow))
    change.wait(lambda: quick in change.plans(), "the plan of the quick unit")
    begun = world.folder / "dev-pushed-slow.begun"
    wait_for(begun.exists, "the plan of the slow unit", 120)
    old = change.head
    change.push(unit(quick, value="two") | unit(slow, value="two"))
    plans = change.planned(quick, slow)
    assert "two" in plans[quick]
    assert "two" in plans[slow]
    change.wait(lambda: change.concluded("plan", old) == "cancelled", "the end of the old commit's check")
    change.wait(lambda: len([body for body in change.said() if is_outdated(body)]) == 1, "the old comment's mark")
    assert [body for body in change.said() if is_outdated(body) and "one" in body], "marked, and still readable"
    assert change.concluded("plan") == "success"
    assert change.ended("terrateam apply") == "rocket"
    assert world.states.output(slow) == "two-slow"


def test_an_apply_that_runs_is_not_cancelled_by_a_push(world: SmallWorld) -> None:
    path = "dev/pushed/applying"
    told, go = world.folder / "applying.told", world.folder / "applying.go"
    wait = f"echo begun >> {told}; for i in $(seq 300); do test -e {go} && break; sleep 0.2; done"
    change = open_change(world, "pushed-applying", unit(path, module=provisioned(wait)))
    change.planned(path)
    old = change.head
    command = change.command("terrateam apply")
    wait_for(told.exists, "the apply", 120)
    change.push(unit(path, value="two", module=provisioned(wait)))
    later = change.command("terrateam plan")
    change.wait_said("Another run of this pull request is going")
    go.touch()
    assert change.end_of(command) == "rocket"
    assert world.states.output(path) == "one-applying"
    change.wait(lambda: change.concluded("apply", old) == "success", "the check of the commit that was applied")
    change.planned(path)
    # Both the push and the command plan the new commit: the check may have begun again by now.
    change.wait(lambda: change.concluded("plan") == "success", "the check of the last plan")
    assert "eyes" in {one.content for one in change.author.reactions(later)}


def test_a_second_pull_request_waits_in_line_for_a_unit_and_goes_on_after_the_merge(
    world: SmallWorld,
) -> None:
    path, other_module = "dev/shared/unit", MODULE.replace("NAME", "second")
    base = open_change(world, "shared-base", unit(path, value="base"))
    base.planned(path)
    assert base.ended("terrateam apply") == "rocket"
    base.merge()
    first = open_change(world, "shared-first", unit(path))
    second = open_change(world, "shared-second", unit(path, value="base", module=other_module), author="infra-member")
    first.planned(path)
    second.planned(path)
    assert first.ended("terrateam apply") == "rocket"
    command = second.command("terrateam apply")
    told = second.wait_said("Waiting in line for its units: number 1")
    assert f"`{path}`: held by pull request {first.number}" in told
    assert "since 20" in told
    assert "UTC" in told
    second.wait(lambda: "number 1" in str(second.check("apply")), "its place in the check")
    assert world.states.output(path) == "one-unit"
    assert world.histories.locked_units()[path] == first.number

    first.merge()
    assert second.end_of(command) == "rocket"
    assert world.states.output(path) == "one-second", "planned again on what was merged: neither undoes the other"
    assert len(second.saying("Its turn has come")) == 1
    assert not second.saying("Waiting in line"), "the same comment says what came of it"
    assert world.histories.locked_units()[path] == second.number


def test_unlock_gives_a_unit_to_another_pull_request(world: SmallWorld) -> None:
    path = "dev/unlocked/unit"
    first = open_change(world, "unlock-first", unit(path))
    first.planned(path)
    assert first.ended("terrateam apply") == "rocket"
    second = open_change(world, "unlock-second", unit(path, value="two"), author="infra-member")
    second.planned(path)

    assert first.ended("terrateam unlock", by="outsider") == "-1"
    first.wait_said("outsider may not `unlock`: that takes push access")
    assert first.ended("terrateam unlock", by="security-reviewer") == "-1"
    refusal = first.wait_said("security-reviewer may not apply `dev`")
    assert "author of the pull request may unlock it too" in refusal
    assert world.histories.locked_units()[path] == first.number
    shown = world.docustack("locks", "show", path, login="developer").stdout
    assert f"#{first.number}" in shown
    refused = world.docustack("locks", "release", path, login="security-reviewer")
    assert refused.returncode == 1
    assert "@security-reviewer may not apply" in " ".join(refused.stderr.split()), "as it is meant, without escapes"
    released = world.docustack("locks", "release", path, login="developer")
    assert released.returncode == 0, released.stderr
    assert f"{path} is free" in " ".join(released.stdout.split())
    first.wait_said("holds no lock", f"`{path}`")
    assert world.docustack("locks", "release", path, login="developer").returncode == 4, "nobody holds it"
    assert second.ended("terrateam apply") == "-1", "it would undo what the other one has applied"
    second.wait_said("this pull request lacks what was applied last", f"pull request {first.number}")
    assert path not in world.histories.locked_units(), "who is refused keeps no lock"

    take_in(second, "unlock-first")
    second.planned(path)
    assert second.ended("terrateam apply") == "rocket"
    assert world.states.output(path) == "two-unit"


def take_in(change: Change, branch: str) -> None:
    """Merge a branch into the pull request's, keeping its own where the two differ."""
    change.tree.git("fetch", "--quiet", "origin")
    change.tree.git("merge", "--quiet", "--no-edit", "-X", "ours", f"origin/{branch}")
    change.tree.push()
