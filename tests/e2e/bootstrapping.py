"""An account to bootstrap: moto with nothing in it, GitHub with the example, and a worker that can be killed."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from docustack.bootstrap import (
    BootstrapOrder,
    BootstrapOutcome,
    BootstrapState,
    Step,
    StepStatus,
    bootstrap_workflow_id,
    sign_order,
)
from docustack.repository import Repository
from local import aws
from local.state import HOST, free_ports, is_free
from local.waiting import wait_for
from tests.e2e.late_answers import LateAnswers
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn

EXAMPLE = Path(__file__).parents[2] / "examples" / "docustack-infrastructure-live"
KEY = "k" * 32
ACCOUNTS = {"dev": "1" * 12, "staging": "2" * 12, "prod": "3" * 12, "management": "4" * 12}
TABLE = "docustack-terraform-locks"


def push_example(github: GitHubStandIn) -> None:
    """The guide's live repository on the branches of all its environments."""
    for name in github.clone.iterdir():
        if name.name != ".git":
            shutil.rmtree(name) if name.is_dir() else name.unlink()
    ignored = shutil.ignore_patterns(".terragrunt-cache", ".terraform*")
    shutil.copytree(EXAMPLE, github.clone, dirs_exist_ok=True, ignore=ignored)
    github.git("add", "-A")
    github.git("commit", "-q", "-m", "The example")
    github.git("push", "-q", "origin", "main", "main:staging")


@contextlib.contextmanager
def example_on_github(folder: Path) -> Iterator[GitHubStandIn]:
    """GitHub with the guide's live repository, under its own name too."""
    stand_in = GitHubStandIn(root=folder)
    stand_in.prepare()
    (stand_in.root / "docustack-infrastructure-live.git").symlink_to(stand_in.bare)
    push_example(stand_in)
    stand_in.start()
    yield stand_in
    stand_in.close()


@contextlib.contextmanager
def moto(account_id: str) -> Iterator[str]:
    """AWS as that account sees it, in a process of its own."""
    port = free_ports(["moto"])["moto"]
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    with subprocess.Popen(command, env={**os.environ, "MOTO_ACCOUNT_ID": account_id}, stderr=subprocess.DEVNULL) as it:
        try:
            wait_for(lambda: not is_free(port), "moto", 120)
            yield f"http://{HOST}:{port}"
        finally:
            it.kill()


