"""What a unit would get from its dependencies now: their real outputs, its mocks, or nothing; told by structure."""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from activities.in_flight import InFlight
from activities.processes import Finished, run_process
from activities.terragrunt_command import TerragruntCommand
from docustack.plan_document import Json, digest_of
from docustack.plans import DependencyOutputs, OutputsKind

_NONE = "__docustack_no_outputs__"


class TerragruntFailed(Exception):
    """Terragrunt could not read the unit; `output` is what it wrote, not redacted."""

    def __init__(self, command: str, output: str) -> None:
        super().__init__(command)
        self.command = command
        self.output = output


@dataclass(frozen=True)
class Dependency:
    """A `dependency` block of a unit, as Terragrunt itself has read it."""

    name: str
    path: Path
    mocks: Json
    mocks_for: tuple[str, ...] | None  # commands that may use the mocks; None: all
    merge: str  # no_merge, shallow, deep_map_only: whether mocks fill in for keys that the real outputs lack
    skips_outputs: bool


@dataclass(frozen=True)
class Rendered:
    """A unit as `terragrunt render` gives it."""

    dependencies: tuple[Dependency, ...]
    inputs: dict[str, Json] = field(default_factory=dict)
    remote_state: dict[str, Json] | None = None
    extra_arguments: tuple[Json, ...] = ()  # blocks of `terraform`: files of variables, arguments, environment
    generated_once: tuple[str, ...] = ()  # files that Terragrunt generates only where they are not there yet


class ColdFolders:
    """Two Terragrunts must not prepare one folder at once; once it is prepared, any number may read there."""

    MANY = 10_000

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[Path, asyncio.Lock] = weakref.WeakValueDictionary()
        self._warm: set[Path] = set()

    @contextlib.asynccontextmanager
    async def warm_up(self, folders: Iterable[Path]) -> AsyncIterator[None]:
        """Holds the folders that nobody has prepared yet."""
        async with contextlib.AsyncExitStack() as held:
            for folder in sorted({*folders}):
                if folder not in self._warm:
                    await held.enter_async_context(self._locks.setdefault(folder, asyncio.Lock()))
            yield
        if len(self._warm) > self.MANY:
            self._warm.clear()
        self._warm.update(folders)


