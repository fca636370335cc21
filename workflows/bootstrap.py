"""The guide's "Step 1: Bootstrap State Backend" of one account, as a saga: local state, bucket and table, migration."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows import search_attributes
from workflows.bootstrap_calls import BootstrapCalls
from workflows.bootstrap_cancelling import BootstrapCancelling
from workflows.bootstrap_steps import Steps, Stopped
from workflows.failures import message_of
from workflows.together import to_its_end

with workflow.unsafe.imports_passed_through():
    from activities.bootstrap_messages import KeptState
    from docustack import bootstrap_texts as texts
    from docustack.bootstrap import (
        BootstrapEnd,
        BootstrapOutcome,
        BootstrapState,
        SignedBootstrapOrder,
        Step,
        Undone,
        UndoStep,
        unknown_environment,
        why_not_equal,
        why_not_ours,
        wrong_names,
    )
    from docustack.plans import PlanRecord
    from docustack.prerequisites import unmet_summary, warnings_of
    from docustack.signatures import is_in_time
    from docustack.signed_approvals import ApprovalAnswer, SignedApproval
    from docustack.state_backend import Adoption, BackendFacts, BackendPlace, what_is_missing, why_not_adopted
    from docustack.state_document import StateFacts


@workflow.defn
class BootstrapWorkflow:
    """One a time for each account; its id is `bootstrap:<account>`."""

    @workflow.init
    def __init__(self, signed: SignedBootstrapOrder) -> None:
        self._signed = signed
        self._order = order = signed.order
        self._state = BootstrapState(environment=order.environment, account_id=order.account_id, actor=order.login)
        self._steps = Steps(self._state)
        self._calls = BootstrapCalls(order)
        self._cancelling = BootstrapCancelling(order, self._state, self._calls)
        self._place: BackendPlace | None = None
        self._facts: BackendFacts | None = None
        self._plan: PlanRecord | None = None
        self._kept: KeptState | None = None
        self._adopted: tuple[Adoption, ...] = ()
        self._stays = ""  # what no undo touches, for people

    @workflow.query
    def show(self) -> BootstrapState:
        return self._state

    @workflow.update
    async def cancel(self, signed: SignedApproval) -> ApprovalAnswer:
        """From our server, which has verified who it is; what counts it then asks of Temporal, as its UI does."""
        return await self._cancelling.take(signed)

    @cancel.validator
    def _may_be_cancelled(self, signed: SignedApproval) -> None:
        self._cancelling.validate(signed)

    @workflow.run
    async def run(self, signed: SignedBootstrapOrder) -> BootstrapOutcome:
        self._show_start()
        try:
            outcome = await self._bootstrap()
        except Stopped as stopped:
            outcome = BootstrapOutcome(end=stopped.end, message=str(stopped))
        except (FailureError, asyncio.CancelledError) as error:
            cancelled = is_cancelled_exception(error)
            message = texts.cancelled(self._state.decisions) if cancelled else message_of(error)
            outcome = BootstrapOutcome(
                end=BootstrapEnd.CANCELLED if cancelled else BootstrapEnd.FAILED, message=message
            )
        outcome = await to_its_end(self._conclude(outcome))
        self._state.outcome = outcome
        workflow.upsert_search_attributes([search_attributes.STATUS.value_set(outcome.end.value)])
        workflow.set_current_details(outcome.message)
        return outcome

    async def _bootstrap(self) -> BootstrapOutcome:
        await self._preflight()
        await self._check_prerequisites()
        await self._check_account_id()
        migrated = await self._look_for_bucket_and_table()
        if not migrated:
            await self._init_and_plan_with_local_state()
        if self._order.dry_run:
            return texts.dry_run(self._order, self._plan, self._adopted)
        if not migrated:
            await self._apply_with_local_state()
            await self._keep_local_state()
        await self._verify_bucket_and_table()
        if not migrated:
            await self._migrate_state()
        await self._plan_without_changes()
        pull_request = await self._offer_pull_request()
        return texts.done(self._order, pull_request, before=migrated)

    # ---- the guide's steps -----------------------------------------------------------------------------------------

    async def _preflight(self) -> None:
        """Who ordered it may do so, by the rules of the default branch; the environment's branch is checked out."""
        async with self._steps.step(Step.PREFLIGHT) as step:
            await self._believe_the_order()
            configuration = await self._calls.load_configuration()
            rules = configuration.environments.get(self._order.environment)
            if rules is None:
                raise Stopped(unknown_environment(configuration.environments, self._order.environment))
            if rules.account_id != self._order.account_id:
                raise Stopped(texts.other_account(self._order, rules.account_id))
            decision = await self._calls.decide_access(self._order.login)
            if not decision.allowed:
                raise Stopped(decision.message)
            step.tell(decision.message)
            tree = await self._calls.check_out(rules.branch)
            step.tell(f"{decision.message} Commit {tree.tree_commit[:7]} of {rules.branch}.")

    async def _believe_the_order(self) -> None:
        answer = await self._calls.check_order(self._signed)
        if not answer.genuine or not is_in_time(self._order.given_at, workflow.now()):
            raise Stopped(texts.not_believed(has_key=answer.has_key))

    async def _check_prerequisites(self) -> None:
        """The guide's "Prerequisites", all at once; never on another account than the worker's own."""
        async with self._steps.step(Step.PREREQUISITES) as step:
            made = await asyncio.gather(self._calls.check_installation(), self._calls.check_environment())
            checks = [check for found in made for check in found.checks]
            if unmet := unmet_summary(checks):
                raise Stopped(unmet)
            step.tell("\n".join(["; ".join(texts.met(checks)), *warnings_of(checks)]))

    async def _check_account_id(self) -> None:
        """Guide: "Update account_id in terragrunt.hcl if needed"."""
        async with self._steps.step(Step.ACCOUNT) as step:
            self._place = await self._calls.read_backend()
            if wrong := wrong_names(self._calls.configuration, self._order.environment, self._place):
                raise Stopped(wrong)
            step.tell(f"account {self._order.account_id}: {self._place.bucket}, {self._place.lock_table}")

    async def _look_for_bucket_and_table(self) -> bool:
        """Whether an earlier bootstrap, or a person, has brought the state into the bucket already."""
        async with self._steps.step(Step.LOOK) as step:
            self._facts = await self._calls.look_at_backend(self._its_place)
            if problems := why_not_adopted(self._facts, self._its_place):
                raise Stopped("\n".join(problems))
            self._kept = await self._calls.newest_local_state()
            remote = self._facts.state
            step.tell(texts.found(self._facts, self._its_place))
            migrated = remote is not None and self._is_ours(remote)
            if migrated:
                self._stays = texts.stays(self._its_place, migrated=True)
            return migrated

    def _is_ours(self, remote: StateFacts) -> bool:
        """False where a migration was interrupted after it had copied the state: it is gone on with."""
        kept = self._kept.facts if self._kept is not None else None
        if kept is not None and kept.lineage != remote.lineage and kept.holds_the_same(remote):
            return False
        if wrong := why_not_ours(kept, remote):
            raise Stopped(wrong)
        return True

    async def _init_and_plan_with_local_state(self) -> None:
        """Guide: `terragrunt init`; what exists and matches is adopted, so that the plan is only of the rest.

        In a dry run too, whose state goes with its work tree: its plan is the one that would be carried out.
        """
        async with self._steps.step(Step.PLAN):
            self._plan = await self._calls.plan(remote_state=False)
        if self._exists:
            host = self._calls.host
            async with self._steps.step(Step.ADOPT) as step:
                self._adopted = await self._calls.adopt(self._its_plan, self._its_place, self._its_facts)
                step.tell(", ".join(one.address for one in self._adopted) or "the state has all that exists")
                if self._adopted:
                    self._plan = await self._calls.plan(remote_state=False)
                if self._order.dry_run and self._calls.host != host:
                    raise Stopped(texts.DRY_RUN_LOST, BootstrapEnd.FAILED)
        if self._its_plan.summary.destroy:
            raise Stopped(texts.would_destroy(self._its_plan))

    async def _apply_with_local_state(self) -> None:
        """Guide: `terragrunt apply`; "first run uses local state"."""
        made_now = self._its_facts.absent(self._its_place)
        self._steps.undo_with(UndoStep.REMOVE, lambda: self._remove(made_now))
        async with self._steps.step(Step.APPLY) as step:
            if self._its_plan.summary.is_empty:
                step.tell("nothing to do")
                return
            try:
                answer = await self._calls.apply(self._its_plan)
            except (FailureError, asyncio.CancelledError):
                step.tell(f"it did not succeed; its state is kept from {self._calls.host}, which alone has it")
                self._kept = await self._calls.keep_local_state() or self._kept
                raise
            step.tell(f"{answer.summary.add} added, {answer.summary.change} changed")

    async def _keep_local_state(self) -> None:
        async with self._steps.step(Step.KEEP) as step:
            self._kept = await self._calls.keep_local_state()
            if self._kept is None:
                raise Stopped("The apply has left no local state.", BootstrapEnd.FAILED)
            step.tell(self._kept.artifact)

    async def _verify_bucket_and_table(self) -> None:
        """Guide: "Expected resources", asked of AWS itself."""
        async with self._steps.step(Step.VERIFY):
            facts = await self._calls.look_at_backend(self._its_place)
            if missing := what_is_missing(facts, self._its_place):
                raise Stopped(f"This is no state backend yet: {'; '.join(missing)}.", BootstrapEnd.FAILED)

    async def _migrate_state(self) -> None:
        """Guide: "Uncomment remote_state block", `terragrunt init -migrate-state`."""
        self._steps.undo_instead(UndoStep.RESTORE, self._restore)  # from here on nothing is destroyed
        self._stays = texts.stays(self._its_place, migrated=False)
        async with self._steps.step(Step.MIGRATE):
            states = await self._calls.migrate_state(self._its_place)
        async with self._steps.step(Step.COMPARE) as step:
            if different := why_not_equal(states.local, states.remote):
                raise Stopped(f"The state in the bucket is not the local one: {different}.", BootstrapEnd.FAILED)
            step.tell(f"lineage {states.remote.lineage}, serial {states.remote.serial}")

    async def _plan_without_changes(self) -> None:
        async with self._steps.step(Step.NO_CHANGES):
            plan = await self._calls.plan(remote_state=True)
            if not plan.summary.is_empty:
                raise Stopped(texts.still_changes(plan), BootstrapEnd.FAILED)
        self._steps.nothing_to_undo()  # the state lies in the bucket, whole
        self._stays = texts.stays(self._its_place, migrated=True)

    async def _offer_pull_request(self) -> str:
        """The address of the pull request; empty where the branch has the file so already."""
        async with self._steps.step(Step.PROPOSE) as step:
            address = await self._calls.offer_pull_request()
            step.tell(address or "the branch has it so")
            return address

    # ---- the undo --------------------------------------------------------------------------------------------------

    async def _conclude(self, outcome: BootstrapOutcome) -> BootstrapOutcome:
        """Undo in reverse what was registered, where it didn't come to its end; a failed undo is told, too."""
        kept = self._kept.artifact if self._kept is not None else ""
        if outcome.end in (BootstrapEnd.FAILED, BootstrapEnd.REFUSED, BootstrapEnd.CANCELLED):
            outcome = await self._told_with_undo(outcome, kept)
        await self._calls.remove_work_tree()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome.model_copy(update={"kept_state": kept})

    async def _told_with_undo(self, outcome: BootstrapOutcome, kept: str) -> BootstrapOutcome:
        if outcome.end is BootstrapEnd.REFUSED and self._state.steps[-1].name == Step.PREFLIGHT:
            return texts.nothing_begun(outcome)
        return texts.with_undo(outcome, await self._steps.undo(), kept, self._stays)

    async def _remove(self, names: tuple[str, ...]) -> Undone:
        if not names:
            return Undone()
        removed = await self._calls.remove_backend(self._its_place, names)
        return Undone(done=tuple(f"removed {name}" for name in removed.removed), left=removed.left)

    async def _restore(self) -> Undone:
        answer = await self._calls.restore_local_state()
        kept = answer.kept
        done = (f"the local state is restored from {kept.artifact}",) if kept is not None else ()
        return Undone(done=done, left=answer.left)

    # ---- what is known by now --------------------------------------------------------------------------------------

    @property
    def _its_place(self) -> BackendPlace:
        assert self._place is not None
        return self._place

    @property
    def _exists(self) -> bool:
        """Whether bucket or table was there before."""
        return len(self._its_facts.absent(self._its_place)) < 2

    @property
    def _its_facts(self) -> BackendFacts:
        assert self._facts is not None
        return self._facts

    @property
    def _its_plan(self) -> PlanRecord:
        assert self._plan is not None
        return self._plan

    def _show_start(self) -> None:
        order = self._order
        workflow.upsert_search_attributes(
            [
                search_attributes.REPOSITORY.value_set(order.repository.full_name),
                search_attributes.ENVIRONMENT.value_set([order.environment]),
                search_attributes.ACTOR.value_set(order.login),
                search_attributes.STATUS.value_set("running"),
            ]
        )
