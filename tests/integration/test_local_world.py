"""The local world as a whole: real processes, brought up, broken, repaired and taken down by its command line."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from local import processes
from local.doors import Doors
from local.live_repository import git
from local.parts import PARTS, mark
from local.places import Places
from local.state import WorldState
from local.waiting import wait_for
from local.world import World

pytestmark = pytest.mark.timeout(600)

DOCUSTACK = [sys.executable, "-m", "starter.cli", "local"]
ROOT = Path(__file__).parents[2]
CONFIGURATION = """
version: 1
repository: acme/live
environments:
  dev: {path: dev, account_id: "111111111111", plan: anyone, apply: [infra]}
teams: {infra: infra, leads: leads}
state: {bucket: "acme-{account_id}", lock_table: acme-locks}
slack: {channel: "#acme"}
"""


@dataclass
class Done:
    code: int
    output: str
    errors: str


def local(*arguments: str, data_dir: Path, **settings: str) -> Done:
    """One call of `docustack local`."""
    done = subprocess.run(
        [*DOCUSTACK, *arguments, "--data-dir", str(data_dir)],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def up(data_dir: Path, *arguments: str) -> Done:
    done = local("up", "--detach", *arguments, data_dir=data_dir)
    assert done.code == 0, done.errors
    return done


def lives(pid: int) -> bool:
    """A zombie that nobody has fetched yet doesn't."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def remembered(data_dir: Path) -> WorldState:
    return WorldState.model_validate_json((data_dir / "world.json").read_text())


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live repository with two commits, and `staging` on the first."""
    folder = tmp_path_factory.mktemp("acme")
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "docustack.yaml").write_text(CONFIGURATION)
    (folder / "dev").mkdir()
    (folder / "dev" / "README.md").write_text("dev\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "branch", "staging")
    git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    return folder


@pytest.fixture(scope="module")
def data_dir(live: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A world that is up."""
    folder = tmp_path_factory.mktemp("world") / "data"
    up(folder, "--live-repository", str(live))
    yield folder
    World(folder).down()


@pytest.fixture
def doors(data_dir: Path) -> Doors:
    """The world with all of its parts, whatever the test before has done."""
    world = World(data_dir)
    world.up()
    return Doors(world)


def test_status_without_a_world_says_how_to_get_one(tmp_path: Path) -> None:
    done = local("status", "--json", data_dir=tmp_path)
    assert (done.code, done.output) == (4, "")
    assert "docustack local up" in done.errors


def test_status_is_the_documented_contract(doors: Doors, data_dir: Path) -> None:
    status = json.loads(local("status", "--json", data_dir=data_dir).output)
    assert {key: set(value) if isinstance(value, dict) else None for key, value in status.items()} == {
        "temporal": {"address", "namespace", "ui_url"},
        "webhook": {"url", "secret"},
        "github": {"url", "api_url", "owner", "repository", "tokens"},
        "git": {"url"},
        "slack": {"url", "channel"},
        "aws": {"endpoint_url", "region"},
        "processes": set(PARTS),
        "data_dir": None,
    }
    assert status["data_dir"] == str(data_dir)
    leads, others = {"lead", "second-lead"}, {"developer", "infra-member", "security-reviewer", "outsider"}
    assert set(status["github"]["tokens"]) == leads | others
    assert (status["github"]["owner"], status["github"]["repository"]) == ("acme", "live")
    assert status["slack"]["channel"] == "#acme"
    for url in (status["github"]["url"], status["slack"]["url"], status["temporal"]["ui_url"]):
        assert httpx.get(url, follow_redirects=True, trust_env=False).is_success, url


def test_each_process_id_is_that_of_the_part_itself(doors: Doors) -> None:
    words = {"temporal": "start-dev", "moto": "moto.server", "github": "local.github", "slack": "local.slack"}
    words |= {"worker": "worker", "server": "serve"}
    for name, pid in doors.status.processes.items():
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        assert words[name] in command
        assert os.getsid(pid) == pid


def test_secrets_are_readable_by_their_owner_only_and_on_no_command_line(doors: Doors, data_dir: Path) -> None:
    state = remembered(data_dir)
    assert (data_dir / "world.json").stat().st_mode & 0o077 == 0
    secrets = [state.webhook_secret, state.artifact_key, *doors.status.github.tokens.values()]
    for pid in doors.status.processes.values():
        command = Path(f"/proc/{pid}/cmdline").read_text()
        assert not [secret for secret in secrets if secret in command]


def test_head_of_the_live_repository_is_main_and_its_staging_stays(doors: Doors, live: Path) -> None:
    bare = Path(doors.status.git.url)
    assert git(bare, "rev-parse", "main") == git(live, "rev-parse", "HEAD")
    assert git(bare, "rev-parse", "staging") == git(live, "rev-parse", "staging")


