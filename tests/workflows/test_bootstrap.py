"""The bootstrap as a saga: what it leaves when any step fails, and that a restart of its worker is no failure."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.worker import Worker

from docustack.bootstrap import (
    BootstrapEnd,
    BootstrapOrder,
    BootstrapOutcome,
    BootstrapState,
    Step,
    StepStatus,
    sign_order,
)
from docustack.repository import Repository
from docustack.signed_approvals import Approval, ApprovalAnswer, Verdict, sign
from docustack.state_backend import BucketFacts, Presence
from docustack.state_document import StateFacts
from tests.workflows.account import ACCOUNT, BUCKET, GOOD, TABLE, FakeAccount
from tests.workflows.conftest import HEARTBEATS_SENT_EVERY, sandbox
from tests.workflows.fakes import APPROVAL_KEY
from workflows.bootstrap import BootstrapWorkflow
from workflows.policies import CONTROL_QUEUE, environment_queue, host_queue

SECONDS = 120.0
A_STOPPED_WORKER_IS_GIVEN = timedelta(seconds=2)
"""For the workflow task that it had in hand, instead of ten seconds."""

BEFORE_ANYTHING_IS_MADE = (
    "load_configuration",
    "read_person",
    "check_out",
    "check_installation",
    "check_environment",
    "read_backend",
    "look_at_backend",
    "newest_local_state",
    "plan_bootstrap",
)
AFTER_MIGRATION = ("push_change", "offer_pull_request")


@contextlib.asynccontextmanager
async def workers(client: Client, account: FakeAccount) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for queue in (CONTROL_QUEUE, environment_queue("dev")):
            for name in (queue, host_queue(queue, "here")):
                worker = Worker(
                    client,
                    task_queue=name,
                    workflows=[BootstrapWorkflow] if name == CONTROL_QUEUE else [],
                    activities=account.activities(),
                    workflow_runner=sandbox(),
                    max_heartbeat_throttle_interval=HEARTBEATS_SENT_EVERY,
                )
                await stack.enter_async_context(worker)
        yield


async def start(client: Client, key: str = APPROVAL_KEY, **changes: Any) -> WorkflowHandle[Any, Any]:
    known: dict[str, Any] = {
        "login": "infra-member",
        "repository": Repository(owner="docustack", name="live"),
        "environment": "dev",
        "account_id": ACCOUNT,
        "given_at": datetime.now(UTC),
        "nonce": secrets.token_hex(16),
    }
    order = BootstrapOrder(**known | changes)
    workflow_id = f"bootstrap:{secrets.token_hex(4)}"
    return await client.start_workflow(
        "BootstrapWorkflow",
        sign_order(order, key),
        id=workflow_id,
        task_queue=CONTROL_QUEUE,
        task_timeout=A_STOPPED_WORKER_IS_GIVEN,
    )


async def ended(handle: WorkflowHandle[Any, Any]) -> BootstrapOutcome:
    async with asyncio.timeout(SECONDS):
        return BootstrapOutcome.model_validate(await handle.result())


async def bootstrap(client: Client, account: FakeAccount, **changes: Any) -> BootstrapOutcome:
    async with workers(client, account):
        return await ended(await start(client, **changes))


async def shown(client: Client, account: FakeAccount, handle: WorkflowHandle[Any, Any]) -> BootstrapState:
    state: BootstrapState = await handle.query("show", result_type=BootstrapState)
    return state


async def test_an_empty_account_ends_with_its_state_in_the_bucket_and_a_pull_request(client: Client) -> None:
    account = FakeAccount()
    outcome = await bootstrap(client, account)
    assert (outcome.end, outcome.pull_request) == (BootstrapEnd.DONE, "https://github/pull/1")
    assert account.is_there == (True, True)
    assert account.remote == account.kept[-1]
    assert len(account.pull_requests) == 1


async def test_a_second_bootstrap_changes_nothing_and_says_so(client: Client) -> None:
    account = FakeAccount()
    await bootstrap(client, account)
    account.switched_on, before = True, replace(account)
    account.log.clear()
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.NOTHING_TO_DO
    assert "nothing was changed" in outcome.message
    assert not {"apply_bootstrap", "migrate_state", "adopt"} & set(account.log)
    assert (account.remote, account.kept) == (before.remote, before.kept)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", BEFORE_ANYTHING_IS_MADE)
async def test_a_failure_before_the_apply_leaves_the_account_empty(client: Client, step: str, after: bool) -> None:
    account = FakeAccount(fail=step, fail_after=after)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert f"{step} failed" in outcome.message
    assert account.is_there == (False, False)
    assert "remove_backend" not in account.log


async def test_a_failed_apply_is_undone_as_far_as_it_came(client: Client) -> None:
    account = FakeAccount(fail="apply_bootstrap", fail_after=True)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert account.is_there == (False, False)
    assert set(outcome.undone) == {f"removed {BUCKET}", f"removed {TABLE}"}


async def test_an_apply_that_did_nothing_has_nothing_removed(client: Client) -> None:
    account = FakeAccount(fail="apply_bootstrap")
    outcome = await bootstrap(client, account)
    assert account.is_there == (False, False)
    assert outcome.undone == ()


async def test_what_only_the_lost_local_state_could_tell_to_be_ours_is_left_and_named(client: Client) -> None:
    account = FakeAccount(fail="keep_local_state")
    outcome = await bootstrap(client, account)
    assert account.is_there == (True, True)
    assert {left.partition(":")[0] for left in outcome.left} == {BUCKET, TABLE}


async def test_a_bucket_that_does_not_become_what_it_has_to_be_is_removed_again(client: Client) -> None:
    class Unversioned(FakeAccount):
        async def apply_bootstrap(self, request: Any) -> Any:
            answer = await super().apply_bootstrap(request)
            self.bucket = GOOD.model_copy(update={"public_access_blocked": False})
            return answer

        apply_bootstrap.__annotations__ = FakeAccount.apply_bootstrap.__annotations__

    account = Unversioned()
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert "public access" in outcome.message
    assert account.is_there == (False, False)


async def test_only_what_this_run_made_is_undone(client: Client) -> None:
    account = FakeAccount(bucket=GOOD, fail="apply_bootstrap", fail_after=True)
    outcome = await bootstrap(client, account)
    assert account.is_there == (True, False)
    assert outcome.undone == (f"removed {TABLE}",)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_failed_migration_destroys_nothing_and_names_the_restored_state(client: Client, after: bool) -> None:
    account = FakeAccount(fail="migrate_state", fail_after=after)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert account.is_there == (True, True)
    assert "remove_backend" not in account.log
    assert account.local == account.kept[-1]
    assert outcome.kept_state in outcome.message
    account.fail = ""
    assert (await bootstrap(client, account)).end in (BootstrapEnd.DONE, BootstrapEnd.NOTHING_TO_DO)


@pytest.mark.parametrize(
    "different",
    [
        {"lineage": "other"},
        {"serial": 99},
        {"addresses": ("x",)},
        {"content": "other"},
    ],
    ids=str,
)
async def test_a_state_that_arrives_different_is_told_and_nothing_destroyed(
    client: Client, different: dict[str, Any]
) -> None:
    arrived = StateFacts(lineage="mine", serial=1, content="1", addresses=(TABLE, BUCKET)).model_copy(update=different)
    account = FakeAccount(migrated=arrived)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert "not the local one" in outcome.message
    assert account.is_there == (True, True)
    assert account.local == account.kept[-1]


async def test_changes_in_the_last_plan_are_a_failure_that_destroys_nothing(client: Client) -> None:
    account = FakeAccount(changes_at_the_end=1)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert account.is_there == (True, True)
    assert not account.pull_requests


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", AFTER_MIGRATION)
async def test_without_its_pull_request_it_is_undone_nothing_of_and_goes_on_the_next_time(
    client: Client, step: str, after: bool
) -> None:
    account = FakeAccount(fail=step, fail_after=after)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert not {"remove_backend", "restore_local_state"} & set(account.log)
    assert account.remote is not None
    account.fail = ""
    outcome = await bootstrap(client, account)
    assert (outcome.end, len(account.pull_requests)) == (BootstrapEnd.NOTHING_TO_DO, 1)
    assert outcome.pull_request


@pytest.mark.parametrize(
    "undo, step", [("remove_backend", "apply_bootstrap"), ("restore_local_state", "migrate_state")]
)
async def test_an_undo_that_fails_is_told(client: Client, undo: str, step: str) -> None:
    account = FakeAccount(fail=step, fail_after=True, also_fails=undo)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.FAILED
    assert any(f"{undo} failed" in left for left in outcome.left)


async def test_what_exists_is_adopted(client: Client) -> None:
    account = FakeAccount(bucket=GOOD, has_table=True)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.DONE
    assert "apply_bootstrap" not in account.log
    assert account.remote is not None
    assert set(account.remote.addresses) == {BUCKET, TABLE}


@pytest.mark.parametrize(
    "bucket, why",
    [
        (BucketFacts(presence=Presence.FOREIGN), "belongs to another account"),
        (GOOD.model_copy(update={"versioned": False}), "not versioned"),
    ],
)
async def test_a_bucket_that_is_not_ours_to_use_stops_it(client: Client, bucket: BucketFacts, why: str) -> None:
    account = FakeAccount(bucket=bucket)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.REFUSED
    assert why in outcome.message
    assert not {"plan_bootstrap", "apply_bootstrap", "adopt", "remove_backend"} & set(account.log)


async def test_a_dry_run_shows_the_plan_and_touches_nothing(client: Client) -> None:
    account = FakeAccount()
    outcome = await bootstrap(client, account, dry_run=True)
    assert (outcome.end, outcome.plan) == (BootstrapEnd.DRY_RUN, "Plan: 2 to add.")
    assert account.is_there == (False, False)
    assert not {"apply_bootstrap", "adopt", "push_change"} & set(account.log)


async def test_a_dry_run_shows_the_plan_that_is_carried_out_and_names_what_would_be_adopted(client: Client) -> None:
    account = FakeAccount(bucket=GOOD, has_table=True)
    outcome = await bootstrap(client, account, dry_run=True)
    assert (outcome.end, outcome.plan) == (BootstrapEnd.DRY_RUN, "Plan: 0 to add.")
    assert f"would adopt before: x.{BUCKET} ({BUCKET}) and x.{TABLE} ({TABLE})" in outcome.message
    assert (account.kept, account.trees) == ([], [f"bootstrap-{ACCOUNT}-dry-run"])


async def test_a_worker_of_the_wrong_account_does_not_begin(client: Client) -> None:
    account = FakeAccount(sts_account="999999999999")
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.REFUSED
    assert "999999999999" in outcome.message
    assert "look_at_backend" not in account.log


@pytest.mark.parametrize("lacks", ["git push", "pull requests", "GitHub token", "terraform"])
async def test_what_it_would_need_at_its_end_stops_it_at_its_beginning(client: Client, lacks: str) -> None:
    account = FakeAccount(lacks={lacks})
    async with workers(client, account):
        handle = await start(client)
        outcome = await ended(handle)
        state = await shown(client, account, handle)
    told = f"{lacks}: no {lacks}; needed: that it works. To mend it:\n  mend {lacks}"
    assert outcome.end is BootstrapEnd.REFUSED
    # The command stands on a line of its own: it is copied.
    assert outcome.message == (
        f"{told}\nNothing had to be undone. Once it is mended, the same command goes on from here."
    )
    assert (state.steps[-1].name, state.steps[-1].detail) == (Step.PREREQUISITES, told)
    assert account.is_there == (False, False)
    assert "read_backend" not in account.log


async def test_a_slack_that_does_not_answer_is_shown_and_stops_no_bootstrap(client: Client) -> None:
    account = FakeAccount(lacks={"Slack channel"})
    async with workers(client, account):
        handle = await start(client)
        assert (await ended(handle)).end is BootstrapEnd.DONE
        (checked,) = [step for step in (await shown(client, account, handle)).steps if step.name == Step.PREREQUISITES]
    assert "no Slack channel" in checked.detail


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"login": "developer"}, "may not apply"),
        ({"environment": "deev"}, "Did you mean `dev`?"),
        ({"account_id": "222222222222"}, "is account 111111111111"),
        ({"given_at": datetime.now(UTC) - timedelta(hours=1)}, "too old"),
        ({"key": "a key that nobody has given to anybody"}, "no signature"),
    ],
    ids=["not allowed", "no such environment", "other account", "old", "forged"],
)
async def test_who_may_not_is_refused_before_anything_is_looked_at(
    client: Client, changes: dict[str, Any], why: str
) -> None:
    account = FakeAccount()
    outcome = await bootstrap(client, account, **changes)
    assert outcome.end is BootstrapEnd.REFUSED
    assert why in outcome.message
    assert outcome.message.endswith("\nNothing was touched.")  # who may not has nothing to mend
    assert "check_environment" not in account.log


async def until_in(account: FakeAccount, step: str) -> None:
    async with asyncio.timeout(SECONDS):
        while step not in account.log:
            await asyncio.sleep(0.02)


async def told_to_cancel(
    handle: WorkflowHandle[Any, Any], login: str = "infra-member", key: str = APPROVAL_KEY, **changes: Any
) -> ApprovalAnswer:
    """As the server tells it, and then, if it is taken, asks Temporal."""
    approval = Approval(
        verdict=Verdict.CANCEL,
        login=login,
        run_id=handle.id,
        commit="",
        plans="",
        reason="the wrong account",
        given_at=datetime.now(UTC),
        nonce=secrets.token_hex(16),
    ).model_copy(update=changes)
    answer: ApprovalAnswer = await handle.execute_update("cancel", sign(approval, key), result_type=ApprovalAnswer)
    if answer.accepted:
        await handle.cancel()
    return answer


@pytest.mark.parametrize("ends_well", [False, True], ids=["interrupted", "ends well all the same"])
@pytest.mark.parametrize(
    "step, left, stays",
    [
        ("plan_bootstrap", (False, False), "Nothing had to be undone"),
        ("apply_bootstrap", (False, False), f"Undone: removed {BUCKET} and removed {TABLE}"),
        ("migrate_state", (True, True), f"{BUCKET} and {TABLE} stay."),
        ("push_change", (True, True), f"{BUCKET} and {TABLE} stay, and the state lies in the bucket."),
    ],
)
async def test_a_cancelled_one_is_undone_like_a_failed_one_and_says_what_stays(
    client: Client, step: str, left: tuple[bool, bool], stays: str, ends_well: bool
) -> None:
    account = FakeAccount(hang=step, ends_well=ends_well)
    async with workers(client, account):
        handle = await start(client)
        await until_in(account, step)
        assert (await told_to_cancel(handle)).accepted
        outcome = await ended(handle)
    assert (outcome.end, account.is_there) == (BootstrapEnd.CANCELLED, left)
    assert "cancelled by @infra-member: the wrong account." in outcome.message
    assert stays in outcome.message
    if step != "push_change":
        assert account.local == (account.kept[-1] if account.kept else None)


async def test_a_cancelled_one_is_gone_on_with_by_the_same_command(client: Client) -> None:
    account = FakeAccount(hang="migrate_state")
    async with workers(client, account):
        handle = await start(client)
        await until_in(account, "migrate_state")
        await handle.cancel()  # in Temporal's own UI: nobody is named
        outcome = await ended(handle)
        assert outcome.message.startswith("The bootstrap was cancelled.")
        account.hang = ""
        assert (await ended(await start(client))).end in (BootstrapEnd.DONE, BootstrapEnd.NOTHING_TO_DO)


async def test_a_cancellation_that_comes_while_it_is_undone_breaks_off_no_undo(client: Client) -> None:
    account = FakeAccount(fail="apply_bootstrap", fail_after=True, hang="remove_backend")
    async with workers(client, account):
        handle = await start(client)
        await until_in(account, "remove_backend")
        await handle.cancel()
        account.hang = ""
        outcome = await ended(handle)
    assert (outcome.end, account.is_there) == (BootstrapEnd.FAILED, (False, False))
    assert set(outcome.undone) == {f"removed {BUCKET}", f"removed {TABLE}"}


async def test_who_may_order_a_bootstrap_may_cancel_it_and_nobody_else(client: Client) -> None:
    """Each try is on record, and what doesn't count leaves it alone."""
    account = FakeAccount(hang="apply_bootstrap")
    async with workers(client, account):
        handle = await start(client)
        await until_in(account, "apply_bootstrap")
        not_allowed = await told_to_cancel(handle, "developer")
        forged = await told_to_cancel(handle, "lead", key="a key that nobody has given to anybody", nonce="f" * 32)
        for changes in ({"run_id": "bootstrap:222222222222"}, {"given_at": datetime.now(UTC) - timedelta(hours=1)}):
            with pytest.raises(WorkflowUpdateFailedError):
                await told_to_cancel(handle, **changes)
        assert account.log[-1] == "read_person"
        # The forged one has used up nothing of a genuine one.
        assert (await told_to_cancel(handle, "second-lead", nonce="f" * 32)).accepted
        outcome, state = await ended(handle), await shown(client, account, handle)
    assert (not_allowed.refusal, forged.refusal) == ("not-allowed", "forged")
    assert "may not apply `dev`" in not_allowed.message
    assert [(given.login, given.counts) for given in state.decisions] == [
        ("developer", False),
        ("lead", False),
        ("second-lead", True),
    ]
    assert "by @second-lead" in outcome.message


