"""An organisation to be deployed, in memory: its environments, units, accounts and people, with all that was done."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.approvals import Approvals
from activities.aws_prerequisites import CheckEnvironment
from activities.deployments import AskBootstrap, AskEarlierRuns, EarlierRuns, FoundBootstrap
from activities.git_messages import LoadConfiguration, LoadedConfiguration
from activities.github_messages import ListPullRequests, OpenPullRequests, ReadPerson
from activities.installation import Installation
from activities.prerequisites import CheckInstallation
from activities.slack import PostedMessage, PostMessage
from docustack.access import Person
from docustack.bootstrap import BootstrapEnd, BootstrapOutcome, SignedBootstrapOrder, bootstrap_branch
from docustack.configuration import Configuration
from docustack.deployment_decisions import Decision, DecisionKind, DeploymentAnswer, Question, sign_decision
from docustack.errors import ErrorType
from docustack.events import PullRequestFacts
from docustack.initial_deployment import (
    DeploymentOrder,
    DeploymentOutcome,
    DeploymentState,
    deployment_workflow_id,
    sign_deployment,
)
from docustack.model import Nothing
from docustack.prerequisites import Area, Expected, Prerequisites
from docustack.repository import Repository
from docustack.runs import Operation, RunInput, RunResult, RunStatus, UnitOutcome, UnitPhase
from docustack.terrateam import TerrateamConfiguration
from docustack.units import in_apply_order
from tests.workflows.account import checked_installation
from tests.workflows.conftest import end_everything, sandbox
from tests.workflows.fakes import APPROVAL_KEY, CONFIGURATION, PEOPLE
from tests.workflows.stand_in_runs import StandInBootstrap, StandInRun
from workflows.initial_deployment import InitialDeploymentWorkflow
from workflows.policies import CONTROL_QUEUE, environment_queue

MANAGEMENT = {
    "path": "management", "account_id": "444444444444", "plan": ["infra"], "apply": ["leads"],
    "approvals": {"from": ["leads"], "minimum": 1},
}  # fmt: skip
ALL = Configuration.model_validate(
    CONFIGURATION.model_dump(mode="json", by_alias=True, exclude_unset=True)
    | {
        "environments": {
            **CONFIGURATION.model_dump(mode="json", by_alias=True, exclude_unset=True)["environments"],
            "management": MANAGEMENT,
        }
    }
)
"""As docustack.yaml of the example lists them: management last."""

VPC, CLUSTER, RDS, TEMPORAL = (f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds", "temporal"))
SCPS = "management/scps"


def graph() -> dict[str, tuple[str, ...]]:
    """The example's units but for one, in each environment the same."""
    found: dict[str, tuple[str, ...]] = {SCPS: ()}
    for environment in ("dev", "staging", "prod"):
        base = f"{environment}/us-east-1"
        vpc, cluster, rds = f"{base}/vpc", f"{base}/ecs-cluster", f"{base}/rds"
        found |= {vpc: (), cluster: (vpc,), rds: (vpc,), f"{base}/temporal": (vpc, cluster, rds)}
    return found


