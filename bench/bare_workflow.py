"""What the engine is held against: a workflow that does nothing but call trivial activities, one after the other."""

from datetime import timedelta

from temporalio import activity, workflow

from docustack.model import Model


class Many(Model):
    """How many activities."""

    activities: int


class Trifle(Model):
    """What a trivial activity takes and gives."""

    number: int = 0


@activity.defn
async def trivial(trifle: Trifle) -> Trifle:
    """Do nothing."""
    return trifle


@workflow.defn
class BareWorkflow:
    """As thin as a workflow can be."""

    @workflow.run
    async def run(self, many: Many) -> Trifle:
        for number in range(many.activities):
            await workflow.execute_activity(trivial, Trifle(number=number), start_to_close_timeout=timedelta(minutes=1))
        return Trifle(number=many.activities)
