"""`docustack worker` and `docustack serve`: the two processes of a deployment."""

import sys

from starter.ending import finish
from worker.settings import Process, Settings, unknown_variables

# The processes themselves are imported where they start: with all their clients they take seconds, which no other
# command has to wait for.


def worker() -> None:
    """Work on the task queues of this process' settings, until SIGTERM or Ctrl-C.

    What it works on, and with which credentials, is told by variables `DOCUSTACK_…` (environment.env.example).
    """
    settings = _settings(Process.WORKER)
    from worker.main import work  # noqa: PLC0415

    work(settings, finish)


def serve() -> None:
    """Take GitHub's webhooks and show the logs of runs, until SIGTERM or Ctrl-C.

    Where it listens, and with which secret, is told by variables `DOCUSTACK_…` (deploy.env.example).
    """
    settings = _settings(Process.SERVER)
    from starter.server import serve as serve_web  # noqa: PLC0415

    serve_web(settings)


def _settings(process: Process) -> Settings:
    """What the environment says; a misspelt variable sets nothing, so it is named."""
    for line in unknown_variables():
        sys.stderr.write(f"warning: {line}\n")
    return Settings.load(process)
