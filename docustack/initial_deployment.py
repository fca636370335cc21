"""The first deployment of an organisation (guide, "Initial Deployment"): its order, how far it is, how it ended."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from docustack.aws_prerequisites import BACKEND
from docustack.bootstrap import unknown_environment
from docustack.comment_text import one_line
from docustack.configuration import Configuration
from docustack.deployment_decisions import Question, TakenDecision
from docustack.errors import DocuStackError
from docustack.github_prerequisites import PUSHES
from docustack.model import Model, State
from docustack.packing import Packed
from docustack.prerequisites import Prerequisites, unmet_summary, warnings_of
from docustack.repository import Repository
from docustack.runs import DONE, RunResult, RunStatus, UnitPhase
from docustack.signatures import is_in_time, is_signed_by, signature

MANAGEMENT = "management"
"""The guide deploys this environment first, wherever docustack.yaml lists it."""

MEMO = "DocustackDeployment"
"""Under which a line an environment can be read after months, and without a worker."""

_FAILED = (UnitPhase.FAILED, UnitPhase.UNKNOWN)
_REASON = 500
"""Characters of why a unit failed: the whole of it is in its run."""

_PURPOSE = b"docustack initial deployment 1\n"


def deployment_workflow_id(repository: Repository) -> str:
    return f"initial:{repository.full_name}"


class DeploymentOrder(Model):
    """One person's order, as our server has understood and signed it; of no environment named it is all of them."""

    login: str = Field(min_length=1, max_length=100)
    repository: Repository
    only: str = Field(default="", max_length=100)
    first: str = Field(default="", max_length=100)
    last: str = Field(default="", max_length=100)
    bootstrap: bool = True  # False: bucket and table have to be there
    given_at: datetime
    nonce: str = Field(min_length=16, max_length=100)


class SignedDeploymentOrder(Model):
    """The server has verified the person, and the workflow believes nobody else."""

    order: DeploymentOrder
    signature: str = Field(max_length=200)


def sign_deployment(order: DeploymentOrder, key: str) -> SignedDeploymentOrder:
    return SignedDeploymentOrder(order=order, signature=signature(_PURPOSE, order, key))


def is_genuine_deployment(signed: SignedDeploymentOrder, keys: Iterable[str]) -> bool:
    return is_signed_by(signed.signature, _PURPOSE, signed.order, keys)


def is_fresh(order: DeploymentOrder, now: datetime) -> bool:
    """One that was caught on its way can't be kept for later."""
    return is_in_time(order.given_at, now)


class NoSuchDeployment(DocuStackError):
    """What was ordered is an empty stretch of environments."""


class NoSuchEnvironment(NoSuchDeployment):
    """What was ordered names an environment that there is not."""


def deployment_order(configuration: Configuration) -> list[str]:
    """The guide's "Deployment Order": management, then the others as docustack.yaml lists them."""
    names = configuration.environment_order()
    return sorted(names, key=lambda name: name != MANAGEMENT)


def chosen_environments(configuration: Configuration, *, only: str = "", first: str = "", last: str = "") -> list[str]:
    """Those that are named, in the guide's order; where none is named, all.

    Raises:
        NoSuchEnvironment: with the nearest name.
        NoSuchDeployment: with the order that there is.
    """
    names = deployment_order(configuration)
    for given in filter(None, (only, first, last)):
        if given not in names:
            raise NoSuchEnvironment(unknown_environment(names, given))
    if only:
        return [only]
    begin = names.index(first) if first else 0
    end = names.index(last) if last else len(names) - 1
    if begin > end:
        raise NoSuchDeployment(f"`{first}` comes after `{last}`: the order is {', '.join(names)}.")
    return names[begin : end + 1]


class Stage(StrEnum):
    """How far one environment is; from `deployed` on they are ends."""

    WAITING = "waiting"  # its turn has not come
    BOOTSTRAPPING = "bootstrapping"
    DEPLOYING = "deploying"
    DECISION = "waiting-for-decision"
    ROLLING_BACK = "rolling-back"
    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"  # it was as its commit has it
    ROLLED_BACK = "rolled-back"
    STOPPED = "stopped"
    CANCELLED = "cancelled"  # while it was worked on
    FAILED = "failed"  # the deployment broke while it was worked on
    NOT_BEGUN = "not-begun"


AT_WORK = (Stage.BOOTSTRAPPING, Stage.DEPLOYING, Stage.DECISION, Stage.ROLLING_BACK)
"""The stages of the one environment that a deployment is at."""


