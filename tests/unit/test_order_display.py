"""What a terminal shows of a run that was ordered there, change by change."""

from datetime import UTC, datetime

import pytest

from docustack.plans import live_log
from docustack.runs import Operation, RunStatus, UnitPhase
from starter.answers import RunDetail, RunLine, UnitLine
from starter.live_tails import Focus, Tails, new_lines
from starter.order_display import OrderDisplay
from starter.order_following import asks_for_yes
from starter.plan_colours import coloured
from starter.run_watching import Look
from starter.standalone.surrounding import Standalone

VPC, RDS = "dev/vpc", "dev/rds"


def detail(status: RunStatus = RunStatus.RUNNING, message: str = "", **phases: UnitPhase) -> RunDetail:
    run = RunLine(
        run_id="0dd64b3188",
        workflow_id="run:0dd64b3188",
        operation=Operation.APPLY,
        status=status,
        repository="docustack/live",
        pull_request=None,
        actor="infra-member",
        started_at=datetime.now(UTC),
        seconds=0,
    )
    units = tuple(UnitLine(unit=f"dev/{name}", phase=phase) for name, phase in phases.items())
    return RunDetail(run=run, complete=True, message=message, units=units, waves=((VPC,), (RDS,)))


def test_each_change_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    display = OrderDisplay("0dd64b3188")
    planning = detail(vpc=UnitPhase.PLANNING, rds=UnitPhase.WAITING)
    applying = detail(vpc=UnitPhase.APPLYING, rds=UnitPhase.WAITING)
    waiting = detail(RunStatus.WAITING, "`prod` needs 1 approval")
    for look in (planning, planning, waiting, waiting, applying, applying):
        display.show(Look(look))
    shown = capsys.readouterr().out.splitlines()
    assert [line.partition("] ")[2] or line for line in shown] == [
        f"{VPC} » planning",
        "waiting-for-approval: `prod` needs 1 approval",
        "goes on",
        f"wave 1 of 2: {VPC}",
        f"{VPC} » applying",
    ]


def test_terraforms_lines_are_shown_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    display = OrderDisplay("0dd64b3188")
    applying = detail(vpc=UnitPhase.APPLYING)
    for lines in (("a: Creating...",), ("a: Creating...",), ("a: Creating...", "a: Creation complete after 1s")):
        display.show(Look(applying, focus=Focus(VPC, lines)))
    shown = capsys.readouterr().out
    assert shown.count("│ a: Creating...") == shown.count("│ a: Creation complete after 1s") == 1


async def test_the_focus_stays_with_a_unit_until_it_has_ended() -> None:
    texts = {live_log("0dd64b3188", VPC): "one\n", live_log("0dd64b3188", RDS): "two\n"}
    tails = Tails(texts.get)
    assert await tails.look(detail(vpc=UnitPhase.PLANNING)) is None
    assert await tails.look(detail(rds=UnitPhase.APPLYING)) == Focus(RDS, ("two",))
    assert await tails.look(detail(vpc=UnitPhase.APPLYING, rds=UnitPhase.APPLYING)) == Focus(RDS, ("two",))
    assert await tails.look(detail(vpc=UnitPhase.APPLYING, rds=UnitPhase.APPLIED)) == Focus(VPC, ("one",))


@pytest.mark.parametrize(
    "before,now,new",
    [
        ((), ("a", "b"), ["a", "b"]),
        (("a", "b"), ("a", "b"), []),
        (("a", "b"), ("a", "b", "c"), ["c"]),
        (("a", "b", "c"), ("b", "c", "d"), ["d"]),  # the text keeps only so many
        (("a",), ("x", "y"), ["x", "y"]),  # another attempt has begun anew
    ],
)
def test_only_what_is_new_is_shown(before: tuple[str, ...], now: tuple[str, ...], new: list[str]) -> None:
    assert new_lines(before, now) == new


def test_a_plan_has_terraforms_colours() -> None:
    plan = "  # a.b must be replaced\n  + x = 1\n  - y = 2\n  ~ z = 1 -> 2\n-/+ resource\nPlan: 1 to add"
    text = coloured(plan)
    assert text.plain == plan
    styles = {plan[span.start : span.end].strip(): str(span.style) for span in text.spans}
    assert styles["+ x = 1"] == "green"
    assert styles["- y = 2"] == "red"
    assert styles["~ z = 1 -> 2"] == "yellow"
    assert styles["must be replaced"] == styles["-/+ resource"] == "bold red"


def test_advice_of_a_workflow_is_typed_as_this_person_types_our_command() -> None:
    said = "First: `docustack apply dev/vpc` (`docustack doctor`, docustack.yaml).\n    docustack plan dev"
    alone = said.replace("docustack apply", "docustack --standalone apply")
    alone = alone.replace("docustack plan", "docustack --standalone plan")
    here = Standalone()
    assert here.told(said) == said
    here.ask()
    assert here.told(said) == here.told(alone) == alone


def test_a_refresh_is_not_asked_for_as_actions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert asks_for_yes(Operation.REFRESH)
    assert "take what is described above into the state" in capsys.readouterr().out
    assert asks_for_yes(Operation.APPLY)
    assert "carry out the actions described above" in capsys.readouterr().out
