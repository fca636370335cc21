"""The table of locks under any order of requests, releases and withdrawals."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from docustack.locks import LockAnswer, LockRequest, LockTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNITS = [f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds", "temporal")]
HOLDERS = [f"pr:docustack/live#{number}" for number in range(1, 5)]


def request(holder: int, *units: str, name: str = "") -> LockRequest:
    return LockRequest(
        request_id=name or f"{holder}:{','.join(units)}",
        holder=HOLDERS[holder],
        pull_request=holder + 1,
        actor="infra-member",
        units=units,
        requested_at=NOW,
        answer_to=f"run:{holder}",
    )


class Tables(RuleBasedStateMachine):
    """Anything may happen in any order; after each step the table's promises hold."""

    asked = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.table = LockTable()
        self.names = 0
        self.highest = 0
        self.tokens: set[int] = set()
        self.waiting: list[str] = []  # request ids, oldest first, as a person would keep them
        self.previous: dict[str, tuple[str, int]] = {}

    @rule(target=asked, holder=st.integers(0, 3), units=st.sets(st.sampled_from(UNITS), min_size=1))
    def ask(self, holder: int, units: set[str]) -> LockRequest:
        self.names += 1
        new = request(holder, *sorted(units), name=f"request-{self.names}")
        answer = self.table.request(new, NOW)
        if not answer.granted:
            self.waiting.append(new.request_id)
        self.agree(new, answer)
        return new

    @rule(old=asked)
    def ask_again(self, old: LockRequest) -> None:
        """The same request: the same answer, unless it has left the table in between."""
        known = old.request_id in self.waiting
        before = self.table.model_copy(deep=True)
        if known or before.answer(old).granted:
            assert self.table.request(old, NOW) == before.answer(old)
            assert self.table == before

    @rule(holder=st.integers(0, 3))
    def release_all(self, holder: int) -> None:
        self.table.release(HOLDERS[holder])
        self.table.withdraw_holder(HOLDERS[holder])
        self.regrant()
        assert all(waiting.holder != HOLDERS[holder] for waiting in self.table.queue)
        assert all(grant.holder != HOLDERS[holder] for grant in self.table.grants.values())

    @rule(holder=st.integers(0, 3), units=st.sets(st.sampled_from(UNITS), min_size=1))
    def release_some(self, holder: int, units: set[str]) -> None:
        tokens = {unit: grant.token for unit, grant in self.table.grants.items() if grant.holder == HOLDERS[holder]}
        freed = self.table.release(HOLDERS[holder], tuple(units))
        assert set(freed) == units & tokens.keys()
        self.regrant()
        for unit in freed:
            assert not self.table.confirms(HOLDERS[holder], {unit: tokens[unit]})

    @rule(old=consumes(asked))
    def withdraw(self, old: LockRequest) -> None:
        others = {unit: grant for unit, grant in self.table.grants.items() if grant.request_id != old.request_id}
        self.table.withdraw(old.request_id)
        assert self.table.grants == others
        self.regrant()
        assert all(waiting.request_id != old.request_id for waiting in self.table.queue)

    def regrant(self) -> None:
        for granted in self.table.grant_ready(NOW):
            self.agree(granted, self.table.answer(granted))

    def agree(self, asked: LockRequest, answer: LockAnswer) -> None:
        """All or none, and the tokens told are the present ones."""
        if not answer.granted:
            assert answer.tokens == {}
            assert all(grant.holder != asked.holder for grant in answer.blocked_by)
            return
        assert answer.tokens.keys() == set(asked.units)
        assert self.table.confirms(asked.holder, answer.tokens)
        assert all(self.table.grants[unit].holder == asked.holder for unit in asked.units)

    @invariant()
    def tokens_only_grow(self) -> None:
        now = {unit: (grant.holder, grant.token) for unit, grant in self.table.grants.items()}
        for unit, (holder, token) in now.items():
            if self.previous.get(unit) != (holder, token):
                assert token not in self.tokens, "a token is given once"
                assert token < self.table.next_token
                assert token > self.highest, "a new token is higher than all before"
        self.tokens |= {token for _, token in now.values()}
        self.highest = max([self.highest, *(token for _, token in now.values())])
        self.previous = now

    @invariant()
    def one_holder_a_unit(self) -> None:
        assert all(unit == grant.unit for unit, grant in self.table.grants.items())
        tokens = [grant.token for grant in self.table.grants.values()]
        assert len(tokens) == len(set(tokens))

    @invariant()
    def nothing_is_lost_and_first_come_is_first(self) -> None:
        queue = [waiting.request_id for waiting in self.table.queue]
        assert len(queue) == len(set(queue))
        assert [name for name in self.waiting if name in queue] == queue, "the queue keeps its order"
        self.waiting = queue

    @invariant()
    def places_in_line_count_exactly_those_who_have_to_come_first(self) -> None:
        """As a person would find it out: who wants one of its units before it, and who those have to wait for."""
        line = self.table.line()
        assert list(line) == [waiting.request_id for waiting in self.table.queue]
        for place, waiting in enumerate(self.table.queue):
            wanted = set(waiting.units)
            ahead: list[str] = []
            for earlier in reversed(self.table.queue[:place]):
                if wanted & set(earlier.units):
                    wanted |= set(earlier.units)
                    ahead.insert(0, earlier.holder_name)
            assert line[waiting.request_id].ahead == tuple(ahead)
            assert line[waiting.request_id].position == len(ahead) + 1

    @invariant()
    def nobody_waits_who_could_go(self) -> None:
        """The first in the queue waits for a unit that another holds; nobody else has a right to be waited for."""
        if self.table.queue:
            first = self.table.queue[0]
            holders = {self.table.grants[unit].holder for unit in first.units if unit in self.table.grants}
            assert holders - {first.holder}
        assert self.table.model_copy(deep=True).grant_ready(NOW) == []

    @invariant()
    def nobody_starves_once_holders_release(self) -> None:
        """Whoever holds releases what it holds, again and again: everyone in the queue has its turn."""
        table = self.table.model_copy(deep=True)
        waiting = {entry.request_id for entry in table.queue}
        for _ in range(len(waiting) + 1):
            for holder in {grant.holder for grant in table.grants.values()}:
                table.release(holder)
            waiting -= {granted.request_id for granted in table.grant_ready(NOW)}
        assert not waiting

    @invariant()
    def it_survives_the_wire(self) -> None:
        assert LockTable.model_validate_json(self.table.model_dump_json()) == self.table


