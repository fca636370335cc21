"""A table of locks put together again from what holders and waiters show of themselves."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from docustack.lock_messages import LocksMemo
from docustack.locks import LockTable
from docustack.lost_locks import first_token, rebuilt
from tests.unit.test_locks import HOLDERS, NOW, UNITS, request

Asked = list[tuple[int, set[str]]]


def memos_of(table: LockTable) -> list[LocksMemo]:
    """As everybody would show it who has heard all: each holder what it holds, each waiting run its request."""
    held = [
        LocksMemo(grants=tuple(grant for grant in table.grants.values() if grant.holder == holder))
        for holder in HOLDERS
    ]
    return [*held, *(LocksMemo(request=waiting) for waiting in table.queue)]


@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.sampled_from(UNITS), min_size=1)), max_size=12), st.randoms())
def test_a_table_that_was_lost_comes_back_as_it_was(asked: Asked, chance: Random) -> None:
    table = LockTable()
    for place, (holder, units) in enumerate(asked):
        new = request(holder, *sorted(units), name=f"request-{place:02}")
        table.request(new.model_copy(update={"requested_at": NOW + timedelta(seconds=place)}), NOW)
    memos = memos_of(table)
    chance.shuffle(memos)
    again = rebuilt(memos, NOW)
    assert again.grants == table.grants
    assert again.queue == table.queue
    assert again.line() == table.line()
    assert again.next_token > max([0, *(grant.token for grant in table.grants.values())])
    assert again.grant_ready(NOW) == []


def test_of_two_who_think_that_they_hold_a_unit_the_later_one_does() -> None:
    table = LockTable()
    table.request(request(0, UNITS[0]), NOW)
    old = LocksMemo(grants=tuple(table.grants.values()))
    table.release(HOLDERS[0])
    table.request(request(1, UNITS[0]), NOW)
    new = LocksMemo(grants=tuple(table.grants.values()))
    for memos in ([old, new], [new, old]):
        assert rebuilt(memos, NOW).grants[UNITS[0]].holder == HOLDERS[1]


def test_a_request_that_two_show_waits_once() -> None:
    waiting = LocksMemo(request=request(0, UNITS[0]))
    assert len(rebuilt([waiting, waiting], NOW).queue) == 1


def test_tokens_of_a_lost_table_are_never_given_again() -> None:
    """However many it had granted and freed, of which nobody knows any more."""
    table = LockTable(next_token=first_token(NOW))
    for number in range(500):
        table.request(request(number % 4, UNITS[0], name=str(number)), NOW)
        table.release(HOLDERS[number % 4])
    assert rebuilt([], datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)).next_token > table.next_token


def test_exactly_the_grants_of_an_ended_holder_are_freed() -> None:
    table = LockTable()
    old = table.request(request(0, *UNITS[:2]), NOW).tokens
    table.release(HOLDERS[0], (UNITS[0],))
    table.request(request(0, UNITS[0], name="anew"), NOW)
    table.release_tokens(HOLDERS[0], old)
    assert set(table.grants) == {UNITS[0]}, "granted anew since"
