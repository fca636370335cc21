"""`--standalone` before anything starts: where its folder is, what it works for, and what is told if it can't be."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from local.processes import this_process
from starter import cli
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.database import check_database
from starter.standalone.folder import Folder, Remembered, folder_of_person, stop_using
from starter.standalone.joining import compare
from starter.standalone.parts import environment_of_engine, temporal_executable, without_proxy
from starter.standalone.settings import digests, engine_environment, wanted_here
from starter.standalone.surrounding import Standalone
from starter.times import now
from tests.workflows.fakes import CONFIGURATION

LIVE = "docustack/docustack-infrastructure-live"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def write_rules(folder: Path) -> None:
    rules = CONFIGURATION.model_dump(mode="json", exclude_unset=True) | {"repository": LIVE}
    (folder / "docustack.yaml").write_text(json.dumps(rules))


# ---- the folder ------------------------------------------------------------------------------------------------------


def test_the_folder_is_the_persons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_of_person().path == tmp_path / "data" / "docustack" / "standalone"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert folder_of_person().path == Path("/home/somebody/.local/share/docustack/standalone")
    monkeypatch.setenv("DOCUSTACK_DATA_DIR", "here")
    assert folder_of_person().path == tmp_path / "here" / "standalone"


def test_a_folder_that_cant_be_made_is_named_with_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandFailed, match=r"file/standalone .* can't be used: Not a directory") as failed:
        Folder(tmp_path / "file" / "standalone").make()
    assert failed.value.code == ExitCode.USAGE
    assert "DOCUSTACK_DATA_DIR" in failed.value.advice[0]


def test_its_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "standalone")
    folder.make()
    folder.write(Remembered())
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "standalone.json").stat().st_mode & 0o777 == 0o600
    known = folder.read()
    assert known is not None
    assert len(known.approval_key) == 64


def test_what_another_version_wrote_is_said_to_be_that(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "standalone")
    folder.make()
    (folder.path / "standalone.json").write_text("{")
    with pytest.raises(CommandFailed, match="another version wrote it, or it is damaged"):
        folder.read()


def test_it_is_free_only_when_the_last_command_has_let_go(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "standalone")
    folder.make()
    first, second = folder.use(), folder.use()
    assert folder.take_from_users() is None
    assert not stop_using(first)
    assert folder.take_from_users() is None
    assert stop_using(second)
    taken = folder.take_from_users()
    assert taken is not None
    taken.close()


# ---- the database ----------------------------------------------------------------------------------------------------


def test_no_database_yet_is_none_to_complain_of(tmp_path: Path) -> None:
    check_database(tmp_path / "temporal.sqlite")


def test_a_damaged_database_is_told_as_that(tmp_path: Path) -> None:
    path = tmp_path / "temporal.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CommandFailed, match="damaged: file is not a database") as failed:
        check_database(path)
    assert "backup" in failed.value.advice[0]


def test_a_database_that_cant_be_opened_is_told_with_why(tmp_path: Path) -> None:
    path = tmp_path / "temporal.sqlite"
    path.mkdir()
    with pytest.raises(CommandFailed, match="can't be used: unable to open database file"):
        check_database(path)


def test_a_locked_database_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "temporal.sqlite"
    monkeypatch.setattr("starter.standalone.database._FOR_A_LOCK", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CommandFailed, match="locked by another process"):
        check_database(path)
    other.execute("ROLLBACK")
    check_database(path)
    other.close()


# ---- what it works for, and as whom ----------------------------------------------------------------------------------


def test_the_clone_says_which_repository_and_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rules(tmp_path)
    (tmp_path / "dev").mkdir()
    monkeypatch.chdir(tmp_path / "dev")
    wanted = wanted_here(None)
    assert wanted.repositories == (LIVE,)
    assert wanted.environments == tuple(CONFIGURATION.environments)


def test_elsewhere_it_works_for_what_it_worked_for_last() -> None:
    wanted = wanted_here(Remembered(repositories=(LIVE,), environments=("dev",)))
    assert (wanted.repositories, wanted.environments) == ((LIVE,), ("dev",))


def test_where_nothing_says_so_it_asks_which(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandFailed, match="Which live repository") as failed:
        wanted_here(None)
    assert failed.value.code == ExitCode.USAGE


def test_a_token_of_docustacks_own_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUSTACK_GITHUB_TOKEN", "its-own")
    monkeypatch.setenv("DOCUSTACK_BOT_LOGIN", "docustack[bot]")
    monkeypatch.setenv("GH_TOKEN", "a-persons")
    environ = engine_environment()
    assert environ["DOCUSTACK_GITHUB_TOKEN"] == "its-own"
    assert environ["DOCUSTACK_BOT_LOGIN"] == "docustack[bot]"


def test_a_github_that_doesnt_answer_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUSTACK_GITHUB_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GH_TOKEN", "a-persons")
    with pytest.raises(CommandFailed, match=r"GitHub at http://127.0.0.1:9 doesn't answer") as failed:
        engine_environment()
    assert failed.value.code == ExitCode.UNREACHABLE


def test_the_engine_hears_nothing_of_another_temporal_and_reaches_this_machine_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_API_KEY", "of-the-cloud")
    monkeypatch.setenv("DOCUSTACK_PUBLIC_URL", "https://docustack.example.com")
    monkeypatch.setenv("DOCUSTACK_SLACK_TOKEN", "xoxb")
    monkeypatch.setenv("NO_PROXY", "example.com")
    environ = without_proxy(environment_of_engine())
    assert {name for name in environ if name.startswith("DOCUSTACK_")} == {"DOCUSTACK_SLACK_TOKEN"}
    assert environ["NO_PROXY"] == environ["no_proxy"] == "example.com,localhost,127.0.0.1"


def test_settings_are_compared_without_being_kept() -> None:
    given = {"AWS_PROFILE": "docustack-dev", "DOCUSTACK_GITHUB_USER_TOKEN": "x", "HOME": "/", "GH_TOKEN": "y"}
    kept = digests(given, "key")
    assert set(kept) == {"AWS_PROFILE"}
    assert "docustack-dev" not in str(kept)
    assert kept != digests(given, "another key")


def test_no_temporal_is_told_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starter.standalone.parts.tool", lambda _: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(CommandFailed, match="no executable `temporal`") as failed:
        temporal_executable()
    assert ".[standalone]" in failed.value.advice[0]


RUNS = Remembered(
    repositories=(LIVE,), environments=("dev",), command="docustack --standalone deploy initial", began_at=now(),
    keeper=this_process(Path("log")), approval_key="k" * 64,
)  # fmt: skip


def test_one_that_works_for_another_repository_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUSTACK_REPOSITORIES", "docustack/another")
    with pytest.raises(CommandFailed, match=r"standalone deploy initial` \(since .* process \d+\) works for") as failed:
        compare(RUNS)
    assert "not for docustack/another" in failed.value.message
    assert "DOCUSTACK_DATA_DIR" in failed.value.advice[0]


def test_one_with_other_settings_is_used_and_they_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in list(os.environ.items()):
        if digests({name: value}, "k"):
            monkeypatch.delenv(name)
    compare(RUNS)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("AWS_PROFILE", "docustack-dev")
    compare(RUNS)
    assert "runs already, with its own AWS_PROFILE" in capsys.readouterr().err


# ---- the option ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["worker", "serve", "doctor"])
def test_processes_of_a_deployment_have_no_standalone_form(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--standalone", command]) == ExitCode.USAGE
    assert f"`docustack {command}` has no standalone form" in capsys.readouterr().err


def test_a_command_that_needs_nothing_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--standalone", "config", "schema"]) == ExitCode.OK
    assert not folder_of_person().path.exists()


def test_who_stops_watching_is_told_that_it_rests() -> None:
    told = Standalone(is_asked=True).detached("bootstrap dev")
    assert told.startswith("It rests, and goes on with the same command, or with docustack --standalone bootstrap dev;")
    assert Standalone().detached("bootstrap dev") == "It goes on. To watch it again: docustack bootstrap dev"


def test_who_doesnt_stay_for_the_end_of_what_is_cancelled_is_told_what_becomes_of_it() -> None:
    alone = Standalone(is_asked=True).ends_without_us("runs cancel abc", "runs watch abc")
    assert alone.endswith("rests. The same command goes on with it: docustack --standalone runs cancel abc")
    elsewhere = Standalone().ends_without_us("runs cancel abc", "runs watch abc")
    assert elsewhere.endswith("ends by itself. To see how: docustack runs watch abc")


def test_only_a_standalone_command_can_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--resume", "plan", "dev"]) == ExitCode.USAGE
    assert "--resume goes with --standalone" in capsys.readouterr().err


def test_advice_is_typed_as_the_command_was() -> None:
    assert Standalone(is_asked=True).typed == "docustack --standalone"
    assert Standalone().typed == "docustack"


def test_detaching_would_leave_nothing_that_works() -> None:
    Standalone().refuse_detaching()
    with pytest.raises(CommandFailed, match="nothing goes on without a command") as failed:
        Standalone(is_asked=True).refuse_detaching()
    assert failed.value.code == ExitCode.USAGE


def test_without_the_option_nothing_is_surrounded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    Standalone().surround(engine=True)
    assert dict(os.environ) == before
    assert not folder_of_person().path.exists()
