"""What a remote says to a push: whether it would take one at all, and why it refused the one that was tried."""

import tempfile
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.failures import failure
from activities.git_command import GitError, TokenSource, git, remote_failure, remote_settings, said_last
from docustack.errors import ErrorType
from docustack.repository import Repository

IDENTITY = {
    "GIT_AUTHOR_NAME": "DocuStack",
    "GIT_AUTHOR_EMAIL": "docustack@localhost",
    "GIT_COMMITTER_NAME": "DocuStack",
    "GIT_COMMITTER_EMAIL": "docustack@localhost",
}
TRIED_BRANCH = "docustack/may-push"

_MOVED = ("non-fast-forward", "fetch first", "stale info", "cannot lock ref")
_RULES = ("gh006", "gh013", "protected branch", "repository rule violations", "hook declined", "push declined")
_NO_RIGHT = (
    "returned error: 403", "write access to repository not granted", "permission to ", "permission denied",
    "read only", "read-only", "not allowed to push", "authentication failed", "could not read username",
)  # fmt: skip


def push_failure(error: GitError, repository: str, branch: str) -> ApplicationError:
    """What a person reads when a push was refused; tried again only where another attempt can go another way."""
    said, told = error.stderr.lower(), f"git says: {_refusal(error.stderr)}"
    if any(mark in said for mark in _MOVED):
        return failure(
            ErrorType.UNAVAILABLE,
            f"Somebody else has pushed to `{branch}` of `{repository}` at the same moment. {told}",
        )
    if any(mark in said for mark in _RULES):
        return failure(
            ErrorType.CREDENTIALS,
            f"The rules of `{repository}` don't let the worker push to `{branch}`: let DocuStack's account pass them "
            f"for branches `docustack/*`. {told}",
        )
    if any(mark in said for mark in _NO_RIGHT):
        return failure(
            ErrorType.CREDENTIALS,
            f"The worker may not push to `{repository}`: DOCUSTACK_GITHUB_TOKEN has to be valid, with contents: "
            f"write, of an account with write access. {told}",
        )
    other = remote_failure(error, repository)
    if other.type != ErrorType.UNAVAILABLE:
        return other
    return failure(ErrorType.UNAVAILABLE, f"`{branch}` couldn't be pushed to `{repository}`. {told}")


async def try_push(repository: Repository, url: str, token: TokenSource) -> None:
    """Go as far as a push goes without changing anything; rules of branches and hooks are asked only by a real one.

    Raises:
        ApplicationError: as `push_failure`.
    """
    settings = await remote_settings(url, token)
    with tempfile.TemporaryDirectory(prefix="docustack-push-") as folder:
        here = Path(folder)
        await git(here, "init", "--quiet", "--bare")
        _, tree = await git(here, "mktree", standard_input=b"")
        _, commit = await git(here, "commit-tree", tree.decode().strip(), "-m", "May it?", environment=IDENTITY)
        refspec = f"{commit.decode().strip()}:refs/heads/{TRIED_BRANCH}"
        try:
            await git(here, "push", "--quiet", "--dry-run", url, refspec, settings=settings)
        except GitError as error:
            raise push_failure(error, repository.full_name, TRIED_BRANCH) from None


def _refusal(stderr: str) -> str:
    """The remote's own words where it has some: git's last line only says that it failed."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    remote = [line.removeprefix("remote:").strip() for line in lines if line.startswith(("remote:", "ERROR:"))]
    rejected = [line.removeprefix("!").strip() for line in lines if line.startswith("!")]
    return next((line for line in (*remote, *rejected) if line), said_last(stderr))
