"""Check runs: made and updated by the bot, as only a GitHub App may."""

from pydantic import BaseModel

from local.github.errors import forbidden, invalid
from local.github.hub import Hub, now
from local.github.records import CheckRun, CheckStatus, Conclusion, User

MAXIMUM = 65_535


class CheckOutput(BaseModel):
    title: str | None = None
    summary: str | None = None
    text: str | None = None


class CheckChange(BaseModel):
    """What may be said of a check run; what is left out stays as it is."""

    name: str | None = None
    status: CheckStatus | None = None
    conclusion: Conclusion | None = None
    external_id: str | None = None
    details_url: str | None = None
    output: CheckOutput | None = None


def create(hub: Hub, actor: User, head_sha: str, wanted: CheckChange) -> CheckRun:
    _require_app(actor)
    if not wanted.name:
        raise invalid("CheckRun", "name", "missing_field")
    if hub.repository.resolve(head_sha) != head_sha:
        raise invalid("CheckRun", "head_sha", "custom", f"No commit found for SHA: {head_sha}")
    run = _changed(CheckRun(name=wanted.name, head_sha=head_sha), wanted)
    return hub.store.add(run)


def update(hub: Hub, actor: User, run: CheckRun, wanted: CheckChange) -> CheckRun:
    _require_app(actor)
    changed = _changed(run, wanted)
    hub.store.save(changed)
    return changed


def listed(hub: Hub, sha: str, name: str | None, status: str | None, superseded: bool) -> list[CheckRun]:
    """The check runs of a commit, newest first: the newest of each name, or with those that it superseded."""
    runs = hub.store.all(CheckRun, sha)
    if not superseded:
        runs = list({run.name: run for run in runs}.values())
    chosen = [run for run in runs if name in (None, run.name) and status in (None, run.status)]
    return sorted(chosen, key=lambda run: -run.id)


def _changed(run: CheckRun, wanted: CheckChange) -> CheckRun:
    fields = wanted.model_dump(exclude_none=True, exclude={"output"})
    if wanted.output is not None:
        fields |= wanted.output.model_dump(exclude_none=True)
    for name in ("summary", "text"):
        if len(fields.get(name) or "") > MAXIMUM:
            raise invalid("CheckRun", name, "custom", f"Only {MAXIMUM} characters are allowed.")
    # As on GitHub: a conclusion completes the run, and a run that is taken up again has none.
    if wanted.conclusion is not None:
        fields["status"] = "completed"
    elif wanted.status == "completed" and run.conclusion is None:
        raise invalid("CheckRun", "conclusion", "missing_field")
    elif wanted.status is not None and wanted.status != "completed":
        fields |= {"conclusion": None, "completed_at": None}
    if fields.get("status") == "completed":
        fields["completed_at"] = now()
    if fields.get("status") in ("in_progress", "completed") and run.started_at is None:
        fields["started_at"] = now()
    return run.model_copy(update=fields)


def _require_app(actor: User) -> None:
    if actor.kind != "Bot":
        raise forbidden("You must authenticate via a GitHub App.")
