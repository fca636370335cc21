"""What a run has to say beside its units: files that nobody reads, deleted units, units that were left out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from docustack.access import Decision
from docustack.comment_limits import BODY_LIMIT, closed, head_of, size
from docustack.comment_text import code_list, counted, enumerated, fold, inline_code, prose
from docustack.repository import ChangedUnit, Discovery, UnitStatus

_FOLDED_FROM = 10
_NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


def remarks(
    discovery: Discovery, warnings: Sequence[str] = (), *, still_owned: Mapping[str, Sequence[str]] = _NOTHING
) -> list[str]:
    """One text for each thing that the person should know; none where all is plain.

    `still_owned`: for each deleted unit the addresses in its state, as far as they are known.
    """
    changed = discovery.changed
    deleted = [unit for unit in changed if unit.status is UnitStatus.DELETED]
    outside = [unit.unit for unit in changed if unit.environment is None and unit.status is not UnitStatus.DELETED]
    told = [_deleted(unit, still_owned.get(unit.unit)) for unit in deleted]
    if outside:
        lie = "lies" if len(outside) == 1 else "lie"
        told.append(
            f"{code_list(outside)} {lie} in no environment of `docustack.yaml`, so there are no rules to go by, "
            "and nothing was planned there."
        )
    if discovery.unread_files:
        files = discovery.unread_files
        told.append(f"No unit is known to read {code_list(files)}, so no plan was started for {_them(files)}.")
    if discovery.excluded_files:
        files = discovery.excluded_files
        told.append(f"Left out by the file patterns of `.terrateam/config.yml`: {code_list(files)}.")
    told += [*discovery.warnings, *warnings]
    return list(dict.fromkeys(told))


def remarks_comment(discovery: Discovery, remarks: Sequence[str]) -> str:
    """The comment for the remarks and for the units that are also affected; empty where there is nothing to say."""
    parts = [f"- {_list_item(remark)}" for remark in remarks]
    affected = discovery.also_affected
    sections = ["\n".join(parts)] if parts else []
    if affected:
        depend = "depends" if len(affected) == 1 else "depend"
        what = f"{counted(len(affected), 'unit')} {depend} on what changes here"
        if len(affected) <= _FOLDED_FROM:
            sections.append(f"Also affected, not planned by itself: {code_list(affected)}.")
        else:
            listed = "\n".join(f"- {inline_code(unit)}" for unit in affected[:500])
            sections.append(fold(f"Also affected: {what}", listed))
    if not sections:
        return ""
    body = "\n\n".join(["## Terrateam Notes", *sections])
    return body if size(body) <= BODY_LIMIT else closed(head_of(body, BODY_LIMIT - 200))


def not_planned_remark(decision: Decision, *, automatic: bool) -> str:
    """An environment that was left out since the person may not plan it; the automatic plan counts as its author's."""
    if not automatic:
        return decision.message
    can = enumerated([name if " " in name else f"a member of {inline_code(name)}" for name in decision.who_can], "or")
    who = can or "somebody who may"
    return f"{decision.message} The automatic plan counts as the author's; `terrateam plan` by {who} plans it."


def deferred_message(waits_for: Sequence[str]) -> str:
    """Why a unit has no plan yet."""
    units = code_list(tuple(waits_for)) or "a unit that it depends on"
    has = "has" if len(waits_for) <= 1 else "have"
    return f"Waits for the first apply of {units}, which {has} no outputs yet."


def _deleted(unit: ChangedUnit, owned: Sequence[str] | None) -> str:
    name = inline_code(unit.unit)
    if owned is not None and not owned:
        return f"{name} is deleted here. Its state holds nothing, so nothing is left behind."
    owns = f"It still owns {counted(len(owned), 'resource')}: {code_list(tuple(owned))}. " if owned else ""
    return (
        f"{name} is deleted here, and a merge destroys nothing of what it owns in the cloud. {owns}"
        f"To destroy it, run `terragrunt destroy` in {name} at the base branch, before the merge."
    )


def _them(files: Sequence[str]) -> str:
    return "it" if len(files) == 1 else "them"


def _list_item(remark: str) -> str:
    """Several lines within one item of a list."""
    return prose(remark).replace("\n", "\n  ")
