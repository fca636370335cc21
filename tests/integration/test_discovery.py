"""The units that a pull request changes, found by real Terragrunt, and compared with its own list of them."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.discovery import Discover, ListUnits, MovedSince, Units
from activities.git import MAX_LISTED_FILES, Git
from activities.git_messages import CheckedOut, CheckOut, CheckOutRef, RemoveWorkTree
from activities.terragrunt_command import TerragruntCommand
from docustack.configuration import Configuration
from docustack.errors import ErrorType
from docustack.repository import Discovery, Repository, UnitStatus
from docustack.terrateam import TerrateamConfiguration
from docustack.units import DependencyCycle, waves
from tests.integration.origin import Origin

REPOSITORY = Repository(owner="docustack", name="live")
CONFIGURATION = Configuration.model_validate(
    {
        "version": 1,
        "environments": {
            name: {"path": name, "account_id": str(number) * 12, "apply": "anyone"}
            for number, name in enumerate(("dev", "prod"))
        },
    }
)
UNIT = """
include "root" { path = find_in_parent_folders("root.hcl") }
terraform { source = "${get_repo_root()}/modules//m" }
"""
TREE = {
    "root.hcl": """
        locals {
          env  = read_terragrunt_config(find_in_parent_folders("env.hcl"))
          tags = yamldecode(file("${get_repo_root()}/tags.yaml"))
        }
    """,
    "tags.yaml": "a: 1\n",
    "README.md": "x\n",
    "dev/env.hcl": 'locals { name = "dev" }\n',
    "prod/env.hcl": 'locals { name = "prod" }\n',
    "dev/a/terragrunt.hcl": UNIT,
    "dev/a/note.txt": "x\n",
    "dev/b/terragrunt.hcl": UNIT + 'dependency "a" {\n  config_path  = "../a"\n  mock_outputs = { out = "MOCK" }\n}\n',
    "dev/c/terragrunt.hcl": UNIT + 'dependencies { paths = ["../b"] }\n',
    "prod/a/terragrunt.hcl": UNIT,
    "modules/m/main.tf": 'resource "terraform_data" "x" { input = file("${path.module}/policy.json") }\n'
    'output "out" { value = terraform_data.x.output }\n',
    "modules/m/policy.json": "{}\n",
}


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin", TREE)


@pytest.fixture
def trees(tmp_path: Path, origin: Origin) -> Git:
    return Git(data_dir=tmp_path / "data", host="host-1", clone_url=lambda _: origin.url)


async def found(trees: Git, head: str, merge: str = "") -> tuple[CheckedOut, Discovery]:
    question = CheckOut(repository=REPOSITORY, run_id="run:1", base_ref="main", head_commit=head, merge_commit=merge)
    done = await trees.check_out(question)
    units = Units(work_trees=trees, command=await TerragruntCommand.find())
    discovery = await units.discover(
        Discover(
            tree=done.tree,
            changed_files=done.changed_files,
            configuration=CONFIGURATION,
            terrateam=TerrateamConfiguration(),
        )
    )
    return done, discovery


async def listed(trees: Git, *directories: str, **fields: Any) -> Discovery:
    """The units that an order names, at the tip of the branch."""
    question = CheckOutRef(repository=REPOSITORY, run_id="run:1", base_ref="main", ref="")
    done = await trees.check_out_ref(question)
    units = Units(work_trees=trees, command=await TerragruntCommand.find())
    return await units.list_units(
        ListUnits(
            tree=done.tree,
            directories=directories,
            configuration=CONFIGURATION,
            terrateam=TerrateamConfiguration(),
            **fields,
        )
    )


async def test_terragrunt_is_asked_once_about_a_commit(trees: Git, origin: Origin, tmp_path: Path) -> None:
    called, script = tmp_path / "called", tmp_path / "terragrunt"
    command = await TerragruntCommand.find()
    script.write_text(f'#!/bin/sh\necho "$1" >> "{called}"\nexec "{command.terragrunt}" "$@"\n')
    script.chmod(0o755)
    units = Units(work_trees=trees, command=dataclasses.replace(command, terragrunt=str(script)))

    async def listed_by(run_id: str) -> list[str]:
        question = CheckOutRef(repository=REPOSITORY, run_id=run_id, base_ref="main", ref="")
        tree = (await trees.check_out_ref(question)).tree
        request = ListUnits(
            tree=tree, directories=("dev",), configuration=CONFIGURATION, terrateam=TerrateamConfiguration()
        )
        return [unit.unit for unit in (await units.list_units(request)).changed]

    assert await listed_by("run:1") == await listed_by("run:2") == ["dev/a", "dev/b", "dev/c"]
    assert called.read_text().split() == ["find"]
    origin.commit({"dev/d/terragrunt.hcl": ""})
    assert await listed_by("run:3") == ["dev/a", "dev/b", "dev/c", "dev/d"]
    assert called.read_text().split() == ["find", "find"]


async def test_an_order_finds_the_units_in_its_directories(trees: Git) -> None:
    assert [unit.unit for unit in (await listed(trees, "dev")).changed] == ["dev/a", "dev/b", "dev/c"]
    assert [unit.unit for unit in (await listed(trees)).changed] == ["dev/a", "dev/b", "dev/c", "prod/a"]
    some = await listed(trees, "dev/b", "prod", without=("prod/a",))
    assert [(unit.unit, unit.environment) for unit in some.changed] == [("dev/b", "dev")]
    assert some.dependencies["dev/b"] == ("dev/a",)
    assert some.inputs.keys() == {"dev/b"}
    assert (await listed(trees, "dev", "modules")).changed == ()


async def test_an_order_to_destroy_knows_who_depends_on_what(trees: Git) -> None:
    found = await listed(trees, "dev/a", destroy=True)
    assert statuses(found) == {"dev/a": UnitStatus.DELETED}
    assert [(each.dependants, each.needed_by, each.in_base) for each in found.deletions] == [
        (("dev/b",), ("dev/b",), True)
    ]


def statuses(discovery: Discovery) -> dict[str, UnitStatus]:
    return {unit.unit: unit.status for unit in discovery.changed}


def terragrunts_own(origin: Origin, merge_base: str, head: str) -> set[str]:
    """`find --filter '[A...B]'`: changed, added and removed units, by the difference between two commits."""
    origin.git("checkout", "--quiet", "--detach", head)
    done = subprocess.run(
        ["terragrunt", "find", "--json", "--filter", f"[{merge_base}...{head}]"],
        cwd=origin.folder,
        env={**os.environ, "TG_NON_INTERACTIVE": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return {entry["path"] for entry in json.loads(done.stdout)}


CASES: dict[str, Callable[[Origin], str]] = {
    "unit file": lambda origin: origin.commit({"dev/a/terragrunt.hcl": UNIT + "inputs = {}\n"}),
    "note in a unit's folder": lambda origin: origin.commit({"dev/a/note.txt": "changed"}),
    "root configuration": lambda origin: origin.commit({"root.hcl": TREE["root.hcl"] + "\n"}),
    "environment's file": lambda origin: origin.commit({"dev/env.hcl": 'locals { name = "d" }\n'}),
    "module's file": lambda origin: origin.commit({"modules/m/main.tf": TREE["modules/m/main.tf"] + "\n"}),
    "added unit": lambda origin: origin.commit({"prod/new/terragrunt.hcl": UNIT}),
    "deleted unit": lambda origin: origin.commit({"dev/c/terragrunt.hcl": None}),
    "moved unit": lambda origin: origin.move("dev/c", "dev/moved"),
    "file of nobody": lambda origin: origin.commit({"README.md": "changed"}),
}


@pytest.mark.parametrize("case", CASES)
async def test_same_units_as_terragrunts_own_comparison(trees: Git, origin: Origin, case: str) -> None:
    head = CASES[case](origin.on("feature"))
    # The trap: the branch is behind, others have added a unit.
    origin.on("main").commit({"dev/others/terragrunt.hcl": "inputs = {}\n"})
    done, discovery = await found(trees, head)
    assert set(statuses(discovery)) == terragrunts_own(origin, done.tree.merge_base, head)
    assert "dev/others" in discovery.dependencies


async def test_unit_that_others_added_counts_if_it_reads_what_changes(trees: Git, origin: Origin) -> None:
    """Terragrunt's own comparison can't know of it: only the merge has both."""
    head = origin.on("feature").commit({"dev/env.hcl": 'locals { name = "d" }\n'})
    origin.on("main").commit({"dev/others/terragrunt.hcl": UNIT})
    _, discovery = await found(trees, head)
    assert statuses(discovery) == dict.fromkeys(["dev/a", "dev/b", "dev/c", "dev/others"], UnitStatus.MODIFIED)


async def test_added_deleted_and_moved_units_are_told_apart(trees: Git, origin: Origin) -> None:
    origin.on("feature").move("dev/c", "dev/moved")
    head = origin.commit({"prod/new/terragrunt.hcl": UNIT, "prod/a/terragrunt.hcl": None})
    _, discovery = await found(trees, head)
    assert statuses(discovery) == {
        "dev/c": UnitStatus.DELETED,
        "dev/moved": UnitStatus.ADDED,
        "prod/a": UnitStatus.DELETED,
        "prod/new": UnitStatus.ADDED,
    }


async def test_a_deleted_unit_is_told_with_its_neighbours_on_the_base_branch_and_who_still_names_it(
    trees: Git, origin: Origin
) -> None:
    head = origin.on("feature").commit(
        {
            "dev/a/terragrunt.hcl": None,
            "dev/b/terragrunt.hcl": None,
            "dev/c/terragrunt.hcl": UNIT + 'dependencies { paths = ["../b"] }\n# more\n',
        }
    )
    # Others go on meanwhile: a unit that the branch has never seen is no deleted one, and depends on one that is.
    late = {"dev/late/terragrunt.hcl": UNIT + 'dependency "a" { config_path = "../a" }\n'}
    origin.on("main").commit({**late, "dev/others/terragrunt.hcl": UNIT})
    _, discovery = await found(trees, head)
    assert statuses(discovery) == {
        "dev/a": UnitStatus.DELETED,
        "dev/b": UnitStatus.DELETED,
        "dev/c": UnitStatus.MODIFIED,
    }
    a, b = discovery.deletions
    assert (a.dependencies, a.dependants, a.needed_by) == ((), ("dev/b", "dev/late"), ("dev/late",))
    assert (b.dependencies, b.dependants, b.needed_by) == (("dev/a",), ("dev/c",), ("dev/c",))
    assert a.in_base
    assert discovery.may_have_taken_over == ("dev/c",)


async def test_a_unit_that_others_have_deleted_meanwhile_is_not_in_the_base_any_more(
    trees: Git, origin: Origin
) -> None:
    head = origin.on("feature").commit({"prod/a/terragrunt.hcl": None})
    origin.on("main").commit({"prod/a/terragrunt.hcl": None, "README.md": "y"})
    _, discovery = await found(trees, head)
    assert [(each.unit, each.in_base) for each in discovery.deletions] == [("prod/a", False)]


async def test_what_a_merge_has_deleted_is_told_with_who_names_it_and_what_is_back_by_now(
    trees: Git, origin: Origin
) -> None:
    origin.on("main").commit({"dev/d/terragrunt.hcl": UNIT + 'dependencies { paths = ["../a"] }\n'})
    gone = {"dev/a/terragrunt.hcl": None, "dev/b/terragrunt.hcl": None, "prod/a/terragrunt.hcl": None}
    head = origin.on("feature").commit({**gone, "dev/c/terragrunt.hcl": UNIT})
    origin.on("main").git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
    merge = origin.git("rev-parse", "HEAD")
    origin.commit({"prod/a/terragrunt.hcl": UNIT})
    origin.commit({"dev/d/terragrunt.hcl": None})
    origin.commit({"dev/late/terragrunt.hcl": UNIT + 'dependency "b" { config_path = "../b" }\n'})
    done, discovery = await found(trees, head, merge)
    told = {each.unit: (each.dependants, each.needed_by, each.is_back) for each in discovery.deletions}
    assert told == {
        "dev/a": (("dev/b", "dev/d"), (), False),
        "dev/b": (("dev/c",), ("dev/late",), False),
        "prod/a": ((), (), True),
    }
    assert (discovery.come_since, discovery.gone_since) == (("dev/late",), ("dev/d",))
    assert "dev/late" not in discovery.dependencies, "the run itself works with what was merged"
    await trees.remove_work_tree(RemoveWorkTree(repository=REPOSITORY, run_id=done.tree.of_now().folder))
    elsewhere = await trees.ensure(done.tree.of_now())
    assert (elsewhere / "dev/late/terragrunt.hcl").exists(), "any host can make it again"


async def test_a_moved_unit_is_a_rename_even_where_its_file_has_changed_a_little(trees: Git, origin: Origin) -> None:
    origin.on("feature").move("dev/b", "dev/moved")
    head = origin.commit({"dev/moved/terragrunt.hcl": TREE["dev/b/terragrunt.hcl"] + "# moved\n"})
    _, discovery = await found(trees, head)
    assert {each.unit: each.renamed_to for each in discovery.deletions} == {"dev/b": "dev/moved"}
    assert "dev/moved" in discovery.may_have_taken_over


@pytest.mark.parametrize(
    "path,units",
    [
        ("tags.yaml", ["dev/a", "dev/b", "dev/c", "prod/a"]),
        ("modules/m/policy.json", ["dev/a", "dev/b", "dev/c", "prod/a"]),
        ("modules/m/new.tf", ["dev/a", "dev/b", "dev/c", "prod/a"]),
    ],
)
async def test_files_that_terragrunt_does_not_tell_of_count(
    trees: Git, origin: Origin, path: str, units: list[str]
) -> None:
    _, discovery = await found(trees, origin.on("feature").commit({path: "# changed"}))
    assert [unit.unit for unit in discovery.changed] == units
    assert all(unit.because == (path,) for unit in discovery.changed)


GLOBBED = """
locals {
  files = sort(mark_glob_as_read("${get_repo_root()}/config/GLOB"))
  all   = [for file in local.files : yamldecode(file(file))]
}
"""


@pytest.mark.parametrize("glob", ["{*.yaml,*.json}", "**"])
@pytest.mark.parametrize(
    "change", [{"config/new.yaml": "a: 1\n"}, {"config/old.yaml": "a: 2\n"}, {"config/old.yaml": None}]
)
async def test_files_of_a_glob_count_whether_they_come_change_or_go(
    trees: Git, origin: Origin, glob: str, change: dict[str, str | None]
) -> None:
    unit = UNIT + GLOBBED.replace("GLOB", glob)
    origin.commit({"prod/a/terragrunt.hcl": unit, "config/old.yaml": "a: 1\n", "config/other.yaml": "a: 1\n"})
    _, discovery = await found(trees, origin.on("feature").commit(change))
    assert set(statuses(discovery)) == {"prod/a"}


async def test_dependants_are_also_affected(trees: Git, origin: Origin) -> None:
    _, discovery = await found(trees, origin.on("feature").commit({"dev/a/note.txt": "changed"}))
    assert [unit.unit for unit in discovery.changed] == ["dev/a"]
    assert discovery.also_affected == ("dev/b", "dev/c")
    assert waves(discovery.dependencies, discovery.dependencies) == [["dev/a", "prod/a"], ["dev/b"], ["dev/c"]]


async def test_inputs_follow_the_base_branch_only_where_it_changes_what_a_unit_reads(
    trees: Git, origin: Origin
) -> None:
    head = origin.on("feature").commit({"dev/a/note.txt": "changed", "prod/a/note.txt": "new"})
    before, first = await found(trees, head)
    origin.on("main").commit({"dev/env.hcl": 'locals { name = "d" }\n', "README.md": "changed"})
    after, second = await found(trees, head)
    assert {unit for unit, digest in second.inputs.items() if digest != first.inputs[unit]} == {
        "dev/a",
        "dev/b",
        "dev/c",
    }
    units = Units(work_trees=trees, command=await TerragruntCommand.find())
    since = {"dev/a": before.tree.base_commit, "prod/a": before.tree.base_commit, "dev/b": "d" * 40}
    moved = await units.find_moved_inputs(MovedSince(tree=after.tree, since=since))
    assert {unit.unit: unit.files for unit in moved.units} == {"dev/a": ("dev/env.hcl",), "prod/a": ()}


async def test_file_that_no_unit_reads_is_named(trees: Git, origin: Origin) -> None:
    _, discovery = await found(trees, origin.on("feature").commit({"README.md": "changed"}))
    assert (discovery.changed, discovery.unread_files) == ((), ("README.md",))


BROKEN = {
    "not HCL at all": "@@@",
    "open block": UNIT + "terraform {",
    "unknown block": UNIT + "foo {}\n",
    "include of nothing": UNIT.replace("root.hcl", "rot.hcl"),
    "unknown function": UNIT + "inputs = { a = nope() }\n",
    "dependency on nothing": UNIT + 'dependency "z" { config_path = "../zzz" }\n',
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_unit_is_found_and_the_others_keep_their_place(trees: Git, origin: Origin, case: str) -> None:
    head = origin.on("feature").commit({"dev/a/terragrunt.hcl": BROKEN[case], "prod/a/new.txt": "x"})
    _, discovery = await found(trees, head)
    assert set(statuses(discovery)) == {"dev/a", "prod/a"}
    assert discovery.dependencies["dev/b"] == ("dev/a",)
    assert discovery.also_affected == ("dev/b", "dev/c")


async def test_units_on_a_cycle_are_not_lost_and_the_cycle_is_named(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"dev/a/terragrunt.hcl": UNIT + 'dependencies { paths = ["../c"] }\n'})
    _, discovery = await found(trees, head)
    assert set(statuses(discovery)) == {"dev/a"}
    assert "`dev/a`, `dev/b`, `dev/c`" in discovery.warnings[-1]
    with pytest.raises(DependencyCycle) as caught:
        waves(["dev/a", "dev/b"], discovery.dependencies)
    assert caught.value.cycle == ["dev/a", "dev/c", "dev/b", "dev/a"]


async def test_root_configuration_of_old_repositories_is_no_unit(trees: Git, origin: Origin) -> None:
    files: dict[str, str | None] = {
        name: text.replace('find_in_parent_folders("root.hcl")', "find_in_parent_folders()")
        for name, text in TREE.items()
        if name.endswith("/terragrunt.hcl")
    }
    head = origin.on("feature").commit({**files, "root.hcl": None, "terragrunt.hcl": TREE["root.hcl"]})
    _, discovery = await found(trees, head)
    assert set(statuses(discovery)) == {"dev/a", "dev/b", "dev/c", "prod/a"}
    assert set(discovery.dependencies) == {"dev/a", "dev/b", "dev/c", "prod/a"}


async def test_paths_with_blanks_and_umlauts(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"dev/ä b/terragrunt.hcl": UNIT, "dev/ä b/nöte.txt": "x"})
    _, discovery = await found(trees, head)
    assert statuses(discovery) == {"dev/ä b": UnitStatus.ADDED}


async def test_filter_file_of_the_repository_hides_nothing(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({".terragrunt-filters": "!./dev/**\n", "dev/a/note.txt": "changed"})
    _, discovery = await found(trees, head)
    assert set(statuses(discovery)) == {"dev/a"}
    assert set(discovery.dependencies) == {"dev/a", "dev/b", "dev/c", "prod/a"}


async def test_leftovers_of_terragrunt_in_the_tree_are_no_units(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"dev/a/note.txt": "changed"})
    done, _ = await found(trees, head)
    cache = await trees.ensure(done.tree) / "dev/a/.terragrunt-cache/x/y"
    cache.mkdir(parents=True)
    (cache / "terragrunt.hcl").write_text(UNIT)
    _, discovery = await found(trees, head)
    assert set(discovery.dependencies) == {"dev/a", "dev/b", "dev/c", "prod/a"}


# ---- Terragrunt itself fails -----------------------------------------------------------------------------------------


def stand_in(folder: Path, script: str) -> str:
    path = folder / "terragrunt"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


async def answered(trees: Git, origin: Origin, version: tuple[int, int, int], executable: str) -> Discovery:
    head = origin.on("feature").commit({"dev/a/note.txt": "changed"})
    done = await trees.check_out(CheckOut(repository=REPOSITORY, run_id="run:1", base_ref="main", head_commit=head))
    units = Units(work_trees=trees, command=TerragruntCommand(executable, "terraform", version))
    return await units.discover(
        Discover(
            tree=done.tree,
            changed_files=done.changed_files,
            configuration=CONFIGURATION,
            terrateam=TerrateamConfiguration(),
        )
    )


async def test_failure_of_terragrunt_is_told_without_paths_of_the_worker(
    trees: Git, origin: Origin, tmp_path: Path
) -> None:
    script = 'echo "$PWD/root.hcl:3,1-2: something is wrong" >&2; exit 1'
    with pytest.raises(ApplicationError) as caught:
        await answered(trees, origin, (1, 1, 3), stand_in(tmp_path, script))
    assert (caught.value.type, caught.value.non_retryable) == (ErrorType.CONFIGURATION, True)
    assert "\nroot.hcl:3,1-2: something is wrong" in caught.value.message


async def test_answer_that_is_no_json_is_told(trees: Git, origin: Origin, tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as caught:
        await answered(trees, origin, (1, 1, 3), stand_in(tmp_path, "echo hello"))
    assert caught.value.type == ErrorType.CONFIGURATION


async def test_older_terragrunt_is_asked_in_its_own_words(trees: Git, origin: Origin, tmp_path: Path) -> None:
    script = """[ "$1" = graph-dependencies ] || exit 1
