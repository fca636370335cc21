"""What is told of a deployment while it is followed, and that the documents name every word of it."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest

from docustack.bootstrap import BootstrapEnd, BootstrapOutcome, BootstrapState, StepState, StepStatus
from docustack.initial_deployment import DeploymentEnd, DeploymentOrder, DeploymentState, EnvironmentProgress, Stage
from docustack.repository import Repository
from starter.deployment_watching import Changes, Look

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
ORDER = DeploymentOrder(
    login="lead",
    repository=Repository(owner="docustack", name="live"),
    given_at=datetime(2026, 1, 1, tzinfo=UTC),
    nonce="n" * 16,
)


def bootstrapping(*steps: StepState, over: bool = False) -> Look:
    dev = EnvironmentProgress(
        name="dev", branch="main", commit="c" * 40, account_id="111111111111", stage=Stage.BOOTSTRAPPING
    )
    bootstrap = BootstrapState(environment="dev", account_id=dev.account_id, actor="lead", steps=list(steps))
    if over:
        bootstrap.outcome = BootstrapOutcome(end=BootstrapEnd.FAILED, message="no")
    return Look(DeploymentState(order=ORDER, environments=[dev]), bootstrap=bootstrap)


def test_steps_of_a_bootstrap_are_told_as_they_go_on() -> None:
    changes = Changes()
    begun = StepState(name="preflight", status=StepStatus.RUNNING)
    done = begun.model_copy(update={"status": StepStatus.DONE, "detail": "it may"})
    assert changes.since_last(bootstrapping(begun)) == ["dev: bootstrapping", "  … preflight"]
    assert changes.since_last(bootstrapping(begun)) == []
    assert changes.since_last(bootstrapping(done, over=True)) == ["  ✓ preflight: it may"]


def test_an_earlier_bootstrap_of_the_account_is_not_taken_for_this_one() -> None:
    failed = StepState(name="preflight", status=StepStatus.FAILED)
    assert Changes().since_last(bootstrapping(failed, over=True)) == ["dev: bootstrapping"]


@pytest.mark.parametrize(
    "section, row, words",
    [
        ("`deploy show`, and", "stage", Stage),
        ("`deploy show`, and", "outcome", DeploymentEnd),
        ("`bootstrap`, and `runs watch` of one", "end", BootstrapEnd),
    ],
)
def test_the_document_names_every_word_that_programs_may_read(section: str, row: str, words: type[StrEnum]) -> None:
    [line, *_] = DOCUMENT.partition(section)[2].partition(f"\n| `{row}` |")[2].splitlines()
    assert [word.value for word in words if f"`{word.value}`" not in line] == []
