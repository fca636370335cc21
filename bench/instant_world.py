"""The outside world that answers at once: git, Terragrunt, GitHub and Slack as activities that only count."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity

from activities.discovery import Discover
from activities.git_messages import CheckedOut, CheckOut, LoadConfiguration, LoadedConfiguration, RemoveWorkTree
from activities.github_messages import CheckRun, PostComment, PostedComment, ReadPerson, ReadPullRequest, SetCheck
from activities.installation import Installation
from activities.slack import PostedMessage, PostMessage
from activities.terragrunt_messages import CheckAccount, PlanAnswer, PlanRequest
from docustack.access import Person
from docustack.configuration import Configuration
from docustack.events import PullRequestFacts
from docustack.model import Nothing
from docustack.plans import PlanRecord, PlanSummary
from docustack.repository import ChangedUnit, Discovery, UnitStatus, WorkTree
from docustack.terrateam import TerrateamConfiguration

UNITS = tuple(f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds"))
CONFIGURATION = Configuration.model_validate(
    {
        "version": 1,
        "teams": {"infra": "infra"},
        "environments": {"dev": {"path": "dev", "account_id": "111111111111", "apply": ["infra"]}},
    }
)
HERE = "here"
"""The one host of this world."""

_PLAN_TEXT = "Terraform will perform the following actions:\n" + "  # aws_vpc.main will be created\n" * 30


class InstantWorld:
    """Its activities have the names and models of the real ones; `planned_at` tells when a plan could be read."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.planned_at: dict[int, float] = {}
        self._plans: Counter[int] = Counter()
        self._planned = asyncio.Event()

    async def until_planned(self, numbers: Sequence[int]) -> None:
        """Until the last plan of each pull request could be read."""
        while not self.planned_at.keys() >= {*numbers}:
            self._planned.clear()
            await self._planned.wait()

    def activities(self) -> list[Callable[..., Any]]:
        return [
            self.read_installation,
            self.read_pull_request,
            self.read_person,
            self.load_configuration,
            self.check_out,
            self.discover,
            self.check_account,
            self.plan_unit,
            self.post_comment,
            self.set_check,
            self.post_message,
            self.remove_work_tree,
        ]

    @activity.defn
    async def read_installation(self, _: Nothing) -> Installation:
        self.calls["read_installation"] += 1
        return Installation(bot_login="docustack[bot]")

    @activity.defn
    async def read_pull_request(self, question: ReadPullRequest) -> PullRequestFacts:
        self.calls["read_pull_request"] += 1
        return PullRequestFacts(
            number=question.pull_request,
            title="Add new service",
            author="developer",
            state="open",
            merged=False,
            draft=False,
            head_commit="a" * 40,
            head_ref="feature",
            base_ref="main",
            from_fork=False,
            url=f"https://github.example/pull/{question.pull_request}",
            created_at="2026-01-01T00:00:00Z",
        )

    @activity.defn
    async def read_person(self, question: ReadPerson) -> Person:
        self.calls["read_person"] += 1
        return Person(login=question.login, can_push=True)

    @activity.defn
    async def load_configuration(self, _: LoadConfiguration) -> LoadedConfiguration:
        self.calls["load_configuration"] += 1
        return LoadedConfiguration(
            commit="b" * 40, configuration=CONFIGURATION, terrateam=TerrateamConfiguration(), problems=()
        )

    @activity.defn
    async def check_out(self, question: CheckOut) -> CheckedOut:
        self.calls["check_out"] += 1
        tree = WorkTree(
            repository=question.repository,
            run_id=question.run_id,
            base_ref=question.base_ref,
            base_commit="b" * 40,
            head_commit=question.head_commit,
            merge_base="b" * 40,
            tree_commit="c" * 40,
        )
        return CheckedOut(tree=tree, changed_files=(), host=HERE, environments=("dev",))

    @activity.defn
    async def discover(self, _: Discover) -> Discovery:
        self.calls["discover"] += 1
        changed = tuple(
            ChangedUnit(unit=unit, environment="dev", status=UnitStatus.MODIFIED, because=(f"{unit}/terragrunt.hcl",))
            for unit in UNITS
        )
        return Discovery(changed=changed, dependencies=dict.fromkeys(UNITS, ()))

    @activity.defn
    async def check_account(self, _: CheckAccount) -> Nothing:
        self.calls["check_account"] += 1
        return Nothing()

    @activity.defn
    async def plan_unit(self, request: PlanRequest) -> PlanAnswer:
        self.calls["plan_unit"] += 1
        key = f"runs/{request.tree.run_id}/{request.unit}/plan"
        record = PlanRecord(
            unit=request.unit,
            run_id=request.tree.run_id,
            commit=request.tree.head_commit,
            tree_commit=request.tree.tree_commit,
            digest=f"sha256:{'d' * 64}",
            summary=PlanSummary(add=3, change=1),
            dependencies=(),
            binary=f"{key}/plan.bin",
            json_document=f"{key}/plan.json",
            text=f"{key}/plan.txt",
            log=f"{key}/plan.log",
            text_preview=_PLAN_TEXT,
        )
        return PlanAnswer(record=record)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> PostedComment:
        self.calls["post_comment"] += 1
        number = comment.pull_request
        if comment.key.endswith(":plan"):
            self._plans[number] += 1
            if self._plans[number] == len(UNITS):
                self.planned_at[number] = time.monotonic()
                self._planned.set()
        return PostedComment(comment_id=self.calls.total(), url="", updated_at="2026-01-01T00:00:01Z")

    @activity.defn
    async def set_check(self, check: SetCheck) -> CheckRun:
        self.calls["set_check"] += 1
        return CheckRun(check_run_id=check.check_run_id or 1)

    @activity.defn
    async def post_message(self, message: PostMessage) -> PostedMessage:
        self.calls["post_message"] += 1
        return PostedMessage(channel=message.channel, ts="1")

    @activity.defn
    async def remove_work_tree(self, _: RemoveWorkTree) -> Nothing:
        self.calls["remove_work_tree"] += 1
        return Nothing()
