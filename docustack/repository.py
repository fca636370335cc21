"""The live repository as a run sees it: where it is, which commits are compared, what has changed."""

from enum import StrEnum

from docustack.model import Model


class Repository(Model):
    """A live repository on GitHub."""

    owner: str
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


class ChangedFile(Model):
    """One file of the diff from the merge base to the head; paths are relative to the repository's root."""

    path: str
    status: str  # added, modified, deleted, renamed
    previous_path: str | None = None


class WorkTree(Model):
    """A commit checked out for one run; every host can make the same tree again from this."""

    repository: Repository
    run_id: str
    base_ref: str  # the branch: main
    base_commit: str  # its tip at check out
    head_commit: str  # the pull request's head; equals base_commit for a run without a pull request
    merge_base: str
    tree_commit: str  # what lies in the tree: the merge of head into base
    name: str = ""  # of its folder, where the run has another one beside its own
    patch: str = ""  # the artifact with a person's uncommitted changes, which lie on the head in the tree
    base_tip: str = ""  # after a merge: the present tip of the base branch, which may have moved on since

    @property
    def folder(self) -> str:
        """The name of its folder on a host."""
        return self.name or self.run_id

    def of_base(self) -> "WorkTree":
        """The base branch as the run has met it, in a folder beside the run's own: it still has the deleted units."""
        return self.model_copy(update={"name": f"{self.run_id}-base", "tree_commit": self.base_commit})

    def of_now(self) -> "WorkTree":
        """After a merge: the base branch as it is now, where that is another than the merge has made of it."""
        tip = self.base_tip
        if tip in ("", self.tree_commit):
            return self
        commits = dict.fromkeys(("base_commit", "head_commit", "merge_base", "tree_commit"), tip)
        return self.model_copy(update={"name": f"{self.run_id}-now", **commits})


class UnitStatus(StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class ChangedUnit(Model):
    """A unit that the pull request changes, and why."""

    unit: str
    environment: str | None  # None: its path lies in no environment of docustack.yaml
    status: UnitStatus
    because: tuple[str, ...]  # changed files that it consists of, includes, reads or sources


class Deletion(Model):
    """A unit whose folder the pull request deletes: what it was on the base branch, and who still names it."""

    unit: str
    environment: str | None
    in_base: bool = True  # False: the base branch has lost it meanwhile, by somebody else's doing
    dependencies: tuple[str, ...] = ()  # direct ones, as the base branch has them
    dependants: tuple[str, ...] = ()  # units that depended on it directly, as the base branch has them
    needed_by: tuple[str, ...] = ()  # units that still depend on it with the pull request merged
    renamed_to: str | None = None  # the added unit that has its file, as git sees it
    is_back: bool = False  # merged a while ago, and the base branch has the unit again


class Discovery(Model):
    """What a pull request changes, by units.

    `dependencies` holds the direct dependencies of every unit of the tree, for waves over any selection.
    """

    changed: tuple[ChangedUnit, ...]
    also_affected: tuple[str, ...] = ()  # units that depend on a changed one, directly or not
    dependencies: dict[str, tuple[str, ...]] = {}
    unread_files: tuple[str, ...] = ()  # changed files that no unit is known to read
    excluded_files: tuple[str, ...] = ()  # changed files that .terrateam/config.yml leaves out
    warnings: tuple[str, ...] = ()
    inputs: dict[str, str] = {}  # of changed and affected units: the digest of all files that each one reads
    deletions: tuple[Deletion, ...] = ()  # more about the deleted ones of `changed`
    may_have_taken_over: tuple[str, ...] = ()  # units whose own file changes, where others are deleted
    come_since: tuple[str, ...] = ()  # after a merge: units that the base branch has got since, which may have, too
    gone_since: tuple[str, ...] = ()  # and those that it has lost since, by somebody else's merge
