"""The commits of the world in memory: what was applied, and what of it others contain."""

from temporalio import activity

from activities.messages import CompareOrder, Nothing, OrderAnswer
from docustack.apply_audit import AuditedApply
from docustack.apply_order import Commit, UnitOrder


class Commits:
    """git and the record of applies; unless a test says otherwise every commit contains what was applied before."""

    def __init__(self) -> None:
        self.audit: list[AuditedApply] = []
        self.lacked: set[str] = set()  # commits that only their own pull request has

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
            has_head=has_head,
            has_base=True,
            has_merge=merge is not None and merge not in self.lacked,
            lacked=lacked,
            lacked_count=len(lacked),
        )
