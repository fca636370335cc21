"""Where DocuStack only plans: by the mode of a unit (adoption), or since its environment belongs to another branch."""

from collections.abc import Iterable, Mapping

from docustack.comment_text import code_list
from docustack.configuration import Configuration
from docustack.globs import covers
from docustack.model import Model


class PlanOnly(Model):
    """Units that one key of `docustack.yaml` keeps from being applied."""

    rule: str  # the dotted key: environments.dev.mode
    line: int  # 0 where it isn't known
    units: tuple[str, ...]


def is_plan_only(configuration: Configuration, unit: str) -> bool:
    return _mode(configuration, unit)[0] == "plan-only"


def is_applied_from(configuration: Configuration, unit: str, base_ref: str) -> bool:
    """Can a pull request to this branch ever apply it? Else its plan is for information, and nothing waits for it."""
    name = configuration.environment_of(unit)
    elsewhere = name is not None and configuration.environments[name].branch != base_ref
    return not elsewhere and not is_plan_only(configuration, unit)


def elsewhere_remarks(configuration: Configuration, units: Iterable[str], base_ref: str) -> list[str]:
    """What stands beside the plans of units that are applied from another branch, one remark an environment."""
    names = {configuration.environment_of(unit) for unit in units if not is_plan_only(configuration, unit)}
    branches = {name: known.branch for name, known in configuration.environments.items() if name in names}
    return [
        f"`{name}` is applied only from pull requests to `{branch}` (rule `environments.{name}.branch` in "
        f"`docustack.yaml`): planned for information, and every apply from here is refused."
        for name, branch in branches.items()
        if branch != base_ref
    ]


def plan_only(configuration: Configuration, units: Iterable[str], lines: Mapping[str, int]) -> tuple[PlanOnly, ...]:
    """Those of the units that are never applied, by the key that says so; `lines` are those of the keys."""
    found: dict[str, list[str]] = {}
    for unit in units:
        mode, rule = _mode(configuration, unit)
        if mode == "plan-only":
            found.setdefault(rule, []).append(unit)
    return tuple(PlanOnly(rule=rule, line=lines.get(rule, 0), units=tuple(some)) for rule, some in found.items())


def _mode(configuration: Configuration, unit: str) -> tuple[str, str]:
    """What is said most closely counts: of a path (the longest that matches), of the environment, of the whole file."""
    if paths := [path for path in configuration.paths if covers(path, unit)]:
        path = max(paths, key=len)
        return configuration.paths[path].mode, f"paths.{path}.mode"
    environment = configuration.environment_of(unit)
    if environment is not None and (mode := configuration.environments[environment].mode) is not None:
        return mode, f"environments.{environment}.mode"
    return configuration.mode, "mode"


def plan_only_refusal(found: PlanOnly, base_ref: str) -> str:
    """Why an apply is refused, where that is set, and what to change."""
    return (
        f"{_are(found.units)} plan-only ({_where(found)} on `{base_ref}`), so nothing of it is applied: its plans are "
        f"for information. To let DocuStack apply it, set {_remedy(found.rule)} in a pull request of its own to "
        f"`{base_ref}`, and merge that first."
    )


def plan_only_remark(found: PlanOnly) -> str:
    """What stands beside the plans."""
    return f"{_are(found.units)} plan-only ({_where(found)}): planned as ever, and every apply is refused."


def _are(units: tuple[str, ...]) -> str:
    return f"{code_list(units)} {'is' if len(units) == 1 else 'are'}"


def _where(found: PlanOnly) -> str:
    line = f", line {found.line} of `docustack.yaml`" if found.line else " in `docustack.yaml`"
    return f"rule `{found.rule}`{line}"


def _remedy(rule: str) -> str:
    if rule == "mode":
        return "`mode: full` there, or for its environment or its path alone,"
    return "`mode: full` there"


def contradictions(configuration: Configuration) -> list[str]:
    """Warnings for `docustack.yaml`: settings that have no effect where nothing is applied."""
    return [
        f"`docustack.yaml`: `environments.{name}.auto_apply_on_merge` has no effect, since `{name}` is plan-only."
        for name, environment in configuration.environments.items()
        if environment.auto_apply_on_merge and is_plan_only(configuration, environment.path)
    ]
