"""Which lock on a migrated state is ours and over, and what is advised of every other."""

import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest

from docustack.migration_locks import MigrationRecord, why_not_freed
from docustack.state_backend import BackendPlace
from docustack.terragrunt_errors import StateLock

BEGAN = datetime(2026, 11, 28, 10, 0, 0, 250_000, tzinfo=UTC)
PLACE = BackendPlace(bucket="states", key="bootstrap/terraform.tfstate", lock_table="locks", region="eu-west-1")
OURS = StateLock(
    lock_id="1f2e",
    path="states/bootstrap/terraform.tfstate",
    operation="migration destination state",
    who="docustack@here",
    created="2026-11-28T10:00:01.123456789Z",
)


def record(ended_after: float | None = None, **changes: object) -> MigrationRecord:
    ended = None if ended_after is None else BEGAN + timedelta(seconds=ended_after)
    return MigrationRecord(host="here", who="docustack@here", started_at=BEGAN, ended_at=ended).model_copy(
        update=changes
    )


@pytest.mark.parametrize("ended_after", [None, 5.0], ids=["killed", "ended"])
@pytest.mark.parametrize("operation", ["migration source state", "migration destination state", "state-push"])
def test_a_lock_that_our_migration_took_is_freed(operation: str, ended_after: float | None) -> None:
    lock = OURS.model_copy(update={"operation": operation})
    other_day = record(ended_after=0, started_at=BEGAN - timedelta(days=1), ended_at=BEGAN - timedelta(days=1))
    assert why_not_freed(lock, PLACE, [other_day, record(ended_after)], "here") == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "OperationTypeApply"},
        {"who": "somebody@here"},
        {"who": "docustack@there"},
        {"created": "2026-11-28T10:00:00.2499Z"},  # before our migration began
        {"created": "2026-11-28T10:00:09Z"},  # after it had ended
        {"created": ""},
    ],
    ids=str,
)
def test_somebody_elses_lock_is_left_with_advice_that_works_without_a_unit(changes: dict[str, str]) -> None:
    lock = OURS.model_copy(update=changes)
    why = why_not_freed(lock, PLACE, [record(ended_after=5.0)], "here")
    assert f"locked by {lock.who} since {lock.created}" in why
    assert "no process of this bootstrap's" in why
    assert "terrateam" not in why
    command = shlex.split(why.splitlines()[-1])
    assert command[:3] == ["aws", "dynamodb", "delete-item"]
    assert json.loads(command[-1]) == {"LockID": {"S": "states/bootstrap/terraform.tfstate"}}


def test_without_a_record_nothing_is_ours() -> None:
    assert why_not_freed(OURS, PLACE, [], "here")


def test_what_may_still_work_on_another_host_is_left_and_that_host_named() -> None:
    why = why_not_freed(OURS, PLACE, [record(host="there")], "here")
    assert "a migration of ours on there, which may still work" in why


def test_a_lock_beside_the_state_is_freed_by_another_command() -> None:
    lock = OURS.model_copy(update={"who": "somebody", "path": "bootstrap/terraform.tfstate.tflock"})
    why = why_not_freed(lock, PLACE, [], "here")
    assert why.splitlines()[-1] == "  aws s3 rm s3://states/bootstrap/terraform.tfstate.tflock"


@pytest.mark.parametrize("written", ["2026-11-28T10:00:01.123456789Z", "2026-11-28 10:00:01.123456789 +0000 UTC"])
def test_the_time_is_read_as_terraform_writes_it_in_the_lock_and_in_its_output(written: str) -> None:
    lock = OURS.model_copy(update={"created": written})
    assert lock.created_at == datetime(2026, 11, 28, 10, 0, 1, 123_456, tzinfo=UTC)
