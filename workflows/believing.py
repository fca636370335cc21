"""Whose order a run without a pull request is: verified by our server's signature, never claimed."""

from temporalio import workflow

from workflows import policies
from workflows.calls import call
from workflows.preparing import load_rules_of
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from activities.approvals import Approvals
    from activities.deployments import AskParent, Deployments
    from docustack.deployment_steps import (
        NO_WORD,
        NOT_SIGNED,
        DeploymentWord,
        no_step,
        refuse_scope,
        refuse_word,
    )
    from docustack.events import pull_request_workflow_id
    from docustack.orders import begins_in_time, not_believed, signed_run
    from workflows.run_models import RunStart


def refuse_what_nobody_began(start: RunStart) -> None:
    """What a run has found out and been allowed comes only from the run that it continues, and a run of a pull request
    only from that one's workflow: whoever may start workflows in Temporal can claim either.

    Raises:
        Refused: somebody has.
    """
    info, run = workflow.info(), start.input
    if start.carried is not None and info.continued_run_id is None:
        raise Refused("This run was started as if it had begun before, which it has not. Nothing was begun.")
    if run.manual is not None:
        return
    its_workflow = pull_request_workflow_id(run.repository, run.number or 0)
    if info.parent is None or info.parent.workflow_id != its_workflow:
        raise Refused(f"This run was not started by `{its_workflow}`. Comment there instead. Nothing was begun.")


async def believe_order(run: Run, word: DeploymentWord | None) -> None:
    """A person's own, signed; or a step of a deployment, which has the signed words that the deployment has.

    Raises:
        Refused: our server has not signed this, or long ago, or not for this.
    """
    info, order = workflow.info(), run.start.manual
    assert order is not None
    if info.parent is not None:
        await _believe_step(run, word, info.parent)
        return
    signed = signed_run(run.start)
    answer = await call(Approvals.check_run, signed, summary=f"by {signed.login}", policy=policies.GITHUB)
    if word is not None or not answer.genuine or not begins_in_time(order, info.start_time):
        raise Refused(not_believed(has_key=answer.has_key))


async def _believe_step(run: Run, word: DeploymentWord | None, parent: workflow.ParentInfo) -> None:
    if word is None:
        raise Refused(no_step(NO_WORD))
    answer = await call(Approvals.check_word, word, summary=f"by {word.login}", policy=policies.GITHUB)
    if not answer.has_key:
        raise Refused(not_believed(has_key=False))
    if not answer.genuine:
        raise Refused(no_step(NOT_SIGNED))
    question = AskParent(workflow_id=parent.workflow_id, run_id=parent.run_id)
    found = await call(Deployments.read_parent, question, summary=parent.workflow_id, policy=policies.LOCKS)
    if why := refuse_word(run.start, word, found, workflow.info().start_time):
        raise Refused(no_step(why))


async def believe_scope(run: Run, word: DeploymentWord) -> None:
    """Once the rules are known: that what was ordered covers this environment and operation, in this person's name.

    Raises:
        Refused: it doesn't.
    """
    _, of_order = await load_rules_of(run, "")
    if why := refuse_scope(run.start, word, of_order, run.configuration):
        raise Refused(no_step(why))
