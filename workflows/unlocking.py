"""`terrateam unlock`: gives back what the pull request holds, and frees a Terraform state lock that we have left."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import gate, policies
from workflows.calls import call
from workflows.choosing import applied_from_here
from workflows.failures import message_of
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.turns import take_turn
from workflows.unit_calls import free_state_lock

with workflow.unsafe.imports_passed_through():
    from activities.locks import GiveUpLocks, Locks
    from activities.terragrunt_messages import StateLockAnswer
    from docustack.access import decide_access
    from docustack.comment_text import counted
    from docustack.lock_messages import ReleaseLocks
    from docustack.run_comments import unlock_comment
    from docustack.runs import Operation


async def unlock(run: Run, report: Report) -> None:
    """Guide, "State Lock Issues": by the holder's side (its author) or by whoever may apply there."""
    await _refuse_strangers(run)
    await take_turn(run)
    units = run.state.selected
    answers = await asyncio.gather(*(_free(run, unit) for unit in units))
    release = ReleaseLocks(holder=run.holder, units=tuple(units), actor=run.start.actor)
    order = GiveUpLocks(repository=run.start.repository, release=release)
    await call(Locks.give_up_locks, order, summary=f"{len(units)} units", policy=policies.LOCKS)
    if run.start.merge_commit:  # nobody waits any more for what the merge has left of them
        run.state.owed = [unit for unit in applied_from_here(run) if unit not in units]
    found = {unit: answer for unit, answer in zip(units, answers, strict=True) if answer.locked or answer.message}
    report.say("unlock", unlock_comment(units, found))
    run.state.message = f"holds no lock of {counted(len(units), 'unit')} any more"


async def _refuse_strangers(run: Run) -> None:
    facts = await gate.read_facts(run)
    decisions = [
        decide_access(run.configuration, environment, Operation.APPLY, facts.actor)
        for environment in run.environments()
    ]
    refusals = [decision.message for decision in decisions if not decision.allowed]
    if refusals and run.start.actor != facts.author:
        raise Refused("\n\n".join([*refusals, "The author of the pull request may unlock it too."]))


async def _free(run: Run, unit: str) -> StateLockAnswer:
    try:
        return await free_state_lock(run, unit)
    except ActivityError as error:
        return StateLockAnswer(locked=False, freed=False, message=message_of(error))