@dataclass
class Account:
    """One environment's account, and everything around it."""

    environment: str
    endpoint: str
    github: GitHubStandIn
    temporal: str
    client: Client
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    between: LateAnswers | None = None  # the worker and AWS, where the test wants it

    @property
    def id(self) -> str:
        return ACCOUNTS[self.environment]

    @property
    def bucket(self) -> str:
        return f"docustack-terraform-state-{self.id}"

    def settings(self) -> dict[str, str]:
        return {
            "DOCUSTACK_TEMPORAL_ADDRESS": self.temporal,
            "DOCUSTACK_GITHUB_API_URL": self.github.url,
            "DOCUSTACK_GITHUB_TOKEN": self.github.token("docustack[bot]"),
            "DOCUSTACK_BOT_LOGIN": "docustack[bot]",
            "DOCUSTACK_GIT_URL": str(self.github.root / "{name}.git"),
            "DOCUSTACK_APPROVAL_KEYS": KEY,
            "DOCUSTACK_ARTIFACT_KEYS": base64.urlsafe_b64encode(b"a" * 32).decode(),
            "DOCUSTACK_DATA_DIR": str(self.folder / "data"),
            "DOCUSTACK_HOST": "here",
            "DOCUSTACK_ENVIRONMENTS": self.environment,
        }

    def start_worker(self) -> None:
        log = (self.folder / "worker.log").open("ab")
        environ = {
            **os.environ,
            **self.settings(),
            **aws.CREDENTIALS,
            "AWS_ENDPOINT_URL": self.between.url if self.between is not None else self.endpoint,
            "AWS_REGION": aws.REGION,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "starter.cli", "worker"], env=environ, stdout=log, stderr=log
        )

    def kill_worker(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart_worker(self) -> None:
        """By kill -9."""
        self.kill_worker()
        self.start_worker()

    def kill_machine(self) -> None:
        """The worker and all that it has started: Terraform too is gone in the middle of its work."""
        self.kill_worker()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile, or is somebody else's
                if (process / "cwd").readlink().is_relative_to(self.folder):
                    os.kill(int(process.name), signal.SIGKILL)

    def order(self, login: str = "lead", **changes: object) -> BootstrapOrder:
        known: dict[str, Any] = {
            "login": login,
            "repository": Repository(owner=OWNER, name=REPOSITORY),
            "environment": self.environment,
            "account_id": self.id,
            "given_at": datetime.now(UTC),
            "nonce": secrets.token_hex(16),
        }
        return BootstrapOrder(**known | changes)

    async def start(self, login: str = "lead", **changes: object) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            "BootstrapWorkflow",
            sign_order(self.order(login, **changes), KEY),
            id=bootstrap_workflow_id(self.id),
            task_queue="docustack",
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )

    async def bootstrap(self, login: str = "lead", **changes: object) -> tuple[BootstrapOutcome, BootstrapState]:
        handle = await self.start(login, **changes)
        result = BootstrapOutcome.model_validate(await handle.result())
        return result, await self.show(handle)

    async def show(self, handle: WorkflowHandle[Any, Any]) -> BootstrapState:
        state: BootstrapState = await handle.query("show", result_type=BootstrapState)
        return state

    async def until_in(self, handle: WorkflowHandle[Any, Any], step: str, told: str = "") -> str:
        """`step` is one of the guide's, or an undo, that tells so much of itself.

        Gives the step that works by then: short ones may be over.
        """
        async with asyncio.timeout(300):
            while True:
                with contextlib.suppress(RPCError):  # the worker that was asked has been killed
                    state = await self.show(handle)
                    if any(each.name == step and told in each.detail for each in state.steps):
                        return state.steps[-1].name
                    assert state.outcome is None, state.outcome
                await asyncio.sleep(0.05)

    def applied(self) -> int:
        """How many applies Terraform has begun."""
        return len(list((self.folder / "data" / "applies").glob("*/child.json")))

    # ---- AWS, asked directly ---------------------------------------------------------------------------------------

    def buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in aws.client("s3", self.endpoint).list_buckets()["Buckets"]]

    def tables(self) -> list[str]:
        found: list[str] = aws.client("dynamodb", self.endpoint).list_tables()["TableNames"]
        return found

    def states(self) -> list[str]:
        """All versions of the state that the bucket has."""
        found = aws.client("s3", self.endpoint).list_object_versions(Bucket=self.bucket)
        return [version["VersionId"] for version in found.get("Versions", [])]

    def locks(self) -> list[dict[str, Any]]:
        """Terraform's locks, as they lie in the table."""
        items = aws.client("dynamodb", self.endpoint).scan(TableName=TABLE)["Items"]
        return [json.loads(item["Info"]["S"]) for item in items if "Info" in item]

    def hold_state_lock(self) -> dict[str, Any]:
        """Somebody else's lock of the state in the bucket, which Terraform asks for before it copies anything."""
        lock = {"LockID": {"S": f"{self.bucket}/bootstrap/terraform.tfstate"}}
        held = {"ID": "x", "Operation": "apply", "Who": "somebody", "Version": "1", "Created": "2026-01-01T00:00:00Z"}
        item = {**lock, "Info": {"S": json.dumps(held)}}
        aws.client("dynamodb", self.endpoint).put_item(TableName=TABLE, Item=item)
        return lock

    def free_state_lock(self, lock: dict[str, Any]) -> None:
        aws.client("dynamodb", self.endpoint).delete_item(TableName=TABLE, Key=lock)

    def pull_requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.github.request("lead", "GET", "pulls?state=open").json()
        return [pull for pull in found if pull["head"]["ref"] == f"docustack/bootstrap-{self.environment}"]

    def file_on(self, branch: str) -> str:
        self.github.git("fetch", "-q", "origin")
        return self.github.git("show", f"origin/{branch}:bootstrap/terragrunt.hcl")


def steps_done(state: BootstrapState) -> list[str]:
    return [step.name for step in state.steps if step.status is StepStatus.DONE]


ALL_STEPS = [step.value for step in Step if step is not Step.ADOPT]
