"""What becomes of deleted units: who still needs them, whose state they share, what goes before what."""

import pytest

from docustack.configuration import Configuration, Environment
from docustack.deleted_units import DeletedUnit, Fate
from docustack.deletion_texts import (
    deletion_remark,
    destroy_message,
    destroy_note,
    destroys_left_out,
    held_back,
    what_remains,
)
from docustack.deletions import (
    decide_fates,
    find_deletions,
    may_be_destroyed,
    may_have_taken_over,
)
from docustack.destroy_order import (
    destroy_waves,
    not_destroyed_because,
    order_of,
    settled_units,
    still_holding,
)
from docustack.plans import PlanRecord, PlanSummary, TypeCount
from docustack.repository import ChangedFile, ChangedUnit, Deletion, Discovery, UnitStatus
from docustack.runs import UnitOutcome, UnitPhase
from docustack.state_document import OwnedResources
from docustack.unit_graph import FoundUnit, UnitGraph

A, B, C, NEW = "dev/a", "dev/b", "dev/c", "dev/new"
CONFIGURATION = Configuration.model_validate(
    {
        "version": 1,
        "environments": {
            name: {"path": name, "account_id": str(number) * 12, "apply": "anyone"}
            for number, name in enumerate(("dev", "prod"))
        },
    }
)


def graph(**dependencies: tuple[str, ...]) -> UnitGraph:
    units = {f"dev/{name}": FoundUnit(path=f"dev/{name}", dependencies=needed) for name, needed in dependencies.items()}
    return UnitGraph(units=units)


def changed(unit: str, status: UnitStatus = UnitStatus.DELETED, *because: str) -> ChangedUnit:
    return ChangedUnit(unit=unit, environment="dev", status=status, because=because)


def renamed(old: str, new: str, file: str = "terragrunt.hcl") -> ChangedFile:
    return ChangedFile(path=f"{new}/{file}", status="renamed", previous_path=f"{old}/{file}")


def owns(count: int = 1, *, lineage: str = "l-old", location: str = "s3:b/old", known: bool = True) -> OwnedResources:
    addresses = tuple(f"aws_vpc.v{number}" for number in range(count))
    return OwnedResources(known=known, addresses=addresses, count=count, lineage=lineage, location=location)


def fates(
    *deletions: Deletion,
    owned: dict[str, OwnedResources] | None = None,
    others: dict[str, OwnedResources] | None = None,
) -> dict[str, tuple[Fate, tuple[str, ...]]]:
    states = {each.unit: owns(lineage=each.unit, location=each.unit) for each in deletions} | (owned or {})
    decided = decide_fates(deletions, states, others or {}, [NEW])
    return {each.unit: (each.fate, each.because) for each in decided}


def deletion(unit: str, **fields: object) -> Deletion:
    return Deletion.model_validate({"unit": unit, "environment": "dev", **fields})


def test_a_unit_that_the_base_branch_has_again_after_the_merge_is_nobodys_orphan() -> None:
    (back,) = decide_fates([deletion(A, is_back=True)], {A: owns()}, {}, [])
    assert back.fate is Fate.BACK
    assert not back.is_owned_by_nobody
    assert deletion_remark(back) == f"`{A}` is in the base branch again, so nothing of it is destroyed here."


# ---- found ---------------------------------------------------------------------------------------------------------


def test_a_deletion_knows_its_neighbours_before_and_who_still_names_it() -> None:
    base = graph(a=(), b=(A,), c=(B,))
    merged = graph(c=(B,))
    found = {each.unit: each for each in find_deletions([changed(A), changed(B)], [], base, merged)}
    assert (found[A].dependencies, found[A].dependants, found[A].needed_by) == ((), (B,), ())
    assert (found[B].dependencies, found[B].dependants, found[B].needed_by) == ((A,), (C,), (C,))
    assert found[A].in_base


def test_what_others_deleted_on_the_base_branch_meanwhile_is_gone() -> None:
    (found,) = find_deletions([changed(A)], [], graph(), graph())
    assert not found.in_base
    assert fates(found)[A] == (Fate.GONE, ())


def test_deleted_units_that_depended_on_each_other_in_a_circle_have_no_order() -> None:
    found = find_deletions([changed(A), changed(B)], [], graph(a=(B,), b=(A,)), graph())
    order = order_of(Discovery(changed=(), deletions=found), [])
    assert destroy_waves(CONFIGURATION, order, [A, B]) == [[A, B]]


def test_a_rename_is_seen_by_the_units_own_file_and_only_where_a_unit_is_now() -> None:
    merged = graph(new=(), c=())
    files = [renamed(A, NEW), renamed(B, "modules/b"), renamed(C, NEW, "main.tf")]
    found = {u.unit: u.renamed_to for u in find_deletions([changed(A), changed(B), changed(C)], files, graph(), merged)}
    assert found == {A: NEW, B: None, C: None}


