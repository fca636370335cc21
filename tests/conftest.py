"""What holds for every test: this machine's settings stay out, and the exit code is the one that pytest found."""

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOREIGN = ("AWS_", "DOCUSTACK_", "GIT_", "GITHUB_", "SSL_CERT_", "TERRAGRUNT_", "TF_", "TG_")
"""Settings by these prefixes would change what the tools do, or let a test reach somebody's real account."""

SLOW_FIRST = (
    "e2e/test_bootstrap.py",
    "e2e/pull_requests/test_crashes.py",
    "e2e/pull_requests/test_two_workers.py",
    "e2e",
    "integration",
    "workflows",
    "replay",
    "unit",
)
"""Files and folders of tests; the first that a file lies in counts."""

_session: pytest.Session | None = None


def pytest_configure() -> None:
    """Gives every process that a test starts the tools of `.tools`, and nothing of the person who runs it."""
    hypothesis.settings.register_profile("any-machine", deadline=None)  # a busy machine is no failure
    hypothesis.settings.load_profile("any-machine")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a script, we and all our children would ignore Ctrl-C, which some tests press.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ |= {
        "PATH": os.pathsep.join([str(ROOT / ".tools/bin"), str(ROOT / ".venv/bin"), os.environ["PATH"]]),
        "TF_CLI_CONFIG_FILE": str(ROOT / ".tools/terraformrc"),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Temporal, Terragrunt, Terraform and its provider are Go, and spend up to a fifth of their time on
        # collecting garbage: in processes that live for seconds for next to nothing.
        "GOGC": "400",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        # Nothing here speaks TLS, and every HTTP client would load a hundred authorities first.
        "SSL_CERT_DIR": os.devnull,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
    }


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the slow files begin first: the many small ones then fill what is left of each process."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.path.relative_to(ROOT / "tests")))


def _place(path: Path) -> int:
    return next(place for place, slow in enumerate(SLOW_FIRST) if path.is_relative_to(slow))


def pytest_sessionstart(session: pytest.Session) -> None:
    global _session  # noqa: PLW0603  # pytest has no other way from the session to the end of its configuration
    _session = session


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the process here, where every report is written, with the exit code that pytest would give.

    The Temporal SDK can crash the interpreter while it shuts down (temporalio/sdk-python#300), which would turn a
    passed run into a failed one. A worker of pytest-xdist goes on: its results are still on their way.
    """
    if _session is None or hasattr(config, "workerinput") or "temporalio" not in sys.modules:
        return
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(int(_session.exitstatus))
