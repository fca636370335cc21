"""What a run has to say beside its units: files that nobody reads, deleted units, units that were left out."""

from collections.abc import Sequence

from docustack.access import Decision
from docustack.comment_limits import BODY_LIMIT, closed, head_of, size
from docustack.comment_text import code_list, counted, enumerated, fold, inline_code, prose
from docustack.deleted_units import DeletedUnit
from docustack.deletion_texts import deletion_remark
from docustack.repository import Discovery, UnitStatus

_FOLDED_FROM = 10


def remarks(discovery: Discovery, warnings: Sequence[str] = (), *, deleted: Sequence[DeletedUnit] = ()) -> list[str]:
    """One text for each thing that the person should know; none where all is plain."""
    changed = discovery.changed
    outside = [unit.unit for unit in changed if unit.environment is None and unit.status is not UnitStatus.DELETED]
    told = [text for each in deleted if (text := deletion_remark(each))]
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


def _them(files: Sequence[str]) -> str:
    return "it" if len(files) == 1 else "them"


def _list_item(remark: str) -> str:
    """Several lines within one item of a list."""
    return prose(remark).replace("\n", "\n  ")