def test_only_units_whose_own_file_changes_may_have_taken_over_a_state() -> None:
    files = [
        ChangedFile(path=f"{NEW}/terragrunt.hcl", status="added"),
        ChangedFile(path=f"{C}/main.tf", status="modified"),
        ChangedFile(path=f"{A}/terragrunt.hcl", status="deleted"),
    ]
    assert may_have_taken_over(files, graph(new=(), c=())) == (NEW,)


# ---- decided -------------------------------------------------------------------------------------------------------


def test_a_unit_that_nobody_needs_and_nobody_has_taken_over_is_destroyed() -> None:
    assert fates(deletion(A), others={NEW: owns(lineage="l-new", location="s3:b/new")})[A] == (Fate.DESTROY, ())


def test_a_unit_that_owns_nothing_leaves_nothing_behind() -> None:
    assert fates(deletion(A, needed_by=(C,)), owned={A: owns(0)})[A][0] is Fate.NOTHING_LEFT


@pytest.mark.parametrize(
    "old,new,fate",
    [
        (owns(), owns(), Fate.MOVED),
        (owns(lineage="", location="s3:b/x"), owns(0, lineage="", location="s3:b/x"), Fate.MOVED),
        (owns(location=""), owns(location=""), Fate.MOVED),
        (owns(), owns(location="s3:b/new"), Fate.COPIED),
        (owns(), owns(lineage="l-new", location="s3:b/new"), Fate.DESTROY),
        (owns(lineage="", location=""), owns(lineage="", location=""), Fate.DESTROY),
        (owns(), owns(0, known=False, lineage="", location=""), Fate.UNSURE),
        (owns(0, known=False, lineage="", location=""), owns(lineage="l-new"), Fate.DESTROY),
    ],
)
def test_a_state_that_another_unit_has_now_is_never_destroyed(
    old: OwnedResources, new: OwnedResources, fate: Fate
) -> None:
    for each in (deletion(A), deletion(A, renamed_to=NEW)):
        assert fates(each, owned={A: old}, others={NEW: new})[A][0] is fate


def test_a_changed_unit_that_can_not_be_read_makes_nobody_unsure_but_its_own_old_name() -> None:
    unreadable = {C: owns(0, known=False, lineage="", location="")}
    assert fates(deletion(A), others=unreadable)[A][0] is Fate.DESTROY
    assert fates(deletion(A, renamed_to=C), others=unreadable)[A] == (Fate.UNSURE, (C,))


def test_what_a_kept_unit_depends_on_is_kept_along_the_whole_chain() -> None:
    a = deletion(A, dependants=(B,))
    b = deletion(B, dependencies=(A,), dependants=(C,))
    c = deletion(C, dependencies=(B,), needed_by=("dev/user",))
    assert fates(a, b, c) == {
        A: (Fate.KEPT_FOR, (B,)),
        B: (Fate.KEPT_FOR, (C,)),
        C: (Fate.NEEDED, ("dev/user",)),
    }


def test_outside_of_every_environment_there_are_no_rules_to_destroy_by() -> None:
    outside = deletion("lab/x", dependencies=(A,)).model_copy(update={"environment": None})
    assert fates(deletion(A, dependants=("lab/x",)), outside) == {
        A: (Fate.KEPT_FOR, ("lab/x",)),
        "lab/x": (Fate.OUTSIDE, ()),
    }


@pytest.mark.parametrize(
    "words,allow,automatic,is_rename,may",
    [
        (True, False, False, False, True),
        (False, True, False, False, True),
        (False, False, False, False, False),
        (False, True, False, True, False),
        (True, True, False, True, True),
        (True, True, True, False, False),
    ],
)
def test_only_words_or_the_environment_destroy_and_never_a_merge(
    words: bool, allow: bool, automatic: bool, is_rename: bool, may: bool
) -> None:
    environment = Environment(path="dev", account_id="1" * 12, apply="anyone", allow_destroy=allow)
    deleted = unit(A, renamed_to=NEW if is_rename else None)
    assert may_be_destroyed(deleted, environment, words=words, automatic=automatic) is may
    kept = deleted.model_copy(update={"fate": Fate.NEEDED})
    assert not may_be_destroyed(kept, environment, words=True, automatic=False)


# ---- ordered -------------------------------------------------------------------------------------------------------


def unit(path: str, fate: Fate = Fate.DESTROY, *because: str, **fields: object) -> DeletedUnit:
    return DeletedUnit.model_validate({"unit": path, "environment": "dev", "fate": fate, "because": because, **fields})


def plan(path: str, *, spent: bool = False, **counts: int) -> PlanRecord:
    return PlanRecord(
        unit=path,
        run_id="r",
        commit="c",
        tree_commit="t",
        digest="d",
        summary=PlanSummary(**counts),
        binary="b",
        json_document="j",
        text="t",
        log="l",
        spent=spent,
        destroys=(TypeCount(type="aws_subnet", count=2), TypeCount(type="aws_vpc", count=1)),
    )


