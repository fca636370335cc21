"""Reads from the output of Terragrunt and Terraform what kind of failure it was, and what a person does about it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from docustack.errors import ErrorType
from docustack.model import Model

_USEFUL_LINES = 40


class StateLock(Model):
    """Who holds Terraform's lock on a state, as Terraform tells it (`Lock Info`)."""

    lock_id: str
    path: str = ""
    operation: str = ""
    who: str = ""
    version: str = ""
    created: str = ""

    @property
    def created_at(self) -> datetime | None:
        """`2026-11-24 16:33:54.123456789 +0000 UTC`, in the lock itself `2026-11-24T16:33:54.123456789Z`: always UTC,
        with more digits than Python reads."""
        match = re.match(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,6})?", self.created)
        if match is None:
            return None
        fraction = (match[3] or ".").ljust(7, "0")
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{fraction}+00:00")


@dataclass(frozen=True)
class Failure:
    """What went wrong: its type, a first line for the message, what to do, and the lines worth reading."""

    type: ErrorType
    headline: str
    advice: str
    lines: str
    state_lock: StateLock | None = None

    @property
    def message(self) -> str:
        return f"{self.headline}\n{self.advice}" if self.advice else self.headline


_KINDS: tuple[tuple[ErrorType, re.Pattern[str]], ...] = tuple(
    (kind, re.compile("|".join(patterns), re.MULTILINE))
    for kind, patterns in (
        (ErrorType.STATE_LOCKED, ["Error acquiring the state lock"]),
        (ErrorType.UNWRITTEN_STATE, [r"Failed to (?:persist|save) state\b", r"errored\.tfstate"]),
        (
            ErrorType.STALE_PLAN,
            ["Saved plan is stale", "Saved plan does not match", "Mismatch between input and plan variable value"],
        ),
        (
            ErrorType.PROVIDER_CRASH,
            [
                *["Plugin did not respond", "The plugin encountered an error, and failed to respond", "plugin crashed"],
                *["plugin process exited", "Stack trace from the .* plugin", "TERRAFORM CRASH", "^panic: "],
            ],
        ),
        (ErrorType.DISK_FULL, ["[Nn]o space left on device", "[Dd]isk quota exceeded"]),
        (ErrorType.NO_OUTPUTS, [r"detected no outputs\. Either the target module has not"]),
        (
            ErrorType.THROTTLED,
            [
                *[r"Throttling(?:Exception)?\b", "ThrottledException", "RequestLimitExceeded", "TooManyRequests"],
                *["Rate exceeded", r"SlowDown\b", "RequestThrottled", "ProvisionedThroughputExceeded"],
                "StatusCode: 429",
            ],
        ),
        (
            ErrorType.CREDENTIALS,
            [
                *["Access ?Denied", "UnauthorizedAccess", "UnauthorizedOperation", "ExpiredToken", "RequestExpired"],
                *["InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"],
                *["InvalidAccessKeyId", "No valid credential sources", "NoCredentialProviders"],
                *["failed to refresh cached credentials", "SSO session (?:has expired|associated with)"],
                *["is not authorized to perform", "failed to get shared config profile", "token has expired"],
                *["no EC2 IMDS role found", "StatusCode: 403"],
            ],
        ),
        (
            ErrorType.UNAVAILABLE,
            [
                *["dial tcp", "connection refused", "connection reset by peer", "i/o timeout", "no such host"],
                *["TLS handshake timeout", "Service ?Unavailable", "InternalServerError", "StatusCode: 50[0234]"],
                *["unexpected EOF", r"Could not connect to (?:registry|\S+\.terraform\.io)", "server misbehaving"],
                "context deadline exceeded",
            ],
        ),
    )
)

_CONFIGURATION = re.compile(
    r"^(?:Unsupported (?:argument|attribute|block type)|Missing (?:required argument|newline|item|attribute)|Invalid |"
    r"Reference to undeclared|No value for required variable|Argument or block definition required|Unclosed |"
    r"Module not (?:found|installed)|Unreadable module|Duplicate |Unknown (?:variable|function)|Error in function call|"
    r"Incorrect attribute|Extraneous |Call to unknown function|Unsupported Terraform Core version|Cycle:|"
    r"Failed to query available provider packages|Inconsistent (?:dependency lock|conditional)|Self-referential|"
    r"Attempt to get attribute|Variables not allowed|Provider configuration not present|Unexpected )"
)
_TERRAGRUNT_CONFIGURATION = re.compile(
    r"There is no variable named|Could not find (?:a )?\S*terragrunt\.hcl|No terragrunt\.hcl|ParentFileNotFound|"
    r"working dir(?:ectory)? not found|error (?:downloading|parsing)|does not contain any|Found a dependency cycle|"
    r"folder that does not contain a terragrunt\.hcl"
)

