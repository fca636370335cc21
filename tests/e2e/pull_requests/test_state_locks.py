"""Terraform's own lock, in S3 and DynamoDB: what a killed apply of ours leaves is freed, what others hold never is."""

import contextlib
import json
import os
import signal
from pathlib import Path

from local import aws
from local.waiting import wait_for
from tests.e2e.pull_requests.change import open_change
from tests.e2e.pull_requests.live_repository import provisioned, unit
from tests.e2e.pull_requests.small_world import SmallWorld
from tests.integration.aws_server import state_in_s3

BUCKET, TABLE = "docustack-terraform-state-111111111111", "docustack-terraform-locks"


class LockedUnit:
    """A unit whose state and lock are in AWS, and whose apply waits until it is let go."""

    def __init__(self, world: SmallWorld, name: str, bucket: str = BUCKET) -> None:
        self.path = f"dev/locked/{name}"
        self._world = world
        self._begun, self._go = world.folder / f"{name}.begun", world.folder / f"{name}.go"
        wait = f"echo begun >> {self._begun}; for i in $(seq 300); do test -e {self._go} && break; sleep 0.2; done"
        self._bucket = bucket
        root = state_in_s3(bucket, self.path, f'dynamodb_table = "{TABLE}"')
        self.files = unit(self.path, module=provisioned(wait), root=root)
        self._dynamodb = aws.client("dynamodb", world.status.aws.endpoint_url)
        self._s3 = aws.client("s3", world.status.aws.endpoint_url)
        self._key = {"LockID": {"S": f"{bucket}/{self.path}/terraform.tfstate"}}

    def begun(self, times: int = 1) -> None:
        def look() -> bool:
            return self._begun.exists() and self._begun.read_text().split() == ["begun"] * times

        wait_for(look, f"{times} applies of {self.path}", 120)

    def let_go(self) -> None:
        self._go.touch()

    def is_locked(self) -> bool:
        return "Item" in self._dynamodb.get_item(TableName=TABLE, Key=self._key, ConsistentRead=True)

    def lock_as(self, who: str) -> None:
        info = {
            "ID": "11111111-2222-3333-4444-555555555555",
            "Operation": "OperationTypeApply",
            "Info": "",
            "Who": who,
            "Version": "1.11.4",
            "Created": "2026-01-02T03:04:05.678901234Z",
            "Path": f"{BUCKET}/{self.path}/terraform.tfstate",
        }
        self._dynamodb.put_item(TableName=TABLE, Item={**self._key, "Info": {"S": json.dumps(info)}})

    def value(self) -> object:
        body = self._s3.get_object(Bucket=self._bucket, Key=f"{self.path}/terraform.tfstate")["Body"].read()
        return json.loads(body)["outputs"]["value"]["value"]

    def make_bucket(self) -> None:
        self._s3.create_bucket(Bucket=self._bucket)

    def lose_bucket(self) -> None:
        self._s3.delete_bucket(Bucket=self._bucket)

    def kill(self, *names: str) -> None:
        """kill -9 of the processes of this name that work in this world."""
        killed = 0
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(process.name)
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                ours = str(self._world.data / "worker" / "applies") in " ".join(words)
                if ours and any(name in Path(word).name for word in words[:5] for name in names):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        assert killed >= len(names), f"{names} not found"


def test_unlock_frees_the_lock_that_a_killed_terraform_of_ours_has_left(world: SmallWorld) -> None:
    locked = LockedUnit(world, "killed")
    change = open_change(world, "lock-killed", locked.files)
    change.planned(locked.path)
    command = change.command("terrateam apply")
    locked.begun()
    assert locked.is_locked()
    locked.kill("terraform")
    assert change.end_of(command) == "confused"
    assert "**Status:** ✅ Success" not in change.applied(locked.path)[locked.path]
    assert locked.is_locked(), "a killed Terraform can't free its lock"

    locked.let_go()
    assert change.ended("terrateam unlock", by="developer") == "+1"
    change.wait_said("holds no lock", "Terraform's state lock was freed")
    assert not locked.is_locked()
    assert change.ended("terrateam apply") == "rocket"
    assert locked.value() == "one-killed"
    locked.begun(times=2)


def test_an_apply_whose_processes_were_all_killed_is_finished_by_a_new_plan(world: SmallWorld) -> None:
    locked = LockedUnit(world, "vanished")
    change = open_change(world, "lock-vanished", locked.files)
    change.planned(locked.path)
    command = change.command("terrateam apply")
    locked.begun()
    locked.kill("runner.py", "terragrunt", "terraform")
    locked.let_go()
    assert change.end_of(command) == "rocket", change.told()
    assert len(change.applies()[locked.path]) == 1
    assert "Planned again" in change.applies()[locked.path][0]
    assert locked.value() == "one-vanished"
    assert not locked.is_locked()
    locked.begun(times=2)


def test_a_lock_of_somebody_else_is_told_and_never_freed(world: SmallWorld) -> None:
    locked = LockedUnit(world, "foreign")
    locked.let_go()
    change = open_change(world, "lock-foreign", locked.files)
    change.planned(locked.path)
    locked.lock_as("ines@laptop")
    assert change.ended("terrateam apply") == "confused"
    body = change.applied(locked.path)[locked.path]
    assert "ines@laptop" in body
    assert "2026-01-02 03:04:05" in body
    change.command("terrateam unlock")
    told = change.wait_said("the state is still locked by `ines@laptop`")
    assert "no process of DocuStack's" in told
    assert "terragrunt force-unlock 11111111-2222-3333-4444-555555555555" in told
    assert locked.is_locked()


def test_a_state_that_could_not_be_written_is_kept_and_written_before_the_next_apply(world: SmallWorld) -> None:
    locked = LockedUnit(world, "lost", bucket="docustack-terraform-state-lost")
    locked.make_bucket()
    change = open_change(world, "state-lost", locked.files)
    change.planned(locked.path)
    command = change.command("terrateam apply")
    locked.begun()
    locked.lose_bucket()
    locked.let_go()
    assert change.end_of(command) == "confused"
    body = change.applied(locked.path)[locked.path]
    assert "**Status:** ⚠️ Unknown" in body
    assert "could not write the state" in body
    assert "recorded in the state" not in body
    assert f"unwritten-states/docustack/small-live/{locked.path}/" in body
    assert not list((world.data / "worker" / "worktrees").rglob("errored.tfstate"))

    locked.make_bucket()
    assert change.ended("terrateam plan") == "+1"
    assert "doesn't know what that apply has made" in change.planned(locked.path)[locked.path]
    assert change.ended("terrateam apply") == "rocket", change.told()
    assert locked.value() == "one-lost"
    locked.begun(times=1)  # the resource was made once
