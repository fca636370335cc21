"""Adoption: where DocuStack only plans, what decides that, and what is told of it."""

# ruff: noqa: E501 - each mistake is one line, with what is told of it

import pytest

from docustack.configuration_file import load_configuration, read_configuration_files
from docustack.errors import ConfigurationError
from docustack.modes import (
    elsewhere_remarks,
    is_applied_from,
    is_plan_only,
    plan_only,
    plan_only_refusal,
    plan_only_remark,
)

GOOD = """\
version: 1
teams: {infra: infra, leads: leads}
environments:
  dev:
    path: dev
    account_id: "111111111111"
    apply: [infra]
  prod:
    path: live/prod
    account_id: "222222222222"
    apply: [leads]
"""
VPC, RDS, PROD = "dev/us-east-1/vpc", "dev/us-east-1/rds", "live/prod/us-east-1/vpc"


def whole(mode: str) -> str:
    return GOOD.replace("version: 1\n", f"version: 1\nmode: {mode}\n")


def dev(mode: str, text: str = GOOD) -> str:
    return text.replace("    path: dev\n", f"    path: dev\n    mode: {mode}\n")


def paths(text: str = GOOD, **modes: str) -> str:
    return text + "paths:\n" + "".join(f'  "{path}": {{mode: {mode}}}\n' for path, mode in modes.items())


def kept(text: str) -> list[str]:
    configuration = load_configuration(text)
    return [unit for unit in (VPC, RDS, PROD) if is_plan_only(configuration, unit)]


@pytest.mark.parametrize(
    "text,units",
    [
        (GOOD, []),
        (whole("plan-only"), [VPC, RDS, PROD]),
        (dev("plan-only"), [VPC, RDS]),
        (dev("full", whole("plan-only")), [PROD]),
        (paths(**{VPC: "plan-only"}), [VPC]),
        (paths(dev="plan-only"), [VPC, RDS]),
        (paths(**{"**/vpc": "plan-only"}), [VPC, PROD]),
        (paths(**{"dev/*/rds": "full"}, text=dev("plan-only")), [VPC]),
        (paths(**{"dev/*": "plan-only", "dev/us-east-1/rds": "full"}), [VPC]),
        (paths(live="plan-only"), [PROD]),
    ],
)
def test_what_is_said_most_closely_of_a_unit_counts(text: str, units: list[str]) -> None:
    assert kept(text) == units


def test_a_refusal_says_where_it_is_set_and_what_to_change() -> None:
    files = read_configuration_files({"docustack.yaml": dev("plan-only")}, where="here")
    assert files.configuration is not None
    (found,) = plan_only(files.configuration, [VPC, RDS, PROD], files.lines)
    assert (found.rule, found.line, found.units) == ("environments.dev.mode", 6, (VPC, RDS))
    told = plan_only_refusal(found, "main")
    assert "`dev/us-east-1/vpc` and `dev/us-east-1/rds` are plan-only" in told
    assert "rule `environments.dev.mode`, line 6 of `docustack.yaml` on `main`" in told
    assert "set `mode: full` there" in told
    assert "every apply is refused" in plan_only_remark(found)


def test_each_key_that_keeps_units_from_being_applied_is_named_once() -> None:
    files = read_configuration_files({"docustack.yaml": paths(whole("plan-only"), **{VPC: "plan-only"})}, where="here")
    assert files.configuration is not None
    found = plan_only(files.configuration, [VPC, RDS, PROD], files.lines)
    assert [(one.rule, one.line, one.units) for one in found] == [
        (f"paths.{VPC}.mode", 14, (VPC,)),
        ("mode", 2, (RDS, PROD)),
    ]


@pytest.mark.parametrize(
    "text,told",
    [
        (whole("plan"), "docustack.yaml:2:1: mode: must be 'full' or 'plan-only', not `plan`"),
        (dev("planonly"), "docustack.yaml:6:5: environments.dev.mode: must be 'full' or 'plan-only', not `planonly`"),
        (paths(**{"def/*": "plan-only"}), "docustack.yaml:13:3: paths.def/*: `def/*` lies in the folder of no environment, so it names no unit; begin it with `dev/` or `live/prod/`"),
        (paths(**{"/dev": "plan-only"}), "docustack.yaml:13:3: paths./dev: `/dev` is not a path in the repository; write it relative to the root of the repository, as in `dev/*/rds`"),
        (paths(**{"dev/a": "none"}), "docustack.yaml:13:13: paths.dev/a.mode: must be 'full' or 'plan-only', not `none`"),
    ],
)  # fmt: skip
def test_a_wrong_mode_or_path_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(text)
    (problem,) = caught.value.problems
    assert problem.describe() == told


def test_auto_apply_where_nothing_is_applied_is_warned_of() -> None:
    text = dev("plan-only").replace("    mode:", "    auto_apply_on_merge: true\n    mode:")
    files = read_configuration_files({"docustack.yaml": text}, where="here")
    (warning,) = files.warnings
    assert "`environments.dev.auto_apply_on_merge` has no effect" in warning


# ---- another branch --------------------------------------------------------------------------------------------------


def test_a_unit_is_applied_from_the_branch_of_its_environment_unless_it_is_plan_only() -> None:
    configuration = load_configuration(GOOD.replace("    path: dev\n", "    path: dev\n    branch: trunk\n"))
    assert is_applied_from(configuration, VPC, "trunk")
    assert not is_applied_from(configuration, VPC, "main")
    assert is_applied_from(configuration, PROD, "main")
    assert not is_applied_from(load_configuration(dev("plan-only")), VPC, "main")


def test_units_of_another_branch_are_told_once_an_environment_with_the_branch_and_the_rule() -> None:
    configuration = load_configuration(GOOD.replace("    path: dev\n", "    path: dev\n    branch: trunk\n"))
    (told,) = elsewhere_remarks(configuration, [VPC, RDS, PROD], "main")
    assert told.startswith("`dev` is applied only from pull requests to `trunk` (rule `environments.dev.branch`")
    (told,) = elsewhere_remarks(configuration, [VPC, PROD], "trunk")
    assert told.startswith("`prod` is applied only from pull requests to `main`")
    assert elsewhere_remarks(load_configuration(dev("plan-only")), [VPC], "trunk") == []
