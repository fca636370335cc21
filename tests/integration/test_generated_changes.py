"""Changed units held against Terragrunt's own comparison, over repositories and changes that are made up by chance.

Terragrunt compares two trees: it has to be given the merge base, or what others have added counts as removed. It knows
nothing of what `file()` and `templatefile()` read, and can't know of units that only the merge has; both are added.
"""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from activities.git import Git
from activities.processes import run_process
from docustack.repository import UnitStatus
from tests.integration.origin import Origin
from tests.integration.test_discovery import found, statuses

ROUNDS = 2
"""Cases for each kind of change; about a second each."""

ENVIRONMENTS = ("dev", "prod")
MODULES = ("m0", "m1")
DATA = ("policies/a.json", "policies/b.json")

Tree = dict[str, str]

ROOT = """
locals {
  env  = read_terragrunt_config(find_in_parent_folders("env.hcl"))
  tags = yamldecode(file("${get_repo_root()}/tags.yaml"))
}
"""
MODULE = 'resource "terraform_data" "x" { input = templatefile("${path.module}/policy.tftpl", { name = "x" }) }\n'


@dataclass(frozen=True)
class Unit:
    """How one unit is written: what it includes, which module it uses, what it reads, after which other it comes."""

    has_root: bool = True
    module: str | None = None
    data: str | None = None
    after: str | None = None

    def text(self) -> str:
        lines = []
        if self.has_root:
            lines.append('include "root" { path = find_in_parent_folders("root.hcl") }')
        if self.module:
            lines.append(f'terraform {{ source = "${{get_repo_root()}}/modules//{self.module}" }}')
        if self.data:
            lines.append(f'inputs = {{ policy = file("${{get_repo_root()}}/{self.data}") }}')
        if self.after:
            lines.append(f'dependency "after" {{\n  config_path  = "../{self.after}"\n  mock_outputs = {{}}\n}}')
        return "\n".join([*lines, ""])

    def reads_untold(self) -> set[str]:
        """What Terragrunt doesn't tell that this unit reads."""
        read = {self.data} if self.data else set()
        if self.has_root:
            read.add("tags.yaml")
        if self.module:
            read.add(f"modules/{self.module}/policy.tftpl")
        return {path for path in read if path}

    def reads(self, environment: str) -> set[str]:
        """All that a unit without module and data reads outside of its own folder."""
        return self.reads_untold() | ({"root.hcl", f"{environment}/env.hcl"} if self.has_root else set())


@dataclass
class Branch:
    """The files of one branch, and its units."""

    files: Tree = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)

    def add(self, path: str, unit: Unit) -> None:
        self.units[path] = unit
        self.files |= {f"{path}/terragrunt.hcl": unit.text(), f"{path}/note.txt": f"of {path}\n"}

    def remove(self, path: str) -> Tree:
        """Delete a unit's folder; gives what was in it."""
        del self.units[path]
        inside = {name: text for name, text in self.files.items() if name.startswith(f"{path}/")}
        self.files = {name: text for name, text in self.files.items() if name not in inside}
        return inside

    def move(self, path: str, to: str) -> None:
        unit = self.units[path]
        inside = self.remove(path)
        self.units[to] = unit
        self.files |= {f"{to}{name.removeprefix(path)}": text for name, text in inside.items()}

    def copy(self) -> "Branch":
        return Branch(dict(self.files), dict(self.units))


@dataclass
class Case:
    """A repository, what a pull request does to it, and what others have merged since it was branched off."""

    chance: Random
    base: Branch = field(default_factory=Branch)
    head: Branch = field(default_factory=Branch)
    main: Branch = field(default_factory=Branch)
    steps: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        units = "".join(f"\n  {path}: {unit}" for path, unit in self.base.units.items())
        late = sorted(self.main.units.keys() - self.base.units.keys())
        return f"units:{units}\nchanges: {'; '.join(self.steps)}\nothers added: {late}"


def made_up(kind: str, number: int) -> Case:
    """The same case each time: a change of this kind, up to two more, and a `main` that may have gone on."""
    case = Case(Random(f"{kind} {number}"))
    case.base = _repository(case.chance)
    case.head, case.main = case.base.copy(), case.base.copy()
    for each in (kind, *case.chance.choices(list(CHANGES), k=case.chance.randrange(3))):
        case.steps.append(CHANGES[each](case.chance, case.head))
    for late in range(case.chance.randrange(3)):
        case.main.add(f"{case.chance.choice(ENVIRONMENTS)}/late{late}", Unit(has_root=case.chance.random() < 0.5))
    return case


def _repository(chance: Random) -> Branch:
    branch = Branch({"root.hcl": ROOT, "tags.yaml": "a: 1\n", "README.md": "x\n", **dict.fromkeys(DATA, "{}\n")})
    for module in MODULES:
        branch.files |= {
            f"modules/{module}/main.tf": MODULE,
            f"modules/{module}/extra.tf": "locals { a = 1 }\n",
            f"modules/{module}/policy.tftpl": "${name}\n",
        }
    for environment in ENVIRONMENTS:
        branch.files[f"{environment}/env.hcl"] = f'locals {{ name = "{environment}" }}\n'
        for number in range(chance.randint(2, 4)):
            branch.add(f"{environment}/u{number}", _unit(chance, [f"u{earlier}" for earlier in range(number)]))
    return branch


