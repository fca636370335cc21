"""A pull request from a fork runs a stranger's code: none of it, before somebody with push access has said so."""

from pathlib import Path

import httpx

from local.work_tree import WorkTree
from tests.e2e.pull_requests.change import Change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.small_world import SmallWorld


def test_nothing_of_a_fork_is_evaluated_before_somebody_with_push_access_plans_it(world: SmallWorld) -> None:
    path = "dev/fork/unit"
    ran = world.folder / "fork.ran"
    hcl = f'inputs = {{ value = run_cmd("--terragrunt-quiet", "sh", "-c", "echo x >> {ran}; echo one") }}\n'
    outsider = world.person("outsider")
    url = f"{world.status.github.api_url}/_stand_in/forks"
    fork = httpx.post(url, json={"owner": "outsider"}, timeout=30, trust_env=False)
    assert fork.is_success, fork.text
    tree = WorkTree.clone(str(Path(fork.json()["git_dir"])), world.clone_folder(), "outsider")
    tree.branch("idea")
    for name, text in unit(path, hcl, value=None).items():
        tree.write(name, text)
    tree.commit("an idea")
    tree.push()
    change = Change(world, "outsider", tree, outsider.open_pull_request("outsider:idea"))

    change.wait_said("comes from a fork", "not planned automatically")
    for command in ("plan", "apply", "unlock"):
        assert change.ended(f"terrateam {command}", by="outsider") == "-1"
        change.wait_said(f"outsider may not `{command}`: that takes push access")
    assert not ran.exists()
    assert change.plans() == {}

    change.command("terrateam plan", by="developer")
    change.planned(path)
    assert ran.exists()
    tree.write(f"{path}/README.md", "more\n")
    tree.commit("more")
    runs = len(ran.read_text())
    tree.push()
    change.wait(lambda: change.head == tree.head, "the push")
    assert change.ended("terrateam apply", by="infra-member") == "-1"
    assert len(ran.read_text()) >= runs
    assert world.states.text(path) == "", "nobody has planned what was pushed"
