"""The bootstrap of one account: who has ordered it, the guide's steps, where it stands and how it ended."""

import difflib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from docustack.aws_accounts import bucket_and_table
from docustack.configuration import Configuration
from docustack.decisions import GivenDecision
from docustack.model import Model, State
from docustack.repository import Repository
from docustack.signatures import is_signed_by, signature
from docustack.state_backend import BackendPlace
from docustack.state_document import StateFacts

_PURPOSE = b"docustack bootstrap 1\n"


def bootstrap_workflow_id(account_id: str) -> str:
    return f"bootstrap:{account_id}"


BRANCHES = "docustack/bootstrap-"
"""How the branches of all bootstraps begin."""


def bootstrap_branch(environment: str) -> str:
    return f"{BRANCHES}{environment}"


_FOLDERS, _DRY_RUN = "bootstrap-", "-dry-run"


def bootstrap_folder(account_id: str, *, dry_run: bool = False) -> str:
    """The name of its work trees on a host; the state that a dry run adopts into is nobody else's."""
    return f"{_FOLDERS}{account_id}{_DRY_RUN if dry_run else ''}"


def account_of_folder(folder: str) -> str:
    """Of a bootstrap's work tree; empty of any other."""
    account_id = folder.removeprefix(_FOLDERS)
    return account_id.removesuffix(_DRY_RUN) if account_id != folder else ""


class BootstrapOrder(Model):
    """One person's order, as our server has understood and signed it."""

    login: str = Field(min_length=1, max_length=100)
    repository: Repository
    environment: str = Field(min_length=1, max_length=100)
    account_id: str = Field(pattern=r"^\d{12}$")
    dry_run: bool = False
    fix_account_id: bool = False
    given_at: datetime
    nonce: str = Field(min_length=16, max_length=100)


class SignedBootstrapOrder(Model):
    """The server has verified the person; the signature says so to the workflow, which trusts nobody who reaches
    Temporal."""

    order: BootstrapOrder
    signature: str = Field(max_length=200)


def sign_order(order: BootstrapOrder, key: str) -> SignedBootstrapOrder:
    return SignedBootstrapOrder(order=order, signature=signature(_PURPOSE, order, key))


def is_genuine_order(signed: SignedBootstrapOrder, keys: Iterable[str]) -> bool:
    return is_signed_by(signed.signature, _PURPOSE, signed.order, keys)


class Step(StrEnum):
    """The guide's "Step 1: Bootstrap State Backend", in its order."""

    PREFLIGHT = "preflight"
    PREREQUISITES = "check the prerequisites"
    ACCOUNT = "check the account id"
    LOOK = "look for bucket and table"
    ADOPT = "adopt what exists"
    PLAN = "init and plan with local state"
    APPLY = "apply with local state"
    KEEP = "keep the local state as an artifact"
    VERIFY = "verify bucket and table"
    MIGRATE = "switch on remote_state, init -migrate-state"
    COMPARE = "compare the state in the bucket with the local one"
    NO_CHANGES = "plan without changes"
    PROPOSE = "offer terragrunt.hcl as a pull request"


class UndoStep(StrEnum):
    """What undoes, before the migration and from it on."""

    REMOVE = "remove what this run has made"
    RESTORE = "restore the local state"


class StepStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


class StepState(Model):
    """One step that has begun, or the undo of one."""

    name: str
    status: StepStatus
    detail: str = ""


class BootstrapEnd(StrEnum):
    DONE = "done"
    NOTHING_TO_DO = "nothing-to-do"  # it was done before
    DRY_RUN = "dry-run"
    REFUSED = "refused"  # before anything was touched
    CANCELLED = "cancelled"
    FAILED = "failed"


class BootstrapOutcome(Model):
    """`message` is what the person reads: what happened, or what failed, what was undone, and what to do."""

    end: BootstrapEnd
    message: str
    plan: str = ""  # redacted, of a dry run
    pull_request: str = ""  # its address
    kept_state: str = ""  # the artifact with the local state
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()  # what an undo has left, and why


class Undone(Model):
    """What an undo did, and what it left and why."""

    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class BootstrapState(State):
    """What `show` answers at any time."""

    environment: str
    account_id: str
    actor: str
    steps: list[StepState] = []
    decisions: list[GivenDecision] = []  # who has cancelled it, or wanted to
    outcome: BootstrapOutcome | None = None


def unknown_environment(known: Iterable[str], name: str) -> str:
    """With the nearest that there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    advice = f" Did you mean `{near[0]}`?" if near else ""
    return f"docustack.yaml has no environment `{name}`.{advice} It has {', '.join(names)}."


def wrong_names(configuration: Configuration, environment: str, place: BackendPlace) -> str:
    """Why the unit would make another backend than the one that docustack.yaml names; empty where it doesn't."""
    rules = configuration.environments[environment]
    state = configuration.state
    bucket, table = bucket_and_table(state.bucket, state.lock_table, environment, rules)
    if place.bucket != bucket:
        return (
            f"bootstrap/terragrunt.hcl would make the bucket {place.bucket}; docustack.yaml (`state.bucket`) has "
            f"{bucket} for account {rules.account_id}. If only the account id is wrong there: --fix-account-id "
            "corrects it, as part of the pull request."
        )
    if place.lock_table != table:
        return (
            f"bootstrap/terragrunt.hcl has the table {place.lock_table}; docustack.yaml (`state.lock_table`) {table}."
        )
    return ""


def why_not_equal(local: StateFacts, remote: StateFacts) -> str:
    """Why the state in the bucket is not the local one; empty where it is."""
    for what, mine, theirs in (
        ("lineage", local.lineage, remote.lineage),
        ("serial", local.serial, remote.serial),
        ("resources", ", ".join(local.addresses), ", ".join(remote.addresses)),
    ):
        if mine != theirs:
            return f"its {what} is {theirs}, the local state has {mine}"
    return "" if local.holds_the_same(remote) else "its resources have other attributes than those of the local state"


def why_not_ours(kept: StateFacts | None, remote: StateFacts) -> str:
    """Why a state that the bucket has already is not a later one of the state that was kept here; empty where it is,
    and where none was kept: then somebody has followed the guide by hand."""
    if kept is None or kept.lineage == remote.lineage:
        return ""
    return (
        f"The bucket has a state of the bootstrap unit of the lineage {remote.lineage}, and the one that was kept here "
        f"has {kept.lineage}: two bootstraps have been begun. Decide which state is true before anything goes on."
    )
