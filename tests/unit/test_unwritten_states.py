"""Whether a state that Terraform could not write may be written now."""

import json

import pytest

from docustack.state_document import StateFacts, state_facts
from docustack.unwritten_states import Standing, standing


def state(serial: int, lineage: str = "one", value: str = "kept") -> StateFacts:
    document = {"version": 4, "serial": serial, "lineage": lineage, "outputs": {"value": {"value": value}}}
    return state_facts(json.dumps(document))


NOTHING = state_facts("")


@pytest.mark.parametrize(
    "present, expected",
    [
        (NOTHING, Standing.MISSING),  # the first apply, or a bucket that was made anew
        (state(4, value="before"), Standing.MISSING),
        (state(5), Standing.WRITTEN),
        (state(1, lineage="new"), Standing.WRITTEN),  # pushed into an empty place, Terraform calls it another
        (state(5, value="of somebody else"), Standing.OVERTAKEN),
        (state(9, value="of somebody else"), Standing.OVERTAKEN),
        (state(4, lineage="another", value="of somebody else"), Standing.OVERTAKEN),
    ],
)
def test_it_is_written_over_nothing_and_over_what_it_has_grown_from(present: StateFacts, expected: Standing) -> None:
    assert standing(state(5), present, same_place=True) is expected


def test_a_state_that_is_not_whole_or_of_another_place_is_left_to_a_person() -> None:
    assert standing(None, NOTHING, same_place=True) is Standing.OVERTAKEN
    assert standing(state(5), NOTHING, same_place=False) is Standing.OVERTAKEN
