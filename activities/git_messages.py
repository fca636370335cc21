"""What git is asked and what it answers: rules, work trees, what a commit contains."""

from docustack.configuration import Configuration
from docustack.model import Model
from docustack.repository import ChangedFile, Repository, WorkTree
from docustack.rule_changes import NewRules
from docustack.terrateam import TerrateamConfiguration


class LoadConfiguration(Model):
    """Read `docustack.yaml` and `.terrateam/config.yml` from the tip of a branch."""

    repository: Repository
    ref: str  # empty: the remote's default branch


class LoadedConfiguration(Model):
    """`configuration` is None exactly where `problems` says what is wrong (file, line, what, nearest key)."""

    commit: str
    ref: str = ""  # the branch
    configuration: Configuration | None
    terrateam: TerrateamConfiguration
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    lines: dict[str, int] = {}  # of the keys that a refusal points at, by their dotted paths


class CheckOut(Model):
    """Make the work tree of a run: the head merged into the base branch's tip."""

    repository: Repository
    run_id: str
    base_ref: str
    head_commit: str
    pull_request: int | None = None  # saves a search for the commit of a fork
    merge_commit: str = ""  # of a merged pull request: this commit is checked out, as it came into the base branch
    name: str = ""  # of the tree's folder, where runs that follow one another share it


class CheckOutRef(Model):
    """Make the work tree of a run without a pull request: what a branch, a tag or a commit has, as it is there."""

    repository: Repository
    run_id: str
    base_ref: str  # the branch of the rules, which last applies are compared with
    ref: str  # empty: the tip of `base_ref`
    patch: str = ""  # the artifact with uncommitted changes, to be laid over it
    on_branch: bool = False  # only what `base_ref` contains


class CheckedOut(Model):
    """The tree, and the host that has it; `environments` are those that the same worker works for."""

    tree: WorkTree
    changed_files: tuple[ChangedFile, ...]
    host: str
    environments: tuple[str, ...] = ()
    new_rules: NewRules | None = None  # the configuration as the merge would leave it, where it changes it


class AskContained(Model):
    """Does what lies in a run's tree contain a commit?"""

    tree: WorkTree
    commit: str


class ContainedAnswer(Model):
    contained: bool


class RemoveWorkTree(Model):
    """Drop a run's work tree from the host that holds it; its artifacts stay."""

    repository: Repository
    run_id: str
