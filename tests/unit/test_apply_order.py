"""Where a commit stands to what was applied before it, and what people are told of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from docustack.apply_audit import AuditedApply, audit_folder
from docustack.apply_order import Commit, Standing, UnitOrder, out_of_order, pull_requests_to_ask, standing
from docustack.apply_order_comments import behind_comment, skipped_behind
from docustack.comment_text import prose
from docustack.events import PullRequestFacts
from docustack.repository import Repository
from docustack.runs import UnitPhase

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPOSITORY = Repository(owner="docustack", name="live")
VPC = "dev/us-east-1/vpc"


def applied(pull_request: int | None = 12, **changes: Any) -> AuditedApply:
    fields: dict[str, Any] = {
        "repository": REPOSITORY,
        "unit": VPC,
        "environment": "dev",
        "run_id": "r1",
        "actor": "ada",
        "at": datetime(2026, 3, 1, 10, tzinfo=UTC),
        "outcome": UnitPhase.APPLIED,
        "pull_request": pull_request,
        "base_ref": "main",
        "base_commit": "b" * 40,
        "head_commit": "a" * 40,
        "tree_commit": "c" * 40,
    }
    return AuditedApply(**{**fields, **changes})


def other(state: str, *, merged: bool = False, number: int = 12) -> PullRequestFacts:
    return PullRequestFacts(
        number=number,
        title="",
        author="ada",
        state=state,
        merged=merged,
        draft=False,
        head_commit="a" * 40,
        head_ref="wide",
        base_ref="main",
        from_fork=False,
        url="",
        created_at="",
        merge_commit="d" * 40 if merged else None,
    )


def order(last: AuditedApply | None, **said: Any) -> UnitOrder:
    return UnitOrder(unit=VPC, last=last, **said)


LACKS = {"has_base": True, "lacked": (Commit(commit="a" * 40, subject="Widen", author="Ada"),), "lacked_count": 1}


@pytest.mark.parametrize(
    "said,facts,where",
    [
        (order(None), None, Standing.CONTAINED),
        (order(applied(), has_head=True, has_base=True), None, Standing.CONTAINED),
        (order(applied(), same_inputs=True), None, Standing.CONTAINED),
        (order(applied(), has_base=True, has_merge=True), other("closed", merged=True), Standing.CONTAINED),
        (order(applied(), **LACKS), other("open"), Standing.UNMERGED),
        (order(applied(), **LACKS), other("closed"), Standing.ABANDONED),
        (order(applied(), **LACKS, base_branch_has_it=True), other("closed", merged=True), Standing.BEHIND),
        (order(applied(), **LACKS), other("closed", merged=True), Standing.ABANDONED),  # main was pushed over
        (order(applied(None), base_branch_has_it=True), None, Standing.BEHIND),
        (order(applied(None)), None, Standing.ABANDONED),
        (order(applied(7), has_base=True), None, Standing.CONTAINED),  # a later head of the same pull request
        (order(applied(7), base_branch_has_it=True), None, Standing.BEHIND),
    ],
)
def test_where_the_commit_of_pull_request_7_stands(
    said: UnitOrder, facts: PullRequestFacts | None, where: Standing
) -> None:
    assert standing(said, 7, facts) is where


def test_only_the_fate_of_other_pull_requests_that_are_lacked_is_asked_for() -> None:
    orders = [
        order(applied(12), **LACKS),
        order(applied(13), has_head=True, has_base=True),
        order(applied(7)),
        order(applied(None)),
        order(None),
    ]
    assert pull_requests_to_ask(orders, 7) == [12]


def test_refusal_names_the_lacked_commits_and_says_merge_main_first() -> None:
    commits = tuple(Commit(commit=f"{n:x}" * 40, subject=f"Change {n}", author="Ada") for n in range(1, 11))
    behind = order(applied(), has_base=True, base_branch_has_it=True, lacked=commits, lacked_count=14)
    told = behind_comment(out_of_order([behind], 7, {12: other("closed", merged=True)}), "main", NOW)
    assert "- `1111111` Change 1 (Ada)" in told
    assert "- and 4 more" in told
    assert "It lacks 14 commits" in told
    assert "`aaaaaaa` was applied from pull request 12 by `ada`, 2026-03-01 10:00 UTC (2 hours ago)" in told
    assert "merge `main` first" in told


def test_what_only_an_open_pull_request_has_waits_for_its_merge() -> None:
    told = behind_comment(out_of_order([order(applied(), **LACKS)], 7, {12: other("open")}), "main", NOW)
    assert "Pull request 12 isn't merged yet. Once that is done, merge `main` first" in told


def test_subject_of_a_commit_pings_nobody_and_opens_no_code() -> None:
    nasty = Commit(commit="e" * 40, subject="`@everyone <b>", author="@ada")
    found = out_of_order([order(applied(), lacked=(nasty,), lacked_count=1)], 7, {12: other("open")})
    told = prose(behind_comment(found, "main", NOW))
    assert "@everyone" not in told
    assert "<b>" not in told
    assert told.count("`") % 2 == 0


def test_skipped_merge_commit_says_what_is_ahead_of_it() -> None:
    (found,) = out_of_order([order(applied(None), base_branch_has_it=True, **LACKS)], None, {})
    assert skipped_behind(found, "f" * 40, NOW).startswith(
        "`fffffff` is behind what is applied here, so it was skipped"
    )


def test_records_of_a_unit_sort_by_time_and_lie_apart_from_those_of_units_below_it() -> None:
    earlier = applied(at=datetime(2026, 3, 1, 9, 59, 59, 999_999, tzinfo=UTC), run_id="zz")
    assert earlier.key < applied().key
    assert not applied(unit=f"{VPC}/nested").key.startswith(audit_folder(REPOSITORY, VPC))