_LOG_PREFIX = re.compile(
    r"^(?:time=\S+ level=\S+ (?:prefix=\S+ )?(?:msg=)?"
    r"|\d\d:\d\d:\d\d\.\d{3} (?:ERROR|WARN|INFO|DEBUG|STDOUT|STDERR)\s+(?:\[[^\]]*\] )?(?:(?:terraform|tofu): )?)"
)
_SAYS_NOTHING = re.compile(r"(?:\* )?Error: (?:Terraform|OpenTofu) encountered problems during initiali[sz]ation")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BOX = re.compile(r"^\s*[│╷╵|] ?")


def classify(output: str, command: str, unit: str, profile: str | None = None) -> Failure:
    """The failure that the (already redacted) output of a failed command tells of.

    `command` is what a person would have typed, `terragrunt plan`; `profile` the AWS profile to log in with.
    """
    lines = [_clean(line) for line in output.splitlines()]
    text = "\n".join(lines)
    diagnostics = _diagnostics(lines)
    useful = _last_useful(diagnostics, lines)
    errors = "\n".join(diagnostics) if diagnostics else text
    kind = _kind(errors, text, diagnostics)
    lock = state_lock(text) if kind is ErrorType.STATE_LOCKED else None
    headline = f"`{command}` failed for {unit}: {_summary(diagnostics, lines)}"
    return Failure(kind, headline, _advice(kind, profile, lock), useful, lock)


