"""An AWS account, a branch and an artifact store in memory, with the activities of a bootstrap on them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.approvals import Approvals
from activities.aws_prerequisites import CheckEnvironment
from activities.bootstrap_messages import (
    Adopt,
    Adopted,
    BootstrapApply,
    BootstrapPlan,
    BootstrapUnit,
    KeptState,
    KeptStateAnswer,
    LookAtBackend,
    MigratedState,
    MigrateState,
    OfferedPullRequest,
    OfferPullRequest,
    ProposeChange,
    PushedChange,
    RemoveBackend,
    Removed,
)
from activities.git_messages import CheckedOut, CheckOut, LoadConfiguration, LoadedConfiguration, RemoveWorkTree
from activities.github_messages import ReadPerson
from activities.installation import Host, Installation
from activities.prerequisites import CheckInstallation
from activities.terragrunt_messages import ApplyAnswer, PlanAnswer
from docustack.access import Person
from docustack.aws_accounts import CallerIdentity
from docustack.aws_prerequisites import AwsExpectations
from docustack.configuration import Configuration
from docustack.errors import ErrorType
from docustack.github_prerequisites import PUSHES
from docustack.model import Nothing
from docustack.plans import PlanRecord, PlanSummary
from docustack.prerequisites import Area, Expected, Prerequisite, Prerequisites
from docustack.repository import WorkTree
from docustack.state_backend import Adoption, BackendFacts, BackendPlace, BucketFacts, Presence, TableFacts
from docustack.state_document import StateFacts
from docustack.terrateam import TerrateamConfiguration
from tests.workflows.fakes import APPROVAL_KEY, CONFIGURATION, PEOPLE

ACCOUNT = "111111111111"
BUCKET, TABLE = f"docustack-terraform-state-{ACCOUNT}", "docustack-terraform-locks"
COMMIT = "c" * 40

GOOD = BucketFacts(
    presence=Presence.PRESENT,
    versioned=True,
    encrypted=True,
    public_access_blocked=True,
    tls_only=True,
    expires_old_versions=True,
)


def checked_installation(question: CheckInstallation, lacks: set[str]) -> tuple[Prerequisite, ...]:
    """One check of each kind, of which some fail."""
    names = ["terraform", "GitHub token", *(PUSHES if question.pushes else ()), "Slack channel"]
    areas = {"terraform": Area.TOOLS, "Slack channel": Area.SLACK}
    expected = [Expected(area=areas.get(name, Area.GITHUB), name=name, needed="that it works") for name in names]
    return tuple(
        each.failed(f"no {each.name}", f"mend {each.name}") if each.name in lacks else each.met("well")
        for each in expected
    )


@dataclass
class FakeAccount:
    """`fail` names an activity that fails for good: before it has done its work, or after."""

    configuration: Configuration = CONFIGURATION
    sts_account: str = ACCOUNT
    names_account: str = ACCOUNT  # in terragrunt.hcl, where nobody corrects it
    corrected: set[str | None] = field(default_factory=set)  # to what, by all that was asked of the unit
    pushed_with: str | None = None
    bucket: BucketFacts = BucketFacts(presence=Presence.ABSENT)  # noqa: RUF009 - frozen
    has_table: bool = False
    owned: set[str] = field(default_factory=set)  # what the local state holds
    serial: int = 0
    local: StateFacts | None = None
    kept: list[StateFacts] = field(default_factory=list)
    remote: StateFacts | None = None
    migrated: StateFacts | None = None  # what a migration leaves in the bucket, if not the local state
    changes_at_the_end: int = 0
    switched_on: bool = False  # on the base branch
    pushed: bool = False
    pull_requests: list[OfferPullRequest] = field(default_factory=list)
    fail: str = ""
    fail_after: bool = False
    also_fails: str = ""  # the undo, say
    hang: str = ""  # it has done its work, and goes on until it is cancelled
    ends_well: bool = False  # what hangs, in spite of its cancellation
    lose: str = ""  # its first answer gets lost: it has done its work, and is tried again
    lacks: set[str] = field(default_factory=set)  # names of checks of the installation
    log: list[str] = field(default_factory=list)
    trees: list[str] = field(default_factory=list)  # names of the work trees
    ended: int = 0

    def place(self, account_id: str | None = None) -> BackendPlace:
        bucket = BUCKET.replace(ACCOUNT, account_id or self.names_account)
        return BackendPlace(bucket=bucket, key="bootstrap/terraform.tfstate", lock_table=TABLE, region="us-east-1")

    def facts(self) -> BackendFacts:
        table = TableFacts(
            presence=Presence.PRESENT if self.has_table else Presence.ABSENT, keyed_by_lock_id=self.has_table
        )
        return BackendFacts(bucket=self.bucket, table=table, state=self.remote)

    @property
    def is_there(self) -> tuple[bool, bool]:
        return self.bucket.presence is Presence.PRESENT, self.has_table

    # ---- control ---------------------------------------------------------------------------------------------------

    async def load_configuration(self, question: LoadConfiguration) -> LoadedConfiguration:
        return LoadedConfiguration(commit=COMMIT, configuration=self.configuration, terrateam=TerrateamConfiguration())

    async def read_person(self, question: ReadPerson) -> Person:
        return PEOPLE[question.login]

    async def check_out(self, question: CheckOut) -> CheckedOut:
        self.trees.append(question.name)
        tree = WorkTree(
            repository=question.repository,
            run_id=question.run_id,
            base_ref=question.base_ref,
            base_commit=COMMIT,
            head_commit=COMMIT,
            merge_base=COMMIT,
            tree_commit=COMMIT,
        )
        return CheckedOut(tree=tree, changed_files=(), host="here")

    async def read_installation(self, _: Nothing) -> Installation:
        return Installation(
            temporal_ui_url="",
            temporal_namespace="default",
            public_url="",
            apply_lease_seconds=900,
            cancel_grace_seconds=300,
            bot_login="docustack[bot]",
        )

    async def name_host(self, _: Nothing) -> Host:
        return Host(host="here")

    async def remove_work_tree(self, _: RemoveWorkTree) -> Nothing:
        return Nothing()

    async def push_change(self, change: ProposeChange) -> PushedChange:
        self.pushed = self.pushed or not self.switched_on
        self.pushed_with = change.account_id
        return PushedChange(commit="" if self.switched_on else "d" * 40)

    async def offer_pull_request(self, offer: OfferPullRequest) -> OfferedPullRequest:
        if offer not in self.pull_requests:
            self.pull_requests.append(offer)
        return OfferedPullRequest(number=1, url="https://github/pull/1")

    # ---- the environment -------------------------------------------------------------------------------------------

    async def check_environment(self, question: CheckEnvironment) -> Prerequisites:
        expected = AwsExpectations(question.name, question.environment, None, BUCKET, TABLE)
        identity = CallerIdentity(account=self.sts_account, arn="arn:aws:iam::1:user/worker")
        return Prerequisites(checks=(expected.judge_account(identity, None),))

    async def check_installation(self, question: CheckInstallation) -> Prerequisites:
        return Prerequisites(checks=checked_installation(question, self.lacks))

    async def read_backend(self, request: BootstrapUnit) -> BackendPlace:
        return self.place(request.account_id)

    async def look_at_backend(self, request: LookAtBackend) -> BackendFacts:
        return self.facts()

    async def newest_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        return self._answer()

    async def plan_bootstrap(self, request: BootstrapPlan) -> PlanAnswer:
        adds = 0 if request.remote_state else sum(name not in self.owned for name in (BUCKET, TABLE))
        changes = self.changes_at_the_end if request.remote_state else 0
        record = PlanRecord(
            unit="bootstrap",
            run_id="bootstrap-1",
            commit=COMMIT,
            tree_commit=COMMIT,
            digest=f"sha256:{adds}",
            summary=PlanSummary(add=adds, change=changes),
            binary="b",
            json_document="j",
            text="t",
            log="l",
            text_preview=f"Plan: {adds} to add.",
        )
        return PlanAnswer(record=record)

    async def adopt(self, request: Adopt) -> Adopted:
        there = [name for name, is_there in zip((BUCKET, TABLE), self.is_there, strict=True) if is_there]
        new = [name for name in there if name not in self.owned]
        self.owned |= set(new)
        self._write()
        if request.keeps and self.local is not None:
            self.kept.append(self.local)
        return Adopted(adoptions=tuple(Adoption(address=f"x.{name}", id=name) for name in new))

    async def apply_bootstrap(self, request: BootstrapApply) -> ApplyAnswer:
        made = {name for name, is_there in zip((BUCKET, TABLE), self.is_there, strict=True) if not is_there}
        if BUCKET in made:
            self.bucket = GOOD
        self.has_table = True
        self.owned |= made
        self._write()
        return ApplyAnswer(summary=PlanSummary(add=len(made)), text="", log="l")

    async def keep_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        if self.local is not None and self.local not in self.kept:
            self.kept.append(self.local)
        return self._answer()

    async def migrate_state(self, request: MigrateState) -> MigratedState:
        local = self.kept[-1]
        self.remote = self.remote or self.migrated or local
        self.local = None
        return MigratedState(local=local, remote=self.remote)

    async def restore_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        self.local = self.kept[-1] if self.kept else None
        return self._answer()

    async def remove_backend(self, request: RemoveBackend) -> Removed:
        mine = [name for name in request.names if self.kept and name in self.kept[-1].addresses]
        if BUCKET in mine:
            self.bucket = BucketFacts(presence=Presence.ABSENT)
        if TABLE in mine:
            self.has_table = False
        return Removed(removed=tuple(mine), left=tuple(f"{name}: why" for name in request.names if name not in mine))

    def _write(self) -> None:
        self.serial += 1
        self.local = StateFacts(
            lineage="mine", serial=self.serial, content=str(self.serial), addresses=tuple(sorted(self.owned))
        )

    def _answer(self) -> KeptStateAnswer:
        if not self.kept:
            return KeptStateAnswer()
        newest = self.kept[-1]
        return KeptStateAnswer(kept=KeptState(facts=newest, artifact=f"bootstrap/states/{newest.serial}.tfstate"))

    # ---- as activities ---------------------------------------------------------------------------------------------

    def activities(self) -> list[Callable[..., Any]]:
        own: list[Callable[[Any], Awaitable[Any]]] = [
            *(self.load_configuration, self.read_person, self.check_out, self.read_installation, self.name_host),
            *(self.remove_work_tree, self.push_change, self.offer_pull_request, self.check_environment),
            self.check_installation,
            *(self.read_backend, self.look_at_backend, self.newest_local_state, self.plan_bootstrap, self.adopt),
            *(self.apply_bootstrap, self.keep_local_state, self.migrate_state, self.restore_local_state),
            self.remove_backend,
        ]
        approvals = Approvals([SecretStr(APPROVAL_KEY)])
        return [*map(self._defined, own), approvals.check_order, approvals.check_signature]

    def _defined(self, method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        name = method.__name__

        async def work(question: Any) -> Any:
            self.log.append(name)
            if isinstance(question, BootstrapUnit):
                self.corrected.add(question.account_id)
            failing = name in (self.fail, self.also_fails)
            if failing and not self.fail_after:
                raise _for_good(name)
            answer = await method(question)
            self.ended += 1
            if failing:
                raise _for_good(name)
            try:
                while self.hang == name:
                    activity.heartbeat()
                    await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                if not self.ends_well:
                    raise
            if self.lose == name and activity.info().attempt == 1:
                raise ApplicationError("lost", type=ErrorType.UNAVAILABLE.value)
            return answer

        hints = method.__annotations__
        work.__annotations__ = {"question": next(iter(hints.values())), "return": hints["return"]}
        return activity.defn(name=name)(work)


def _for_good(name: str) -> ApplicationError:
    return ApplicationError(f"{name} failed", type=ErrorType.FAILED.value, non_retryable=True)
