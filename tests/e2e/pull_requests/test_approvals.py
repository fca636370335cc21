"""Approving from a terminal: a lead's yes lets the apply go on, and whoever else tries is told why it doesn't count."""

import json
import re
import subprocess

from local.places import tool
from tests.e2e.pull_requests.small_world import SmallWorld
from tests.e2e.pull_requests.test_access import change_in


def test_an_apply_is_approved_by_the_command_line_and_not_by_a_bare_signal(world: SmallWorld) -> None:
    change, path = change_in(world, "prod", "terminal", author="infra-member")
    change.planned(path)
    command = change.command("terrateam apply", by="lead")
    named = re.search(r"`docustack approve (\w+)`", change.wait_said("Waiting for approval"))
    assert named is not None
    run_id = named[1]

    signal(world, run_id, '{"actor": "lead"}')
    change.wait_said("which claims to be of `lead`", "nobody has verified who did")
    for login, told in (("developer", "is not a member of the `leads` team"), ("infra-member", "is the author")):
        refused = world.docustack("approve", run_id[:8], login=login)
        assert refused.returncode == 1, refused.stderr
        assert told in " ".join(refused.stderr.split())
    assert world.states.text(path) == ""

    approved = world.docustack("approve", run_id[:8], "--json", login="lead")
    assert approved.returncode == 0, approved.stderr
    assert json.loads(approved.stdout)["accepted"] is True
    assert change.end_of(command) == "rocket"
    assert world.states.output(path) == "one-terminal"
    change.wait_said("`approve` of `lead` through the server")


def signal(world: SmallWorld, run_id: str, content: str) -> None:
    """As an operator would, with Temporal's own command."""
    temporal = tool("temporal")
    assert temporal is not None
    address = world.status.temporal.address
    arguments = ["workflow", "signal", "--workflow-id", f"run:{run_id}", "--name", "approve", "--input", content]
    subprocess.run([str(temporal), *arguments, "--address", address], check=True, capture_output=True, timeout=30)
