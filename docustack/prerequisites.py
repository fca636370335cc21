"""What a deployment needs before it can work (guide, "Prerequisites"): one model for each check, and its verdict."""

from collections.abc import Iterable
from enum import StrEnum

from docustack.model import Model


class Area(StrEnum):
    """What a check looks at; checks are shown by area."""

    TOOLS = "tools"
    CONFIGURATION = "configuration"
    AWS = "aws"
    GITHUB = "github"
    SLACK = "slack"
    TEMPORAL = "temporal"


class CheckStatus(StrEnum):
    """What a check has come to."""

    OK = "ok"
    FAILED = "failed"  # needed, and not as it has to be
    OPTIONAL = "optional"  # not as it could be; nothing that is needed depends on it
    SKIPPED = "skipped"  # not asked, since another check that failed comes first


class Prerequisite(Model):
    """One check: what was found, what is needed, and the command that mends it."""

    area: Area
    name: str
    environment: str | None = None
    status: CheckStatus
    found: str
    needed: str
    mend: str = ""  # as it is to be typed, or where to go; empty where nothing is to be mended

    @property
    def is_ok(self) -> bool:
        return self.status is CheckStatus.OK


class Prerequisites(Model):
    """Checks that were made together."""

    checks: tuple[Prerequisite, ...] = ()

    @property
    def are_met(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[Prerequisite, ...]:
        return tuple(check for check in self.checks if check.status is CheckStatus.FAILED)


class Expected(Model):
    """One check before it is made: the name that it has whatever comes out, and what is needed."""

    area: Area
    name: str
    needed: str
    environment: str | None = None

    def met(self, found: str) -> Prerequisite:
        return self._as(CheckStatus.OK, found)

    def failed(self, found: str, mend: str) -> Prerequisite:
        return self._as(CheckStatus.FAILED, found, mend)

    def optional(self, found: str, mend: str = "") -> Prerequisite:
        return self._as(CheckStatus.OPTIONAL, found, mend)

    def skipped(self, because: str, mend: str = "") -> Prerequisite:
        return self._as(CheckStatus.SKIPPED, because, mend)

    def _as(self, status: CheckStatus, found: str, mend: str = "") -> Prerequisite:
        return Prerequisite(
            area=self.area,
            name=self.name,
            environment=self.environment,
            status=status,
            found=found,
            needed=self.needed,
            mend=mend,
        )


def unmet_summary(checks: Iterable[Prerequisite]) -> str:
    """Those that failed, each with the command that mends it: for a run that doesn't begin without them."""
    lines = []
    for check in checks:
        if check.status is CheckStatus.FAILED:
            where = f" of {check.environment}" if check.environment else ""
            lines.append(f"{check.name}{where}: {check.found}; needed: {check.needed}. To mend it: {check.mend}")
    return "\n".join(lines)
