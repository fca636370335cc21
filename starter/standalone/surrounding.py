"""A command's hold on the standalone installation of its person, from its first question to its end."""

import asyncio
import contextlib
import os
import re
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.status import Status
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from starter.console import errors
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.folder import Folder, Remembered, folder_of_person, stop_using
from starter.standalone.joining import Joined, await_end, join
from starter.standalone.parts import server_address, temporal_address, temporal_executable
from starter.standalone.resting import Own, agree, find_resting, nothing, others
from worker.settings import variable

_EVERY = 0.2
_CLOSES_WITHIN = 30.0

_OF_ANOTHER_TEMPORAL = (
    "temporal_api_key", "temporal_tls", "temporal_tls_ca", "temporal_tls_certificate", "temporal_tls_key",
)  # fmt: skip


_OUR_COMMAND = re.compile(r"(?:(?<=`)|(?<=^    ))docustack(?= (?!-|doctor|local|serve|worker))", re.MULTILINE)
"""In a text, between backticks or on an indented line of its own; not those that have no standalone form."""


@dataclass
class Standalone:
    """Does nothing unless it was asked for, and nothing before the first question to Temporal or to the server."""

    is_asked: bool = False
    resumes: bool = False  # whatever rests, without a question
    _own: Own = nothing
    _leaves: str = ""
    _folder: Folder | None = None
    _joined: Joined | None = None
    _environ: dict[str, str] = field(default_factory=dict)

    def ask(self, *, resume: bool = False) -> None:
        self.is_asked, self.resumes = True, resume

    def take_up(self, own: Own) -> None:
        """Of what rests the command goes on with this by itself; all else its person is asked about."""
        self._own = own

    @property
    def typed(self) -> str:
        """How our command is typed by this person, for advice."""
        return "docustack --standalone" if self.is_asked else "docustack"

    def told(self, text: str) -> str:
        """What a workflow advises, which can't know how this person types our command."""
        return _OUR_COMMAND.sub(self.typed, text) if self.is_asked else text

    def surround(self, *, engine: bool = False) -> None:
        """Make Temporal be there, with `engine` a worker and the server too, and this process' settings name them.

        Without `engine` nothing goes on: who only reads must not start again what rests.

        Raises:
            CommandFailed: something is missing, didn't come up, or works for something else.
            ConfigurationError: a setting or `docustack.yaml` is wrong.
        """
        if not self.is_asked or (self._joined is not None and (self._joined.known.has_worker or not engine)):
            return
        self._let_go()
        self._folder = folder_of_person()
        self._folder.make()
        temporal_executable()
        parts = "Temporal, a worker and the server" if engine else "Temporal"
        with errors().status(f"Starting {parts} in {self._folder.path}…") as status:
            self._joined = join(self._folder, partial(self._look, status) if engine else None)
        self._environ = dict(os.environ)
        for name in _OF_ANOTHER_TEMPORAL:
            os.environ.pop(variable(name), None)
        os.environ.setdefault(variable("artifacts"), str(self._folder.worker / "artifacts"))
        os.environ |= temporal_address(self._joined.known)
        if self._joined.known.has_worker:
            os.environ |= server_address(self._joined.known)

    def leave(self) -> None:
        """End what this command has begun, unless another uses it too."""
        self.is_asked = False
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C: it ends without us
            self._let_go()

    def detached(self, command: str) -> str:
        """What becomes of the work of a command that only stops watching it; `command` watches it again."""
        if self.is_asked:
            again = f"It rests, and goes on with the same command, or with {self.typed} {command}"
            return f"{again}; an apply that works goes on alone meanwhile."
        return f"It goes on. To watch it again: {self.typed} {command}"

    def ends_without_us(self, same: str, watch: str) -> str:
        """What becomes of what is being cancelled when nobody stays for its end."""
        if self.is_asked:
            return f"It has not ended, and rests. The same command goes on with it: {self.typed} {same}"
        return f"It has not ended, and ends by itself. To see how: {self.typed} {watch}"

    def leaves(self, what: str, command: str) -> None:
        """What an answer has set going, and what goes on with it, should this be the last command to leave."""
        self._leaves = f"{what} rests, unless it has ended. To go on with it: {self.typed} {command}"

    def refuse_detaching(self) -> None:
        """Raises CommandFailed: USAGE, nothing would go on without a command."""
        if self.is_asked:
            raise CommandFailed(
                "Standalone, nothing goes on without a command that watches it.",
                "Leave out --detach; Ctrl-C lets it rest, and the same command goes on with it.",
                code=ExitCode.USAGE,
            )

    async def until_closed(self, handle: WorkflowHandle[Any, Any]) -> None:
        """What has said how it ended still gives back its locks and cleans up: without us it would rest amid that."""
        until = time.monotonic() + _CLOSES_WITHIN
        while self.is_asked and time.monotonic() < until:
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return
            await asyncio.sleep(_EVERY)

    def has_no_worker(self) -> CommandFailed | None:
        """Why nothing answered: what only reads starts no worker."""
        if self._joined is None or self._joined.known.has_worker:
            return None
        return CommandFailed(
            "It rests, and only a worker could tell how far it is.",
            "docustack --standalone runs watch ID (or deploy watch) goes on with it;",
            "docustack --standalone history show WORKFLOW_ID has what was done.",
            code=ExitCode.UNREACHABLE,
        )

    def _look(self, status: Status, known: Remembered) -> None:
        """Before a worker starts: what rests, and what this command is not for."""
        address = temporal_address(known)[variable("temporal_address")]
        unwanted = others(asyncio.run(find_resting(address)), self._own)
        status.stop()  # it would write over the question
        agree(unwanted, resume=self.resumes)
        status.start()

    def _let_go(self) -> None:
        joined, self._joined = self._joined, None
        if joined is None or self._folder is None:
            return
        os.environ.clear()
        os.environ.update(self._environ)
        if stop_using(joined.users):
            if self._leaves:
                errors().print(self._leaves)
            with errors().status("Ending what was started for this command…"):
                await_end(self._folder)


standalone = Standalone()
"""Of this process."""
