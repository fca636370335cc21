"""The guide's bootstrap with real tools, from an empty account to its state in the bucket and the pull request."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.bootstrap import BootstrapEnd, BootstrapOutcome, Step, UndoStep
from docustack.bootstrap_file import FILE, with_remote_state
from local import aws
from tests.dev_server import address, dev_server
from tests.e2e.bootstrapping import ALL_STEPS, EXAMPLE, KEY, TABLE, Account, example_on_github, moto, steps_done
from tests.e2e.late_answers import LateAnswers
from tests.integration.stand_ins import GitHubStandIn
from tests.workflows.test_bootstrap import told_to_cancel

MODULE = "modules/state-backend/main.tf"
KILLED_IN = [Step(name) for name in ALL_STEPS if name != Step.COMPARE]
"""What is compared is known by then: it has no activity of its own."""

LIFECYCLE = re.compile(r"  lifecycle_rule \{.*?\n  \}\n", re.DOTALL)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    with example_on_github(tmp_path_factory.mktemp("github")) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[str]:
    async with dev_server() as environment:
        yield address(environment)


@pytest.fixture
async def account(
    temporal: str, github: GitHubStandIn, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Account]:
    """The account of the environment that the test names."""
    environment = request.param
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    account = Account(environment, "", github, temporal, client, tmp_path)
    with moto(account.id) as endpoint:
        account.endpoint, account.between = endpoint, LateAnswers(endpoint)
        account.start_worker()
        try:
            yield account
        finally:
            account.kill_worker()
            account.between.close()


@pytest.fixture
def between(account: Account) -> LateAnswers:
    assert account.between is not None
    return account.between


@pytest.mark.parametrize("account", ["dev"], indirect=True)
async def test_an_empty_account_becomes_one_that_keeps_its_own_state(account: Account) -> None:
    """From nothing to done, after one that was cancelled in its apply; and a second bootstrap changes nothing, before
    its pull request is merged and after."""
    outcome, state = await account.bootstrap(dry_run=True)
    assert (outcome.end, account.buckets(), account.tables()) == (BootstrapEnd.DRY_RUN, [], [])
    assert "aws_s3_bucket.state will be created" in outcome.plan

    handle = await account.start()
    await account.until_in(handle, Step.APPLY)
    assert (await told_to_cancel(handle, "infra-member", KEY)).accepted
    outcome = BootstrapOutcome.model_validate(await handle.result())
    assert (outcome.end, account.buckets(), account.tables()) == (BootstrapEnd.CANCELLED, [], [])
    assert "cancelled by @infra-member: the wrong account." in outcome.message

    outcome, state = await account.bootstrap()
    assert outcome.end is BootstrapEnd.DONE, outcome
    assert steps_done(state) == ALL_STEPS
    assert (account.buckets(), account.tables()) == ([account.bucket], [TABLE])
    [pull] = account.pull_requests()
    assert pull["html_url"] == outcome.pull_request
    base = (EXAMPLE / "bootstrap" / "terragrunt.hcl").read_text()
    assert account.file_on("docustack/bootstrap-dev") == with_remote_state(base).strip()

    versions = account.states()
    outcome, _ = await account.bootstrap()
    assert outcome.end is BootstrapEnd.NOTHING_TO_DO
    account.github.request("lead", "PUT", f"pulls/{pull['number']}/merge")
    outcome, _ = await account.bootstrap()
    assert (outcome.end, outcome.pull_request) == (BootstrapEnd.NOTHING_TO_DO, "")
    assert account.states() == versions


@pytest.mark.parametrize("account", ["prod"], indirect=True)
async def test_a_bucket_and_a_table_that_exist_and_match_are_adopted(account: Account) -> None:
    """Also where the worker is killed while it adopts them; and a dry run has shown just what is done then."""
    aws.prepare_state_backend(account.endpoint, [account.bucket], TABLE)
    dry, _ = await account.bootstrap(dry_run=True)
    assert f"would adopt before: aws_s3_bucket.state ({account.bucket})" in dry.message
    made = aws.client("s3", account.endpoint).list_buckets()["Buckets"]
    handle = await account.start()
    await account.until_in(handle, Step.ADOPT)
    account.restart_worker()
    outcome = BootstrapOutcome.model_validate(await handle.result())
    assert outcome.end is BootstrapEnd.DONE, outcome
    state = await account.show(handle)
    adopted = next(step.detail for step in state.steps if step.name == Step.ADOPT)
    assert adopted == "aws_s3_bucket.state, aws_dynamodb_table.locks"
    applied = next(step.detail for step in state.steps if step.name == Step.APPLY)
    planned = applied.replace(" added", " to add").replace(" changed", " to change")
    assert f"Dry run: {planned}" in dry.message
    assert dry.kept_state == ""
    assert aws.client("s3", account.endpoint).list_buckets()["Buckets"] == made


@pytest.mark.parametrize("account", ["management"], indirect=True)
async def test_a_worker_that_is_killed_in_every_step_goes_on_where_it_was(
    account: Account, between: LateAnswers
) -> None:
    """In the migration all of its machine, while Terraform has the lock: nobody but the next worker can free it."""
    between.hold_next_lock()
    handle, killed_in = await account.start(), set()
    for step in KILLED_IN:
        # What asks GitHub is done once more after a minute, since it has no heartbeat: killed in the check-out instead.
        killed_in.add(await account.until_in(handle, step, "may apply" if step is Step.PREFLIGHT else ""))
        if step is Step.MIGRATE:
            await asyncio.to_thread(between.is_held.wait, 120)
            account.kill_machine()
            [lock] = account.locks()
            assert lock["Operation"] == "migration destination state"
            account.start_worker()
        else:
            account.restart_worker()
    outcome = BootstrapOutcome.model_validate(await handle.result())
    assert outcome.end is BootstrapEnd.DONE, outcome
    assert killed_in >= {Step.PLAN, Step.APPLY, Step.MIGRATE, Step.NO_CHANGES}
    assert steps_done(await account.show(handle)) == ALL_STEPS
    assert account.applied() == 1
    assert account.locks() == []
    offered = [pull["html_url"] for pull in account.pull_requests()]
    assert offered == ([outcome.pull_request] if outcome.pull_request else [])  # none where `main` has it so by now


@pytest.mark.parametrize("account", ["staging"], indirect=True)
async def test_what_fails_is_undone_before_the_migration_and_kept_during_it(
    account: Account, between: LateAnswers
) -> None:
    """Bootstraps that come to nothing, each later than the one before, their worker killed while they are undone; and
    one that goes on from the last, though Terraform meets its own lock. All with an account id that is corrected."""
    text = (EXAMPLE / FILE).read_text().replace('get_env("DOCUSTACK_ACCOUNT_ID", "444444444444")', '"444444444444"')
    without_lifecycle = LIFECYCLE.sub("", (EXAMPLE / MODULE).read_text())
    account.github.push("staging", {FILE: text, MODULE: without_lifecycle}, base="staging")
    outcome, _ = await account.bootstrap()
    assert outcome.end is BootstrapEnd.REFUSED
    assert "--fix-account-id" in outcome.message

    handle = await account.start(fix_account_id=True)
    await account.until_in(handle, UndoStep.REMOVE)
    account.restart_worker()
    outcome = BootstrapOutcome.model_validate(await handle.result())
    assert outcome.end is BootstrapEnd.FAILED
    assert "lacks a lifecycle rule for old versions" in outcome.message
    assert set(outcome.undone) == {f"removed {account.bucket}", f"removed {TABLE}"}
    assert (account.buckets(), account.tables()) == ([], [])

    account.github.push("staging", {MODULE: (EXAMPLE / MODULE).read_text()}, base="staging")
    handle = await account.start(fix_account_id=True)
    await account.until_in(handle, Step.APPLY)
    await handle.terminate("by an operator: nothing is undone, and Terraform goes on")

    handle = await account.start(fix_account_id=True)
    await account.until_in(handle, Step.VERIFY)
    lock = account.hold_state_lock()
    await account.until_in(handle, UndoStep.RESTORE)
    account.restart_worker()
    outcome = BootstrapOutcome.model_validate(await handle.result())
    assert outcome.end is BootstrapEnd.FAILED
    assert "is locked by somebody" in outcome.message
    assert "aws dynamodb delete-item" in outcome.message
    assert "restored" in outcome.message
    assert outcome.kept_state in outcome.message
    assert (account.buckets(), account.tables(), account.states()) == ([account.bucket], [TABLE], [])

    account.free_state_lock(lock)
    between.lose_next_lock()
    outcome, _ = await account.bootstrap(fix_account_id=True)
    assert outcome.end is BootstrapEnd.DONE, outcome
    assert between.has_lost
    assert account.locks() == []
    assert len(account.pull_requests()) == 1
    corrected = with_remote_state(text.replace("444444444444", account.id))
    assert account.file_on("docustack/bootstrap-staging") == corrected.strip()
