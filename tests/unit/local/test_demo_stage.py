"""A scenario that is not as it should be says so, and ends there."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from local.demo import performance
from local.demo.performance import perform
from local.demo.scenarios import SCENARIOS, Scenario
from local.demo.screen import Screen, abridged
from local.demo.stage import Differs, Stage
from local.people import Comment, User
from local.state import WorldError
from local.waiting import NotThere, wait_for
from local.world import World


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stage(shown: io.StringIO, tmp_path: Path) -> Stage:
    return Stage(World(tmp_path / "data"), Screen(Console(file=shown, width=100)))


def comment(body: str, author: str = "docustack[bot]", number: int = 1) -> Comment:
    now = datetime.now(UTC)
    return Comment(id=number, body=body, user=User(login=author), html_url="", created_at=now, updated_at=now)


def test_step_in_which_all_holds_is_well(stage: Stage, shown: io.StringIO) -> None:
    with stage.step("All is well"):
        stage.check("it is there", True)
        stage.same("they are equal", {2, 1}, {1, 2})
    [step] = stage.steps
    assert (step.is_well, step.checks) == (True, 2)
    assert "✔ they are equal  1, 2" in shown.getvalue()


def test_step_looks_at_everything_before_it_ends_the_scenario(stage: Stage, shown: io.StringIO) -> None:
    def two_differ() -> None:
        with stage.step("Two things differ"):
            stage.same("the counts", (1, 0, 0), (2, 0, 0))
            stage.check("it is there", False)
            stage.check("this holds", True)

    with pytest.raises(Differs):
        two_differ()
    [step] = stage.steps
    assert step.differences == ["the counts: found: 1, 0, 0; wanted: 2, 0, 0", "it is there: found: nothing"]
    assert not step.is_well
    assert "✘ the counts" in shown.getvalue()


@pytest.mark.parametrize("error", [NotThere("the plan: not there after 5 s"), KeyError("dev/vpc"), ValueError("bad")])
def test_error_in_a_step_is_a_difference(stage: Stage, error: Exception) -> None:
    with pytest.raises(Differs), stage.step("It breaks"):
        raise error
    assert str(error) in stage.steps[0].differences[0]


def test_interrupt_is_no_difference(stage: Stage) -> None:
    with pytest.raises(KeyboardInterrupt), stage.step("Ctrl-C"):
        raise KeyboardInterrupt
    assert not stage.steps[0].is_well


def test_comment_is_shown_once(stage: Stage, shown: io.StringIO) -> None:
    stage.see(comment("## Terrateam Plan\n\nsomething"))
    stage.see(comment("## Terrateam Plan\n\nsomething"))
    assert shown.getvalue().count("Terrateam Plan") == 1


def test_abridged_comment_tells_how_much_is_folded_and_hides_small_print() -> None:
    fold = "<details><summary>Show</summary>\n\na\nb\nc\n\n</details>"
    body = f"## Plan\n\n{fold}\n\nDone.\n\n<sub>small</sub>\n<!-- key -->"
    assert abridged(body) == "## Plan\n▸ Show (3 lines)\nDone."


def test_long_comment_keeps_its_beginning_and_its_end() -> None:
    lines = abridged("\n".join(f"line {number}" for number in range(100))).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("line 0", "line 99", 16)
    assert "85 more lines" in lines[-4]


class NoWorld(World):
    """A world whose parts nobody has to start."""

    stopped = 0

    def up(self, **_: object) -> bool:
        raise WorldError("worker has ended by itself. Its log ends with:\nno such tool")

    def down(self) -> bool:
        NoWorld.stopped += 1
        return True


def test_world_that_does_not_come_up_fails_the_performance(
    monkeypatch: pytest.MonkeyPatch, shown: io.StringIO, tmp_path: Path
) -> None:
    monkeypatch.setattr(performance, "World", NoWorld)
    monkeypatch.setitem(SCENARIOS, "any", Scenario("never begun", "no.such.module"))
    assert not perform("any", tmp_path / "data", Console(file=shown, width=200))
    assert "no such tool" in shown.getvalue()
    assert f"{tmp_path}/data/logs/worker.log" in shown.getvalue()
    assert NoWorld.stopped == 1


def test_waiting_tells_what_was_there_instead() -> None:
    with pytest.raises(NotThere, match=r"a plan: not there after 0 s; there is an apology"):
        wait_for(lambda: None, "a plan", 0, found_instead=lambda: "there is an apology")
