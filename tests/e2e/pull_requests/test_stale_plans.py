"""A plan is applied only to the state that it was made from; a new one only as far as the approval covers it."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import MODULE, unit
from tests.e2e.pull_requests.small_world import SmallWorld

TWO = MODULE + '\nresource "terraform_data" "second" {\n  input = "SECOND"\n}\n'


def applied_by_hand(change: Change, unit_path: str, files: dict[str, str]) -> None:
    """Somebody applies behind the plan's back, from a clone of their own."""
    clone = change.author.clone(change.world.clone_folder())
    for path, text in files.items():
        clone.write(path, text)
    folder: Path = clone.path / unit_path
    command = ["terragrunt", "apply", "-auto-approve", "--non-interactive"]
    terraform = shutil.which("terraform")
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"TG_TF_PATH": str(terraform)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_state_changed_behind_the_plan_is_planned_again_and_applied_where_covered(world: SmallWorld) -> None:
    path = "dev/stale/covered"
    change = open_change(world, "stale-covered", unit(path, value="new", module=TWO))
    change.planned(path)
    applied_by_hand(change, path, unit(path, value="new"))  # one of the two is there now: less is left to do
    assert change.ended("terrateam apply") == "rocket"
    body = change.applied(path)[path]
    assert "Planned again" in body
    assert "Resources: 1 added, 0 changed, 0 destroyed." in body
    assert "SECOND" in world.states.text(path)


def test_a_new_plan_that_does_more_than_was_approved_waits_for_another_yes(world: SmallWorld) -> None:
    path = "dev/stale/more"
    change = open_change(world, "stale-more", unit(path, value="new"))
    change.planned(path)
    applied_by_hand(change, path, unit(path, value="other", module=TWO))
    command = change.command("terrateam apply")
    question = change.wait_said("the new plan does more than was approved")
    assert "terraform_data.second" in question
    assert "SECOND" in world.states.text(path)
    assert world.states.output(path) == "other-more"

    refused = change.command("terrateam apply", by="developer")
    change.wait(lambda: "eyes" in signs(change, refused.id), "the sign that the command was seen")
    assert "SECOND" in world.states.text(path), "a yes of somebody who may not apply is none"
    change.command("terrateam apply")
    assert change.end_of(command) == "rocket"
    assert "SECOND" not in world.states.text(path)
    assert world.states.output(path) == "new-more"


def test_the_same_plan_is_not_applied_twice(world: SmallWorld) -> None:
    path = "dev/stale/twice"
    change = open_change(world, "stale-twice", unit(path))
    change.planned(path)
    first = change.command("terrateam apply")
    second = change.command("terrateam apply")
    assert change.end_of(first) == "rocket"
    assert change.end_of(second) == "-1"
    change.wait_said("Nothing to apply", f"`{path}` is applied already")
    assert len(change.applies()[path]) == 1


def signs(change: Change, comment_id: int) -> set[str]:
    comment = next(one for one in change.author.comments(change.number) if one.id == comment_id)
    return {one.content for one in change.author.reactions(comment)}
