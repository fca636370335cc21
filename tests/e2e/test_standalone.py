"""With nothing installed: commands that are killed, interrupted, cancelled, refused, and given once more."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local import aws, processes
from local.waiting import wait_for
from starter.standalone.folder import Folder, Remembered
from tests.e2e.bootstrapping import ACCOUNTS, TABLE, example_on_github, moto
from tests.e2e.pull_requests.live_repository import dependent, provisioned, unit
from tests.integration.stand_ins import GitHubStandIn

pytestmark = pytest.mark.timeout(900)

SANDBOX = "5" * 12
"""An account of its own, with an environment of two units of `terraform_data`: what is tried there takes no time."""

_RULES = f"""
  sandbox:
    path: sandbox
    account_id: "{SANDBOX}"
    plan: anyone
    apply: [infra]
    approvals: {{from: anyone, minimum: 0}}
"""


def push_sandbox(github: GitHubStandIn) -> None:
    """`sandbox/second` depends on `sandbox/first`, whose apply goes on once `go` is there."""
    root = f"""
remote_state {{
  backend  = "local"
  generate = {{ path = "backend.tf", if_exists = "overwrite" }}
  config   = {{ path = "{github.root}/states/${{path_relative_to_include()}}.tfstate" }}
}}
"""
    wait = f"until test -e {github.root}/go; do sleep 0.2; done"
    held = provisioned(f"echo begun >> {github.root}/told; {wait}; echo done >> {github.root}/told")
    units = unit("sandbox/first", module=held) | dependent("sandbox/second", "first")
    units = {path: text.replace('"root.hcl"', '"sandbox.hcl"') for path, text in units.items()}
    rules = (github.clone / "docustack.yaml").read_text() + _RULES
    github.push("main", {"docustack.yaml": rules, "sandbox/sandbox.hcl": root, **units})


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    with example_on_github(tmp_path_factory.mktemp("github")) as stand_in:
        push_sandbox(stand_in)
        yield stand_in


@dataclass
class Person:
    """Somebody with a clone, a GitHub token and credentials for AWS, and nothing else."""

    github: GitHubStandIn
    endpoint: str
    home: Path
    began: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def folder(self) -> Folder:
        return Folder(self.home / "docustack" / "standalone")

    def begin(self, *words: str, **settings: str) -> "subprocess.Popen[str]":
        environ = {
            **os.environ,
            **aws.CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": aws.REGION,
            "XDG_DATA_HOME": str(self.home),
            "GH_TOKEN": self.github.token("lead"),
            "DOCUSTACK_GITHUB_API_URL": self.github.url,
            "DOCUSTACK_GIT_URL": str(self.github.root / "{name}.git"),
            **settings,
        }
        command = [sys.executable, "-m", "starter.cli", *words]
        it = subprocess.Popen(
            command, cwd=self.github.clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.began.append(it)
        return it

    def call(self, *words: str, **settings: str) -> tuple[int, str]:
        it = self.begin(*words, **settings)
        told, _ = it.communicate(timeout=600)
        return it.returncode, told

    def known(self) -> Remembered:
        return self.folder.read() or Remembered()

    def running(self) -> list[processes.Process]:
        known = self.known()
        of_folder = [*known.parts.values(), *([known.keeper] if known.keeper else [])]
        return [process for process in of_folder if processes.is_alive(process)]

    def kill_everything(self) -> None:
        """The command, Temporal, the worker, the server and their keeper; not what they have begun."""
        for it in self.began:
            it.kill()
            it.wait()
        for process in self.running():
            processes.kill(process)

    def applies(self) -> list[Path]:
        """One for each apply that Terraform has begun."""
        return list((self.folder.worker / "applies").glob("*/child.json"))


@pytest.fixture(scope="module")
def person(github: GitHubStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with moto(ACCOUNTS["dev"]) as endpoint:
        person = Person(github, endpoint, tmp_path_factory.mktemp("home"))
        try:
            yield person
        finally:
            person.kill_everything()


def test_a_bootstrap_killed_whole_goes_on_and_its_history_comes_into_the_next_installation(person: Person) -> None:
    first = person.begin("--standalone", "bootstrap", "dev")
    wait_for(person.applies, "Terraform to apply", 300)
    assert len(person.running()) == 4
    person.kill_everything()

    second = person.begin("--standalone", "bootstrap", "dev")
    assert second.stdout is not None
    wait_for(lambda: "✓ preflight" in (second.stdout.readline() if second.stdout else ""), "the second one", 300)
    second.send_signal(signal.SIGINT)
    told, _ = second.communicate(timeout=120)
    assert (second.returncode, "It rests, and goes on with the same command" in told) == (130, True), told
    assert f"docustack --standalone runs cancel bootstrap:{ACCOUNTS['dev']}" in told
    assert person.running() == []

    code, told = person.call("--standalone", "bootstrap", "dev")
    assert code == 0, told
    assert "works already" in told
    assert len(person.applies()) == 1
    assert first.returncode == -signal.SIGKILL
    s3 = aws.client("s3", person.endpoint)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [f"docustack-terraform-state-{'1' * 12}"]
    assert aws.client("dynamodb", person.endpoint).list_tables()["TableNames"] == [TABLE]
    assert person.running() == []

    apply = ("--standalone", "apply", "dev/us-east-1/vpc", "--auto-approve")
    person.begin(*apply)
    wait_for(lambda: len(person.applies()) == 2, "Terraform to apply the VPC", 300)
    person.kill_everything()
    code, told = person.call(*apply)
    assert (code, "of the same order hasn't ended; this goes on with it" in told) == (0, True), told
    assert len(person.applies()) == 2
    code, told = person.call("--standalone", "runs", "list", "--unit", "dev/us-east-1/vpc")
    assert (code, told.count("succeeded")) == (0, 1), told

    out, record = str(person.home / "out"), str(person.home / "record")
    code, told = person.call("--standalone", "history", "export", "--all", "-o", out)
    assert (code, "3 histories are new" in told) == (0, True), told
    assert person.call("history", "import", out, DOCUSTACK_ARTIFACTS=record)[0] == 0
    workflow_id = f"bootstrap:{ACCOUNTS['dev']}"
    code, told = person.call("history", "show", workflow_id, "--imported", DOCUSTACK_ARTIFACTS=record)
    assert code == 0, told
    assert told.count("apply_bootstrap") == 3  # asked for once, begun and done
    assert "workflow execution completed" in told
    assert person.running() == []


# ---- interrupted, refused, cancelled ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox(github: GitHubStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with moto(SANDBOX) as endpoint:
        aws.prepare_state_backend(endpoint, [f"docustack-terraform-state-{SANDBOX}"], TABLE)
        person = Person(github, endpoint, tmp_path_factory.mktemp("sandbox"))
        try:
            yield person
        finally:
            person.kill_everything()
            (github.root / "go").touch()  # an apply that a failed test has left ends too


def told_by_first(github: GitHubStandIn) -> list[str]:
    """What the apply of `sandbox/first` has said."""
    path = github.root / "told"
    return path.read_text().split() if path.exists() else []


def interrupted_amid_apply(person: Person, *words: str) -> str:
    """What it has told, once it was interrupted by Ctrl-C while Terraform worked."""
    before = len(told_by_first(person.github))
    it = person.begin(*words)
    wait_for(lambda: len(told_by_first(person.github)) > before, "Terraform to apply", 300)
    it.send_signal(signal.SIGINT)
    told, _ = it.communicate(timeout=120)
    assert it.returncode == 130, told
    assert person.running() == []
    return told


def test_a_deployment_rests_after_ctrl_c_until_somebody_means_it_and_is_cancelled_to_its_end(sandbox: Person) -> None:
    told = interrupted_amid_apply(sandbox, "--standalone", "deploy", "environment", "sandbox")
    assert "goes on with the same command, or with docustack --standalone deploy watch" in told

    code, told = sandbox.call("--standalone", "plan", "sandbox/second")
    assert (code, "Something else rests unfinished" in told, "deploy sandbox by lead" in told) == (2, True, True), told
    assert "docustack --standalone deploy cancel" in told
    assert sandbox.running() == []
    assert "and rests: docustack --standalone deploy watch" in sandbox.call("--standalone", "deploy", "show")[1]

    code, told = sandbox.call("--standalone", "deploy", "cancel")
    assert (code, "failed: `sandbox/first`; not begun: `sandbox/second`" in told) == (0, True), told
    assert "done" not in told_by_first(sandbox.github), "Terraform was interrupted, not waited for"
    code, told = sandbox.call("--standalone", "deploy", "show")
    assert (code, "sandbox: cancelled" in told) == (0, True), told
    assert sandbox.running() == []


def test_an_apply_goes_on_beside_another_command_only_where_that_is_said_and_is_cancelled_by_its_id(
    sandbox: Person,
) -> None:
    told = interrupted_amid_apply(sandbox, "--standalone", "apply", "sandbox/first", "--auto-approve")
    run_id = told.partition("To end it: docustack --standalone runs cancel ")[2].split()[0]

    code, told = sandbox.call("--standalone", "plan", "sandbox/second")
    assert (code, f"run {run_id}: apply sandbox/first by lead" in told) == (2, True), told
    code, told = sandbox.call("--standalone", "--resume", "plan", "sandbox/second")
    assert "This goes on too: " in told
    assert (code, "plan succeeded" in told) == (0, True), told

    code, told = sandbox.call("--standalone", "runs", "cancel", run_id)
    assert (code, f"run {run_id}: cancelled" in told) == (0, True), told
    assert told_by_first(sandbox.github)[-1] == "begun", "Terraform was interrupted, not waited for"
    code, told = sandbox.call("--standalone", "runs", "list")
    assert "cancelled" in told
    assert sandbox.running() == []
