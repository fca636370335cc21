"""What `docustack doctor` looks at: settings and credentials, and the rules of a live repository."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docustack.configuration import Configuration
from docustack.configuration_file import CONFIGURATION_PATH, load_configuration
from docustack.errors import ConfigurationError
from docustack.prerequisites import Area, Expected, Prerequisite
from docustack.repository import Repository
from local import parts
from local.live_repository import committed
from local.places import Places
from local.state import WorldState
from starter.exit_codes import CommandFailed, ExitCode
from starter.surroundings import world_at_hand
from worker.settings import PREFIX, Process, Settings, process_environment, variable

_RULES = Expected(area=Area.CONFIGURATION, name=CONFIGURATION_PATH, needed="valid rules")


@dataclass(frozen=True)
class Around:
    """`environ` has the credentials for AWS; `rules` are None where they can't be read, and `found` says why."""

    settings: Settings
    environ: Mapping[str, str]
    in_local_world: bool
    rules: Configuration | None
    repository: Repository | None
    found: Prerequisite


def look_around(path: Path | None) -> Around:
    """What this machine's environment says; where it says nothing of Temporal and a local world runs, that world.

    Raises:
        CommandFailed: USAGE, there are no rules at `path`.
    """
    world = None if os.environ.get(variable("temporal_address")) else world_at_hand()
    rules, found = _read_rules(path, world)
    if world is not None:
        environ = parts.worker_environment("worker", *world)
        settings = _settings_of(environ)
    else:
        environ, settings = process_environment(Settings.load(Process.CLIENT)), Settings.load(Process.CLIENT)
    return Around(settings, environ, world is not None, rules, _repository(settings, rules), found)


def _settings_of(environ: Mapping[str, str]) -> Settings:
    """Of a worker of the local world; what is only of the person, who they are, is this environment's own."""
    fields = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    return Settings.model_validate(fields)


def _read_rules(
    path: Path | None, world: tuple[Places, WorldState] | None
) -> tuple[Configuration | None, Prerequisite]:
    """Of the path, of this folder, else of `main` of the local world's repository."""
    file = (path or Path()) / CONFIGURATION_PATH if (path or Path()).is_dir() else path or Path()
    if not file.is_file() and path is not None:
        raise CommandFailed(
            f"{path} has no {CONFIGURATION_PATH}.", "Name the folder of a live repository.", code=ExitCode.USAGE
        )
    if file.is_file():
        return _parse(file.read_text(encoding="utf-8", errors="replace"), str(file), "docustack config check")
    if world is None:
        return None, _RULES.failed(f"there is none in {Path.cwd()}", "docustack doctor PATH, of the live repository")
    places, state = world
    bare = places.bare(state.repository.owner, state.repository.name)
    text = committed(bare, "main", CONFIGURATION_PATH)
    if text is None:
        return None, _RULES.failed(f"there is none on main of {bare}", f"commit a {CONFIGURATION_PATH}")
    return _parse(text.decode(errors="replace"), "main of the local world", "docustack config check")


def _parse(text: str, where: str, mend: str) -> tuple[Configuration | None, Prerequisite]:
    try:
        rules = load_configuration(text)
    except ConfigurationError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more)" if others else ""
        return None, _RULES.failed(f"{first}{more}", mend)
    return rules, _RULES.met(f"{where}: {', '.join(rules.environments)}")


def _repository(settings: Settings, rules: Configuration | None) -> Repository | None:
    name = rules.repository if rules and rules.repository else None
    name = name or (settings.repositories[0] if len(settings.repositories) == 1 else None)
    if name is None:
        return None
    owner, _, rest = name.partition("/")
    return Repository(owner=owner, name=rest)
