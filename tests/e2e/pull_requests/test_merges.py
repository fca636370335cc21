"""What a merge leaves unapplied: applied by itself at the merge commit, or owed, held and applied after all."""

from local.waiting import wait_for
from tests.e2e.pull_requests.change import open_change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.small_world import SmallWorld


def test_squash_into_staging_is_planned_at_its_commit_and_applied_by_itself(world: SmallWorld) -> None:
    path = "staging/merged/unit"
    change = open_change(world, "applied-by-itself", unit(path), base="staging")
    change.planned(path)
    change.approve("infra-member")
    world.person("developer").merge(change.number, "squash")
    told = change.wait_said("auto_apply_on_merge")
    assert f"`{path}`" in told
    assert "**Status:** ✅ Success" in change.applied(path)[path]
    assert world.states.output(path) == "one-unit"
    wait_for(lambda: path not in world.histories.locked_units(), "the release of its lock", 120)
    assert any(path in text for text in world.slack.texts() if "Apply started" in text)


def test_merge_into_prod_without_apply_is_flagged_held_and_applied_by_a_command(world: SmallWorld) -> None:
    path = "prod/merged/unit"
    change = open_change(world, "owed", unit(path), author="infra-member")
    change.planned(path)
    change.merge()
    told = change.wait_said("`main` promises what isn't there")
    assert f"`{path}`" in told
    wait_for(lambda: any("promises" in text and path in text for text in world.slack.texts()), "Slack", 120)
    assert world.histories.locked_units()[path] == change.number
    assert world.states.output(path) is None

    commit = world.person("lead").pull_request(change.number).merge_commit_sha or ""
    other = world.docustack("apply", path, "--commit", "0" * 40, login="lead")
    assert other.returncode == 4
    assert f"merged as {commit[:7]}, owes {path}" in " ".join(other.stderr.split())
    change.approve("lead")
    applied = world.docustack("apply", path, "--commit", commit[:10], login="lead")
    assert applied.returncode == 0, applied.stderr
    assert world.states.output(path) == "one-unit"
    wait_for(lambda: path not in world.histories.locked_units(), "the release of its lock", 120)
