"""What was applied before, compared with what is to be applied: on real git, with the records in a folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from activities.apply_audit import ApplyAudit
from activities.apply_order import LACKED_SHOWN, ApplyOrder, CompareOrder
from activities.artifacts import open_store
from activities.git import Git
from docustack.apply_audit import AuditedApply
from docustack.apply_order import Standing, UnitOrder, standing
from docustack.repository import Repository
from docustack.runs import UnitPhase
from tests.integration.origin import Origin

REPOSITORY = Repository(owner="docustack", name="live")
VPC = "dev/vpc"


class Guard:
    """One worker's order guard, and the repository in which people work."""

    def __init__(self, folder: Path) -> None:
        self.origin = Origin(folder / "origin", {"dev/vpc/terragrunt.hcl": "", "README.md": ""})
        self.store = open_store(str(folder / "artifacts"), Fernet.generate_key())
        self.git = Git(data_dir=folder / "data", host="here", clone_url=lambda _: self.origin.url)
        self.order = ApplyOrder(work_trees=self.git, artifacts=self.store)
        self.at = datetime(2026, 3, 1, tzinfo=UTC)

    def tip(self, branch: str = "main") -> str:
        return self.origin.git("rev-parse", branch)

    def work(self, branch: str, *changes: str) -> str:
        """Commits on a branch, one a change, and their end."""
        for change in changes:
            self.origin.on(branch).commit({f"dev/vpc/{change}.txt": change})
        return self.tip(branch)

    async def applied(self, head: str, base: str | None = None, *, number: int | None = 12, **changes: Any) -> None:
        self.at += timedelta(minutes=1)
        record = AuditedApply(
            repository=REPOSITORY,
            unit=VPC,
            environment="dev",
            run_id=f"r{self.at.minute}",
            actor="ada",
            at=self.at,
            outcome=UnitPhase.APPLIED,
            pull_request=number,
            base_ref="main",
            base_commit=base or head,
            head_commit=head,
            tree_commit=head,
        )
        await self.order.record_apply(record.model_copy(update=changes))

    async def compare(self, *commits: str, inputs: str = "", merges: dict[int, str] | None = None) -> UnitOrder:
        question = CompareOrder(
            repository=REPOSITORY,
            base_ref="main",
            commits=commits,
            units={VPC: inputs},
            pull_request=7,
            merges=merges or {},
        )
        return (await self.order.compare_order(question)).units[0]


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path)


async def test_unit_that_was_never_applied_has_nothing_to_lose(guard: Guard) -> None:
    assert await guard.compare(guard.tip()) == UnitOrder(unit=VPC)


async def test_record_is_made_once_and_the_newest_counts(guard: Guard) -> None:
    await guard.applied(guard.tip(), number=12)
    await guard.applied(guard.tip(), number=13)
    await guard.applied(guard.tip(), number=14, at=guard.at, run_id=f"r{guard.at.minute}")
    last = await ApplyAudit(guard.store).last(REPOSITORY, VPC)
    assert last is not None
    assert last.pull_request == 13
    assert len(await guard.store.list("audit/")) == 2


async def test_merged_pull_request_is_contained_in_what_is_merged_into_the_new_base(guard: Guard) -> None:
    base = guard.tip()
    mine, theirs = guard.work("mine", "a"), guard.work("theirs", "b")
    await guard.applied(theirs, base)
    guard.origin.on("main").git("merge", "--quiet", "--no-ff", "theirs")
    order = await guard.compare(mine, guard.tip())
    assert (order.has_head, order.has_base) == (True, True)


async def test_applied_head_that_is_not_merged_is_lacked_with_its_commits(guard: Guard) -> None:
    base = guard.tip()
    mine, theirs = guard.work("mine", "a"), guard.work("theirs", *(f"change-{n}" for n in range(12)))
    await guard.applied(theirs, base)
    order = await guard.compare(mine, base)
    assert (order.has_head, order.base_branch_has_it, order.lacked_count) == (False, False, 12)
    assert len(order.lacked) == LACKED_SHOWN
    assert (order.lacked[0].commit, order.lacked[0].subject, order.lacked[0].author) == (theirs, "Change", "Developer")


@pytest.mark.parametrize("how", ["squash", "rebase"])
async def test_squash_and_rebase_contain_what_was_applied_once_their_commit_is_known(guard: Guard, how: str) -> None:
    base = guard.tip()
    mine, theirs = guard.work("mine", "a"), guard.work("theirs", "b", "c")
    await guard.applied(theirs, base)
    guard.work("main", "somebody-elses")
    if how == "squash":
        guard.origin.git("merge", "--quiet", "--squash", "theirs")
        guard.origin.git("commit", "--quiet", "--message", "Widen (#12)")
    else:
        guard.origin.git("cherry-pick", f"{base}..theirs")
    merged = guard.tip()
    guard.origin.git("branch", "-D", "theirs")
    unknown = await guard.compare(mine, merged)
    assert not unknown.has_head
    known = await guard.compare(mine, merged, merges={12: merged})
    assert known.has_merge
    assert standing(known, 7) is Standing.CONTAINED
    behind = await guard.compare(mine, base, merges={12: merged})
    assert (behind.has_merge, behind.base_branch_has_it) == (False, True)
    assert standing(behind, 7) is Standing.BEHIND
    assert merged in [commit.commit for commit in behind.lacked]


async def test_same_files_undo_nothing_whatever_their_commits_are(guard: Guard) -> None:
    theirs = guard.work("theirs", "b")
    await guard.applied(theirs, guard.tip(), inputs="sha256:same")
    assert (await guard.compare(guard.tip(), inputs="sha256:same")).same_inputs
    assert not (await guard.compare(guard.tip(), inputs="sha256:other")).same_inputs


async def test_records_without_a_digest_are_never_the_same(guard: Guard) -> None:
    await guard.applied(guard.work("theirs", "b"), guard.tip())
    assert not (await guard.compare(guard.tip())).same_inputs


async def test_older_merge_commit_is_behind_the_newer_one_that_was_applied_first(guard: Guard) -> None:
    older = guard.work("main", "a")
    newer = guard.work("main", "b")
    await guard.applied(newer, number=None)
    order = await guard.compare(older)
    assert (order.has_head, order.base_branch_has_it) == (False, True)
    assert [commit.commit for commit in order.lacked] == [newer]
    assert standing(order, None) is Standing.BEHIND


async def test_base_branch_that_was_pushed_over_no_longer_has_what_was_applied(guard: Guard) -> None:
    base = guard.tip()
    lost = guard.work("main", "a")
    await guard.applied(lost, number=None)
    guard.origin.git("reset", "--quiet", "--hard", base)
    order = await guard.compare(guard.work("mine", "b"), base)
    assert standing(order, 7) is Standing.ABANDONED


async def test_commit_that_is_nowhere_any_more_is_lacked_without_its_history(guard: Guard) -> None:
    await guard.applied("d" * 40, guard.tip())
    order = await guard.compare(guard.tip())
    assert (order.has_head, order.lacked, order.lacked_count) == (False, (), 0)


async def test_other_host_fetches_what_it_compares(guard: Guard, tmp_path: Path) -> None:
    base = guard.tip()
    theirs = guard.work("theirs", "b")
    await guard.applied(theirs, base)
    elsewhere = Git(data_dir=tmp_path / "elsewhere", host="there", clone_url=lambda _: guard.origin.url)
    guard.order = ApplyOrder(work_trees=elsewhere, artifacts=guard.store)
    order = await guard.compare(theirs, base)
    assert (order.has_head, order.has_base) == (True, True)
