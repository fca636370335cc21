"""What is told of a unit's outputs: never the value of one that is sensitive."""

import pytest

from docustack.unit_outputs import UnitOutputs, no_outputs, outputs_text, read_outputs


def test_a_sensitive_value_is_left_where_it_is() -> None:
    found = read_outputs(
        {
            "vpc_id": {"sensitive": False, "type": "string", "value": "vpc-1"},
            "password": {"sensitive": True, "type": "string", "value": "hunter2"},
            "subnets": {"sensitive": False, "type": ["list", "string"], "value": ["a", "b"]},
        }
    )
    assert "hunter2" not in found.model_dump_json()
    assert outputs_text(found) == 'password = (sensitive value)\nsubnets = [\n  "a",\n  "b"\n]\nvpc_id = "vpc-1"'


def test_what_does_not_say_that_it_is_harmless_counts_as_sensitive() -> None:
    assert "hunter2" not in read_outputs({"odd": {"value": "hunter2"}}).model_dump_json()


def test_a_unit_without_outputs_has_none() -> None:
    assert read_outputs({}) == UnitOutputs()


@pytest.mark.parametrize("document", [[], "x", None, {"a": 1}])
def test_what_are_no_outputs_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="outputs"):
        read_outputs(document)  # type: ignore[arg-type]


def test_a_unit_without_outputs_is_told_with_the_command_that_applies_it() -> None:
    assert no_outputs("dev/vpc") == "`dev/vpc` has no outputs. If it was never applied: `docustack apply dev/vpc`."
