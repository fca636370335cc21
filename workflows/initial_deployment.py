"""The guide's "Initial Deployment": bootstrap, management, dev, staging, prod, in this order, as a saga.

Every environment is a run of its own, at a commit that was fixed at the start; the run asks for the environment's
approvals. Where one does not succeed the deployment waits for a person's decision.
"""

import asyncio
import functools
from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows import search_attributes
from workflows.deployment_calls import DeploymentCalls
from workflows.deployment_decisions import DeploymentDecisions
from workflows.deployment_preflight import Ended, preflight, tip_of
from workflows.failures import message_of
from workflows.slack_thread import DeploymentThread
from workflows.together import stop_if_cancelled, to_its_end

with workflow.unsafe.imports_passed_through():
    from activities.deployments import EarlierRuns
    from docustack import deployment_texts as texts
    from docustack.bootstrap import BootstrapEnd
    from docustack.configuration import Environment
    from docustack.deployment_decisions import DecisionKind, DeploymentAnswer, SignedDecision, TakenDecision
    from docustack.deployment_estimate import expected_seconds, units_of
    from docustack.initial_deployment import (
        AT_WORK,
        MEMO,
        DeploymentEnd,
        DeploymentOutcome,
        DeploymentState,
        EnvironmentProgress,
        SignedDeploymentOrder,
        Stage,
        has_no_units,
        with_dependants,
    )
    from docustack.runs import Operation, RunStatus, UnitPhase

_BOOTSTRAPPED = (BootstrapEnd.DONE, BootstrapEnd.NOTHING_TO_DO)
_BROKEN_OFF = (BootstrapEnd.FAILED, BootstrapEnd.CANCELLED)


