"""How a command ends an apply that only waits: its run begins beside it, and takes its place.

A command that is refused, for whichever reason of its own run, leaves the apply waiting.
"""

from docustack.commands import Command, CommandKind
from docustack.pull_request_actions import Action, CancelRun, GiveTurn, Reply, Sign
from docustack.pull_request_replies import SUPERSEDED_BY_PLAN, SUPERSEDED_BY_UNLOCK, ended_reply, queued_reply
from docustack.pull_request_starts import begin
from docustack.pull_request_state import ActiveRun, PullRequestState, RunMayBegin, RunToStart, SupersededRun
from docustack.pull_request_turns import supersede, take_command
from docustack.runs import Operation


def take_may_begin(state: PullRequestState, message: RunMayBegin) -> list[Action]:
    """A challenger may begin: the apply that waits ends, and everybody reads by whom; else it waits its turn."""
    challenger, active = state.challenger, state.active
    if challenger is None or challenger.run_id != message.run_id or active is None:
        return []
    run = challenger.run
    if not active.waiting:
        cancelled = withdraw_challenger(state)
        waits = queued_reply(run.operation, active.operation, active.run_id, 1)
        return [*cancelled, Reply(key=f"reply-{run.comment_id}", body=waits)]
    told = _tell_of_the_end(state, active, run)
    reason = SUPERSEDED_BY_UNLOCK if run.operation is Operation.UNLOCK else SUPERSEDED_BY_PLAN
    ended = supersede(state, reason)
    state.challenger = None
    begin(state, challenger.run_id, run)
    return [*told, *ended, GiveTurn(run_id=challenger.run_id)]


def withdraw_challenger(state: PullRequestState, *, asked_again: bool = True) -> list[Action]:
    """What was challenged has ended or goes on: the command waits its turn like any other, and looks anew then."""
    challenger, state.challenger = state.challenger, None
    if challenger is None:
        return []
    run = challenger.run
    state.superseded.append(
        SupersededRun(run_id=challenger.run_id, operation=run.operation, head_commit=run.head_commit)
    )
    if asked_again:
        state.queue.insert(0, challenger.run.model_copy(update={"challenges": ""}))
    return [CancelRun(run_id=challenger.run_id, reason=SUPERSEDED_BY_PLAN)]


def challenge_from_line(state: PullRequestState) -> list[Action]:
    """Of those in line, a plan or an unlock need not wait for an apply that only waits."""
    waits = state.active is not None and state.active.waiting and state.challenger is None
    ready = next((run for run in state.queue if run.operation is not Operation.APPLY), None)
    if not waits or ready is None:
        return []
    state.queue.remove(ready)
    return take_command(state, ready, key=f"reply-{ready.comment_id}")


def _tell_of_the_end(state: PullRequestState, active: ActiveRun, run: RunToStart) -> list[Action]:
    command = Command(kind=CommandKind(run.operation.value), directories=run.directories, destroy=run.destroy)
    body = ended_reply(command.written(state.comment_prefixes[0]), run.actor, active.actor, active.run_id)
    told: list[Action] = [Reply(key=f"ended-{active.run_id}", body=body)]
    if active.comment_id is not None:
        told.append(Sign(comment_id=active.comment_id, content="-1"))
    return told
