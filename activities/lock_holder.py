"""Holds a file lock for as long as one command runs: `lock_holder.py DESCRIPTOR COMMAND…`, a process of its own.

What the command starts doesn't hold it: a plugin of Terraform's that is left behind, when Terraform itself is killed or
loses its output, never ends, and would keep the next attempt waiting for good.
"""

import os
import signal
import subprocess
import sys


def main(descriptor: int, argv: list[str]) -> int:
    """The command's exit code; interrupts reach the command itself, which is in the same process group."""
    os.set_inheritable(descriptor, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # handled, not ignored: what is ignored the command would ignore, too
    code = subprocess.call(argv)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