def _unit(chance: Random, earlier: Sequence[str] = ()) -> Unit:
    return Unit(
        has_root=chance.random() < 0.7,
        module=chance.choice([None, *MODULES]),
        data=chance.choice([None, *DATA]),
        after=chance.choice([None, *earlier]),
    )


# ---- what pull requests do: each says what it has done ---------------------------------------------------------------


def _touch(*paths: str) -> Callable[[Random, Branch], str]:
    def change(chance: Random, branch: Branch) -> str:
        path = chance.choice(paths)
        branch.files[path] = branch.files.get(path, "") + ("{}\n" if path.endswith(".json") else "# changed\n")
        return f"{path} changes"

    return change


def _touch_in_unit(name: str) -> Callable[[Random, Branch], str]:
    def change(chance: Random, branch: Branch) -> str:
        return _touch(*(f"{unit}/{name}" for unit in sorted(branch.units)))(chance, branch)

    return change


def _delete(*paths: str) -> Callable[[Random, Branch], str]:
    def change(chance: Random, branch: Branch) -> str:
        there = [path for path in paths if path in branch.files]
        there = there or [path for path in sorted(branch.files) if path.endswith("/note.txt")]
        path = chance.choice(there)
        del branch.files[path]
        return f"{path} is deleted"

    return change


def _add_unit(chance: Random, branch: Branch) -> str:
    unit = f"{chance.choice(ENVIRONMENTS)}/new{len(branch.files)}"
    branch.add(unit, _unit(chance))
    return f"{unit} is added"


def _delete_unit(chance: Random, branch: Branch) -> str:
    unit = chance.choice(sorted(branch.units))
    branch.remove(unit)
    return f"{unit} is deleted"


def _rename_unit(chance: Random, branch: Branch) -> str:
    unit = chance.choice(sorted(branch.units))
    branch.move(unit, f"{unit}-renamed")
    return f"{unit} is renamed"


CHANGES: dict[str, Callable[[Random, Branch], str]] = {
    "file of a unit": _touch_in_unit("terragrunt.hcl"),
    "note in a unit's folder": _touch_in_unit("note.txt"),
    "file added to a unit's folder": _touch_in_unit("more.txt"),
    "file deleted from a unit's folder": _delete(),
    "root configuration": _touch("root.hcl"),
    "environment's file": _touch(*(f"{environment}/env.hcl" for environment in ENVIRONMENTS)),
    "file of a module": _touch(*(f"modules/{module}/main.tf" for module in MODULES)),
    "file added to a module": _touch(*(f"modules/{module}/new.tf" for module in MODULES)),
    "file deleted from a module": _delete(*(f"modules/{module}/extra.tf" for module in MODULES)),
    "read by file() in a unit": _touch(*DATA),
    "read by file() in the root configuration": _touch("tags.yaml"),
    "read by templatefile() in a module": _touch(*(f"modules/{module}/policy.tftpl" for module in MODULES)),
    "unit added": _add_unit,
    "unit deleted": _delete_unit,
    "unit renamed": _rename_unit,
    "file of nobody": _touch("README.md"),
}


# ---- the comparison --------------------------------------------------------------------------------------------------


def expected(case: Case, terragrunts_own: set[str]) -> set[str]:
    """What Terragrunt finds, and what it can't."""
    before, after = case.base.files, case.head.files
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    untold = {path for path, unit in case.head.units.items() if unit.reads_untold() & changed}
    late = {
        path
        for path, unit in case.main.units.items()
        if path not in case.base.units and unit.reads(path.partition("/")[0]) & changed
    }
    return terragrunts_own | untold | late


def differences(old: Branch, new: Branch) -> dict[str, str | None]:
    gone = dict.fromkeys(old.files.keys() - new.files.keys())
    return {**gone, **{path: text for path, text in new.files.items() if old.files.get(path) != text}}


async def ask_terragrunt(folder: Path, merge_base: str, head: str) -> set[str]:
    answer = await run_process(
        ["terragrunt", "find", "--json", "--filter", f"[{merge_base}...{head}]"],
        cwd=folder,
        environ={**os.environ, "TG_NON_INTERACTIVE": "true"},
    )
    assert answer.code == 0, answer.stderr
    return {entry["path"] for entry in json.loads(answer.stdout)}


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("kind", CHANGES)
async def test_changed_units_are_terragrunts_own_and_those_that_it_does_not_see(
    tmp_path: Path, kind: str, number: int
) -> None:
    case = made_up(kind, number)
    origin = Origin(tmp_path / "origin", case.base.files)
    merge_base = origin.git("rev-parse", "HEAD")
    origin.on("main").commit(differences(case.base, case.main))
    head = origin.on("feature", merge_base).commit(differences(case.base, case.head))
    trees = Git(data_dir=tmp_path / "data", host="host-1", clone_url=lambda _: origin.url)
    own, (_, discovery) = await asyncio.gather(ask_terragrunt(origin.folder, merge_base, head), found(trees, head))
    ours = statuses(discovery)
    assert set(ours) == expected(case, own), str(case)
    before, after = case.base.units.keys(), case.head.units.keys()
    assert {unit for unit, status in ours.items() if status is UnitStatus.DELETED} == before - after, str(case)
    assert {unit for unit, status in ours.items() if status is UnitStatus.ADDED} == after - before, str(case)