@contextlib.contextmanager
def scratch_folder(scratch: Path, files: Mapping[str, str]) -> Iterator[Path]:
    """A private folder with these files, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="terragrunt-", dir=scratch))
    try:
        for name, text in files.items():
            (folder / name).write_text(text)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class UnitReader:
    """Asks Terragrunt about units of one work tree."""

    def __init__(self, command: TerragruntCommand, scratch: Path) -> None:
        self._command = command
        self._scratch = scratch
        self._folders = ColdFolders()
        self._remote_states: dict[Path, dict[str, Json] | None] = {}  # of folders of work trees: none changes its own
        self._rendering: InFlight[Rendered] = InFlight()
        self._reading: InFlight[dict[Path, Json]] = InFlight()

    def preparing(self, folder: Path) -> contextlib.AbstractAsyncContextManager[None]:
        """Around whatever may be the first to prepare a unit's folder."""
        return self._folders.warm_up([folder])

    async def render(self, folder: Path, environ: Mapping[str, str], *, join: bool = False) -> Rendered:
        """Raises `TerragruntFailed` where the unit can't be read."""

        async def ask() -> Rendered:
            return await self._rendered(folder, environ)

        return await self._rendering.ask((folder, frozenset(environ.items())), ask) if join else await ask()

    async def remote_state(self, folder: Path, environ: Mapping[str, str]) -> dict[str, Json] | None:
        """Where the unit's state is, None where it doesn't say; raises `TerragruntFailed` where it can't be read."""
        if folder not in self._remote_states:
            return (await self.render(folder, environ, join=True)).remote_state
        return self._remote_states[folder]

    async def _rendered(self, folder: Path, environ: Mapping[str, str]) -> Rendered:
        document = await self._render(folder, environ)
        blocks = document.get("dependency")
        inputs, remote_state, terraform = (document.get(name) for name in ("inputs", "remote_state", "terraform"))
        arguments = terraform.get("extra_arguments") if isinstance(terraform, dict) else None
        remote_state = remote_state if isinstance(remote_state, dict) else None
        self._remember(folder, remote_state)
        return Rendered(
            tuple(_dependency(folder, str(name), block) for name, block in blocks.items() if isinstance(block, dict))
            if isinstance(blocks, dict)
            else (),
            inputs if isinstance(inputs, dict) else {},
            remote_state,
            tuple(arguments.values()) if isinstance(arguments, dict) else (),
            _generated_once(document.get("generate"), remote_state),
        )

    async def real_outputs(
        self, dependencies: tuple[Dependency, ...], environ: Mapping[str, str], *, join: bool = False
    ) -> dict[str, Json]:
        """The outputs that each dependency has in its state now; those with none are left out.

        With `join` they may be those of a moment ago, which somebody else has asked for: enough for a plan, which is
        only made after that, never for judging one.
        """
        dependencies = tuple(each for each in dependencies if not each.skips_outputs)
        if not dependencies:
            return {}
        paths = tuple(sorted({each.path for each in dependencies}))

        async def ask() -> dict[Path, Json]:
            return await self._outputs(paths, environ)

        outputs = await self._reading.ask((paths, frozenset(environ.items())), ask) if join else await ask()
        return {each.name: outputs[each.path] for each in dependencies if each.path in outputs}

    async def _outputs(self, paths: tuple[Path, ...], environ: Mapping[str, str]) -> dict[Path, Json]:
        """One configuration of our own depends on all of these units, so that Terragrunt fetches their outputs in its
        own way and at once, also where a unit's own dependencies were never applied.

        Its only mock tells "no outputs at all".
        """
        prepared = [path for path in paths if not await self._has_state_in_reach(path, environ)]
        async with self._folders.warm_up(prepared):
            with scratch_folder(self._scratch, {"terragrunt.hcl": _probe(paths)}) as folder:
                document = await self._render(folder, environ)
        inputs = document.get("inputs")
        if not isinstance(inputs, dict):
            raise TerragruntFailed("terragrunt render", "Error: the outputs of dependencies could not be read")
        found: dict[Path, Json] = {}
        for index, path in enumerate(paths):
            outputs = inputs.get(f"d{index}")
            if not isinstance(outputs, dict):
                raise TerragruntFailed("terragrunt render", f"Error: the outputs of {path} could not be read")
            if _NONE not in outputs:
                found[path] = outputs
        return found

    async def _has_state_in_reach(self, folder: Path, environ: Mapping[str, str]) -> bool:
        """Whether Terragrunt reads a dependency's outputs where its state is, and so leaves its folder alone.

        Else it prepares the folder, and everybody who needs it has to wait: also for the plan of that very unit.
        """
        if not self._command.reads_from_state(environ):
            return False
        with contextlib.suppress(TerragruntFailed):  # then the outputs can't be read either, and that is told
            remote_state = await self.remote_state(folder, environ)
            return remote_state is not None and remote_state.get("backend") == "s3"
        return False

    def _remember(self, folder: Path, remote_state: dict[str, Json] | None) -> None:
        if len(self._remote_states) > ColdFolders.MANY:
            self._remote_states.clear()
        self._remote_states[folder] = remote_state

    async def _render(self, folder: Path, environ: Mapping[str, str]) -> dict[str, Json]:
        with scratch_folder(self._scratch, {"rendered.json": ""}) as beside:
            out = beside / "rendered.json"
            answer = await run_process(
                self._command.render(out), cwd=folder, environ=environ, timeout=timedelta(minutes=10)
            )
            text = answer.stdout if self._command.is_new else await asyncio.to_thread(out.read_text)
        return _parse(text, answer)


