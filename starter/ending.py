"""The one place where a process of ours ends."""

import contextlib
import os
import sys
from typing import NoReturn


def finish(code: int) -> NoReturn:
    """Flush what was written, then end without the interpreter's own shutdown.

    The Temporal SDK can crash the interpreter while that shuts down (temporalio/sdk-python#300), which would turn any
    exit code into that of a crash.
    """
    for stream in (sys.stdout, sys.stderr):
        # Closed by the other side (`docustack runs list | head -1`), or never open (a service without a terminal).
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
