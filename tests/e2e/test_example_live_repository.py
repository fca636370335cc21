"""What the example live repository promises to its readers and to the demo, checked with the real tools."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docustack.configuration_file import load_configuration
from docustack.terrateam_file import load_terrateam

EXAMPLES = Path(__file__).parents[2] / "examples"
LIVE = EXAMPLES / "docustack-infrastructure-live"
CHANGES = EXAMPLES / "changes"
MODULES = sorted(path.name for path in (LIVE / "modules").iterdir())
UNITS = ["vpc", "ecs-cluster", "rds", "temporal", "terrateam"]
LEFT_BY_TOOLS = shutil.ignore_patterns(".terragrunt-cache", ".terraform", ".terraform.lock.hcl")


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Runs one of the tools and gives its standard output; a failure shows what the tool wrote."""
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command} in {cwd}:\n{done.stdout}{done.stderr}"
    return done.stdout


def find(repository: Path) -> dict[str, dict[str, list[str]]]:
    """Terragrunt's graph: each unit, in its order, with its dependencies and the files it reads."""
    output = run("terragrunt", "find", "--dag", "--dependencies", "--reading", "--json", cwd=repository)
    return {
        unit["path"]: {"dependencies": sorted(unit.get("dependencies", [])), "reading": unit["reading"]}
        for unit in json.loads(output)
    }


def unit_files(environment: str) -> dict[str, str]:
    folder = LIVE / environment / "us-east-1"
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and ".terra" not in str(path.relative_to(folder))
    }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, as the demo's clone would be: Terragrunt may leave its cache there."""
    copy = tmp_path_factory.mktemp("live") / "repository"
    shutil.copytree(LIVE, copy, ignore=LEFT_BY_TOOLS)
    return copy