CHAIN = Discovery(
    changed=(),
    dependencies={C: (), "dev/user": (NEW,), NEW: ()},
    deletions=(deletion(A, dependants=(B, C)), deletion(B, dependencies=(A,), dependants=("dev/user",))),
)


def test_dependants_are_destroyed_before_their_dependencies_and_environments_never_mix() -> None:
    order = {A: (B, "prod/b"), B: (), "prod/b": ()}
    waves = destroy_waves(CONFIGURATION, order, [A, B, "prod/b"])
    assert waves[-1] == [A]
    assert all(len({CONFIGURATION.environment_of(name) for name in wave}) == 1 for wave in waves)


def test_units_that_let_go_come_before_what_they_let_go_of() -> None:
    order = order_of(CHAIN, [unit(A), unit(B)])
    assert still_holding(A, order, chosen={A}, settled=set()) == (B, C)
    assert still_holding(A, order, chosen={A, B}, settled={C}) == ()


def test_a_unit_that_goes_on_under_another_name_lets_go_by_that() -> None:
    order = order_of(CHAIN, [unit(A), unit(B, Fate.MOVED, NEW)])
    assert still_holding(A, order, chosen={A, NEW}, settled={C}) == ()
    assert still_holding(A, order, chosen={A}, settled={C}) == (NEW,)


def test_settled_is_what_was_applied_here_or_has_nothing_to_do() -> None:
    plans = [plan("dev/same"), plan("dev/more", add=1), plan("dev/begun", spent=True)]
    assert settled_units(CHAIN, [unit(B, Fate.NOTHING_LEFT), unit(A)], plans, ["dev/done"]) == {
        "dev/same",
        "dev/done",
        B,
    }


def test_nothing_is_destroyed_after_what_had_to_let_go_or_another_environment_failed() -> None:
    def ended(path: str, phase: UnitPhase) -> dict[str, UnitOutcome]:
        return {path: UnitOutcome(unit=path, environment=path.partition("/")[0], phase=phase)}

    order = order_of(CHAIN, [unit(A), unit(B)])
    assert "`dev/user` has to let go" in str(
        not_destroyed_because(B, "dev", order, ended("dev/user", UnitPhase.SKIPPED))
    )
    assert "`prod/x` failed" in str(not_destroyed_because(B, "dev", order, ended("prod/x", UnitPhase.UNKNOWN)))
    assert not_destroyed_because(B, "dev", order, ended("dev/other", UnitPhase.FAILED)) is None
    assert not_destroyed_because(B, "dev", order, ended("dev/user", UnitPhase.APPLIED)) is None


# ---- told ----------------------------------------------------------------------------------------------------------


def test_a_destruction_tells_what_goes_away_counted() -> None:
    note = destroy_note(plan(A, destroy=3))
    assert note.startswith("> [!CAUTION]\n> **Destruction.**")
    assert "3 resources: 2 `aws_subnet` and 1 `aws_vpc`" in note


def test_a_destruction_tells_how_it_is_commanded() -> None:
    environment = Environment(path="dev", account_id="1" * 12, apply="anyone")
    assert "Only `ds apply --destroy` destroys it" in destroy_message(unit(A), environment, "ds")
    allowing = environment.model_copy(update={"allow_destroy": True})
    assert "`ds apply` destroys it" in destroy_message(unit(A), allowing, "ds")
    told = destroy_message(unit(A, renamed_to=NEW, owned=4), allowing, "ds")
    assert "still owns 4 resources" in told
    assert "terragrunt state push" in told
    assert "Only `ds apply --destroy`" in told


def test_each_fate_but_the_destruction_itself_is_remarked() -> None:
    assert deletion_remark(unit(A)) == ""
    remarks = {fate: deletion_remark(unit(A, fate, NEW, owned=1, addresses=["aws_vpc.v"])) for fate in Fate}
    assert all(f"`{A}`" in text for fate, text in remarks.items() if fate is not Fate.DESTROY)
    assert len(set(remarks.values())) == len(Fate)
    assert "1 resource: `aws_vpc.v`" in remarks[Fate.NEEDED]


def test_what_is_left_out_held_back_or_remains_is_named() -> None:
    assert "`dev/a` and `dev/b` are deleted here" in destroys_left_out([unit(A), unit(B)], "ds")
    assert "takes a person's `ds apply --destroy`" in destroys_left_out([unit(A)], "ds", automatic=True)
    assert "`dev/b` depended on it, and has" in held_back(A, [B])
    assert what_remains(None, ()).startswith("What is left")
    assert what_remains(0, ()) == "Its state owns nothing any more."
    assert "3 resources: `a` and 2 more" in what_remains(3, ["a"])
