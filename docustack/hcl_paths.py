"""Where a text in quotes of an HCL file may point to, as paths of the repository; rather too many than too few."""

import re
from collections.abc import Callable, Iterable
from itertools import product
from posixpath import basename, dirname, normpath
from typing import NamedTuple

from docustack.globs import is_glob
from docustack.hcl_literals import Expression, Literal, template

ROOT = "\0"  # begins a value that is a path from the root of the repository
UNKNOWN = "\1"  # stands for a part of a value that only Terragrunt could tell

READING = frozenset(
    {
        "file", "fileexists", "fileset", "filebase64", "filemd5", "filesha1", "filesha256", "filesha512",
        "filebase64sha256", "filebase64sha512", "templatefile", "read_terragrunt_config", "read_tfvars_file",
        "sops_decrypt_file", "mark_as_read", "mark_glob_as_read",
    }
)  # fmt: skip
"""The functions of Terragrunt and Terraform that read files."""

GLOBBING = frozenset({"fileset", "mark_glob_as_read"})
"""Those of them that take a glob. What it matches Terragrunt tells, except for a file that is deleted."""

_MOST_VALUES = 32
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_FIRST_TEXT = re.compile(r'\s*"([^"$]*)"')
_FORMAT_VERB = re.compile(r"%[-+ #0-9.]*[a-z]")


class Place(NamedTuple):
    """Where the file stands that is read, and of which unit.

    `bases` are the folders that a relative path may start from, `nearest` finds the files of a name in the folders
    above the unit, up to the first that is there (`find_in_parent_folders`).
    """

    file: str
    unit: str
    includes: tuple[str, ...]
    bases: tuple[str, ...]
    nearest: Callable[[str], Iterable[str]]


class Pointed(NamedTuple):
    """One path that a literal may mean, from the root of the repository; with `UNKNOWN` or globs in it if `is_pattern`.

    `is_path` tells a text that looks like one, or is used as one, from any other word.
    """

    path: str
    is_pattern: bool
    is_path: bool


def pointed_at(literal: Literal, place: Place) -> list[Pointed]:
    """All paths that a literal may mean; none for addresses, absolute paths and those that lead out."""
    is_read = not READING.isdisjoint(literal.calls)
    is_globbed = not GLOBBING.isdisjoint(literal.calls)
    if literal.calls[:1] == ("find_in_parent_folders",):
        values: Iterable[str] = (f"{ROOT}/{path}" for path in _above(literal.parts, place))
    else:
        values = _join(literal.parts, place)
    found: dict[Pointed, None] = {}
    if "format" in literal.calls:
        values = [_FORMAT_VERB.sub(UNKNOWN, value) for value in values]
    for value in values:
        is_pattern = UNKNOWN in value or (is_globbed and is_glob(value))
        if is_pattern and not is_read:
            continue
        for path in _from_root(value, place.bases):
            found[Pointed(path, is_pattern, is_path=is_read or "/" in value)] = None
    return list(found)


def _above(parts: tuple[str | Expression, ...], place: Place) -> list[str]:
    return [path for name in _join(parts, place) for path in place.nearest(name)]


def _from_root(value: str, bases: Iterable[str]) -> list[str]:
    if "://" in value or "::" in value or value.startswith(("/", "~", "git@")) or "\n" in value or not value.strip():
        return []
    if ROOT in value:
        # What stood before an absolute part, as in "${get_terragrunt_dir()}/${find_in_parent_folders(…)}", is no path.
        candidates = [value.rpartition(ROOT)[2]]
    elif value.startswith(UNKNOWN):
        candidates = [value]
    else:
        candidates = [f"{base}/{value}" for base in bases]
    normal = (normpath("/".join(part for part in path.split("/") if part) or ".") for path in candidates)
    return ["" if path == "." else path for path in normal if path != ".." and not path.startswith("../")]


def _join(parts: tuple[str | Expression, ...], place: Place) -> list[str]:
    """The values of a template, unknown parts marked."""
    choices = [[part] if isinstance(part, str) else _values(part.text, place) for part in parts]
    combined: list[str] = []
    for values in product(*choices):
        combined.append("".join(values))
        if len(combined) == _MOST_VALUES:
            break
    return combined


def _values(expression: str, place: Place) -> list[str]:
    """What an expression may be worth; `UNKNOWN` if it is none of those that lead to files."""
    folder = dirname(place.file)
    parts = template(expression)
    if parts is not None:
        return _join(parts, place)
    if expression in ("path.module", "path.root", "path.cwd"):
        return list(dict.fromkeys(map(_absolute, [folder, *place.bases])))
    call = _CALL.fullmatch(expression)
    return _called(call[1], call[2], place) if call else [UNKNOWN]


def _called(name: str, arguments: str, place: Place) -> list[str]:
    folder = dirname(place.file)
    include_folders = sorted({dirname(path) for path in place.includes}) or [folder]
    match name:
        case "get_terragrunt_dir" | "get_original_terragrunt_dir":
            # In a file that is read by another, the one or the other of them.
            return list(dict.fromkeys([_absolute(place.unit), _absolute(folder)]))
        case "get_repo_root" | "get_path_to_repo_root":
            return [ROOT]
        case "get_parent_terragrunt_dir":
            return list(dict.fromkeys(map(_absolute, [*include_folders, folder])))
        case "get_path_from_repo_root":
            return [place.unit]
        case "path_relative_to_include":
            return [_relative(place.unit, include) for include in include_folders]
        case "path_relative_from_include":
            return [_relative(include, place.unit) for include in include_folders]
        case "find_in_parent_folders":
            named = _FIRST_TEXT.match(arguments)
            name_of_file = named[1] if named else "terragrunt.hcl"
            return [_absolute(path) for path in place.nearest(name_of_file)] or [UNKNOWN]
        case "abspath" | "trimspace" | "lower" | "tostring":
            return _values(arguments.strip(), place)
        case "dirname" | "basename":
            values = _values(arguments.strip(), place)
            return [_part_of(value, dirname if name == "dirname" else basename) for value in values]
        case _:
            return [UNKNOWN]


def _part_of(value: str, part: Callable[[str], str]) -> str:
    if UNKNOWN in value or value == ROOT:
        return value if value == ROOT else UNKNOWN
    return part(value) or "."


def _absolute(path: str) -> str:
    return f"{ROOT}/{path}" if path else ROOT


def _relative(path: str, start: str) -> str:
    """From one folder of the repository to another; both from its root."""
    here, there = [part for part in start.split("/") if part], [part for part in path.split("/") if part]
    common = 0
    while common < min(len(here), len(there)) and here[common] == there[common]:
        common += 1
    return "/".join([".."] * (len(here) - common) + there[common:]) or "."
