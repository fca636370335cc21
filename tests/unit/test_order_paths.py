"""What a person types as the path of a unit: from the folder they stand in, or from the repository's root on."""

from pathlib import Path

import pytest

from starter.exit_codes import CommandFailed, ExitCode
from starter.order_paths import clone_here, order_paths, refuse_several_units

CONFIGURATION = """
version: 1
teams: {infra: infra}
environments:
  dev: {path: dev, account_id: "111111111111", plan: anyone, apply: [infra]}
  prod: {path: prod, account_id: "333333333333", plan: anyone, apply: [infra]}
"""
UNITS = ("dev/us-east-1/vpc", "dev/us-east-1/rds", "prod/us-east-1/vpc", "lab", "bootstrap")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "live"
    for unit in UNITS:
        (root / unit).mkdir(parents=True)
        (root / unit / "terragrunt.hcl").write_text("")
    (root / "docustack.yaml").write_text(CONFIGURATION)
    (root / "dev/us-east-1/empty").mkdir()
    (root / "modules").mkdir()
    monkeypatch.chdir(root)
    return root


def paths(*typed: str, elsewhere: bool = False) -> tuple[str, ...]:
    return order_paths(typed, clone_here(), elsewhere=elsewhere)


def refused(*typed: str) -> CommandFailed:
    with pytest.raises(CommandFailed) as failure:
        paths(*typed)
    return failure.value


@pytest.mark.parametrize(
    "here,typed,path",
    [
        (".", "dev/us-east-1/vpc", "dev/us-east-1/vpc"),
        (".", "./dev/us-east-1/", "dev/us-east-1"),
        (".", "dev/us-east-1/vpc/terragrunt.hcl", "dev/us-east-1/vpc"),
        ("dev/us-east-1/vpc", ".", "dev/us-east-1/vpc"),
        ("dev/us-east-1/vpc", "../rds", "dev/us-east-1/rds"),
        ("dev/us-east-1", "vpc", "dev/us-east-1/vpc"),
        ("dev/us-east-1", "prod/us-east-1", "prod/us-east-1"),
        ("modules", "dev/*/vpc", "dev/*/vpc"),
    ],
)
def test_a_path_is_that_of_the_folder_one_stands_in_or_that_of_the_repository(
    clone: Path, monkeypatch: pytest.MonkeyPatch, here: str, typed: str, path: str
) -> None:
    monkeypatch.chdir(clone / here)
    assert paths(typed) == (path,)


def test_the_whole_repository_is_its_environments(clone: Path) -> None:
    assert paths(".") == ("dev", "prod"), "the bootstrap lies in none of them"


def test_the_same_path_twice_is_one(clone: Path) -> None:
    assert paths("dev", "./dev", str(clone / "dev")) == ("dev",)


@pytest.mark.parametrize("typed", ["..", "../other", "/etc", "dev/../../other"])
def test_a_path_out_of_the_repository_is_refused(clone: Path, typed: str) -> None:
    failure = refused(typed)
    assert (failure.code, "lies outside of the repository" in failure.message) == (ExitCode.USAGE, True)


def test_a_link_out_of_the_repository_is_refused_with_where_it_leads(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (clone / "dev/link").symlink_to(tmp_path / "other")
    assert f"is a link to {tmp_path / 'other'}" in refused("dev/link").message


def test_a_link_within_the_repository_is_the_unit_it_leads_to(clone: Path) -> None:
    (clone / "dev/link").symlink_to(clone / "dev/us-east-1/rds")
    assert paths("dev/link") == ("dev/us-east-1/rds",)


@pytest.mark.parametrize(
    "typed,told",
    [
        ("dev/us-east-1/vcp", "Did you mean dev/us-east-1/vpc"),
        ("stagin/us-east-1", "Environments are dev, prod."),
        ("dev/whatever", "Units there: dev/us-east-1/rds, dev/us-east-1/vpc."),
    ],
)
def test_an_unknown_path_gets_the_nearest_ones(clone: Path, typed: str, told: str) -> None:
    failure = refused(typed)
    assert failure.code == ExitCode.NOT_FOUND
    assert told in " ".join(failure.advice)


def test_a_folder_without_a_unit_is_refused_with_those_near_it(clone: Path) -> None:
    failure = refused("dev/us-east-1/empty")
    assert "no terragrunt.hcl" in failure.message
    assert "dev/us-east-1/vpc" in " ".join(failure.advice)


def test_units_outside_of_all_environments_are_refused(clone: Path) -> None:
    failure = refused("lab")
    assert "lies in no environment" in failure.message
    assert failure.advice == ("Environments are dev, prod.",)


def test_the_bootstrap_unit_is_refused_with_the_command_that_applies_it(clone: Path) -> None:
    failure = refused("bootstrap")
    assert "docustack bootstrap ENVIRONMENT" in failure.advice[0]


def test_what_only_another_commit_has_is_taken_at_its_word(clone: Path) -> None:
    assert paths("dev/us-east-1/new", elsewhere=True) == ("dev/us-east-1/new",)
    with pytest.raises(CommandFailed):
        paths("../new", elsewhere=True)


def test_outside_of_a_clone_paths_are_those_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paths("./dev/us-east-1/vpc/") == ("dev/us-east-1/vpc",)
    for typed in (".", "..", "../dev", "/etc", ""):
        assert refused(typed).code == ExitCode.USAGE


def test_what_is_of_one_unit_is_refused_where_the_path_has_several(clone: Path) -> None:
    with pytest.raises(CommandFailed, match="An import is of one unit, and dev has 2") as failure:
        refuse_several_units(["dev"], clone_here(), "An import is")
    assert failure.value.advice == ("Name one of dev/us-east-1/rds, dev/us-east-1/vpc.",)
    refuse_several_units(["dev/us-east-1/vpc"], clone_here(), "An import is")
    refuse_several_units(["dev"], None, "An import is")  # elsewhere nobody knows the units
