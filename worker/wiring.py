"""From settings to a running worker: clients, activities, and one Temporal worker for each task queue."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import githubkit
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxRestrictions

from activities.apply_order import ApplyOrder
from activities.approvals import Approvals
from activities.artifacts import ArtifactStore, open_blobs, open_store
from activities.bootstrap import Bootstrap
from activities.bootstrap_migration import BootstrapMigration
from activities.bootstrap_unit import BootstrapUnits
from activities.deployments import Deployments
from activities.discovery import Units
from activities.git import Git
from activities.github import GitHub
from activities.installation import Installation, Surroundings
from activities.kept_states import KeptStates
from activities.left_work_trees import LeftWorkTrees, is_running
from activities.locks import Locks
from activities.migration_locks import MigrationLocks
from activities.open_pull_requests import OpenPullRequestWorkflows
from activities.prerequisites import EnvironmentPrerequisites, InstallationPrerequisites
from activities.proposed_change import ProposedChange
from activities.slack import SilentSlack, Slack
from activities.state_backend import StateBackend
from activities.terragrunt import Terragrunt
from activities.terragrunt_command import TerragruntCommand
from activities.tool_prerequisites import WorkerTools
from activities.unwritten_states import bring_home
from docustack.repository import Repository
from worker.clients import github_client, slack_client
from worker.namespace import register_search_attributes
from worker.sandbox import LoadedSandbox
from worker.settings import Settings, process_environment
from workflows.bootstrap import BootstrapWorkflow
from workflows.initial_deployment import InitialDeploymentWorkflow
from workflows.locks import LocksWorkflow
from workflows.policies import CONTROL_QUEUE, HEARTBEATS_SENT_EVERY, environment_queue, host_queue
from workflows.pull_request import PullRequestWorkflow
from workflows.run import RunWorkflow

WORKFLOWS = (PullRequestWorkflow, RunWorkflow, LocksWorkflow, BootstrapWorkflow, InitialDeploymentWorkflow)


@dataclass(frozen=True)
class Activities:
    """The activities of one process, by where they are polled for."""

    control: Sequence[Callable[..., Any]]
    environment: Sequence[Callable[..., Any]]
    everywhere: Sequence[Callable[..., Any]]
    sweep: Callable[[], Coroutine[Any, Any, None]]
    """Goes on for as long as the worker does."""


async def run_worker(settings: Settings, client: Client, stop: asyncio.Event) -> None:
    """Poll until told to stop; what is applied by then gets the time of `shutdown_grace`, and is then interrupted."""
    await register_search_attributes(client)
    async with contextlib.AsyncExitStack() as stack:
        activities = await stack.enter_async_context(open_activities(settings, client))
        workers = make_workers(settings, client, activities)
        for worker in workers:
            await stack.enter_async_context(worker)
        sweeping = asyncio.create_task(activities.sweep())
        await stop.wait()
        sweeping.cancel()
        # All at once: while one of them waits for its applies the others must not take new work.
        await asyncio.gather(*(worker.shutdown() for worker in workers))


def make_workers(settings: Settings, client: Client, activities: Activities) -> list[Worker]:
    """Two for the control queue and two an environment: the queue itself, and this host's part of it."""
    workers: list[Worker] = []
    if settings.control_queue:
        workers += [
            Worker(
                client,
                task_queue=queue,
                workflows=WORKFLOWS if queue == CONTROL_QUEUE else (),
                activities=[*activities.control, *activities.everywhere],
                workflow_runner=workflow_runner(),
                graceful_shutdown_timeout=settings.shutdown_grace,
                max_heartbeat_throttle_interval=HEARTBEATS_SENT_EVERY,
            )
            for queue in (CONTROL_QUEUE, host_queue(CONTROL_QUEUE, settings.host))
        ]
    for environment in settings.environments:
        of_all = environment_queue(environment)
        workers += [
            Worker(
                client,
                task_queue=queue,
                activities=[*activities.environment, *activities.everywhere],
                max_concurrent_activities=settings.terraform_slots,
                graceful_shutdown_timeout=settings.shutdown_grace,
                max_heartbeat_throttle_interval=HEARTBEATS_SENT_EVERY,
            )
            for queue in (of_all, host_queue(of_all, settings.host))
        ]
    return workers


def workflow_runner() -> LoadedSandbox:
    """The sandbox, with the pure domain passed through: its model classes are the same inside and outside."""
    return LoadedSandbox(SandboxRestrictions.default.with_passthrough_modules("docustack", "activities", "pydantic"))


@contextlib.asynccontextmanager
async def open_activities(settings: Settings, client: Client) -> AsyncIterator[Activities]:
    """Make every activity of this process with its client."""
    command = await TerragruntCommand.find(settings.terragrunt, settings.terraform)
    git = Git(
        data_dir=settings.data_dir,
        host=settings.host,
        clone_url=lambda repository: clone_url(settings, repository),
        token=settings.github_token,
        environments=settings.environments,
        blobs=open_blobs(str(settings.artifacts_folder or settings.artifacts)),
    )
    surroundings = Surroundings(
        Installation(
            temporal_ui_url=settings.temporal_ui_url,
            temporal_namespace=settings.temporal_namespace,
            public_url=settings.public_url,
            apply_lease_seconds=int(settings.apply_lease.total_seconds()),
            cancel_grace_seconds=int(settings.cancel_grace.total_seconds()),
            bot_login=settings.bot_login or "",
            takes_approvals=bool(settings.approval_keys and settings.public_url),
        ),
        settings.host,
    )
    tools = WorkerTools({"terragrunt": command.terragrunt, "terraform": command.terraform})
    async with contextlib.AsyncExitStack() as stack:
        control: Sequence[Callable[..., Any]] = ()
        environment: Sequence[Callable[..., Any]] = ()
        if settings.control_queue:
            github = await stack.enter_async_context(github_client(settings))
            control = _control_activities(settings, client, surroundings, git, command, github, tools)
        if settings.environments:
            environment = _environment_activities(settings, client, git, command, tools)
        home = (
            functools.partial(bring_home, artifact_store(settings), settings.data_dir)
            if settings.environments
            else None
        )
        left = LeftWorkTrees(git, functools.partial(is_running, client), settings.data_dir, home)
        everywhere: Sequence[Callable[..., Any]] = [surroundings.name_host, git.remove_work_tree]
        yield Activities(control, environment, everywhere, sweep=left.sweep_for_good)


