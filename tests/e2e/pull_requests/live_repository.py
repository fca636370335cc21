"""A small live repository of `terraform_data` units: the guide's four environments, plans of less than a second."""

import json
from pathlib import Path

from docustack.plan_document import Json

CONFIGURATION = """
version: 1
repository: docustack/small-live
teams: {infra: infra, leads: leads}
slack: {channel: "#infra-alerts"}
plan: {parallelism: 4, timeout_minutes: 5}
apply: {parallelism: 2, timeout_minutes: 5}
environments:
  dev:
    path: dev
    account_id: "111111111111"
    plan: anyone
    apply: [infra]
    approvals: {from: anyone, minimum: 0}
    apply_working_copies: true
  staging:
    path: staging
    account_id: "222222222222"
    branch: staging
    auto_apply_on_merge: true
    plan: anyone
    apply: [infra]
    approvals: {from: [infra], minimum: 1}
  prod:
    {path: prod, account_id: "333333333333", plan: [infra], apply: [leads], approvals: {from: [leads], minimum: 1}}
  management:
    path: management
    account_id: "444444444444"
    plan: [infra]
    apply: [leads]
    approvals: {from: [leads], minimum: 1}
"""

MODULE = """
variable "value" { type = string }

resource "terraform_data" "this" {
  input = var.value
}

output "value" { value = "${terraform_data.this.output}-NAME" }
"""

MOCK = """
  mock_outputs = { value = "MOCK" }
  mock_outputs_allowed_terraform_commands = ["plan", "validate"]
"""

INCLUDE = 'include "root" { path = find_in_parent_folders("root.hcl") }\n'

Files = dict[str, str]


def make(folder: Path, states: Path) -> None:
    """Write the repository as it is before any pull request; the states lie under `states`."""
    folder.mkdir(parents=True)
    (folder / "docustack.yaml").write_text(CONFIGURATION)
    (folder / ".gitignore").write_text(".terragrunt-cache\n.terraform*\nbackend.tf\n")
    (folder / "root.hcl").write_text(
        f"""
remote_state {{
  backend  = "local"
  generate = {{ path = "backend.tf", if_exists = "overwrite" }}
  config   = {{ path = "{states}/${{path_relative_to_include()}}/terraform.tfstate" }}
}}
"""
    )
    for environment in ("dev", "staging", "prod", "management"):
        (folder / environment).mkdir()
        (folder / environment / "README.md").write_text(f"# {environment}\n")


def unit(path: str, hcl: str = "", module: str = MODULE, *, value: str | None = "one", root: str = INCLUDE) -> Files:
    """The two files of a unit; without a value `hcl` says its inputs."""
    inputs = f'inputs = {{ value = "{value}" }}\n' if value is not None else ""
    name = path.rpartition("/")[2]
    return {f"{path}/terragrunt.hcl": root + hcl + inputs, f"{path}/main.tf": module.replace("NAME", name)}


def dependent(path: str, dependency: str, mocks: str = MOCK, module: str = MODULE) -> Files:
    """A unit whose value is that of its neighbour."""
    hcl = f"""
dependency "{dependency}" {{
  config_path = "../{dependency}"
  {mocks}
}}
inputs = {{ value = dependency.{dependency}.outputs.value }}
"""
    return unit(path, hcl, module, value=None)


def provisioned(command: str, *, more: str = "") -> str:
    """A module that runs a shell command whenever its value is a new one."""
    return (
        MODULE.replace(
            "  input = var.value\n",
            f"""  input            = var.value
  triggers_replace = var.value
  provisioner "local-exec" {{
    command = {json.dumps(command)}
  }}
""",
        )
        + more
    )


class States:
    """What Terraform has written, read as it lies there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, unit: str) -> Path:
        return self.folder / unit / "terraform.tfstate"

    def text(self, unit: str) -> str:
        """Empty where it was never applied."""
        path = self.path(unit)
        return path.read_text() if path.is_file() else ""

    def output(self, unit: str, name: str = "value") -> Json:
        """None where there is no such output."""
        text = self.text(unit)
        outputs = json.loads(text)["outputs"] if text else {}
        value: Json = outputs.get(name, {}).get("value")
        return value

    def is_locked(self, unit: str) -> bool:
        return (self.folder / unit / ".terraform.tfstate.lock.info").exists()
