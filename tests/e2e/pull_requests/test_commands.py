"""What people type in comments, and what the engine answers to it, or doesn't."""

import pytest

from local.people import Comment
from tests.e2e.pull_requests.change import BOT, Change, open_change
from tests.e2e.pull_requests.live_repository import CONFIGURATION, unit
from tests.e2e.pull_requests.small_world import SmallWorld


@pytest.fixture(scope="module")
def change(world: SmallWorld) -> Change:
    """A planned pull request that no test of this module applies."""
    change = open_change(world, "commands", unit("dev/commands/one"))
    change.planned("dev/commands/one")
    return change


def test_a_typo_is_answered_with_the_nearest_command(change: Change) -> None:
    command = change.command("terrateam aply")
    change.wait_said("`aply` is not a command", "Did you mean `terrateam apply`?")
    assert change.end_of(command) == "confused"


def test_a_directory_that_is_not_changed_is_answered_with_those_that_are(change: Change) -> None:
    assert change.ended("terrateam plan dev/commands/two") == "-1"
    told = change.wait_said("`dev/commands/two` is no unit of this repository")
    assert "- `dev/commands/one`" in told.replace("\\-", "-")


def test_help_shows_the_commands(change: Change) -> None:
    change.command("terrateam help", by="outsider")
    told = change.wait_said("terrateam plan", "terrateam apply", "terrateam unlock", "terrateam help")
    assert "terrateam apply <dir>" in told.replace("&lt;", "<").replace("&gt;", ">")


def test_what_is_no_command_is_not_answered(change: Change) -> None:
    """Quoted, in a block of code, edited into a comment, or merely talked about."""
    before = len(change.said())
    silent = [
        change.command("> terrateam apply\n\nwhy did you write this?"),
        change.command("```\nterrateam apply\n```"),
        change.command("I would not use terrateam apply here"),
        change.command("looks good"),
    ]
    edited = change.command("to be edited")
    response = change.world.person("infra-member").request(
        "PATCH", f"issues/comments/{edited.id}", {"body": "terrateam apply"}
    )
    assert response.is_success, response.text
    # Events are taken in order: once this one is answered, all before it have been taken.
    marker = change.command("terrateam applx")
    assert change.end_of(marker) == "confused"
    change.wait(lambda: len(change.said()) > before, "the answer to the last one")
    assert len(change.said()) == before + 1
    assert all(not signs(change, comment) for comment in [*silent, edited])
    assert change.applies() == {}


def test_a_command_is_acknowledged_within_a_second_or_two(change: Change) -> None:
    command = change.command("  `Terrateam   PLAN`  \n\nthanks!")
    sign = change.author.wait_for_reaction(command, "eyes", seconds=10)
    assert (sign.created_at - command.created_at).total_seconds() <= 2
    change.planned("dev/commands/one")


def test_a_draft_is_planned_once_it_is_ready(world: SmallWorld) -> None:
    path = "dev/commands/draft"
    change = open_change(world, "draft", unit(path), draft=True)
    change.wait(lambda: change.concluded("plan") is not None, "the check of the draft")
    assert change.concluded("plan") == "action_required"
    assert change.said() == []
    change.author.edit_pull_request(change.number, draft=False)
    change.planned(path)
    assert change.concluded("plan") == "success"


def test_rules_are_those_of_the_base_branch(world: SmallWorld) -> None:
    """A pull request that lets everybody apply is judged by the rules as they are."""
    path = "dev/commands/rules"
    easier = CONFIGURATION.replace("apply: [infra]", "apply: anyone")
    change = open_change(world, "rules", unit(path) | {"docustack.yaml": easier})
    change.planned(path)
    assert change.ended("terrateam apply", by="developer") == "-1"
    change.wait_said("may not apply `dev`")


def test_a_broken_configuration_on_the_base_branch_starts_nothing_and_is_told(world: SmallWorld) -> None:
    admin = world.person("lead")
    tree = admin.clone(world.clone_folder())
    tree.branch("broken-base", "main")
    tree.write("docustack.yaml", CONFIGURATION.replace("apply: [infra]", "aply: [infra]"))
    tree.commit("break the rules")
    tree.push()
    path = "dev/commands/base"
    change = open_change(world, "broken-rules", unit(path), base="broken-base")
    told = change.wait_said("configuration of the base branch is not valid").replace("\\", "")
    assert "docustack.yaml:" in told
    assert "aply" in told
    assert change.concluded("plan") == "action_required"
    assert change.plans() == {}
    assert change.ended("terrateam apply") == "-1"
    assert world.states.text(path) == ""


def signs(change: Change, comment: Comment) -> list[str]:
    return [one.content for one in change.author.reactions(comment) if one.user.login == BOT]
