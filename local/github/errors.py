"""Refusals, as GitHub words them."""

from collections.abc import Sequence

DOCUMENTATION = "https://docs.github.com/rest"


class GitHubError(Exception):
    """A request that GitHub would answer with this status and message."""

    def __init__(self, status: int, message: str, errors: Sequence[dict[str, str] | str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)

    def body(self) -> dict[str, object]:
        details: dict[str, object] = {"errors": self.errors} if self.errors else {}
        return {"message": self.message, **details, "documentation_url": DOCUMENTATION, "status": str(self.status)}

    def reason(self) -> str:
        """The same for a person, in one line."""
        details = [error if isinstance(error, str) else error.get("message", "") for error in self.errors]
        return ": ".join([self.message, *filter(None, details)])


def not_found() -> GitHubError:
    return GitHubError(404, "Not Found")


def forbidden(message: str) -> GitHubError:
    return GitHubError(403, message)


def invalid(resource: str, field: str, code: str = "invalid", message: str = "") -> GitHubError:
    error = {"resource": resource, "field": field, "code": code, **({"message": message} if message else {})}
    return GitHubError(422, "Validation Failed", [error])
