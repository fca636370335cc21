"""What people read of units that a pull request deletes: what goes away, what stays and why, what a rename means."""

from collections.abc import Sequence

from docustack.comment_text import code_list, counted, enumerated, inline_code
from docustack.configuration import Environment
from docustack.deleted_units import DeletedUnit, Fate
from docustack.plans import PlanRecord

DESTROYED = "Destroyed: the unit owns nothing any more."


def breaks_others(unit: str, needed_by: Sequence[str]) -> str:
    """The units that the base branch could not even plan any more once the deletion is merged."""
    depend, it = ("depends", "it") if len(needed_by) == 1 else ("depend", "them")
    return (
        f"{code_list(tuple(needed_by))} still {depend} on {inline_code(unit)}, which is deleted here: merged so, "
        f"no plan could be made of {it} any more. Remove the dependency there first."
    )


def deletion_remark(deleted: DeletedUnit) -> str:
    """What follows from a deletion beside its own plan; empty where that says it all."""
    name = inline_code(deleted.unit)
    because = code_list(deleted.because)
    is_are = "depends" if len(deleted.because) == 1 else "depend"
    match deleted.fate:
        case Fate.DESTROY:
            return _rename_danger(deleted) if deleted.renamed_to else ""
        case Fate.NOTHING_LEFT:
            return f"{name} is deleted here. Its state owns nothing, so nothing is left behind."
        case Fate.MOVED:
            return (
                f"{name} goes on as {because}: both have the same state, so what it owns goes along. Nothing is "
                "destroyed for it, and nothing has to be done."
            )
        case Fate.COPIED:
            return (
                f"{name} is deleted here, and its state was copied for {because}: both name the same "
                f"{_resources(deleted)}, so a destruction of {name} would destroy what {because} owns. It is not "
                f"planned for destruction. To end the move, take the resources out of the old state: "
                f"{_EMPTY_OLD_STATE}."
            )
        case Fate.NEEDED:
            return (
                f"{name} is deleted here, but {because} still {is_are} on it, so it is not planned for destruction. "
                f"Remove the dependency there first.{_owns(deleted)}"
            )
        case Fate.KEPT_FOR:
            return (
                f"{name} is deleted here, but {because}, deleted too, {is_are} on it and is not destroyed, so it is "
                f"not planned for destruction either.{_owns(deleted)}"
            )
        case Fate.UNSURE:
            return (
                f"{name} is deleted here. The state of {because} could not be read, so it can't be told whether that "
                f"is the same one, and {name} is not planned for destruction. Mend {because}, then comment "
                f"`terrateam plan`.{_owns(deleted)}"
            )
        case Fate.OUTSIDE:
            return (
                f"{name} is deleted here. It lies in no environment of `docustack.yaml`, so there are no rules to go "
                "by, and nothing of it is destroyed. To destroy it, run `terragrunt destroy` in it at the base branch, "
                "before the merge."
            )
        case Fate.GONE | Fate.BACK:
            return _not_its_own(name, deleted.fate)


def _not_its_own(name: str, fate: Fate) -> str:
    if fate is Fate.BACK:
        return f"{name} is in the base branch again, so nothing of it is destroyed here."
    return f"{name} is deleted here, and the base branch has lost it meanwhile: that is not this pull request's."


def destroy_note(plan: PlanRecord) -> str:
    """The warning above a destruction's plan: what goes away, counted."""
    number = plan.summary.destroy
    kinds = enumerated([f"{each.count:,} {inline_code(each.type)}" for each in plan.destroys])
    what = f"{counted(number, 'resource')}: {kinds}" if kinds else counted(number, "resource")
    return (
        "> [!CAUTION]\n"
        f"> **Destruction.** This pull request deletes {inline_code(plan.unit)}. "
        f"This plan destroys all that it owns, {what}."
    )


