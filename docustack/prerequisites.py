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

    def as_optional(self) -> "Prerequisite":
        """The same where nothing that is done depends on it."""
        if self.status is not CheckStatus.FAILED:
            return self
        return self.model_copy(update={"status": CheckStatus.OPTIONAL})

    def in_a_line(self) -> str:
        """As it is told of one that only warns."""
        return f"{self._told} To mend it: {self.mend}"

    def in_two_lines(self) -> str:
        """As it is told of one that failed: the command is copied, so nothing stands beside it."""
        return f"{self._told} To mend it:\n  {self.mend}"

    @property
    def _told(self) -> str:
        where = f" of {self.environment}" if self.environment else ""
        return f"{self.name}{where}: {self.found.rstrip('.')}; needed: {self.needed}."


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
    return "\n".join(check.in_two_lines() for check in checks if _failed(check) and check.area is not _ONLY_WARNS)


def warnings_of(checks: Iterable[Prerequisite]) -> list[str]:
    """Of Slack: what is deployed is deployed all the same, and nobody hears of it there."""
    return [check.in_a_line() for check in checks if _failed(check) and check.area is _ONLY_WARNS]


_ONLY_WARNS = Area.SLACK


def _failed(check: Prerequisite) -> bool:
    return check.status is CheckStatus.FAILED
