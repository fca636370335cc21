"""The guide's bootstrap with nothing installed: one command, killed whole amid its apply, and given once more."""

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
from tests.integration.stand_ins import GitHubStandIn

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    with example_on_github(tmp_path_factory.mktemp("github")) as stand_in:
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
