"""Which units a pull request changes: by what Terragrunt tells, and by what only the texts of files show."""

import pytest

from docustack.changed_units import changed_units
from docustack.configuration import Configuration
from docustack.repository import ChangedFile, Discovery, UnitStatus
from docustack.terrateam import TerrateamConfiguration
from docustack.terrateam_file import load_terrateam
from docustack.unit_graph import FoundUnit, UnitGraph
from docustack.unit_reads import SCANNED_SUFFIXES, Tree, static_dependencies

CONFIGURATION = Configuration.model_validate(
    {
        "version": 1,
        "environments": {
            name: {"path": name, "account_id": str(number) * 12, "apply": "anyone"}
            for number, name in enumerate(("dev", "prod"))
        },
    }
)
ROOT = """
locals {
  env  = read_terragrunt_config(find_in_parent_folders("env.hcl"))
  tags = yamldecode(file("${get_repo_root()}/configs/tags.yaml"))
}
"""
UNIT = """
include "root" { path = find_in_parent_folders("root.hcl") }
terraform { source = "../../modules//m" }
"""
TREE = {
    "root.hcl": ROOT,
    "configs/tags.yaml": "a: 1",
    "configs/other.yaml": "a: 1",
    "dev/env.hcl": "locals { name = \"dev\" }",
    "prod/env.hcl": "locals { name = \"prod\" }",
    "dev/a/terragrunt.hcl": UNIT,
    "dev/b/terragrunt.hcl": UNIT + 'dependency "a" { config_path = "../a" }',
    "prod/a/terragrunt.hcl": UNIT,
    "modules/m/main.tf": 'resource "x" "y" { policy = templatefile("${path.module}/policy.tpl", {}) }',
    "modules/m/policy.tpl": "{}",
    "modules/n/main.tf": "",
    "README.md": "",
}  # fmt: skip
GRAPH = UnitGraph(
    units={
        unit.path: unit
        for unit in (
            FoundUnit(path="dev/a", includes=("root.hcl",), reading=("root.hcl", "dev/env.hcl", "modules/m/main.tf")),
            FoundUnit(
                path="dev/b",
                includes=("root.hcl",),
                reading=("root.hcl", "dev/env.hcl", "modules/m/main.tf"),
                dependencies=("dev/a",),
            ),
            FoundUnit(path="prod/a", includes=("root.hcl",), reading=("root.hcl", "prod/env.hcl", "modules/m/main.tf")),
        )
    }
)


def discover(
    *files: ChangedFile | str,
    tree: dict[str, str | None] | None = None,
    graph: UnitGraph = GRAPH,
    terrateam: str = "",
) -> Discovery:
    """A tree after the change (None: the file is gone), and the files that changed, modified unless said otherwise."""
    after = {path: text for path, text in {**TREE, **(tree or {})}.items() if text is not None}
    texts = {path: text for path, text in after.items() if path.endswith(SCANNED_SUFFIXES)}
    rules, problems = load_terrateam(terrateam)
    assert not problems
    changed = [file if isinstance(file, ChangedFile) else ChangedFile(path=file, status="modified") for file in files]
    return changed_units(graph, Tree(frozenset(after), texts), changed, CONFIGURATION, rules)


def names(discovery: Discovery) -> list[str]:
    return [unit.unit for unit in discovery.changed]


@pytest.mark.parametrize(
    "path,units",
    [
        ("dev/a/terragrunt.hcl", ["dev/a"]),
        ("dev/a/files/note.txt", ["dev/a"]),
        ("root.hcl", ["dev/a", "dev/b", "prod/a"]),
        ("dev/env.hcl", ["dev/a", "dev/b"]),
        ("modules/m/main.tf", ["dev/a", "dev/b", "prod/a"]),
        ("modules/m/new.tf", ["dev/a", "dev/b", "prod/a"]),
        ("modules/m/policy.tpl", ["dev/a", "dev/b", "prod/a"]),
        ("modules/m/deep/er/policy.tpl", ["dev/a", "dev/b", "prod/a"]),
        ("configs/tags.yaml", ["dev/a", "dev/b", "prod/a"]),
        ("configs/other.yaml", []),
        ("modules/n/main.tf", []),
        ("README.md", []),
        ("dev/README.md", []),
    ],
)
def test_file_changes_the_units_that_read_it(path: str, units: list[str]) -> None:
    discovery = discover(path)
    assert names(discovery) == units
    assert all(unit.because == (path,) for unit in discovery.changed)
    assert discovery.unread_files == (() if units else (path,))


