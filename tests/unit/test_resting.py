"""What rests in a standalone installation: which of it a command goes on with by itself, and what it asks about."""

from datetime import UTC, datetime

import pytest

from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.resting import Own, Resting, agree, nothing, of_run, of_workflow, others

SINCE = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
DEPLOYMENT = Resting("initial:o/live", "deploy dev by lead", SINCE)
STEP = Resting("run:aaa1", "run aaa1: apply dev by lead", SINCE, part_of="initial:o/live")
APPLY = Resting("run:aab2", "run aab2: apply dev/vpc by lead", SINCE)
BOOTSTRAP = Resting("bootstrap:111111111111", "bootstrap dev by lead", SINCE)
ALL = [DEPLOYMENT, STEP, APPLY, BOOTSTRAP]


@pytest.mark.parametrize(
    "own, left",
    [
        (nothing, [DEPLOYMENT, APPLY, BOOTSTRAP]),
        (of_workflow("initial:o/live"), [APPLY, BOOTSTRAP]),
        (of_run("aab"), [DEPLOYMENT, BOOTSTRAP]),
        (of_run("run:aab2"), [DEPLOYMENT, BOOTSTRAP]),
        (of_run("aaa1"), [APPLY, BOOTSTRAP]),  # whoever names a step means what it is a step of
        (of_run("bootstrap:111111111111"), [DEPLOYMENT, APPLY]),
        (of_run(""), [DEPLOYMENT, APPLY, BOOTSTRAP]),
    ],
)
def test_a_command_goes_on_with_what_it_names(own: Own, left: list[Resting]) -> None:
    assert others(ALL, own) == left


def test_a_step_whose_deployment_has_ended_rests_by_itself() -> None:
    assert others([STEP, APPLY], of_run("aab2")) == [STEP]


def test_without_a_terminal_it_is_refused_with_what_rests_and_how_to_end_it() -> None:
    with pytest.raises(CommandFailed, match=r"apply dev/vpc by lead, since 2026-01-01 09:30 UTC") as refused:
        agree([APPLY], resume=False)
    assert refused.value.code == ExitCode.USAGE
    assert "To end it: docustack --standalone runs cancel aab2" in refused.value.advice
    assert "--resume" in refused.value.advice[-1]


def test_each_is_ended_by_a_command_of_its_own() -> None:
    assert DEPLOYMENT.to_end == "docustack --standalone deploy cancel"
    assert BOOTSTRAP.to_end == "docustack --standalone runs cancel bootstrap:111111111111"
    assert BOOTSTRAP.to_go_on == "docustack --standalone runs watch bootstrap:111111111111"


def test_a_yes_goes_on_with_it_and_a_no_begins_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    agree([APPLY, BOOTSTRAP], resume=False, ask=lambda: True)
    assert "2 other things rest unfinished" in capsys.readouterr().err
    with pytest.raises(CommandFailed, match="Nothing was begun") as refused:
        agree([APPLY], resume=False, ask=lambda: False)
    assert refused.value.code == ExitCode.FAILED


def test_nobody_is_asked_where_nothing_rests_or_it_was_said_before(capsys: pytest.CaptureFixture[str]) -> None:
    def ask() -> bool:
        raise AssertionError

    agree([], resume=False, ask=ask)
    assert capsys.readouterr().err == ""
    agree([APPLY], resume=True, ask=ask)
    assert "This goes on too: run aab2: apply dev/vpc by lead" in capsys.readouterr().err
