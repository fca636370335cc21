"""A person at a terminal, in a clone of the live repository: what they type there, and what they see."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local.waiting import wait_for
from local.work_tree import WorkTree
from tests.e2e.pull_requests.live_repository import Files
from tests.e2e.pull_requests.small_world import DOCUSTACK, SmallWorld

SECONDS = 120.0
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One command on a screen of its own."""

    def __init__(self, arguments: Iterable[str], folder: Path, environment: dict[str, str]) -> None:
        self._screen, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [str(DOCUSTACK), *arguments],
            cwd=folder,
            env={**environment, "COLUMNS": "200", "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.raw = ""

    @property
    def text(self) -> str:
        """All that was written so far, without colours."""
        while select.select([self._screen], [], [], 0)[0]:
            try:
                new = os.read(self._screen, 65_536)
            except OSError:  # the other side is closed
                break
            if not new:
                break
            self.raw += new.decode(errors="replace")
        return _STYLE.sub("", self.raw).replace("\r\n", "\n")

    def until(self, *words: str) -> str:
        wait_for(lambda: all(word in self.text for word in words), f"{words}", SECONDS, found_instead=lambda: self.text)
        return self.text

    def type(self, line: str) -> None:
        os.write(self._screen, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> int:
        """Its exit code, once it has ended by itself."""

        def ended() -> bool:
            assert self.text is not None  # read on, or it would wait for room on its screen
            return self._process.poll() is not None

        wait_for(ended, "the end of the command", SECONDS, found_instead=lambda: self.text)
        assert self.text is not None
        return self._process.returncode

    @property
    def run_id(self) -> str:
        found = re.search(r"^Run ([0-9a-f]{10}):", self.until("Run "), re.MULTILINE)
        assert found, self.text
        return found[1]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        os.close(self._screen)


class Desk:
    """One person's clone, and their commands in it."""

    def __init__(self, world: SmallWorld, login: str) -> None:
        self.world = world
        self.tree: WorkTree = world.person(login).clone(world.clone_folder())
        self._environment = world.environment_of(login)
        self._terminals: list[Terminal] = []

    def push(self, files: Files, branch: str = "main") -> str:
        """Onto the branch itself, as a merge would have."""
        self.tree.branch(branch, branch)
        for path, text in files.items():
            self.tree.write(path, text)
        self.tree.commit("change units")
        return self.tree.push()

    def terminal(self, *arguments: str, folder: str = "") -> Terminal:
        terminal = Terminal(arguments, self.tree.path / folder, self._environment)
        self._terminals.append(terminal)
        return terminal

    def call(self, *arguments: str, folder: str = "") -> "subprocess.CompletedProcess[str]":
        """A command without a terminal."""
        return subprocess.run(
            [str(DOCUSTACK), *arguments],
            cwd=self.tree.path / folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: Any) -> None:
        for terminal in self._terminals:
            terminal.close()
