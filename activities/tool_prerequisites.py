"""Finds the tools that DocuStack works with, and compares their versions with the deployment guide's minimums."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from activities.processes import run_process
from docustack.model import Model
from docustack.prerequisites import Area, Expected, Prerequisite

Version = tuple[int, int, int]

_ANSWERS_WITHIN = timedelta(seconds=30)
_IS_CHECKOUT = (Path(__file__).resolve().parents[1] / "Makefile").is_file()


@dataclass(frozen=True)
class Tool:
    """One tool: which version is needed, for what, and how it is got."""

    name: str
    minimum: Version
    purpose: str
    mend: str
    needed: bool = True
    argument: str = "--version"
    instead: str | None = None  # another executable that does the same work
    set_up: bool = False  # a checkout of DocuStack brings it

    @property
    def how_to_get(self) -> str:
        """`make setup` is a command in a checkout of DocuStack only."""
        return f"{self.mend}, or here: make setup" if self.set_up and _IS_CHECKOUT else self.mend


TOOLS = (
    Tool(
        "terraform",
        (1, 5, 0),
        "plans and applies",
        "brew install terraform (1.5.0 or later; others: https://developer.hashicorp.com/terraform/install)",
        instead="tofu",
        set_up=True,
    ),
    Tool(
        "terragrunt",
        (0, 50, 0),
        "finds units, calls Terraform for each",
        "brew install terragrunt (0.50.0 or later; others: https://terragrunt.gruntwork.io/docs/getting-started/install/)",
        set_up=True,
    ),
    Tool(
        "git",
        (2, 38, 0),
        "checks out commits",
        "brew install git (2.38 or later; others: https://git-scm.com/downloads; older Ubuntu: "
        "add-apt-repository ppa:git-core/ppa)",
    ),
    Tool(
        "aws",
        (2, 0, 0),
        "not called: boto3 does its work; for people at a shell",
        "brew install awscli (2.0 or later; others: "
        "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)",
        needed=False,
    ),
    Tool(
        "temporal",
        (1, 0, 0),
        "the server of a local world and of --standalone; for people at a shell",
        "brew install temporal (others: https://docs.temporal.io/cli)",
        needed=False,
        set_up=True,
    ),
)
"""The guide's prerequisites; its AWS CLI is optional here."""

OF_WORKERS = tuple(tool for tool in TOOLS if tool.name in ("terraform", "terragrunt", "git"))
"""What a worker can't work without."""

PYTHON_MINIMUM: Version = (3, 11, 0)


class CheckedTool(Model):
    """What was found of one tool."""

    name: str
    needed: bool
    minimum: str
    found: str | None  # its version; None where it isn't there, or doesn't say
    path: str | None
    ok: bool
    problem: str = ""
    mend: str = ""  # the command, or the place to go, that mends it
    purpose: str


async def check_tools(find: Callable[[str], str]) -> list[CheckedTool]:
    """All of them at once; `find` says which executable is used for a name."""
    return [_python(), *await asyncio.gather(*(check_tool(tool, find) for tool in TOOLS))]


def as_prerequisite(tool: CheckedTool, environment: str | None = None) -> Prerequisite:
    """Of the machine of a command, or of a worker of the environment."""
    optional = "" if tool.needed else ", optional: boto3 does its work"
    needed = f">= {tool.minimum}{optional}"
    expected = Expected(area=Area.TOOLS, name=tool.name, needed=needed, environment=environment)
    if tool.ok:
        return expected.met(f"{tool.found} at {tool.path}")
    found = f"{tool.found}: {tool.problem}" if tool.found else tool.problem
    return expected.failed(found, tool.mend) if tool.needed else expected.optional(found, tool.mend)


class WorkerTools:
    """Those of one worker's machine; one that was well is asked again only once it was replaced."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        """`paths`: the executables that the worker has found; of others that on PATH."""
        self._paths = paths
        self._well: dict[str, tuple[tuple[str, int], CheckedTool]] = {}
        self._turn = asyncio.Lock()  # environments are checked at once, and their workers are often one process

    async def check(self, environment: str | None = None) -> list[Prerequisite]:
        async with self._turn:
            found = await asyncio.gather(*map(self._check, OF_WORKERS))
        return [as_prerequisite(tool, environment) for tool in found]

    async def _check(self, tool: Tool) -> CheckedTool:
        stamp = self._stamp(tool.name)
        known = self._well.get(tool.name)
        if known is not None and known[0] == stamp:
            return known[1]
        checked = await check_tool(tool, self._path)
        if checked.ok and stamp is not None:
            self._well[tool.name] = (stamp, checked)
        return checked

    def _path(self, name: str) -> str:
        return self._paths.get(name, name)

    def _stamp(self, name: str) -> tuple[str, int] | None:
        path = shutil.which(self._path(name))
        return (path, Path(path).stat().st_mtime_ns) if path else None


def parse_version(text: str) -> Version | None:
    """The first version in what a tool says of itself: `Terraform v1.11.4`, `git version 2.39.5`, `aws-cli/2.1 …`."""
    match = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


async def check_tool(tool: Tool, find: Callable[[str], str]) -> CheckedTool:
    """One of them."""
    path = shutil.which(find(tool.name)) or (shutil.which(find(tool.instead)) if tool.instead else None)
    if path is None:
        other = f" (nor {tool.instead})" if tool.instead else ""
        return _checked(tool, None, None, f"There is no {tool.name}{other} on PATH.")
    try:
        said, code = await _ask(path, tool.argument)
    except OSError as error:
        return _checked(tool, path, None, f"It can't be started: {error.strerror or error}.")
    except TimeoutError:
        return _checked(tool, path, None, f"It didn't say its version within {_ANSWERS_WITHIN.seconds} s.")
    version = parse_version(said)
    if code != 0 or version is None:
        return _checked(tool, path, None, f"It didn't say its version: {said.strip()[:200]!r}, exit code {code}.")
    if version < tool.minimum:
        return _checked(tool, path, version, f"It is older than {dotted(tool.minimum)}.")
    return _checked(tool, path, version, "")


async def _ask(path: str, argument: str) -> tuple[str, int]:
    # A configuration file that doesn't exist adds a warning; the check for a newer version would ask the network.
    environ = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}
    done = await run_process([path, argument], environ=environ, timeout=_ANSWERS_WITHIN)
    return done.stdout or done.stderr, done.code


def _checked(tool: Tool, path: str | None, version: Version | None, problem: str) -> CheckedTool:
    return CheckedTool(
        name=tool.name,
        needed=tool.needed,
        minimum=dotted(tool.minimum),
        found=dotted(version) if version else None,
        path=path,
        ok=not problem,
        problem=problem,
        mend=tool.how_to_get if problem else "",
        purpose=tool.purpose,
    )


def _python() -> CheckedTool:
    version: Version = sys.version_info[:3]
    ok = version >= PYTHON_MINIMUM
    return CheckedTool(
        name="python",
        needed=True,
        minimum=dotted(PYTHON_MINIMUM),
        found=dotted(version),
        path=sys.executable,
        ok=ok,
        problem="" if ok else f"It is older than {dotted(PYTHON_MINIMUM)}.",
        mend="" if ok else "install Python 3.11 or later: https://www.python.org/downloads/",
        purpose="runs DocuStack",
    )
