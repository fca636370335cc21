"""Says in our own words what GitHub refused, and whether asking again can help."""

from datetime import UTC, datetime, timedelta

import githubkit.exception
import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.exceptions import ApplicationError

from activities.failures import failure
from docustack.errors import ErrorType

_SECONDARY_LIMIT_PAUSE = timedelta(minutes=1)  # what GitHub asks for where it doesn't say how long
_RESET_MARGIN = timedelta(seconds=1)  # its clock and ours differ


class _Detail(BaseModel):
    model_config = ConfigDict(extra="ignore")
    resource: str | None = None
    field: str | None = None
    code: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        return self.message or " ".join(part for part in (self.resource, self.field, self.code) if part)


class _Problem(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: str = ""
    errors: list[_Detail | str] | str = ""

    def __str__(self) -> str:
        details = [self.errors] if isinstance(self.errors, str) else [str(detail) for detail in self.errors]
        return ": ".join(part for part in (self.message, "; ".join(detail for detail in details if detail)) if part)


def describe_failure(error: Exception, doing: str, permission: str) -> ApplicationError:
    """The error to raise for what githubkit raised.

    Args:
        error: whatever a call of githubkit, or the reading of its answer, ended with.
        doing: what was tried, as in "post a comment on docustack/live#7".
        permission: what the token or the GitHub App needs for it, as in "pull requests: write".
    """
    match error:
        case githubkit.exception.RateLimitExceeded():
            return _throttled(doing, error.retry_after + _RESET_MARGIN)
        case githubkit.exception.RequestFailed():
            return _refused(error.response.raw_response, doing, permission)
        case githubkit.exception.RequestError(exc=githubkit.exception.GitHubException() as inner):
            # A GitHub App asks for its installation's token inside of the request that needs it.
            return describe_failure(inner, f"sign in as the GitHub App to {doing}", "an installation of the GitHub App")
        case githubkit.exception.RequestError(exc=httpx.HTTPError() | OSError() as cause):
            return failure(ErrorType.UNAVAILABLE, f"GitHub couldn't be reached to {doing}: {_name(cause)}.")
        case githubkit.exception.RequestError(exc=cause) | (githubkit.exception.AuthCredentialError() as cause):
            return failure(
                ErrorType.CREDENTIALS,
                f"The worker couldn't sign in at GitHub to {doing}: {_name(cause)}. "
                "Check DOCUSTACK_GITHUB_APP_ID, DOCUSTACK_GITHUB_APP_PRIVATE_KEY and DOCUSTACK_GITHUB_TOKEN.",
            )
        case ValidationError():
            return failure(
                ErrorType.UNAVAILABLE,
                f"The answer to the attempt to {doing} isn't one of GitHub's ({_fields(error)}): "
                "is DOCUSTACK_GITHUB_API_URL the address of its REST API, and no proxy in between?",
            )
        case _:
            return failure(ErrorType.UNAVAILABLE, f"GitHub failed while trying to {doing}: {_name(error)}.")


def _refused(response: httpx.Response, doing: str, permission: str) -> ApplicationError:
    said = _message(response)
    told = f' GitHub says: "{said}".' if said else ""
    match response.status_code:
        case 401:
            return failure(
                ErrorType.CREDENTIALS,
                f"GitHub refused the worker's token on the attempt to {doing}: it is wrong, revoked or expired.{told} "
                "Set DOCUSTACK_GITHUB_TOKEN, or the GitHub App's id and key, and restart the worker.",
            )
        case 403 | 429 if response.status_code == 429 or "rate limit" in said.lower() or "abuse" in said.lower():
            return _throttled(doing, _SECONDARY_LIMIT_PAUSE)
        case 403:
            return failure(ErrorType.CREDENTIALS, _forbidden(response, doing, permission, told))
        case 404 | 410:
            return failure(
                ErrorType.NOT_FOUND,
                f"GitHub doesn't find what is needed to {doing}: it is gone, or the worker's token may not see it "
                f"(needs {permission}).{told}",
            )
        case status if status >= 500 or status == 408:
            return failure(ErrorType.UNAVAILABLE, f"GitHub answered {status} on the attempt to {doing}.{told}")
        case status:
            return failure(ErrorType.INVALID_INPUT, f"GitHub answered {status} on the attempt to {doing}.{told}")


def _forbidden(response: httpx.Response, doing: str, permission: str, told: str) -> str:
    # Fine-grained tokens and apps are told what they lack; classic tokens which scopes would do.
    accepted = response.headers.get("x-accepted-github-permissions") or response.headers.get("x-accepted-oauth-scopes")
    also = f" (GitHub accepts: {accepted})" if accepted else ""
    return f"The worker's token may not {doing}: it needs {permission}{also}.{told}"


def _throttled(doing: str, retry_in: timedelta) -> ApplicationError:
    at = datetime.now(UTC) + retry_in
    return failure(
        ErrorType.THROTTLED,
        f"GitHub's rate limit holds up the attempt to {doing}; it goes on at {at:%H:%M:%S} UTC.",
        retry_in=retry_in,
    )


def _message(response: httpx.Response) -> str:
    try:
        return str(_Problem.model_validate_json(response.content))[:500]
    except ValidationError:
        return ""  # a page of HTML from something in between


def _name(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _fields(error: ValidationError) -> str:
    return ", ".join(".".join(map(str, detail["loc"])) + ": " + detail["msg"] for detail in error.errors()[:3])
