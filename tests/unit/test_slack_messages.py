"""The messages in Slack: the guide's texts, and text of others that is only text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docustack.plans import PlanSummary
from docustack.slack_messages import (
    MESSAGE_LIMIT,
    apply_completed,
    apply_failed,
    apply_started,
    drift_detected,
    escaped,
    link,
    plan_completed,
    plan_failed,
    plan_started,
    thread_head,
    total,
    unit_failure,
    units_text,
)

ALL_OF_DEV = [f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds")]


def test_the_six_messages_are_the_guides() -> None:
    assert plan_started(ALL_OF_DEV) == "Plan started for dev/us-east-1/... (3 units)"
    assert plan_completed(PlanSummary(add=3, change=1)) == "Plan completed: 3 to add, 1 to change"
    assert apply_started(["dev/us-east-1/vpc"]) == "Apply started for dev/us-east-1/vpc"
    assert apply_completed() == "Apply completed successfully"
    assert apply_failed("no such VPC") == "Apply failed: no such VPC"
    assert drift_detected(["prod/us-east-1/rds"]) == "Drift detected in prod/us-east-1/rds"


@pytest.mark.parametrize(
    "message, told",
    [
        (
            "`terragrunt plan` failed for dev/s2: Invalid block (main.tf:3)\nCorrect it.",
            "dev/s2: Invalid block (main.tf:3)",
        ),
        ("The apply of dev/s2 was cancelled. Look.", "The apply of dev/s2 was cancelled. Look."),
        ("`terragrunt plan` failed for dev/s2: dev/s22 is odd", "dev/s2: dev/s22 is odd"),
        ("It needs `dev/s22`.", "dev/s2: It needs `dev/s22`."),
        ("", "dev/s2"),
    ],
)
def test_a_failure_names_its_unit_once_and_leaves_what_to_do_to_the_comment(message: str, told: str) -> None:
    assert unit_failure("dev/s2", message) == told


def test_what_is_destroyed_is_never_left_unsaid() -> None:
    assert plan_completed(PlanSummary(destroy=2)) == "Plan completed: 0 to add, 0 to change, 2 to destroy"


def test_a_plan_of_nothing_says_so() -> None:
    assert plan_completed(PlanSummary()) == "Plan completed: no changes"
    assert plan_completed(PlanSummary(outputs_changed=1)) == "Plan completed: 0 to add, 0 to change"


@pytest.mark.parametrize(
    "units, text",
    [
        ([], "no units"),
        (["dev/a"], "dev/a"),
        (["dev/b", "dev/a"], "dev/a and dev/b"),
        (["dev/a", "dev/a"], "dev/a"),
        (["dev/x/a", "dev/x/b", "dev/y/c"], "dev/... (3 units)"),
        (["dev/ab", "dev/abc", "dev/abd"], "dev/... (3 units)"),
        (["dev/a", "prod/b", "staging/c"], "dev/a, prod/b, staging/c"),
        ([f"e{n}/a" for n in range(8)], "e0/a, e1/a, e2/a, e3/a, e4/a and 3 more"),
    ],
)
def test_units_are_named_one_by_one_or_by_their_directory(units: list[str], text: str) -> None:
    assert units_text(units) == text


def test_the_threads_head_says_where_to_look() -> None:
    head = thread_head(
        "Plan started for dev/a",
        pull_request=12,
        pull_request_url="https://g/pull/12?a=b&c",
        run_url="https://t/run",
        actor="dev",
    )
    assert head == "Plan started for dev/a\n<https://g/pull/12?a=b&amp;c|PR #12> · <https://t/run|Temporal> · by dev"


def test_without_addresses_the_head_has_no_links() -> None:
    assert thread_head("x", pull_request=12, pull_request_url="", run_url="") == "x\nPR #12"


def test_an_error_message_keeps_its_lines_and_gains_none() -> None:
    assert apply_failed("  first \n\n   second\n") == "Apply failed: first\nsecond"
    assert apply_failed("") == "Apply failed: no reason was given"
    assert plan_failed("x") == "Plan failed: x"


@pytest.mark.parametrize("text", ["<!channel> & <@U123>", "<https://evil|click>", "a&lt;b"])
def test_text_of_others_is_only_text(text: str) -> None:
    for message in (apply_failed(text), plan_started([text]), drift_detected([text])):
        assert "<" not in message
        assert ">" not in message
    assert escaped("<!channel>") == "&lt;!channel&gt;"


def test_only_a_web_address_is_linked() -> None:
    assert link("https://a/b", "x|y>") == "<https://a/b|x¦y&gt;>"
    assert link("javascript:x", "text") == "text"
    assert link("https://a|b", "text") == "text"


@given(st.text(alphabet="a&<>é\n", max_size=100), st.integers(1, 200))
def test_no_message_is_too_long_or_cut_within_a_sign(piece: str, times: int) -> None:
    head = thread_head(
        piece * times, pull_request=1, pull_request_url="https://" + "a" * 400, run_url="https://t", actor=piece
    )
    for message in (apply_failed(piece * times), plan_started([piece * times]), head):
        assert len(message) <= MESSAGE_LIMIT
    failed = apply_failed(piece * times)
    assert "&" not in failed.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


def test_a_run_adds_up_its_units() -> None:
    assert total([PlanSummary(add=1, destroy=1), PlanSummary(add=2, change=3)]) == PlanSummary(
        add=3, change=3, destroy=1
    )
    assert total([]).is_empty
