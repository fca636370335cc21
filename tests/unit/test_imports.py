"""What the plan of an import, or its failure, means for who has ordered it."""

from docustack.import_block import no_object
from docustack.import_plans import import_problem
from docustack.plan_document import Json

UNIT, ADDRESS = "dev/us-east-1/vpc", "module.net.aws_vpc.main"


def managed(**values: Json) -> dict[str, Json]:
    resource: Json = {"address": ADDRESS, "values": values}
    module: Json = {"child_modules": [{"resources": [resource]}]}
    return {"prior_state": {"values": {"root_module": module}}, "resource_changes": [change("no-op")]}


def change(*actions: str, address: str = ADDRESS, imports: bool = False) -> Json:
    importing: dict[str, Json] = {"importing": {"id": "vpc-1"}} if imports else {}
    before: Json = {"tag": "a"}
    after: Json = {"tag": "b"}
    return {"address": address, "change": {"actions": [*actions], "before": before, "after": after, **importing}}


def problem(document: dict[str, Json], resource_id: str = "vpc-1") -> str:
    return import_problem(UNIT, ADDRESS, resource_id, document)


def test_what_the_state_has_already_is_known_by_its_id_or_its_arn() -> None:
    for known in ("vpc-1", "arn:aws:ec2:::vpc/vpc-1"):
        assert problem(managed(id="vpc-1", arn="arn:aws:ec2:::vpc/vpc-1"), known) == ""
    assert "already, as `vpc-1`" in problem(managed(id="vpc-1"), "vpc-2")


def test_an_import_may_change_what_it_takes_in_and_nothing_else() -> None:
    own = change("update", imports=True)
    assert problem({"resource_changes": [own, change("no-op", address="aws_eip.nat")]}) == ""
    beyond = [change("create", address="aws_eip.nat"), change("delete", address="aws_eip.old")]
    told = problem({"resource_changes": [own, *beyond, change("update", address="aws_subnet.a")]})
    assert "create `aws_eip.nat`, and destroy `aws_eip.old`, and change `aws_subnet.a`" in told


def test_a_plan_that_neither_imports_nor_has_it_is_told() -> None:
    assert f"plans no import of `{ADDRESS}`" in problem({"resource_changes": []})


def test_an_id_that_the_provider_does_not_find_is_told_with_its_address() -> None:
    output = (
        "│ Error: Cannot import non-existent remote object\n│ \n│ While attempting to import an existing object to "
        f'"{ADDRESS}", the provider\n│ detected that no object exists with the given id.'
    )
    told = no_object(UNIT, ADDRESS, "vpc-doesnotexist", output)
    assert f"no `vpc-doesnotexist` to be imported as `{ADDRESS}` of `{UNIT}`" in told
    assert no_object(UNIT, ADDRESS, "vpc-1", "│ Error: Unauthorized") == ""
