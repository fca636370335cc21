"""The check `docustack/apply` of a pull request that changes the rules, between its runs: their owners decide."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.check_runs import set_check

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import ReadGate
    from docustack.checks import Check
    from docustack.pull_request_rules import is_applying
    from docustack.pull_request_state import PullRequestState
    from docustack.repository import Repository
    from docustack.rules_approval import decide_rules, rules_check
    from docustack.rules_guard import RulesGuard, RulesVerdict
    from docustack.runs import Operation


class Judging:
    """One judgement after the other, each by what GitHub says then."""

    def __init__(self, repository: Repository, number: int, state: PullRequestState) -> None:
        self._repository = repository
        self._number = number
        self._state = state
        self._turn = asyncio.Lock()

    async def judge(self) -> None:
        """Set the check, unless it says so already; what GitHub refuses for good is logged."""
        async with self._turn:
            try:
                await self._judge()
            except ActivityError as error:
                workflow.logger.error("the change of the rules of #%d was not judged: %s", self._number, error.cause)

    async def _judge(self) -> None:
        state, guard = self._state, self._state.rules
        if guard is None or state.facts is None or not state.is_open or state.facts.head_commit != guard.head_commit:
            return
        facts = await call(
            GitHub.read_gate,
            ReadGate(
                repository=self._repository,
                pull_request=self._number,
                actor=state.facts.author,
                teams={guard.owners: guard.slug},
            ),
            summary=f"#{self._number}",
            policy=policies.GITHUB,
        )
        decision = decide_rules(guard.owners, facts.author, guard.head_commit, facts.reviews, guard.shown)
        verdict = RulesVerdict(approved=decision.satisfied, unapplied=guard.unapplied)
        if verdict == state.rules_told or state.rules != guard or is_applying(state):
            return
        state.rules_told = verdict
        await self._set(guard, rules_check(decision, guard.unapplied))
        # Of two checks with one name the one that was made last counts, and the run may have made its own before.
        state.rules_told_late = is_applying(state)

    async def _set(self, guard: RulesGuard, check: Check) -> None:
        self._state.rules_checks += 1
        await set_check(
            self._repository,
            guard.head_commit,
            Operation.APPLY,
            check,
            external_id=f"rules-{self._number}-{self._state.rules_checks}",
        )