@dataclass
class Organisation:
    """`fails` are units whose apply fails as long as they are in it; `exists` those that are there already."""

    configuration: Configuration = ALL
    graph: dict[str, tuple[str, ...]] = field(default_factory=graph)
    fails: set[str] = field(default_factory=set)
    exists: set[str] = field(default_factory=set)
    hollow: set[str] = field(default_factory=set)  # units that fail before anything is in their state
    keeps: set[str] = field(default_factory=set)  # units whose destruction fails
    without_backend: set[str] = field(default_factory=set)  # environments
    broken: dict[str, str] = field(default_factory=dict)  # environment -> what is wrong with its account
    lacks: set[str] = field(default_factory=set)  # names of checks of the installation
    bootstrap_fails: set[str] = field(default_factory=set)
    bootstrap_before: dict[str, FoundBootstrap] = field(default_factory=dict)  # by account
    refuses: dict[str, str] = field(default_factory=dict)  # environment -> why its run is refused
    tip: str = "c" * 40
    hold: asyncio.Event | None = None  # runs and bootstraps wait for it
    took: dict[str, float] = field(default_factory=dict)  # units, by earlier runs
    runs: list[RunInput] = field(default_factory=list)
    bootstraps: list[str] = field(default_factory=list)
    open_pull_requests: list[PullRequestFacts] = field(default_factory=list)
    github_is_away: bool = False
    cancelled: list[str] = field(default_factory=list)  # runs
    slack: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    @property
    def reminders(self) -> list[str]:
        """Of a decision, in Slack."""
        return [text for text in self.slack if text.startswith("Still waiting")]

    @property
    def ran(self) -> list[str]:
        """The environments that were worked on, in order."""
        return [run.directories[0].partition("/")[0] for run in self.runs]

    # ---- activities ------------------------------------------------------------------------------------------------

    @activity.defn
    async def load_configuration(self, question: LoadConfiguration) -> LoadedConfiguration:
        return LoadedConfiguration(
            commit=self.tip, configuration=self.configuration, terrateam=TerrateamConfiguration()
        )

    @activity.defn
    async def read_person(self, question: ReadPerson) -> Person:
        return PEOPLE.get(question.login, Person(login=question.login))

    @activity.defn
    async def read_installation(self, _: Nothing) -> Installation:
        return Installation(temporal_ui_url="http://temporal")

    @activity.defn
    async def check_environment(self, question: CheckEnvironment) -> Prerequisites:
        expected = Expected(area=Area.AWS, name="AWS account", needed="the right one", environment=question.name)
        if told := self.broken.get(question.name):
            return Prerequisites(checks=(expected.failed(told, "aws sso login"),))
        if question.backend and question.name in self.without_backend:
            bucket = expected.model_copy(update={"name": "state bucket"})
            return Prerequisites(checks=(bucket.failed("there is no bucket", "docustack bootstrap"),))
        return Prerequisites(checks=(expected.met("all of it"),))

    @activity.defn
    async def check_installation(self, question: CheckInstallation) -> Prerequisites:
        return Prerequisites(checks=checked_installation(question, self.lacks))

    @activity.defn
    async def find_bootstrap(self, question: AskBootstrap) -> FoundBootstrap:
        return self.bootstrap_before.get(question.account_id, FoundBootstrap())

    @activity.defn
    async def read_earlier_runs(self, question: AskEarlierRuns) -> EarlierRuns:
        return EarlierRuns(seconds=self.took, dependencies=self.graph if self.took else {})

    @activity.defn
    async def post_message(self, message: PostMessage) -> PostedMessage:
        self.slack.append(message.text)
        return PostedMessage(channel=message.channel, ts=str(len(self.slack)))

    @activity.defn
    async def carry_out_bootstrap(self, signed: SignedBootstrapOrder) -> BootstrapOutcome:
        name = signed.order.environment
        self.bootstraps.append(f"{name} by {signed.order.login}")
        while self.hold is not None and not self.hold.is_set():
            await asyncio.sleep(0.02)
        if name in self.bootstrap_fails:
            return BootstrapOutcome(end=BootstrapEnd.FAILED, message=f"the bootstrap of {name} failed")
        self.without_backend.discard(name)
        url = f"https://github/{name}"
        self.open_pull_requests.append(_pull_request(bootstrap_branch(name), url))
        return BootstrapOutcome(end=BootstrapEnd.DONE, message=f"{name} is bootstrapped", pull_request=url)

    @activity.defn
    async def list_open_pull_requests(self, question: ListPullRequests) -> OpenPullRequests:
        if self.github_is_away:
            raise ApplicationError("GitHub is away", type=ErrorType.CREDENTIALS.value, non_retryable=True)
        return OpenPullRequests(pull_requests=tuple(self.open_pull_requests))

    @activity.defn
    async def carry_out_run(self, start: RunInput) -> RunResult:
        self.runs.append(start)
        try:
            while self.hold is not None and not self.hold.is_set():
                activity.heartbeat()
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            self.cancelled.append(start.run_id)
            return self._result(start, RunStatus.CANCELLED, (), "The run was cancelled.")
        environment = start.directories[0].partition("/")[0]
        if why := self.refuses.get(environment):
            return self._result(start, RunStatus.REFUSED, (), why)
        outcomes = self._destroy(start) if start.operation is Operation.DESTROY else self._apply(start)
        if not outcomes and start.operation is Operation.APPLY:
            return self._result(start, RunStatus.REFUSED, (), "There is no unit there.")
        bad = any(one.phase in (UnitPhase.FAILED, UnitPhase.SKIPPED) for one in outcomes)
        return self._result(start, RunStatus.FAILED if bad else RunStatus.SUCCEEDED, outcomes)

    def _apply(self, start: RunInput) -> tuple[UnitOutcome, ...]:
        assert start.manual is not None
        named, without = tuple(start.directories), start.manual.without
        units = [unit for unit in self.graph if unit.startswith(named) and unit not in without]
        bad: set[str] = set()
        outcomes = []
        for unit in in_apply_order(self.configuration, self.graph, units):
            environment = self.configuration.environment_of(unit) or ""
            known: dict[str, Any] = {"unit": unit, "environment": environment, "seconds": 10.0}
            if bad & {*self.graph[unit]}:
                bad.add(unit)
                outcomes.append(UnitOutcome(**known, phase=UnitPhase.SKIPPED, message="depends on what failed"))
            elif unit in self.fails:
                bad.add(unit)
                created = unit not in self.exists
                outcomes.append(UnitOutcome(**known, phase=UnitPhase.FAILED, message="no quota", created=created))
            elif unit in self.exists:
                outcomes.append(UnitOutcome(**known, phase=UnitPhase.NO_CHANGES))
            else:
                self.exists.add(unit)
                self.made.append(unit)
                outcomes.append(UnitOutcome(**known, phase=UnitPhase.APPLIED, created=True))
        return tuple(outcomes)

    def _destroy(self, start: RunInput) -> tuple[UnitOutcome, ...]:
        outcomes = []
        for unit in (each for each in start.directories if each not in self.hollow):
            phase = UnitPhase.FAILED if unit in self.keeps else UnitPhase.APPLIED
            self.exists -= {unit} if phase is UnitPhase.APPLIED else set()
            outcomes.append(UnitOutcome(unit=unit, environment="dev", phase=phase))
        return tuple(outcomes)

    def _result(
        self, start: RunInput, status: RunStatus, outcomes: tuple[UnitOutcome, ...], message: str = ""
    ) -> RunResult:
        return RunResult(
            run_id=start.run_id,
            operation=start.operation,
            status=status,
            head_commit=start.manual.ref if start.manual is not None else "",
            outcomes=outcomes,
            message=message or f"{len(outcomes)} added, 0 changed, 0 destroyed.",
            dependencies=self.graph,
        )

    def activities(self) -> list[Callable[..., Any]]:
        approvals = Approvals([SecretStr(APPROVAL_KEY)])
        return [
            self.load_configuration,
            self.read_person,
            self.read_installation,
            self.check_environment,
            self.check_installation,
            self.find_bootstrap,
            self.read_earlier_runs,
            self.post_message,
            self.carry_out_bootstrap,
            self.list_open_pull_requests,
            self.carry_out_run,
            approvals.check_deployment,
            approvals.check_decision,
            approvals.order_bootstrap,
        ]


