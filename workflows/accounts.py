"""Before a run begins: are the credentials of its environments' workers those of the environments' own accounts?"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import policies
from workflows.failures import error_type_of, message_of
from workflows.hosts import near_tree
from workflows.run_state import Refused, Run
from workflows.together import together
from workflows.unit_calls import unit_request

with workflow.unsafe.imports_passed_through():
    from activities.terragrunt import Terragrunt
    from activities.terragrunt_messages import CheckAccount
    from docustack.errors import ErrorType


async def refuse_wrong_accounts(run: Run) -> None:
    """All environments first, so that none is changed where another can't be.

    Where nobody answers soon the run goes on: a worker opens no unit without knowing the account.

    Raises:
        Refused: with the account that was found, the one that is needed, and what to do.
    """
    told: dict[str, str] = {}

    async def ask(environment: str) -> None:
        unit = next(unit for unit in run.state.selected if run.environment_of(unit) == environment)
        question = CheckAccount(**dict(unit_request(run, unit)), changes=run.start.operation.changes)
        policy = policies.account_config(policies.environment_queue(environment))
        try:
            await near_tree(run, Terragrunt.check_account, question, summary=environment, policy=policy)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if error_type_of(error) is ErrorType.CREDENTIALS:
                told[environment] = message_of(error)

    environments = run.environments()
    await together(ask(environment) for environment in environments)
    if told:
        raise Refused("\n\n".join(told[name] for name in environments if name in told), on_check=True)