@workflow.defn
class InitialDeploymentWorkflow:
    """One a time for each live repository; its id is `initial:<owner>/<repo>`."""

    @workflow.init
    def __init__(self, signed: SignedDeploymentOrder) -> None:
        self._order = signed.order
        self._state = DeploymentState(order=signed.order)
        self._calls = DeploymentCalls(signed)
        self._decisions = DeploymentDecisions(self._state, self._calls)
        self._slack = DeploymentThread()
        self._earlier = EarlierRuns()
        self._without_backend: tuple[str, ...] = ()

    @workflow.run
    async def run(self, signed: SignedDeploymentOrder) -> DeploymentOutcome:
        self._show("preflight")
        try:
            outcome = await self._carry_out()
        except Ended as ended:
            outcome = texts.ended_early(ended.end, str(ended), self._state.environments)
            outcome = outcome.model_copy(update={"unknown_environment": ended.unknown_environment})
        except (FailureError, asyncio.CancelledError) as error:
            end = DeploymentEnd.CANCELLED if is_cancelled_exception(error) else DeploymentEnd.FAILED
            cancelled = texts.cancelled(self._state.decisions)
            why = cancelled if end is DeploymentEnd.CANCELLED else message_of(error)
            self._break_off(Stage.CANCELLED if end is DeploymentEnd.CANCELLED else Stage.FAILED)
            outcome = texts.ended_early(end, why, self._state.environments)
        return await to_its_end(self._conclude(outcome))

    async def _carry_out(self) -> DeploymentOutcome:
        """The guide's "Deployment Order"."""
        await self._preflight()
        for environment in self._state.environments:
            await self._bootstrap(environment)
        for environment in self._state.environments:
            await self._deploy(environment)
        return texts.done(self._state.environments)

    # ---- signals, updates and queries ------------------------------------------------------------------------------

    @workflow.query
    def show(self) -> DeploymentState:
        return self._state

    @workflow.update
    async def decide(self, signed: SignedDecision) -> DeploymentAnswer:
        """Retry, skip, roll back or stop, from our server, which has verified who it is; answered at once."""
        return await self._decisions.take(signed)

    @decide.validator
    def _may_be_decided(self, signed: SignedDecision) -> None:
        self._decisions.validate(signed)

    @workflow.signal(dynamic=True)
    async def from_temporal(self, name: str, payloads: Sequence[RawValue]) -> None:
        """`retry`, `skip`, `roll-back` and `stop` from Temporal's own UI or CLI, and every name that is none."""
        await self._decisions.hear(name, payloads)

    # ---- preflight -------------------------------------------------------------------------------------------------

    async def _preflight(self) -> None:
        """The guide's "Prerequisites", of all environments before the first is touched; and the commits are fixed."""
        self._without_backend = await preflight(self._calls, self._state)
        self._earlier = await self._calls.read_earlier_runs(tuple(self._calls.configuration.environments))
        self._state.dependencies = self._earlier.dependencies
        self._slack.channel = self._calls.configuration.slack.channel
        url = await self._calls.page_of(workflow.info().workflow_id, workflow.info().run_id)
        self._slack.say(texts.for_slack(texts.begun(self._order, self._state.environments), url))

    # ---- 1. bootstrap (state backend) ------------------------------------------------------------------------------

    async def _bootstrap(self, environment: EnvironmentProgress) -> None:
        """Of the environment's account; skipped where bucket and table are there, and no bootstrap was broken off."""
        if not self._order.bootstrap:
            return
        account_id = self._rules(environment).account_id
        lacks_backend = environment.name in self._without_backend
        while lacks_backend or await self._was_broken_off(account_id):
            self._show(f"bootstrap of {environment.name}", environment, Stage.BOOTSTRAPPING)
            outcome = await self._calls.bootstrap(environment.name, self._decisions.last_signed)
            if outcome.end in _BOOTSTRAPPED:
                environment.backend, environment.pull_request = outcome.message, outcome.pull_request
                self._slack.say(texts.for_slack(outcome.message))
                break
            environment.message = outcome.message
            await self._decide(environment)
            lacks_backend = not (await self._calls.check_environment(environment.name)).are_met
        else:
            environment.backend = texts.BACKEND_WAS_THERE
        environment.stage = Stage.WAITING

    async def _was_broken_off(self, account_id: str) -> bool:
        found = await self._calls.find_bootstrap(account_id)
        return found.works or found.end in _BROKEN_OFF

    # ---- 2. management, 3. dev, 4. staging, 5. production ----------------------------------------------------------

    async def _deploy(self, environment: EnvironmentProgress) -> None:
        """All its units, in the order of their dependencies; again what is left, for as long as somebody says so."""
        environment.began_at = workflow.now()
        self._leave_out(environment, self._state.left_out)
        actor, signed = self._order.login, None
        while True:
            self._estimate(environment)
            self._show(f"deploying {environment.name}", environment, Stage.DEPLOYING)
            paths = tuple(environment.left) or (self._rules(environment).path,)
            left_out = tuple(self._state.left_out)
            late = self._is_first(environment)
            result = await self._calls.run(
                environment,
                Operation.APPLY,
                paths,
                actor=actor,
                decision=signed,
                without=left_out,
                late=late,
            )
            environment.take(result)
            self._state.dependencies = self._state.dependencies | result.dependencies
            stop_if_cancelled()
            nothing_there = has_no_units(self._calls.configuration, environment.name, result, left_out)
            if result.status is RunStatus.SUCCEEDED or nothing_there:
                break
            decision = await self._decide(environment)
            if decision.kind == DecisionKind.SKIP and not environment.left:
                break
            actor, signed = decision.login, self._decisions.signed_of(decision)
        environment.ended_at = workflow.now()
        self._show("", environment, Stage.UNCHANGED if environment.is_as_it_was else Stage.DEPLOYED)
        self._slack.say(texts.for_slack(texts.environment_done(environment)))

    def _is_first(self, environment: EnvironmentProgress) -> bool:
        """Of none of its units is an apply known: then all of them have to wait for one another anyway."""
        known = {*self._earlier.seconds, *environment.seconds}
        return not any(self._calls.configuration.environment_of(unit) == environment.name for unit in known)

    def _estimate(self, environment: EnvironmentProgress) -> None:
        """By earlier runs, and by the environments that this deployment has done."""
        took = dict(self._earlier.seconds)
        for other in self._state.environments:
            took |= other.seconds
        configuration, dependencies = self._calls.configuration, self._state.dependencies
        units = units_of(configuration, environment.name, dependencies)
        left = environment.left or [unit for unit in units if unit not in environment.left_out]
        environment.expected_seconds = expected_seconds(configuration, left, dependencies, took)

    # ---- what a failure asks ---------------------------------------------------------------------------------------

    async def _decide(self, environment: EnvironmentProgress) -> TakenDecision:
        """Ask until it can go on: `retry`, or `skip` of all that failed.

        Raises:
            Ended: the decision was to stop, or to roll back, which was done.
        """
        while True:
            self._show(f"{environment.name} waits for a decision", environment, Stage.DECISION)
            question = self._decisions.ask(environment)
            workflow.set_current_details(f"{texts.asks(question)}\n\n{question.message}")
            self._slack.say(texts.for_slack(texts.asks(question)))
            reminder = texts.for_slack(texts.reminds(question))
            decision = await self._decisions.answer(functools.partial(self._slack.say, reminder))
            self._slack.say(texts.for_slack(texts.decided(decision)))
            match DecisionKind(decision.kind):
                case DecisionKind.RETRY:
                    if decision.latest:
                        await self._move_to_tips()
                    return decision
                case DecisionKind.SKIP:
                    self._leave_out(environment, with_dependants([decision.unit], self._state.dependencies))
                    if not environment.failed:
                        return decision
                case DecisionKind.ROLL_BACK:
                    await self._roll_back(environment, decision)
                case DecisionKind.STOP:
                    environment.stage = Stage.STOPPED
                    raise Ended(DeploymentEnd.STOPPED, texts.stopped(decision))

    def _leave_out(self, environment: EnvironmentProgress, units: Sequence[str]) -> None:
        """Those of the environment; what depends on them in later ones is left out when their turn comes."""
        configuration = self._calls.configuration
        for unit in with_dependants(units, self._state.dependencies):
            if configuration.environment_of(unit) == environment.name and unit not in environment.left_out:
                environment.left_out.append(unit)
                environment.units[unit] = UnitPhase.SKIPPED

    async def _roll_back(self, environment: EnvironmentProgress, decision: TakenDecision) -> None:
        """Destroy what this deployment has made here from nothing, dependants first; all else stays as it is.

        Raises:
            Ended: it is gone.
        """
        made = tuple(reversed(environment.made))
        self._show(f"rolling back {environment.name}", environment, Stage.ROLLING_BACK)
        signed = self._decisions.signed_of(decision)
        result = await self._calls.run(environment, Operation.DESTROY, made, actor=decision.login, decision=signed)
        environment.take_destroyed(result)
        stop_if_cancelled()
        if not environment.made:
            environment.stage = Stage.ROLLED_BACK
            raise Ended(DeploymentEnd.ROLLED_BACK, texts.rolled_back(environment, made))

    async def _move_to_tips(self) -> None:
        """What was mended is on the branches by now; environments that are done stay at the commit that they have."""
        for environment in self._state.environments:
            if environment.ended_at is None:
                environment.commit = await tip_of(self._calls, environment.branch)

    # ---- what is shown ---------------------------------------------------------------------------------------------

    def _break_off(self, stage: Stage) -> None:
        """Where it was at work it is no more, and of no unit is more known than that it was not begun."""
        for environment in self._state.environments:
            if environment.stage not in AT_WORK:
                continue
            environment.stage = stage
            for unit in units_of(self._calls.configuration, environment.name, self._state.dependencies):
                environment.units.setdefault(unit, UnitPhase.WAITING)

    async def _conclude(self, outcome: DeploymentOutcome) -> DeploymentOutcome:
        for environment in self._state.environments:
            if environment.stage is Stage.WAITING:
                environment.stage = Stage.NOT_BEGUN
            if environment.began_at is not None and environment.ended_at is None:
                environment.ended_at = workflow.now()
        if self._order.bootstrap and outcome.end is not DeploymentEnd.REFUSED:
            left = await self._calls.bootstraps_to_merge(self._state.environments)
            outcome = texts.with_bootstraps_to_merge(outcome, left)
        self._state.outcome, self._state.doing = outcome, ""
        workflow.upsert_search_attributes([search_attributes.STATUS.value_set(outcome.end.value)])
        workflow.set_current_details(outcome.message)
        self._remember()
        self._slack.say(texts.for_slack(outcome.message))
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._slack.flush()
        return outcome

    def _show(self, doing: str, environment: EnvironmentProgress | None = None, stage: Stage | None = None) -> None:
        """In `show`, in Temporal's list of workflows, and on its page."""
        state = self._state
        if environment is not None and stage is not None:
            environment.stage = stage
        state.doing = doing
        names = [each.name for each in state.environments]
        workflow.upsert_search_attributes(
            [
                search_attributes.REPOSITORY.value_set(self._order.repository.full_name),
                search_attributes.ENVIRONMENT.value_set([environment.name] if environment is not None else names[:20]),
                search_attributes.ACTOR.value_set(self._order.login),
                search_attributes.STATUS.value_set(_STATUS.get(stage, "running") if stage else "running"),
            ]
        )
        workflow.set_current_details(texts.overview(state.environments, doing, state.warnings))
        self._remember()

    def _remember(self) -> None:
        """In the memo, which can be read after months, and without a worker."""
        workflow.upsert_memo({MEMO: texts.overview(self._state.environments, self._state.doing)})

    def _rules(self, environment: EnvironmentProgress) -> Environment:
        return self._calls.configuration.environments[environment.name]


_STATUS = {Stage.DECISION: Stage.DECISION.value, Stage.ROLLING_BACK: Stage.ROLLING_BACK.value}
