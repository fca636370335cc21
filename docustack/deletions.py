"""What becomes of the units that a pull request deletes: destroyed, moved along, or kept, and because of whom."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from posixpath import basename, dirname

from docustack.configuration import Environment
from docustack.deleted_units import DeletedUnit, Fate
from docustack.repository import ChangedFile, ChangedUnit, Deletion, UnitStatus
from docustack.state_document import OwnedResources
from docustack.unit_graph import UnitGraph
from docustack.unit_reads import UNIT_FILES
from docustack.units import reach

LISTED = 20
"""Addresses of a deleted unit that are passed on; beyond them only their number."""


def find_deletions(
    changed: Iterable[ChangedUnit],
    changed_files: Iterable[ChangedFile],
    base: UnitGraph,
    merged: UnitGraph,
) -> tuple[Deletion, ...]:
    """The deleted ones among the changed units, with their place in the graphs of the base branch and of the merge.

    For a merge of a while ago `merged` is the graph of the base branch as it is now.
    """
    units = [unit for unit in changed if unit.status is UnitStatus.DELETED]
    renamed = _renames(changed_files, {unit.unit for unit in units}, merged)
    before = base.dependencies()
    dependants: dict[str, set[str]] = {}
    for unit, needed in before.items():
        for other in needed:
            dependants.setdefault(other, set()).add(unit)
    still_named: dict[str, set[str]] = {}
    for found in merged.units.values():
        for other in found.dependencies:
            still_named.setdefault(other, set()).add(found.path)
    return tuple(
        Deletion(
            unit=unit.unit,
            environment=unit.environment,
            in_base=unit.unit in base.units,
            dependencies=before.get(unit.unit, ()),
            dependants=tuple(sorted(_without_circles(unit.unit, dependants.get(unit.unit, set()), before))),
            needed_by=tuple(sorted(still_named.get(unit.unit, ()))),
            renamed_to=renamed.get(unit.unit),
            is_back=unit.unit in merged.units,
        )
        for unit in units
    )


def _without_circles(unit: str, dependants: set[str], before: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Units that depended on each other in a circle have no order; the change that deletes them mends just that."""
    return dependants - reach([unit], before)


def _renames(changed_files: Iterable[ChangedFile], deleted: Collection[str], merged: UnitGraph) -> dict[str, str]:
    """Where git sees a deleted unit's own file again as that of a unit that is there now."""
    return {
        dirname(file.previous_path): dirname(file.path)
        for file in changed_files
        if file.status == "renamed"
        and file.previous_path is not None
        and basename(file.previous_path) in UNIT_FILES
        and basename(file.path) in UNIT_FILES
        and dirname(file.previous_path) in deleted
        and dirname(file.path) in merged.units
    }


def may_have_taken_over(changed_files: Iterable[ChangedFile], merged: UnitGraph) -> tuple[str, ...]:
    """Units that may have taken over a deleted one's state: those whose own file is new or changes."""
    files = {dirname(file.path) for file in changed_files if basename(file.path) in UNIT_FILES}
    return tuple(sorted(files & merged.units.keys()))


def decide_fates(
    deletions: Sequence[Deletion],
    owned: Mapping[str, OwnedResources],
    others: Mapping[str, OwnedResources],
    added: Collection[str],
    commit: str = "",
) -> list[DeletedUnit]:
    """What becomes of each deleted unit.

    `owned`: the states of the deleted units, as the base branch has them; `others`: those of the units that may have
    taken one over, `added` of which are new.
    """
    decided = {each.unit: _fate(each, owned.get(each.unit), others, added) for each in deletions}
    _keep_what_kept_units_need(deletions, decided)
    return [_deleted_unit(each, *decided[each.unit], owned.get(each.unit), commit) for each in deletions]


def _deleted_unit(
    deletion: Deletion, fate: Fate, because: tuple[str, ...], state: OwnedResources | None, commit: str
) -> DeletedUnit:
    return DeletedUnit(
        unit=deletion.unit,
        environment=deletion.environment,
        fate=fate,
        because=because,
        renamed_to=deletion.renamed_to,
        owned=state.count if state is not None and state.known else None,
        addresses=state.addresses[:LISTED] if state is not None else (),
        commit=commit,
    )


_Decided = tuple[Fate, tuple[str, ...]]


def _fate(
    deletion: Deletion, state: OwnedResources | None, others: Mapping[str, OwnedResources], added: Collection[str]
) -> _Decided:
    if not deletion.in_base:
        return Fate.GONE, ()
    if deletion.is_back:
        return Fate.BACK, ()
    if deletion.environment is None:
        return Fate.OUTSIDE, ()
    if state is not None and state.known and state.count == 0:
        return Fate.NOTHING_LEFT, ()
    if state is not None:
        for unit, other in sorted(others.items()):
            if same := _same_state(state, other):
                return same, (unit,)
    if deletion.needed_by:
        return Fate.NEEDED, deletion.needed_by
    unsure = {unit for unit, other in others.items() if not other.known} & {*added, deletion.renamed_to}
    if unsure:
        return Fate.UNSURE, tuple(sorted(unsure))
    return Fate.DESTROY, ()


def _same_state(state: OwnedResources, other: OwnedResources) -> Fate | None:
    """By where it lies; a copy is known by its lineage, which Terraform gives every state once."""
    if state.location and state.location == other.location:
        return Fate.MOVED
    if not state.lineage or state.lineage != other.lineage:
        return None
    return Fate.COPIED if state.location and other.location else Fate.MOVED


_STAYS = (Fate.NEEDED, Fate.KEPT_FOR, Fate.UNSURE, Fate.OUTSIDE)
"""The unit is gone from the code, but what it owns stays, and goes on using what it depends on."""


def _keep_what_kept_units_need(deletions: Sequence[Deletion], decided: dict[str, _Decided]) -> None:
    more = True
    while more:
        more = False
        for each in deletions:
            users = tuple(unit for unit in each.dependants if unit in decided and decided[unit][0] in _STAYS)
            if decided[each.unit][0] is Fate.DESTROY and users:
                decided[each.unit] = Fate.KEPT_FOR, users
                more = True


def may_be_destroyed(deleted: DeletedUnit, environment: Environment, *, words: bool, automatic: bool) -> bool:
    """By the words `apply --destroy`, or by the environment's own say; never by an apply that nobody commanded.

    What git takes for a rename is never destroyed on the environment's say alone: the resources may be meant to move.
    """
    if automatic or deleted.fate is not Fate.DESTROY:
        return False
    return words or (environment.allow_destroy and deleted.renamed_to is None)
