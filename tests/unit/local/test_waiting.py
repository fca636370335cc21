"""Waiting: what is there is found at once, what is not is looked for again, and less and less often on request."""

import time

import pytest

from local.waiting import NotThere, wait_for


def looks_in(seconds: float, **options: float) -> int:
    """How often somebody looks who waits in vain."""
    looks: list[float] = []
    with pytest.raises(NotThere):
        wait_for(lambda: looks.append(time.monotonic()), "what never comes", seconds, **options)  # type: ignore[arg-type]
    return len(looks)


def test_what_is_there_is_given_at_once() -> None:
    began = time.monotonic()
    assert wait_for(lambda: "there", "it", 60, every=30) == "there"
    assert time.monotonic() - began < 30


def test_who_waits_long_looks_less_often() -> None:
    assert looks_in(1, every=0.001, at_last_every=1) < looks_in(1, every=0.001)


def test_what_never_comes_is_told_with_what_was_there_instead() -> None:
    with pytest.raises(NotThere, match="a plan: not there after 0 s; an apology"):
        wait_for(lambda: None, "a plan", 0, found_instead=lambda: "an apology")
