"""A pull request that changes the rules: which team has to approve that, and what is not applied of it yet."""

from docustack.model import Model


class RulesGuard(Model):
    """What a run says of such a pull request, by the rules of its base branch."""

    head_commit: str
    owners: str  # the team that has to approve, by its name in docustack.yaml
    slug: str  # the same on GitHub
    unapplied: tuple[str, ...] = ()  # units that have changes, or may have, and are not applied
    decided: bool = False  # the run has passed its gate with that approval, and has set the check itself


class RulesVerdict(Model):
    """What the check `docustack/apply` says already, so that it isn't said again with every review."""

    approved: bool
    unapplied: tuple[str, ...]
