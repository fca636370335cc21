"""A real Temporal dev server in memory, set as the local world's is."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from local import temporal_server
from worker.namespace import register_search_attributes

EXECUTABLE = Path(__file__).resolve().parents[1] / ".tools/bin/temporal"


@contextlib.asynccontextmanager
async def dev_server(*settings: str, identity: str | None = None) -> AsyncIterator[WorkflowEnvironment]:
    """With settings beyond the world's as `KEY=VALUE`; its namespace knows our search attributes."""
    environment = await WorkflowEnvironment.start_local(
        identity=identity,
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(EXECUTABLE),
        dev_server_log_level="error",
        dev_server_extra_args=temporal_server.dynamic_config(*settings),
    )
    async with environment:
        await register_search_attributes(environment.client)
        yield environment


@contextlib.asynccontextmanager
async def time_skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """One on which nobody waits for a timer."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(EXECUTABLE),
        dev_server_log_level="error",
        dev_server_extra_args=temporal_server.dynamic_config("frontend.WorkflowTimeSkippingEnabled=true"),
    )
    async with environment:
        await register_search_attributes(environment.client)
        yield environment


def address(environment: WorkflowEnvironment) -> str:
    """`HOST:PORT`, for processes and for event loops with a client of their own."""
    return environment.client.service_client.config.target_host
