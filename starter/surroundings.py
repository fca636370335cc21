"""What a command finds around it without being told: the local world, its Temporal, the live repository."""

import os
from pathlib import Path

from docustack.configuration_file import CONFIGURATION_PATH
from docustack.repository import Repository
from docustack.yaml_source import YamlSource
from local import processes, state
from local.places import DEFAULT_DATA_DIR, Places
from local.temporal_server import NAMESPACE
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.surrounding import standalone
from worker.settings import Process, Settings, variable

_FOLDER = ".local"


def client_settings() -> Settings:
    """The settings of the command line; what the environment doesn't say of Temporal is taken from the local world."""
    standalone.surround()
    settings = Settings.load(Process.CLIENT)
    if os.environ.get(variable("temporal_address")):
        return settings
    at_hand = world_at_hand()
    if at_hand is None:
        return settings
    places, world = at_hand
    found: dict[str, object] = {"temporal_address": f"{state.HOST}:{world.ports['temporal']}"}
    if not os.environ.get(variable("temporal_namespace")):
        found["temporal_namespace"] = NAMESPACE
    if not settings.temporal_ui_url:
        found["temporal_ui_url"] = world.url("temporal-ui")
    if not settings.artifacts:
        found["artifacts"] = str(places.worker / "artifacts")
    return settings.model_copy(update=found)


def living_world() -> state.WorldState | None:
    """The local world that runs: of this folder or one above it, else of the checkout that this command comes from."""
    found = world_at_hand()
    return found[1] if found else None


def world_at_hand() -> tuple[Places, state.WorldState] | None:
    """The same, with where it lies."""
    here = Path.cwd().resolve()
    for folder in [*(parent / _FOLDER for parent in (here, *here.parents)), DEFAULT_DATA_DIR]:
        try:
            world = state.read(folder)
        except state.WorldError:
            continue  # `docustack local` says what is wrong with it; here it only isn't of use
        if world is not None and (server := world.processes.get("temporal")) and processes.is_alive(server):
            return Places(folder.resolve()), world
    return None


def repository_named(name: str | None) -> Repository | None:
    """The live repository of `--repository`, or the one that can be meant; None where several or none can be.

    Raises:
        CommandFailed: the name isn't `owner/name`.
    """
    if name is not None:
        return _parse(name)
    configured = Settings.load(Process.CLIENT).repositories
    if configured:
        return _parse(configured[0]) if len(configured) == 1 else None
    here = Path.cwd()
    for folder in (here, *here.parents):
        if name_here := _of_folder(folder):
            return _parse(name_here)
    world = living_world()
    return Repository(owner=world.repository.owner, name=world.repository.name) if world else None


def repository_wanted(name: str | None) -> Repository:
    """The same, where there has to be one."""
    found = repository_named(name)
    if found is None:
        raise CommandFailed(
            "Which live repository? None is configured here, or several are.",
            "Say --repository owner/name, or set DOCUSTACK_REPOSITORIES to one,",
            "or call docustack in a folder whose docustack.yaml has the key `repository`.",
            code=ExitCode.USAGE,
        )
    return found


def _of_folder(folder: Path) -> str | None:
    """The key `repository` of a folder's docustack.yaml; other mistakes in it don't matter here."""
    try:
        text = (folder / CONFIGURATION_PATH).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    value = YamlSource(text, CONFIGURATION_PATH).value
    name = value.get("repository") if isinstance(value, dict) else None
    return name if isinstance(name, str) and name.count("/") == 1 else None


def _parse(name: str) -> Repository:
    owner, slash, rest = name.partition("/")
    if not (owner and slash and rest) or "/" in rest:
        raise CommandFailed(f"{name!r} is no live repository: write owner/name.", code=ExitCode.USAGE)
    return Repository(owner=owner, name=rest)
