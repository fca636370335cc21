"""The guide's "Manual Deployment": plan, apply, destroy and the others at a person's terminal, with the real tools."""

from tests.e2e.pull_requests.desk import Desk
from tests.e2e.pull_requests.live_repository import dependent, unit
from tests.e2e.pull_requests.small_world import SmallWorld

VPC, CLUSTER = "dev/manual/vpc", "dev/manual/ecs-cluster"


def test_units_are_planned_and_applied_with_a_yes_that_is_typed(world: SmallWorld) -> None:
    with Desk(world, "infra-member") as desk:
        desk.push({**unit(VPC), **dependent(CLUSTER, "vpc")})

        planned = desk.call("plan", ".", folder=VPC)
        assert planned.returncode == 0, planned.stdout + planned.stderr
        assert "terraform_data.this will be created" in planned.stdout
        assert "+1 ~0 -0" in planned.stdout
        assert world.states.text(VPC) == ""

        terminal = desk.terminal("apply", "manual", folder="dev")
        seen = terminal.until("Enter a value:")
        assert "# terraform_data.this will be created" in seen
        assert "\x1b[32m" in terminal.raw, "what is added is green"
        assert world.states.text(VPC) == ""
        terminal.type("yes")
        assert terminal.end() == 0, terminal.text
        assert f"wave 2 of 2: {CLUSTER}" in terminal.text
        assert "Apply complete! Resources: 1 added" in terminal.text
        assert world.states.output(CLUSTER) == "one-vpc-ecs-cluster"

        again = desk.terminal("apply", VPC)
        assert again.end() == 0, again.text
        assert "Nothing to apply" in again.text
