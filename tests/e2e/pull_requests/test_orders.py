"""The guide's "Manual Deployment": plan, apply, destroy and the others at a person's terminal, with the real tools."""

import json

from tests.e2e.pull_requests.change import open_change
from tests.e2e.pull_requests.desk import Desk
from tests.e2e.pull_requests.live_repository import dependent, unit
from tests.e2e.pull_requests.slow_unit import SlowUnit
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

        given = desk.call("output", "dev/manual", "--json")
        assert json.loads(given.stdout)["units"] == {
            VPC: {"value": {"sensitive": False, "value": "one-vpc"}},
            CLUSTER: {"value": {"sensitive": False, "value": "one-vpc-ecs-cluster"}},
        }, given.stderr
        assert desk.call("output", ".", folder=VPC).stdout == 'value = "one-vpc"\n'

        again = desk.terminal("apply", VPC)
        assert again.end() == 0, again.text
        assert "Nothing to apply" in again.text
        refreshed = desk.terminal("refresh", CLUSTER)
        assert refreshed.end() == 0, refreshed.text
        assert "Nothing to refresh" in refreshed.text

        targeted = desk.call("plan", VPC, "-target=terraform_data.thus", "--json")
        assert targeted.returncode == 1
        assert "may not be all that the configuration asks for" in targeted.stderr
        started, *_, end = map(json.loads, targeted.stdout.splitlines())
        assert (started["kind"], end["kind"]) == ("started", "end")
        assert "Did you mean `terraform_data.this`?" in json.dumps(end)


def test_what_lies_uncommitted_in_a_clone_is_planned_and_applied_where_the_rules_say_so(world: SmallWorld) -> None:
    path, prod = "dev/uncommitted/one", "prod/uncommitted/one"
    with Desk(world, "infra-member") as desk:
        desk.push({**unit(path), **unit(prod)})
        for name, text in unit(path, value="not-pushed").items():
            desk.tree.write(name, text)
        answer = desk.call("plan", path, "--working-copy")
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert f"Sends 1 uncommitted file(s) on {desk.tree.head[:7]}: {path}/terragrunt.hcl" in answer.stderr
        assert '= "not-pushed"' in answer.stdout
        assert '= "one"' in desk.call("plan", path).stdout
        assert world.states.text(path) == ""

        applies = desk.terminal("apply", path, "--working-copy")
        assert '"not-pushed"' in applies.until("Enter a value:")
        applies.type("yes")
        assert applies.end() == 0, applies.text
        assert world.states.output(path) == "not-pushed-one"
        assert not world.states.is_locked(path)
        assert '"not-pushed" -> "one"' in desk.call("plan", path).stdout, "the branch has something else"
    with Desk(world, "lead") as other:
        other.tree.write(f"{prod}/main.tf", "")
        refused = other.call("apply", prod, "--working-copy", "--auto-approve")
        assert (refused.returncode, "apply_working_copies" in refused.stdout) == (1, True), refused.stdout


def test_what_is_wrong_is_told_before_anything_starts(world: SmallWorld) -> None:
    with Desk(world, "infra-member") as desk:
        desk.push(unit("dev/wrong/one"))
        for arguments, code, told in (
            (("apply", "dev/wrong/one"), 2, "there is no terminal to ask at"),
            (("destroy", "dev/wrong/one", "--auto-approve"), 2, "--confirm-path dev/wrong/one"),
            (("plan", "dev/wrong/on"), 4, "Did you mean dev/wrong/one"),
            (("plan", ".."), 2, "lies outside of the repository"),
            (("plan", "dev/wrong/one", "-var", "value=two"), 2, "takes no variables"),
            (("import", "dev/wrong/one", "this", "x"), 2, "no address of a resource"),
        ):
            answer = desk.call(*arguments)
            assert (answer.returncode, told in answer.stderr) == (code, True), (arguments, answer.stderr)
        runs = desk.call("runs", "list", "--json", "--unit", "dev/wrong/one")
        assert json.loads(runs.stdout)["runs"] == []


def test_who_may_not_is_refused_by_the_engine(world: SmallWorld) -> None:
    path = "dev/refused/one"
    with Desk(world, "developer") as desk:
        desk.push(unit(path))
        answer = desk.call("apply", path, "--auto-approve")
        assert answer.returncode == 1, answer.stdout + answer.stderr
        assert "@developer may not apply `dev`" in answer.stdout
        assert world.states.text(path) == ""
    with Desk(world, "outsider") as desk:
        answer = desk.call("plan", path)
        assert (answer.returncode, "@outsider can't push" in answer.stderr) == (1, True)


def test_a_destruction_takes_the_path_typed_again(world: SmallWorld) -> None:
    path = "dev/destroyed/one"
    with Desk(world, "infra-member") as desk:
        desk.push(unit(path))
        applied = desk.call("apply", path, "--auto-approve")
        assert applied.returncode == 0, applied.stdout + applied.stderr

        wrong = desk.terminal("destroy", "one", folder="dev/destroyed")
        assert "terraform_data.this will be destroyed" in wrong.until("Enter the path again:")
        wrong.type("yes")
        assert wrong.end() == 1
        assert "cancelled by @infra-member" in wrong.text
        assert world.states.output(path) == "one-one"

        right = desk.terminal("destroy", path)
        right.until("Enter the path again:")
        right.type(path)
        assert right.end() == 0, right.text
        assert world.states.output(path) is None