def test_dependants_are_also_affected_and_not_changed() -> None:
    discovery = discover("dev/a/terragrunt.hcl")
    assert names(discovery) == ["dev/a"]
    assert discovery.also_affected == ("dev/b",)
    assert discovery.dependencies == {"dev/a": (), "dev/b": ("dev/a",), "prod/a": ()}


def test_unit_knows_its_environment_or_that_it_has_none() -> None:
    graph = GRAPH.with_units([FoundUnit(path="bootstrap")])
    discovery = discover(
        "bootstrap/main.tf", "prod/a/main.tf", graph=graph, tree={"bootstrap/terragrunt.hcl": "", "prod/a/main.tf": ""}
    )
    assert [(unit.unit, unit.environment) for unit in discovery.changed] == [("bootstrap", None), ("prod/a", "prod")]


# ---- added, deleted, renamed -----------------------------------------------------------------------------------------


def test_added_unit() -> None:
    graph = GRAPH.with_units([FoundUnit(path="dev/new")])
    discovery = discover(ChangedFile(path="dev/new/terragrunt.hcl", status="added"), graph=graph)
    assert [(unit.unit, unit.status) for unit in discovery.changed] == [("dev/new", UnitStatus.ADDED)]


def without(*units: str) -> UnitGraph:
    return UnitGraph(units={path: unit for path, unit in GRAPH.units.items() if path not in units})


def test_deleted_unit_is_reported_with_those_that_depend_on_it() -> None:
    discovery = discover(
        ChangedFile(path="dev/a/terragrunt.hcl", status="deleted"),
        ChangedFile(path="dev/a/note.txt", status="deleted"),
        tree={"dev/a/terragrunt.hcl": None},
        graph=without("dev/a"),
    )
    assert [(unit.unit, unit.status, unit.environment) for unit in discovery.changed] == [
        ("dev/a", UnitStatus.DELETED, "dev")
    ]
    assert discovery.changed[0].because == ("dev/a/note.txt", "dev/a/terragrunt.hcl")
    assert discovery.also_affected == ("dev/b",)
    assert discovery.warnings == ("`dev/b` depends on `dev/a`, which this pull request deletes.",)


def test_unit_that_others_added_meanwhile_is_not_deleted() -> None:
    # It isn't in this pull request's diff since the merge base, and it is in the merged tree.
    graph = GRAPH.with_units([FoundUnit(path="dev/others")])
    discovery = discover("dev/a/terragrunt.hcl", graph=graph, tree={"dev/others/terragrunt.hcl": UNIT})
    assert names(discovery) == ["dev/a"]


def test_deletion_that_the_merge_does_not_keep_deletes_no_unit() -> None:
    discovery = discover(ChangedFile(path="dev/a/terragrunt.hcl", status="deleted"))
    assert [unit.status for unit in discovery.changed] == [UnitStatus.MODIFIED]


def test_moved_unit_is_a_deleted_and_an_added_one() -> None:
    graph = without("dev/a").with_units([FoundUnit(path="dev/moved")])
    discovery = discover(
        ChangedFile(path="dev/moved/terragrunt.hcl", status="renamed", previous_path="dev/a/terragrunt.hcl"),
        tree={"dev/a/terragrunt.hcl": None, "dev/moved/terragrunt.hcl": UNIT},
        graph=graph,
    )
    assert [(unit.unit, unit.status) for unit in discovery.changed] == [
        ("dev/a", UnitStatus.DELETED),
        ("dev/moved", UnitStatus.ADDED),
    ]


def test_file_moved_from_one_unit_to_another_changes_both() -> None:
    discovery = discover(ChangedFile(path="dev/b/x.txt", status="renamed", previous_path="dev/a/x.txt"))
    assert names(discovery) == ["dev/a", "dev/b"]


def test_renamed_parent_configuration_is_no_deleted_unit() -> None:
    discovery = discover(ChangedFile(path="root.hcl", status="renamed", previous_path="terragrunt.hcl"))
    assert all(unit.status is UnitStatus.MODIFIED for unit in discovery.changed)
    assert discovery.unread_files == ("terragrunt.hcl",)


