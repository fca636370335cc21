"""All that a run carries: its state, whole, so that it can continue as new between two batches."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from docustack.checks import Check
    from docustack.configuration import Configuration
    from docustack.deleted_units import DeletedUnit, Fate
    from docustack.destroy_order import order_of
    from docustack.events import pull_request_workflow_id
    from docustack.modes import PlanOnly, elsewhere_remarks, is_applied_from, plan_only, plan_only_remark
    from docustack.plans import PlanRecord
    from docustack.repository import Discovery, WorkTree
    from docustack.runs import Operation, RunInput, RunStatus
    from docustack.shown_plans import ShownPlan, says_the_same, shown_plan
    from workflows.run_models import RunState


class Refused(Exception):
    """A rule said no: nothing was changed, and the message tells the person why and what to do."""

    def __init__(
        self,
        message: str,
        *,
        on_check: bool = False,
        status: RunStatus = RunStatus.REFUSED,
        check: Check | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.on_check = on_check
        self.status = status
        self.check = check  # where the check of a refusal would say something else than that a person has to act


class Run:
    """One run at work: its input, its state, and what has been signalled to it."""

    def __init__(self, start: RunInput, state: RunState) -> None:
        self.start = start
        self.state = state
        self.asking = 0  # units that wait for a yes of their own
        self.applying = 0  # units that Terraform works on at this moment
        self.wakes = 0  # grows with every signal that says: look again
        self.commanded: list[tuple[str, datetime]] = []  # who commanded the apply anew, and when

        self.finding_host = asyncio.Lock()  # one asks for an environment's host, the others get the same answer
        self.renewed_at: dict[str, datetime] = {}  # at the gate: since when a new plan asks for a yes of its own

    def stop_if_cancelled(self) -> None:
        """Begin nothing after a cancellation, even where what was waited for ended well in spite of it.

        Raises:
            CancelledError: the run was cancelled.
        """
        if self.is_cancelled:
            raise asyncio.CancelledError

    @property
    def is_cancelled(self) -> bool:
        return workflow.cancellation_reason() is not None

    @property
    def base_ref(self) -> str:
        """The branch whose rules count, and with which it is compared what is applied."""
        if self.start.pull_request is not None:
            return self.start.pull_request.base_ref
        return self.state.loaded.ref if self.state.loaded is not None else ""

    @property
    def head_commit(self) -> str:
        """The commit that people approve; of a run without a pull request it is known once it is checked out."""
        if self.start.pull_request is not None:
            return self.start.pull_request.head_commit
        return self.state.tree.head_commit if self.state.tree is not None else ""

    @property
    def author(self) -> str:
        """Whose own approval doesn't count."""
        return self.start.pull_request.author if self.start.pull_request is not None else self.start.actor

    @property
    def holder(self) -> str:
        """The workflow id under which it holds units: its pull request keeps them, else they end with the run."""
        if self.start.pull_request is not None:
            return pull_request_workflow_id(self.start.repository, self.start.pull_request.number)
        return workflow.info().workflow_id

    @property
    def stays_at_commit(self) -> bool:
        """What was merged, or was ordered at a commit, is applied as it is there, wherever the branch moves."""
        return bool(self.start.merge_commit) or self.start.manual is not None

    @property
    def prefix(self) -> str:
        """With which a command begins that this run's people would give next."""
        return self.configuration.comment_prefixes[0] if self.start.pull_request is not None else "docustack"

    @property
    def is_unwanted_draft(self) -> bool:
        """A draft that nobody asked to plan; one that has plans, since somebody did ask, keeps them up to date."""
        start = self.start
        unasked = start.automatic and not start.only_outdated
        return start.draft and unasked and not self.configuration.pull_requests.plan_drafts

    @property
    def configuration(self) -> Configuration:
        assert self.state.loaded is not None
        assert self.state.loaded.configuration is not None
        return self.state.loaded.configuration

    @property
    def tree(self) -> WorkTree:
        assert self.state.tree is not None
        return self.state.tree

    @property
    def discovery(self) -> Discovery:
        assert self.state.discovery is not None
        return self.state.discovery

    @property
    def asks_nobody(self) -> bool:
        """Its actor has said yes beforehand to whatever its plans show, and none of its environments wants more.

        Then nobody looks at a plan before it is applied, and one made from mock outputs would only be made again.
        """
        order, rules = self.start.manual, self.configuration.environments
        confirmed = order is not None and order.confirmed and self.start.operation is Operation.APPLY
        return confirmed and not any(rules[name].approvals.minimum for name in self.environments())

    def plan_only(self, units: Iterable[str]) -> tuple[PlanOnly, ...]:
        """Those of the units that are never applied, with where that is set."""
        return plan_only(self.configuration, units, self.state.loaded.lines if self.state.loaded else {})

    def is_applied_from_here(self, unit: str) -> bool:
        return is_applied_from(self.configuration, unit, self.base_ref)

    def for_information(self, units: Iterable[str]) -> list[str]:
        """Why plans among these are only for information, one remark a reason."""
        units = sorted(units)
        elsewhere = elsewhere_remarks(self.configuration, units, self.base_ref)
        return [*(plan_only_remark(found) for found in self.plan_only(units)), *elsewhere]

    def renew(self, unit: str, plan: PlanRecord | None, shown_at: str, asked: datetime) -> None:
        """Take a new plan in the place of the one that was to be applied; None where there can be none yet."""
        plans = [known for known in self.start.plans if known.unit != unit]
        deferred = {*self.start.deferred} - {unit}
        self.state.shown.pop(unit, None)
        if plan is None:
            deferred.add(unit)
        else:
            plans.append(plan.without_text().model_copy(update={"shown_at": shown_at}))
            self.state.renewed = sorted({*self.state.renewed, unit})
        self.start = self.start.model_copy(update={"plans": tuple(plans), "deferred": tuple(sorted(deferred))})
        if plan is not None and (not plan.summary.is_empty or plan.is_preview):
            self.show_plan(plans[-1])
            self.renewed_at[unit] = asked

    def keep_plan(self, plan: PlanRecord) -> None:
        """Take a new plan that nobody has to say yes to once more."""
        plans = [known for known in self.start.plans if known.unit != plan.unit]
        self.start = self.start.model_copy(update={"plans": (*plans, plan)})
        self.show_plan(plan)

    def renewed_plans(self) -> tuple[PlanRecord, ...]:
        """Those of them that it has not begun to apply: the pull request keeps them."""
        ended = {unit for unit, outcome in self.state.outcomes.items() if outcome.plan is not None}
        left = [unit for unit in self.state.renewed if unit not in ended]
        return tuple(plan for plan in self.start.plans if plan.unit in left)

    def show_plan(self, plan: PlanRecord) -> None:
        """From now on this is the unit's plan that an approval has to be of; one that says the same changes nothing."""
        before, number = self.state.shown.get(plan.unit), 1 + self.plans_shown
        shown = shown_plan(plan, number)
        if before is None or not says_the_same(before, shown):
            self.state.shown[plan.unit] = shown

    @property
    def plans_shown(self) -> int:
        """The number of the plan, or change of the rules, that was shown last."""
        rules = self.state.shown_rules
        numbers = [shown.number for shown in self.state.shown.values()]
        return max([*numbers, rules.number if rules is not None else 0])

    def waiting_plans(self, environment: str) -> list[ShownPlan]:
        """What of an environment there is to approve: what has ended is nobody's question any more."""
        units = [unit for unit in self.state.selected if unit not in self.state.outcomes]
        return [
            self.state.shown[unit]
            for unit in units
            if unit in self.state.shown and self.environment_of(unit) == environment
        ]

    @property
    def deleted(self) -> dict[str, DeletedUnit]:
        return {each.unit: each for each in self.state.deleted}

    def deletes(self, unit: str) -> bool:
        """Is it one whose folder only the base branch has?"""
        return any(each.unit == unit and each.in_base for each in self.discovery.deletions)

    def tree_of(self, unit: str) -> WorkTree:
        """A deleted unit is worked on in the base branch's tree, which still has it."""
        if self.deletes(unit) or unit in self.discovery.gone_since:
            return self.tree.of_base()
        return self.tree.of_now() if unit in self.discovery.come_since else self.tree

    def destroys(self, unit: str) -> bool:
        """Is it planned for destruction?"""
        return any(each.unit == unit and each.fate is Fate.DESTROY for each in self.state.deleted)

    @property
    def order(self) -> dict[str, tuple[str, ...]]:
        """For each unit those that come before it: its dependencies, or of a deleted one who depended on it."""
        return order_of(self.discovery, self.state.deleted)

    def environment_of(self, unit: str) -> str:
        """The environment of a unit that was selected: only units within one are."""
        environment = self.configuration.environment_of(unit)
        assert environment is not None
        return environment

    def environments(self) -> list[str]:
        """The environments of the selected units, in the order in which they are applied."""
        present = {self.environment_of(unit) for unit in self.state.selected}
        return [name for name in self.configuration.environment_order() if name in present]
