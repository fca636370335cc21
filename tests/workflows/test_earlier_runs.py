"""What a deployment learns from Temporal of earlier runs and bootstraps, and in whose name it may begin a bootstrap."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.approvals import Approvals, OrderBootstrap
from activities.deployments import AskBootstrap, AskEarlierRuns, Deployments, EarlierRuns
from docustack.bootstrap import (
    BootstrapEnd,
    BootstrapOrder,
    bootstrap_workflow_id,
    is_genuine_order,
    sign_order,
)
from docustack.deployment_decisions import Decision, DecisionKind, SignedDecision, sign_decision
from docustack.initial_deployment import (
    DeploymentOrder,
    SignedDeploymentOrder,
    deployment_workflow_id,
    sign_deployment,
)
from docustack.repository import Repository
from docustack.runs import ManualOrder, Operation, RunInput
from tests.workflows.fakes import APPROVAL_KEY
from tests.workflows.organisation import CLUSTER, RDS, TEMPORAL, VPC, Organisation, at_work
from workflows import search_attributes
from workflows.policies import CONTROL_QUEUE
from workflows.run_models import RunStart

LIVE = Repository(owner="docustack", name="live")


@pytest.fixture
async def organisation(client: Client) -> AsyncIterator[Organisation]:
    async with at_work(client) as organisation:
        yield organisation


async def run(client: Client, repository: Repository, *paths: str) -> None:
    """One run to its end."""
    run_id = secrets.token_hex(5)
    start = RunInput(
        run_id=run_id,
        repository=repository,
        operation=Operation.APPLY,
        actor="lead",
        manual=ManualOrder(ref="c" * 40),
        directories=paths,
    )
    attributes = TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.REPOSITORY, repository.full_name),
            SearchAttributePair(search_attributes.ENVIRONMENT, ["dev"]),
        ]
    )
    await client.execute_workflow(
        "RunWorkflow",
        RunStart(input=start),
        id=f"run:{run_id}",
        task_queue=CONTROL_QUEUE,
        search_attributes=attributes,
    )


async def test_of_earlier_runs_it_learns_how_long_each_unit_took_and_the_graph(
    client: Client, organisation: Organisation
) -> None:
    repository = LIVE.model_copy(update={"name": f"live-{secrets.token_hex(4)}"})
    organisation.fails = {RDS}
    await run(client, repository, "dev")
    deployments = Deployments(client)
    question = AskEarlierRuns(repository=repository, environments=("dev", "staging"))
    known = EarlierRuns()
    async with asyncio.timeout(30):  # visibility is a moment behind
        while not known.seconds:
            known = await deployments.read_earlier_runs(question)
    assert known.seconds == {VPC: 10.0, CLUSTER: 10.0}, "not of one that failed"
    assert known.dependencies[TEMPORAL] == (VPC, CLUSTER, RDS)


async def test_of_another_repository_it_learns_nothing(client: Client, organisation: Organisation) -> None:
    await run(client, LIVE.model_copy(update={"name": f"live-{secrets.token_hex(4)}"}), "dev")
    other = AskEarlierRuns(repository=LIVE.model_copy(update={"name": "none-such"}), environments=("dev",))
    assert await Deployments(client).read_earlier_runs(other) == EarlierRuns()


async def test_a_bootstrap_that_failed_is_found_and_one_that_never_was_is_not(
    client: Client, organisation: Organisation
) -> None:
    account = f"{secrets.randbelow(10**12):012}"
    deployments, question = Deployments(client), AskBootstrap(account_id=account)
    assert (await deployments.find_bootstrap(question)).end is None
    organisation.bootstrap_fails = {"dev"}
    order = BootstrapOrder(
        login="lead",
        repository=LIVE,
        environment="dev",
        account_id=account,
        given_at=datetime.now(UTC),
        nonce="n" * 16,
    )
    handle = await client.start_workflow(
        "BootstrapWorkflow",
        sign_order(order, APPROVAL_KEY),
        id=bootstrap_workflow_id(account),
        task_queue=CONTROL_QUEUE,
    )
    await handle.result()
    assert (await deployments.find_bootstrap(question)).end is BootstrapEnd.FAILED


# ---- in whose name ---------------------------------------------------------------------------------------------------


def ordered(ago: timedelta = timedelta(), key: str = APPROVAL_KEY) -> SignedDeploymentOrder:
    order = DeploymentOrder(login="lead", repository=LIVE, given_at=datetime.now(UTC) - ago, nonce="n" * 16)
    return sign_deployment(order, key)


def decided(key: str = APPROVAL_KEY, **changes: Any) -> SignedDecision:
    known: dict[str, Any] = {
        "kind": DecisionKind.RETRY,
        "login": "infra-member",
        "deployment": deployment_workflow_id(LIVE),
        "question": 1,
        "given_at": datetime.now(UTC),
        "nonce": "n" * 16,
    }
    return sign_decision(Decision(**known | changes), key)


@pytest.mark.parametrize(
    "deployment, decision, login",
    [
        (ordered(), None, "lead"),
        (ordered(timedelta(days=1)), decided(), "infra-member"),
        (ordered(timedelta(hours=2)), None, None),
        (ordered(key="another key"), None, None),
        (ordered(), decided(key="another key"), None),
        (ordered(), decided(deployment="initial:docustack/other"), None),
        (ordered(timedelta(days=1)), decided(given_at=datetime.now(UTC) - timedelta(hours=2)), None),
    ],
    ids=["who ordered", "who decided", "too long ago", "forged", "forged decision", "of another", "decided long ago"],
)
async def test_a_bootstrap_is_begun_in_the_name_of_a_persons_last_word_and_not_for_good(
    deployment: SignedDeploymentOrder, decision: SignedDecision | None, login: str | None
) -> None:
    question = OrderBootstrap(deployment=deployment, decision=decision, environment="dev", account_id="1" * 12)
    answer = await Approvals([SecretStr(APPROVAL_KEY)]).order_bootstrap(question)
    assert (answer.signed.order.login if answer.signed else None) == login
    assert answer.signed is None or is_genuine_order(answer.signed, [APPROVAL_KEY])