def test_deleted_file_that_a_text_still_names_changes_the_unit() -> None:
    discovery = discover(ChangedFile(path="configs/tags.yaml", status="deleted"), tree={"configs/tags.yaml": None})
    assert names(discovery) == ["dev/a", "dev/b", "prod/a"]


def test_deleted_module_changes_the_units_that_still_source_it() -> None:
    gone = GRAPH.with_units(unit.model_copy(update={"reading": ("root.hcl",)}) for unit in GRAPH.units.values())
    discovery = discover(
        ChangedFile(path="modules/m/main.tf", status="deleted"),
        tree={"modules/m/main.tf": None, "modules/m/policy.tpl": None},
        graph=gone,
    )
    assert names(discovery) == ["dev/a", "dev/b", "prod/a"]


# ---- what only texts show --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,path",
    [
        ('inputs = { a = file("../shared/x.json") }', "dev/shared/x.json"),
        ('inputs = { a = file("${get_terragrunt_dir()}/../shared/x.json") }', "dev/shared/x.json"),
        ('inputs = { a = yamldecode(file(find_in_parent_folders("x.yaml"))) }', "dev/x.yaml"),
        ('inputs = { a = file("${dirname(find_in_parent_folders("root.hcl"))}/x.json") }', "x.json"),
        ('inputs = { a = file("${get_parent_terragrunt_dir()}/${path_relative_to_include()}.json") }', "dev/a.json"),
        ('inputs = { a = file("${get_path_to_repo_root()}/x.json") }', "x.json"),
        ('inputs = { a = file("${get_path_to_repo_root()}x.json") }', "x.json"),
        ('inputs = { a = file("${get_repo_root()}/${basename(get_terragrunt_dir())}.json") }', "a.json"),
        ('locals { p = "${get_repo_root()}/x.json" }\ninputs = { a = file(local.p) }', "x.json"),
        ('locals { p = "${get_repo_root()}/x-${local.e}.json" }\ninputs = { a = file(local.p) }', "x-dev.json"),
        ('locals { p = "${get_repo_root()}/x-${local.e}.json" }\ninputs = { a = file("${local.p}") }', "x-dev.json"),
        ('inputs = { a = file("${local.folder}/x.json") }', "some/where/x.json"),
        ('inputs = { a = file("${get_repo_root()}/some/${local.name}") }', "some/where/x.json"),
        ('inputs = { a = file(format("%s/x.json", get_env("D"))) }', "some/where/x.json"),
        ('inputs = { a = file(local.from_who_knows_where) }', "dev/data/x.json"),
        ('inputs = { a = fileset("${get_repo_root()}/policies", "*.json") }', "policies/x.json"),
        ('inputs = { a = { for f in fileset(get_repo_root(), "policies/*.json") : f => f } }', "policies/x.json"),
        ('inputs = { a = templatefile("../x.tpl", { b = "c" }) }', "dev/x.tpl"),
        ('inputs = { a = jsondecode(read_tfvars_file("${get_repo_root()}/common.tfvars")) }', "common.tfvars"),
        ('terraform { extra_arguments "v" { required_var_files = ["${get_repo_root()}/c.tfvars"] } }', "c.tfvars"),
        ('locals { p = include.root.locals.q }\ninputs = { a = file(local.p), q = "../${get_env("X")}.y" }', "dev/x.y"),
        ('inputs = { path_for_the_module_to_read = "${get_repo_root()}/x.json" }', "x.json"),
        ('inputs = { a = <<EOT\n${file("../x.txt")}\nEOT\n}', "dev/x.txt"),
        ('inputs = { a = <<-EOT\n  an odd " quote\n  EOT\n  b = file("../x.txt") }', "dev/x.txt"),
        ('inputs = { a = file("${get_repo_root()}/ünï cöde.json") }', "ünï cöde.json"),
        ('inputs = { broken = \ninputs = { a = file("../x.txt") }', "dev/x.txt"),
    ],
)  # fmt: skip
def test_file_that_terragrunt_does_not_tell_of_changes_the_unit(text: str, path: str) -> None:
    discovery = discover(path, tree={"dev/a/terragrunt.hcl": UNIT + text})
    assert names(discovery) == ["dev/a"]
    assert not discovery.unread_files


