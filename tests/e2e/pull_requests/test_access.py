"""The guide's tables "Access Control" and "Approval Requirements", cell by cell, as people meet them."""

import pytest

from local.people import Refused
from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.small_world import SmallWorld

ENVIRONMENTS = ("dev", "staging", "prod", "management")
PEOPLE = ("developer", "infra-member", "lead", "outsider")
PLANS = {
    "dev": {"developer", "infra-member", "lead"},
    "staging": {"developer", "infra-member", "lead"},
    "prod": {"infra-member", "lead"},
    "management": {"infra-member", "lead"},
}
APPLIES = {
    "dev": {"infra-member", "lead"},
    "staging": {"infra-member", "lead"},
    "prod": {"lead"},
    "management": {"lead"},
}
APPROVES = {"dev": None, "staging": "lead", "prod": "lead", "management": "lead"}


def change_in(world: SmallWorld, environment: str, name: str, *, author: str = "developer") -> tuple[Change, str]:
    """A pull request to the environment's own branch with one unit of it."""
    path = f"{environment}/access/{name}"
    base = "staging" if environment == "staging" else "main"
    return open_change(world, f"{environment}-{name}", unit(path), author=author, base=base), path


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_only_who_may_plan_is_answered_with_a_plan(world: SmallWorld, environment: str) -> None:
    change, path = change_in(world, environment, "plan")
    expected = 1 if "developer" in PLANS[environment] else 0
    change.wait(lambda: change.concluded("plan"), "the check of the automatic plan")
    assert plans_ever_made(change, path) == expected, "the automatic plan counts as its author's"
    if not expected:
        told = change.wait_said("The automatic plan counts as the author's").replace("\u200b", "")
        assert f"@developer may not plan `{environment}`" in told
        assert "`terrateam plan` by a member of `infra` plans it" in told
        assert change.concluded("plan") == "action_required"
    for who in PEOPLE:
        command = change.command("terrateam plan", by=who)
        if who in PLANS[environment]:
            expected += 1
            wait_for_plans(change, path, expected)
        else:
            assert change.end_of(command) == "-1"
            refused_with_the_rule(change, "plan", environment, who)
            assert plans_ever_made(change, path) == expected
    change.wait(lambda: change.concluded("plan") == "success", "the check of the last plan")
    assert path in change.plans(), "a refused command leaves the plan that was there"
    assert plans_ever_made(change, path) == expected


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_only_who_may_apply_does_and_only_approved(world: SmallWorld, environment: str) -> None:
    appliers = sorted(APPLIES[environment])
    changes = {who: change_in(world, environment, f"apply-{who}", author="infra-member") for who in appliers}
    for change, path in changes.values():
        change.planned(path)

    refused, untouched = changes[appliers[0]]
    for who in PEOPLE:
        if who not in APPLIES[environment]:
            assert refused.ended("terrateam apply", by=who) == "-1"
            refused_with_the_rule(refused, "apply", environment, who)
    assert world.states.text(untouched) == ""

    commands = {who: changes[who][0].command("terrateam apply", by=who) for who in appliers}
    for who, command in commands.items():
        change, path = changes[who]
        if approver := APPROVES[environment]:
            change.wait_said("Waiting for approval", f"`{environment}` needs 1 approval")
            assert world.states.text(path) == ""
            change.approve(approver)
        assert change.end_of(command) == "rocket", "it goes on by itself"
        assert world.states.output(path) == f"one-apply-{who}"


def refused_with_the_rule(change: Change, action: str, environment: str, who: str) -> None:
    if who == "outsider":
        change.wait_said(f"{who} may not `{action}`: that takes push access to the repository")
    else:
        told = change.wait_said(f"{who} may not {action} `{environment}`")
        assert f"environments.{environment}.{action}" in told


def wait_for_plans(change: Change, path: str, count: int) -> None:
    change.wait(lambda: plans_ever_made(change, path) == count, f"{count} plans of {path}")


def plans_ever_made(change: Change, path: str) -> int:
    """The outdated ones too."""
    return len(change.saying("## Terrateam Plan", f"**Directory:** `{path}`"))


def test_an_approval_of_the_wrong_team_or_of_the_author_or_of_an_old_commit_does_not_count(world: SmallWorld) -> None:
    change, path = change_in(world, "prod", "wrong", author="infra-member")
    change.planned(path)
    with pytest.raises(Refused):
        change.approve("infra-member")  # GitHub itself refuses the author
    change.approve("developer")
    change.approve("lead")
    change.push(unit(path, value="two"))
    change.wait(lambda: any("two" in body for body in change.plans().get(path, [])), "the plan of the new commit")
    command = change.command("terrateam apply", by="lead")
    told = change.wait_said("Waiting for approval").replace("\u200b", "")
    assert "@developer" in told
    assert "is not a member of the `leads` team" in told
    assert "@lead" in told
    assert "but the head is now" in told
    assert world.states.text(path) == ""
    check = change.check("apply")
    assert check is not None
    assert (check.status, check.output.title) == ("in_progress", "Waiting for approval")
    change.approve("lead")
    assert change.end_of(command) == "rocket"
    assert world.states.output(path) == "two-wrong"


def test_a_push_while_the_apply_waits_ends_the_wait(world: SmallWorld) -> None:
    change, path = change_in(world, "staging", "moved")
    change.planned(path)
    old = change.head
    command = change.command("terrateam apply")
    change.wait_said("Waiting for approval")
    change.push(unit(path, value="two"))
    assert change.end_of(command) == "-1"
    change.wait_said("no longer the head of this pull request")
    assert change.concluded("apply", old) == "cancelled"
    change.wait(lambda: any("two" in body for body in change.plans().get(path, [])), "the plan of the new commit")
    change.approve("infra-member")
    assert world.states.text(path) == "", "the old command is over: an approval alone applies nothing"
    assert change.ended("terrateam apply") == "rocket"
    assert world.states.output(path) == "two-moved"


def test_an_environment_is_applied_only_from_its_own_branch(world: SmallWorld) -> None:
    path = "staging/access/branch"
    change = open_change(world, "staging-to-main", unit(path))
    change.planned(path)
    change.approve("infra-member")
    assert change.ended("terrateam apply") == "-1"
    told = change.wait_said("this one is to `main`")
    assert "`staging` is applied only from pull requests to `staging`" in told
    assert world.states.text(path) == ""
