"""Records what was applied, and asks git what of it a commit contains."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.apply_audit import ApplyAudit
from activities.artifacts import ArtifactStore
from activities.git import Git
from activities.git_command import git
from activities.git_mirror import Mirror
from activities.unit_work import heartbeats
from docustack.apply_audit import AuditedApply
from docustack.apply_order import Commit, UnitOrder
from docustack.errors import ErrorType
from docustack.model import Model, Nothing
from docustack.plans import Digest
from docustack.repository import Repository

LACKED_SHOWN = 10
_RECORDS_AT_ONCE = 16

_Lacked = tuple[tuple[Commit, ...], int]


class CompareOrder(Model):
    """What of the units' last applies do commits contain that are to be applied there?

    `commits` are the head and the base that are merged, or the one commit of a branch; `units` gives for each unit the
    digest of its inputs at them; `merges` the commits by which pull requests were merged, where that is known.
    """

    repository: Repository
    base_ref: str
    commits: tuple[str, ...]
    units: dict[str, Digest]
    pull_request: int | None = None
    merges: dict[int, str] = {}


class OrderAnswer(Model):
    units: tuple[UnitOrder, ...]


class ApplyOrder:
    """The order guard's view of the world (design, "A run", rule 1)."""

    def __init__(self, *, work_trees: Git, artifacts: ArtifactStore) -> None:
        self._work_trees = work_trees
        self._audit = ApplyAudit(artifacts)

    @activity.defn
    async def record_apply(self, record: AuditedApply) -> Nothing:
        """Put on record that a unit was applied; for one unit of one run it is done once, however often it is asked."""
        await self._audit.add(record)
        return Nothing()

    @activity.defn
    @heartbeats
    async def compare_order(self, question: CompareOrder) -> OrderAnswer:
        """For each unit its last apply, and what of it the given commits contain; it counts while the lock is held."""
        limit = asyncio.Semaphore(_RECORDS_AT_ONCE)

        async def last(unit: str) -> AuditedApply | None:
            async with limit:
                return await self._audit.last(question.repository, unit)

        records = dict(zip(question.units, await asyncio.gather(*map(last, question.units)), strict=True))
        comparison = _Comparison(self._work_trees.mirror(question.repository), question)
        return OrderAnswer(units=tuple([await comparison.of(unit, records[unit]) for unit in question.units]))


class _Comparison:
    """One question's answers; many units were mostly applied at few commits, so each is asked about once."""

    def __init__(self, mirror: Mirror, question: CompareOrder) -> None:
        self._mirror = mirror
        self._question = question
        self._here: dict[str, bool] = {}
        self._ancestry: dict[tuple[str, tuple[str, ...]], bool] = {}
        self._lacked: dict[tuple[str, ...], _Lacked] = {}
        self._tip: str | None = None

    async def of(self, unit: str, last: AuditedApply | None) -> UnitOrder:
        inputs = self._question.units[unit]
        if last is None or (inputs and inputs == last.inputs):
            return UnitOrder(unit=unit, last=last, same_inputs=last is not None)
        commits = await self._candidates()
        merge = self._question.merges.get(last.pull_request or 0)
        wanted = (merge,) if merge else tuple(dict.fromkeys((last.head_commit, last.base_commit)))
        for commit in wanted:
            await self._bring(commit, None if merge else last.pull_request)
        order = UnitOrder(
            unit=unit,
            last=last,
            has_head=await self._contain(commits, last.head_commit),
            has_base=await self._contain(commits, last.base_commit),
            has_merge=merge is not None and await self._contain(commits, merge),
        )
        if order.has_merge or (order.has_head and order.has_base):
            return order
        tip = await self._tip_of_base()
        lacked, count = await self._commits_lacked(wanted, commits)
        has_it = all([await self._contain((tip,), commit) for commit in wanted])
        return order.model_copy(update={"base_branch_has_it": has_it, "lacked": lacked, "lacked_count": count})

    async def _candidates(self) -> tuple[str, ...]:
        """What is to be applied; it has to be here, else nothing can be said of it."""
        missing = [commit for commit in self._question.commits if not await self._mirror.has(commit)]
        if missing:
            async with self._mirror.exclusive() as lock:
                for commit in missing:
                    await self._mirror.fetch_commit(commit, self._question.pull_request, lock)
        return self._question.commits

    async def _bring(self, commit: str, pull_request: int | None) -> None:
        """Have a commit here, if it is anywhere: one that was pushed over may be gone."""
        if commit not in self._here:
            self._here[commit] = await self._mirror.has(commit) or await self._fetch(commit, pull_request)

    async def _fetch(self, commit: str, pull_request: int | None) -> bool:
        async with self._mirror.exclusive() as lock:
            try:
                await self._mirror.fetch_commit(commit, pull_request, lock)
            except ApplicationError as error:
                if error.type == ErrorType.NOT_FOUND:
                    return False
                raise
        return True

    async def _contain(self, commits: tuple[str, ...], commit: str) -> bool:
        key = (commit, commits)
        if key not in self._ancestry:
            known = self._here.get(commit) or await self._mirror.has(commit)
            self._ancestry[key] = known and any([await self._is_ancestor(commit, each) for each in commits])
        return self._ancestry[key]

    async def _is_ancestor(self, commit: str, of: str) -> bool:
        code, _ = await git(self._mirror.path, "merge-base", "--is-ancestor", commit, of, expected=(0, 1))
        return code == 0

    async def _tip_of_base(self) -> str:
        if self._tip is None:
            async with self._mirror.exclusive() as lock:
                self._tip = await self._mirror.fetch_branch(self._question.base_ref, lock)
        return self._tip

    async def _commits_lacked(self, wanted: tuple[str, ...], commits: tuple[str, ...]) -> _Lacked:
        here = tuple(commit for commit in wanted if self._here.get(commit))
        if not here:
            return (), 0
        if here not in self._lacked:
            lacks = (*here, *(f"^{commit}" for commit in commits))
            _, output = await git(
                self._mirror.path,
                *("log", "-z", f"--max-count={LACKED_SHOWN}", "--format=%H%x1f%s%x1f%an", *lacks, "--"),
            )
            _, count = await git(self._mirror.path, "rev-list", "--count", *lacks, "--")
            self._lacked[here] = tuple(_commits(output.decode(errors="replace"))), int(count)
        return self._lacked[here]


def _commits(output: str) -> list[Commit]:
    found = []
    for entry in output.split("\0"):
        if entry:
            commit, subject, author = entry.split("\x1f", 2)
            found.append(Commit(commit=commit, subject=subject[:200], author=author[:100]))
    return found
