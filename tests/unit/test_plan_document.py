"""What a plan's JSON says: counts, the digest, and the changes that an approval covers."""

import pytest

from docustack.plan_document import (
    Json,
    changes,
    digest_of,
    digest_plan,
    parse_document,
    summarize,
)
from docustack.plans import Change, PlanSummary
from docustack.sensitive import Marked, mask_document, sensitive_values, still_unknown

ADDRESS = "aws_vpc.this"


def resource(
    *actions: str, before: Json = None, after: Json = None, address: str = ADDRESS, **change: Json
) -> dict[str, Json]:
    return {
        "address": address,
        "change": {"actions": [*actions], "before": before, "after": after, "after_unknown": {}, **change},
    }


def document(*resources: Json, outputs: dict[str, Json] | None = None, **more: Json) -> dict[str, Json]:
    return {"resource_changes": [*resources], "output_changes": {**(outputs or {})}, **more}


def triples(plan: dict[str, Json]) -> set[tuple[str, str]]:
    return {(each.action, each.attribute) for each in changes(plan) if each.address == ADDRESS}


@pytest.mark.parametrize(
    "actions, summary",
    [
        (["create"], PlanSummary(add=1)),
        (["update"], PlanSummary(change=1)),
        (["delete"], PlanSummary(destroy=1)),
        (["delete", "create"], PlanSummary(add=1, destroy=1)),
        (["create", "delete"], PlanSummary(add=1, destroy=1)),
        (["no-op"], PlanSummary()),
        (["read"], PlanSummary()),
        (["forget"], PlanSummary()),
    ],
)
def test_counts_are_those_of_terraforms_own_line(actions: list[str], summary: PlanSummary) -> None:
    assert summarize(document(resource(*actions))) == summary


def test_a_changed_output_alone_is_a_change() -> None:
    outputs: dict[str, Json] = {"a": {"actions": ["update"]}, "b": {"actions": ["no-op"]}}
    assert summarize(document(outputs=outputs)) == PlanSummary(outputs_changed=1)


def test_only_attributes_that_change_are_named() -> None:
    plan = document(resource("update", before={"cidr": "a", "name": "n"}, after={"cidr": "b", "name": "n"}))
    assert triples(plan) == {("update", "cidr")}


def test_another_value_of_the_same_attribute_is_the_same_change() -> None:
    one = document(resource("update", before={"cidr": "a"}, after={"cidr": "b"}))
    other = document(resource("update", before={"cidr": "a"}, after={"cidr": "c"}))
    assert changes(one) == changes(other)
    assert digest_plan(one) != digest_plan(other)


def test_a_value_known_only_after_the_apply_counts_like_its_attribute() -> None:
    known = document(resource("create", after={"cidr": "a"}))
    unknown = document(resource("create", after={}, after_unknown={"cidr": True}))
    nested = document(resource("create", after={}, after_unknown={"cidr": [{"deep": True}], "tags": {}}))
    assert triples(known) == triples(unknown) == triples(nested) == {("create", "cidr")}


@pytest.mark.parametrize("actions, action", [(["delete"], "delete"), (["forget"], "forget")])
def test_what_goes_goes_as_a_whole(actions: list[str], action: str) -> None:
    assert triples(document(resource(*actions, before={"cidr": "a"}))) == {(action, "*")}


def test_a_replacement_is_no_update() -> None:
    replaced = document(resource("delete", "create", before={"cidr": "a"}, after={"cidr": "b"}))
    assert triples(replaced) == {("replace", "cidr")}


def test_reading_changes_nothing() -> None:
    assert changes(document(resource("read", after={"id": "x"}))) == ()


def test_a_move_and_an_import_are_changes() -> None:
    moved = {**resource("no-op"), "previous_address": "aws_vpc.old"}
    assert triples(document(moved)) == {("move", "*")}
    imported = resource("update", before={"name": "a"}, after={"name": "b"}, importing={"id": "vpc-1"})
    assert triples(document(imported)) == {("import", "*"), ("update", "name")}
    assert digest_plan(document(moved)) != digest_plan(document())


def test_a_deposed_object_is_told_from_the_resource_itself() -> None:
    deposed = {**resource("delete"), "deposed": "ab12"}
    assert changes(document(deposed)) == (Change(address=f"{ADDRESS} (deposed ab12)", action="delete", attribute="*"),)


