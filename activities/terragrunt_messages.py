"""What is asked of one unit, and what comes of it."""

from docustack.configuration import Environment
from docustack.model import Model
from docustack.plans import Change, DependencyOutputs, PlanRecord, PlanSummary
from docustack.repository import WorkTree
from docustack.terragrunt_errors import StateLock


class PlanShape(Model):
    """What a plan is of, where it isn't of the whole difference between a unit's configuration and AWS."""

    targets: tuple[str, ...] = ()  # addresses: nothing else is planned
    refresh_only: bool = False  # what AWS has, taken into the state
    address: str = ""  # of a resource that is to be imported
    resource_id: str = ""  # of what is imported, as the provider knows it


class UnitRequest(Model):
    """One unit of a run's work tree, and as whom to work on it."""

    tree: WorkTree
    unit: str
    environment_name: str
    environment: Environment
    actor: str
    pull_request: int | None = None
    timeout_minutes: int = 30
    text_limit: int = 60_000  # characters of redacted output to return for comments
    destroy: bool = False  # the unit is planned for destruction, in a tree that still has it
    shape: PlanShape = PlanShape()


class CheckAccount(UnitRequest):
    """Whose are the credentials that this unit, and all others of its environment in the run, will get?"""

    changes: bool


class PlanRequest(UnitRequest):
    """Plan one unit."""

    previews: bool = True  # also from the mocks of a dependency without outputs


class PlanAnswer(Model):
    """`record` is None where the unit is deferred: then `waits_for` names the dependencies that lack outputs."""

    record: PlanRecord | None
    waits_for: tuple[str, ...] = ()


class OutputsAnswer(Model):
    """The present outputs of a unit's direct dependencies, as digests."""

    dependencies: tuple[DependencyOutputs, ...]


class CoverageRequest(Model):
    """Does the approval of one plan cover another?"""

    approved: PlanRecord
    new: PlanRecord


class CoverageAnswer(Model):
    """`beyond` names (at most 50 of) the changes of the new plan that the approved one did not have."""

    covered: bool
    beyond: tuple[Change, ...] = ()
    beyond_count: int = 0


class ApplyRequest(UnitRequest):
    """Apply one saved plan, through Terragrunt."""

    plan: PlanRecord


class AttendApply(ApplyRequest):
    """Of an apply of this plan that Temporal has lost sight of; `end`: have it interrupted, its run was cancelled."""

    end: bool = False


class ApplyAnswer(Model):
    """How an apply ended; a failed one is an `ApplicationError` instead."""

    summary: PlanSummary
    text: str  # redacted, from `Apply complete!` on, outputs included; at most 60,000 characters
    log: str
    reattached: bool = False


class FailureDetails(Model):
    """What an `ApplicationError` of a unit carries beside its message: the last useful lines, redacted, and the log."""

    text: str = ""
    log: str | None = None
    state_lock: StateLock | None = None


class FreeStateLock(UnitRequest):
    """Free a Terraform state lock that a dead process of ours has left."""


class StateLockAnswer(Model):
    """What was found: `freed` only when the lock was ours and no process of its lives; else `message` says why not."""

    locked: bool
    freed: bool
    lock_id: str | None = None
    who: str | None = None
    since: str | None = None
    message: str = ""
    living: bool = False  # an apply of ours may still work on the unit, whether or not it holds that lock
