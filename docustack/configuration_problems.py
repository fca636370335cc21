"""Says in plain words what pydantic finds wrong in `docustack.yaml`, where it stands, and the nearest valid key."""

import difflib
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from docustack.configuration import Configuration
from docustack.errors import Problem
from docustack.yaml_source import Path, YamlSource

_KINDS = {
    "int": "a whole number",
    "bool": "`true` or `false`",
    "string": "text",
    "list": "a list, as in `[a, b]`",
    "dict": "a mapping of names",
    "model": "a mapping of keys",
}
_PATTERNS = {
    "account_id": "must be the twelve digits of an AWS account in quotes",
    "repository": "must be `owner/name`",
    "region": "must be the name of an AWS region, such as `us-east-1`",
    "branch": "must be the name of a branch",
    "roles": "must be the ARN of a role, `arn:aws:iam::<account id>:role/<name>`",
}


def problems_of(error: ValidationError, source: YamlSource) -> list[Problem]:
    """Each problem once; several that pydantic has with one choice (`anyone`, or a list of teams) are one."""
    found: dict[tuple[Path, str], Problem] = {}
    details = error.errors()
    misspelt = {(*path[:-1], nearest(str(path[-1]), _keys_at(path[:-1]))) for path in _unknown_keys(details)}
    for detail in details:
        path, is_choice = _path(detail, source)
        if detail["type"] == "missing" and path in misspelt:
            continue
        problem = _who(path, source) if is_choice else _problem(detail, path, source)
        found.setdefault((path, problem.what), problem)
    return list(found.values())


def _unknown_keys(details: list[ErrorDetails]) -> list[Path]:
    return [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The word that was probably meant; `cutoff` is how alike the two must be, from 0 to 1."""
    close = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=cutoff)
    return close[0] if close else None


def _path(detail: ErrorDetails, source: YamlSource) -> tuple[Path, bool]:
    """The part of pydantic's location that is in the file, and whether what follows names one choice of several."""
    path: Path = ()
    for part in detail["loc"]:
        if source.holds((*path, part)):
            path = (*path, part)
        elif isinstance(part, str) and part.startswith(("literal[", "list[")):
            return path, True
        elif part != "[key]":
            return ((*path, part) if detail["type"] == "missing" else path), False
    return path, False


def _problem(detail: ErrorDetails, path: Path, source: YamlSource) -> Problem:
    key = path[-1] if path else ""
    given = source.text(path) if source.text(path) is not None else detail["input"]
    match detail["type"]:
        case "missing":
            return source.problem(path[:-1], f"`{key}` is missing", _what_it_is(path))
        case "extra_forbidden":
            keys = _keys_at(path[:-1])
            close = nearest(str(key), keys)
            suggestion = f"did you mean `{close}`?" if close else "the keys here are " + ", ".join(sorted(keys))
            return source.problem(path, "there is no such key", suggestion)
        case "string_type" if isinstance(detail["input"], int | float) and not isinstance(detail["input"], bool):
            return source.problem(
                path, f"must be text, and `{given}` is a number to YAML", f'write "{given}" in quotes'
            )
        case "string_pattern_mismatch" if detail["loc"][-1] == "[key]":
            return source.problem(
                path,
                f"`{key}` can't be a name: use lower-case letters, digits and dashes",
                f"write `{_name(str(key))}`",
            )
        case "string_pattern_mismatch":
            rule = next((_PATTERNS[part] for part in reversed(path) if part in _PATTERNS), "has the wrong form")
            return source.problem(path, f"{rule}, not `{given}`")
        case "list_type" if isinstance(detail["input"], str):
            return source.problem(path, _wrong_value("list_type", detail, given), f"write `[{given}]`")
        case kind:
            return source.problem(path, _wrong_value(kind, detail, given))


def _wrong_value(kind: str, detail: ErrorDetails, given: object) -> str:
    context = detail.get("ctx", {})
    limits = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
    if kind in limits:
        word, bound = limits[kind]
        return f"must be {word} {context[bound]}, not {given}"
    if kind == "literal_error" and context["expected"] == str(detail["input"]):
        return f"must be the number {context['expected']}; without quotes"
    if kind == "literal_error":
        return f"must be {context['expected']}, not `{given}`"
    wanted = _KINDS.get(kind.partition("_")[0])
    if wanted is None:
        return detail["msg"]
    return f"must be {wanted}, and has no value" if detail["input"] is None else f"must be {wanted}, not `{given}`"


def _who(path: Path, source: YamlSource) -> Problem:
    """`anyone`, or a list of team names."""
    given = source.at(path)
    wanted = "must be `anyone` or a list of teams"
    if isinstance(given, str):
        meant = "`anyone`" if nearest(given, ["anyone"]) or given in ("*", "any", "all", "everyone") else f"`[{given}]`"
        return source.problem(path, f"{wanted}, not `{given}`", f"write {meant}")
    if isinstance(given, list):
        bad = next((item for item in given if not isinstance(item, str) or item != _name(item, "_")), given)
        return source.problem(path, f"`{bad}` can't be the name of a team", "use a name that stands under `teams`")
    return source.problem(path, wanted, "write `anyone`, or `[infra]`")


def _keys_at(path: Path) -> list[str]:
    kind = _kind_at(path)
    return [field.alias or name for name, field in kind.model_fields.items()] if _is_model(kind) else []


def _what_it_is(path: Path) -> str:
    """The description of a missing key: what to write there."""
    kind = _kind_at(path[:-1])
    if not _is_model(kind):
        return ""
    for name, field in kind.model_fields.items():
        if path[-1] in (name, field.alias) and field.description:
            return f"add it ({field.description.rstrip('.')})"
    return ""


def _kind_at(path: Path) -> object:
    """The type of what stands at a path of the file."""
    kind: object = Configuration
    for part in path:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif _is_model(kind):
            fields = kind.model_fields.items()
            kind = next(
                (_without_none(field.annotation) for name, field in fields if part in (name, field.alias)), None
            )
        else:
            return None
    return kind


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _without_none(kind: object) -> object:
    if get_origin(kind) not in (Union, UnionType):
        return kind
    choices = [choice for choice in get_args(kind) if choice is not NoneType]
    return choices[0] if len(choices) == 1 else kind


def _name(text: str, also: str = "") -> str:
    """The nearest valid name."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-" + also) else "-" for c in text.strip().lower())
    return kept.strip("-_") or "name"