@pytest.mark.parametrize(
    "text,path",
    [
        ('# file("../x.txt")', "dev/x.txt"),
        ('/* file("../x.txt") */', "dev/x.txt"),
        ('inputs = { a = "${local.a}-${local.b}" }', "some-file"),
        ('inputs = { a = file("/etc/x.txt") }', "etc/x.txt"),
        ('inputs = { a = file("../../../x.txt") }', "x.txt"),
        ('terraform { source = "git::https://example.com/x.git//m?ref=v1" }', "m/main.tf"),
        ('inputs = { env = "configs" }', "configs/other.yaml"),
        ('dependency "b" { config_path = "../b" }', "dev/b/terragrunt.hcl"),
        ('dependency "b" { config_path = "../b/terragrunt.hcl" }', "dev/b/terragrunt.hcl"),
        ('dependencies { paths = ["../../prod/a"] }', "prod/a/main.tf"),
        ('inputs = { a = file(local.unknown) }', "prod/a/data.json"),
        ('inputs = { a = file(local.unknown) }', ".github/workflows/ci.yml"),
        ('inputs = { a = file("${local.unknown}/${local.unknown}") }', "docs/README.md"),
    ],
)  # fmt: skip
def test_file_that_no_text_means_leaves_the_unit_alone(text: str, path: str) -> None:
    discovery = discover(path, tree={"dev/a/terragrunt.hcl": UNIT + text})
    assert "dev/a" not in names(discovery)


def test_text_of_an_included_file_counts_for_every_unit_that_includes_it() -> None:
    included = ROOT + 'inputs = { own = file("${get_terragrunt_dir()}/../own-${basename(get_terragrunt_dir())}.json") }'
    assert names(discover("dev/own-a.json", tree={"root.hcl": included})) == ["dev/a"]


def test_module_called_by_a_module_counts() -> None:
    calls = 'module "n" { source = "../n" }'
    tree = {"modules/m/main.tf": calls, "modules/n/main.tf": 'module "o" { source = "../o" }', "modules/o/x.tf": ""}
    assert names(discover("modules/o/files/x.sh", tree=dict(tree))) == ["dev/a", "dev/b", "prod/a"]


def test_modules_that_call_each_other_end() -> None:
    tree: dict[str, str | None] = {
        "modules/m/main.tf": 'module "n" { source = "../n" }',
        "modules/n/main.tf": 'module "m" { source = "../m" }',
    }
    assert names(discover("modules/n/main.tf", tree=tree)) == ["dev/a", "dev/b", "prod/a"]


def test_file_beside_a_module_that_it_reads_counts() -> None:
    tree: dict[str, str | None] = {"modules/m/main.tf": 'locals { a = file("${path.module}/../shared/x.json") }'}
    assert names(discover("modules/shared/x.json", tree=tree)) == ["dev/a", "dev/b", "prod/a"]


def test_nearest_file_above_counts_and_one_further_up_does_not() -> None:
    tree: dict[str, str | None] = {"env.hcl": "locals {}"}
    assert names(discover("env.hcl", tree=tree)) == []
    deleted = ChangedFile(path="dev/env.hcl", status="deleted")
    told = GRAPH.with_units(unit.model_copy(update={"reading": ("root.hcl",)}) for unit in GRAPH.units.values())
    assert names(discover(deleted, tree={**tree, "dev/env.hcl": None}, graph=told)) == ["dev/a", "dev/b"]


def test_terragrunt_knows_better_which_configuration_is_read() -> None:
    text = UNIT + 'locals { e = read_terragrunt_config("${local.unknown}/env.hcl") }'
    tree: dict[str, str | None] = {"dev/a/terragrunt.hcl": text}
    assert names(discover("prod/env.hcl", tree=tree)) == ["prod/a"]
    silent = GRAPH.with_units([FoundUnit(path="dev/a", told_reads=False)])
    assert names(discover("prod/env.hcl", tree=tree, graph=silent)) == ["dev/a", "prod/a"]


def test_without_terragrunts_account_texts_alone_find_what_is_read() -> None:
    """An older Terragrunt tells dependencies only."""
    silent = UnitGraph(
        units={path: FoundUnit(path=path, dependencies=unit.dependencies, told_reads=False)
               for path, unit in GRAPH.units.items()}
    )  # fmt: skip
    assert names(discover("root.hcl", graph=silent)) == ["dev/a", "dev/b", "prod/a"]
    assert names(discover("dev/env.hcl", graph=silent)) == ["dev/a", "dev/b"]
    assert names(discover("modules/m/policy.tpl", graph=silent)) == ["dev/a", "dev/b", "prod/a"]
    assert names(discover("configs/tags.yaml", graph=silent)) == ["dev/a", "dev/b", "prod/a"]
    assert names(discover("prod/a/terragrunt.hcl", graph=silent)) == ["prod/a"]