@pytest.fixture(scope="module")
def with_new_service(live: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The change set laid over the repository, in a git work tree of the kind that a run is made in."""
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"]):
        run("git", *command, cwd=live)
    work_tree = tmp_path_factory.mktemp("change") / "work-tree"
    run("git", "worktree", "add", "-q", "--detach", str(work_tree), cwd=live)
    shutil.copytree(CHANGES / "add-new-service", work_tree, dirs_exist_ok=True, ignore=LEFT_BY_TOOLS)
    return work_tree


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_unit_folders_are_the_same_in_each_environment(environment: str) -> None:
    assert unit_files(environment) == unit_files("dev")


def test_each_environment_differs_only_in_its_env_hcl() -> None:
    beside_units = {
        str(path.relative_to(LIVE / environment))
        for environment in ("dev", "staging", "prod")
        for path in (LIVE / environment).iterdir()
    }
    assert beside_units == {"env.hcl", "us-east-1"}


@pytest.mark.parametrize("folder", [LIVE, CHANGES], ids=["live repository", "changes"])
def test_files_are_formatted(folder: Path) -> None:
    run("terragrunt", "hcl", "fmt", "--check", cwd=folder)
    run("terraform", "fmt", "-recursive", "-check", cwd=folder)


@pytest.mark.parametrize("module", [*MODULES, "new-service"])
def test_module_is_valid_for_the_provider_at_hand(module: str, with_new_service: Path, tmp_path: Path) -> None:
    copy = tmp_path / module
    shutil.copytree(with_new_service / "modules" / module, copy, ignore=LEFT_BY_TOOLS)
    run("terraform", "init", "-backend=false", "-input=false", cwd=copy)
    found = json.loads(run("terraform", "validate", "-json", cwd=copy))
    assert (found["valid"], found["diagnostics"]) == (True, [])


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_graph_is_that_of_the_deployment_guide(environment: str, live: Path) -> None:
    at = f"{environment}/us-east-1"
    graph = {path: unit["dependencies"] for path, unit in find(live).items() if path.startswith(at)}
    below = [f"{at}/ecs-cluster", f"{at}/rds", f"{at}/vpc"]
    assert graph == {
        f"{at}/vpc": [],
        f"{at}/ecs-cluster": [f"{at}/vpc"],
        f"{at}/rds": [f"{at}/vpc"],
        f"{at}/temporal": below,
        f"{at}/terrateam": below,
    }
    assert all(list(graph).index(needed) < list(graph).index(unit) for unit, needs in graph.items() for needed in needs)


def test_units_outside_the_three_environments_are_bootstrap_and_management(live: Path) -> None:
    graph = {path: unit["dependencies"] for path, unit in find(live).items()}
    others = {path: needs for path, needs in graph.items() if path.split("/")[0] not in {"dev", "staging", "prod"}}
    assert others == {"bootstrap": [], "management/scps": [], "management/cloudtrail": ["management/scps"]}


def test_every_shared_file_is_known_to_be_read(live: Path) -> None:
    reading = find(live)["dev/us-east-1/temporal"]["reading"]
    module = {f"modules/ecs-service/{name}.tf" for name in ("main", "outputs", "variables", "versions")}
    assert set(reading) == {"root.hcl", "dev/env.hcl", "dev/us-east-1/region.hcl"} | module


def test_new_service_joins_the_graph_and_edits_what_it_depends_on(with_new_service: Path) -> None:
    at = "dev/us-east-1"
    unit = find(with_new_service)[f"{at}/new-service"]
    assert unit["dependencies"] == [f"{at}/ecs-cluster", f"{at}/vpc"]
    assert "modules/new-service/main.tf" in unit["reading"]
    changed = run("git", "status", "--porcelain", "--untracked-files=all", cwd=with_new_service).split("\n")
    assert {line for line in changed if line.startswith(" M")} == {
        f" M {at}/ecs-cluster/terragrunt.hcl",
        f" M {at}/vpc/terragrunt.hcl",
    }
    assert f"?? {at}/new-service/terragrunt.hcl" in changed


@pytest.mark.parametrize("unit", ["ecs-cluster", "vpc"])
def test_new_service_changes_few_lines_of_what_it_depends_on(unit: str, with_new_service: Path) -> None:
    path = f"dev/us-east-1/{unit}/terragrunt.hcl"
    [numbers] = run("git", "diff", "--numstat", "--ignore-all-space", "--", path, cwd=with_new_service).splitlines()
    added, removed, _ = numbers.split("\t")
    assert int(added) <= 2
    assert int(removed) <= 2


def dependencies_of(unit: Path) -> list[tuple[str, str]]:
    """Each `dependency` block of a unit: the path that it names, and its text."""
    blocks = re.findall(
        r"^dependency .*?^}", (unit / "terragrunt.hcl").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [(re.search(r'config_path\s*=\s*"(.+?)"', block)[1], block) for block in blocks]  # type: ignore[index]


def mocks_of(block: str) -> list[str]:
    mocks = block.split("mock_outputs = {", 1)[1]
    return re.findall(r"^    (\w+)\s*=", mocks, re.MULTILINE)


@pytest.mark.parametrize("unit", ["ecs-cluster", "rds", "temporal", "terrateam", "new-service"])
def test_mocks_stand_for_outputs_that_the_dependency_has(unit: str, with_new_service: Path) -> None:
    folder = with_new_service / "dev/us-east-1" / unit
    for path, block in dependencies_of(folder):
        module = with_new_service / "modules" / Path(path).name / "outputs.tf"
        outputs = re.findall(r'^output "(\w+)"', module.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(mocks_of(block)) <= set(outputs)
        name = re.match(r'dependency "(\w+)"', block)[1]  # type: ignore[index]
        text = (folder / "terragrunt.hcl").read_text(encoding="utf-8")
        assert set(re.findall(rf"dependency\.{name}\.outputs\.(\w+)", text)) == set(mocks_of(block))


def test_nothing_that_changes_infrastructure_takes_mocks() -> None:
    root = (LIVE / "root.hcl").read_text(encoding="utf-8")
    commands = json.loads(re.search(r"commands_with_mocks = (\[.*\])", root)[1])  # type: ignore[index]
    assert {"plan", "validate", "show", "output"} <= set(commands)
    assert not {"apply", "destroy", "refresh", "import"} & set(commands)
    for path in EXAMPLES.rglob("terragrunt.hcl"):
        for _, block in dependencies_of(path.parent):
            assert "mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks" in block


@pytest.mark.parametrize("environment", ["dev", "staging", "prod", "management"])
def test_state_account_and_names_are_those_of_docustack_yaml(environment: str, live: Path) -> None:
    configuration = load_configuration((LIVE / "docustack.yaml").read_text(encoding="utf-8"))
    described = {str(name): each for name, each in configuration.environments.items()}[environment]
    unit = f"{environment}/scps" if environment == "management" else f"{environment}/us-east-1/vpc"
    rendered = json.loads(run("terragrunt", "render", "--format", "json", cwd=live / unit, AWS_ACCESS_KEY_ID=""))
    provider = json.loads(rendered["generate"]["provider"]["contents"])["provider"]["aws"]
    assert provider["allowed_account_ids"] == [described.account_id]
    assert provider["profile"] == described.profile == f"docustack-{environment}"
    assert "endpoints" not in provider
    assert rendered["remote_state"]["config"] == {
        "bucket": configuration.state.bucket.format(account_id=described.account_id),
        "key": f"{unit}/terraform.tfstate",
        "region": "us-east-1",
        "encrypt": True,
        "dynamodb_table": configuration.state.lock_table,
        "profile": described.profile,
    }


def test_credentials_in_the_environment_need_no_profile(live: Path) -> None:
    rendered = json.loads(run("terragrunt", "render", "--format", "json", cwd=live / "dev/us-east-1/vpc"))
    assert "profile" not in rendered["remote_state"]["config"]
    assert "profile" not in json.loads(rendered["generate"]["provider"]["contents"])["provider"]["aws"]


@pytest.mark.parametrize(
    "version,path_style,address",
    [
        ("3.39.0", "s3_force_path_style", {"vpc": "true"}),
        ("4.67.0", "s3_use_path_style", {"vpc": "true"}),
        ("6.16.0", "s3_use_path_style", {"domain": "vpc"}),
    ],
)
def test_endpoint_is_spoken_to_in_the_words_of_the_provider(
    version: str, path_style: str, address: dict[str, str], live: Path
) -> None:
    endpoint = "http://127.0.0.1:1"
    rendered = json.loads(
        run(
            *("terragrunt", "render", "--format", "json"),
            cwd=live / "dev/us-east-1/vpc",
            AWS_ENDPOINT_URL=endpoint,
            DOCUSTACK_AWS_PROVIDER_VERSION=version,
        )
    )
    written = {name: json.loads(block["contents"]) for name, block in rendered["generate"].items()}
    provider = written["provider"]["provider"]["aws"]
    assert [key for key in provider if "path_style" in key] == [path_style]
    assert set(provider["endpoints"].values()) == {endpoint}
    assert "allowed_account_ids" not in provider
    assert written["nat_address"]["resource"]["aws_eip"]["nat"] == address
    assert written["versions"]["terraform"]["required_providers"]["aws"]["version"] == version
    assert rendered["remote_state"]["config"]["use_path_style"] is True


def test_bootstrap_has_local_state_until_its_remote_state_is_uncommented(live: Path, tmp_path: Path) -> None:
    bootstrap = tmp_path / "bootstrap"
    shutil.copytree(live / "bootstrap", bootstrap, ignore=LEFT_BY_TOOLS)
    shutil.copytree(live / "modules", tmp_path / "modules")
    before = json.loads(run("terragrunt", "render", "--format", "json", cwd=bootstrap))
    assert not before.get("remote_state")

    path = bootstrap / "terragrunt.hcl"
    commented, uncommented = path.read_text(encoding="utf-8"), []
    inside = False
    for line in commented.splitlines():
        inside = inside or line.startswith("# remote_state {")
        uncommented.append(re.sub(r"^# ?", "", line) if inside else line)
        inside = inside and line != "# }"
    path.write_text("\n".join(uncommented) + "\n", encoding="utf-8")

    run("terragrunt", "hcl", "fmt", "--check", cwd=bootstrap)
    after = json.loads(
        run("terragrunt", "render", "--format", "json", cwd=bootstrap, DOCUSTACK_ACCOUNT_ID="111111111111")
    )
    assert after["remote_state"]["config"]["bucket"] == "docustack-terraform-state-111111111111"
    assert after["remote_state"]["config"]["key"] == "bootstrap/terraform.tfstate"
    assert after["inputs"]["lock_table"] == after["remote_state"]["config"]["dynamodb_table"]


def test_terrateam_configuration_starts_plans_for_what_units_read_and_never_for_bootstrap() -> None:
    terrateam, problems = load_terrateam((LIVE / ".terrateam/config.yml").read_text(encoding="utf-8"))
    unit = "dev/us-east-1/vpc"
    assert (problems, terrateam.warning()) == ([], None)
    for path in (
        f"{unit}/terragrunt.hcl",
        "root.hcl",
        "dev/env.hcl",
        "dev/us-east-1/region.hcl",
        "modules/vpc/main.tf",
    ):
        assert terrateam.starts_plan(path, unit), path
    assert terrateam.starts_plan("management/region.hcl", "management/scps")
    assert not terrateam.starts_plan(f"{unit}/README.md", unit)
    assert not terrateam.starts_plan("bootstrap/terragrunt.hcl", "bootstrap")
