"""A unit that fails stops those that depend on it and no others; its plan is never applied a second time."""

from tests.e2e.pull_requests.change import open_change
from tests.e2e.pull_requests.live_repository import MODULE, dependent, provisioned, unit
from tests.e2e.pull_requests.small_world import SmallWorld


def test_dependants_of_a_failed_apply_are_skipped_and_the_others_are_applied(world: SmallWorld) -> None:
    a, b, c, d = (f"dev/fails/{name}" for name in "abcd")
    begun = world.folder / "fails.begun"
    failing = provisioned(f"echo begun >> {begun}; echo 'the disk is full' >&2; exit 3")
    files = unit(a) | dependent(b, "a", module=failing) | dependent(c, "b") | unit(d)
    change = open_change(world, "fails", files)
    change.planned(a, b, c, d)

    assert change.ended("terrateam apply") == "confused"
    applies = change.applied(a, b, c, d)
    assert "**Status:** ✅ Success" in applies[a]
    assert "**Status:** ❌ Failed" in applies[b]
    assert "the disk is full" in applies[b]
    assert "**What to do:**" in applies[b]
    assert "**Status:** ⏭️ Skipped" in applies[c]
    assert f"depends on `{b}`" in applies[c]
    assert "**Status:** ✅ Success" in applies[d]
    assert world.states.output(d) == "one-d"
    assert world.states.text(c) == ""
    check = change.check("apply")
    assert check is not None
    assert check.conclusion == "failure"
    assert b in str(check.output.summary)
    assert any(text.startswith(f"Apply failed: {b}") for text in world.slack.texts())

    # Again, with nothing mended: the spent plan is not applied. A new one replaces what was left half made, which
    # nobody has approved yet; with a yes of its own it is applied, and fails as the first did.
    again = change.command("terrateam apply")
    change.wait_said("the new plan does more than was approved", "replace `terraform_data.this`")
    assert begun.read_text().split() == ["begun"]
    change.command("terrateam apply")
    assert change.end_of(again) == "confused"
    change.wait(lambda: len(change.applies()[b]) == 2, "the second failure")
    assert begun.read_text().split() == ["begun", "begun"]
    assert len(change.applies()[a]) == 1, "what is applied is left alone"

    change.push({f"{b}/main.tf": MODULE.replace("NAME", "b")}, "fix: less disk")
    change.planned(b, c)
    assert change.ended("terrateam apply") == "rocket"
    change.wait(lambda: len(change.applies()[c]) >= 2, "the apply of what was skipped")
    assert world.states.output(c) == "one-a-b-c"
    assert change.concluded("apply") == "success"
    assert begun.read_text().split() == ["begun", "begun"]


def test_a_unit_that_can_not_be_planned_fails_alone_with_file_and_line(world: SmallWorld) -> None:
    good, bad, broken = "dev/broken/good", "dev/broken/module", "dev/broken/hcl"
    files = unit(good) | unit(bad, module=MODULE + "\nresource {\n") | unit(broken)
    files[f"{broken}/terragrunt.hcl"] += "\ninputs = { value = local.nothing }\n"
    change = open_change(world, "broken", files)
    plans = change.planned(good, bad, broken)
    assert "Plan: 1 to add" in plans[good]
    for failed, file in ((bad, "main.tf"), (broken, "terragrunt.hcl")):
        assert "**Status:** ❌ Failed" in plans[failed]
        assert file in plans[failed]
        assert "line " in plans[failed] or f"{file}:" in plans[failed]
    assert change.concluded("plan") == "failure"
    assert change.ended(f"terrateam apply {good}") == "rocket"
    assert world.states.output(good) == "one-good"
