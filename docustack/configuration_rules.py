"""What must hold in `docustack.yaml` between one key and another: references, paths, patterns, approvals."""

import re
from collections.abc import Callable, Iterator

from docustack.configuration_problems import nearest
from docustack.errors import Problem
from docustack.globs import is_glob
from docustack.yaml_source import Path, Value, YamlSource

PLACEHOLDERS = ("account_id", "environment", "region")
"""What the names of the state bucket and the lock table may hold, in braces."""

NEVER_BY_ITSELF = ("prod", "production", "management")
"""What the names of environments begin with that a merge alone never changes (guide, "Promotion Workflow")."""

_PREFIX = re.compile(r"@?[\w-]+")


def check_rules(source: YamlSource) -> Iterator[Problem]:
    """Works on the raw value, to find these problems beside those of form; what has a wrong form is passed by."""
    file = _mapping(source.value)
    environments = _mapping(file.get("environments"))
    if "environments" in file and file["environments"] in (None, {}):
        yield source.problem(("environments",), "names no environment", "add one with path, account_id and apply")
    yield from _check_teams(source, environments, _mapping(file.get("teams")))
    yield from _check_rules_owners(source, file)
    yield from _check_approvals(source, environments)
    yield from _check_auto_apply(source, environments)
    yield from _check_paths(source, environments)
    yield from _check_roles(source, environments)
    yield from _check_patterns(source, _mapping(file.get("state")))
    yield from _check_prefixes(source, file)
    yield from _check_exceptions(source, environments, _mapping(file.get("paths")))


def check_folders(source: YamlSource, is_folder: Callable[[str], bool]) -> Iterator[Problem]:
    """Each environment's folder has to be there; for whoever has the repository at hand."""
    for name, environment in _mapping(_mapping(source.value).get("environments")).items():
        path = _mapping(environment).get("path")
        if isinstance(path, str) and _wrong_path(path) is None and not is_folder(path):
            what = f"there is no folder `{path}` in the repository"
            yield source.problem(("environments", name, "path"), what, "make it, or correct the path")


def _check_teams(source: YamlSource, environments: dict[str, Value], teams: dict[str, Value]) -> Iterator[Problem]:
    for path, who in _rules(environments):
        if not isinstance(who, list):
            continue
        for index, team in enumerate(who):
            if isinstance(team, str) and team not in teams:
                yield source.problem((*path, index), f"there is no team `{team}`", _nearest_team(team, teams))
        if not who and path[-1] != "from":
            what = f"names no team, so nobody could {path[-1]} `{path[1]}`"
            yield source.problem(path, what, "name a team, or write `anyone`")


def _check_rules_owners(source: YamlSource, file: dict[str, Value]) -> Iterator[Problem]:
    teams, owners = _mapping(file.get("teams")), file.get("rules_owners")
    if isinstance(owners, str) and owners not in teams and "environments" in file:
        yield source.problem(("rules_owners",), f"there is no team `{owners}`", _nearest_team(owners, teams))


def _nearest_team(team: str, teams: dict[str, Value]) -> str:
    close = nearest(team, teams)
    if close:
        return f"did you mean `{close}`?"
    return f"`teams` has {', '.join(teams)}" if teams else "add it under `teams`"


def _rules(environments: dict[str, Value]) -> Iterator[tuple[Path, Value]]:
    for name, environment in environments.items():
        rules = _mapping(environment)
        for key in ("plan", "apply"):
            yield ("environments", name, key), rules.get(key)
        yield ("environments", name, "approvals", "from"), _mapping(rules.get("approvals")).get("from")


def _check_approvals(source: YamlSource, environments: dict[str, Value]) -> Iterator[Problem]:
    for name, environment in environments.items():
        approvals = _mapping(_mapping(environment).get("approvals"))
        minimum = approvals.get("minimum", 0)
        if approvals.get("from") == [] and isinstance(minimum, int) and minimum > 0:
            yield source.problem(
                ("environments", name, "approvals", "from"),
                f"names no team, so the minimum of {minimum} could never be reached",
                "name a team, write `anyone`, or set `minimum: 0`",
            )


def _check_auto_apply(source: YamlSource, environments: dict[str, Value]) -> Iterator[Problem]:
    for name, environment in environments.items():
        if name.split("-")[0] not in NEVER_BY_ITSELF:
            continue
        if _mapping(environment).get("apply_working_copies") is True:
            yield source.problem(
                ("environments", name, "apply_working_copies"),
                f"is true, and in `{name}` nothing is applied that nobody else can see",
                "remove it: commit and push, then apply with --ref",
            )
        if _mapping(environment).get("auto_apply_on_merge") is True:
            yield source.problem(
                ("environments", name, "auto_apply_on_merge"),
                f"is true, and `{name}` is never applied by a merge alone",
                "remove it: who may apply there comments `terrateam apply`, before the merge or after it",
            )


