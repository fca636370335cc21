"""What goes into and comes out of the activities of the bootstrap."""

from activities.terragrunt_messages import UnitRequest
from docustack.model import Model
from docustack.plans import ArtifactRef, PlanRecord
from docustack.repository import Repository, WorkTree
from docustack.state_backend import Adoption, BackendFacts, BackendPlace
from docustack.state_document import StateFacts


class BootstrapUnit(UnitRequest):
    """The bootstrap unit of one account, with its `remote_state` block switched on or off."""

    remote_state: bool
    account_id: str | None = None  # to be written into terragrunt.hcl; None: what stands there is right
    place: BackendPlace | None = None  # where the state is to lie; None: nobody has asked yet


class BootstrapPlan(BootstrapUnit):
    """Plan the unit."""


class BootstrapApply(BootstrapUnit):
    """Apply a saved plan of the unit."""

    plan: PlanRecord


class Adopt(BootstrapUnit):
    """Import what exists already, where the state doesn't have it."""

    plan: PlanRecord
    place: BackendPlace
    facts: BackendFacts
    keeps: bool = True  # False: the state goes with the work tree, as if nothing had been adopted


class Adopted(Model):
    adoptions: tuple[Adoption, ...]


class LookAtBackend(BootstrapUnit):
    """Ask AWS what of the backend is there."""

    place: BackendPlace


class RemoveBackend(BootstrapUnit):
    """Undo: delete what this run has made, of these names, and only what is empty."""

    place: BackendPlace
    names: tuple[str, ...]


class Removed(Model):
    """`left` says of each that was not removed why."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class KeptState(Model):
    """The local state, and the artifact that has a copy of it."""

    facts: StateFacts
    artifact: ArtifactRef


class KeptStateAnswer(Model):
    """None where there is none yet; `left` says what an undo could not clear away, and why."""

    kept: KeptState | None = None
    left: tuple[str, ...] = ()


class MigrateState(BootstrapUnit):
    """Copy the local state into the bucket."""

    place: BackendPlace


class MigratedState(Model):
    """The state as it was kept, and as the bucket has it now."""

    local: StateFacts
    remote: StateFacts


class ProposeChange(Model):
    """Push one changed file on a branch of ours, from a commit of the base branch."""

    tree: WorkTree
    path: str
    remote_state: bool
    account_id: str | None = None
    branch: str
    beside: str = ""  # how the names of branches begin that wait to be merged too
    message: str


class PushedChange(Model):
    """`commit` is empty where the base branch has the file so already."""

    commit: str = ""


class OfferPullRequest(Model):
    """Open a pull request for a branch, unless one is open."""

    repository: Repository
    branch: str
    base: str
    title: str
    body: str


class OfferedPullRequest(Model):
    number: int
    url: str
