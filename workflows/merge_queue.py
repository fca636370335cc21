"""A commit of GitHub's merge queue is looked at, and held against what the pull request knows of itself."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.failures import message_of

with workflow.unsafe.imports_passed_through():
    from activities.discovery import AskGroup, Units
    from activities.git import Git
    from activities.git_messages import LoadConfiguration
    from docustack.merge_queue import group_checks, group_not_seen
    from docustack.pull_request_actions import LookAtGroup, ReportCheck
    from docustack.pull_request_state import PullRequestState
    from docustack.repository import Repository


async def checks_of_group(repository: Repository, state: PullRequestState, group: LookAtGroup) -> list[ReportCheck]:
    """Both, whatever happens: the queue waits for them."""
    assert state.facts is not None
    base_ref, commit = state.facts.base_ref, group.group_commit
    rules = LoadConfiguration(repository=repository, ref=base_ref)
    try:
        loaded = await call(Git.load_configuration, rules, summary=base_ref, policy=policies.MERGE_QUEUE)
        if loaded.configuration is None:
            return group_not_seen(commit, f"docustack.yaml on `{base_ref}` can't be read. Mend it there.")
        question = AskGroup(
            repository=repository,
            base_ref=base_ref,
            group_commit=commit,
            group_base=group.group_base,
            units=group.units,
            configuration=loaded.configuration,
            terrateam=loaded.terrateam,
        )
        found = await call(Units.look_at_group, question, summary=commit[:7], policy=policies.MERGE_QUEUE)
    except ActivityError as error:
        return group_not_seen(commit, message_of(error))
    return group_checks(state, commit, found, loaded.configuration)