def test_a_destruction_in_production_waits_for_a_lead_who_has_not_ordered_it(world: SmallWorld) -> None:
    path = "prod/destroyed/one"
    change = open_change(world, "to-be-destroyed", unit(path), author="infra-member")
    change.planned(path)
    change.approve("lead")
    assert change.ended("terrateam apply", by="lead") == "rocket"
    change.merge()
    with Desk(world, "infra-member") as desk:
        refused = desk.call("destroy", path, "--auto-approve", "--confirm-path", path)
        assert (refused.returncode, "may not apply `prod`" in refused.stdout) == (1, True), refused.stdout
    with Desk(world, "lead") as desk:
        terminal = desk.terminal("destroy", path)
        terminal.until("Enter the path again:")
        terminal.type(path)
        seen = terminal.until("goes on once it has all")
        assert "`prod` needs 1 approval from a member of the `leads` team" in seen
        assert f"docustack approve {terminal.run_id}" in terminal.until("docustack approve")
        own = desk.call("approve", terminal.run_id, "--yes")
        assert "terraform_data.this will be destroyed" in own.stderr, "who is asked reads the whole plan"
        assert world.states.output(path) == "one-one", "nobody's own yes is somebody else's: " + own.stdout
        with Desk(world, "infra-member") as infra:
            no = infra.call("approve", terminal.run_id, "--yes")
            assert no.returncode == 1, no.stdout
            assert world.states.output(path) == "one-one", "nor is anybody's who is no lead"
        with Desk(world, "second-lead") as second:
            approved = second.call("approve", terminal.run_id, "--yes")
            assert approved.returncode == 0, approved.stdout + approved.stderr
        assert terminal.end() == 0, terminal.text
        assert path not in desk.call("locks", "list", "--json").stdout
    assert world.states.output(path) is None


def test_a_terminal_can_be_left_and_come_back_to_and_a_second_run_waits_in_line(world: SmallWorld) -> None:
    slow = SlowUnit(world, "slow", folder="dev/left")
    with Desk(world, "infra-member") as desk:
        desk.push(slow.files)
        first = desk.terminal("apply", slow.path, "--auto-approve")
        slow.begun()
        first.until("terraform_data.this: Creating...")
        first.interrupt()
        assert first.end() == 130, first.text
        assert f"docustack runs watch {first.run_id}" in first.text

        with Desk(world, "lead") as other:
            second = other.terminal("apply", slow.path, "--auto-approve")
            assert f"run {first.run_id}" in second.until("waiting-in-line"), "who holds it is told"

            again = desk.terminal("runs", "watch", first.run_id)
            again.until("terraform_data.this: Creating...")
            slow.let_go()
            assert again.end() == 0, again.text
            assert second.end() == 0, second.text
    slow.applied_exactly_once()


def test_what_exists_is_imported_after_the_plan_was_shown(world: SmallWorld) -> None:
    path = "dev/imported/one"
    with Desk(world, "infra-member") as desk:
        desk.push(unit(path))
        terminal = desk.terminal("import", ".", "terraform_data.this", "made-by-hand", folder=path)
        assert "made-by-hand" in terminal.until("Enter a value:")
        assert world.states.text(path) == ""
        terminal.type("yes")
        assert terminal.end() == 0, terminal.text
        assert '"made-by-hand"' in world.states.text(path)
        before = world.states.text(path)
        desk.push(unit(path, value="changed"))
        over = desk.call("import", path, "terraform_data.this", "another", "--auto-approve")
        assert (over.returncode, "already, as `made-by-hand`" in over.stdout) == (1, True), over.stdout
        same = desk.call("import", path, "terraform_data.this", "made-by-hand", "--auto-approve")
        assert (same.returncode, "Nothing to import" in same.stdout) == (0, True), same.stdout
        assert world.states.text(path) == before, "what else has changed there is not applied"


def test_a_cancelled_run_finishes_what_terraform_has_in_hand(world: SmallWorld) -> None:
    slow = SlowUnit(world, "slow", folder="dev/cancelled")
    with Desk(world, "infra-member") as desk, Desk(world, "developer") as other:
        desk.push(slow.files)
        terminal = desk.terminal("apply", slow.path, "--auto-approve")
        slow.begun()
        refused = other.call("runs", "cancel", terminal.run_id)
        assert (refused.returncode, "may not cancel it" in refused.stderr) == (1, True), refused.stderr
        assert desk.call("runs", "cancel", terminal.run_id, "--reason", "the wrong one").returncode == 0
        assert terminal.end() == 1, terminal.text
        assert "cancelled" in terminal.text
        assert not world.states.is_locked(slow.path)
        free = desk.call("locks", "list", "--json")
        assert slow.path not in free.stdout, "nobody is left to hold it for"