def state_lock(text: str) -> StateLock | None:
    """The `Lock Info` that Terraform prints when somebody else holds the lock."""
    fields = dict(
        re.findall(r"^[ \t]*(ID|Path|Operation|Who|Version|Created):[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    )
    if "ID" not in fields:
        return None
    return StateLock(
        lock_id=fields["ID"],
        path=fields.get("Path", ""),
        operation=fields.get("Operation", ""),
        who=fields.get("Who", ""),
        version=fields.get("Version", ""),
        created=fields.get("Created", ""),
    )


def clean_output(output: str) -> str:
    """Output without colours and without what Terragrunt's own log puts before each line."""
    return "\n".join(_clean(line) for line in output.splitlines())


def _clean(line: str) -> str:
    return _BOX.sub("", _LOG_PREFIX.sub("", _COLOUR.sub("", line).rstrip()))


def _diagnostics(lines: list[str]) -> list[str]:
    """Each `Error: …` of Terraform's or Terragrunt's with the lines that belong to it."""
    found: list[list[str]] = []
    current: list[str] | None = None
    indented = False  # as Terragrunt repeats them
    for written in lines:
        line = written.removeprefix("  ") if indented else written
        if re.match(r"^\s*(?:\* )?Error: ", line):
            current = [line.strip()]
            found.append(current)
        elif re.match(r"^\s*(?:Warning: |(?:Releasing|Acquiring) state lock)", line) or _is_terragrunts_end(line):
            current = None
            indented = indented or "Failed to execute " in line
        elif current is not None:
            current.append(line)
    said = _each_once("\n".join(each).rstrip() for each in found)
    return [each for each in said if not _SAYS_NOTHING.match(each)] or said


def _each_once(diagnostics: Iterable[str]) -> list[str]:
    """Terragrunt repeats Terraform's errors at its end; of one said twice the shorter stays.

    The first may have lines of the plan behind it, which came out at the same time.
    """
    kept: list[str] = []
    for diagnostic in diagnostics:
        words = " ".join(diagnostic.split())
        same = [index for index, each in enumerate(kept) if _begins_alike(words, " ".join(each.split()))]
        if not same:
            kept.append(diagnostic)
        elif len(words) < len(" ".join(kept[same[0]].split())):
            kept[same[0]] = diagnostic
    return kept


def _begins_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _is_terragrunts_end(line: str) -> bool:
    return bool(
        re.match(
            r"^\s*(?:\* )?(?:(?:\d+ )?errors? occurred:|Unable to determine underlying exit code|exit status \d+$|"
            r"Failed to execute )",
            line,
        )
    )


def _kind(errors: str, text: str, diagnostics: list[str]) -> ErrorType:
    unwrapped = " ".join(errors.split())  # Terraform breaks long lines wherever a word ends
    for kind, pattern in _KINDS:
        if pattern.search(errors) or pattern.search(unwrapped):
            return kind
    if any(_is_configuration(each) for each in diagnostics) or _TERRAGRUNT_CONFIGURATION.search(text):
        return ErrorType.CONFIGURATION
    return ErrorType.FAILED


def _is_configuration(diagnostic: str) -> bool:
    """Found while reading the files: a place in one, and no resource `with` which it was met."""
    summary = diagnostic.partition("Error: ")[2].partition("\n")[0]
    has_place = bool(re.search(r"^\s*on .+ line \d+", diagnostic, re.MULTILINE))
    has_resource = bool(re.search(r"^\s*with \S+,", diagnostic, re.MULTILINE))
    return bool(_CONFIGURATION.match(summary)) or (has_place and not has_resource)


def _summary(diagnostics: list[str], lines: list[str]) -> str:
    if not diagnostics:
        return next((line.strip() for line in reversed(_said(lines))), "no output")
    summary = diagnostics[0].partition("Error: ")[2].partition("\n")[0]
    more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
    place = re.search(r"^\s*on (?P<file>.+?) line (?P<line>\d+)", diagnostics[0], re.MULTILINE)
    return f"{summary} ({place['file']}:{place['line']}){more}" if place else f"{summary}{more}"


def _said(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip() and not _is_terragrunts_end(line)]


def _last_useful(diagnostics: list[str], lines: list[str]) -> str:
    chosen = "\n\n".join(diagnostics).splitlines() if diagnostics else _said(lines)
    if len(chosen) <= _USEFUL_LINES:
        return "\n".join(chosen)
    return "\n".join(["…", *chosen[-_USEFUL_LINES:]]) if not diagnostics else "\n".join([*chosen[:_USEFUL_LINES], "…"])


def _advice(kind: ErrorType, profile: str | None, lock: StateLock | None) -> str:
    if kind is ErrorType.STATE_LOCKED:
        held = f"The state is locked by {lock.who} since {lock.created} (lock id {lock.lock_id}). " if lock else ""
        manual = f"`terragrunt force-unlock {lock.lock_id}`" if lock else "`terragrunt force-unlock <lock-id>`"
        return (
            f"{held}If that process still works, wait for it and try again. If it is dead, comment `terrateam unlock`; "
            f"where that is refused, make sure that nobody applies and run {manual}."
        )
    if kind is ErrorType.CREDENTIALS:
        login = f" --profile {profile}" if profile else ""
        return (
            f"Log in again with `aws sso login{login}`, verify the identity with `aws sts get-caller-identity`, and "
            "check that it may do what was denied."
        )
    return _ADVICE.get(kind, "")


_PLAN_AGAIN = "plan again (in a pull request: `terrateam plan`)"

_ADVICE: dict[ErrorType, str] = {
    ErrorType.CONFIGURATION: "Correct the configuration at that place and push; the plan is made again by itself.",
    ErrorType.STALE_PLAN: f"State has changed since this plan: {_PLAN_AGAIN}, then apply the new one.",
    ErrorType.UNWRITTEN_STATE: (
        "What Terraform has done may be missing in the state, so an apply could do it a second time. Look for its "
        "`errored.tfstate`, or for the state at the end of its log, and write it with `terragrunt state push` first."
    ),
    ErrorType.NO_OUTPUTS: f"A dependency has not been applied yet: apply it first, then {_PLAN_AGAIN}.",
    ErrorType.THROTTLED: "AWS limits the rate of requests: try again in a few minutes.",
    ErrorType.UNAVAILABLE: "A service could not be reached: try again when the network or the service is back.",
    ErrorType.DISK_FULL: f"The disk of the worker is full: make room there, then {_PLAN_AGAIN}.",
    ErrorType.PROVIDER_CRASH: (
        f"A provider plugin crashed. What it was doing may be done or half done: {_PLAN_AGAIN} to see; if it crashes "
        "again, pin another version of the provider."
    ),
}