def _pull_request(branch: str, url: str) -> PullRequestFacts:
    return PullRequestFacts(
        number=1,
        title=branch,
        author="docustack[bot]",
        state="open",
        merged=False,
        draft=False,
        head_commit="c" * 40,
        head_ref=branch,
        base_ref="main",
        from_fork=False,
        url=url,
        created_at="2026-01-01T00:00:00Z",
    )


@contextlib.asynccontextmanager
async def workers(client: Client, organisation: Organisation) -> AsyncIterator[None]:
    """With runs and bootstraps that only stand in for the real ones."""
    async with contextlib.AsyncExitStack() as stack:
        for queue in (CONTROL_QUEUE, *map(environment_queue, ALL.environments)):
            worker = Worker(
                client,
                task_queue=queue,
                workflows=[InitialDeploymentWorkflow, StandInRun, StandInBootstrap] if queue == CONTROL_QUEUE else [],
                activities=organisation.activities(),
                workflow_runner=sandbox(),
            )
            await stack.enter_async_context(worker)
        yield


@contextlib.asynccontextmanager
async def at_work(client: Client) -> AsyncIterator[Organisation]:
    """A new one with its workers; whatever still runs at the end is ended."""
    organisation = Organisation()
    async with workers(client, organisation):
        yield organisation
        await end_everything(client)


@dataclass
class Deployment:
    """One that was started, and what people tell it."""

    handle: WorkflowHandle[Any, Any]
    seconds: float = 60.0

    async def show(self) -> DeploymentState:
        state: DeploymentState = await self.handle.query("show", result_type=DeploymentState)
        return state

    async def outcome(self) -> DeploymentOutcome:
        async with asyncio.timeout(self.seconds):
            return DeploymentOutcome.model_validate(await self.handle.result())

    async def question(self, number: int = 1) -> Question:
        """Wait until it asks its how manieth question."""
        async with asyncio.timeout(self.seconds):
            while (question := (await self.show()).question) is None or question.number < number:
                await asyncio.sleep(0.02)
        return question

    async def decide(
        self, kind: DecisionKind, login: str = "lead", *, key: str = APPROVAL_KEY, **changes: Any
    ) -> DeploymentAnswer:
        known: dict[str, Any] = {
            "kind": kind,
            "login": login,
            "deployment": self.handle.id,
            "question": (await self.show()).questions,
            "given_at": datetime.now(UTC),
            "nonce": secrets.token_hex(16),
        }
        decision = sign_decision(Decision(**known | changes), key)
        answer: DeploymentAnswer = await self.handle.execute_update("decide", decision, result_type=DeploymentAnswer)
        return answer


async def start(client: Client, *, key: str = APPROVAL_KEY, **changes: Any) -> Deployment:
    """A deployment of a repository that no other test has."""
    repository = Repository(owner="docustack", name=f"live-{secrets.token_hex(4)}")
    known: dict[str, Any] = {
        "login": "lead",
        "repository": repository,
        "given_at": datetime.now(UTC),
        "nonce": secrets.token_hex(16),
    }
    handle = await client.start_workflow(
        "InitialDeploymentWorkflow",
        sign_deployment(DeploymentOrder(**known | changes), key),
        id=deployment_workflow_id(repository),
        task_queue=CONTROL_QUEUE,
    )
    return Deployment(handle)