def test_outputs_are_changes_too() -> None:
    plan = document(outputs={"id": {"actions": ["create"], "after": "x"}})
    assert changes(plan) == (Change(address="output.id", action="create", attribute="value"),)


def test_the_digest_is_over_what_changes_and_nothing_else() -> None:
    one = document(resource("create", after={"a": 1}), resource("no-op", address="x"), timestamp="now")
    same = document(resource("no-op", address="y"), resource("create", after={"a": 1}), timestamp="later")
    assert digest_plan(one) == digest_plan(same)
    assert digest_plan(one).startswith("sha256:")


def test_a_key_keeps_a_short_secret_from_being_guessed() -> None:
    assert digest_of({"pin": "1234"}, b"k") != digest_of({"pin": "1234"})
    assert digest_of({"a": 1, "b": 2}, b"k") == digest_of({"b": 2, "a": 1}, b"k")


@pytest.mark.parametrize("text", ["", "[]", "null", "{"])
def test_no_document_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_document(text)


# ---- sensitive values ------------------------------------------------------------------------------------------------


def test_marked_places_are_found_at_any_depth() -> None:
    plan = document(
        resource(
            "update",
            before={"password": "old-one", "list": [{"key": "in-a-list", "plain": "seen"}]},
            after={"password": "new-one", "all": {"x": "under-a-mark", "n": 12}},
            before_sensitive={"password": True, "list": [{"key": True}]},
            after_sensitive={"password": True, "all": True},
        ),
        outputs={"out": {"before": None, "after": "an-output", "after_sensitive": True}},
        variables={"token": {"value": "a-variable"}, "name": {"value": "plain"}},
        configuration={
            "root_module": {
                "variables": {"token": {"sensitive": True}, "name": {}},
                "module_calls": {
                    "db": {
                        "expressions": {"pass": {"constant_value": "passed-on"}},
                        "module": {"variables": {"pass": {"sensitive": True}}},
                    }
                },
            }
        },
        prior_state={
            "values": {
                "outputs": {"was": {"sensitive": True, "value": "in-state"}},
                "root_module": {"resources": [{"values": {"k": "stored", "p": "q"}, "sensitive_values": {"k": True}}]},
            }
        },
    )
    assert sensitive_values(plan) == {
        *("old-one", "new-one", "in-a-list", "under-a-mark", 12, "an-output"),
        *("a-variable", "passed-on", "in-state", "stored"),
    }
    masked = str(mask_document(plan))
    for secret in ("old-one", "new-one", "in-a-list", "under-a-mark", "an-output", "in-state", "stored"):
        assert secret not in masked
    assert "seen" in masked


def test_a_secret_that_the_apply_will_make_is_announced() -> None:
    made = resource("create", after={}, after_unknown={"result": True}, after_sensitive={"result": True})
    known = resource("create", after={"a": "x"}, after_unknown={"id": True}, after_sensitive={"a": True})
    assert still_unknown(document(made))
    assert not still_unknown(document(known))
    assert still_unknown(document(outputs={"o": {"after_unknown": True, "after_sensitive": True}}))


def test_what_a_plan_marks_is_kept_as_it_was() -> None:
    secrets: dict[str, Json] = {"words": "two words", "number": 12, "ratio": 1.5, "whole": 3.0, "broken": "\ud800"}
    marks: dict[str, Json] = dict.fromkeys(secrets, True)
    marked = Marked.in_plan(document(resource("create", after=secrets, after_sensitive=marks)))
    assert marked.values == {"two words", 12, 1.5, 3.0, "\ud800"}
    assert not marked.more_to_come
    kept = Marked.load(marked.dump())
    assert kept == marked
    assert {type(each) for each in kept.values} == {str, int, float}


def test_which_outputs_will_be_sensitive_is_kept_too_where_the_plan_tells() -> None:
    planned = document() | {"planned_values": {"outputs": {"key": {"sensitive": True}, "id": {"sensitive": False}}}}
    assert Marked.load(Marked.in_plan(planned).dump()).plain_outputs == frozenset({"id"})
    assert Marked.load(Marked.in_plan({**document(), "planned_values": None}).dump()).plain_outputs is None
    assert Marked.load(b'{"values": [], "more_to_come": false}').plain_outputs is None, "kept by an older version"