TestTables = Tables.TestCase
TestTables.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

VPC, CLUSTER, RDS = UNITS[:3]


def test_a_request_is_granted_whole_or_waits_whole() -> None:
    table = LockTable()
    table.request(request(0, VPC), NOW)
    answer = table.request(request(1, VPC, RDS), NOW)
    assert not answer.granted
    assert answer.position == 1
    assert [grant.pull_request for grant in answer.blocked_by] == [1]
    assert set(table.grants) == {VPC}


def test_what_an_earlier_request_waits_for_is_not_given_past_it() -> None:
    table = LockTable()
    table.request(request(0, VPC), NOW)
    table.request(request(1, VPC, RDS), NOW)
    assert not table.request(request(2, RDS), NOW).granted
    table.release(HOLDERS[0])
    assert [granted.holder for granted in table.grant_ready(NOW)] == [HOLDERS[1]]


def test_requests_that_share_no_unit_do_not_wait_for_each_other() -> None:
    table = LockTable()
    table.request(request(0, VPC), NOW)
    table.request(request(1, VPC), NOW)
    assert table.request(request(2, RDS), NOW).granted


def test_a_place_in_line_is_not_that_of_those_who_want_something_else() -> None:
    table = LockTable()
    table.request(request(0, VPC, RDS), NOW)
    table.request(request(1, VPC), NOW)
    first_for_rds = table.request(request(2, RDS), NOW)
    both = table.request(request(3, VPC, RDS), NOW)
    assert (first_for_rds.position, first_for_rds.ahead) == (1, ())
    assert (both.position, both.ahead) == (3, ("pull request 2", "pull request 3"))


def test_a_holder_gets_more_units_and_keeps_the_tokens_it_has() -> None:
    table = LockTable()
    first = table.request(request(0, VPC), NOW)
    second = table.request(request(0, VPC, RDS), NOW)
    assert second.granted
    assert second.tokens[VPC] == first.tokens[VPC]
    assert second.tokens[RDS] > first.tokens[VPC]


def test_a_token_is_worth_nothing_after_its_release_even_for_the_same_holder() -> None:
    table = LockTable()
    old = table.request(request(0, VPC), NOW).tokens
    table.release(HOLDERS[0])
    assert not table.confirms(HOLDERS[0], old)
    new = table.request(request(0, VPC, name="later"), NOW).tokens
    assert not table.confirms(HOLDERS[0], old)
    assert table.confirms(HOLDERS[0], new)
    assert not table.confirms(HOLDERS[1], new)


def test_a_request_withdrawn_after_its_grant_gives_back_only_what_it_took() -> None:
    table = LockTable()
    table.request(request(0, VPC, name="before"), NOW)
    table.request(request(0, VPC, RDS, name="withdrawn"), NOW)
    table.withdraw("withdrawn")
    assert set(table.grants) == {VPC}


def test_a_closed_pull_request_waits_for_nothing_any_more() -> None:
    table = LockTable()
    table.request(request(0, VPC), NOW)
    table.request(request(1, VPC), NOW)
    table.withdraw_holder(HOLDERS[1])
    table.release(HOLDERS[0])
    assert table.grant_ready(NOW) == []
    assert table.grants == {}


@pytest.mark.parametrize("units", [None, (VPC,), (VPC, RDS)])
def test_a_release_touches_nobody_elses_units(units: tuple[str, ...] | None) -> None:
    table = LockTable()
    table.request(request(0, VPC), NOW)
    table.request(request(1, RDS), NOW)
    assert table.release(HOLDERS[0], units) == [VPC]
    assert set(table.grants) == {RDS}


def test_two_hundred_pull_requests_on_twenty_units_all_have_their_turn_in_the_order_in_which_they_came() -> None:
    """Those that share a unit, one after the other; whoever has its units gives them back at some time."""
    chance, table = Random(7), LockTable()
    units = [f"dev/us-east-1/unit-{number:02}" for number in range(20)]
    wanted = {number: chance.sample(units, chance.randint(1, 3)) for number in range(200)}
    served: list[int] = []
    for number, names in wanted.items():
        asked = request(0, *names, name=str(number)).model_copy(update={"holder": f"pr:{number}"})
        if table.request(asked, NOW).granted:
            served.append(number)
    assert len(table.queue) + len(served) == len(wanted)
    while table.grants:
        table.release(chance.choice(sorted(grant.holder for grant in table.grants.values())))
        before = {unit: grant.token for unit, grant in table.grants.items()}
        served += [int(granted.request_id) for granted in table.grant_ready(NOW)]
        assert before.items() <= {unit: grant.token for unit, grant in table.grants.items()}.items(), "nothing twice"
    assert sorted(served) == sorted(wanted)
    assert table.queue == []
    for unit in units:
        turns = [number for number in served if unit in wanted[number]]
        assert turns == sorted(turns), unit