class EnvironmentProgress(State):
    """One environment of a deployment."""

    name: str
    branch: str
    commit: str  # fixed at the start; another one only by a decision
    account_id: str = ""
    stage: Stage = Stage.WAITING
    backend: str = ""  # what became of its bucket and table
    pull_request: str = ""  # the address of the one that its bootstrap has left to be merged
    run_id: str = ""  # the run that works, or worked last
    runs: list[str] = []
    units: Packed[dict[str, UnitPhase]] = {}
    left_out: list[str] = []  # by a decision, or since they depend on one that was
    made: list[str] = []  # what this deployment created from nothing, in the order in which it ended
    seconds: dict[str, float] = {}  # that the apply of each unit took
    expected_seconds: float | None = None  # for the whole, by earlier runs; None: nobody knows
    began_at: datetime | None = None
    ended_at: datetime | None = None
    message: str = ""  # of the last run that did not succeed
    reasons: Packed[dict[str, str]] = {}  # of units that failed

    def names(self, *phases: UnitPhase) -> list[str]:
        return [unit for unit, phase in self.units.items() if phase in phases]

    @property
    def done(self) -> list[str]:
        return self.names(*DONE)

    @property
    def failed(self) -> list[str]:
        return self.names(*_FAILED)

    @property
    def not_begun(self) -> list[str]:
        """Neither done nor failed nor left out."""
        known = {*self.done, *self.failed, *self.left_out}
        return [unit for unit in self.units if unit not in known]

    @property
    def left(self) -> list[str]:
        """What a retry works on."""
        return [*self.failed, *self.not_begun]

    @property
    def is_as_it_was(self) -> bool:
        """One run, and it has found nothing to do; of several nobody knows what a broken one has done."""
        return len(self.runs) == 1 and not self.left_out and not self.names(UnitPhase.APPLIED)

    def take(self, result: RunResult) -> None:
        """Remember what a run has come to, beside what the runs before it have."""
        self.message = result.message
        for outcome in result.outcomes:
            self.units[outcome.unit] = outcome.phase
            self.reasons.pop(outcome.unit, None)
            if outcome.phase in _FAILED:
                self.reasons[outcome.unit] = one_line(outcome.message, _REASON)
            if outcome.seconds:
                self.seconds[outcome.unit] = outcome.seconds
            if outcome.created and outcome.unit not in self.made:
                self.made.append(outcome.unit)

    def take_destroyed(self, result: RunResult) -> None:
        """What a rollback has destroyed is this deployment's no more; nor what had nothing in its state to destroy."""
        self.message = result.message
        gone = [outcome.unit for outcome in result.outcomes if outcome.phase in DONE]
        if result.status is RunStatus.SUCCEEDED:
            gone = list(self.made)
        self.made = [unit for unit in self.made if unit not in gone]
        for unit in gone:
            self.units[unit] = UnitPhase.WAITING


class PrerequisitesFound(Model):
    """What all checks before a deployment have come to (guide, "Prerequisites")."""

    unmet: str = ""  # a line each: the deployment doesn't begin
    warnings: tuple[str, ...] = ()
    without_backend: tuple[str, ...] = ()  # environments that have to be bootstrapped first


def judge_prerequisites(
    installation: Prerequisites, environments: Mapping[str, Prerequisites], *, bootstraps: bool
) -> PrerequisitesFound:
    """With `bootstraps` bucket and table needn't be there yet; only where one isn't, something is to be pushed."""
    without = [name for name, made in environments.items() if any(check.name in BACKEND for check in made.failed)]
    of_environments = [check for made in environments.values() for check in made.checks]
    if bootstraps:
        of_environments = [check for check in of_environments if check.name not in BACKEND]
    of_installation = [check for check in installation.checks if without or check.name not in PUSHES]
    checks = [*of_installation, *of_environments]
    return PrerequisitesFound(
        unmet=unmet_summary(checks), warnings=tuple(warnings_of(checks)), without_backend=tuple(without)
    )


class DeploymentEnd(StrEnum):
    DONE = "done"
    NOTHING_TO_DO = "nothing-to-do"  # it was done before
    STOPPED = "stopped"  # by a decision
    ROLLED_BACK = "rolled-back"
    REFUSED = "refused"  # before anything was touched
    CANCELLED = "cancelled"
    FAILED = "failed"


class DeploymentOutcome(Model):
    """`message` is what the person reads: what was done, what was not, and what to do about it."""

    end: DeploymentEnd
    message: str
    unknown_environment: bool = False  # of one that was refused: it names an environment that there is not


class DeploymentState(State):
    """All that there is to know of a deployment; the answer of the query `show`."""

    order: DeploymentOrder
    environments: list[EnvironmentProgress] = []
    question: Question | None = None  # it waits for somebody's decision
    questions: int = 0
    decisions: list[TakenDecision] = []
    nonces: list[str] = []
    dependencies: Packed[dict[str, tuple[str, ...]]] = {}  # direct ones, of every unit, as runs have found them
    doing: str = ""  # in a line
    warnings: list[str] = []  # of what was found before it began, and keeps nothing from being deployed
    outcome: DeploymentOutcome | None = None

    @property
    def left_out(self) -> list[str]:
        return [unit for environment in self.environments for unit in environment.left_out]


def has_no_units(configuration: Configuration, environment: str, result: RunResult, left_out: Iterable[str]) -> bool:
    """Was the run refused since the environment has no unit, or none that is not left out?"""
    if result.outcomes or not result.dependencies:
        return False
    own = {unit for unit in result.dependencies if configuration.environment_of(unit) == environment}
    return not own - {*left_out}


def with_dependants(units: Iterable[str], dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """The units and all that depend on them, directly or not."""
    found = set(units)
    while more := {unit for unit, needs in dependencies.items() if unit not in found and found & {*needs}}:
        found |= more
    return sorted(found)
