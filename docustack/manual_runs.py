"""What a run without a pull request works on, and which of its plans are applied (guide, "Manual Deployment")."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

from docustack.access import Person
from docustack.bootstrap_file import UNIT as BOOTSTRAP
from docustack.comment_text import code_list, inline_code
from docustack.configuration import Configuration
from docustack.deleted_units import DeletedUnit, Fate
from docustack.gate_facts import GateFacts
from docustack.plans import OutputsKind, PlanSummary
from docustack.repository import ChangedUnit, Deletion, Discovery, UnitStatus
from docustack.runs import Operation, RunInput, UnitOutcome, UnitPhase
from docustack.unit_graph import UnitGraph
from docustack.units import UnknownDirectory, dependants, select

_LISTED = 10


def branch_of(configuration: Configuration, directories: Iterable[str]) -> str:
    """The branch that is the truth for all of these; empty where they lie in environments of several, or in none."""
    branches = set()
    for directory in directories:
        environment = configuration.environment_of(directory.strip("/"))
        branches.add(configuration.environments[environment].branch if environment is not None else "")
    return branches.pop() if len(branches) == 1 else ""


def of_other_branches(configuration: Configuration, start: RunInput, base_ref: str, units: Iterable[str]) -> str:
    """An order is of one commit, and each environment's branch is the truth for it: so it is one order a branch.

    Empty where all of the units are applied from the branch by which this order is judged.
    """
    branches: dict[str, dict[str, list[str]]] = {}
    for unit in units:
        name = configuration.environment_of(unit)
        if name is not None:
            branches.setdefault(configuration.environments[name].branch, {}).setdefault(name, []).append(unit)
    if set(branches) <= {base_ref}:
        return ""
    told = "; ".join(f"{code_list(tuple(names))} from `{branch}`" for branch, names in branches.items())
    orders = [
        f"    docustack {start.operation.value} {' '.join(_paths(configuration, names, start.directories))}"
        for names in branches.values()
    ]
    why = "and an order is of one branch" if len(branches) > 1 else f"and this order was taken for one of `{base_ref}`"
    give = f"Give {len(orders)} orders:" if len(orders) > 1 else "Name its path:"
    rules = "rules `environments.<name>.branch` in `docustack.yaml`"
    return "\n".join([f"Applied are {told} ({rules}), {why}. {give}\n", *orders])


def _paths(configuration: Configuration, units: Mapping[str, list[str]], directories: Sequence[str]) -> list[str]:
    """As they were given, where they lie in these environments; else the units themselves."""
    own = [path for path in directories if configuration.environment_of(path.strip("/")) in units]
    named = [unit for each in units.values() for unit in each]
    return own or (named if len(named) <= _LISTED else [*named[:_LISTED], "…"])


def ordered_units(
    graph: UnitGraph,
    configuration: Configuration,
    directories: Sequence[str],
    without: Collection[str] = (),
    *,
    destroy: bool = False,
) -> Discovery:
    """The units in these directories, or all that there are; nothing where one of the directories holds none.

    Those that are to be destroyed are found like deleted ones, each with the units that depend on it.
    """
    dependencies = graph.dependencies()
    try:
        names = [unit for unit in select(dependencies, directories) if unit not in without]
    except UnknownDirectory:
        return Discovery(changed=(), dependencies=dependencies)
    status = UnitStatus.DELETED if destroy else UnitStatus.MODIFIED
    changed = tuple(
        ChangedUnit(unit=unit, environment=configuration.environment_of(unit), status=status, because=())
        for unit in names
    )
    return Discovery(
        changed=changed,
        dependencies=dependencies,
        deletions=tuple(_destruction(unit, dependencies) for unit in changed) if destroy else (),
    )


def _destruction(unit: ChangedUnit, dependencies: Mapping[str, tuple[str, ...]]) -> Deletion:
    direct = tuple(sorted(other for other, needed in dependencies.items() if unit.unit in needed))
    return Deletion(
        unit=unit.unit,
        environment=unit.environment,
        dependencies=dependencies.get(unit.unit, ()),
        dependants=direct,
        needed_by=direct,
    )


def without_free_dependants(
    deletions: Iterable[Deletion], selected: Collection[str], in_use: Collection[str]
) -> tuple[Deletion, ...]:
    """What holds each of them: who is destroyed before it, and who stays and owns something (`in_use`).

    A unit that depends on another by its file alone, and owns nothing, is in nobody's way.
    """
    return tuple(
        each.model_copy(
            update={
                "dependants": tuple(unit for unit in each.dependants if unit in selected or unit in in_use),
                "needed_by": tuple(unit for unit in each.needed_by if unit not in selected and unit in in_use),
            }
        )
        for each in deletions
    )


def no_unit_there(directory: str, units: Collection[str], commit: str) -> str:
    """An order names a path in which there is no unit: which ones are near."""
    plain = directory.strip("/")
    folders = {"/".join(unit.split("/")[:depth]) for unit in units for depth in range(1, unit.count("/") + 2)}
    close = difflib.get_close_matches(plain, sorted(folders), n=3)
    below = sorted(unit for unit in units if unit.startswith(plain.rpartition("/")[0] + "/"))
    meant = f" Did you mean {code_list(tuple(close))}?" if close else ""
    if not meant and below:
        more = f" and {len(below) - _LISTED} more" if len(below) > _LISTED else ""
        meant = f" Near it are {code_list(tuple(below[:_LISTED]))}{more}."
    return f"There is no unit in {inline_code(directory)} at {inline_code(commit[:7])}.{meant}"


def outside_environments(units: Sequence[str]) -> str:
    lie = "lies" if len(units) == 1 else "lie"
    if list(units) == [BOOTSTRAP]:
        return f"`{BOOTSTRAP}` lies in no environment: it is applied for one by `docustack bootstrap ENVIRONMENT`."
    return (
        f"{code_list(tuple(units))} {lie} in no environment of `docustack.yaml`, so there are no rules to go by. "
        "Name its environment there first."
    )


def kept_because(deleted: DeletedUnit) -> str:
    """Why a unit is not destroyed, and how it could be."""
    name, because = inline_code(deleted.unit), code_list(deleted.because)
    use = "uses" if len(deleted.because) == 1 else "use"
    match deleted.fate:
        case Fate.NEEDED:
            at_once = inline_code(f"docustack destroy {' '.join((*deleted.because, deleted.unit))}")
            return f"{because} {use} {name} and own something still. Destroy it first, or all at once: {at_once}."
        case Fate.KEPT_FOR:
            return f"{because} {use} {name}, and is not destroyed."
    return f"{name} is not destroyed: {deleted.fate.value}."


def units_to_change(operation: Operation, outcomes: Mapping[str, UnitOutcome], discovery: Discovery) -> set[str]:
    """Of the units that were planned those that the order goes on with.

    An apply takes along what depends on a unit that changes: with its new outputs there may be something to do there.
    """
    wanted = {unit for unit, one in outcomes.items() if one.phase in (UnitPhase.PLANNED, UnitPhase.DEFERRED)}
    if operation is Operation.APPLY:
        wanted |= dependants(wanted, discovery.dependencies) & outcomes.keys()
    return wanted


def imports_nothing(operation: Operation, summary: PlanSummary) -> bool:
    """The state has it already; what has drifted there is none of an import's business."""
    return operation is Operation.IMPORT and not summary.imported