printf 'digraph {\\n\\t"%s/dev/b" -> "%s/dev/a";\\n\\t"%s/prod/a" ;\\n}\\n' "$PWD" "$PWD" "$PWD" """
    discovery = await answered(trees, origin, (0, 55, 0), stand_in(tmp_path, script))
    assert set(statuses(discovery)) == {"dev/a"}
    assert discovery.dependencies["dev/b"] == ("dev/a",)
    assert discovery.dependencies["dev/c"] == ("dev/b",)  # left out by the stand-in, found by its file


async def test_older_terragrunt_that_stumbles_over_a_broken_unit_is_done_without(
    trees: Git, origin: Origin, tmp_path: Path
) -> None:
    discovery = await answered(trees, origin, (0, 55, 0), stand_in(tmp_path, "exit 1"))
    assert discovery.dependencies == {"dev/a": (), "dev/b": ("dev/a",), "dev/c": ("dev/b",), "prod/a": ()}
    assert discovery.also_affected == ("dev/b", "dev/c")


async def test_diff_too_long_for_a_message_is_still_read_to_its_end(trees: Git, origin: Origin) -> None:
    files = {f"docs/{number}.txt": str(number) for number in range(MAX_LISTED_FILES)}
    done, discovery = await found(trees, origin.on("feature").commit({**files, "prod/a/zzz.txt": "the last one"}))
    assert len(done.changed_files) == MAX_LISTED_FILES
    assert set(statuses(discovery)) == {"prod/a"}
