"""The kinds of failure that a person can meet, and what each means for a retry."""

from enum import StrEnum


class ErrorType(StrEnum):
    """The `type` of every `ApplicationError` that an activity raises."""

    # The person has to change something: retrying can't help.
    CONFIGURATION = "configuration"  # invalid HCL, docustack.yaml, a missing variable
    CREDENTIALS = "credentials"  # AccessDenied, expired SSO session
    MERGE_CONFLICT = "merge-conflict"  # the head doesn't merge into its base
    NOT_FOUND = "not-found"  # a commit, comment, pull request or plan that is gone
    INVALID_INPUT = "invalid-input"
    # Something about the plan or state: the run decides what to do.
    STALE_PLAN = "stale-plan"  # state has changed since the plan was made
    INTERRUPTED = "interrupted"  # the process ended without a result (host gone, machine rebooted)
    STATE_LOCKED = "state-locked"  # Terraform's own lock is held by somebody else
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


class ConfigurationError(DocuStackError):
    """A configuration file is wrong; the message names file, line, what is wrong and the nearest valid key."""
