"""Units whose folder a pull request deletes: destroyed when somebody says so, and never what another unit owns."""

import json
import os
import subprocess
from pathlib import Path

from local.waiting import wait_for
from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import Files, dependent, unit
from tests.e2e.pull_requests.small_world import SmallWorld


def merged(world: SmallWorld, branch: str, files: Files, *units: str) -> None:
    """Units that are on the base branch and applied."""
    change = open_change(world, branch, files)
    change.planned(*units)
    assert change.ended("terrateam apply") == "rocket"
    change.merge()


def open_deletion(world: SmallWorld, branch: str, *units: str, files: Files | None = None) -> Change:
    """A pull request that deletes these units' files."""
    author = world.person("developer")
    tree = author.clone(world.clone_folder())
    tree.branch(branch, "main")
    for path in units:
        for name in ("terragrunt.hcl", "main.tf"):
            (tree.path / path / name).unlink()
    for path, text in (files or {}).items():
        tree.write(path, text)
    tree.commit(f"feat: {branch}")
    tree.push()
    return Change(world, "developer", tree, author.open_pull_request(branch, base="main"))


def resources(world: SmallWorld, path: str) -> int:
    return len(json.loads(world.states.text(path))["resources"])


def test_deleted_units_are_destroyed_by_the_words_for_it_dependants_first(world: SmallWorld) -> None:
    leaf, user = "dev/deleted/leaf", "dev/deleted/user"
    merged(world, "to-be-deleted", unit(leaf) | dependent(user, "leaf"), leaf, user)

    change = open_deletion(world, "deletion", leaf, user)
    for path, body in change.planned(leaf, user).items():
        assert f"This pull request deletes `{path}`" in body
        assert "1 resource: 1 `terraform_data`" in body
        assert "Plan: 0 to add, 0 to change, 1 to destroy." in body
    assert change.concluded("plan") == "success"

    assert change.ended("terrateam apply") == "-1", "a plain apply destroys nothing"
    change.wait_said("not destroyed by this: comment `terrateam apply --destroy`")
    assert change.concluded("apply") == "neutral"
    assert [resources(world, path) for path in (leaf, user)] == [1, 1]
    assert change.ended("terrateam apply --destory") == "confused"
    change.wait_said("Did you mean `terrateam apply --destroy`?")

    assert change.ended("terrateam apply --destroy") == "rocket"
    for body in change.applied(leaf, user).values():
        assert "**Status:** ✅ Success" in body
        assert "Resources: 0 added, 0 changed, 1 destroyed." in body
    assert [resources(world, path) for path in (leaf, user)] == [0, 0]
    said = change.said()
    first, second = (next(i for i, body in enumerate(said) if body == change.applies()[p][0]) for p in (user, leaf))
    assert first < second
    assert change.concluded("apply") == "success"


def test_a_deleted_unit_that_another_still_depends_on_is_left_alone(world: SmallWorld) -> None:
    base, user = "dev/needed/base", "dev/needed/user"
    merged(world, "needed", unit(base) | dependent(user, "base"), base, user)
    change = open_deletion(world, "needed-deletion", base)
    change.wait_said(f"`{base}` is deleted here, but `{user}` still depends on it")
    assert change.ended("terrateam apply --destroy") == "-1"
    change.merge()
    assert f"`{base}`: 1 resource" in change.wait_said("Owned by nobody")
    wait_for(lambda: any(base in text for text in world.slack.texts() if "Owned by nobody" in text), "Slack", 120)
    assert resources(world, base) == 1
    listed = json.loads(world.docustack("units", "orphans", "--json", login="developer").stdout)["orphans"]
    assert [(one["unit"], one["pull_request"], one["resources"]) for one in listed] == [(base, change.number, 1)]
    dismissed = world.docustack("units", "dismiss", base, login="developer")
    assert dismissed.returncode == 0, dismissed.stderr
    change.wait_said("Dismissed by", f"`{base}`: 1 resource")
    assert world.docustack("units", "dismiss", base, login="developer").returncode == 4, "it is on record no more"