def destroy_message(deleted: DeletedUnit, environment: Environment, prefix: str) -> str:
    """What a person has to know and to do, under that warning."""
    apply = inline_code(f"{prefix} apply")
    words = inline_code(f"{prefix} apply --destroy")
    if deleted.renamed_to:
        return f"{_rename_danger(deleted)}\n\nOnly {words} destroys it, whatever the environment allows."
    if environment.allow_destroy:
        return f"{apply} destroys it: its environment has `allow_destroy: true`."
    return f"Only {words} destroys it; {apply} leaves it out, and a merge destroys nothing."


def no_outputs_to_destroy_with(waits_for: Sequence[str]) -> str:
    """A unit whose dependencies are gone can't even be planned for destruction."""
    units = code_list(tuple(waits_for)) or "a unit that it depends on"
    has = "has" if len(waits_for) <= 1 else "have"
    return (
        f"Its destruction can't be planned: {units} {has} no outputs any more, and it reads them.\n"
        "Destroy it by hand, in its folder at the base branch, with the values that it needs."
    )


def destroys_left_out(units: Sequence[DeletedUnit], prefix: str, *, automatic: bool = False) -> str:
    """What an apply doesn't destroy, and how it is destroyed."""
    names = code_list([each.unit for each in units])
    it = "it" if len(units) == 1 else "them"
    is_are = "is" if len(units) == 1 else "are"
    command = inline_code(f"{prefix} apply --destroy")
    renamed = [each for each in units if each.renamed_to]
    told = f"{names} {is_are} deleted here and {is_are} not destroyed by this: comment {command} to destroy {it}, too."
    if automatic:
        told = f"{names} {is_are} deleted here and {is_are} not destroyed: that takes a person's {command}."
    return "\n\n".join([told, *(_rename_danger(each) for each in renamed)])


def held_back(unit: str, holding: Sequence[str]) -> str:
    """A destruction that would come before others have let go."""
    names = code_list(tuple(holding))
    have = "has" if len(holding) == 1 else "have"
    return (
        f"{inline_code(unit)} is not destroyed: {names} depended on it, and {have} to be applied or destroyed before. "
        "Apply them in the same command, or first."
    )


def what_remains(owned: int | None, addresses: Sequence[str]) -> str:
    """After a destruction that failed: what is still there."""
    if owned is None:
        return "What is left of it could not be read from its state."
    if owned == 0:
        return "Its state owns nothing any more."
    listed = code_list(tuple(addresses)) if owned == len(addresses) else ""
    listed = listed or f"{code_list(tuple(addresses))} and {owned - len(addresses):,} more"
    return (
        f"It still owns {counted(owned, 'resource')}: {listed}. Mend what keeps it, then command the same again: what "
        "is left is planned anew."
    )


_EMPTY_OLD_STATE = "`terragrunt state rm ADDRESS` for each, in its folder at the base branch"


def _rename_danger(deleted: DeletedUnit) -> str:
    """A rename whose state doesn't go along; how it would."""
    old, new = inline_code(deleted.unit), inline_code(deleted.renamed_to or "")
    return (
        f"{old} looks renamed to {new}, whose state is another one: as it stands, {new} creates everything again, and "
        f"{old} still owns {_resources(deleted)}, which would be destroyed with all data in it. To move the state "
        f"instead, before anything is applied: in {old} at the base branch `terragrunt state pull >"
        f" /tmp/moved.tfstate`, in {new} at the head `terragrunt state push /tmp/moved.tfstate`, then "
        f"{_EMPTY_OLD_STATE}; then comment "
        "`terrateam plan`: both plans should be without changes. If it is no rename, ignore this."
    )


def _resources(deleted: DeletedUnit) -> str:
    return counted(deleted.owned, "resource") if deleted.owned is not None else "resources"


def _owns(deleted: DeletedUnit) -> str:
    if not deleted.owned:
        return ""
    return f" It owns {counted(deleted.owned, 'resource')}: {code_list(deleted.addresses)}."
