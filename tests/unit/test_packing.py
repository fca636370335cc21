"""Long lists travel packed, and nobody who reads them sees a difference."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from docustack.packing import PACKED_ABOVE, Packed

LIST: TypeAdapter[tuple[str, ...]] = TypeAdapter(Packed[tuple[str, ...]])
TABLE: TypeAdapter[dict[str, str]] = TypeAdapter(Packed[dict[str, str]])
LONG = tuple(f"dev/us-east-1/unit-{index}" for index in range(10_000))


def test_a_short_list_is_readable() -> None:
    assert LIST.dump_json(("a", "ü")) == '["a","ü"]'.encode()


def test_a_long_list_is_packed_much_smaller_and_read_again() -> None:
    packed = LIST.dump_json(LONG)
    assert json.loads(packed).keys() == {"packed"}
    assert len(packed) < PACKED_ABOVE
    assert LIST.validate_json(packed) == LONG


def test_a_long_list_that_was_written_plain_is_read_too() -> None:
    assert LIST.validate_json(json.dumps(LONG)) == LONG


def test_python_values_are_not_packed() -> None:
    assert LIST.dump_python(LONG) == LONG
    assert LIST.validate_python(LONG) == LONG


def test_a_table_with_a_key_of_that_name_is_a_table() -> None:
    assert TypeAdapter(Packed[dict[str, list[str]]]).validate_python({"packed": ["x"]}) == {"packed": ["x"]}


@pytest.mark.parametrize("broken", ["", "not base64!", "YWJj"])
def test_what_is_no_packed_value_is_refused_as_wrong_input(broken: str) -> None:
    with pytest.raises(ValidationError):
        LIST.validate_python({"packed": broken})


def test_what_was_packed_is_checked_like_any_other_input() -> None:
    with pytest.raises(ValidationError):
        TABLE.validate_json(LIST.dump_json(LONG))
