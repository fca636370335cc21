"""What the start of a run makes of what is known of its pull request."""

from docustack.pull_request_state import ActiveRun, Challenger, PullRequestState, RunToStart


def started(state: PullRequestState, run_id: str, run: RunToStart) -> None:
    """A run was started: it is the one that counts from now on, or stands beside the one that does.

    One that stands beside looks whether it may begin, and changes nothing before it has its turn.
    """
    if run.challenges:
        state.challenger = Challenger(run_id=run_id, run=run)
    else:
        begin(state, run_id, run)


def begin(state: PullRequestState, run_id: str, run: RunToStart) -> None:
    """This run counts from now on."""
    assert state.facts is not None, "a run starts only once the pull request is known"
    state.active = ActiveRun(
        run_id=run_id,
        operation=run.operation,
        head_commit=state.facts.head_commit,
        actor=run.actor,
        directories=run.directories,
        only_outdated=run.only_outdated,
        only_looks=run.only_looks,
        destroy=run.destroy,
        comment_id=run.comment_id,
    )
    if run.merge_commit and not state.runs:  # a command to a merge of long ago: it is no news
        state.taken_up_merge = run.merge_commit
    if run.plans_everything:
        state.planned_head, state.plan_again = state.facts.head_commit, False
        state.freed = {}
        state.base_has_moved = False  # it is made from the base as it is now
        if run.automatic:  # head or base are others now; a commanded plan takes the old ones' place once it is made
            state.plans, state.deferred = {}, []
