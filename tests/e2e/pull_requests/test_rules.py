"""Who changes the rules is judged by the rules as they were, and needs a yes of who owns them."""

from tests.e2e.pull_requests.change import open_change
from tests.e2e.pull_requests.live_repository import CONFIGURATION, unit
from tests.e2e.pull_requests.small_world import SmallWorld

UNIT = "dev/rules/own"
NEW = CONFIGURATION.replace("apply: [infra]", "apply: anyone", 1).replace(
    "version: 1\n", "version: 1\nrules_owners: infra\n"
)


def test_a_pull_request_is_never_judged_by_the_rules_that_it_brings(world: SmallWorld) -> None:
    change = open_change(world, "rules-own", {**unit(UNIT), "docustack.yaml": NEW}, author="developer")
    change.planned(UNIT)
    (marked,) = change.saying("## Terrateam Rules")
    assert "| `dev` | `apply` | `infra` | `anyone` |" in marked
    assert "|  | `rules_owners` | `leads` | `infra` |" in marked
    change.wait(lambda: change.concluded("apply") == "action_required", "a check that holds the merge")

    assert change.ended("terrateam apply", by="developer") == "-1"
    assert change.saying("may not apply `dev`", "a member of the `infra` team")

    change.approve("infra-member")
    command = change.command("terrateam apply", by="infra-member")
    change.wait_said("The change of the rules needs 1 approval", "doesn't count")
    assert world.states.text(UNIT) == ""

    change.approve("lead")
    assert change.end_of(command) == "rocket"
    assert world.states.output(UNIT) == "one-own"
    change.wait(lambda: change.concluded("apply") == "success", "a green check")