def _parse(text: str, answer: Finished) -> dict[str, Json]:
    """What was rendered counts, not the exit code: an input that can't be evaluated yet hides nothing else."""
    try:
        document: Json = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TerragruntFailed("terragrunt render", answer.stderr or answer.stdout)
    return document


_WORST_FIRST = (OutputsKind.MISSING, OutputsKind.MOCK, OutputsKind.REAL)


def present_outputs(
    dependencies: tuple[Dependency, ...], real: Mapping[str, Json], root: Path, key: bytes
) -> tuple[DependencyOutputs, ...]:
    """What a plan made now would get from each dependency, which is named by its path below `root`.

    One whose outputs are skipped gives nothing but what stands in the configuration, and is left out. `key` is for the
    digests.
    """
    found: dict[str, DependencyOutputs] = {}
    for each in dependencies:
        if not each.skips_outputs:
            unit = os.path.relpath(each.path, root)
            present = _present(each, real.get(each.name), unit, key)
            found[unit] = min(found.get(unit, present), present, key=lambda outputs: _WORST_FIRST.index(outputs.kind))
    return tuple(found[unit] for unit in sorted(found))


def _present(dependency: Dependency, real: Json, unit: str, key: bytes) -> DependencyOutputs:
    mocks = dependency.mocks if isinstance(dependency.mocks, dict) else None
    may_mock = mocks is not None and (dependency.mocks_for is None or "plan" in dependency.mocks_for)
    if not isinstance(real, dict):
        return DependencyOutputs(unit=unit, kind=OutputsKind.MOCK if may_mock else OutputsKind.MISSING)
    filled_in = may_mock and _filled_in(dependency.merge, real, mocks)
    return DependencyOutputs(
        unit=unit, kind=OutputsKind.MOCK if filled_in else OutputsKind.REAL, digest=digest_of(real, key)
    )


def _filled_in(merge: str, real: Json, mocks: Json) -> bool:
    """Is there a mock for which the real outputs have nothing?"""
    if merge == "no_merge" or not isinstance(real, dict) or not isinstance(mocks, dict):
        return False
    if merge == "shallow":
        return not mocks.keys() <= real.keys()
    return any(name not in real or _filled_in(merge, real[name], mock) for name, mock in mocks.items())


def _dependency(folder: Path, name: str, block: dict[str, Json]) -> Dependency:
    commands = block.get("mock_outputs_allowed_terraform_commands")
    merge = block.get("mock_outputs_merge_strategy_with_state")
    if merge is None:
        merge = "shallow" if block.get("mock_outputs_merge_with_state") is True else "no_merge"
    return Dependency(
        name=name,
        path=Path(os.path.normpath(folder / str(block.get("config_path")))),
        mocks=block.get("mock_outputs"),
        mocks_for=tuple(str(each) for each in commands) if isinstance(commands, list) and commands else None,
        merge=str(merge),
        skips_outputs=block.get("skip") is True or block.get("skip_outputs") is True or block.get("enabled") is False,
    )


def _generated_once(blocks: Json, remote_state: dict[str, Json] | None) -> tuple[str, ...]:
    """Paths of the `generate` blocks that say `if_exists = "skip"`."""
    found = [*blocks.values()] if isinstance(blocks, dict) else []
    found.append(remote_state.get("generate") if remote_state else None)
    return tuple(
        str(block["path"])
        for block in found
        if isinstance(block, dict) and block.get("if_exists") == "skip" and block.get("path")
    )


def _probe(paths: tuple[Path, ...]) -> str:
    """A configuration of Terragrunt's whose inputs are the outputs of all these units."""
    blocks = [
        f'dependency "d{index}" {{\n  config_path  = {_hcl(str(path))}\n  mock_outputs = {{ {_NONE} = true }}\n}}\n'
        for index, path in enumerate(paths)
    ]
    inputs = "".join(f"  d{index} = dependency.d{index}.outputs\n" for index in range(len(paths)))
    return "\n".join(blocks) + f"\ninputs = {{\n{inputs}}}\n"


def _hcl(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