def test_dependencies_can_be_read_from_the_text() -> None:
    text = 'dependency "a" { config_path = "../a" }\ndependencies { paths = ["../../prod/a", "../nowhere", "."] }'
    tree = Tree(frozenset(), {"dev/b/terragrunt.hcl": text})
    assert static_dependencies("dev/b", tree, ["dev/a", "dev/b", "prod/a"]) == ("dev/a", "prod/a")


# ---- .terrateam/config.yml -------------------------------------------------------------------------------------------


def test_excluded_file_starts_nothing_and_is_told_apart_from_an_unread_one() -> None:
    patterns = "when_modified: {file_patterns: ['**/*.hcl', '**/*.tf', 'docs/**', '!modules/**']}"
    discovery = discover("modules/m/main.tf", "dev/env.hcl", "README.md", "docs/a", terrateam=patterns)
    assert [unit.because for unit in discovery.changed] == [("dev/env.hcl",), ("dev/env.hcl",)]
    assert discovery.excluded_files == ("README.md", "modules/m/main.tf")
    assert discovery.unread_files == ("docs/a",)


def test_directory_entry_adds_a_unit_that_is_not_known_to_read_the_file() -> None:
    entry = "dirs: {prod/**: {when_modified: {file_patterns: ['configs/*.yaml', '${DIR}/**']}}}"
    assert names(discover("configs/other.yaml", terrateam=entry)) == ["prod/a"]


def test_deleted_unit_is_reported_whatever_the_patterns_say() -> None:
    discovery = discover(
        ChangedFile(path="dev/b/terragrunt.hcl", status="deleted"),
        tree={"dev/b/terragrunt.hcl": None},
        graph=without("dev/b"),
        terrateam="when_modified: {file_patterns: ['**/*.tf']}",
    )
    assert [unit.status for unit in discovery.changed] == [UnitStatus.DELETED]


def test_change_of_the_rules_says_when_they_count() -> None:
    discovery = discover("docustack.yaml", ".terrateam/config.yml")
    assert names(discovery) == []
    assert discovery.unread_files == ()
    (warning,) = discovery.warnings
    assert warning.startswith("`.terrateam/config.yml` and `docustack.yaml` changes: the new rules count once they are")


# ---- bounds and warnings ---------------------------------------------------------------------------------------------


def test_many_reasons_are_shortened() -> None:
    discovery = discover(*(f"dev/a/file-{number:03}" for number in range(100)))
    assert len(discovery.changed[0].because) == 21
    assert discovery.changed[0].because[-1] == "and 80 more files"


def test_dependency_that_is_no_unit_is_named() -> None:
    graph = GRAPH.with_units([FoundUnit(path="prod/a", dependencies=("prod/zzz",))])
    assert discover("dev/a/x", graph=graph).warnings == (
        "`prod/a` depends on `prod/zzz`, which is not a unit of this repository.",
    )


def test_changed_stack_is_named() -> None:
    graph = GRAPH.model_copy(update={"stacks": ("stacks/s", "stacks/t")})
    (warning,) = discover("stacks/s/terragrunt.stack.hcl", graph=graph).warnings
    assert warning.startswith("`stacks/s/terragrunt.stack.hcl` changes")


def test_thousand_units_with_many_changed_files_take_seconds() -> None:
    units = [f"dev/{number}" for number in range(1000)]
    tree: dict[str, str | None] = {f"{unit}/terragrunt.hcl": UNIT for unit in units}
    graph = UnitGraph(
        units={
            unit: FoundUnit(path=unit, includes=("root.hcl",), reading=("root.hcl", "modules/m/main.tf"))
            for unit in units
        }
    )
    discovery = discover(*(f"modules/m/{number}.tf" for number in range(300)), tree=tree, graph=graph)
    assert len(discovery.changed) == 1000


def test_default_rules_are_those_of_a_repository_without_the_file() -> None:
    assert TerrateamConfiguration() == load_terrateam("")[0]
