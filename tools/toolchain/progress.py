"""Shows a person what setup is doing, for how long, and what went wrong."""

import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from toolchain.errors import SetupError

NOTE_EVERY = 15.0
"""Seconds between two lines about the same step where the output is a file or a CI log."""

Describe = Callable[[str], str | None]
"""Turns a line of a command's output into what to show beside the clock; None keeps what is shown."""


class Progress:
    """One line a step: redrawn in place on a terminal, now and then repeated in a log."""

    def __init__(self, logs: Path, stream: TextIO = sys.stdout) -> None:
        self._logs = logs
        self._stream = stream
        self._live = stream.isatty()
        self._title = ""
        self._detail = ""
        self._since = 0.0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Shows `title` with its clock until the block ends."""
        self._title, self._detail, self._since = title, "", time.monotonic()
        ended = threading.Event()
        clock = threading.Thread(target=self._tick, args=(ended,), daemon=True)
        clock.start()
        mark = "✗"
        try:
            yield
            mark = "✓"
        finally:
            ended.set()
            clock.join()
            self._erase()
            self._write(f"{mark} {self._line()}\n")

    def detail(self, text: str) -> None:
        """Says what the present step is at."""
        self._detail = text

    def say(self, text: str) -> None:
        self._write(text + "\n")

    def run(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], describe: Describe, hint: str) -> None:
        """Runs a command of the present step, its output in a log file.

        Raises:
            SetupError: the command failed; with the last lines of its output.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{Path(command[0]).name}.log"
        tail: deque[str] = deque(maxlen=15)
        with (
            log.open("w") as file,
            subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", close_fds=False,  # it inherits the lock of this setup
            ) as process,
        ):  # fmt: skip
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    file.write(line)
                    tail.append(line.rstrip())
                    self._detail = describe(line) or self._detail
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            shown = "\n".join(f"    {line}" for line in tail)
            raise SetupError(
                f"`{' '.join(command)}` ended with exit code {process.returncode}:\n{shown}",
                f"{hint} The whole log is in {log}.",
            )

    def _line(self) -> str:
        elapsed = time.monotonic() - self._since
        clock = f"{elapsed:.1f} s" if elapsed < 60 else f"{int(elapsed) // 60} min {int(elapsed) % 60:02} s"
        return f"{self._title}  {clock}  {self._detail}".rstrip()

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(0.2 if self._live else NOTE_EVERY):
            line = f"… {self._line()}"
            if self._live:
                self._erase()
                self._write(line[: shutil.get_terminal_size().columns - 1])  # a wrapped line couldn't be erased
            else:
                self._write(line + "\n")

    def _erase(self) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
