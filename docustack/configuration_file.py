"""Reads `docustack.yaml` and `.terrateam/config.yml`: the whole configuration, or all that is wrong with it."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import ValidationError

from docustack.configuration import Configuration
from docustack.configuration_problems import problems_of
from docustack.configuration_rules import check_rules
from docustack.errors import ConfigurationError, Problem
from docustack.modes import contradictions
from docustack.terrateam import CONFIGURATION_PATHS, TerrateamConfiguration
from docustack.terrateam_file import load_terrateam
from docustack.yaml_source import YamlSource

CONFIGURATION_PATH = "docustack.yaml"

_POINTED_AT = ("mode",)
_MOST_CHARACTERS = 200_000
"""Anybody who can open a pull request can have these files read."""


class ConfigurationFiles(NamedTuple):
    """What a repository is configured with; `configuration` is None exactly where there are problems.

    `lines` are those of the keys that a refusal points at, by their dotted paths.
    """

    configuration: Configuration | None
    terrateam: TerrateamConfiguration
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    lines: Mapping[str, int]


def load_configuration(text: str, path: str = CONFIGURATION_PATH) -> Configuration:
    """Read the text of `docustack.yaml`.

    Raises:
        ConfigurationError: with every problem of the file at once, in the order of its lines.
    """
    return _load(YamlSource(text, path))


def _load(source: YamlSource) -> Configuration:
    problems = list(source.problems)
    configuration: Configuration | None = None
    if not isinstance(source.value, dict):
        if not problems:
            what = "is empty" if source.value is None else "must be a mapping of keys"
            problems.append(source.problem((), what, "begin with `version: 1` and `environments:`"))
    else:
        try:
            configuration = Configuration.model_validate(source.value)
        except ValidationError as error:
            problems += problems_of(error, source)
        problems += check_rules(source)
    if problems or configuration is None:
        problems.sort(key=lambda problem: (problem.line, problem.column))
        raise ConfigurationError("\n".join(problem.describe() for problem in problems), problems)
    return configuration


def read_configuration_files(texts: Mapping[str, str], where: str) -> ConfigurationFiles:
    """Read both files.

    Args:
        texts: the texts of those files that there are, by their paths.
        where: what was searched, for the message if there is no `docustack.yaml`: "branch `main`".
    """
    configuration: Configuration | None = None
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    if large := [path for path, text in texts.items() if len(text) > _MOST_CHARACTERS]:
        what = f"is larger than {_MOST_CHARACTERS:,} characters, and isn't read"
        problems += [Problem(file=path, what=what) for path in large]
    elif CONFIGURATION_PATH in texts:
        source = YamlSource(texts[CONFIGURATION_PATH], CONFIGURATION_PATH)
        lines = source.lines_of(_POINTED_AT)
        try:
            configuration = _load(source)
        except ConfigurationError as error:
            problems += error.problems
    else:
        what = f"there is no such file at the root of {where}"
        problems.append(Problem(file=CONFIGURATION_PATH, what=what, suggestion="see docs/configuration.md for one"))
    terrateam = TerrateamConfiguration()
    path = next((path for path in CONFIGURATION_PATHS if path in texts), None)
    if path is not None and not large:
        terrateam, found = load_terrateam(texts[path], path)
        problems += found
    warnings = [warning] if (warning := terrateam.warning()) else []
    if configuration is not None:
        warnings += contradictions(configuration)
    return ConfigurationFiles(
        configuration=None if problems else configuration,
        terrateam=terrateam,
        problems=tuple(problems),
        warnings=tuple(warnings),
        lines=lines,
    )


def configuration_schema() -> str:
    """The JSON Schema of `docustack.yaml`, for editors and other tools."""
    schema = Configuration.model_json_schema(by_alias=True)
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": CONFIGURATION_PATH}
    return json.dumps(named, indent=2)
