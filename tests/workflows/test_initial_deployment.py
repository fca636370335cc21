"""The guide's deployment order, what a failure asks and what each answer does; runs are stood in for by an activity."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.deployments import FoundBootstrap
from docustack.bootstrap import BootstrapEnd
from docustack.deployment_decisions import DecisionKind
from docustack.initial_deployment import DeploymentEnd, Stage
from docustack.runs import Operation, UnitPhase
from tests.workflows.organisation import (
    ALL,
    CLUSTER,
    RDS,
    SCPS,
    TEMPORAL,
    VPC,
    Deployment,
    Organisation,
    at_work,
    start,
    workers,
)

ORDER = ["management", "dev", "staging", "prod"]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
"""The same in every process: the names of tests are made of it."""

RETRY, SKIP, ROLL_BACK, STOP = DecisionKind.RETRY, DecisionKind.SKIP, DecisionKind.ROLL_BACK, DecisionKind.STOP


@pytest.fixture
async def organisation(client: Client) -> AsyncIterator[Organisation]:
    async with at_work(client) as organisation:
        yield organisation


async def stopped(client: Client, organisation: Organisation, *units: str, **order: Any) -> Deployment:
    """A deployment of dev, or of more, in which these units fail."""
    organisation.fails = {*units}
    deployment = await start(client, **{"only": "dev", **order})
    await deployment.question()
    return deployment


async def refusal(asks: Deployment, kind: DecisionKind, login: str = "lead", **changes: Any) -> str:
    """Refused, without a trace or with one: the word for programs."""
    try:
        answer = await asks.decide(kind, login, **changes)
    except WorkflowUpdateFailedError as error:
        return str(error.cause.type) if isinstance(error.cause, ApplicationError) else repr(error.cause)
    assert not answer.accepted
    return answer.refusal


# ---- the order -------------------------------------------------------------------------------------------------------


async def test_management_comes_first_and_the_others_as_they_are_listed(
    client: Client, organisation: Organisation
) -> None:
    deployment = await start(client)
    outcome = await deployment.outcome()
    assert (outcome.end, organisation.ran) == (DeploymentEnd.DONE, ORDER)
    assert {environment.stage for environment in (await deployment.show()).environments} == {Stage.DEPLOYED}
    assert organisation.made[0] == SCPS


async def test_each_environment_is_one_run_at_the_commit_of_the_start_and_asks_for_approvals_itself(
    client: Client, organisation: Organisation
) -> None:
    deployment = await start(client)
    await deployment.outcome()
    orders = [run.manual for run in organisation.runs]
    assert all(order is not None and order.ref == "c" * 40 and order.confirmed for order in orders)
    assert {(run.actor, run.pull_request) for run in organisation.runs} == {("lead", None)}
    assert [run.directories for run in organisation.runs] == [(name,) for name in ORDER]


@pytest.mark.parametrize(
    "order, deployed",
    [
        ({"last": "dev"}, ["management", "dev"]),
        ({"first": "staging"}, ["staging", "prod"]),
        ({"first": "dev", "last": "staging"}, ["dev", "staging"]),
        ({"only": "dev"}, ["dev"]),
    ],
    ids=str,
)
async def test_a_stretch_of_environments_is_deployed_alone(
    client: Client, organisation: Organisation, order: dict[str, str], deployed: list[str]
) -> None:
    assert (await (await start(client, **order)).outcome()).end is DeploymentEnd.DONE
    assert organisation.ran == deployed


async def test_a_second_one_changes_nothing_and_says_so(client: Client, organisation: Organisation) -> None:
    await (await start(client)).outcome()
    made = list(organisation.made)
    outcome = await (await start(client)).outcome()
    assert (outcome.end, organisation.made) == (DeploymentEnd.NOTHING_TO_DO, made)
    assert "Nothing was changed" in outcome.message


async def test_an_environment_without_units_is_passed_by(client: Client, organisation: Organisation) -> None:
    del organisation.graph[SCPS]
    outcome = await (await start(client, last="dev")).outcome()
    assert outcome.end is DeploymentEnd.DONE
    assert "management has no units" in outcome.message


# ---- the prerequisites and the bootstrap -----------------------------------------------------------------------------


async def test_accounts_without_a_backend_are_bootstrapped_before_anything_is_deployed(
    client: Client, organisation: Organisation
) -> None:
    organisation.without_backend = {"dev", "prod"}
    assert (await (await start(client)).outcome()).end is DeploymentEnd.DONE
    assert organisation.bootstraps == ["dev by lead", "prod by lead"]


async def test_the_end_lists_the_pull_requests_of_bootstraps_that_are_left_to_merge(
    client: Client, organisation: Organisation
) -> None:
    """Of this deployment, and of an earlier one whose were not merged."""
    organisation.without_backend = {"dev", "prod"}
    outcome = await (await start(client)).outcome()
    assert "2 pull requests of bootstraps, one an account" in outcome.message
    assert outcome.message.splitlines()[-2:] == ["  dev: https://github/dev", "  prod: https://github/prod"]
    del organisation.open_pull_requests[0]
    outcome = await (await start(client)).outcome()
    assert outcome.end is DeploymentEnd.NOTHING_TO_DO
    assert "1 pull request of bootstraps" in outcome.message
    assert outcome.message.splitlines()[-1] == "  prod: https://github/prod"


async def test_where_github_does_not_answer_those_of_this_deployment_are_listed(
    client: Client, organisation: Organisation
) -> None:
    organisation.without_backend, organisation.github_is_away = {"dev"}, True
    outcome = await (await start(client)).outcome()
    assert (outcome.end, outcome.message.splitlines()[-1]) == (DeploymentEnd.DONE, "  dev: https://github/dev")


async def test_a_bootstrap_that_failed_is_gone_on_with_though_its_bucket_is_there(
    client: Client, organisation: Organisation
) -> None:
    account = ALL.environments["dev"].account_id
    organisation.bootstrap_before[account] = FoundBootstrap(end=BootstrapEnd.FAILED)
    await (await start(client, only="dev")).outcome()
    assert organisation.bootstraps == ["dev by lead"]


async def test_a_failed_bootstrap_waits_for_a_decision_and_is_retried_in_the_name_of_who_says_so(
    client: Client, organisation: Organisation
) -> None:
    organisation.without_backend = organisation.bootstrap_fails = {"dev"}
    deployment = await start(client, only="dev")
    question = await deployment.question()
    assert "the bootstrap of dev failed" in question.message
    assert question.answers == (RETRY, STOP)
    organisation.bootstrap_fails = set()
    assert (await deployment.decide(RETRY, "infra-member")).accepted
    assert (await deployment.outcome()).end is DeploymentEnd.DONE
    assert organisation.bootstraps == ["dev by lead", "dev by infra-member"]


async def test_an_environment_alone_is_not_bootstrapped_but_refused(client: Client, organisation: Organisation) -> None:
    organisation.without_backend = {"dev"}
    outcome = await (await start(client, only="dev", bootstrap=False)).outcome()
    assert outcome.end is DeploymentEnd.REFUSED
    assert "docustack bootstrap" in outcome.message
    assert organisation.runs == []


async def test_what_one_environment_lacks_keeps_all_of_them_untouched(
    client: Client, organisation: Organisation
) -> None:
    organisation.broken = {"prod": "the session has expired", "staging": "account 999999999999"}
    organisation.without_backend = {"dev"}
    outcome = await (await start(client)).outcome()
    assert outcome.end is DeploymentEnd.REFUSED
    assert "the session has expired" in outcome.message
    assert "account 999999999999" in outcome.message
    assert (organisation.bootstraps, organisation.runs) == ([], [])


async def test_what_github_or_a_machine_lacks_keeps_all_of_them_untouched(
    client: Client, organisation: Organisation
) -> None:
    organisation.lacks = {"terraform", "GitHub token"}
    outcome = await (await start(client)).outcome()
    assert outcome.end is DeploymentEnd.REFUSED
    for name in organisation.lacks:
        assert f"{name}: no {name}; needed: that it works. To mend it:\n  mend {name}" in outcome.message
    assert (organisation.bootstraps, organisation.runs) == ([], [])


async def test_the_right_to_push_is_needed_only_where_a_bootstrap_comes_first(
    client: Client, organisation: Organisation
) -> None:
    organisation.lacks = {"git push"}
    assert (await (await start(client, only="dev")).outcome()).end is DeploymentEnd.DONE
    organisation.without_backend = {"staging"}
    outcome = await (await start(client, only="staging")).outcome()
    assert (outcome.end, organisation.bootstraps) == (DeploymentEnd.REFUSED, [])
    assert "no git push" in outcome.message


async def test_a_slack_that_does_not_answer_is_a_warning(client: Client, organisation: Organisation) -> None:
    organisation.lacks = {"Slack channel"}
    deployment = await start(client, only="dev")
    assert (await deployment.outcome()).end is DeploymentEnd.DONE
    (warning,) = (await deployment.show()).warnings
    assert warning == "Slack channel: no Slack channel; needed: that it works. To mend it: mend Slack channel"


@pytest.mark.parametrize(
    "order, why",
    [
        ({"login": "developer", "only": "dev"}, "may not apply `dev`"),
        ({"login": "infra-member"}, "may not apply `prod`"),
        ({"only": "deev"}, "Did you mean `dev`?"),
        ({"first": "prod", "last": "dev"}, "comes after"),
        ({"given_at": LONG_AGO}, "too old"),
        ({"key": "a key that nobody has given to anybody"}, "no signature"),
    ],
    ids=["not allowed", "not allowed everywhere", "misspelt", "backwards", "old", "forged"],
)
async def test_who_may_not_is_refused_before_anything_is_begun(
    client: Client, organisation: Organisation, order: dict[str, Any], why: str
) -> None:
    outcome = await (await start(client, **order)).outcome()
    assert outcome.end is DeploymentEnd.REFUSED
    assert why in outcome.message
    assert outcome.unknown_environment is ("deev" in order.values())
    assert ("--until" in outcome.message) is (why == "may not apply `prod`"), "of one environment there are no fewer"
    assert organisation.runs == []


# ---- a failure, and each decision ------------------------------------------------------------------------------------


async def test_a_failure_names_what_is_done_what_failed_and_what_has_not_begun(
    client: Client, organisation: Organisation
) -> None:
    deployment = await stopped(client, organisation, RDS, only="", last="staging")
    question = await deployment.question()
    assert question.environment == "dev"
    assert (set(question.done), question.failed, question.not_begun) == ({VPC, CLUSTER}, (RDS,), (TEMPORAL,))
    assert "no quota" in question.message
    assert question.answers == (RETRY, SKIP, ROLL_BACK, STOP)
    assert organisation.ran == ["management", "dev"]
    assert any("It waits for a decision" in text for text in organisation.slack)


async def test_retry_applies_only_what_failed_and_what_has_not_begun(
    client: Client, organisation: Organisation
) -> None:
    deployment = await stopped(client, organisation, RDS, only="", last="staging")
    organisation.fails = set()
    assert (await deployment.decide(RETRY, "infra-member")).accepted
    assert (await deployment.outcome()).end is DeploymentEnd.DONE
    again = organisation.runs[2]
    assert (set(again.directories), again.actor) == ({RDS, TEMPORAL}, "infra-member")
    assert organisation.runs[3].actor == "lead", "the next environment is again that of who ordered it"


async def test_a_retry_goes_on_at_the_same_commit_unless_the_latest_is_asked_for(
    client: Client, organisation: Organisation
) -> None:
    deployment = await stopped(client, organisation, RDS, only="", first="dev", last="staging")
    organisation.tip = "d" * 40
    await deployment.decide(RETRY)
    await deployment.question(2)
    organisation.fails = set()
    await deployment.decide(RETRY, latest=True)
    await deployment.outcome()
    refs = [run.manual.ref[0] for run in organisation.runs if run.manual is not None]
    assert refs == ["c", "c", "d", "d"]


async def test_skip_leaves_a_unit_out_with_its_dependants_and_goes_on(
    client: Client, organisation: Organisation
) -> None:
    deployment = await stopped(client, organisation, RDS, only="", first="dev", last="staging")
    assert (await deployment.decide(SKIP, unit=RDS)).accepted
    outcome = await deployment.outcome()
    assert outcome.end is DeploymentEnd.DONE
    assert f"left out: `{RDS}` and `{TEMPORAL}`" in outcome.message
    assert organisation.ran == ["dev", "staging"]
    assert TEMPORAL not in organisation.exists


async def test_a_skip_with_another_failure_left_asks_again(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS, CLUSTER)
    await deployment.decide(SKIP, unit=CLUSTER)
    question = await deployment.question(2)
    assert (question.failed, question.not_begun) == ((RDS,), ())


async def test_roll_back_destroys_in_reverse_what_this_deployment_made_and_nothing_else(
    client: Client, organisation: Organisation
) -> None:
    organisation.exists = {VPC}
    deployment = await stopped(client, organisation, TEMPORAL, only="", first="dev")
    question = await deployment.question()
    assert set(question.made) == {CLUSTER, RDS, TEMPORAL}
    assert (await deployment.decide(ROLL_BACK, environment="dev")).accepted
    outcome = await deployment.outcome()
    assert (outcome.end, organisation.exists) == (DeploymentEnd.ROLLED_BACK, {VPC})
    [_, destruction] = organisation.runs
    assert (destruction.operation, destruction.directories[0]) == (Operation.DESTROY, TEMPORAL)
    assert "staging: not begun" in outcome.message


async def test_a_rollback_that_fails_asks_again_for_what_is_left(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, TEMPORAL)
    organisation.keeps = {VPC}
    await deployment.decide(ROLL_BACK, environment="dev")
    question = await deployment.question(2)
    assert question.made == (VPC,)
    organisation.keeps = set()
    await deployment.decide(ROLL_BACK, environment="dev")
    assert (await deployment.outcome()).end is DeploymentEnd.ROLLED_BACK
    assert organisation.exists == set()


async def test_a_rollback_of_what_failed_before_it_had_a_state_is_done(
    client: Client, organisation: Organisation
) -> None:
    organisation.hollow = {VPC}
    deployment = await stopped(client, organisation, VPC)
    await deployment.decide(ROLL_BACK, environment="dev")
    assert (await deployment.outcome()).end is DeploymentEnd.ROLLED_BACK


async def test_where_nothing_was_made_there_is_nothing_to_roll_back(client: Client, organisation: Organisation) -> None:
    organisation.exists = {VPC, CLUSTER, RDS, TEMPORAL}
    organisation.refuses = {"dev": "Nobody approved within 7 days."}
    deployment = await stopped(client, organisation)
    assert (await deployment.question()).answers == (RETRY, STOP)
    assert await refusal(deployment, ROLL_BACK, environment="dev") == "nothing-made"


async def test_stop_ends_it_and_tells_what_is_done(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS, only="")
    assert (await deployment.decide(STOP, "infra-member")).accepted
    outcome = await deployment.outcome()
    assert outcome.end is DeploymentEnd.STOPPED
    assert "by infra-member" in outcome.message
    assert f"failed: `{RDS}`" in outcome.message
    assert "prod: not begun" in outcome.message


async def test_who_decided_is_on_record_with_all_that_did_not_count(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS)
    await refusal(deployment, RETRY, "developer")
    await deployment.decide(STOP, "infra-member")
    await deployment.outcome()
    decisions = (await deployment.show()).decisions
    assert [(given.login, given.kind, given.counts) for given in decisions] == [
        ("developer", "retry", False),
        ("infra-member", "stop", True),
    ]


# ---- decisions that don't count --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, login, changes, why",
    [
        (RETRY, "developer", {}, "not-allowed"),
        (STOP, "developer", {}, "not-allowed"),
        (ROLL_BACK, "developer", {"environment": "dev"}, "not-allowed"),
        (ROLL_BACK, "lead", {"environment": "Dev"}, "other-name"),
        (ROLL_BACK, "lead", {}, "other-name"),
        (SKIP, "lead", {"unit": VPC}, "no-such-unit"),
        (SKIP, "lead", {}, "no-such-unit"),
        (RETRY, "lead", {"question": 7}, "other-question"),
        (RETRY, "lead", {"deployment": "initial:docustack/other"}, "other-question"),
        (RETRY, "lead", {"given_at": LONG_AGO}, "expired"),
        (RETRY, "lead", {"key": "somebody else's key"}, "forged"),
    ],
    ids=str,
)
async def test_a_decision_that_does_not_count_changes_nothing(
    client: Client, organisation: Organisation, kind: DecisionKind, login: str, changes: dict[str, Any], why: str
) -> None:
    deployment = await stopped(client, organisation, RDS)
    assert await refusal(deployment, kind, login, **changes) == why
    assert (await deployment.question()).number == 1
    assert len(organisation.runs) == 1


async def test_one_decision_counts_once(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS)
    await deployment.decide(RETRY, nonce="0123456789abcdef")
    await deployment.question(2)
    assert await refusal(deployment, RETRY, nonce="0123456789abcdef") == "replayed"


async def test_a_forged_decision_uses_up_nothing_of_the_genuine_one(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS)
    assert await refusal(deployment, RETRY, nonce="0123456789abcdef", key="somebody else's key") == "forged"
    await deployment.decide(RETRY, nonce="0123456789abcdef")
    await deployment.question(2)


async def test_while_it_works_there_is_nothing_to_decide(client: Client, organisation: Organisation) -> None:
    organisation.hold = asyncio.Event()
    deployment = await start(client, only="dev")
    async with asyncio.timeout(60):
        while not organisation.runs:
            await asyncio.sleep(0.02)
    assert await refusal(deployment, STOP) == "not-waiting"
    organisation.hold.set()
    assert (await deployment.outcome()).end is DeploymentEnd.DONE


@pytest.mark.parametrize("trusting", [False, True])
async def test_a_signal_from_temporal_counts_only_where_its_operators_are_trusted(
    client: Client, organisation: Organisation, trusting: bool
) -> None:
    dev = ALL.environments["dev"].model_copy(update={"trust_temporal_operators": trusting})
    organisation.configuration = ALL.model_copy(update={"environments": {**ALL.environments, "dev": dev}})
    deployment = await stopped(client, organisation, RDS)
    for name, inputs in (("stopp", [{"actor": "lead"}]), ("stop", ["lead", 17]), ("stop", [{"actor": "developer"}])):
        await deployment.handle.signal(name, args=inputs)
    await deployment.handle.signal("stop", {"actor": "lead"})
    async with asyncio.timeout(60):
        while len((await deployment.show()).decisions) < 4:
            await asyncio.sleep(0.02)
    state = await deployment.show()
    assert [given.counts for given in state.decisions] == [False, False, False, trusting]
    assert (state.question is None) is trusting


# ---- cancelled, restarted, ended from outside ------------------------------------------------------------------------


async def test_while_an_account_is_bootstrapped_its_own_rules_say_who_may_cancel(
    client: Client, organisation: Organisation
) -> None:
    organisation.without_backend, organisation.bootstrap_fails = {"dev"}, {"dev"}
    deployment = await start(client, login="lead")
    question = await deployment.question()
    assert question.environment == "dev"
    answer = await deployment.decide(DecisionKind.CANCEL, "infra-member")
    assert answer.accepted, answer.message
    assert (await deployment.show()).decisions[-1].environment == "dev"


async def test_cancelling_it_cancels_the_run_and_waits_for_its_end(client: Client, organisation: Organisation) -> None:
    organisation.hold = asyncio.Event()
    deployment = await start(client, first="dev")
    async with asyncio.timeout(60):
        while not organisation.runs:
            await asyncio.sleep(0.02)
    await deployment.handle.cancel()
    outcome = await deployment.outcome()
    assert outcome.end is DeploymentEnd.CANCELLED
    assert organisation.cancelled == [organisation.runs[0].run_id]
    assert organisation.ran == ["dev"]
    dev, *others = (await deployment.show()).environments
    assert (dev.stage, dev.done, {*dev.not_begun}) == (Stage.CANCELLED, [], {VPC, CLUSTER, RDS, TEMPORAL})
    assert {environment.stage for environment in others} == {Stage.NOT_BEGUN}
    assert "dev: not begun: `dev/us-east-1/ecs-cluster`" in outcome.message
    assert dev.ended_at is not None


async def test_one_that_waits_for_a_decision_can_be_cancelled(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS)
    await deployment.handle.cancel()
    outcome = await deployment.outcome()
    assert outcome.end is DeploymentEnd.CANCELLED
    dev = (await deployment.show()).environments[0]
    assert (dev.stage, dev.done, dev.failed) == (Stage.CANCELLED, [VPC, CLUSTER], [RDS])
    assert f"done: `{VPC}` and `{CLUSTER}`; failed: `{RDS}`" in outcome.message


async def test_a_run_that_was_ended_from_outside_is_a_question(client: Client, organisation: Organisation) -> None:
    organisation.hold = asyncio.Event()
    deployment = await start(client, only="dev")
    async with asyncio.timeout(60):
        while not organisation.runs:
            await asyncio.sleep(0.02)
    await client.get_workflow_handle(f"run:{organisation.runs[0].run_id}").terminate("by an operator")
    question = await deployment.question()
    assert "was terminated by an operator" in question.message
    organisation.hold = None
    await deployment.decide(RETRY)
    assert (await deployment.outcome()).end is DeploymentEnd.DONE


async def test_a_run_outlives_a_deployment_that_an_operator_terminates(
    client: Client, organisation: Organisation
) -> None:
    organisation.hold = asyncio.Event()
    deployment = await start(client, only="dev")
    async with asyncio.timeout(60):
        while not organisation.runs:
            await asyncio.sleep(0.02)
    await deployment.handle.terminate("by an operator")
    organisation.hold.set()
    await client.get_workflow_handle(f"run:{organisation.runs[0].run_id}").result()
    assert VPC in organisation.exists


async def test_a_restart_of_the_worker_between_all_steps_is_no_failure(client: Client) -> None:
    organisation = Organisation(without_backend={"dev"}, fails={RDS})
    deployment = await start(client, first="dev", last="staging")
    async with workers(client, organisation):
        await deployment.question()
    async with workers(client, organisation):
        organisation.fails = set()
        await deployment.decide(RETRY)
    async with workers(client, organisation):
        assert (await deployment.outcome()).end is DeploymentEnd.DONE
    assert organisation.bootstraps == ["dev by lead"]
    assert len(organisation.made) == len({*organisation.made}) == 8


# ---- what is shown ---------------------------------------------------------------------------------------------------


async def test_how_long_it_will_take_is_told_by_earlier_runs_of_the_same_units(
    client: Client, organisation: Organisation
) -> None:
    organisation.took = {VPC: 10.0, CLUSTER: 20.0, RDS: 40.0, TEMPORAL: 5.0}
    deployment = await start(client, first="dev", last="staging")
    await deployment.outcome()
    dev, staging = (await deployment.show()).environments
    assert dev.expected_seconds == 10 + 40 + 5
    assert staging.expected_seconds == 10 + 10 + 10, "by what dev has just taken: this deployment's own runs"


async def test_only_what_was_never_applied_is_planned_late(client: Client, organisation: Organisation) -> None:
    organisation.took = {VPC: 10.0}
    deployment = await start(client, first="dev", last="staging")
    await deployment.outcome()
    late = [(run.directories[0], run.manual.late) for run in organisation.runs if run.manual is not None]
    assert late == [("dev", False), ("staging", True)]


async def test_temporal_and_slack_are_told_of_it(client: Client, organisation: Organisation) -> None:
    deployment = await stopped(client, organisation, RDS)
    described = await deployment.handle.describe()
    attributes = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert attributes["DocustackStatus"] == "waiting-for-decision"
    assert list(attributes["DocustackEnvironment"]) == ["dev"]
    assert "dev: waiting-for-decision" in await described.memo_value("DocustackDeployment")
    async with asyncio.timeout(60):
        while len(organisation.slack) < 2:
            await asyncio.sleep(0.05)
    head, asks = organisation.slack
    assert "started by lead: dev" in head
    assert "|Temporal>" in head
    assert RDS in asks


async def test_phases_of_units_are_kept_over_all_runs_of_an_environment(
    client: Client, organisation: Organisation
) -> None:
    deployment = await stopped(client, organisation, RDS)
    organisation.fails = set()
    await deployment.decide(RETRY)
    await deployment.outcome()
    [dev] = (await deployment.show()).environments
    assert dev.units == dict.fromkeys((VPC, CLUSTER, RDS, TEMPORAL), UnitPhase.APPLIED)
    assert len(dev.runs) == 2
