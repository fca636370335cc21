"""What a bootstrap asks of the outside: each call by name, on the host that has the work tree and the local state."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityConfig

from workflows import policies
from workflows.bootstrap_steps import Stopped
from workflows.calls import call
from workflows.hosts import was_not_taken_up
from workflows.together import stop_if_cancelled

with workflow.unsafe.imports_passed_through():
    from activities.approvals import Approvals, SignatureAnswer
    from activities.aws_prerequisites import CheckEnvironment
    from activities.bootstrap import Bootstrap
    from activities.bootstrap_messages import (
        Adopt,
        BootstrapApply,
        BootstrapPlan,
        BootstrapUnit,
        KeptState,
        KeptStateAnswer,
        LookAtBackend,
        MigratedState,
        MigrateState,
        OfferPullRequest,
        ProposeChange,
        RemoveBackend,
        Removed,
    )
    from activities.bootstrap_migration import BootstrapMigration
    from activities.git import Git
    from activities.git_messages import CheckOut, LoadConfiguration, LoadedConfiguration, RemoveWorkTree
    from activities.github import GitHub
    from activities.github_messages import ReadPerson
    from activities.installation import Surroundings
    from activities.prerequisites import CheckInstallation, EnvironmentPrerequisites, InstallationPrerequisites
    from activities.proposed_change import ProposedChange
    from activities.state_backend import StateBackend
    from activities.terragrunt_messages import ApplyAnswer
    from docustack import bootstrap_texts as texts
    from docustack.access import Decision, decide_access
    from docustack.bootstrap import (
        BRANCHES,
        BootstrapOrder,
        SignedBootstrapOrder,
        bootstrap_branch,
        bootstrap_folder,
    )
    from docustack.bootstrap_file import FILE, UNIT
    from docustack.configuration import Configuration, Environment
    from docustack.model import Nothing
    from docustack.plans import PlanRecord
    from docustack.prerequisites import Prerequisites
    from docustack.repository import WorkTree
    from docustack.runs import Operation
    from docustack.state_backend import Adoption, BackendFacts, BackendPlace

Owner = TypeVar("Owner")
Question = TypeVar("Question")
Answer = TypeVar("Answer")


class BootstrapCalls:
    """Configuration and work tree are known once they were asked for, in the order of the steps."""

    def __init__(self, order: BootstrapOrder) -> None:
        self._order = order
        self._queue = policies.environment_queue(order.environment)
        self.host = ""
        self._lease_seconds = 0
        self.configuration: Configuration
        self.tree: WorkTree | None = None
        self._place: BackendPlace | None = None

    @property
    def rules(self) -> Environment:
        return self.configuration.environments[self._order.environment]

    # ---- git and GitHub --------------------------------------------------------------------------------------------

    async def check_order(self, signed: SignedBootstrapOrder) -> SignatureAnswer:
        return await call(Approvals.check_order, signed, policy=policies.GITHUB, summary=f"by {signed.order.login}")

    async def load_configuration(self) -> Configuration:
        """Of the default branch: nobody may choose by which rules he is judged."""
        loaded = await self._load("")
        if loaded.configuration is None:
            raise Stopped(" ".join(["docustack.yaml can't be used.", *loaded.problems[:5]]))
        self.configuration = loaded.configuration
        return loaded.configuration

    @property
    def knows_rules(self) -> bool:
        return hasattr(self, "configuration")

    async def decide_access(self, login: str, *, policy: ActivityConfig = policies.GITHUB) -> Decision:
        """May this person order a bootstrap of the environment, and cancel one?"""
        teams = self.configuration.known_teams()
        question = ReadPerson(repository=self._order.repository, login=login, teams=teams)
        person = await call(GitHub.read_person, question, policy=policy, summary=login)
        return decide_access(self.configuration, self._order.environment, Operation.APPLY, person)

    async def check_out(self, branch: str) -> WorkTree:
        tip = await self._load(branch)
        folder = bootstrap_folder(self._order.account_id, dry_run=self._order.dry_run)
        question = CheckOut(
            repository=self._order.repository,
            # Plans are kept by it, and none is applied twice. Temporal's run ids begin with a time: their ends differ.
            run_id=f"{folder}-{workflow.info().run_id[-12:]}",
            name=folder,
            base_ref=branch,
            head_commit=tip.commit,
        )
        checked_out = await call(Git.check_out, question, policy=policies.GIT, summary=branch)
        self.tree = checked_out.tree
        installation = await call(
            Surroundings.read_installation, Nothing(), policy=policies.on(policies.CONTROL_QUEUE), summary="settings"
        )
        self._lease_seconds = installation.apply_lease_seconds
        await self._find_host()
        return checked_out.tree

    async def offer_pull_request(self) -> str:
        assert self.tree is not None
        branch = bootstrap_branch(self._order.environment)
        change = ProposeChange(
            tree=self.tree,
            path=FILE,
            remote_state=True,
            account_id=self._corrected_account_id,
            branch=branch,
            beside=BRANCHES,
            message=texts.commit_message(self._order),
        )
        pushed = await call(ProposedChange.push_change, change, policy=policies.GIT, summary=branch)
        if not pushed.commit:
            return ""
        offer = OfferPullRequest(
            repository=self._order.repository,
            branch=branch,
            base=self.tree.base_ref,
            title=texts.pull_request_title(self._order),
            body=texts.pull_request_body(self._order),
        )
        offered = await call(GitHub.offer_pull_request, offer, policy=policies.GITHUB, summary=branch)
        return offered.url

    async def remove_work_tree(self) -> None:
        """The sweep removes it where this can't."""
        if self.tree is None:
            return
        question = RemoveWorkTree(repository=self._order.repository, run_id=self.tree.folder)
        for queue in (self._queue, policies.CONTROL_QUEUE):
            try:
                policy = policies.on_host(policies.GIT, queue, self.host)
                await call(Git.remove_work_tree, question, policy=policy, summary=self.host)
            except ActivityError as error:
                workflow.logger.warning("a work tree stays on %s until that sweeps: %s", self.host, error.cause)

    async def _load(self, ref: str) -> LoadedConfiguration:
        question = LoadConfiguration(repository=self._order.repository, ref=ref)
        return await call(Git.load_configuration, question, policy=policies.GIT, summary=ref or "default branch")

    # ---- AWS and Terragrunt ----------------------------------------------------------------------------------------

    async def check_environment(self) -> Prerequisites:
        """As `docustack doctor` does, but for the bucket and the table, which there needn't be yet."""
        question = CheckEnvironment(
            name=self._order.environment,
            environment=self.rules,
            state=self.configuration.state,
            backend=False,
            tools=True,
        )
        return await self._near(EnvironmentPrerequisites.check_environment, question, "tools, account")

    async def check_installation(self) -> Prerequisites:
        """That it may push its branch and open its pull request, too."""
        question = CheckInstallation(
            repository=self._order.repository,
            teams=self.configuration.teams_of([self._order.environment]),
            channel=self.configuration.slack.channel,
            pushes=True,
        )
        summary = "GitHub, Slack, tools"
        return await call(
            InstallationPrerequisites.check_installation, question, policy=policies.GITHUB, summary=summary
        )

    async def read_backend(self) -> BackendPlace:
        self._place = await self._near(Bootstrap.read_backend, self._unit(BootstrapUnit), "read terragrunt.hcl")
        return self._place

    async def look_at_backend(self, place: BackendPlace) -> BackendFacts:
        question = self._unit(LookAtBackend, place=place)
        return await self._near(StateBackend.look_at_backend, question, f"{place.bucket}, {place.lock_table}")

    async def newest_local_state(self) -> KeptState | None:
        answer = await self._near(Bootstrap.newest_local_state, self._unit(BootstrapUnit), "kept local state")
        return answer.kept

    async def plan(self, *, remote_state: bool) -> PlanRecord:
        question = self._unit(BootstrapPlan, remote_state=remote_state)
        summary = "terragrunt plan, state in the bucket" if remote_state else "terragrunt plan, local state"
        answer = await self._near(Bootstrap.plan_bootstrap, question, summary)
        if answer.record is None:
            raise Stopped("The bootstrap unit depends on units that have no outputs yet; it has to be the first.")
        return answer.record

    async def adopt(self, plan: PlanRecord, place: BackendPlace, facts: BackendFacts) -> tuple[Adoption, ...]:
        """Into the local state, of which a dry run leaves nothing."""
        question = self._unit(Adopt, plan=plan, place=place, facts=facts, keeps=not self._order.dry_run)
        return (await self._near(Bootstrap.adopt, question, "terragrunt import")).adoptions

    async def apply(self, plan: PlanRecord) -> ApplyAnswer:
        """Where it was planned, since only there the local state lies for sure; a retry attends what was begun."""
        policy = policies.apply_config(
            policies.host_queue(self._queue, self.host),
            self.configuration.apply.timeout_minutes,
            self._lease_seconds,
        )
        question = self._unit(BootstrapApply, plan=plan, timeout_minutes=self.configuration.apply.timeout_minutes)
        answer = await call(Bootstrap.apply_bootstrap, question, policy=policy, summary="terragrunt apply, local state")
        stop_if_cancelled()
        return answer

    async def keep_local_state(self) -> KeptState | None:
        """Only the host that has it can; it is worth to wait for."""
        policy = policies.record_config(policies.host_queue(self._queue, self.host))
        question = self._unit(BootstrapUnit)
        return (await call(Bootstrap.keep_local_state, question, policy=policy, summary="local state")).kept

    async def migrate_state(self, place: BackendPlace) -> MigratedState:
        question = self._unit(MigrateState, remote_state=True, place=place)
        return await self._near(BootstrapMigration.migrate_state, question, "terragrunt init -migrate-state")

    async def restore_local_state(self) -> KeptStateAnswer:
        return await self._near(BootstrapMigration.restore_local_state, self._unit(BootstrapUnit), "undo: local state")

    async def remove_backend(self, place: BackendPlace, names: tuple[str, ...]) -> Removed:
        question = self._unit(RemoveBackend, place=place, names=names)
        return await self._near(StateBackend.remove_backend, question, f"undo: {', '.join(names)}")

    @property
    def _corrected_account_id(self) -> str | None:
        return self._order.account_id if self._order.fix_account_id else None

    def _unit(self, kind: type[Question], **more: object) -> Question:
        known: dict[str, object] = {
            "tree": self.tree,
            "unit": UNIT,
            "environment_name": self._order.environment,
            "environment": self.rules,
            "actor": self._order.login,
            "timeout_minutes": self.configuration.plan.timeout_minutes,
            "remote_state": False,
            "account_id": self._corrected_account_id,
            "place": self._place,
        }
        return kind(**known | more)

    async def _near(
        self, method: Callable[[Owner, Question], Coroutine[Any, Any, Answer]], question: Question, summary: str
    ) -> Answer:
        """On the host that has the local state; on another, which puts the kept one in place, where that is gone."""
        policy = policies.plan_config(self._queue, self.configuration.plan.timeout_minutes)
        try:
            return await call(
                method, question, policy=policies.on_host(policy, self._queue, self.host), summary=summary
            )
        except ActivityError as error:
            if not was_not_taken_up(error):
                raise
        await self._find_host()
        return await call(method, question, policy=policies.on_host(policy, self._queue, self.host), summary=summary)

    async def _find_host(self) -> None:
        policy = policies.on(self._queue)
        answer = await call(Surroundings.name_host, Nothing(), policy=policy, summary=self._queue)
        self.host = answer.host
