"""How a run follows its base branch: rules, work tree and units are those of the branch as it is now."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.deletions import look_at_deletions
from workflows.failures import error_type_of, message_of
from workflows.preparing import find_units, load_rules
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from docustack.base_moves import is_outdated
    from docustack.errors import ErrorType
    from docustack.plans import PlanRecord


async def follow_base(run: Run) -> None:
    """Go over to the present tip of the base branch, where it is another than the run has worked with.

    What works in the old tree at this moment keeps it; what begins from now on gets the new one.

    Raises:
        Refused: the rules of the branch can't be read any more, or the pull request no longer merges into it.
    """
    loaded = await load_rules(run)
    if loaded.commit == run.tree.base_commit:
        return
    run.state.loaded = loaded
    if run.stays_at_commit and not _must_look_again(run, loaded.commit):
        return
    try:
        await find_units(run)
        await look_at_deletions(run)
    except ActivityError as error:
        if error_type_of(error) is ErrorType.MERGE_CONFLICT:
            raise Refused(message_of(error), on_check=True) from None
        raise


def _must_look_again(run: Run, tip: str) -> bool:
    """What has been merged stays what it is; but by now others may need what it deletes, or have it again."""
    if not run.start.merge_commit or tip == run.tree.base_tip:
        return False
    return any(run.destroys(unit) for unit in run.state.selected)


def is_of_another_base(run: Run, plan: PlanRecord) -> bool:
    """Was a plan made from other files than its unit reads now? After a merge each is made anew, of what was merged."""
    if run.stays_at_commit:
        return plan.tree_commit != run.tree_of(plan.unit).tree_commit
    return is_outdated(plan, run.discovery.inputs, run.tree.tree_commit)
