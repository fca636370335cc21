"""What an initial deployment asks of the outside, each call by name, and the child workflows that it is made of."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    FailureError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

from workflows import policies, search_attributes
from workflows.bootstrap import BootstrapWorkflow
from workflows.calls import call
from workflows.failures import message_of
from workflows.hosts import was_not_taken_up
from workflows.run import RunWorkflow
from workflows.together import stop_if_cancelled

with workflow.unsafe.imports_passed_through():
    from activities.approvals import Approvals, OrderBootstrap, SignatureAnswer
    from activities.aws_prerequisites import CheckEnvironment
    from activities.deployments import AskBootstrap, AskEarlierRuns, Deployments, EarlierRuns, FoundBootstrap
    from activities.git import Git
    from activities.git_messages import LoadConfiguration, LoadedConfiguration
    from activities.github import GitHub
    from activities.github_messages import ListPullRequests, ReadPerson
    from activities.installation import Surroundings
    from activities.prerequisites import CheckInstallation, EnvironmentPrerequisites, InstallationPrerequisites
    from docustack import deployment_texts as texts
    from docustack.access import Person
    from docustack.bootstrap import BootstrapEnd, BootstrapOutcome, bootstrap_branch, bootstrap_workflow_id
    from docustack.configuration import Configuration
    from docustack.deployment_decisions import SignedDecision
    from docustack.deployment_steps import DeploymentWord
    from docustack.initial_deployment import DeploymentOrder, EnvironmentProgress, SignedDeploymentOrder
    from docustack.model import Nothing
    from docustack.prerequisites import Prerequisites
    from docustack.runs import ManualOrder, Operation, RunInput, RunResult, RunStatus
    from docustack.temporal_pages import workflow_page
    from docustack.temporal_prerequisites import no_worker
    from workflows.run_models import RunStart


class DeploymentCalls:
    """`configuration`, that of the default branch, is known once it was loaded."""

    def __init__(self, signed: SignedDeploymentOrder) -> None:
        self._signed = signed
        self._order: DeploymentOrder = signed.order
        self.configuration: Configuration

    # ---- who, and by which rules -----------------------------------------------------------------------------------

    async def check_order(self) -> SignatureAnswer:
        return await call(
            Approvals.check_deployment, self._signed, policy=policies.GITHUB, summary=f"by {self._order.login}"
        )

    async def check_decision(self, signed: SignedDecision) -> SignatureAnswer:
        return await call(
            Approvals.check_decision, signed, policy=policies.WHILE_SOMEBODY_WAITS, summary=signed.decision.login
        )

    async def load_configuration(self, branch: str = "") -> LoadedConfiguration:
        question = LoadConfiguration(repository=self._order.repository, ref=branch)
        return await call(Git.load_configuration, question, policy=policies.GIT, summary=branch or "default branch")

    async def read_person(self, login: str, *, somebody_waits: bool = False) -> Person:
        question = ReadPerson(repository=self._order.repository, login=login, teams=self.configuration.known_teams())
        policy = policies.WHILE_SOMEBODY_WAITS if somebody_waits else policies.GITHUB
        return await call(GitHub.read_person, question, policy=policy, summary=login)

    async def page_of(self, workflow_id: str, run_id: str) -> str:
        """The address of a workflow in Temporal's own UI; empty where there is none."""
        installation = await call(
            Surroundings.read_installation, Nothing(), policy=policies.on(policies.CONTROL_QUEUE), summary="settings"
        )
        return workflow_page(installation.temporal_ui_url, workflow.info().namespace, workflow_id, run_id)

    # ---- what is there ---------------------------------------------------------------------------------------------

    async def check_environment(self, environment: str, *, tools: bool = False) -> Prerequisites:
        """Account, bucket and table; with `tools` what its worker's machine has, too."""
        question = CheckEnvironment(
            name=environment,
            environment=self.configuration.environments[environment],
            state=self.configuration.state,
            tools=tools,
        )
        policy = policies.account_config(policies.environment_queue(environment))
        what = f"{environment}: {'tools, ' if tools else ''}account, bucket and table"
        try:
            return await call(EnvironmentPrerequisites.check_environment, question, policy=policy, summary=what)
        except ActivityError as error:
            if not was_not_taken_up(error):
                raise
            return Prerequisites(checks=(no_worker(environment),))

    async def check_installation(self, environments: Sequence[str]) -> Prerequisites:
        """GitHub, Slack, the control worker's tools; where a bootstrap may follow, whether it may offer its change."""
        question = CheckInstallation(
            repository=self._order.repository,
            teams=self.configuration.teams_of(environments),
            channel=self.configuration.slack.channel,
            pushes=self._order.bootstrap,
        )
        summary = "GitHub, Slack, tools"
        return await call(
            InstallationPrerequisites.check_installation, question, policy=policies.GITHUB, summary=summary
        )

    async def find_bootstrap(self, account_id: str) -> FoundBootstrap:
        question = AskBootstrap(account_id=account_id)
        return await call(Deployments.find_bootstrap, question, policy=policies.LOCKS, summary=account_id)

    async def bootstraps_to_merge(self, environments: Sequence[EnvironmentProgress]) -> dict[str, str]:
        """The pull requests of bootstraps that are open now, by environment; those of this deployment where GitHub
        doesn't answer."""
        question = ListPullRequests(repository=self._order.repository)
        try:
            found = await call(
                GitHub.list_open_pull_requests,
                question,
                policy=policies.WHILE_SOMEBODY_WAITS,
                summary="of bootstraps",
            )
        except ActivityError as error:
            workflow.logger.warning("open pull requests can't be read: %s", error.cause)
            return {one.name: one.pull_request for one in environments if one.pull_request}
        urls = {one.head_ref: one.url for one in found.pull_requests if not one.from_fork}
        names = [one.name for one in environments]
        return {name: urls[bootstrap_branch(name)] for name in names if bootstrap_branch(name) in urls}

    async def read_earlier_runs(self, environments: tuple[str, ...]) -> EarlierRuns:
        """Only for an estimate: what can't be read isn't known."""
        question = AskEarlierRuns(repository=self._order.repository, environments=environments)
        try:
            return await call(
                Deployments.read_earlier_runs,
                question,
                policy=policies.WHILE_SOMEBODY_WAITS,
                summary="for the estimate",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("earlier runs can't be read: %s", error.cause)
            return EarlierRuns()

    # ---- the steps -------------------------------------------------------------------------------------------------

    async def bootstrap(self, environment: str, decision: SignedDecision | None) -> BootstrapOutcome:
        """A bootstrap of its own, in the name of who spoke last."""
        account_id = self.configuration.environments[environment].account_id
        question = OrderBootstrap(
            deployment=self._signed, decision=decision, environment=environment, account_id=account_id
        )
        ordered = await call(Approvals.order_bootstrap, question, policy=policies.GITHUB, summary=environment)
        if ordered.signed is None:
            return BootstrapOutcome(end=BootstrapEnd.REFUSED, message=texts.word_is_old(environment))
        try:
            child = await workflow.start_child_workflow(
                BootstrapWorkflow.run,
                ordered.signed,
                id=bootstrap_workflow_id(account_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                static_summary=f"bootstrap {environment} ({account_id}), by {ordered.signed.order.login}",
            )
            outcome = await child
        except WorkflowAlreadyStartedError:
            return BootstrapOutcome(end=BootstrapEnd.REFUSED, message=texts.bootstrap_works(account_id))
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            outcome = BootstrapOutcome(
                end=BootstrapEnd.FAILED, message=_of_child(f"The bootstrap of account {account_id}", error)
            )
        stop_if_cancelled()
        return outcome

    async def run(
        self,
        environment: EnvironmentProgress,
        operation: Operation,
        paths: tuple[str, ...],
        *,
        actor: str,
        decision: SignedDecision | None = None,
        without: tuple[str, ...] = (),
        late: bool = False,
    ) -> RunResult:
        """A run over units of one environment, to its end: it asks for the environment's approvals itself.

        It gets the signed words that it rests on, and believes nothing else: `decision`, where one has led to it.

        It is abandoned, so that it never ends with us alone; a cancellation of ours is passed on to it, and its end
        waited for: it lets Terraform finish the resource in hand.
        """
        run_id = workflow.uuid4().hex[:10]
        environment.runs.append(run_id)
        environment.run_id = run_id
        start = RunInput(
            run_id=run_id,
            repository=self._order.repository,
            operation=operation,
            actor=actor,
            manual=ManualOrder(ref=environment.commit, confirmed=True, without=without, late=late),
            directories=paths,
        )
        try:
            child = await workflow.start_child_workflow(
                RunWorkflow.run,
                RunStart(input=start, word=DeploymentWord(deployment=self._signed, decision=decision)),
                id=f"run:{run_id}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=self._search_attributes(environment.name, actor),
                static_summary=f"{operation.value} of {environment.name} by {actor}",
            )
            result = await child
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            message = _of_child(f"Run {run_id}", error)
            result = RunResult(
                run_id=run_id,
                operation=operation,
                status=RunStatus.FAILED,
                head_commit=environment.commit,
                message=message,
            )
        return result

    def _search_attributes(self, environment: str, actor: str) -> TypedSearchAttributes:
        return TypedSearchAttributes(
            [
                SearchAttributePair(search_attributes.REPOSITORY, self._order.repository.full_name),
                SearchAttributePair(search_attributes.ENVIRONMENT, [environment]),
                SearchAttributePair(search_attributes.ACTOR, actor),
            ]
        )


def _of_child(what: str, error: FailureError) -> str:
    """A child that did not come to an end of its own says nothing of its units."""
    cause = error.cause if isinstance(error.cause, FailureError) else error
    if isinstance(cause, TerminatedError):
        return f"{what} was terminated by an operator: how far it came is not known before it is tried again."
    return f"{what} broke: {message_of(cause)}"
