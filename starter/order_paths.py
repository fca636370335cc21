"""The paths of an order, as a person types them in a clone of the live repository; wrong ones are told at once."""

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from docustack.bootstrap_file import UNIT
from docustack.configuration import Configuration
from docustack.configuration_file import CONFIGURATION_PATH, load_configuration
from docustack.globs import covers, is_glob
from docustack.orders import path_problem
from docustack.unit_reads import UNIT_FILES
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.surrounding import standalone

_NOT_THEIRS = (".git", ".terragrunt-cache", ".terraform")
_SHOWN = 10


@dataclass(frozen=True)
class Clone:
    """The live repository in whose folder the command is called."""

    root: Path
    configuration: Configuration
    units: tuple[str, ...]


def clone_here() -> Clone | None:
    """The clone that this folder lies in; None where there is no docustack.yaml here or above.

    Raises:
        ConfigurationError: docustack.yaml is wrong.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / CONFIGURATION_PATH
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            return Clone(folder, load_configuration(text, str(path)), tuple(sorted(_units(folder))))
    return None


def order_paths(typed: Sequence[str], clone: Clone | None, *, elsewhere: bool = False) -> tuple[str, ...]:
    """Paths from the repository's root on; each was typed from this folder on, or from the root on.

    `elsewhere`: another commit is meant than the one that is checked out here, so what isn't here may well be there.

    Raises:
        CommandFailed: a path outside of the repository, an unknown one (with the nearest), one without any unit.
    """
    if clone is None:
        return tuple(dict.fromkeys(_from_nowhere(path) for path in typed))
    found = [path for each in typed for path in _from_here(each, clone, elsewhere=elsewhere)]
    return tuple(dict.fromkeys(found))


def refuse_several_units(paths: Sequence[str], clone: Clone | None, what: str) -> None:
    """Of one unit only can targets be, and an import; told here where the units are known.

    Raises:
        CommandFailed: the paths hold several.
    """
    units = [unit for unit in (clone.units if clone else ()) if any(covers(path, unit) for path in paths)]
    if len(units) > 1:
        raise CommandFailed(
            f"{what} of one unit, and {' '.join(paths)} has {len(units)}.",
            f"Name one of {_some(units)}.",
            code=ExitCode.USAGE,
        )


def _from_nowhere(typed: str) -> str:
    path = os.path.normpath(typed.strip()) if typed.strip() else typed
    if problem := path_problem(path):
        here = f"There is no {CONFIGURATION_PATH} here or above, so paths are those of the repository."
        raise CommandFailed(problem, here, code=ExitCode.USAGE)
    return path


def _from_here(typed: str, clone: Clone, *, elsewhere: bool) -> list[str]:
    if not typed.strip():
        raise CommandFailed("An empty path names no unit.", code=ExitCode.USAGE)
    if is_glob(typed) and not Path(typed).exists():
        return [_pattern(typed, clone)]
    path = _inside(typed, clone)
    place = clone.root / path
    if place.name in UNIT_FILES:
        place, path = place.parent, path.rpartition("/")[0]
    if not place.exists():
        if elsewhere:
            return [path]
        raise _unknown(typed, path, clone)
    units = [unit for unit in clone.units if covers(path, unit)]
    if not units:
        raise _without_units(typed, path, clone)
    placed = [unit for unit in units if clone.configuration.environment_of(unit)]
    if not placed:
        raise CommandFailed(
            f"{typed} lies in no environment of {CONFIGURATION_PATH}, so there are no rules to go by.",
            *_instead(units, clone),
            code=ExitCode.NOT_FOUND,
        )
    if path:
        return [path]
    paths = (environment.path.strip("/") for environment in clone.configuration.environments.values())
    return [each for each in paths if any(covers(each, unit) for unit in placed)]


def _pattern(typed: str, clone: Clone) -> str:
    path = typed.strip().removeprefix("./").strip("/")
    if problem := path_problem(path):
        raise CommandFailed(problem, code=ExitCode.USAGE)
    if not any(covers(path, unit) for unit in clone.units):
        raise CommandFailed(
            f"No unit is like {typed}.", "Patterns are said from the repository's root on.", code=ExitCode.NOT_FOUND
        )
    return path


def _inside(typed: str, clone: Clone) -> str:
    """The path from the root on: what is here counts before what the root has of that name."""
    from_here, from_root = (Path(os.path.normpath(base / typed.strip())) for base in (Path.cwd(), clone.root))
    place = from_root if from_root.exists() and not from_here.exists() else from_here
    if not place.exists() and not typed.startswith((".", "/")):
        place = from_root
    root = clone.root.resolve()
    if not place.is_relative_to(clone.root) and not place.is_relative_to(root):
        raise CommandFailed(f"{typed} lies outside of the repository in {clone.root}.", code=ExitCode.USAGE)
    real = place.resolve()
    if not real.is_relative_to(root):
        raise CommandFailed(f"{typed} is a link to {real}, outside of the repository.", code=ExitCode.USAGE)
    path = real.relative_to(root).as_posix()
    return "" if path == "." else path


def _instead(units: Sequence[str], clone: Clone) -> list[str]:
    if list(units) == [UNIT]:
        return [f"It is applied by a bootstrap, for one environment: {standalone.typed} bootstrap ENVIRONMENT."]
    return [f"Environments are {_environments(clone)}."]


def _unknown(typed: str, path: str, clone: Clone) -> CommandFailed:
    near = difflib.get_close_matches(path, sorted(_folders(clone.units)), n=3, cutoff=0.6)
    advice = [f"Did you mean {' or '.join(near)}?"] if near else []
    if clone.configuration.environment_of(path) is None:
        advice.append(f"Environments are {_environments(clone)}.")
    elif not near:
        advice.append(f"Units there: {_some(_of_environment(path, clone))}.")
    advice.append(
        "What others have pushed since is here after `git pull`; what another commit has is meant with --ref."
    )
    return CommandFailed(f"There is no {path or typed} in {clone.root}.", *advice, code=ExitCode.NOT_FOUND)


def _without_units(typed: str, path: str, clone: Clone) -> CommandFailed:
    near = _of_environment(path, clone) or list(clone.units)
    return CommandFailed(
        f"{typed} has no unit: no terragrunt.hcl lies in it, nor below.",
        f"Units near it: {_some(difflib.get_close_matches(path, near, n=_SHOWN, cutoff=0.3) or near)}.",
        code=ExitCode.NOT_FOUND,
    )


def _of_environment(path: str, clone: Clone) -> list[str]:
    name = clone.configuration.environment_of(path)
    return [unit for unit in clone.units if name and clone.configuration.environment_of(unit) == name]


def _folders(units: Iterable[str]) -> set[str]:
    return {"/".join(unit.split("/")[:depth]) for unit in units for depth in range(1, unit.count("/") + 2)}


def _environments(clone: Clone) -> str:
    return ", ".join(clone.configuration.environments)


def _some(units: Sequence[str]) -> str:
    more = f" and {len(units) - _SHOWN} more" if len(units) > _SHOWN else ""
    return ", ".join(units[:_SHOWN]) + more if units else "none"


def _units(root: Path) -> Iterable[str]:
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _NOT_THEIRS]
        inside = Path(folder).relative_to(root).as_posix()
        if inside != "." and any(name in UNIT_FILES for name in names):
            yield inside
