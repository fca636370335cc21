"""Check runs of a commit: created once, updated, found again by their `external_id`."""

from typing import Any

import githubkit

from activities.github_bodies import CHECK_RUN, CHECK_RUNS
from activities.github_calls import PAGE_SIZE, read
from activities.github_messages import CheckRun, SetCheck

TITLE_LIMIT = 255
SUMMARY_LIMIT = 65_535
"""Bytes, to be on the safe side: GitHub says characters, and stores bytes."""

_CHECKS = "checks: write, which only a GitHub App can have (set DOCUSTACK_GITHUB_APP_ID, its installation and key)"


class Checks:
    """The checks that branch protection can require."""

    def __init__(self, client: githubkit.GitHub[Any]) -> None:
        self._client = client

    async def set_check(self, check: SetCheck, *, may_exist: bool) -> CheckRun:
        """Create a check run, or update the one that `check_run_id` names.

        `may_exist`: an earlier attempt may have come through, so it is looked for first.
        """
        found: int | None = check.check_run_id
        if found is None and may_exist:
            found = await self._find(check)
        if found is None and check.only_existing:
            return CheckRun(check_run_id=None)
        fields = _fields(check)
        path = f"/repos/{check.repository.full_name}/check-runs"
        where = f"{check.repository.full_name}@{check.head_commit[:7]}"
        if found is None:
            call = self._client.arequest("POST", path, json=fields | {"head_sha": check.head_commit})
            answer = await read(f"create the check {check.name} on {where}", _CHECKS, call, CHECK_RUN)
        else:
            call = self._client.arequest("PATCH", f"{path}/{found}", json=fields)
            answer = await read(f"update the check {check.name} on {where}", _CHECKS, call, CHECK_RUN)
        return CheckRun(check_run_id=answer.id)

    async def _find(self, check: SetCheck) -> int | None:
        repository = check.repository
        number = 1
        while True:
            answer = await read(
                f"read the checks of {repository.full_name}@{check.head_commit[:7]}",
                _CHECKS,
                self._client.rest.checks.async_list_for_ref(
                    repository.owner,
                    repository.name,
                    check.head_commit,
                    check_name=check.name,
                    filter_="all",
                    per_page=PAGE_SIZE,
                    page=number,
                ),
                CHECK_RUNS,
            )
            for run in answer.check_runs:
                if run.external_id == check.external_id:
                    return run.id
            if len(answer.check_runs) < PAGE_SIZE:
                return None
            number += 1


def _fields(check: SetCheck) -> dict[str, object]:
    fields: dict[str, object] = {
        "name": check.name,
        "external_id": check.external_id,
        "output": {"title": cut(check.title, TITLE_LIMIT), "summary": cut(check.summary, SUMMARY_LIMIT)},
        # A conclusion completes the check; GitHub refuses one beside another status.
        "status": "completed" if check.conclusion else check.status,
    }
    if check.conclusion:
        fields["conclusion"] = check.conclusion
    if check.details_url:
        fields["details_url"] = check.details_url
    return fields


def cut(text: str, limit: int) -> str:
    """A text of at most `limit` bytes in UTF-8, its end replaced by an ellipsis where it is longer."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len("…".encode())].decode(errors="ignore") + "…"
