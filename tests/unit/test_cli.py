"""The command line itself: wrong usage, how failures end and read, what tools are found, how graphs are drawn."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from temporalio.client import WorkflowExecutionStatus
from typer.testing import CliRunner

from activities import tool_prerequisites
from docustack.errors import ConfigurationError
from docustack.plans import DependencyOutputs, OutputsKind, PlanRecord, PlanSummary
from docustack.pull_request_state import AppliedUnit, PullRequestState
from docustack.runs import Operation, UnitOutcome, UnitPhase
from local.state import WorldError
from starter import cli
from starter.answers import RunDetail, RunLine, UnitLine
from starter.committed_rules import refuse_wrong_rules
from starter.console import output
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_pull_requests import planned_units
from starter.found_runs import RunFilter, nearest_names
from starter.listed_units import ListedUnit, ListedUnits
from starter.run_display import live_page, plain_table
from starter.run_lines import shown_status, unit_lines
from starter.run_watching import Changes, Look, elapsed
from starter.surroundings import repository_named, repository_wanted
from starter.times import ago, duration, now
from starter.unit_drawings import as_dot, as_mermaid, as_text

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No local world and no live repository of the person who runs the tests is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starter.surroundings.DEFAULT_DATA_DIR", tmp_path / "no-world")


@pytest.mark.parametrize(
    "typed, said",
    [
        (["apply", "dev/vpc", "-replace=aws_vpc.main"], "docustack destroy UNIT --target ADDRESS"),
        (["plan", "dev/vpc", "-refresh=false"], "docustack refresh PATH"),
        (["plan", "dev/vpc", "-refresh-only"], "docustack refresh PATH"),
        (["plan", "-destroy", "dev/vpc"], "docustack destroy PATH"),
        (["apply", "dev/vpc", "-parallelism=1"], "plan.parallelism and apply.parallelism in docustack.yaml"),
        (["apply", "dev/vpc", "-lock=false"], "docustack locks list"),
        (["plan", "dev/vpc", "-out", "plan.bin"], "docustack runs show ID"),
        (["plan", "dev/vpc", "-var", "value=two"], "takes no variables"),
        (["plan", "dev/vpc", "--terragrunt-source=../module"], "Terragrunt is called by the worker"),
        (["plan", "--all"], "docustack plan dev"),
        (["output", "dev/vpc", "-json"], "--json"),
        (["import", "dev/vpc", "aws_vpc.main", "vpc-1", "-input=false"], "--auto-approve"),
    ],
)
def test_options_of_terraform_are_refused_by_name_with_what_there_is_instead(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(typed)
    told = " ".join(capsys.readouterr().err.split())
    assert (code, said in told) == (ExitCode.USAGE, True), told
    assert "is no live repository" not in told


# ---- usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed, said",
    [
        (["runz"], "Did you mean 'runs'?"),
        (["runs", "wach", "x"], "Did you mean 'watch'?"),
        (["lokcs"], "Did you mean 'locks'"),
        (["runs", "list", "--statsu", "failed"], "--status"),
        (["runs", "list", "--status", "faild"], "succeeded"),
        (["runs", "list", "--limit", "0"], "--limit"),
        (["runs", "show"], "ID"),
        (["pr", "show", "abc"], "'abc' is no number of a pull request"),
        (["pr", "show", "0"], "'0' is no number"),
        (["units", "graph", "--format", "svg"], "mermaid"),
        (["locks", "list", "extra"], "extra"),
    ],
)
def test_wrong_usage_exits_with_2_and_names_what_was_meant(typed: list[str], said: str) -> None:
    result = runner.invoke(cli.app, typed, env={"COLUMNS": "200"})
    assert result.exit_code == ExitCode.USAGE
    assert said in result.output


@pytest.mark.parametrize("words", [[], ["pr"], ["runs"], ["units"], ["locks"], ["tools"], ["config"], ["local"]])
def test_help_names_every_command_with_a_sentence(words: list[str]) -> None:
    result = runner.invoke(cli.app, [*words, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == ExitCode.OK
    commands = result.output.partition("Commands")[2].splitlines()[1:-1]
    assert all(len(line.strip("│╰╯─ ").split()) > 3 for line in commands if line.strip("│╰╯─ "))


def test_process_without_its_settings_says_which_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["worker"]) == ExitCode.USAGE
    assert "DOCUSTACK_GITHUB_TOKEN is missing" in capsys.readouterr().err
    assert cli.run(["serve"]) == ExitCode.USAGE
    assert "DOCUSTACK_WEBHOOK_SECRET is missing" in capsys.readouterr().err


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, code",
    [
        (CommandFailed("gone", code=ExitCode.NOT_FOUND), 4),
        (CommandFailed("away", code=ExitCode.UNREACHABLE), 3),
        (ConfigurationError("wrong"), 2),
        (WorldError("busy"), 1),
        (KeyError("odd"), 1),
        (KeyboardInterrupt(), 130),
        (typer.Exit(7), 7),
    ],
)
def test_each_failure_ends_as_its_exit_code_without_a_traceback(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", _app_that_raises(error))
    assert cli.run(["fail"]) == code
    written = capsys.readouterr()
    assert written.out == ""
    assert "Traceback" not in written.err


def test_advice_follows_the_failure_and_debug_shows_where_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", _app_that_raises(CommandFailed("It is [bold]broken[/bold].", "Mend it.")))
    assert cli.run(["fail"]) == ExitCode.FAILED
    assert capsys.readouterr().err == "error: It is [bold]broken[/bold].\n  Mend it.\n"
    monkeypatch.setenv(cli.DEBUG, "1")
    cli.run(["fail"])
    assert "Traceback" in capsys.readouterr().err


def test_process_ends_with_its_exit_code_though_the_interpreter_would_crash_at_exit() -> None:
    program = (
        "import atexit, os, sys; atexit.register(os.abort)\n"
        "from starter import cli\n"
        "sys.argv = ['docustack', 'runs', 'list']\n"
        "print('said', end='')\n"
        "cli.main()\n"
    )
    environment = {**os.environ, "DOCUSTACK_TEMPORAL_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (ExitCode.UNREACHABLE, "said")


def test_reader_that_closes_its_pipe_early_sees_no_traceback() -> None:
    command = f"{sys.executable} -m starter.cli config schema | head -c 1"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr


def test_version_is_the_one_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["version", "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == answer["packages"]["docustack"]
    assert answer["packages"]["temporalio"].startswith("1.")


def _app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise error

    @app.command()
    def other() -> None:
        """So that `fail` stays a word of its own."""

    return app


# ---- the live repository that is meant -------------------------------------------------------------------------------


def test_repository_is_the_one_named_or_configured_or_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repository_named(None) is None
    (tmp_path / "docustack.yaml").write_text("repository: here/live\n")
    assert repository_wanted(None).full_name == "here/live"
    monkeypatch.setenv("DOCUSTACK_REPOSITORIES", "configured/live")
    assert repository_wanted(None).full_name == "configured/live"
    assert repository_wanted("named/live").full_name == "named/live"
    monkeypatch.setenv("DOCUSTACK_REPOSITORIES", "one/live,two/live")
    with pytest.raises(CommandFailed, match="Which live repository"):
        repository_wanted(None)


@pytest.mark.parametrize("name", ["", "live", "/live", "owner/", "a/b/c"])
def test_repository_of_another_form_is_wrong_usage(name: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        repository_named(name)
    assert failed.value.code is ExitCode.USAGE


# ---- tools -----------------------------------------------------------------------------------------------------------


ENOUGH = {"terraform": "Terraform v1.5.0", "terragrunt": "terragrunt version 0.50.0", "git": "git version 2.38.0"}


def _tools(folder: Path, **said: str) -> None:
    for name, text in {**ENOUGH, **said}.items():
        script = folder / name
        script.write_text("#!/bin/sh\n" + (text if text.startswith("exit") else f"echo '{text}'") + "\n")
        script.chmod(0o755)


async def test_a_tool_that_is_missing_is_got_by_the_guides_command_and_make_setup_is_one_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_prerequisites, "_IS_CHECKOUT", False)
    found = await _checked(tmp_path)
    assert found["terraform"].mend.startswith("brew install terraform (1.5.0 or later;")
    assert found["terragrunt"].mend.startswith("brew install terragrunt (0.50.0 or later;")
    assert not any("make setup" in tool.mend for tool in found.values())
    monkeypatch.setattr(tool_prerequisites, "_IS_CHECKOUT", True)
    assert (await _checked(tmp_path))["terraform"].mend.endswith("or here: make setup")


async def _checked(folder: Path) -> dict[str, tool_prerequisites.CheckedTool]:
    return {tool.name: tool for tool in await tool_prerequisites.check_tools(lambda name: str(folder / name))}


async def test_guides_minimums_are_enough_and_optional_tools_may_be_missing(tmp_path: Path) -> None:
    _tools(tmp_path)
    tools = await _checked(tmp_path)
    assert {name: tool.ok for name, tool in tools.items()} == {
        "python": True, "terraform": True, "terragrunt": True, "git": True, "aws": False, "temporal": False,
    }  # fmt: skip
    assert not tools["aws"].needed
    assert not tools["temporal"].needed


@pytest.mark.parametrize(
    "name, said, problem",
    [
        ("terraform", "Terraform v1.4.7", "older than 1.5.0"),
        ("terragrunt", "terragrunt version v0.49.9", "older than 0.50.0"),
        ("git", "git version 2.37.5", "older than 2.38.0"),
        ("terragrunt", "I am no tool", "didn't say its version"),
        ("terraform", "exit 3", "exit code 3"),
    ],
)
async def test_tool_that_will_not_do_is_told_with_what_mends_it(
    tmp_path: Path, name: str, said: str, problem: str
) -> None:
    _tools(tmp_path, **{name: said})
    tool = (await _checked(tmp_path))[name]
    assert not tool.ok
    assert problem in tool.problem
    assert tool.mend


async def test_opentofu_does_where_there_is_no_terraform(tmp_path: Path) -> None:
    _tools(tmp_path, tofu="OpenTofu v1.12.6")
    (tmp_path / "terraform").unlink()
    tool = (await _checked(tmp_path))["terraform"]
    assert (tool.ok, tool.found, tool.path) == (True, "1.12.6", str(tmp_path / "tofu"))


def test_check_exits_with_1_only_for_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tools(tmp_path)
    monkeypatch.setattr("starter.tool_commands.executable", lambda name, _: str(tmp_path / name))
    assert cli.run(["tools", "check", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["ok"] is True
    (tmp_path / "git").unlink()
    assert cli.run(["tools", "check"]) == ExitCode.FAILED
    assert "git: There is no git on PATH. To mend it: brew install git" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, version",
    [
        ("Terraform v1.11.4\non linux_amd64", (1, 11, 4)),
        ("aws-cli/2.15.30 Python/3.11.8 Linux", (2, 15, 30)),
        ("git version 2.39.5 (Apple Git-154)", (2, 39, 5)),
        ("terragrunt version v1.1.3-rc1", (1, 1, 3)),
        ("git version 2.40", (2, 40, 0)),
        ("no version", None),
    ],
)
def test_version_is_read_from_what_tools_say(text: str, version: tuple[int, int, int] | None) -> None:
    assert tool_prerequisites.parse_version(text) == version


# ---- environments that there are not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command, code, told",
    [
        (["deploy", "environment", "deev"], ExitCode.NOT_FOUND, "Did you mean `dev`?"),
        (["deploy", "initial", "--until", "prood"], ExitCode.NOT_FOUND, "Did you mean `prod`?"),
        (["deploy", "initial", "--from", "prod", "--until", "dev"], ExitCode.USAGE, "`prod` comes after `dev`"),
        (["bootstrap", "deev"], ExitCode.NOT_FOUND, "Did you mean `dev`?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_environment_that_there_is_not_is_refused_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(ROOT / "examples/docustack-infrastructure-live")
    monkeypatch.setenv("DOCUSTACK_REPOSITORIES", "docustack/docustack-infrastructure-live")
    assert cli.run(command) == code
    assert told in " ".join(capsys.readouterr().err.split())


def test_in_a_clone_of_another_repository_its_environments_say_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT / "examples/docustack-infrastructure-live")
    monkeypatch.setenv("DOCUSTACK_PUBLIC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", "ghp_0")
    assert cli.run(["deploy", "environment", "deev", "--repository", "acme/live"]) == ExitCode.UNREACHABLE


# ---- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seconds, text",
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (3_600, "1 h"), (7_500, "2 h 5 min"),
     (86_399, "23 h 59 min"), (273_600, "3 d 4 h"), (-3, "0 s")],
)  # fmt: skip
def test_durations_have_at_most_two_parts(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ago_has_one_part() -> None:
    assert ago(now() - timedelta(minutes=3, seconds=20)) == "3 min ago"


@pytest.mark.parametrize(
    "execution, told, shown",
    [
        (WorkflowExecutionStatus.RUNNING, None, "running"),
        (WorkflowExecutionStatus.RUNNING, "waiting-for-approval", "waiting-for-approval"),
        (WorkflowExecutionStatus.COMPLETED, "refused", "refused"),
        (WorkflowExecutionStatus.TERMINATED, "running", "terminated"),
        (WorkflowExecutionStatus.TIMED_OUT, "running", "timed-out"),
        (WorkflowExecutionStatus.FAILED, "running", "failed"),
    ],
)
def test_run_that_temporal_ended_is_not_shown_as_running(
    execution: WorkflowExecutionStatus, told: str | None, shown: str
) -> None:
    assert shown_status(execution, told) == shown


@pytest.mark.parametrize("unit", ["dev/[blue]/vpc", "dev/[/]", "dev/:smile:"])
def test_names_with_brackets_are_shown_as_they_are(unit: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = plain_table("UNIT")
    table.add_row(unit)
    output().print(table, f"[12 s] {unit} applied")
    shown = capsys.readouterr().out
    assert (shown.count(unit), "[12 s]" in shown) == (2, True)


def test_quotes_in_a_filter_stay_within_it() -> None:
    query = RunFilter(actor="x' OR ExecutionStatus = 'Running").query()
    assert r"DocustackActor = 'x\' OR ExecutionStatus = \'Running'" in query


def test_units_show_the_numbers_of_their_apply_rather_than_of_their_plan() -> None:
    plan = _plan("a", PlanSummary(add=3))
    applied = UnitOutcome(
        unit="a", environment="dev", phase=UnitPhase.APPLIED, plan=plan, summary=PlanSummary(add=2), message=""
    )
    [line, waiting] = unit_lines({"a": UnitPhase.APPLIED, "b": UnitPhase.WAITING}, [applied])
    assert (line.add, line.preview, line.environment) == (2, False, "dev")
    assert (waiting.phase, waiting.add) == (UnitPhase.WAITING, None)


def test_unit_of_a_pull_request_is_in_one_state() -> None:
    mock = (DependencyOutputs(unit="vpc", kind=OutputsKind.MOCK),)
    state = PullRequestState(
        plans={
            "planned": _plan("planned", PlanSummary(add=1)),
            "preview": _plan("preview", PlanSummary(add=1), mock),
            "same": _plan("same", PlanSummary()),
        },
        deferred=["deferred"],
        applied={"applied": "c" * 40, "planned": "b" * 40},
    )
    assert {unit.unit: unit.state for unit in planned_units(state)} == {
        "applied": "applied",
        "deferred": "deferred",
        "planned": "planned",
        "preview": "preview",
        "same": "no-changes",
    }


def test_changes_are_told_once_each() -> None:
    changes = Changes()
    first = _detail(UnitPhase.PLANNING)
    assert [change["kind"] for change in changes.since_last(Look(first))] == ["run", "unit"]
    assert changes.since_last(Look(first)) == []
    [change] = changes.since_last(Look(_detail(UnitPhase.FAILED)))
    assert (change["unit"], change["phase"]) == ("a", "failed")
    [trouble] = changes.since_last(Look(_detail(UnitPhase.FAILED), "It is away."))
    assert trouble == {"kind": "trouble", "message": "It is away."}
    assert [change["kind"] for change in changes.since_last(Look(_detail(UnitPhase.FAILED)))] == ["trouble"]


def test_run_begins_before_its_units_and_ends_after_them() -> None:
    changes = Changes()
    changes.since_last(Look(_detail(UnitPhase.APPLYING)))
    ended = _detail(UnitPhase.APPLIED)
    ended = ended.model_copy(update={"run": ended.run.model_copy(update={"status": "succeeded"})})
    assert [change["kind"] for change in changes.since_last(Look(ended))] == ["unit", "run"]


def test_watched_run_of_many_units_folds_waves_in_which_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    waves = tuple(tuple(f"w{wave}/u{unit}" for unit in range(20)) for wave in range(2))
    done = [UnitLine(unit=unit, phase=UnitPhase.APPLIED) for unit in waves[0]]
    ahead = [UnitLine(unit=unit, phase=UnitPhase.WAITING) for unit in waves[1][1:]]
    busy = UnitLine(unit=waves[1][0], phase=UnitPhase.APPLYING)
    detail = _detail(UnitPhase.WAITING).model_copy(update={"units": (*done, busy, *ahead), "waves": waves})
    output().print(live_page(detail, {}, 5, ""))
    text = capsys.readouterr().out
    assert re.search(r"wave 1 +20 applied", text)
    assert re.search(r"wave 2 +1 applying, 19 waiting", text)
    assert "w1/u0" in text
    assert "w0/u0" not in text
    assert "20 of 40 units done, 5 s elapsed" in text


# ---- graphs ----------------------------------------------------------------------------------------------------------

GRAPH = ListedUnits(
    units=(
        ListedUnit(unit="dev/vpc", environment="dev", wave=1),
        ListedUnit(unit="dev/rds", environment="dev", dependencies=("dev/vpc",), wave=2),
        ListedUnit(unit="tools", environment=None, dependencies=("dev/rds",), wave=3),
    )
)


def test_graph_as_text_has_waves_and_arrows() -> None:
    waves = (["wave 1 (dev)", "  dev/vpc"], ["wave 2 (dev)", "  dev/rds", "    <- dev/vpc"])
    assert as_text(GRAPH).splitlines() == [*waves[0], *waves[1], "wave 3", "  tools", "    <- dev/rds"]


def test_graph_as_dot_groups_environments() -> None:
    drawn = as_dot(GRAPH)
    assert drawn.startswith("digraph units {")
    assert '"dev/rds" -> "dev/vpc";' in drawn
    assert 'label="dev";' in drawn
    assert drawn.count("{") == drawn.count("}") == 2


def test_graph_as_mermaid_names_nodes_by_numbers() -> None:
    lines = as_mermaid(GRAPH).splitlines()
    assert lines[0] == "graph RL"
    assert '    u1["dev/rds"]' in lines
    assert "  u1 --> u0" in lines


@pytest.mark.parametrize("path", ["missing", "file"])
def test_units_of_what_is_no_folder_is_wrong_usage(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert cli.run(["units", "list", path]) == ExitCode.USAGE
    assert f"{path} is no folder" in capsys.readouterr().err


def _plan(unit: str, summary: PlanSummary, dependencies: tuple[DependencyOutputs, ...] = ()) -> PlanRecord:
    fields: dict[str, Any] = dict.fromkeys(("binary", "json_document", "text", "log"), "key")
    return PlanRecord(
        unit=unit, run_id="r", commit="a" * 40, tree_commit="b" * 40, digest="sha256:x", summary=summary,
        dependencies=dependencies, **fields,
    )  # fmt: skip


def _detail(phase: UnitPhase) -> RunDetail:
    run = RunLine(
        run_id="r", workflow_id="run:r", operation=Operation.APPLY, status="running", repository="o/r", pull_request=1,
        actor="lead", started_at=now(), seconds=1,
    )  # fmt: skip
    return RunDetail(run=run, complete=True, units=(UnitLine(unit="a", phase=phase),))


def test_terrateam_file_is_checked_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "docustack.yaml").write_text(
        "version: 1\nenvironments:\n  dev: {path: dev, account_id: '111111111111', apply: anyone}\n"
    )
    (tmp_path / "dev").mkdir()
    file = tmp_path / ".terrateam/config.yml"
    file.parent.mkdir()
    file.write_text("enabld: false\n")
    answer = runner.invoke(cli.app, ["config", "check", str(file)])
    assert answer.exit_code == 1
    assert "config.yml:1:1: error: enabld: there is no such key" in answer.output


def test_folder_that_is_no_live_repository_says_what_to_name(tmp_path: Path) -> None:
    answer = runner.invoke(cli.app, ["config", "check", str(tmp_path)])
    assert answer.exit_code == 2
    assert "Name the folder of a live repository with a docustack.yaml" in answer.output


def test_applied_unit_is_shown_with_what_was_done_and_the_run_that_did_it() -> None:
    state = PullRequestState(
        applied={"dev/vpc": "c0ffee", "dev/rds": "c0ffee"},
        applied_by={"dev/vpc": AppliedUnit(run_id="1a2b3c", summary=PlanSummary(add=3, change=1))},
    )
    rds, vpc = planned_units(state)
    assert (vpc.state, vpc.run_id, vpc.add, vpc.change, vpc.destroy) == ("applied", "1a2b3c", 3, 1, 0)
    assert (rds.state, rds.run_id, rds.add) == ("applied", None, None)


def test_a_run_that_has_ended_is_watched_with_the_time_that_it_took() -> None:
    began = now() - timedelta(hours=1)
    run = RunLine(
        run_id="a", workflow_id="run:a", operation=Operation.APPLY, status="succeeded", repository="o/r",
        pull_request=1, actor="x", started_at=began, seconds=95.0,
    )  # fmt: skip
    assert elapsed(run) == 95.0
    assert elapsed(run.model_copy(update={"status": "running"})) >= 3600


def test_world_is_not_built_on_a_live_repository_with_wrong_rules(tmp_path: Path) -> None:
    (tmp_path / "docustack.yaml").write_text(
        "version: 1\nteams: {infra: infra, leads: leads}\n"
        "environments:\n  dev: {path: dev, account_id: '111111111111', apply: [infr]}\n"
    )
    with pytest.raises(CommandFailed) as refused:
        refuse_wrong_rules(tmp_path)
    assert "docustack.yaml:4:" in refused.value.advice[0]
    assert "did you mean `infra`?" in refused.value.advice[0]


def test_rules_are_those_that_are_committed(tmp_path: Path) -> None:
    environments = "environments:\n  dev: {path: dev, account_id: '111111111111', apply: anyone}\n"
    good = f"version: 1\nteams: {{leads: leads}}\n{environments}"
    (tmp_path / "docustack.yaml").write_text(good)
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm a"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "docustack.yaml").write_text("not committed")
    refuse_wrong_rules(tmp_path)


def test_name_that_no_run_has_is_told_with_the_nearest() -> None:
    run = RunLine(
        run_id="a", workflow_id="run:a", operation=Operation.PLAN, status="succeeded", repository="o/r",
        pull_request=1, actor="lead", environments=("dev",), units=("dev/vpc",), started_at=now(), seconds=1.0,
    )  # fmt: skip
    assert nearest_names(RunFilter(environment="dve"), [run]) == ["No run has the environment dve. Did you mean dev?"]
    assert nearest_names(RunFilter(unit="dev/vcp"), [run]) == ["No run has the unit dev/vcp. Did you mean dev/vpc?"]
    assert nearest_names(RunFilter(environment="zzzz"), [run]) == ["No run has the environment zzzz. Runs have: dev."]
    assert nearest_names(RunFilter(environment="dev", actor="lead"), [run]) == []
