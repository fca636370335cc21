"""The kinds of failure that a person can meet, and what each means for a retry."""

from collections.abc import Sequence
from enum import StrEnum

from docustack.model import Model


class ErrorType(StrEnum):
    """The `type` of every `ApplicationError` that an activity raises."""

    # The person has to change something: retrying can't help.
    CONFIGURATION = "configuration"  # invalid HCL, docustack.yaml, a missing variable
    CREDENTIALS = "credentials"  # AccessDenied, expired SSO session
    MERGE_CONFLICT = "merge-conflict"  # the head doesn't merge into its base
    NOT_FOUND = "not-found"  # a commit, comment, pull request or plan that is gone
    INVALID_INPUT = "invalid-input"
    DISK_FULL = "disk-full"  # of the worker's machine
    # Something about the plan or state: the run decides what to do.
    STALE_PLAN = "stale-plan"  # state has changed since the plan was made
    UNWRITTEN_STATE = "unwritten-state"  # Terraform has worked, and could not write its state to the backend
    INTERRUPTED = "interrupted"  # the process ended without a result (host gone, machine rebooted)
    STATE_LOCKED = "state-locked"  # Terraform's own lock is held by somebody else
    LOCK_LOST = "lock-lost"  # the unit isn't the run's any more, by the table of locks
    NO_OUTPUTS = "no-outputs"  # a dependency has no outputs yet and no mock that may be used
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    PROVIDER_CRASH = "provider-crash"
    FAILED = "failed"  # Terraform says no, for a reason of the infrastructure's own
    # The world is busy: retried.
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"  # 5xx, network


NEVER_RETRIED: frozenset[ErrorType] = frozenset(ErrorType) - {ErrorType.THROTTLED, ErrorType.UNAVAILABLE}
"""Types that no retry policy repeats; of these some are decided upon by the run."""


class DocuStackError(Exception):
    """Base of the errors of the domain; the message is what a person reads: what failed, where, what to do."""


class Problem(Model):
    """One thing that is wrong in a configuration file; `line` and `column` count from 1, 0 where there is none."""

    file: str
    line: int = 0
    column: int = 0
    where: str = ""  # the dotted key: environments.dev.apply
    what: str
    suggestion: str = ""

    def describe(self) -> str:
        """In one line, as compilers do: `docustack.yaml:12:5: environments.dev: what is wrong; what to do`."""
        place = ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])
        what = f"{self.where}: {self.what}" if self.where else self.what
        return f"{place}: {what}; {self.suggestion}" if self.suggestion else f"{place}: {what}"


class ConfigurationError(DocuStackError):
    """A configuration file is wrong; the message names file, line, what is wrong and the nearest valid key."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
