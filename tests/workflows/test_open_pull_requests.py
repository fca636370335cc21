"""Open pull requests are found by the units that they have plans for, and told what concerns them."""

import asyncio

import pytest

from activities.open_pull_requests import OpenPullRequestWorkflows
from docustack.visibility import AND_MORE, UNITS_BYTES, capped_and_marked, open_pull_requests
from tests.workflows.conftest import Stage
from tests.workflows.fakes import REPOSITORY, Unit

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"


async def found(stage: Stage, expected: list[int], *units: str) -> None:
    """Visibility is a moment behind."""
    workflows = OpenPullRequestWorkflows(stage.client)
    ids = [f"pr:{stage.repository.full_name}#{number}" for number in expected]
    async with asyncio.timeout(120):
        while await workflows.find(stage.repository, units or None) != ids:
            await asyncio.sleep(0.1)


async def test_a_pull_request_is_found_by_the_units_that_it_has_plans_for_until_it_is_closed(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.open(1)
    await stage.send("opened", number=1)
    await stage.until_ended(1, 1)
    stage.world.units = {RDS: Unit()}
    stage.world.open(2, head="b" * 40)
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await found(stage, [1], VPC)
    await found(stage, [2], RDS, "dev/us-east-1/other")
    await found(stage, [1, 2])
    await stage.close(1)
    await found(stage, [2])


async def test_a_pull_request_of_more_units_than_can_be_asked_for_is_found_by_each(stage: Stage) -> None:
    stage.world.units = {f"dev/us-east-1/a-unit-with-a-rather-long-name-{number:03}": Unit() for number in range(60)}
    stage.world.open(1)
    await stage.send("opened", number=1)
    await stage.until_ended(1, 1, seconds=60)
    await found(stage, [1], "dev/us-east-1/a-unit-with-a-rather-long-name-059")


@pytest.mark.parametrize("count", [0, 1, 40, 1_000])
def test_units_fit_into_one_attribute_and_what_does_not_is_marked(count: int) -> None:
    units = [f"dev/us-east-1/unit-{number:04}" for number in range(count)]
    fitting = capped_and_marked(units)
    assert len(repr(fitting).encode()) <= UNITS_BYTES + 40
    assert (AND_MORE in fitting) is (len(fitting) - 1 < count and fitting != units)
    assert [unit for unit in fitting if unit != AND_MORE] == units[: len(fitting) - (AND_MORE in fitting)]


def test_names_of_others_stay_values_within_a_question() -> None:
    query = open_pull_requests(REPOSITORY, ["dev/it's"])
    assert query.endswith(f"IN ('dev/it\\'s', '{AND_MORE}')")
