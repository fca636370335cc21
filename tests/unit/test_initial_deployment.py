"""The order of a deployment, what is left of it, which decisions count, and how long it will take."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from docustack.deployment_decisions import (
    Decision,
    DecisionKind,
    Question,
    is_genuine_decision,
    read_decision_signal,
    refuse_decision,
    sign_decision,
)
from docustack.deployment_estimate import expected_seconds, units_of
from docustack.deployment_texts import asks, environment_done
from docustack.initial_deployment import (
    DeploymentOrder,
    DeploymentState,
    EnvironmentProgress,
    NoSuchDeployment,
    Stage,
    chosen_environments,
    deployment_order,
    is_fresh,
    is_genuine_deployment,
    judge_prerequisites,
    sign_deployment,
    with_dependants,
)
from docustack.plan_document import Json, is_from_nothing
from docustack.prerequisites import Area, Expected, Prerequisites
from docustack.repository import Repository
from docustack.runs import Operation, RunResult, RunStatus, UnitOutcome, UnitPhase
from starter.deployment_document import deployment_document
from tests.workflows.organisation import ALL, CLUSTER, RDS, TEMPORAL, VPC, graph

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DEPLOYMENT = "initial:docustack/live"


def order(**changes: Any) -> DeploymentOrder:
    known: dict[str, Any] = {
        "login": "lead",
        "repository": Repository(owner="docustack", name="live"),
        "given_at": NOW,
        "nonce": "n" * 16,
    }
    return DeploymentOrder(**known | changes)


def question(**changes: Any) -> Question:
    known: dict[str, Any] = {
        "number": 1,
        "environment": "dev",
        "message": "",
        "done": (VPC,),
        "failed": (RDS,),
        "not_begun": (TEMPORAL,),
        "made": (VPC, RDS),
        "asked_at": NOW,
    }
    return Question(**known | changes)


def decision(kind: DecisionKind = DecisionKind.RETRY, **changes: Any) -> Decision:
    known: dict[str, Any] = {
        "kind": kind,
        "login": "lead",
        "deployment": DEPLOYMENT,
        "question": 1,
        "given_at": NOW,
        "nonce": "n" * 16,
    }
    return Decision(**known | changes)


def result(*outcomes: tuple[str, UnitPhase, bool]) -> RunResult:
    return RunResult(
        run_id="r",
        operation=Operation.APPLY,
        status=RunStatus.FAILED,
        head_commit="c",
        outcomes=tuple(
            UnitOutcome(unit=unit, environment="dev", phase=phase, created=created) for unit, phase, created in outcomes
        ),
    )


def progress() -> EnvironmentProgress:
    return EnvironmentProgress(name="dev", branch="main", commit="c" * 40)


# ---- the order -------------------------------------------------------------------------------------------------------


def test_management_comes_first_wherever_the_file_lists_it() -> None:
    assert deployment_order(ALL) == ["management", "dev", "staging", "prod"]


@pytest.mark.parametrize(
    "wanted, why",
    [
        ({"only": "stagin"}, "Did you mean `staging`?"),
        ({"first": "prod", "last": "dev"}, "the order is management, dev, staging, prod"),
        ({"last": "nowhere"}, "It has management, dev, staging, prod"),
    ],
    ids=str,
)
def test_a_wrong_environment_is_named_with_what_there_is(wanted: dict[str, str], why: str) -> None:
    with pytest.raises(NoSuchDeployment) as refused:
        chosen_environments(ALL, **wanted)
    assert why in str(refused.value)


# ---- the prerequisites -----------------------------------------------------------------------------------------------


def found(**failing: Area) -> Prerequisites:
    """Checks that failed, by name, and one that is well."""
    named = [Expected(area=area, name=name.replace("_", " "), needed="it") for name, area in failing.items()]
    well = Expected(area=Area.TOOLS, name="git", needed="it").met("well")
    return Prerequisites(checks=(well, *(each.failed("nothing", "mend it") for each in named)))


def test_a_missing_backend_stops_only_where_nobody_bootstraps_it() -> None:
    environments = {"dev": found(state_bucket=Area.AWS), "prod": found()}
    judged = judge_prerequisites(found(), environments, bootstraps=True)
    assert (judged.unmet, judged.without_backend) == ("", ("dev",))
    assert "state bucket" in judge_prerequisites(found(), environments, bootstraps=False).unmet


def test_who_bootstraps_needs_to_push_and_others_do_not() -> None:
    reads_only = found(git_push=Area.GITHUB, pull_requests=Area.GITHUB)
    assert judge_prerequisites(reads_only, {"dev": found()}, bootstraps=True).unmet == ""
    judged = judge_prerequisites(reads_only, {"dev": found(lock_table=Area.AWS)}, bootstraps=True)
    assert [line.partition(":")[0] for line in judged.unmet.splitlines()[::2]] == ["git push", "pull requests"]


def test_slack_is_a_warning() -> None:
    judged = judge_prerequisites(found(Slack_token=Area.SLACK), {"dev": found()}, bootstraps=True)
    assert (judged.unmet, len(judged.warnings)) == ("", 1)


# ---- signed ----------------------------------------------------------------------------------------------------------


def test_an_order_counts_signed_and_for_a_quarter_of_an_hour() -> None:
    signed = sign_deployment(order(), "key")
    assert is_genuine_deployment(signed, ["other", "key"])
    changed = signed.model_copy(update={"order": order(login="developer")})
    assert not is_genuine_deployment(changed, ["key"])
    assert is_fresh(order(), NOW + timedelta(minutes=14))
    assert not is_fresh(order(), NOW + timedelta(minutes=16))
    assert not is_fresh(order(), NOW - timedelta(minutes=6))


# ---- what is left ----------------------------------------------------------------------------------------------------


def test_what_a_run_did_not_get_done_is_left_and_what_it_made_is_remembered() -> None:
    dev = progress()
    dev.take(
        result(
            (VPC, UnitPhase.APPLIED, True),
            (CLUSTER, UnitPhase.NO_CHANGES, False),
            (RDS, UnitPhase.FAILED, True),
            (TEMPORAL, UnitPhase.SKIPPED, False),
        )
    )
    assert (dev.done, dev.failed, dev.not_begun) == ([VPC, CLUSTER], [RDS], [TEMPORAL])
    assert dev.left == [RDS, TEMPORAL]
    assert dev.made == [VPC, RDS]
    dev.take(result((RDS, UnitPhase.APPLIED, False), (TEMPORAL, UnitPhase.APPLIED, True)))
    assert (dev.left, dev.made) == ([], [VPC, RDS, TEMPORAL]), "a unit stays this deployment's over a retry"


def test_what_was_destroyed_is_made_by_nobody_any_more() -> None:
    dev = progress()
    dev.take(result((VPC, UnitPhase.APPLIED, True), (RDS, UnitPhase.APPLIED, True)))
    dev.take_destroyed(result((RDS, UnitPhase.APPLIED, False), (VPC, UnitPhase.FAILED, False)))
    assert dev.made == [VPC]
    assert dev.not_begun == [RDS]


def test_who_depends_on_a_unit_goes_with_it() -> None:
    assert with_dependants([RDS], graph()) == [RDS, TEMPORAL]
    assert with_dependants(["dev/unknown"], graph()) == ["dev/unknown"]


@pytest.mark.parametrize(
    "resources, from_nothing",
    [
        ([], True),
        ([{"address": "data.aws_region.here", "mode": "data"}], True),
        ([{"address": "aws_vpc.main", "mode": "managed"}], False),
    ],
    ids=["empty", "only read", "owned"],
)
def test_a_plan_is_from_nothing_where_the_state_owns_nothing(resources: list[Any], from_nothing: bool) -> None:
    module: Json = {"child_modules": [{"resources": resources}]}
    assert is_from_nothing({"prior_state": {"values": {"root_module": module}}}) is from_nothing
    assert is_from_nothing({})


# ---- decisions -------------------------------------------------------------------------------------------------------


def test_each_decision_that_fits_the_question_counts() -> None:
    for given in (
        decision(),
        decision(DecisionKind.SKIP, unit=RDS),
        decision(DecisionKind.ROLL_BACK, environment="dev"),
        decision(DecisionKind.STOP),
    ):
        assert refuse_decision(given, DEPLOYMENT, question(), NOW, ()) is None


def test_where_nothing_was_made_or_no_unit_is_known_there_is_less_to_say() -> None:
    kinds = question(made=(), failed=(), not_begun=()).answers
    assert kinds == (DecisionKind.RETRY, DecisionKind.STOP)


def test_a_decision_belongs_to_its_signature() -> None:
    signed = sign_decision(decision(), "key")
    assert is_genuine_decision(signed, ["key"])
    other = signed.model_copy(update={"decision": decision(DecisionKind.STOP)})
    assert not is_genuine_decision(other, ["key"])


@pytest.mark.parametrize("payloads", [[], ["lead"], [{"actor": ""}], [{"actor": "lead"}, 17]], ids=str)
def test_a_signal_that_names_nobody_is_told_how_it_has_to_be(payloads: list[object]) -> None:
    assert '{"actor": "<your login>"}' in read_decision_signal("retry", payloads).problem


def test_a_signal_of_an_unknown_name_is_told_those_that_there_are() -> None:
    assert "retry, skip, roll-back, stop" in read_decision_signal("rollback", [{"actor": "lead"}]).problem


def test_a_signal_names_who_sends_it_and_what_for() -> None:
    signal = read_decision_signal("skip", [{"actor": "@lead", "unit": RDS}])
    assert (signal.login, signal.unit, signal.problem) == ("lead", RDS, "")


# ---- the estimate ----------------------------------------------------------------------------------------------------


def estimate(took: dict[str, float], units: list[str] | None = None) -> float | None:
    dependencies = graph()
    return expected_seconds(ALL, units_of(ALL, "dev", dependencies) if units is None else units, dependencies, took)


def test_waves_take_as_long_as_their_slowest_unit_or_as_there_is_room_for() -> None:
    assert estimate({VPC: 10, CLUSTER: 12, RDS: 40, TEMPORAL: 60}) == 10 + 40 + 60
    wide = [f"dev/unit-{number}" for number in range(6)]
    assert expected_seconds(ALL, wide, {}, dict.fromkeys(wide, 10.0)) == 30, "two at once"


def test_a_unit_that_is_new_counts_as_its_like_elsewhere_or_as_the_others() -> None:
    assert estimate({"staging/us-east-1/vpc": 10, CLUSTER: 20, RDS: 20}) == pytest.approx(10 + 20 + 50 / 3)


def test_of_too_little_nothing_is_told() -> None:
    assert estimate({}) is None
    assert estimate({VPC: 10}) is None
    assert estimate({VPC: 10}, []) is None


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_a_question_says_how_far_it_is_and_what_can_be_said() -> None:
    told = asks(question())
    assert "dev has stopped: `dev/us-east-1/rds` failed (1 unit done, 1 unit failed, 1 unit not begun)" in told
    assert "`docustack deploy roll-back`" in told


def test_an_environment_tells_what_was_applied_and_what_was_left_out() -> None:
    dev = progress()
    dev.take(result((VPC, UnitPhase.APPLIED, True), (CLUSTER, UnitPhase.NO_CHANGES, False)))
    dev.left_out, dev.stage = [RDS], Stage.DEPLOYED
    told = "dev is deployed: 1 unit applied, 1 unit without changes, left out: `dev/us-east-1/rds`"
    assert environment_done(dev) == told


# ---- what programs read ----------------------------------------------------------------------------------------------


def test_a_deployment_of_a_thousand_units_is_printed_unpacked_and_without_what_is_used_once() -> None:
    dev = progress()
    dev.units = {f"dev/us-east-1/{'unit' * 20}-{number}": UnitPhase.APPLIED for number in range(2_000)}
    document = deployment_document(DeploymentState(order=order(), environments=[dev], nonces=["n" * 16]))
    assert document["environments"][0]["units"] == dict.fromkeys(dev.units, "applied")
    assert "n" * 16 not in json.dumps(document)
