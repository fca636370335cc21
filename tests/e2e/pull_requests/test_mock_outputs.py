"""Nothing planned from mock outputs is ever applied: Terragrunt by itself would write the mocks into states."""

from tests.e2e.pull_requests.change import open_change
from tests.e2e.pull_requests.live_repository import dependent, unit
from tests.e2e.pull_requests.small_world import SmallWorld


def test_mock_outputs_never_reach_a_state(world: SmallWorld) -> None:
    a, b, c = "dev/trap/a", "dev/trap/b", "dev/trap/c"
    change = open_change(world, "trap", unit(a) | dependent(b, "a") | dependent(c, "b"))
    plans = change.planned(a, b, c)
    assert "**Preview:**" not in plans[a]
    assert "**Preview:** made from mock outputs" in plans[b]
    assert f"planned again after `{a}`" in plans[b]
    assert f"planned again after `{b}`" in plans[c]

    assert change.ended("terrateam apply") == "rocket"
    applies = change.applied(a, b, c)
    assert [world.states.output(each) for each in (a, b, c)] == ["one-a", "one-a-b", "one-a-b-c"]
    assert "MOCK" not in "".join(world.states.text(each) for each in (a, b, c))
    assert "Planned again" not in applies[a]
    assert "Planned again" in applies[b]
    assert "Planned again" in applies[c]
    assert all("**Status:** ✅ Success" in body for body in applies.values())
    assert 'value = "one-a-b-c"' in applies[c]
    assert change.concluded("apply") == "success"


def test_a_unit_whose_dependency_was_never_applied_is_refused(world: SmallWorld) -> None:
    a, b = "dev/alone/a", "dev/alone/b"
    change = open_change(world, "alone", unit(a) | dependent(b, "a"))
    change.planned(a, b)
    assert change.ended(f"terrateam apply {b}") == "confused"
    refusal = change.applied(b)[b]
    assert f"`{a}` has no outputs yet" in refusal
    assert "never applied" in refusal
    assert world.states.text(b) == ""
    assert change.concluded("apply") == "failure"


def test_a_unit_without_mocks_is_deferred_and_then_asks_for_a_yes(world: SmallWorld) -> None:
    a, b = "dev/deferred/a", "dev/deferred/b"
    change = open_change(world, "deferred", unit(a) | dependent(b, "a", mocks=""))
    plans = change.planned(a, b)
    assert "⏳ Deferred" in plans[b]
    assert f"Waits for the first apply of `{a}`" in plans[b]
    assert change.concluded("plan") == "neutral"

    command = change.command("terrateam apply")
    change.wait(lambda: any("one-a" in body for body in change.plans().get(b, [])), "the plan on real outputs")
    assert world.states.text(b) == ""
    change.command("terrateam apply", by="developer")  # may not apply, so it is no yes
    change.command("terrateam apply")
    assert change.end_of(command) == "rocket"
    assert world.states.output(b) == "one-a-b"
