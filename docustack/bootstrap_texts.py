"""What a bootstrap says to people: in the terminal, in Temporal's UI, in its commit and pull request."""

from collections.abc import Sequence

from docustack.bootstrap import BootstrapEnd, BootstrapOrder, BootstrapOutcome, Undone
from docustack.bootstrap_file import FILE
from docustack.comment_text import enumerated
from docustack.decisions import GivenDecision
from docustack.plans import PlanRecord
from docustack.prerequisites import Area, Prerequisite
from docustack.state_backend import Adoption, BackendFacts, BackendPlace, Presence


def met(checks: Sequence[Prerequisite]) -> list[str]:
    """Who the worker is in AWS, word for word; of the rest, that it was asked."""
    well = [check for check in checks if check.is_ok]
    # Both workers, that of the queue and that of the environment, have tools of the same names.
    others = list(dict.fromkeys(check.name for check in well if check.area is not Area.AWS))
    told = [check.found for check in well if check.area is Area.AWS]
    return [*told, f"{enumerated(others)}: ok"] if others else told


DRY_RUN_LOST = "The host with what the dry run had adopted is gone, so it can't be told what a bootstrap would change."


def dry_run(order: BootstrapOrder, plan: PlanRecord | None, adopted: Sequence[Adoption]) -> BootstrapOutcome:
    """The plan as a bootstrap would carry it out; None where an earlier one has come to its end."""
    if plan is None:
        message = f"{order.environment} ({order.account_id}) is bootstrapped: its state lies in its bucket."
        return BootstrapOutcome(end=BootstrapEnd.DRY_RUN, message=message)
    changes = plan.summary
    message = (
        f"Dry run: {changes.add} to add, {changes.change} to change, {changes.destroy} to destroy in "
        f"{order.environment} ({order.account_id}). Nothing was touched."
    )
    if adopted:
        message += f" A bootstrap would adopt before: {enumerated([f'{one.address} ({one.id})' for one in adopted])}."
    return BootstrapOutcome(end=BootstrapEnd.DRY_RUN, message=message, plan=plan.text_preview)


def done(order: BootstrapOrder, pull_request: str, *, before: bool) -> BootstrapOutcome:
    where = f"{order.environment} ({order.account_id})"
    merge = f"Merge {pull_request}, which switches `remote_state` on in {FILE}." if pull_request else ""
    if not before:
        message = f"{where} is bootstrapped: bucket and table are there, and the state lies in the bucket."
        end = BootstrapEnd.DONE
    else:
        message = f"{where} was bootstrapped before: nothing was changed, and the plan shows no changes."
        end = BootstrapEnd.NOTHING_TO_DO
    return BootstrapOutcome(end=end, message=" ".join(filter(None, [message, merge])), pull_request=pull_request)


def with_undo(outcome: BootstrapOutcome, undone: Undone, kept: str, stays: str = "") -> BootstrapOutcome:
    """What failed, then, on lines of its own, what became of what had been made by then.

    What failed may end in a command, which is copied with the rest of its line.
    """
    told = []
    if undone.done:
        told.append(f"Undone: {enumerated(list(undone.done))}.")
    elif not undone.left:
        told.append("Nothing had to be undone.")
    if undone.left:
        told.append(f"Left as it is: {enumerated(list(undone.left))}.")
    if stays:
        told.append(stays)
    if kept:
        told.append(f"The local state is kept as the artifact {kept}.")
    once = "" if outcome.end is BootstrapEnd.CANCELLED else "Once it is mended, "
    told.append(f"{once}{'t' if once else 'T'}he same command goes on from here.")
    message = f"{outcome.message}\n{' '.join(told)}"
    return outcome.model_copy(update={"message": message, "undone": undone.done, "left": undone.left})


def nothing_begun(outcome: BootstrapOutcome) -> BootstrapOutcome:
    """Of an order that wasn't accepted: there is nothing to go on with."""
    return outcome.model_copy(update={"message": f"{outcome.message}\nNothing was touched."})


def stays(place: BackendPlace, *, migrated: bool) -> str:
    """What is not undone from the migration on."""
    where = ", and the state lies in the bucket" if migrated else ""
    return f"{place.bucket} and {place.lock_table} stay{where}."


IS_CANCELLED = (
    "The bootstrap ends: Terraform finishes what it has in hand, then what can be undone is undone, and told."
)
CANNOT_BE_JUDGED = "GitHub or a worker doesn't answer now, so it can't be told whether this counts. Send it again."


def cancelled(decisions: Sequence[GivenDecision]) -> str:
    """By whom and why, where they did so through our server."""
    given = next((one for one in reversed(decisions) if one.counts), None)
    by = f" by @{given.login}" if given is not None else ""
    why = f": {given.reason}" if given is not None and given.reason else ""
    return f"The bootstrap was cancelled{by}{why}."


def other_account(order: BootstrapOrder, known: str) -> str:
    return (
        f"`{order.environment}` is account {known} in docustack.yaml of the default branch, and this was ordered for "
        f"{order.account_id}. Pull, and order it again."
    )


def not_believed(*, has_key: bool) -> str:
    if not has_key:
        return "Nobody can tell who ordered this: this worker has no DOCUSTACK_APPROVAL_KEYS."
    return (
        "Nobody can tell who ordered this: the order has no signature of our server, or is too old. Order it with "
        "`docustack bootstrap`."
    )


def found(facts: BackendFacts, place: BackendPlace) -> str:
    bucket, table = facts.bucket.presence is Presence.PRESENT, facts.table.presence is Presence.PRESENT
    return ", ".join(
        [
            f"{place.bucket} {'exists' if bucket else 'is not there'}",
            f"{place.lock_table} {'exists' if table else 'is not there'}",
            *(["the state lies in the bucket"] if facts.state is not None else []),
        ]
    )


def would_destroy(plan: PlanRecord) -> str:
    return (
        f"The plan would destroy {plan.summary.destroy} resources, and a bootstrap destroys nothing: what exists does "
        f"not match `modules/state-backend`.\n{plan.text_preview}"
    )


def still_changes(plan: PlanRecord) -> str:
    changes = plan.summary
    return (
        f"With its state in the bucket the unit plans {changes.add} to add, {changes.change} to change, "
        f"{changes.destroy} to destroy; it has to be none.\n{plan.text_preview}"
    )


def commit_message(order: BootstrapOrder) -> str:
    return (
        f"Keep the state of the bootstrap unit in its bucket\n\nBucket and table of {order.environment} "
        f"({order.account_id}) exist and have it.\n\nOrdered by @{order.login}."
    )


def pull_request_title(order: BootstrapOrder) -> str:
    return f"Bootstrap {order.environment}: keep the state in its bucket"


def pull_request_body(order: BootstrapOrder) -> str:
    corrected = f"\n\n`account_id` is corrected to {order.account_id}." if order.fix_account_id else ""
    return (
        f"`{FILE}` as it was when `docustack bootstrap {order.environment}` migrated the state of account "
        f"{order.account_id} into the bucket: `remote_state` is switched on.{corrected}\n\nThe plan with it shows no "
        f"changes. Ordered by @{order.login}."
    )
