"""A unit's inputs: one digest of all files that it reads, and of no other."""

import pytest

from docustack.terrateam import Directory, TerrateamConfiguration, WhenModified
from docustack.unit_graph import FoundUnit, UnitGraph
from docustack.unit_inputs import unit_inputs
from docustack.unit_reads import SCANNED_SUFFIXES, Tree

A, B = "dev/a", "dev/b"
TEXTS = {
    "root.hcl": "",
    "dev/env.hcl": "",
    f"{A}/terragrunt.hcl": """
        include "root" { path = find_in_parent_folders("root.hcl") }
        terraform { source = "${get_repo_root()}/modules//m" }
        inputs = { policy = file("${get_repo_root()}/policies/a.json") }
    """,
    f"{A}/note.txt": "x",
    f"{B}/terragrunt.hcl": 'dependency "a" { config_path = "../a" }',
    "modules/m/main.tf": 'locals { text = templatefile("${path.module}/user-data.tpl", {}) }',
    "modules/m/user-data.tpl": "x",
    "policies/a.json": "{}",
    "policies/b.json": "{}",
    "README.md": "x",
}
GRAPH = UnitGraph(
    units={
        A: FoundUnit(path=A, includes=("root.hcl",), reading=("root.hcl", "dev/env.hcl", "modules/m/main.tf")),
        B: FoundUnit(path=B, dependencies=(A,)),
    }
)


def inputs(
    changes: dict[str, str | None] | None = None, terrateam: TerrateamConfiguration | None = None
) -> dict[str, str]:
    files = {path: text for path, text in {**TEXTS, **(changes or {})}.items() if text is not None}
    tree = Tree(frozenset(files), {path: text for path, text in files.items() if path.endswith(SCANNED_SUFFIXES)})
    return unit_inputs(GRAPH, tree, files, [A, B, "dev/gone"], terrateam or TerrateamConfiguration())


def differ(changes: dict[str, str | None], terrateam: TerrateamConfiguration | None = None) -> set[str]:
    before, after = inputs(None, terrateam), inputs(changes, terrateam)
    return {unit for unit in before if before[unit] != after[unit]}


def test_only_units_that_are_there_have_inputs() -> None:
    assert inputs().keys() == {A, B}


@pytest.mark.parametrize(
    "path", ["root.hcl", "dev/env.hcl", f"{A}/note.txt", "modules/m/user-data.tpl", "policies/a.json"]
)
def test_each_file_that_a_unit_reads_counts(path: str) -> None:
    assert differ({path: TEXTS[path] + "\n# changed"}) == {A}


@pytest.mark.parametrize("path", [f"{A}/note.txt", "modules/m/user-data.tpl"])
def test_file_that_goes_away_counts(path: str) -> None:
    assert differ({path: None}) == {A}


def test_file_that_comes_to_a_module_counts() -> None:
    assert differ({"modules/m/more.tf": ""}) == {A}


@pytest.mark.parametrize("path", ["README.md", "policies/b.json", "docs/new.md", "dev/c/terragrunt.hcl"])
def test_file_that_a_unit_does_not_read_counts_not(path: str) -> None:
    assert differ({path: "changed"}) == set()


def test_dependency_counts_by_its_outputs_and_not_by_its_files() -> None:
    assert differ({f"{A}/terragrunt.hcl": TEXTS[f"{A}/terragrunt.hcl"] + "\n"}) == {A}


def test_files_that_terrateam_ties_to_a_unit_count() -> None:
    tied = TerrateamConfiguration(dirs={B: Directory(when_modified=WhenModified(file_patterns=("policies/*.json",)))})
    assert differ({"policies/b.json": "changed"}, tied) == {B}
