"""Takes the locks of a run's units, all or none; who finds them held waits in line, and begins anew at its turn."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import workflow

from workflows import gate, policies
from workflows.calls import call
from workflows.ended_holders import free_what_ended_holders_left
from workflows.following import follow_base
from workflows.renewing import leave_out_gone
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.taking_over import ask_to_hand_over
from workflows.telling import tell_locks
from workflows.waiting import begin_to_wait, go_on

with workflow.unsafe.imports_passed_through():
    from activities.locks import Locks, RequestLocks
    from docustack.checks import in_line_check
    from docustack.lock_comments import (
        in_line_comment,
        left_line_comment,
        place_in_line,
        turn_comment,
        waited_too_long,
        who_is_before,
    )
    from docustack.lock_messages import LOCKS_MEMO, LocksMemo, WithdrawRequest
    from docustack.locks import Grant, LockAnswer, LockRequest
    from docustack.runs import RunStatus

_COMMENT = "line"


class LockAnswers:
    """What the table of locks has signalled to this run."""

    def __init__(self) -> None:
        self._by_request: dict[str, LockAnswer] = {}
        self.beside: set[str] = set()  # requests whose grants the run itself doesn't work under

    def heard(self, answer: LockAnswer) -> None:
        self._by_request[answer.request_id] = answer

    def of(self, request_id: str) -> LockAnswer | None:
        return self._by_request.get(request_id)


async def take_locks(run: Run, report: Report, answers: LockAnswers) -> None:
    """Locks belong to the pull request, until it is merged, closed or unlocked; without one, to the run.

    Raises:
        Refused: the pull request was closed or moved on while it waited in line, or its turn didn't come in time;
            nothing was taken.
    """
    line = _Line(run, report, answers)
    try:
        answer = await line.wait()
        run.stop_if_cancelled()
        take_over(run, answer)
        await line.begin_anew()
    except (Exception, asyncio.CancelledError):
        await give_back(run)
        line.leave()
        raise


def take_over(run: Run, answer: LockAnswer) -> None:
    """The run works under these grants from now on: a table that was put together again may have given it others."""
    run.state.tokens = answer.tokens
    workflow.upsert_memo({LOCKS_MEMO: LocksMemo(grants=answer.grants)})


async def hold(
    run: Run, answers: LockAnswers, units: Sequence[str], *, purpose: str = "owed", keep: bool = True
) -> tuple[Grant, ...]:
    """Take for the pull request what nobody else holds, for longer than this run; without waiting for the rest.

    Returns the grants of those who hold the rest. Without `keep` what was taken is given back: then it only looks.
    """
    request_id, wanted, blocked_by = f"{_request_id(run)}:{purpose}", tuple(units), dict[str, Grant]()
    while wanted:
        request = _request(run, f"{request_id}:{len(wanted)}", wanted)
        answers.beside.add(request.request_id)
        answer = await _ask_or_take_over(run, request, answers)
        if answer.granted:
            if not keep:
                await _withdraw(run, request.request_id)
            break
        await _withdraw(run, request.request_id)
        blocked_by |= {grant.unit: grant for grant in answer.blocked_by}
        free = tuple(unit for unit in wanted if unit not in blocked_by)
        wanted = free if len(free) < len(wanted) else ()  # somebody waits for them in line: they are theirs
    return tuple(blocked_by.values())


async def give_back(run: Run) -> None:
    """A run that does not wait for its locks, or can't use them, keeps nobody else from them.

    What its pull request held before this run stays held.
    """
    workflow.upsert_memo({LOCKS_MEMO: LocksMemo()})
    await _withdraw(run, _request_id(run))


async def _withdraw(run: Run, request_id: str) -> None:
    await tell_locks(run.start.repository, "withdraw", WithdrawRequest(request_id=request_id))


def _request(run: Run, request_id: str, units: Sequence[str]) -> LockRequest:
    start = run.start
    return LockRequest(
        request_id=request_id,
        holder=run.holder,
        pull_request=start.number,
        actor=start.actor,
        units=tuple(units),
        requested_at=workflow.now(),
        answer_to=workflow.info().workflow_id,
    )


def _request_id(run: Run) -> str:
    return f"{run.start.run_id}:{workflow.info().run_id}"


async def _send(run: Run, request: LockRequest) -> None:
    await call(
        Locks.request_locks,
        RequestLocks(repository=run.start.repository, request=request),
        summary=f"{len(request.units)} units",
        policy=policies.LOCKS,
    )


async def _ask(run: Run, request: LockRequest, answers: LockAnswers) -> LockAnswer:
    """The first answer, whatever it says; a lost one is asked for again."""
    while True:
        await _send(run, request)
        try:
            await workflow.wait_condition(
                lambda: answers.of(request.request_id) is not None, timeout=policies.LOCK_ANSWERS_WITHIN
            )
        except TimeoutError:
            continue
        answer = answers.of(request.request_id)
        assert answer is not None
        return answer


async def _ask_or_take_over(run: Run, request: LockRequest, answers: LockAnswers) -> LockAnswer:
    """What a merge holds that was not applied goes to who contains it; any other answer is final."""
    answer = await _ask(run, request, answers)
    if not answer.granted and await ask_to_hand_over(run, answer.blocked_by):
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: answers.of(request.request_id) != answer, timeout=policies.LOCK_ANSWERS_WITHIN
            )
    return answers.of(request.request_id) or answer


class _Line:
    """One run's request, until it is granted."""

    def __init__(self, run: Run, report: Report, answers: LockAnswers) -> None:
        self._run = run
        self._report = report
        self._answers = answers
        self._asked_at = workflow.now()
        self._place: LockAnswer | None = None  # as people were told last
        self._asked_over: LockAnswer | None = None  # its holders were asked to hand over what they owe
        self._wakes: int | None = None  # when the pull request was looked at last
        self._request = _request(run, _request_id(run), run.state.selected)

    async def wait(self) -> LockAnswer:
        """Ask, and ask again: a lost signal heals, and the table answers the same request the same way.

        Raises:
            Refused: as `take_locks`.
        """
        again = policies.LOCK_ANSWERS_WITHIN
        while True:
            await _send(self._run, self._request)
            until = workflow.now() + again
            granted = await self._listen(until if self._place is None else min(until, self._gives_up))
            if granted is not None:
                return granted
            if self._place is not None:
                await free_what_ended_holders_left(self._run, self._place.blocked_by)
                again = policies.asked_again_in(again, workflow.now() - self._asked_at)
                self._refuse_to_wait_longer()

    async def _listen(self, until: datetime) -> LockAnswer | None:
        """The grant, or None if there is none by then; each change of the place is told meanwhile."""
        while True:
            self._run.stop_if_cancelled()
            answer, wakes = self._answers.of(self._request.request_id), self._run.wakes
            if answer is not None and answer.granted:
                return answer
            if answer is not None and answer != self._place:
                if answer == self._asked_over or not await ask_to_hand_over(self._run, answer.blocked_by):
                    await self._stand(answer)
                self._asked_over = answer
            if self._place is not None and wakes != self._wakes:
                await self._refuse_what_is_over()
                self._wakes = wakes
            if not await self._news(answer, wakes, until - workflow.now()):
                return None

    async def _news(self, answer: LockAnswer | None, wakes: int, within: timedelta) -> bool:
        """Is anything else known than this, or will be in time?"""
        try:
            await workflow.wait_condition(
                lambda: (self._answers.of(self._request.request_id), self._run.wakes) != (answer, wakes),
                timeout=max(within, timedelta()),
            )
        except TimeoutError:
            return False
        return True

    async def _refuse_what_is_over(self) -> None:
        """A push, a close or a no: when it comes to stand in line, and whenever something is told to the run there."""
        facts = await gate.read_facts(self._run)
        gate.refuse_what_was_rejected(self._run)
        gate.refuse_what_can_not_be_applied(self._run, facts)

    async def _stand(self, answer: LockAnswer) -> None:
        """Comment and check say the same, and are rewritten in place."""
        self._place = answer
        place, prefix = place_in_line(answer), self._run.prefix
        if self._run.start.pull_request is None:  # else the comment says it
            place = "\n".join([f"{place}.", *who_is_before(answer)])
        if not await begin_to_wait(self._run, self._report, RunStatus.IN_LINE, place):
            self._run.state.message = place
            self._report.show()
        else:
            workflow.upsert_memo({LOCKS_MEMO: LocksMemo(request=self._request)})
        self._report.say_again(_COMMENT, lambda: in_line_comment(answer, prefix))
        self._report.check.set(in_line_check(place, in_line_comment(answer, prefix)))

    @property
    def _gives_up(self) -> datetime:
        return self._asked_at + timedelta(days=self._run.configuration.apply.approval_expires_days)

    def _refuse_to_wait_longer(self) -> None:
        if workflow.now() >= self._gives_up:
            days = self._run.configuration.apply.approval_expires_days
            raise Refused(waited_too_long(days, self._run.prefix), on_check=True)

    async def begin_anew(self) -> None:
        """After a wait the world is another: the gate is asked again, and every unit is planned on the present base.

        Raises:
            Refused: as the gate does before a later wave.
        """
        if self._place is None:
            return
        run, report = self._run, self._report
        await go_on(run, report)
        await gate.check_again(run, run.environments())
        await follow_base(run)
        leave_out_gone(run, report)
        run.state.plans_are_old = True
        text = turn_comment(run.state.selected, self._asked_at)
        self._report.say_again(_COMMENT, lambda: text)

    def leave(self) -> None:
        if self._place is not None:
            text = left_line_comment(self._asked_at)
            self._report.say_again(_COMMENT, lambda: text)
