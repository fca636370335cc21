"""Temporal's sandbox for workflows, loaded once for a process instead of once for each run.

The SDK imports a workflow's modules anew for every run that it holds in memory. For ours that takes a third of a second
and some megabytes, more than all the rest of a run. What the sandbox is for stays: no clock, no randomness, no input or
output in a workflow. What is given up is that each run had module variables of its own, so no module of `workflows/`
has one that can change (`tests/unit/test_sandbox.py`).
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence

from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext
from temporalio.converter._extstore import StorageDriverStoreContext
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker._command_aware_visitor import CommandInfo
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._in_sandbox import InSandbox
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext


class LoadedSandbox(WorkflowRunner):
    """Runs workflows with the SDK's own restrictions, on modules that all runs share."""

    def __init__(self, restrictions: SandboxRestrictions) -> None:
        self._context = RestrictionContext()
        self._importer = Importer(restrictions, self._context)
        self._classes: dict[type, type] = {}
        self._loading = threading.Lock()

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        """Load the workflow, so that a worker which can't doesn't start."""
        self._load(defn.cls)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One run, on the modules that were loaded before."""
        return _Run(self._importer, det, self._load(det.defn.cls))

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """Nothing to keep: each run's details have them."""

    def _load(self, outside: type) -> type:
        """The same class, from modules that were imported under the sandbox's restrictions."""
        with self._loading:
            if outside not in self._classes:
                self._context.is_runtime = self._context.in_activation = False
                with _inside(self._importer):
                    module = __import__(outside.__module__, fromlist=[outside.__name__])
                self._classes[outside] = getattr(module, outside.__name__)
                # For good: runs on other threads share it, so it can't be switched by each when it begins and ends.
                self._context.is_runtime = self._context.in_activation = True
            return self._classes[outside]


class _Run(WorkflowInstance):
    def __init__(self, importer: Importer, details: WorkflowInstanceDetails, workflow_class: type) -> None:
        self._importer = importer
        self._details = details
        self._thread: int | None = None
        with self._entered():
            self._inside = InSandbox(details, UnsandboxedWorkflowRunner, workflow_class)

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        with self._entered():
            return self._inside.activate(act)

    # Asked for each payload; it is code of the SDK alone, which needs no sandbox around it.

    def get_serialization_context(self, command_info: CommandInfo | None) -> SerializationContext | None:
        return self._inside.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: CommandInfo | None) -> StorageDriverStoreContext:
        return self._inside.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        return self._details.info

    def get_thread_id(self) -> int | None:
        """By which the SDK finds where a run hangs."""
        return self._thread

    @contextlib.contextmanager
    def _entered(self) -> Iterator[None]:
        self._thread = threading.get_ident()
        try:
            with _inside(self._importer):
                yield
        finally:
            self._thread = None


@contextlib.contextmanager
def _inside(importer: Importer) -> Iterator[None]:
    """This thread imports through the sandbox, and its builtins and modules are restricted."""
    workflow.unsafe._set_in_sandbox(True)  # noqa: SLF001  # there is no other way to say so
    try:
        with importer.applied():
            yield
    finally:
        workflow.unsafe._set_in_sandbox(False)  # noqa: SLF001
