"""The edits of the bootstrap's file, and what is said of bucket, table and states."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from docustack import bootstrap_texts as texts
from docustack.bootstrap import (
    BootstrapOrder,
    BootstrapState,
    Step,
    StepState,
    StepStatus,
    is_genuine_order,
    sign_order,
    unknown_environment,
    why_not_equal,
    why_not_ours,
    wrong_names,
)
from docustack.bootstrap_file import edited, with_account_id, with_remote_state, without_remote_state
from docustack.configuration import Configuration
from docustack.errors import ConfigurationError
from docustack.plan_document import Json
from docustack.prerequisites import Area, Expected
from docustack.repository import Repository
from docustack.state_backend import (
    BackendFacts,
    BackendPlace,
    BucketFacts,
    Presence,
    TableFacts,
    adoptions,
    refuses_plain_http,
    what_is_missing,
    why_not_adopted,
)
from docustack.state_document import StateFacts, state_facts
from starter.bootstrap_watching import StepLines

EXAMPLE = Path(__file__).parents[2] / "examples" / "docustack-infrastructure-live" / "bootstrap" / "terragrunt.hcl"
ON = """locals { account_id = "111111111111" }

remote_state {
  backend = "s3"

  config = {
  }
}

inputs = {}
"""
PLACE = BackendPlace(bucket="states", key="bootstrap/terraform.tfstate", lock_table="locks", region="us-east-1")
GOOD = BucketFacts(
    presence=Presence.PRESENT,
    versioned=True,
    encrypted=True,
    public_access_blocked=True,
    tls_only=True,
    expires_old_versions=True,
)
TABLE = TableFacts(presence=Presence.PRESENT, keyed_by_lock_id=True)
STATE = StateFacts(lineage="l", serial=3, content="c", addresses=("aws_s3_bucket.state",))


def test_the_examples_block_is_switched_on_and_off_again_byte_by_byte() -> None:
    text = EXAMPLE.read_text()
    on = with_remote_state(text)
    assert "\nremote_state {\n" in on
    assert "# In use once bucket and table exist" in on
    assert without_remote_state(on) == text
    assert without_remote_state(text) == text
    assert with_remote_state(on) == on


def test_a_block_in_use_is_commented_out_and_back() -> None:
    off = without_remote_state(ON)
    assert "\n# remote_state {\n" in off
    assert with_remote_state(off) == ON


def test_a_file_without_the_block_is_told() -> None:
    with pytest.raises(ConfigurationError, match="no `remote_state` block"):
        with_remote_state("inputs = {}\n")


def test_the_account_id_is_corrected_where_it_stands_also_as_a_default() -> None:
    assert 'account_id = "222222222222"' in with_account_id(ON, "222222222222")
    corrected = edited(EXAMPLE.read_text(), remote_state=False, account_id="222222222222")
    assert 'get_env("DOCUSTACK_ACCOUNT_ID", "222222222222")' in corrected
    with pytest.raises(ConfigurationError, match="no `account_id`"):
        with_account_id("locals {}\n", "222222222222")


@pytest.mark.parametrize(
    "bucket, table, why",
    [
        (BucketFacts(presence=Presence.FOREIGN), TABLE, "belongs to another account"),
        (GOOD.model_copy(update={"versioned": False}), TABLE, "is not versioned"),
        (GOOD, TableFacts(presence=Presence.PRESENT), "its key is not the string LockID"),
    ],
)
def test_what_is_there_and_not_ours_to_use_is_told(bucket: BucketFacts, table: TableFacts, why: str) -> None:
    [problem] = why_not_adopted(BackendFacts(bucket=bucket, table=table), PLACE)
    assert why in problem


def test_nothing_and_what_matches_is_no_problem() -> None:
    nothing = BackendFacts(bucket=BucketFacts(presence=Presence.ABSENT), table=TableFacts(presence=Presence.ABSENT))
    assert why_not_adopted(nothing, PLACE) == []
    assert why_not_adopted(BackendFacts(bucket=GOOD, table=TABLE), PLACE) == []
    assert nothing.absent(PLACE) == ("states", "locks")


@pytest.mark.parametrize(
    "lacking", ["versioned", "encrypted", "public_access_blocked", "tls_only", "expires_old_versions"]
)
def test_each_setting_of_the_bucket_is_needed_at_the_end(lacking: str) -> None:
    facts = BackendFacts(bucket=GOOD.model_copy(update={lacking: False}), table=TABLE)
    assert len(what_is_missing(facts, PLACE)) == 1
    assert what_is_missing(BackendFacts(bucket=GOOD, table=TABLE), PLACE) == []


def test_a_simulator_on_plain_http_needs_no_policy_against_plain_http() -> None:
    facts = BackendFacts(bucket=GOOD.model_copy(update={"tls_only": False}), table=TABLE)
    assert what_is_missing(facts, PLACE.model_copy(update={"over_tls": False})) == []


def policy(**changes: object) -> str:
    statement = {
        "Sid": "TLSOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::states/*", "arn:aws:s3:::states"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | changes]})


@pytest.mark.parametrize(
    "changes, refuses",
    [
        ({}, True),
        ({"Principal": "*"}, True),
        ({"Action": ["s3:*"]}, True),
        ({"Effect": "Allow"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}, False),
        ({"Action": "s3:PutObject"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
    ],
    ids=str,
)
def test_only_a_deny_of_everything_for_everybody_refuses_plain_http(changes: dict[str, object], refuses: bool) -> None:
    assert refuses_plain_http(policy(**changes)) is refuses


def test_a_policy_that_nobody_understands_refuses_nothing() -> None:
    assert not refuses_plain_http("[]")


def test_only_what_exists_is_imported_of_what_a_plan_would_create() -> None:
    plan: dict[str, Json] = {
        "resource_changes": [
            _creation("aws_s3_bucket", "aws_s3_bucket.state", bucket="states"),
            _creation("aws_s3_bucket", "aws_s3_bucket.other", bucket="other"),
            _creation("aws_dynamodb_table", "module.x.aws_dynamodb_table.locks", name="locks"),
        ]
    }
    both = adoptions(plan, PLACE, BackendFacts(bucket=GOOD, table=TABLE))
    assert [each.address for each in both] == ["aws_s3_bucket.state", "module.x.aws_dynamodb_table.locks"]
    no_table = BackendFacts(bucket=GOOD, table=TableFacts(presence=Presence.ABSENT))
    assert [each.id for each in adoptions(plan, PLACE, no_table)] == ["states"]


def _creation(kind: str, address: str, **after: str) -> Json:
    changed: dict[str, Json] = dict(after)
    return {"address": address, "type": kind, "change": {"actions": ["create"], "after": changed}}


@pytest.mark.parametrize(
    "changed, why",
    [
        ({}, ""),
        ({"lineage": "other"}, "lineage"),
        ({"serial": 4}, "serial"),
        ({"addresses": ()}, "resources"),
        ({"content": "other"}, "other attributes"),
    ],
)
def test_two_states_are_equal_or_it_is_told_in_what_they_differ(changed: dict[str, object], why: str) -> None:
    told = why_not_equal(STATE, STATE.model_copy(update=changed))
    assert why in told
    assert bool(told) == bool(changed)


def test_the_content_of_a_state_is_its_resources_and_outputs_and_no_more() -> None:
    one = '{"version": 4, "lineage": "a", "serial": 1, "terraform_version": "1.5.0", "outputs": {}, "resources": []}'
    other = one.replace('"a"', '"b"').replace("1.5.0", "1.11.4")
    assert state_facts(one).holds_the_same(state_facts(other))
    assert not state_facts(one).holds_the_same(state_facts(one.replace('"outputs": {}', '"outputs": {"x": 1}')))


def test_a_later_state_of_the_same_lineage_is_ours_and_another_one_is_not() -> None:
    assert why_not_ours(STATE, STATE.model_copy(update={"serial": 9, "content": "new"})) == ""
    assert why_not_ours(None, STATE) == ""
    assert "two bootstraps" in why_not_ours(STATE, STATE.model_copy(update={"lineage": "other"}))


def test_names_have_to_be_those_of_docustack_yaml() -> None:
    rules = {"path": "dev", "account_id": "1" * 12, "apply": ["infra"]}
    configuration = Configuration.model_validate(
        {"version": 1, "teams": {"infra": "infra"}, "environments": {"dev": rules}}
    )
    right = PLACE.model_copy(
        update={"bucket": f"docustack-terraform-state-{'1' * 12}", "lock_table": "docustack-terraform-locks"}
    )
    assert wrong_names(configuration, "dev", right) == ""
    assert "--fix-account-id" in wrong_names(configuration, "dev", PLACE)
    assert "`state.lock_table`" in wrong_names(configuration, "dev", right.model_copy(update={"lock_table": "x"}))


def test_a_wrong_environment_gets_the_nearest() -> None:
    assert "Did you mean `staging`?" in unknown_environment(["dev", "staging"], "stagging")
    assert "Did you mean" not in unknown_environment(["dev", "staging"], "xyzzy")


def test_an_order_counts_only_with_the_servers_signature_and_as_it_was_signed() -> None:
    order = BootstrapOrder(
        login="lead",
        repository=Repository(owner="o", name="n"),
        environment="dev",
        account_id="1" * 12,
        given_at=datetime(2026, 1, 1, tzinfo=UTC),
        nonce="n" * 16,
    )
    signed = sign_order(order, "key")
    assert is_genuine_order(signed, ["other", "key"])
    assert not is_genuine_order(signed, ["other"])
    other = signed.model_copy(update={"order": order.model_copy(update={"login": "developer"})})
    assert not is_genuine_order(other, ["key"])


def test_the_command_of_a_bucket_without_versions_stands_on_a_line_of_its_own() -> None:
    unversioned = GOOD.model_copy(update={"versioned": False})
    [problem] = why_not_adopted(BackendFacts(bucket=unversioned, table=TABLE), PLACE)
    assert problem.splitlines()[1:] == [
        f"  aws s3api put-bucket-versioning --bucket {PLACE.bucket} --versioning-configuration Status=Enabled"
    ]


def test_a_tool_that_two_workers_have_is_named_once() -> None:
    tools = [
        Expected(area=Area.TOOLS, name=name, environment=worker, needed="one").met("1.11.4")
        for worker in (None, "dev")
        for name in ("terraform", "git")
    ]
    assert texts.met(tools) == ["terraform and git: ok"]


def test_why_a_step_has_failed_is_left_to_the_end_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    lines = StepLines(quiet=False)
    steps = [
        StepState(name=Step.PREFLIGHT, status=StepStatus.DONE, detail="infra-member may apply"),
        StepState(name=Step.PREREQUISITES, status=StepStatus.FAILED, detail="git push: refused"),
    ]
    lines.show(BootstrapState(environment="dev", account_id="1", actor="infra-member", steps=steps))
    done, failed = capsys.readouterr().out.splitlines()
    assert done.endswith(f"{Step.PREFLIGHT}: infra-member may apply")
    assert failed.endswith(f"✗ {Step.PREREQUISITES}")
    assert lines.reasons == [f"{Step.PREREQUISITES}: git push: refused"]  # for who ended it from outside
