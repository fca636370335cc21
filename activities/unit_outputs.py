"""Reads the outputs of a unit, as they may be told outside of the worker."""

from datetime import timedelta

from activities.disclosure import Disclosure, Look
from activities.planning import Planning
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import Unit, unit_failure
from docustack.errors import ErrorType
from docustack.plan_document import parse_document
from docustack.unit_outputs import UnitOutputs, read_outputs


class ReadUnitOutputs:
    """Changes nothing; secrets that a value holds in spite of not being marked are masked as everywhere."""

    def __init__(self, command: TerragruntCommand, planning: Planning, disclosure: Disclosure) -> None:
        self._command = command
        self._planning = planning
        self._disclosure = disclosure

    async def read(self, unit: Unit) -> UnitOutputs:
        """Raises an `ApplicationError` where they can't be read."""
        limit = timedelta(minutes=unit.request.timeout_minutes)
        try:
            done = await run_process(self._command.outputs(), cwd=unit.folder, environ=unit.environ, timeout=limit)
        except TimeoutError:
            message = f"The outputs of {unit.request.unit} could not be read in time."
            raise unit_failure(ErrorType.TIMEOUT, message) from None
        if done.code != 0:
            raise await self._disclosure.failure(unit, "terragrunt output", done.stderr or done.stdout, Look())
        look = await self._planning.look(unit)
        more = await self._disclosure.dependency_secrets(unit, look)
        redactor = await self._disclosure.redactor(unit, look, await self._disclosure.state_documents(unit, look), more)
        try:
            return read_outputs(parse_document(done.stdout) if done.stdout.strip() else {}, redactor.document)
        except ValueError:
            message = f"What Terragrunt gives as outputs of {unit.request.unit} can't be read."
            raise unit_failure(ErrorType.FAILED, message) from None