def _check_roles(source: YamlSource, environments: dict[str, Value]) -> Iterator[Problem]:
    """A role of another account would plan and apply there what belongs here."""
    for name, environment in environments.items():
        account = _mapping(environment).get("account_id")
        for key, arn in _mapping(_mapping(environment).get("roles")).items():
            named = re.match(r"arn:[\w-]+:iam::(\d{12}):role/", arn) if isinstance(arn, str) else None
            if named and isinstance(account, str) and re.fullmatch(r"\d{12}", account) and named[1] != account:
                yield source.problem(
                    ("environments", name, "roles", key),
                    f"is a role of account {named[1]}, and `{name}` is account {account}",
                    "name a role of the environment's own account, or correct `account_id`",
                )


def _check_paths(source: YamlSource, environments: dict[str, Value]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, environment in environments.items():
        written = _mapping(environment).get("path")
        if not isinstance(written, str):
            continue
        at: Path = ("environments", name, "path")
        what = _wrong_path(written)
        if what is not None:
            yield source.problem(at, what, "write it relative to the root of the repository, as in `dev`")
            continue
        for other, owner in owners.items():
            if written == other:
                yield source.problem(at, f"`{written}` is the path of `{owner}` too", "give each environment its own")
            elif written.startswith(other + "/") or other.startswith(written + "/"):
                what = f"`{written}` and `{other}`, the path of `{owner}`, overlap: whose rules count is not clear"
                yield source.problem(at, what, "give each environment its own folder")
        owners[written] = name


def _wrong_path(path: str) -> str | None:
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path) or "\\" in path:
        return f"`{path}` is not a path in the repository"
    parts = path.split("/")
    if ".." in parts:
        return f"`{path}` leads out of the repository"
    if path.strip() in ("", ".") or "" in parts or "." in parts:
        return f"`{path}` is not the plain path of a folder"
    return None


def _check_patterns(source: YamlSource, state: dict[str, Value]) -> Iterator[Problem]:
    for key in ("bucket", "lock_table"):
        pattern = state.get(key)
        if not isinstance(pattern, str):
            continue
        at: Path = ("state", key)
        for placeholder in re.findall(r"\{([^{}]*)\}", pattern):
            if placeholder not in PLACEHOLDERS:
                close = nearest(placeholder, PLACEHOLDERS)
                known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                suggestion = f"did you mean {{{close}}}?" if close else f"there are {known}"
                yield source.problem(at, f"there is no placeholder {{{placeholder}}}", suggestion)
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", pattern)):
            yield source.problem(at, f"a brace of `{pattern}` has no partner", "write placeholders as {account_id}")


def _check_prefixes(source: YamlSource, file: dict[str, Value]) -> Iterator[Problem]:
    prefixes = file.get("comment_prefixes")
    if not isinstance(prefixes, list):
        return
    if not prefixes:
        what = "names none, so no comment could be a command"
        yield source.problem(("comment_prefixes",), what, "write `[terrateam, docustack]`")
    for index, prefix in enumerate(prefixes):
        if isinstance(prefix, str) and not _PREFIX.fullmatch(prefix):
            yield source.problem(("comment_prefixes", index), f"`{prefix}` is not one word", "use letters and dashes")


def _check_exceptions(source: YamlSource, environments: dict[str, Value], paths: dict[str, Value]) -> Iterator[Problem]:
    """A path that can name no unit is a typo, and would leave its units to other rules without a word."""
    folders = [f"{path}/" for rules in environments.values() if isinstance(path := _mapping(rules).get("path"), str)]
    for path in paths:
        at: Path = ("paths", path)
        fixed = re.split(r"[*?\[{]", path, maxsplit=1)[0] if is_glob(path) else f"{path}/"
        if (what := _wrong_path(path)) is not None:
            yield source.problem(at, what, "write it relative to the root of the repository, as in `dev/*/rds`")
        elif folders and not any(fixed.startswith(folder) or folder.startswith(fixed) for folder in folders):
            what = f"`{path}` lies in the folder of no environment, so it names no unit"
            yield source.problem(at, what, f"begin it with {' or '.join(f'`{folder}`' for folder in folders)}")


def _mapping(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}
