"""The beginning of every run: the rules of the base branch, the work tree, the units that have changed."""

from temporalio import workflow

from workflows import policies
from workflows.calls import call
from workflows.hosts import near_tree, work_in
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from activities.discovery import Discover, ListUnits, Units
    from activities.git import Git
    from activities.git_messages import CheckOut, CheckOutRef, LoadConfiguration, LoadedConfiguration
    from activities.installation import Surroundings
    from docustack.configuration import Configuration
    from docustack.manual_runs import branch_of
    from docustack.model import Nothing
    from docustack.run_comments import configuration_problem_comment
    from docustack.runs import ManualOrder, Operation


async def read_rules(run: Run) -> None:
    """The configuration of the base branch: a pull request is never judged by its own rules."""
    state = run.state
    state.installation = await call(
        Surroundings.read_installation, Nothing(), policy=policies.on(policies.CONTROL_QUEUE)
    )
    state.loaded = await load_rules(run)


async def load_rules(run: Run) -> LoadedConfiguration:
    """As they are at the tip of the base branch; of an order, of the branch of the environments that it names.

    Raises:
        Refused: they can't be read.
    """
    loaded, configuration = await load_rules_of(run, run.base_ref)
    if not run.base_ref and (branch := branch_of(configuration, run.start.directories)) not in ("", loaded.ref):
        loaded, _ = await load_rules_of(run, branch)
    return loaded


async def load_rules_of(run: Run, ref: str) -> tuple[LoadedConfiguration, Configuration]:
    """Those at the tip of one branch; empty: of the default one.

    Raises:
        Refused: they can't be read.
    """
    question = LoadConfiguration(repository=run.start.repository, ref=ref)
    summary = f"docustack.yaml of {ref or 'the default branch'}"
    loaded = await call(Git.load_configuration, question, summary=summary, policy=policies.GIT)
    if loaded.configuration is None:
        raise Refused(configuration_problem_comment(loaded.problems), on_check=True)
    return loaded, loaded.configuration


async def find_units(run: Run) -> None:
    """Check out the merge of head into base, or what a merge has made of it; and find what the pull request changes."""
    start, state, pull_request = run.start, run.state, run.start.pull_request
    assert state.loaded is not None
    assert pull_request is not None
    checked_out = await near_tree(
        run,
        Git.check_out,
        CheckOut(
            repository=start.repository,
            run_id=start.run_id,
            base_ref=pull_request.base_ref,
            head_commit=pull_request.head_commit,
            pull_request=pull_request.number,
            merge_commit=start.merge_commit,
        ),
        summary=f"{pull_request.head_commit[:7]} into {pull_request.base_ref}",
        policy=policies.GIT,
    )
    state.new_rules = checked_out.new_rules
    work_in(run, checked_out)
    state.discovery = await near_tree(
        run,
        Units.discover,
        Discover(
            tree=checked_out.tree,
            changed_files=checked_out.changed_files,
            configuration=run.configuration,
            terrateam=state.loaded.terrateam,
        ),
        summary=f"{len(checked_out.changed_files)} changed files",
        policy=policies.GIT,
    )


async def find_ordered_units(run: Run, order: ManualOrder, *, on_branch: bool = False) -> None:
    """Check out what the order names, and find the units in its directories; `on_branch`: only what the branch has."""
    start, state = run.start, run.state
    assert state.loaded is not None
    checked_out = await near_tree(
        run,
        Git.check_out_ref,
        CheckOutRef(
            repository=start.repository,
            run_id=start.run_id,
            base_ref=run.base_ref,
            ref=order.ref,
            patch=order.working_copy,
            on_branch=on_branch,
        ),
        summary=order.ref or run.base_ref,
        policy=policies.GIT,
    )
    work_in(run, checked_out)
    state.discovery = await near_tree(
        run,
        Units.list_units,
        ListUnits(
            tree=checked_out.tree,
            directories=start.directories,
            without=order.without,
            destroy=start.operation is Operation.DESTROY,
            configuration=run.configuration,
            terrateam=state.loaded.terrateam,
        ),
        summary=" ".join(start.directories) or "all units",
        policy=policies.GIT,
    )


def trees_beside(run: Run) -> list[str]:
    """The names of the work trees that a run has beside its own, where units are deleted."""
    return [run.tree.of_base().folder, *([run.tree.of_now().folder] if run.start.merge_commit else [])]
