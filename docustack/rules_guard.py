"""A pull request that changes the rules: which team has to approve that, and what is not applied of it yet."""

from docustack.model import Model
from docustack.plans import Digest


class ShownRules(Model):
    """A change of the rules that people can read, and since when: what an approval of it is bound to."""

    commit: str
    digest: Digest  # of the change and of the branch whose rules it changes
    shown_at: str  # by GitHub's clock, as reviews are
    number: int = 0  # beside the plans of a run: what it is told is counted by this, not by clocks

    @property
    def what(self) -> str:
        return "the change of the rules"


class RulesGuard(Model):
    """What a run says of such a pull request, by the rules of its base branch."""

    head_commit: str
    base_ref: str = ""  # the branch whose rules it changes
    owners: str  # the team that has to approve, by its name in docustack.yaml
    slug: str  # the same on GitHub
    shown: ShownRules | None = None  # the change as people can read it; None: nobody can yet
    unapplied: tuple[str, ...] = ()  # units that have changes, or may have, and are not applied
    decided: bool = False  # the run has passed its gate with that approval, and has set the check itself


class RulesVerdict(Model):
    """What the check `docustack/apply` says already, so that it isn't said again with every review."""

    approved: bool
    unapplied: tuple[str, ...]
