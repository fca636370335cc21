"""What GitHub is asked before an event is taken: how the pull request is by now, what we answered, who commands."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import policies
from workflows.calls import call

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import AskAnswered, ReadPerson, ReadPullRequest
    from docustack.events import PullRequestEvent
    from docustack.pull_request_comments import asks_for_a_run, wants_an_answer
    from docustack.pull_request_state import PullRequestState
    from docustack.repository import Repository


class Asking:
    """Deliveries come late and out of order, so what an event says of the pull request is not what counts."""

    def __init__(self, repository: Repository, number: int, state: PullRequestState) -> None:
        self._repository = repository
        self._number = number
        self._state = state

    async def read_facts(self) -> bool:
        """The pull request as GitHub tells it now; False, and noted, where it can't be read."""
        try:
            self._state.facts = await call(
                GitHub.read_pull_request,
                ReadPullRequest(repository=self._repository, pull_request=self._number),
                summary=f"#{self._number}",
                policy=policies.GITHUB,
            )
        except ActivityError as error:
            reason = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            self._state.rejected = [*self._state.rejected[-19:], f"#{self._number} could not be read: {reason}"]
            return False
        return True

    async def was_answered(self, event: PullRequestEvent) -> bool:
        """Our sign at a comment is older than this workflow: GitHub may deliver again what one before it has done."""
        if not wants_an_answer(self._state, event, self._state.bot_login):
            return False
        assert event.comment_id is not None
        question = AskAnswered(repository=self._repository, comment_id=event.comment_id)
        try:
            answer = await call(GitHub.ask_answered, question, summary=str(event.comment_id), policy=policies.GITHUB)
        except ActivityError as error:
            workflow.logger.error("the signs at comment %s could not be read: %s", event.comment_id, error.cause)
            return False
        return answer.answered

    async def may_command(self, event: PullRequestEvent) -> bool:
        """Has who commands a run push access? Asked before anything of the pull request is looked at."""
        if not asks_for_a_run(self._state, event, self._state.bot_login):
            return True
        try:
            person = await call(
                GitHub.read_person,
                ReadPerson(repository=self._repository, login=event.sender, teams={}),
                summary=event.sender,
                policy=policies.GITHUB,
            )
        except ActivityError as error:
            workflow.logger.error("the rights of %s could not be read: %s", event.sender, error.cause)
            return False
        return person.can_push