def test_what_a_merge_has_left_is_destroyed_there_after_all_or_found_to_be_gone(world: SmallWorld) -> None:
    base, user, lone = "dev/left/base", "dev/left/user", "dev/left/lone"
    merged(world, "left", unit(base) | dependent(user, "base") | unit(lone), base, user, lone)
    change = open_deletion(world, "left-deletion", base, lone)
    change.planned(lone)
    change.merge()
    change.wait_said("Owned by nobody", f"`{base}`: 1 resource", "comment `terrateam apply --destroy` here")

    # One goes by hand, as the closing comment says; nobody has told DocuStack.
    before = world.person("developer").clone(world.clone_folder())
    before.git("checkout", "--quiet", "HEAD~1")
    terragrunt(before.path / lone, "destroy", "-auto-approve")
    found = world.docustack("units", "orphans", "--json", login="developer")
    assert f"{lone} is owned by nobody no longer" in " ".join(found.stderr.split())
    assert [one["unit"] for one in json.loads(found.stdout)["orphans"]] == [base]
    change.wait_said(f"`{lone}` is gone: its state holds no resources any more", "who did, and when, is not known")

    # The other one is still needed, until a later pull request lets go of it.
    assert change.ended("terrateam apply --destroy") == "-1"
    assert change.saying(f"`{base}` is deleted here, but `{user}` still depends on it")
    later = open_change(world, "left-lets-go", unit(user))
    later.planned(user)
    assert later.ended("terrateam apply") == "rocket"
    later.merge()
    commanded = change.command("terrateam apply --destroy")
    change.wait_said("This is what is left of it now", "Plan: 0 to add, 0 to change, 1 to destroy.")
    assert resources(world, base) == 1, "nobody had read that plan before"
    change.command("terrateam apply --destroy")
    assert change.end_of(commanded) == "rocket"
    assert "Resources: 0 added, 0 changed, 1 destroyed." in change.applied(base)[base]
    assert resources(world, base) == 0
    change.wait_said("Destroyed by `infra-member`, and owned by nobody no longer", "Nothing of this merge is left so")
    wait_for(lambda: any(base in text for text in world.slack.texts() if "nobody no longer" in text), "Slack", 120)
    assert json.loads(world.docustack("units", "orphans", "--json", login="developer").stdout)["orphans"] == []


def test_a_rename_tells_how_to_move_the_state_and_what_was_moved_is_never_destroyed(world: SmallWorld) -> None:
    old, new = "dev/renamed/old", "dev/renamed/new"
    files = unit(old)
    merged(world, "renamed", files, old)
    moved = {path.replace(old, new): text for path, text in files.items()}
    change = open_deletion(world, "rename", old, files=moved)
    plans = change.planned(old, new)
    assert f"`{old}` looks renamed to `{new}`" in plans[old]
    assert "Plan: 1 to add" in plans[new]

    # The advice in the comment, by halves first: the state is copied and the old one not emptied.
    base = world.person("developer").clone(world.clone_folder())
    state = world.folder / "moved.tfstate"
    state.write_text(terragrunt(base.path / old, "state", "pull"))
    terragrunt(change.tree.path / new, "state", "push", str(state))
    assert change.ended("terrateam apply --destroy") == "rocket"
    change.wait_said(f"its state was copied for `{new}`")
    assert resources(world, old) == 1
    terragrunt(base.path / old, "state", "rm", "terraform_data.this")

    change.command("terrateam plan")
    change.wait_said(f"`{old}` is deleted here. Its state owns nothing")
    assert "No changes." in change.planned(new)[new]
    assert resources(world, new) == 1


def terragrunt(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["terragrunt", *arguments],
        cwd=folder,
        env={**os.environ, "TG_NON_INTERACTIVE": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
