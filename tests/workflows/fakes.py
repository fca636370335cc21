"""The outside world of the workflows, in memory: small classes with the activities' names, scripted by the tests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.approvals import Approvals
from activities.deployments import Deployments
from activities.discovery import AskGroup, Discover, ListUnits
from activities.git_messages import (
    CheckedOut,
    CheckOut,
    CheckOutRef,
    LoadConfiguration,
    LoadedConfiguration,
    RemoveWorkTree,
)
from activities.github_messages import (
    Answered,
    AskAnswered,
    CheckRun,
    MarkForgotten,
    MarkOutdated,
    PostComment,
    PostedComment,
    React,
    ReadGate,
    ReadPerson,
    ReadPullRequest,
    SetCheck,
)
from activities.installation import Host, Installation
from activities.locks import AskOtherHolders, Ended, FindEnded, Locks, RequestLocks
from activities.open_pull_requests import OpenPullRequestWorkflows
from activities.slack import PostedMessage, PostMessage
from activities.terragrunt_messages import (
    ApplyAnswer,
    ApplyRequest,
    AttendApply,
    CheckAccount,
    CoverageAnswer,
    CoverageRequest,
    FreeStateLock,
    OutputsAnswer,
    PlanAnswer,
    PlanRequest,
    StateLockAnswer,
    UnitRequest,
)
from docustack.access import Person
from docustack.configuration import Configuration
from docustack.errors import NEVER_RETRIED, ErrorType
from docustack.events import PullRequestFacts
from docustack.gate_facts import APPROVED, CHANGES_REQUESTED, GateFacts, Review
from docustack.lock_messages import OtherHolders
from docustack.manual_runs import ordered_units
from docustack.merge_queue import GroupFound
from docustack.model import Nothing
from docustack.plans import Change, DependencyOutputs, OutputsKind, PlanRecord, PlanSummary, TypeCount
from docustack.repository import ChangedUnit, Deletion, Discovery, Repository, UnitStatus, WorkTree
from docustack.rule_changes import NewRules
from docustack.state_document import OwnedResources
from docustack.terrateam import TerrateamConfiguration
from docustack.unit_graph import FoundUnit, UnitGraph
from docustack.unit_outputs import UnitOutput, UnitOutputs
from tests.workflows.commits import Commits

APPROVAL_KEY = "the key that server and worker share"

REPOSITORY = Repository(owner="docustack", name="docustack-infrastructure-live")

PEOPLE = {
    "developer": Person(login="developer", teams=(), can_push=True),
    "infra-member": Person(login="infra-member", teams=("infra",), can_push=True),
    "lead": Person(login="lead", teams=("infra", "leads"), can_push=True),
    "second-lead": Person(login="second-lead", teams=("infra", "leads"), can_push=True),
    "outsider": Person(login="outsider"),
}

CONFIGURATION = Configuration.model_validate(
    {
        "version": 1,
        "teams": {"infra": "infra", "leads": "leads"},
        "environments": {
            "dev": {"path": "dev", "account_id": "111111111111", "apply": ["infra"]},
            "staging": {
                "path": "staging",
                "account_id": "222222222222",
                "branch": "staging",
                "apply": ["infra"],
                "approvals": {"from": ["infra"], "minimum": 1},
            },
            "prod": {
                "path": "prod",
                "account_id": "333333333333",
                "plan": ["infra"],
                "apply": ["leads"],
                "approvals": {"from": ["leads"], "minimum": 1},
            },
        },
    }
)


@dataclass
class Unit:
    """One unit as the fake Terragrunt knows it: what it depends on, what it would do, how it ends."""

    dependencies: tuple[str, ...] = ()
    outputs: str | None = None  # digest of the present outputs; None: never applied
    outputs_after_apply: str = "sha256:applied"
    mocks: bool = True
    summary: PlanSummary = field(default_factory=lambda: PlanSummary(add=1))
    changes: frozenset[str] = frozenset({"create main"})
    later_changes: frozenset[str] | None = None  # what a plan after the first shows
    plan_error: ErrorType | None = None
    apply_errors: list[ErrorType] = field(default_factory=list)  # one an apply, then success
    plans: int = 0
    applies: int = 0


class World:
    """GitHub, Slack, git and Terragrunt together; every effect is on record."""

    mergeable: bool | None = True
    hold_comments: tuple[str, asyncio.Event] | None = None  # those that say it can be read, and GitHub answers late
    seconds = 0
    state_locks_looked_at = 0
    lives_on = False  # an apply whose run is no more
    ended_asked = 0
    back: tuple[str, ...] = ()  # deleted units that the base branch has got again since the merge
    come_since: tuple[str, ...] = ()  # units that it has got since
    gone_since: tuple[str, ...] = ()  # and lost
    hold_states: asyncio.Event | None = None  # a state is read once it is set
    group_adds: tuple[str, ...] = ()  # units that a merge group changes and no pull request here does
    group_is_gone = False
    _locks: Locks | None = None

    def __init__(self, units: dict[str, Unit], configuration: Configuration = CONFIGURATION) -> None:
        self.units = units
        self.configuration: Configuration | None = configuration
        self.problems: tuple[str, ...] = ()
        self.lines: dict[str, int] = {}
        self.new_rules: NewRules | None = None
        self.facts: dict[int, PullRequestFacts] = {}
        self.reviews: list[Review] = []
        self.comments: list[PostComment] = []
        self.texts_now: dict[str, str] = {}  # of comments, by their key within a run: some are rewritten
        self.bodies_now: dict[str, str] = {}  # the same by the whole key
        self.outdated: list[int] = []
        self.forgotten: list[MarkForgotten] = []
        self.reactions: list[tuple[int, str]] = []
        self.checks: list[SetCheck] = []
        self.slack: list[PostMessage] = []
        self.slack_is_down = False
        self.people_are_unknown = False
        self.holders_are_unknown = False
        self.people = dict(PEOPLE)
        self.applied: list[str] = []
        self.applied_plans: list[PlanRecord] = []
        self.applied_in: list[WorkTree] = []
        self.others: dict[str, Unit] = {}  # units that no pull request here changes
        self.statuses: dict[str, UnitStatus] = {}
        self.depended: dict[str, tuple[str, ...]] = {}  # deleted unit -> units that depended on it and stay
        self.needed_by: dict[str, tuple[str, ...]] = {}  # deleted unit -> units that still depend on it
        self.renames: dict[str, str] = {}
        self.states: dict[str, OwnedResources] = {}  # what differs from one resource in a state of its own
        self.looked_at: list[UnitRequest] = []
        self.asked_to_plan: list[PlanRequest] = []
        self.refs: list[tuple[str, str]] = []  # branch of the rules, and what was checked out
        self.wrong_accounts: dict[str, str] = {}  # environment -> what its worker says of its credentials
        self.changes_of_plan: dict[str, frozenset[str]] = {}
        self.hold_plans: asyncio.Event | None = None  # a plan waits for it
        self.hold_applies: asyncio.Event | None = None
        self.hold_plan_checks: asyncio.Event | None = None  # a plan's check is green, and its run goes on until then
        self.planning, self.applying = asyncio.Event(), asyncio.Event()
        self.lease_seconds = 60
        self.state_locked_by: str | None = None
        self.commits = Commits()

    def open(self, number: int = 1, *, author: str = "developer", head: str = "a" * 40, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "number": number,
            "title": "Add new service",
            "author": author,
            "state": "open",
            "merged": False,
            "draft": False,
            "head_commit": head,
            "head_ref": "feature/add-new-service",
            "base_ref": "main",
            "from_fork": False,
            "url": f"https://github.example/pull/{number}",
            "created_at": "2026-01-01T00:00:00Z",
        }
        self.facts[number] = PullRequestFacts(**{**fields, **changes})

    def change(self, number: int = 1, **changes: Any) -> None:
        self.facts[number] = self.facts[number].model_copy(update=changes)

    def now(self) -> str:
        """GitHub's clock: a second later each time that somebody looks at it."""
        self.seconds += 1
        return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def approve(self, login: str, *, number: int = 1) -> None:
        self._review(login, APPROVED, number)

    def request_changes(self, login: str, *, number: int = 1) -> None:
        self._review(login, CHANGES_REQUESTED, number)

    def _review(self, login: str, state: str, number: int) -> None:
        head = self.facts[number].head_commit
        self.reviews.append(Review(reviewer=PEOPLE[login], state=state, commit=head, submitted_at=self.now()))

    def texts(self, containing: str = "") -> list[str]:
        """Comments that say it, as GitHub shows them or as they were sent."""
        return [body for comment in self.comments if containing in (body := comment.body) or containing in read(body)]

    def check(self, name: str) -> SetCheck | None:
        return next((check for check in reversed(self.checks) if check.name == name), None)

    # ---- activities ------------------------------------------------------------------------------------------------

    @activity.defn
    async def read_installation(self, _: Nothing) -> Installation:
        return Installation(bot_login="docustack[bot]", apply_lease_seconds=self.lease_seconds, cancel_grace_seconds=5)

    @activity.defn
    async def name_host(self, _: Nothing) -> Host:
        return Host(host="here")

    @activity.defn
    async def load_configuration(self, question: LoadConfiguration) -> LoadedConfiguration:
        return LoadedConfiguration(
            commit=self.commits.tip,
            ref=question.ref or "main",
            configuration=self.configuration,
            terrateam=TerrateamConfiguration(),
            problems=self.problems,
            lines=self.lines,
        )

    @activity.defn
    async def check_out(self, question: CheckOut) -> CheckedOut:
        tree = self.commits.tree(question)
        environments = tuple(CONFIGURATION.environments)
        return CheckedOut(tree=tree, changed_files=(), host="here", environments=environments, new_rules=self.new_rules)

    @activity.defn
    async def check_out_ref(self, question: CheckOutRef) -> CheckedOut:
        self.refs.append((question.base_ref, question.ref))
        tree = self.commits.tree_of_ref(question)
        return CheckedOut(tree=tree, changed_files=(), host="here", environments=tuple(CONFIGURATION.environments))

    @activity.defn
    async def list_units(self, question: ListUnits) -> Discovery:
        found = {name: FoundUnit(path=name, dependencies=unit.dependencies) for name, unit in self.units.items()}
        named = ordered_units(
            UnitGraph(units=found),
            question.configuration,
            question.directories,
            question.without,
            destroy=question.destroy,
        )
        return named.model_copy(update={"inputs": self.commits.inputs_of(self.units)})

    @activity.defn
    async def remove_work_tree(self, _: RemoveWorkTree) -> Nothing:
        return Nothing()

    @activity.defn
    async def discover(self, question: Discover) -> Discovery:
        changed = tuple(
            ChangedUnit(
                unit=name,
                environment=question.configuration.environment_of(name),
                status=self.statuses.get(name, UnitStatus.MODIFIED),
                because=(f"{name}/terragrunt.hcl",),
            )
            for name in self.units
        )
        stays = {name: unit.dependencies for name, unit in self.units.items() if not self._is_deleted(name)}
        deletions = tuple(self._deletion(unit) for unit in changed if unit.status is UnitStatus.DELETED)
        added = tuple(unit.unit for unit in changed if unit.status is UnitStatus.ADDED)
        return Discovery(
            changed=changed,
            dependencies=stays,
            deletions=deletions,
            may_have_taken_over=added if deletions else (),
            come_since=self.come_since,
            gone_since=self.gone_since,
            inputs=self.commits.inputs_of(self.units),
        )

    @activity.defn
    async def look_at_group(self, question: AskGroup) -> GroupFound:
        if self.group_is_gone:
            raise _error(ErrorType.NOT_FOUND, "The queue has dropped it.")
        return GroupFound(changed=(*self.units, *self.group_adds), inputs=self.commits.inputs_of(question.units))

    def _is_deleted(self, name: str) -> bool:
        return self.statuses.get(name) is UnitStatus.DELETED

    def _deletion(self, unit: ChangedUnit) -> Deletion:
        dependants = {name for name, other in self.units.items() if unit.unit in other.dependencies}
        return Deletion(
            unit=unit.unit,
            environment=unit.environment,
            dependencies=self.units[unit.unit].dependencies,
            dependants=tuple(sorted(dependants | {*self.depended.get(unit.unit, ())})),
            needed_by=self.needed_by.get(unit.unit, ()),
            renamed_to=self.renames.get(unit.unit),
            is_back=unit.unit in self.back,
        )

    @activity.defn
    async def check_account(self, question: CheckAccount) -> Nothing:
        if (told := self.wrong_accounts.get(question.environment_name)) is not None:
            raise _error(ErrorType.CREDENTIALS, told)
        return Nothing()

    @activity.defn
    async def plan_unit(self, request: PlanRequest) -> PlanAnswer:
        unit = self.units[request.unit]
        self.asked_to_plan.append(request)
        self.planning.set()
        if self.hold_plans is not None:
            await heartbeat_until(self.hold_plans)
        if unit.plan_error is not None:
            raise _error(unit.plan_error, f"{request.unit} can't be planned")
        dependencies = self._outputs(unit)
        unwanted = {OutputsKind.MISSING} if request.previews else {OutputsKind.MISSING, OutputsKind.MOCK}
        waits_for = tuple(each.unit for each in dependencies if each.kind in unwanted)
        if waits_for:
            return PlanAnswer(record=None, waits_for=waits_for)
        unit.plans += 1
        key = f"runs/{request.tree.run_id}/{request.unit}/{unit.plans}"
        later = unit.plans > 1 and unit.later_changes is not None
        self.changes_of_plan[key] = (unit.later_changes or frozenset()) if later else unit.changes
        record = PlanRecord(
            unit=request.unit,
            run_id=request.tree.run_id,
            commit=request.tree.head_commit,
            tree_commit=request.tree.tree_commit,
            digest=f"sha256:{sorted(self.changes_of_plan[key])}",
            summary=unit.summary,
            dependencies=dependencies,
            binary=key,
            json_document=key,
            text=key,
            log=key,
            text_preview=f"Plan of {request.unit}",
            destroy=request.destroy,
            destroys=(TypeCount(type="aws_db_instance", count=unit.summary.destroy),) if request.destroy else (),
        )
        return PlanAnswer(record=record)

    @activity.defn
    async def dependency_outputs(self, request: UnitRequest) -> OutputsAnswer:
        return OutputsAnswer(dependencies=self._outputs(self.units[request.unit]))

    @activity.defn
    async def read_outputs(self, request: UnitRequest) -> UnitOutputs:
        return UnitOutputs(
            outputs=(UnitOutput(name="id", value=f'"{request.unit}-id"'), UnitOutput(name="key", sensitive=True))
        )

    @activity.defn
    async def list_resources(self, request: UnitRequest) -> OwnedResources:
        self.looked_at.append(request)
        if self.hold_states is not None:
            await heartbeat_until(self.hold_states)
        default = OwnedResources(known=True, addresses=("aws_db_instance.main",), count=1, lineage=request.unit)
        return self.states.get(request.unit, default)

    @activity.defn
    async def plan_coverage(self, request: CoverageRequest) -> CoverageAnswer:
        beyond = self.changes_of_plan[request.new.json_document] - self.changes_of_plan[request.approved.json_document]
        changes = tuple(
            Change(address=what.split()[1], action=what.split()[0], attribute="") for what in sorted(beyond)
        )
        return CoverageAnswer(covered=not beyond, beyond=changes, beyond_count=len(beyond))

    @activity.defn
    async def apply_unit(self, request: ApplyRequest) -> ApplyAnswer:
        unit = self.units[request.unit]
        self.applying.set()
        if self.hold_applies is not None:
            await heartbeat_until(self.hold_applies)
        unit.applies += 1
        if unit.apply_errors:
            raise _error(unit.apply_errors.pop(0), f"{request.unit} failed")
        assert not request.plan.spent
        unit.outputs = unit.outputs_after_apply
        if request.plan.destroy:
            self.states[request.unit] = OwnedResources(known=True, lineage=request.unit)
        self.applied.append(request.unit)
        self.applied_plans.append(request.plan)
        self.applied_in.append(request.tree)
        return ApplyAnswer(summary=unit.summary, text=f"Apply complete! {request.unit}", log="log")

    @activity.defn
    async def attend_apply(self, request: AttendApply) -> ApplyAnswer:
        """Nothing was begun by an attempt of which nothing was heard."""
        error_type = ErrorType.CANCELLED if request.end else ErrorType.STALE_PLAN
        raise _error(error_type, f"{request.unit} was not begun")

    @activity.defn
    async def free_state_lock(self, request: FreeStateLock) -> StateLockAnswer:
        who, self.state_locks_looked_at = self.state_locked_by, self.state_locks_looked_at + 1
        return StateLockAnswer(locked=who is not None, freed=False, who=who, living=self.lives_on)

    @activity.defn
    async def request_locks(self, question: RequestLocks) -> Nothing:
        assert self._locks is not None
        return await self._locks.request_locks(question)

    @activity.defn
    async def find_other_holders(self, question: AskOtherHolders) -> OtherHolders:
        assert self._locks is not None
        if self.holders_are_unknown:
            raise _error(ErrorType.CREDENTIALS, "The table of locks doesn't answer.")
        return await self._locks.find_other_holders(question)

    @activity.defn
    async def find_ended(self, question: FindEnded) -> Ended:
        assert self._locks is not None
        self.ended_asked += 1
        return await self._locks.find_ended(question)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> PostedComment:
        if all(known.key != comment.key for known in self.comments):
            self.comments.append(comment)
        self.texts_now[comment.key.partition(":")[2]] = self.bodies_now[comment.key] = comment.body
        if self.hold_comments is not None and self.hold_comments[0] in comment.body:
            await self.hold_comments[1].wait()
        return PostedComment(comment_id=1000 + len(self.comments), url="", updated_at=self.now())

    @activity.defn
    async def mark_outdated(self, question: MarkOutdated) -> Nothing:
        self.outdated.extend(question.comment_ids)
        return Nothing()

    @activity.defn
    async def mark_forgotten(self, question: MarkForgotten) -> Nothing:
        self.forgotten.append(question)
        return Nothing()

    @activity.defn
    async def ask_answered(self, question: AskAnswered) -> Answered:
        return Answered(answered=any(comment == question.comment_id for comment, _ in self.reactions))

    @activity.defn
    async def react(self, question: React) -> Nothing:
        self.reactions.append((question.comment_id, question.content))
        return Nothing()

    @activity.defn
    async def set_check(self, check: SetCheck) -> CheckRun:
        if check.only_existing and all(known.external_id != check.external_id for known in self.checks):
            return CheckRun(check_run_id=None)
        self.checks.append(check)
        if self.hold_plan_checks is not None and check.conclusion and check.name == "docustack/plan":
            await self.hold_plan_checks.wait()
        return CheckRun(check_run_id=check.check_run_id or len(self.checks))

    @activity.defn
    async def read_person(self, question: ReadPerson) -> Person:
        if self.people_are_unknown:
            raise _error(ErrorType.UNAVAILABLE, "GitHub answered 502")
        return self.people.get(question.login, Person(login=question.login))

    @activity.defn
    async def read_gate(self, question: ReadGate) -> GateFacts:
        facts = self.facts[question.pull_request]
        return GateFacts(
            author=facts.author,
            head_commit=facts.head_commit,
            base_ref=facts.base_ref,
            state=facts.state,
            merged=facts.merged,
            draft=facts.draft,
            from_fork=facts.from_fork,
            mergeable=self.mergeable,
            mergeable_state="clean",
            reviews=tuple(self.reviews),
            actor=PEOPLE[question.actor],
        )

    @activity.defn
    async def read_pull_request(self, question: ReadPullRequest) -> PullRequestFacts:
        return self.facts[question.pull_request]

    @activity.defn
    async def post_message(self, message: PostMessage) -> PostedMessage:
        if self.slack_is_down:
            raise _error(ErrorType.UNAVAILABLE, "Slack is down")
        self.slack.append(message)
        return PostedMessage(channel=message.channel, ts=str(len(self.slack)))

    def _outputs(self, unit: Unit) -> tuple[DependencyOutputs, ...]:
        answers = []
        for name in unit.dependencies:
            known = self.units.get(name) or self.others.get(name)
            outputs = known.outputs if known else "sha256:elsewhere"
            if outputs is not None:
                answers.append(DependencyOutputs(unit=name, kind=OutputsKind.REAL, digest=outputs))
            else:
                kind = OutputsKind.MOCK if unit.mocks else OutputsKind.MISSING
                answers.append(DependencyOutputs(unit=name, kind=kind))
        return tuple(answers)

    def activities(self, client: Client) -> list[Callable[..., Any]]:
        locks = self._locks = Locks(client)
        return [
            self.read_installation,
            self.name_host,
            self.load_configuration,
            self.check_out,
            self.check_out_ref,
            self.remove_work_tree,
            self.discover,
            self.list_units,
            self.look_at_group,
            self.check_account,
            self.plan_unit,
            self.dependency_outputs,
            self.plan_coverage,
            self.list_resources,
            self.read_outputs,
            self.apply_unit,
            self.attend_apply,
            self.free_state_lock,
            self.post_comment,
            self.mark_outdated,
            self.mark_forgotten,
            self.ask_answered,
            self.react,
            self.set_check,
            self.read_person,
            self.read_gate,
            self.read_pull_request,
            self.post_message,
            self.commits.record_apply,
            self.commits.compare_order,
            Approvals([SecretStr(APPROVAL_KEY)]).check_signature,
            Approvals([SecretStr(APPROVAL_KEY)]).check_run,
            Approvals([SecretStr(APPROVAL_KEY)]).check_word,
            Deployments(client).read_parent,
            self.commits.find_moved_inputs,
            OpenPullRequestWorkflows(client).tell_freed,
            self.commits.ask_contained,
            self.request_locks,
            locks.confirm_locks,
            locks.give_up_locks,
            locks.find_holdings,
            self.find_ended,
            self.find_other_holders,
        ]


def read(body: str) -> str:
    """A comment as people read it: without escapes, and without what keeps a login from being a mention."""
    return body.replace("\\", "").replace("\u200b", "")


async def heartbeat_until(event: asyncio.Event) -> None:
    """Wait as a real activity does: heartbeating, so that a cancellation arrives."""
    while not event.is_set():
        activity.heartbeat()
        try:
            await asyncio.wait_for(event.wait(), 0.2)
        except TimeoutError:
            continue


def _error(error_type: ErrorType, message: str) -> ApplicationError:
    return ApplicationError(message, type=error_type.value, non_retryable=error_type in NEVER_RETRIED)
