"""Reads `.terrateam/config.yml`: what counts here is taken, every other key is named."""

import re
from collections.abc import Iterator

from pydantic import ValidationError

from docustack.configuration_problems import nearest
from docustack.errors import Problem
from docustack.terrateam import CONFIGURATION_PATHS, DIRECTORY_VARIABLE, TerrateamConfiguration
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
    problems += _misspelt(source, value, _SHAPE, ())
    unsupported = tuple(sorted(_unsupported(value, _SHAPE, ())))
    known = _without_nulls({key: value.get(key) for key in ("enabled", "when_modified", "dirs")})
    try:
        configuration = TerrateamConfiguration.model_validate(known).model_copy(update={"unsupported": unsupported})
    except ValidationError as error:
        for detail in error.errors():
            at: Path = detail["loc"]
            problems.append(source.problem(at, _in_words(at, detail["input"])))
        return TerrateamConfiguration(unsupported=unsupported), problems
    problems += _wrong_patterns(source, configuration)
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


def _misspelt(source: YamlSource, value: Value, shape: object, path: Path) -> Iterator[Problem]:
    """A key that is all but one of ours was meant to have an effect; any other one may be Terrateam's own."""
    if not isinstance(value, dict) or not isinstance(shape, dict):
        return
    for key, inner in value.items():
        if key in shape or "*" in shape:
            yield from _misspelt(source, inner, shape.get(key, shape.get("*")), (*path, key))
        elif close := nearest(str(key), (known for known in shape if known not in value), cutoff=0.8):
            yield source.problem((*path, key), "there is no such key", f"did you mean `{close}`?")


def _wrong_patterns(source: YamlSource, configuration: TerrateamConfiguration) -> Iterator[Problem]:
    """A pattern that can match nothing would silently start no plan."""
    at: Path = ("when_modified", "file_patterns")
    places = {at: configuration.when_modified.file_patterns}
    places |= {("dirs", name, *at): entry.when_modified.file_patterns for name, entry in configuration.dirs.items()}
    for path, patterns in places.items():
        for index, pattern in enumerate(patterns or ()):
            if what := _wrong_with(pattern):
                yield source.problem((*path, index), f"`{pattern}`: {what[0]}", what[1])


def _wrong_with(pattern: str) -> tuple[str, str] | None:
    for variable in re.findall(r"\$\{[^}]*\}?", pattern):
        if variable != DIRECTORY_VARIABLE:
            return f"there is no variable {variable}", f"there is only {DIRECTORY_VARIABLE}, the unit's directory"
    rest = pattern.replace(DIRECTORY_VARIABLE, "")
    for opening, closing in ("[]", "{}"):
        if rest.count(opening) != rest.count(closing):
            return f"a `{opening}` and `{closing}` have no partner", "close it, or leave it out"
    return None


def _in_words(path: Path, given: object) -> str:
    if path[-1] == "enabled":
        return f"must be `true` or `false`, not `{given}`"
    if "file_patterns" in path:
        return f"must be a list of globs in quotes, not `{given}`"
    return f"must be a mapping of keys, not `{given}`"
