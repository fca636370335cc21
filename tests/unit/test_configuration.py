"""`docustack.yaml`: what is read from it, and how everything that is wrong with it is told."""

# ruff: noqa: E501 - each mistake is one line, with what is told of it

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docustack.configuration import Configuration
from docustack.configuration_file import configuration_schema, load_configuration, read_configuration_files
from docustack.errors import ConfigurationError, Problem
from starter.config_commands import app

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/docustack-infrastructure-live"

GOOD = """\
version: 1
teams: {infra: infra, leads: leads}
environments:
  dev:
    path: dev
    account_id: "111111111111"
    apply: [infra]
  prod:
    path: prod
    account_id: "012345678901"
    plan: [infra]
    apply: [leads]
    approvals: {from: [leads], minimum: 1}
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(text)
    return list(caught.value.problems)


def only_problem(text: str) -> str:
    (problem,) = problems(text)
    return problem.describe()


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_good_file_is_read_with_defaults() -> None:
    configuration = load_configuration(GOOD)
    assert configuration.environment_order() == ["dev", "prod"]
    assert configuration.environments["dev"].plan == "anyone"
    assert configuration.environments["prod"].approvals.from_ == ["leads"]
    assert configuration.environments["prod"].account_id == "012345678901"
    assert configuration.comment_prefixes == ["terrateam", "docustack"]


def test_example_repository_has_no_problems() -> None:
    texts = {name: (EXAMPLE / name).read_text(encoding="utf-8") for name in ("docustack.yaml", ".terrateam/config.yml")}
    files = read_configuration_files(texts, where="the example")
    assert files.configuration is not None
    assert not files.problems
    assert not files.warnings


def test_unit_belongs_to_the_environment_whose_folder_holds_it() -> None:
    configuration = load_configuration(GOOD)
    assert configuration.environment_of("dev/us-east-1/vpc") == "dev"
    assert configuration.environment_of("development/vpc") is None
    assert configuration.environment_of("bootstrap") is None


@pytest.mark.parametrize(
    "old,new,told",
    [
        ("apply: [infra]", "aply: [infra]", "docustack.yaml:7:5: environments.dev.aply: there is no such key; did you mean `apply`?"),
        ("version: 1", "version: 2", "docustack.yaml:1:1: version: must be 1, not `2`"),
        ('"111111111111"', "111111111111", 'docustack.yaml:6:5: environments.dev.account_id: must be text, and `111111111111` is a number to YAML; write "111111111111" in quotes'),
        ('"012345678901"', "012345678901", 'docustack.yaml:10:5: environments.prod.account_id: must be text, and `012345678901` is a number to YAML; write "012345678901" in quotes'),
        ('"111111111111"', '"1234"', "docustack.yaml:6:5: environments.dev.account_id: must be the twelve digits of an AWS account in quotes, not `1234`"),
        ("[infra]", "infra", "docustack.yaml:7:5: environments.dev.apply: must be `anyone` or a list of teams, not `infra`; write `[infra]`"),
        ("[infra]", "Anyone", "docustack.yaml:7:5: environments.dev.apply: must be `anyone` or a list of teams, not `Anyone`; write `anyone`"),
        ("[infra]", "[infar]", "docustack.yaml:7:13: environments.dev.apply[0]: there is no team `infar`; did you mean `infra`?"),
        ("[infra]", "[zz]", "docustack.yaml:7:13: environments.dev.apply[0]: there is no team `zz`; `teams` has infra, leads"),
        ("[infra]", "[]", "docustack.yaml:7:5: environments.dev.apply: names no team, so nobody could apply `dev`; name a team, or write `anyone`"),
        ("[infra]", "", "docustack.yaml:7:5: environments.dev.apply: must be `anyone` or a list of teams; write `anyone`, or `[infra]`"),
        ("from: [leads]", "from: [leds]", "docustack.yaml:13:24: environments.prod.approvals.from[0]: there is no team `leds`; did you mean `leads`?"),
        ("from: [leads]", "from: []", "docustack.yaml:13:17: environments.prod.approvals.from: names no team, so the minimum of 1 could never be reached; name a team, write `anyone`, or set `minimum: 0`"),
        ("minimum: 1", "minimum: one", "docustack.yaml:13:32: environments.prod.approvals.minimum: must be a whole number, not `one`"),
        ("minimum: 1", "minimum: -1", "docustack.yaml:13:32: environments.prod.approvals.minimum: must be at least 0, not -1"),
        ("minimum: 1", "minimum: '1'", "docustack.yaml:13:32: environments.prod.approvals.minimum: must be a whole number, not `1`"),
        ("version: 1", "version: '1'", "docustack.yaml:1:1: version: must be the number 1; without quotes"),
        ("version: 1", "version: 1\napply: {require_mergeable: 'yes'}", "docustack.yaml:2:9: apply.require_mergeable: must be `true` or `false`, not `yes`"),
        ("version: 1", "version: 1\ncomment_prefixes: teratteam", "docustack.yaml:2:1: comment_prefixes: must be a list, as in `[a, b]`, not `teratteam`; write `[teratteam]`"),
        ("    path: dev\n", "    path: dev\n    region: useast1\n", "docustack.yaml:6:5: environments.dev.region: must be the name of an AWS region, such as `us-east-1`, not `useast1`"),
        ("    path: dev\n", "    path: dev\n    branch: ma in\n", "docustack.yaml:6:5: environments.dev.branch: must be the name of a branch, not `ma in`"),
        ("    path: dev\n", "    path: dev\n    roles: {plan: reader, apply: 'arn:aws:iam::111111111111:role/a'}\n", "docustack.yaml:6:13: environments.dev.roles.plan: must be the ARN of a role, `arn:aws:iam::<account id>:role/<name>`, not `reader`"),
        ("    path: dev\n", "    path: dev\n    roles: {plan: 'arn:aws:iam::999999999999:role/r', apply: 'arn:aws:iam::111111111111:role/a'}\n", "docustack.yaml:6:13: environments.dev.roles.plan: is a role of account 999999999999, and `dev` is account 111111111111; name a role of the environment's own account, or correct `account_id`"),
        ("path: prod", "path: dev", "docustack.yaml:9:5: environments.prod.path: `dev` is the path of `dev` too; give each environment its own"),
        ("path: prod", "path: dev/prod", "docustack.yaml:9:5: environments.prod.path: `dev/prod` and `dev`, the path of `dev`, overlap: whose rules count is not clear; give each environment its own folder"),
        ("path: prod", "path: /prod", "docustack.yaml:9:5: environments.prod.path: `/prod` is not a path in the repository; write it relative to the root of the repository, as in `dev`"),
        ("path: prod", "path: a/../../prod", "docustack.yaml:9:5: environments.prod.path: `a/../../prod` leads out of the repository; write it relative to the root of the repository, as in `dev`"),
        ("path: prod", "path: ./prod/", "docustack.yaml:9:5: environments.prod.path: `./prod/` is not the plain path of a folder; write it relative to the root of the repository, as in `dev`"),
        ("  dev:", "  Dev:", "docustack.yaml:4:3: environments.Dev: `Dev` can't be a name: use lower-case letters, digits and dashes; write `dev`"),
        ("    path: dev\n", "    path: dev\n    path: dev2\n", "docustack.yaml:6:5: environments.dev.path: the key `path` is here twice (first in line 5); keep one"),
        ("version: 1", "version: 1\nstate: {bucket: 'b-{account}'}", "docustack.yaml:2:9: state.bucket: there is no placeholder {account}; did you mean {account_id}?"),
        ("version: 1", "version: 1\nstate: {lock_table: 'b-{account_id'}", "docustack.yaml:2:9: state.lock_table: a brace of `b-{account_id` has no partner; write placeholders as {account_id}"),
        ("version: 1", "version: 1\ncomment_prefixes: []", "docustack.yaml:2:1: comment_prefixes: names none, so no comment could be a command; write `[terrateam, docustack]`"),
        ("version: 1", "version: 1\nrepository: live", "docustack.yaml:2:1: repository: must be `owner/name`, not `live`"),
        ("version: 1", "version: 1\nplan: {parallelism: 0}", "docustack.yaml:2:8: plan.parallelism: must be at least 1, not 0"),
        ("version: 1", "version: 1\nslack: infra", "docustack.yaml:2:1: slack: must be a mapping of keys, not `infra`"),
        ("    apply: [infra]\n", "", "docustack.yaml:4:3: environments.dev: `apply` is missing; add it (Who may apply: `anyone` with push access, or the members of these teams)"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_line_and_remedy(old: str, new: str, told: str) -> None:
    assert only_problem(changed(old, new)) == told


def test_folder_around_that_of_another_environment_overlaps_too() -> None:
    text = GOOD.replace("path: dev", "path: prod/dev")
    assert "`prod` and `prod/dev`, the path of `dev`, overlap" in only_problem(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("path: dev", "pth: dev").replace("[leads]", "[leders]").replace("version: 1", "version: 3")
    lines = [problem.line for problem in problems(text)]
    assert lines == sorted(lines)
    assert len(lines) == 4  # version, the misspelt key, and two unknown teams


@pytest.mark.parametrize(
    "text,what", [("", "is empty"), ("- a", "must be a mapping"), ("# only a comment", "is empty")]
)
def test_file_without_keys_says_how_to_begin(text: str, what: str) -> None:
    assert what in only_problem(text)
    assert "environments" in only_problem(text)


@pytest.mark.parametrize(
    "text,line",
    [("a:\n\tb: 1", 2), ("a: [1\nb: 2", 2), ("a: 'x\n", 2), ("a: *nowhere", 1), ("a: \x07", 0)],
)
def test_broken_yaml_is_one_problem_with_its_line(text: str, line: int) -> None:
    (problem,) = problems(text)
    assert problem.what.startswith("isn't valid YAML")
    assert problem.line == line


def test_no_environments_is_a_problem() -> None:
    assert "names no environment" in "\n".join(problem.what for problem in problems("version: 1\nenvironments: {}"))


def test_aliases_that_grow_without_bounds_are_refused_quickly() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert any("far too large" in problem.what for problem in problems(bomb))


def test_merged_keys_are_read_and_written_ones_win() -> None:
    text = GOOD.replace("  dev:\n", "  dev: &shared\n").replace(
        '    path: prod\n    account_id: "012345678901"\n',
        '    <<: *shared\n    path: prod\n    account_id: "222222222222"\n',
    )
    prod = load_configuration(text).environments["prod"]
    assert (prod.path, prod.account_id) == ("prod", "222222222222")


def test_missing_file_is_a_problem_and_not_a_default() -> None:
    files = read_configuration_files({}, where="branch `main`")
    assert files.configuration is None
    assert files.problems[0].describe().startswith("docustack.yaml: there is no such file at the root of branch `main`")


def test_broken_terrateam_file_leaves_no_half_configuration() -> None:
    files = read_configuration_files({"docustack.yaml": GOOD, ".terrateam/config.yml": "enabled: maybe"}, where="here")
    assert files.configuration is None
    assert files.problems[0].file == ".terrateam/config.yml"


def test_schema_knows_every_key_by_the_name_in_the_file() -> None:
    schema = json.loads(configuration_schema())
    assert set(schema["properties"]) == set(Configuration.model_fields)
    assert "from" in schema["$defs"]["Approvals"]["properties"]
    assert schema["additionalProperties"] is False
    assert all("description" in key or "$ref" in key for key in schema["properties"].values())


# ---- docustack config ------------------------------------------------------------------------------------------------


def write(root: Path, text: str, *folders: str) -> Path:
    (root / "docustack.yaml").write_text(text, encoding="utf-8")
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


def test_check_of_a_good_repository_ends_with_0(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", str(write(tmp_path, GOOD, "dev", "prod"))])
    assert answer.exit_code == 0
    assert "no problems" in answer.output


def test_check_points_at_the_place_like_a_compiler(tmp_path: Path) -> None:
    root = write(tmp_path, changed("apply: [infra]", "aply: [infra]"), "dev", "prod")
    answer = CliRunner().invoke(app, ["check", str(root)])
    assert answer.exit_code == 1
    lines = answer.output.splitlines()
    place = next(
        number for number, line in enumerate(lines) if "docustack.yaml:7:5: error: environments.dev.aply" in line
    )
    assert lines[place + 1].endswith("    aply: [infra]")
    assert lines[place + 2].index("^") == lines[place + 1].index("aply")
    assert lines[place + 3].strip() == "= did you mean `apply`?"


def test_check_finds_missing_environment_folders(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["check", "--json", str(write(tmp_path, GOOD, "dev"))])
    assert answer.exit_code == 1
    (problem,) = json.loads(answer.output)["problems"]
    assert (problem["line"], problem["what"]) == (9, "there is no folder `prod` in the repository")
    assert problem["file"] == str(tmp_path / "docustack.yaml")


def test_check_reads_a_file_and_the_terrateam_configuration_beside_it(tmp_path: Path) -> None:
    root = write(tmp_path, GOOD, "dev", "prod", ".terrateam")
    (root / ".terrateam/config.yml").write_text("hooks: {}\nenabled: maybe\n", encoding="utf-8")
    answer = CliRunner().invoke(app, ["check", "--json", str(root / "docustack.yaml")])
    told = json.loads(answer.output)
    assert [problem["where"] for problem in told["problems"]] == ["enabled"]
    assert "`hooks`" in told["warnings"][0]


@pytest.mark.parametrize("path", ["nowhere", "empty"])
def test_check_with_nothing_to_read_ends_with_2(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    answer = CliRunner().invoke(app, ["check", str(tmp_path / path)])
    assert answer.exit_code == 2
    assert "can't be read" in answer.output


def test_schema_is_printed_as_json() -> None:
    answer = CliRunner().invoke(app, ["schema"])
    assert answer.exit_code == 0
    assert json.loads(answer.output)["title"] == "docustack.yaml"


@pytest.mark.parametrize("name", ["prod", "prod-eu", "production", "management"])
def test_environment_that_a_merge_alone_never_changes_refuses_to_be_set_so(name: str) -> None:
    text = GOOD.replace("  prod:\n    path: prod", f"  {name}:\n    path: prod\n    auto_apply_on_merge: true")
    read = read_configuration_files({"docustack.yaml": text}, where="here")
    (problem,) = read.problems
    assert f"`{name}` is never applied by a merge alone" in problem.describe()
    assert problem.line == 10


def test_production_takes_nothing_that_nobody_has_committed() -> None:
    text = GOOD.replace("    path: prod", "    path: prod\n    apply_working_copies: true")
    (problem,) = read_configuration_files({"docustack.yaml": text}, where="here").problems
    assert "nothing is applied that nobody else can see" in problem.describe()


def test_other_environments_may_be_applied_by_a_merge() -> None:
    text = GOOD.replace("    path: dev", "    path: dev\n    auto_apply_on_merge: true")
    assert read_configuration_files({"docustack.yaml": text}, where="here").problems == ()