def never_applied(outcomes: Iterable[UnitOutcome], wanted: Collection[str]) -> list[str]:
    """Dependencies without outputs that this order doesn't apply either: what to do about each."""
    missing: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.unit not in wanted:
            continue
        if outcome.plan is not None:
            without = [each.unit for each in outcome.plan.dependencies if each.kind is not OutputsKind.REAL]
        else:
            without = [*outcome.waits_for]
        for unit in without:
            if unit not in wanted:
                missing.setdefault(unit, []).append(outcome.unit)
    return [
        f"{inline_code(unit)}, on which {code_list(tuple(units))} {'depends' if len(units) == 1 else 'depend'}, has "
        f"never been applied, and a plan made from mock outputs is never applied. "
        f"First: {inline_code(f'docustack apply {unit}')}, or name both at once."
        for unit, units in sorted(missing.items())
    ]


def cannot_be_planned(failed: Sequence[UnitOutcome]) -> str:
    """Nothing is changed where one of the plans could not be made."""
    names = code_list(tuple(outcome.unit for outcome in failed))
    return f"Nothing was changed: {names} could not be planned."


def facts_of_order(commit: str, base_ref: str, actor: Person) -> GateFacts:
    """What the gate reads of a pull request, for an order: its author is who gave it, and it is always open."""
    return GateFacts(
        author=actor.login,
        head_commit=commit,
        base_ref=base_ref,
        state="open",
        merged=False,
        draft=False,
        from_fork=False,
        mergeable=True,
        mergeable_state="clean",
        reviews=(),
        actor=actor,
    )


def asks_for_yes(start: RunInput) -> str:
    """What the run waits for from who has ordered it."""
    return (
        f"Waits for @{start.actor}'s own yes to these plans: at the terminal that has started it, or "
        f"{inline_code(f'docustack approve {start.run_id}')}."
    )


def what_was_done(operation: Operation, done: PlanSummary) -> str:
    """The last word of an order; a refresh changes nothing but what is known."""
    if operation is Operation.REFRESH:
        return "The states were brought to what AWS has; nothing else was changed."
    imported = f"{done.imported} imported, " if done.imported else ""
    return f"{imported}{done.add} added, {done.change} changed, {done.destroy} destroyed."


def what_is_left(outcomes: Mapping[str, UnitOutcome], units: Iterable[str]) -> str:
    """By unit, what keeps an order from having succeeded; empty where nothing does. `units` are all of the order."""
    ended = {unit: outcomes[unit].phase if unit in outcomes else UnitPhase.WAITING for unit in [*outcomes, *units]}
    told = []
    for what, phases in (
        ("Failed", (UnitPhase.FAILED,)),
        ("Unknown whether it was changed", (UnitPhase.UNKNOWN,)),
        ("Skipped", (UnitPhase.SKIPPED,)),
        ("Not begun", _NOT_ENDED),
    ):
        named = [unit for unit, phase in ended.items() if phase in phases]
        if named:
            more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
            told.append(f"{what}: {code_list(tuple(named[:_LISTED]))}{more}.")
    return "\n".join(told)


_NOT_ENDED = (UnitPhase.WAITING, UnitPhase.PLANNING, UnitPhase.PLANNED, UnitPhase.DEFERRED, UnitPhase.APPLYING)


def nothing_to_do(operation: Operation, targets: Sequence[str] = ()) -> str:
    """Of targets it is only known how these are."""
    if targets:
        are = "is" if len(targets) == 1 else "are"
        as_it_is = f"{are} gone already" if operation is Operation.DESTROY else f"{are} as the configuration says"
        return f"Nothing to {operation.value}: {code_list(tuple(targets))} {as_it_is}. The rest was not looked at."
    return {
        Operation.DESTROY: "Nothing to destroy: the states hold no resources.",
        Operation.REFRESH: "Nothing to refresh: the states are what AWS has.",
        Operation.IMPORT: "Nothing to import: the state has it already.",
    }.get(operation, "Nothing to apply: AWS is as the configuration says.")