async def test_an_account_id_is_corrected_in_every_step_and_in_the_pull_request(client: Client) -> None:
    account = FakeAccount()
    outcome = await bootstrap(client, account, fix_account_id=True)
    assert outcome.end is BootstrapEnd.DONE
    assert account.corrected == {ACCOUNT}
    assert account.pushed_with == ACCOUNT
    assert f"`account_id` is corrected to {ACCOUNT}" in account.pull_requests[0].body


async def test_without_being_asked_it_corrects_no_account_id_and_says_how(client: Client) -> None:
    account = FakeAccount(names_account="444444444444")
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.REFUSED
    assert "--fix-account-id" in outcome.message
    assert (account.corrected, account.is_there) == ({None}, (False, False))
    assert (await bootstrap(client, account, fix_account_id=True)).end is BootstrapEnd.DONE


@pytest.mark.parametrize(
    "fails, end, left",
    [
        ("", BootstrapEnd.DONE, (True, True)),
        ("apply_bootstrap", BootstrapEnd.FAILED, (False, False)),
        ("migrate_state", BootstrapEnd.FAILED, (True, True)),
    ],
    ids=["to the end", "through the undo", "through the restoring"],
)
async def test_a_restart_of_the_worker_after_every_step_is_no_failure(
    client: Client, fails: str, end: BootstrapEnd, left: tuple[bool, bool]
) -> None:
    account = FakeAccount(fail=fails, fail_after=True)
    handle = await start(client)
    result = asyncio.create_task(ended(handle))
    restarts = 0
    while not result.done():
        done = account.ended
        async with workers(client, account):
            restarts += 1
            async with asyncio.timeout(SECONDS):
                while account.ended == done and not result.done():
                    await asyncio.sleep(0.01)
    assert ((await result).end, account.is_there) == (end, left)
    assert restarts > 10
    assert account.log.count("apply_bootstrap") == 1


@pytest.mark.parametrize(
    "step", ["apply_bootstrap", "keep_local_state", "migrate_state", "push_change", "offer_pull_request"]
)
async def test_a_lost_answer_changes_nothing_of_the_outcome(client: Client, step: str) -> None:
    account = FakeAccount(lose=step)
    outcome = await bootstrap(client, account)
    assert outcome.end is BootstrapEnd.DONE
    assert account.log.count(step) == 2
    assert len(account.pull_requests) == 1


async def test_each_step_is_shown_in_the_order_of_the_guide(client: Client) -> None:
    account = FakeAccount()
    async with workers(client, account):
        handle = await start(client)
        await ended(handle)
        state = await shown(client, account, handle)
    assert all(step.status is StepStatus.DONE for step in state.steps)
    names = [step.name for step in state.steps]
    assert names == sorted(names, key=[step.value for step in Step].index)
