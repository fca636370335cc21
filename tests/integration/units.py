"""Small units of `terraform_data`, and a way to run the activities on them as a worker would."""

import base64
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.artifacts import ArtifactStore, open_store
from activities.aws_clients import StsClients
from activities.terragrunt import Terragrunt
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import ApplyRequest, PlanRequest, UnitRequest
from docustack.configuration import Environment
from docustack.plans import PlanRecord
from docustack.repository import Repository, WorkTree

Request = TypeVar("Request")
Answer = TypeVar("Answer")
KEY = base64.urlsafe_b64encode(b"k" * 32)

MODULE = """
variable "value" { type = string }

resource "terraform_data" "this" {
  input = var.value
}

output "value" { value = "${terraform_data.this.output}-NAME" }
"""


@dataclass
class LiveRepository:
    """A work tree of units with local state beside it; it is its own `WorkTrees`."""

    root: Path
    state: Path
    checked_out: int = 0

    async def ensure(self, tree: WorkTree) -> Path:
        self.checked_out += 1
        return self.root

    def unit(self, path: str, hcl: str = "", module: str | None = None, *, backend: bool = True) -> Path:
        """A unit; `hcl` is what its `terragrunt.hcl` says beside where its state is."""
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.tf").write_text(MODULE.replace("NAME", folder.name) if module is None else module)
        (folder / "terragrunt.hcl").write_text((self._backend(path) if backend else "") + hcl)
        return folder

    def state_of(self, path: str) -> Path:
        return self.state / f"{path.replace('/', '-')}.tfstate"

    def _backend(self, path: str) -> str:
        return f"""
remote_state {{
  backend  = "local"
  generate = {{ path = "backend.tf", if_exists = "overwrite" }}
  config   = {{ path = "{self.state_of(path)}" }}
}}
"""


def depends_on(name: str, mocks: str = "", value: str | None = None) -> str:
    """A unit whose value is its neighbour's."""
    return f"""
dependency "{name}" {{
  config_path = "../{name}"
  {mocks}
}}
inputs = {{ value = {value or f"dependency.{name}.outputs.value"} }}
"""


MOCK = """
  mock_outputs = { value = "MOCK" }
  mock_outputs_allowed_terraform_commands = ["plan", "validate"]
"""


class OneAccount:
    """STS, for credentials of one account."""

    def __init__(self, account: str = "111111111111") -> None:
        self.account = account
        self.asked = 0

    def __call__(self, profile: str | None, region: str) -> "OneAccount":
        return self

    def get_caller_identity(self) -> dict[str, str]:
        self.asked += 1
        return {"Account": self.account, "Arn": f"arn:aws:iam::{self.account}:user/worker"}


@dataclass
class Worker:
    """One worker's activities, and its data."""

    repository: LiveRepository
    data: Path
    command: TerragruntCommand
    artifacts: ArtifactStore
    environ: dict[str, str]
    host: str = "this-host"
    lease: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(seconds=30)
    run_id: str = "r1"
    environment: Environment = field(
        default_factory=lambda: Environment(path="dev", account_id="111111111111", apply=["infra"])
    )
    renew: Callable[[], Awaitable[None]] | None = None
    sts: StsClients = field(default_factory=OneAccount)
    simulated_account: str | None = None
    _activities: int = 0

    @property
    def terragrunt(self) -> Terragrunt:
        return Terragrunt(
            work_trees=self.repository,
            artifacts=self.artifacts,
            data_dir=self.data,
            host=self.host,
            command=self.command,
            lease=self.lease,
            cancel_grace=self.grace,
            environ=self.environ,
            renew=self.renew,
            sts=self.sts,
            simulated_account=self.simulated_account,
        )

    def unit_request(self, unit: str) -> UnitRequest:
        tree = WorkTree(
            repository=Repository(owner="docustack", name="live"),
            run_id=self.run_id,
            base_ref="main",
            base_commit="a" * 40,
            head_commit="b" * 40,
            merge_base="a" * 40,
            tree_commit="c" * 40,
        )
        return UnitRequest(
            tree=tree,
            unit=unit,
            environment_name="dev",
            environment=self.environment,
            actor="infra-member",
            pull_request=7,
            timeout_minutes=5,
        )

    def plan_request(self, unit: str) -> PlanRequest:
        return PlanRequest(**dict(self.unit_request(unit)))

    def apply_request(self, record: PlanRecord) -> ApplyRequest:
        return ApplyRequest(**dict(self.unit_request(record.unit)), plan=record)

    def activity(self, activity_id: str | None = None, attempt: int = 1) -> ActivityEnvironment:
        """One attempt of one activity; without an id of a new one."""
        self._activities += 1
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            activity_id=activity_id or f"a{self._activities}",
            attempt=attempt,
            workflow_id="run:1",
            workflow_run_id="11111111-1111",
            heartbeat_timeout=timedelta(seconds=1),
        )
        return environment

    async def run(self, call: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
        return await self.activity().run(call, request)


async def failure(call: Awaitable[object]) -> ApplicationError:
    """The error that a call raises."""
    try:
        await call
    except ApplicationError as error:
        return error
    raise AssertionError("it did not fail")


async def new_worker(tmp_path: Path, environ: dict[str, str]) -> Worker:
    for name in ("live", "state", "data", "artifacts"):
        (tmp_path / name).mkdir()
    return await the_worker(tmp_path, environ)


async def the_worker(tmp_path: Path, environ: dict[str, str]) -> Worker:
    """The worker whose folders are there already: it was started anew, or is another process."""
    return Worker(
        repository=LiveRepository(tmp_path / "live", tmp_path / "state"),
        data=tmp_path / "data",
        command=await TerragruntCommand.find(),
        artifacts=open_store(str(tmp_path / "artifacts"), KEY),
        environ=environ,
    )


async def plan(worker: Worker, unit: str) -> PlanRecord:
    answer = await worker.run(worker.terragrunt.plan_unit, worker.plan_request(unit))
    assert answer.record is not None
    return answer.record


async def apply(worker: Worker, record: PlanRecord) -> str:
    return (await worker.run(worker.terragrunt.apply_unit, worker.apply_request(record))).text
