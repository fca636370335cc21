"""Reads `.terrateam/config.yml`: what counts here is taken, every other key is named."""

from pydantic import ValidationError

from docustack.errors import Problem
from docustack.terrateam import CONFIGURATION_PATHS, TerrateamConfiguration
from docustack.yaml_source import Path, Value, YamlSource

_SHAPE: dict[str, object] = {
    "version": None,
    "enabled": None,
    "when_modified": {"file_patterns": None},
    "dirs": {"*": {"when_modified": {"file_patterns": None}}},
}
"""The keys that have an effect; `*` stands for any name."""

_ALREADY_SO: dict[Path, Value] = {("when_modified", "autoplan"): True}
"""Settings that ask for what happens anyway aren't worth a warning."""


def load_terrateam(text: str, path: str = CONFIGURATION_PATHS[0]) -> tuple[TerrateamConfiguration, list[Problem]]:
    """The configuration, and what is wrong with it; where something is, everything starts a plan."""
    source = YamlSource(text, path)
    problems = list(source.problems)
    value = {} if source.value is None else source.value
    if not isinstance(value, dict):
        problems.append(source.problem((), "must be a mapping of keys", "see Terrateam's configuration reference"))
        return TerrateamConfiguration(), problems
    unsupported = tuple(sorted(_unsupported(value, _SHAPE, ())))
    known = _without_nulls({key: value.get(key) for key in ("enabled", "when_modified", "dirs")})
    try:
        configuration = TerrateamConfiguration.model_validate(known).model_copy(update={"unsupported": unsupported})
    except ValidationError as error:
        for detail in error.errors():
            at: Path = detail["loc"]
            problems.append(source.problem(at, _in_words(at, detail["input"])))
        return TerrateamConfiguration(unsupported=unsupported), problems
    return configuration, problems


def _without_nulls(value: Value) -> Value:
    """A key with nothing behind it is a key that isn't given."""
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}


def _unsupported(value: Value, shape: object, path: Path) -> list[str]:
    if not isinstance(value, dict) or not isinstance(shape, dict):
        return []
    found: list[str] = []
    for key, inner in value.items():
        if key in shape or "*" in shape:
            found += _unsupported(inner, shape.get(key, shape.get("*")), (*path, key))
        elif not inner or _ALREADY_SO.get((*path[-1:], key)) != inner:
            found.append(".".join(str(part) for part in (*path, key)))
    return found


def _in_words(path: Path, given: object) -> str:
    if path[-1] == "enabled":
        return f"must be `true` or `false`, not `{given}`"
    if "file_patterns" in path:
        return f"must be a list of globs in quotes, not `{given}`"
    return f"must be a mapping of keys, not `{given}`"
