"""Runs the `git` executable: without anybody's settings, hooks or prompts, and with the token where nobody sees it."""

import asyncio
import base64
import contextlib
import errno
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.failures import failure
from activities.unit_work import make_sure_of_room
from docustack.errors import ErrorType

TokenSource = SecretStr | Callable[[], Awaitable[SecretStr]] | None
"""The token for https remotes: fixed, or asked for each time, since a GitHub App's expires after an hour."""

NETWORK_LIMIT = 8 * 60.0  # seconds for one fetch; git itself gives up on a stalled connection much earlier
_GRACE = 10.0  # seconds that git has to end by itself once it was told to

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.quotePath": "false",
    "diff.renameLimit": "5000",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "30",
    "protocol.allow": "never",
}
_KEPT = ("GIT_SSL_", "GIT_SSH", "GIT_PROXY")
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=20"


class GitError(Exception):
    """git ended with an exit code that wasn't expected; `stderr` is what it said, without its progress."""

    def __init__(self, arguments: Sequence[str], code: int, stderr: str) -> None:
        super().__init__(f"git {arguments[0]} ended with {code}: {stderr}")
        self.stderr = stderr


async def git(
    directory: Path,
    *arguments: str,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    expected: tuple[int, ...] = (0,),
    standard_input: bytes | None = None,
    lock: int | None = None,
) -> tuple[int, bytes]:
    """Run git in a directory; gives the exit code and the standard output.

    Args:
        settings: git settings for this call, passed in its environment: they show in no list of processes.
        lock: the descriptor of a lock that the process holds with us until it has ended.

    Raises:
        GitError: the exit code is not among the expected ones.
        OSError: because the disk is full.
    """
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=directory,
        env=_environment({**_SETTINGS, **(settings or {})}, environment or {}),
        stdin=asyncio.subprocess.DEVNULL if standard_input is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=() if lock is None else (lock,),
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate(standard_input)
    except asyncio.CancelledError:
        await asyncio.shield(_end(process))
        raise
    assert process.returncode is not None
    if process.returncode not in expected and b"No space left on device" in errors:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))
    if process.returncode not in expected:
        make_sure_of_room(directory)  # of a ref that it couldn't write, git doesn't say why
        raise GitError(arguments, process.returncode, errors.decode(errors="replace").strip())
    return process.returncode, output


async def remote_settings(url: str, token: TokenSource) -> dict[str, str]:
    """The settings with which git may speak with this remote, and only by the protocol of its address."""
    scheme = scheme_of(url)
    settings = {f"protocol.{scheme}.allow": "always"}
    secret = await token() if callable(token) else token
    if secret is not None and scheme in ("http", "https"):
        parts = urlsplit(url)
        credentials = base64.b64encode(f"x-access-token:{secret.get_secret_value()}".encode()).decode()
        # Bound to the host: a redirect elsewhere doesn't get the token.
        settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {credentials}"
    return settings


def scheme_of(url: str) -> str:
    """The protocol of a clone address: `https`, `ssh` (also `git@host:path`), `file` (also a bare path)."""
    if "://" in url:
        return url.partition("://")[0].lower()
    return "ssh" if ":" in url and not url.startswith(("/", ".")) else "file"


def remote_failure(error: GitError, repository: str) -> ApplicationError:
    """What a person reads when the remote didn't give what was asked for."""
    said = error.stderr.lower()
    told = f"git says: {said_last(error.stderr)}"
    if "couldn't find remote ref" in said:
        return failure(ErrorType.NOT_FOUND, f"`{repository}` has no such branch. {told}")
    if any(mark in said for mark in ("authentication failed", "could not read username", "403", "permission denied")):
        return failure(
            ErrorType.CREDENTIALS,
            f"The worker may not read `{repository}` with git: its token is missing, wrong or expired. {told}",
        )
    if any(mark in said for mark in ("repository not found", "returned error: 404", "/' not found")):
        return failure(
            ErrorType.NOT_FOUND, f"There is no repository `{repository}`, or the worker's token may not see it. {told}"
        )
    return failure(ErrorType.UNAVAILABLE, f"`{repository}` couldn't be fetched. {told}")


def _environment(settings: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
    numbered: dict[str, str] = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        numbered[f"GIT_CONFIG_KEY_{number}"] = key
        numbered[f"GIT_CONFIG_VALUE_{number}"] = value
    fixed = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "LC_ALL": "C",
    }
    return {"GIT_SSH_COMMAND": _SSH, **kept, **fixed, **numbered, **added}


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM to the group, on which git removes its lock files; SIGKILL if that doesn't help."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            # Not `wait()`: a full pipe that nobody reads would keep the process from ending.
            await asyncio.wait_for(process.communicate(), _GRACE)
            return


def said_last(text: str) -> str:
    """The line of what git said that says why it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or ["nothing"])[0]
