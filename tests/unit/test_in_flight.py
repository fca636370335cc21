"""Equal questions that are asked at once are asked once."""

import asyncio

import pytest

from activities.in_flight import InFlight


class Oracle:
    """Answers when it is told to; counts what it was asked, and what was given up."""

    def __init__(self) -> None:
        self.asked = self.given_up = 0
        self.may_answer = asyncio.Event()

    async def answer(self) -> int:
        self.asked += 1
        number = self.asked
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if number > 1:
            raise LookupError(number)
        return number


async def asking(questions: InFlight[int], oracle: Oracle, *keys: str) -> "list[asyncio.Task[int]]":
    tasks = [asyncio.create_task(questions.ask(key, oracle.answer)) for key in keys]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_who_asks_the_same_meanwhile_gets_the_same_answer() -> None:
    questions, oracle = InFlight[int](), Oracle()
    tasks = await asking(questions, oracle, "a", "a", "a")
    oracle.may_answer.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert oracle.asked == 1


async def test_an_answer_is_not_remembered() -> None:
    questions, oracle = InFlight[int](), Oracle()
    oracle.may_answer.set()
    assert await questions.ask("a", oracle.answer) == 1
    with pytest.raises(LookupError):
        await questions.ask("a", oracle.answer)
    assert oracle.asked == 2


async def test_an_error_reaches_all_who_asked() -> None:
    questions, oracle = InFlight[int](), Oracle()
    oracle.asked = 1
    tasks = await asking(questions, oracle, "a", "a")
    oracle.may_answer.set()
    assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [LookupError] * 2
    assert oracle.asked == 2


async def test_other_questions_are_asked_for_themselves() -> None:
    questions, oracle = InFlight[int](), Oracle()
    tasks = await asking(questions, oracle, "a", "b")
    oracle.may_answer.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert oracle.asked == 2


async def test_who_gives_up_takes_the_answer_from_nobody_else() -> None:
    questions, oracle = InFlight[int](), Oracle()
    first, second = await asking(questions, oracle, "a", "a")
    first.cancel()
    await asyncio.wait([first])
    oracle.may_answer.set()
    assert await second == 1
    assert (oracle.asked, oracle.given_up) == (1, 0)


async def test_what_nobody_waits_for_any_more_is_ended_before_they_go_on() -> None:
    questions, oracle = InFlight[int](), Oracle()
    tasks = await asking(questions, oracle, "a", "a")
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert (oracle.asked, oracle.given_up) == (1, 1)
    (again,) = await asking(questions, oracle, "a")
    assert oracle.asked == 2
    again.cancel()