def test_state_backend_is_that_of_the_live_repository(doors: Doors) -> None:
    assert [bucket["Name"] for bucket in doors.aws("s3").list_buckets()["Buckets"]] == ["acme-111111111111"]
    assert doors.aws("dynamodb").list_tables()["TableNames"] == ["acme-locks"]


def test_worker_polls_the_queues_of_the_live_repositorys_environments(doors: Doors) -> None:
    log = doors.world.places.log("worker").read_text()
    assert "Working for docustack, dev on host" in log


def test_up_again_changes_nothing_and_shows_where(doors: Doors, data_dir: Path) -> None:
    before = doors.status
    again = up(data_dir)
    assert "up already" in again.errors
    assert before.github.url in again.output
    assert doors.status == before


@pytest.mark.parametrize("name", PARTS)
def test_killed_part_starts_again_at_its_address_on_its_data(name: str, doors: Doors, data_dir: Path) -> None:
    tree = doors.clone("developer", data_dir.parent / f"clone-{name}")
    tree.branch(f"feature/{name}")
    tree.write("dev/README.md", f"{name}\n")
    tree.commit("change")
    tree.push()
    number = doors.person("developer").open_pull_request(f"feature/{name}").number
    before, workflow = doors.status, f"pr:acme/live#{number}"
    doors.person("developer").wait_for_check(tree.head, "docustack/plan")  # no activity is lost with the worker
    os.kill(before.processes[name], signal.SIGKILL)
    wait_for(lambda: doors.world.missing() == [name], "the end of the killed part", 120)

    doors.world.restart(name)

    after = doors.status
    assert after.processes[name] != before.processes[name]
    assert after.model_copy(update={"processes": before.processes}) == before
    assert doors.person("developer").pull_request(number).commit == tree.head
    assert workflow in [one.id for one in doors.histories.workflows()]
    question = doors.person("developer").comment(number, "terrateam help")
    doors.person("developer").wait_for_reaction(question, "eyes")
    assert doors.aws("dynamodb").list_tables()["TableNames"] == ["acme-locks"]


def test_restart_of_what_runs_stops_it_first(doors: Doors, data_dir: Path) -> None:
    before = doors.status.processes
    assert local("restart", "slack", data_dir=data_dir).code == 0
    after = doors.status.processes
    assert [name for name in PARTS if before[name] != after[name]] == ["slack"]
    assert not lives(before["slack"])


def test_restart_of_aws_says_that_it_starts_empty(doors: Doors, data_dir: Path) -> None:
    doors.aws("s3").create_bucket(Bucket="somebody")
    assert "empty" in local("restart", "moto", data_dir=data_dir).errors
    assert [bucket["Name"] for bucket in doors.aws("s3").list_buckets()["Buckets"]] == ["acme-111111111111"]


def test_restart_of_an_unknown_part_names_those_there_are(doors: Doors, data_dir: Path) -> None:
    done = local("restart", "postgres", data_dir=data_dir)
    assert done.code == 2
    assert all(name in done.errors for name in PARTS)


def test_another_live_repository_is_refused_while_the_world_is_up(doors: Doors, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "docustack.yaml").write_text(CONFIGURATION)
    done = local("up", "--detach", "--live-repository", str(tmp_path), data_dir=data_dir)
    assert done.code == 1
    assert "another live repository" in done.errors
    assert set(doors.status.processes) == set(PARTS)


def test_another_number_of_workers_is_refused_while_the_world_is_up(doors: Doors, data_dir: Path) -> None:
    done = local("up", "--detach", "--workers", "2", data_dir=data_dir)
    assert done.code == 1
    assert "another number of workers" in done.errors
    assert set(doors.status.processes) == set(PARTS)


def forgetful_terragrunt(folder: Path) -> Path:
    """It says its version once, and then never again: what starts with it fails."""
    return executable(
        folder / "terragrunt",
        f"""[ -e {folder}/asked ] && {{ echo no such thing; exit 0; }}
touch {folder}/asked
echo terragrunt version v1.1.3""",
    )


def executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_what_is_no_terragrunt_is_told_before_anything_starts(live: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    for path, told in (
        (
            executable(tmp_path / "other", "echo GNU true; echo more"),
            "is no Terragrunt: asked for its version, it says 'GNU true'",
        ),
        (tmp_path / "plain", "is not executable"),
        (tmp_path / "nowhere", "There is no Terragrunt at"),
    ):
        chosen = ("--live-repository", str(live), "--terragrunt", str(path))
        done = local("up", "--detach", *chosen, data_dir=tmp_path / "data")
        assert done.code == 1
        assert told in " ".join(done.errors.split())
        assert not (tmp_path / "data" / "logs" / "temporal.log").exists()


def test_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = local("up", "--detach", data_dir=tmp_path / "file" / "data")
    assert done.code == 1
    assert "can't be made" in done.errors


def test_part_that_cannot_start_ends_the_whole_with_the_end_of_its_log(live: Path, tmp_path: Path) -> None:
    chosen = ("--live-repository", str(live), "--terragrunt", str(forgetful_terragrunt(tmp_path)))
    done = local("up", "--detach", *chosen, data_dir=tmp_path / "data")
    assert done.code == 1
    assert "worker has ended by itself" in done.errors
    assert str(tmp_path / "data" / "logs" / "worker.log") in done.errors
    assert "no such thing" in done.errors
    assert local("status", data_dir=tmp_path / "data").code == 4
    assert processes.end_marked(mark(Places(tmp_path / "data")), 0) == 0


def test_life_of_a_world_beside_another_one(doors: Doors, live: Path, tmp_path: Path) -> None:
    """Up in the foreground, Ctrl-C, up again on other ports where one is taken, crashed, healed, down."""
    data_dir = tmp_path / "data"
    wrapped = executable(tmp_path / "mine", f'echo called >>{tmp_path}/calls; exec terragrunt "$@"')
    command = [
        *DOCUSTACK,
        "up",
        "--data-dir",
        str(data_dir),
        "--live-repository",
        str(live),
        "--terragrunt",
        str(wrapped),
        "--workers",
        "2",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as terminal:
        assert terminal.stdout is not None
        assert terminal.stderr is not None
        assert "GitHub" in terminal.stdout.readline()
        second = World(data_dir)
        first_status, status = doors.status, second.status()
        assert set(status.processes) == {*PARTS, "worker-2"}
        assert {status.github.url, status.temporal.address}.isdisjoint(
            {first_status.github.url, first_status.temporal.address}
        )
        assert status.github.tokens.keys() == first_status.github.tokens.keys()
        assert status.github.tokens != first_status.github.tokens

        assert len((tmp_path / "calls").read_text().split()) >= 2, "asked by us, and used by the worker"
        second.kill("slack")
        said = iter(terminal.stderr.readline, "")
        assert any("slack has ended" in line for line in said)

        terminal.send_signal(signal.SIGINT)
        rest = terminal.stderr.read()
        assert terminal.wait() == 0, rest
    assert not [name for name, pid in status.processes.items() if lives(pid)]
    assert local("status", "--json", data_dir=data_dir).code == 4

    with socket.create_server(("127.0.0.1", remembered(data_dir).ports["github"])):
        up(data_dir)
    again = second.status()
    assert again.github.url != status.github.url
    assert again.temporal == status.temporal
    assert again.github.tokens == status.github.tokens

    for name in second.part_names():
        second.kill(name)
    up(data_dir)
    healed = second.status()
    assert set(healed.processes) == {*PARTS, "worker-2"}
    assert healed.github == again.github

    assert "Down." in local("down", data_dir=data_dir).errors
    assert "Nothing" in local("down", data_dir=data_dir).errors
    assert doors.status == first_status


def test_down_ends_what_outlives_its_worker(live: Path, tmp_path: Path) -> None:
    world = World(tmp_path / "data")
    world.up(source=live)
    name, _, value = mark(world.places).partition("=")
    outliving = subprocess.Popen(["sleep", "600"], env=os.environ | {name: value}, start_new_session=True)
    stranger = subprocess.Popen(["sleep", "600"], env=os.environ | {name: f"{value}-2"}, start_new_session=True)
    try:
        assert world.down()
        assert outliving.wait(timeout=120) == -signal.SIGTERM
        assert stranger.poll() is None
    finally:
        stranger.kill()
        outliving.kill()
        stranger.wait()


def test_unknown_scenario_is_told_with_those_there_are(tmp_path: Path) -> None:
    done = local("demo", "no-such-thing", data_dir=tmp_path / "data")
    assert done.code == 2
    assert "no-such-thing" in done.errors
    assert "new-service" in done.errors
    assert not (tmp_path / "data").exists()


def test_demo_that_cannot_begin_fails_and_says_where_to_look(tmp_path: Path) -> None:
    done = local("demo", "--terragrunt", str(forgetful_terragrunt(tmp_path)), data_dir=tmp_path / "data")
    assert done.code == 1
    assert "Not as it should be" in done.output
    assert str(tmp_path / "data" / "logs" / "worker.log") in done.output
    assert local("status", data_dir=tmp_path / "data").code == 4