def _control_activities(
    settings: Settings,
    client: Client,
    surroundings: Surroundings,
    git: Git,
    command: TerragruntCommand,
    github_api: githubkit.GitHub[Any],
    tools: WorkerTools,
) -> Sequence[Callable[..., Any]]:
    slack = slack_client(settings)
    github = GitHub(github_api, bot_login=settings.bot_login or "")
    installation = InstallationPrerequisites(github_api, slack, git.try_push, tools)
    units = Units(work_trees=git, command=command)
    locks = Locks(client)
    approvals = Approvals(settings.approval_keys)
    deployments = Deployments(client)
    return [
        surroundings.read_installation,
        installation.check_installation,
        git.load_configuration,
        git.check_out,
        git.check_out_ref,
        git.ask_contained,
        units.discover,
        units.list_units,
        units.find_moved_inputs,
        units.look_at_group,
        github.post_comment,
        github.mark_outdated,
        github.mark_forgotten,
        github.ask_answered,
        github.react,
        github.set_check,
        github.read_person,
        github.read_gate,
        github.read_pull_request,
        github.list_open_pull_requests,
        (Slack(slack) if slack else SilentSlack()).post_message,
        github.offer_pull_request,
        approvals.check_signature,
        approvals.check_order,
        approvals.check_run,
        approvals.check_deployment,
        approvals.check_decision,
        approvals.check_word,
        approvals.order_bootstrap,
        deployments.read_parent,
        deployments.read_earlier_runs,
        deployments.find_bootstrap,
        ProposedChange(git).push_change,
        OpenPullRequestWorkflows(client).tell_freed,
        locks.request_locks,
        locks.confirm_locks,
        locks.find_other_holders,
        locks.give_up_locks,
        locks.find_holdings,
        locks.find_ended,
    ]


def _environment_activities(
    settings: Settings, client: Client, git: Git, command: TerragruntCommand, tools: WorkerTools
) -> Sequence[Callable[..., Any]]:
    artifacts = artifact_store(settings)
    order = ApplyOrder(work_trees=git, artifacts=artifacts)
    terragrunt = Terragrunt(
        work_trees=git,
        artifacts=artifacts,
        data_dir=settings.data_dir,
        host=settings.host,
        command=command,
        lease=settings.apply_lease,
        cancel_grace=settings.cancel_grace,
        environ=process_environment(settings),
        renew=lambda: ask_temporal(client),
        simulated_account=settings.simulated_account,
    )
    prerequisites = EnvironmentPrerequisites(process_environment(settings), settings.simulated_account, tools=tools)
    bootstrap, migration = _bootstrap_activities(settings, git, command, terragrunt, artifacts)
    backend = StateBackend(terragrunt.units, artifacts)
    return [
        prerequisites.check_environment,
        terragrunt.check_account,
        terragrunt.plan_unit,
        terragrunt.dependency_outputs,
        terragrunt.plan_coverage,
        terragrunt.list_resources,
        terragrunt.read_outputs,
        terragrunt.apply_unit,
        terragrunt.attend_apply,
        terragrunt.free_state_lock,
        order.record_apply,
        order.compare_order,
        backend.look_at_backend,
        backend.remove_backend,
        bootstrap.read_backend,
        bootstrap.plan_bootstrap,
        bootstrap.adopt,
        bootstrap.apply_bootstrap,
        bootstrap.keep_local_state,
        bootstrap.newest_local_state,
        migration.migrate_state,
        migration.restore_local_state,
    ]


def _bootstrap_activities(
    settings: Settings, git: Git, command: TerragruntCommand, terragrunt: Terragrunt, artifacts: ArtifactStore
) -> tuple[Bootstrap, BootstrapMigration]:
    kept = KeptStates(artifacts)
    units = BootstrapUnits(git=git, units=terragrunt.units, command=command, kept=kept, data_dir=settings.data_dir)
    locks = MigrationLocks(units, command, artifacts, settings.host)
    return (
        Bootstrap(units=units, locks=locks, terragrunt=terragrunt, command=command, artifacts=artifacts),
        BootstrapMigration(units=units, locks=locks, kept=kept, command=command, data_dir=settings.data_dir),
    )


def clone_url(settings: Settings, repository: Repository) -> str:
    return settings.git_url.format(owner=repository.owner, name=repository.name)


def artifact_store(settings: Settings) -> ArtifactStore:
    keys = [key.get_secret_value() for key in settings.artifact_keys]
    return open_store(str(settings.artifacts_folder or settings.artifacts), *keys)


async def ask_temporal(client: Client) -> None:
    """A cheap call that fails when Temporal can't be reached: a lease is renewed only while it succeeds."""
    await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=timedelta(seconds=5))
