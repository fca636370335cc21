"""The example's five dev units, applied, in a world of their own: changed by pull requests, and by bare Terragrunt."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from docustack.initial_deployment import DeploymentEnd, DeploymentOutcome
from local import aws, plain_http
from local.doors import Doors
from local.people import Comment
from local.places import DEFAULT_DATA_DIR, EXAMPLE, TERRAFORM_SETTINGS, tool
from local.progress import Progress
from local.waiting import wait_for
from local.work_tree import WorkTree
from local.world import World

UNITS = 5
ENVIRONMENT = Path("dev", "us-east-1")
_TAG = "              ManagedBy   = "
_LIMIT = 600.0
_LOCKS = "docustack-terraform-locks"
_TRIES = 4
_EVERY = 0.2


class StumbledOverItsOwnLockError(RuntimeError):
    """Terraform's S3 backend asks once more for a lock whose answer is late, and then finds its own."""


class ExampleWorld:
    """Each change gives all resources of the five units another tag, and so no unit's plan is empty."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._doors = Doors(world)
        self._changes = 0

    @classmethod
    @contextlib.contextmanager
    def up(cls, console: Console, *, applied: bool = True) -> Iterator["ExampleWorld"]:
        """Bring it up, and apply all five units once, unless nothing is to be there yet."""
        folder = DEFAULT_DATA_DIR / "bench"
        source = folder / "source"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(EXAMPLE, source)
        root = source / "root.hcl"
        tagged = root.read_text().replace(_TAG, f"{_TAG.replace('ManagedBy', 'Change   ')}local.env.change\n{_TAG}")
        root.write_text(tagged)
        (source / "dev" / "env.hcl").write_text(_with_change((source / "dev" / "env.hcl").read_text(), 0))
        for other in ("staging", "prod", "management"):
            path = source / other / "env.hcl"
            path.write_text(_with_change(path.read_text(), 0))
        world = World(folder, Progress(console).tell)
        try:
            world.up(source=source, fresh=True)
            made = cls(world)
            if applied:
                took = unless_it_stumbles(console, made.apply_barely)
                console.print(f"All five units applied once: {took:.1f} s", highlight=False)
            yield made
        finally:
            world.down()

    # ---- bare Terragrunt ---------------------------------------------------------------------------------------------

    def plan_barely(self) -> float:
        """Seconds of `run --all plan` in a fresh clone with a new change."""
        return self._bare("plan")

    def apply_barely(self) -> float:
        """Seconds of `run --all apply` in a fresh clone with a new change."""
        return self._bare("apply", "-auto-approve")

    def apply_barely_from_nothing(self) -> float:
        """The same in an AWS that has only the bucket and the lock table."""
        self.empty_aws()
        return self.apply_barely()

    def _bare(self, *arguments: str) -> float:
        tree = self._doors.clone("developer", self._world.places.people / f"bare-{self._changes}")
        self._change(tree)
        began = time.monotonic()
        done = subprocess.run(
            [str(tool("terragrunt")), "run", "--all", "--non-interactive", "--", *arguments],
            cwd=tree.path / ENVIRONMENT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - began
        if done.returncode != 0 and "Error acquiring the state lock" in done.stderr:
            self._free_locks()
            raise StumbledOverItsOwnLockError(done.stderr[-3000:])
        if done.returncode != 0:
            raise RuntimeError(f"terragrunt {arguments[0]} failed:\n{done.stderr[-3000:]}")
        shutil.rmtree(tree.path)
        return took

    def _free_locks(self) -> None:
        table = aws.client("dynamodb", self._doors.status.aws.endpoint_url)
        for item in table.scan(TableName=_LOCKS)["Items"]:
            if "Info" in item:
                table.delete_item(TableName=_LOCKS, Key={"LockID": item["LockID"]})

    def _environment(self) -> dict[str, str]:
        """What the worker is given, too; what it then adds for its own Terragrunt is its advantage."""
        status = self._doors.status
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "AWS_ENDPOINT_URL": status.aws.endpoint_url,
            "AWS_REGION": aws.REGION,
            "AWS_DEFAULT_REGION": aws.REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            **aws.CREDENTIALS,
            "TF_CLI_CONFIG_FILE": str(TERRAFORM_SETTINGS),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "TG_TF_PATH": str(tool("terraform")),
            "TG_NO_TIPS": "true",
        }

    def empty_aws(self) -> None:
        """As on the first day: bucket and lock table, and nothing else."""
        endpoint = self._doors.status.aws.endpoint_url
        plain_http.client().post(f"{endpoint}/moto-api/reset").raise_for_status()
        aws.prepare_state_backend(endpoint, ["docustack-terraform-state-111111111111"], _LOCKS)

    # ---- DocuStack ---------------------------------------------------------------------------------------------------

    def open_pull_request(self) -> tuple[int, float]:
        """A pull request with a new change: its number, and the seconds until the last of its plans could be read."""
        developer = self._doors.person("developer")
        path = self._world.places.people / "developer"
        tree = WorkTree(path, "developer") if path.is_dir() else self._doors.clone("developer")
        branch = f"change-{self._changes + 1}"
        tree.branch(branch)
        self._change(tree)
        tree.commit(f"Change {self._changes}")
        tree.push()
        began = time.monotonic()
        number = developer.open_pull_request(branch).number
        self._wait_for(number, "## Terrateam Plan", "Plan: ")
        return number, time.monotonic() - began

    def apply(self, number: int) -> float:
        """Comment `terrateam apply`; the seconds until the last unit's end could be read. Then it is merged."""
        infra_member = self._doors.person("infra-member")
        developer = self._doors.person("developer")
        commit = developer.pull_request(number).commit
        began = time.monotonic()
        infra_member.comment(number, "terrateam apply")
        self._wait_for(number, "## Terrateam Apply", "Apply complete!")
        took = time.monotonic() - began
        developer.wait_for_check(commit, "docustack/apply")
        developer.merge(number)
        wait_for(lambda: not self._doors.histories.locked_units(), "the locks to be gone", _LIMIT)
        return took

    def deploy_dev(self) -> float:
        """`docustack deploy environment dev` from nothing: seconds from the order to the end of the deployment."""
        status = self._doors.status
        full_name = f"{status.github.owner}/{status.github.repository}"
        server = status.webhook.url.removesuffix("/webhooks/github")
        order = {"repository": full_name, "only": "dev", "bootstrap": False}
        headers = {"authorization": f"Bearer {status.github.tokens['infra-member']}"}
        began = time.monotonic()
        plain_http.client().post(f"{server}/api/deployments", json=order, headers=headers).raise_for_status()
        outcome = asyncio.run(self._outcome(f"initial:{full_name}"))
        took = time.monotonic() - began
        if outcome.end is not DeploymentEnd.DONE:
            raise RuntimeError(f"the deployment went wrong:\n{outcome.message}")
        return took

    async def _outcome(self, workflow_id: str) -> DeploymentOutcome:
        client = await self._doors.histories.connect()
        handle = client.get_workflow_handle(workflow_id, result_type=DeploymentOutcome)
        async with asyncio.timeout(_LIMIT):
            outcome: DeploymentOutcome = await handle.result()
        return outcome

    def close(self, number: int) -> None:
        """So that nothing of it goes on while something else is measured."""
        developer = self._doors.person("developer")
        developer.wait_for_check(developer.pull_request(number).commit, "docustack/plan")
        developer.close(number)

    def _wait_for(self, number: int, head: str, line: str) -> None:
        person = self._doors.person("developer")

        def found() -> list[Comment]:
            comments = [comment for comment in person.comments(number) if comment.body.startswith(head)]
            wrong = [comment for comment in comments if line not in comment.body]
            if wrong:
                raise RuntimeError(f"#{number} went wrong:\n{wrong[0].body}")
            return comments

        wait_for(lambda: len(found()) == UNITS, f"five comments {head!r} in #{number}", _LIMIT, every=_EVERY)

    def _change(self, tree: WorkTree) -> None:
        self._changes += 1
        path = tree.path / "dev" / "env.hcl"
        path.write_text(_with_change(path.read_text(), self._changes))


def unless_it_stumbles(console: Console, measure: Callable[[], float]) -> float:
    """What bare Terragrunt takes; where it fails by its own lock it is measured anew."""
    for _ in range(_TRIES - 1):
        try:
            return measure()
        except StumbledOverItsOwnLockError:
            console.print("Bare Terragrunt stumbled over its own state lock; once more.", highlight=False)
    return measure()


def _with_change(text: str, number: int) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("  change ")]
    at = lines.index("locals {") + 1
    return "\n".join([*lines[:at], f'  change = "{number}"', *lines[at:]]) + "\n"
