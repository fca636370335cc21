"""The commits of the world in memory: the base branch, what units read there, what was applied and who contains it."""

from collections.abc import Iterable

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.apply_order import CompareOrder, OrderAnswer
from activities.discovery import MovedInputsAnswer, MovedSince
from activities.git_messages import AskContained, CheckOut, CheckOutRef, ContainedAnswer
from docustack.apply_audit import AuditedApply
from docustack.apply_order import Commit, UnitOrder
from docustack.base_moves import MovedInputs
from docustack.errors import ErrorType
from docustack.model import Nothing
from docustack.repository import WorkTree

FIRST = "b" * 40


class Commits:
    """git and the record of applies; unless a test says otherwise every commit contains what was applied before."""

    def __init__(self) -> None:
        self.audit: list[AuditedApply] = []
        self.lacked: set[str] = set()  # commits that only their own pull request has
        self.on_base: set[str] = set()  # of those the ones that the base branch has
        self.same_inputs = False  # of every commit and what was applied last
        self.tip = FIRST  # of every base branch
        self.inputs: dict[str, str] = {}  # of units that read something else than they did at first
        self.moved_files: dict[str, tuple[str, ...]] = {}
        self.conflict = False

    def move_base(self, tip: str, inputs: dict[str, str] | None = None) -> None:
        """Somebody else's pull request was merged; `inputs` names the units that read what it changed."""
        self.tip = tip
        self.inputs.update(inputs or {})
        self.moved_files.update(dict.fromkeys(inputs or {}, ("root.hcl",)))

    def tree(self, question: CheckOut) -> WorkTree:
        if self.conflict:
            raise ApplicationError(
                f"The branch doesn't merge into `{question.base_ref}`.",
                type=ErrorType.MERGE_CONFLICT,
                non_retryable=True,
            )
        if question.merge_commit:
            return WorkTree(
                repository=question.repository,
                run_id=question.run_id,
                base_ref=question.base_ref,
                base_commit=FIRST,
                head_commit=question.merge_commit,
                merge_base=FIRST,
                tree_commit=question.merge_commit,
                base_tip=self.tip,
            )
        return WorkTree(
            repository=question.repository,
            run_id=question.run_id,
            base_ref=question.base_ref,
            base_commit=self.tip,
            head_commit=question.head_commit,
            merge_base=FIRST,
            tree_commit=f"{self.tip[:20]}{question.head_commit[:20]}",
        )

    def tree_of_ref(self, question: CheckOutRef) -> WorkTree:
        commit = question.ref if len(question.ref) == 40 else self.tip
        return WorkTree(
            repository=question.repository,
            run_id=question.run_id,
            base_ref=question.base_ref,
            base_commit=commit,
            head_commit=commit,
            merge_base=commit,
            tree_commit=commit,
        )

    def inputs_of(self, units: Iterable[str]) -> dict[str, str]:
        return {unit: self.inputs.get(unit, f"sha256:{unit}") for unit in units}

    @activity.defn
    async def ask_contained(self, question: AskContained) -> ContainedAnswer:
        return ContainedAnswer(contained=question.commit not in self.lacked)

    @activity.defn
    async def find_moved_inputs(self, question: MovedSince) -> MovedInputsAnswer:
        moved = [
            MovedInputs(unit=unit, files=self.moved_files.get(unit, ()), count=len(self.moved_files.get(unit, ())))
            for unit in question.since
        ]
        return MovedInputsAnswer(units=tuple(moved))

    def last(self, unit: str) -> AuditedApply | None:
        return next((record for record in reversed(self.audit) if record.unit == unit), None)

    @activity.defn
    async def record_apply(self, record: AuditedApply) -> Nothing:
        if all((known.run_id, known.unit) != (record.run_id, record.unit) for known in self.audit):
            self.audit.append(record)
        return Nothing()

    @activity.defn
    async def compare_order(self, question: CompareOrder) -> OrderAnswer:
        return OrderAnswer(units=tuple(self._compare(unit, question) for unit in question.units))

    def _compare(self, unit: str, question: CompareOrder) -> UnitOrder:
        last = self.last(unit)
        if last is None:
            return UnitOrder(unit=unit)
        has_head = last.head_commit in question.commits or last.head_commit not in self.lacked
        merge = question.merges.get(last.pull_request or 0)
        lacked = () if has_head else (Commit(commit=last.head_commit, subject="Widen it", author="Ada"),)
        return UnitOrder(
            unit=unit,
            last=last,
            same_inputs=self.same_inputs,
            has_head=has_head,
            base_branch_has_it=last.head_commit in self.on_base,
            has_base=True,
            has_merge=merge is not None and merge not in self.lacked,
            lacked=lacked,
            lacked_count=len(lacked),
        )
