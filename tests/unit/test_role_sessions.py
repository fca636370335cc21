"""The name of a session in AWS, which CloudTrail shows."""

import re

from hypothesis import given
from hypothesis import strategies as st

from docustack.role_sessions import session_name


def test_it_tells_the_pull_request_and_the_person() -> None:
    assert session_name(pull_request=12, run_id="1f", actor="infra-member") == "docustack-pr-12-infra-member"


def test_without_a_pull_request_it_tells_the_run() -> None:
    assert session_name(pull_request=None, run_id="1f2e3d", actor="lead") == "docustack-run-1f2e3d-lead"


def test_a_bots_name_keeps_to_the_characters_of_sts() -> None:
    assert session_name(pull_request=1, run_id="", actor="renovate[bot]") == "docustack-pr-1-renovate-bot-"


def test_the_longest_login_of_github_fits_whole() -> None:
    login = "a" * 39
    assert session_name(pull_request=123_456, run_id="", actor=login).endswith(f"-{login}")


@given(st.text(max_size=100), st.integers(min_value=0) | st.none())
def test_whoever_it_is_sts_takes_the_name(actor: str, number: int | None) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", session_name(pull_request=number, run_id="1f", actor=actor))
