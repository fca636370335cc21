"""The GitHub token of whoever types a command."""

import os
import shutil
import subprocess
from urllib.parse import urlsplit

from starter.exit_codes import CommandFailed, ExitCode
from worker.settings import Settings, variable

_GH_WITHIN = 10


def own_token(settings: Settings) -> str:
    """As `gh` finds it: GH_TOKEN, else the one that it keeps for this GitHub.

    Raises:
        CommandFailed: USAGE, there is none.
    """
    if token := os.environ.get("GH_TOKEN", "").strip():
        return token
    if gh := shutil.which("gh"):
        host = urlsplit(settings.github_api_url).hostname or ""
        command = [gh, "auth", "token", "--hostname", host.removeprefix("api.")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_GH_WITHIN, check=False)
        except (OSError, subprocess.TimeoutExpired):
            done = None
        if done is not None and done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    raise CommandFailed(
        "Who are you? No GitHub token of yours is at hand.",
        f"Sign in with `gh auth login`, or set GH_TOKEN or {variable('github_user_token')}.",
        code=ExitCode.USAGE,
    )
