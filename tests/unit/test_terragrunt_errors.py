"""What kind of failure the tools' output tells of, where, and what a person does about it."""

import pytest

from docustack.errors import ErrorType
from docustack.plan_text import applied_summary, apply_text, cut_middle, plan_text
from docustack.plans import PlanSummary
from docustack.terragrunt_errors import Failure, classify, clean_output, state_lock

UNIT = "dev/us-east-1/vpc"

STATE_LOCK = """
╷
│ Error: Error acquiring the state lock
│
│ Error message: operation error DynamoDB: PutItem, https response error
│ StatusCode: 400, RequestID: X, ConditionalCheckFailedException: The
│ conditional request failed
│ Lock Info:
│   ID:        6a7b1f0e-1c1d-4b0a-9d6e-0c5f3b7f4f11
│   Path:      docustack-terraform-state-123/dev/us-east-1/vpc/terraform.tfstate
│   Operation: OperationTypeApply
│   Who:       anna@laptop
│   Version:   1.11.4
│   Created:   2026-11-24 16:33:54.123456789 +0000 UTC
│   Info:
│
│
│ Terraform acquires a state lock to protect the state from being written
│ by multiple users at the same time.
╵
16:40:42.571 ERROR  terraform invocation failed in ./.terragrunt-cache/x
"""

UNSUPPORTED = """
Error: Unsupported argument

  on main.tf line 3, in resource "aws_vpc" "this":
   3:   nonsense = 1

An argument named "nonsense" is not expected here.
"""

DENIED = """
Error: creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 403, RequestID: x, api error
UnauthorizedOperation: You are not authorized to perform this operation.

  with aws_vpc.this,
  on main.tf line 1, in resource "aws_vpc" "this":
   1: resource "aws_vpc" "this" {
"""

FROM_AWS = """
Error: creating ECS Cluster (x): InvalidParameterException: the name is taken

  with aws_ecs_cluster.this,
  on main.tf line 1, in resource "aws_ecs_cluster" "this":
"""

UNWRITTEN = """
Error: Failed to save state

Error saving state: failed to upload state: operation error S3: PutObject,
https response error StatusCode: 403, RequestID: x, api error AccessDenied

Error: Failed to persist state to backend

The error shown above has prevented Terraform from writing the updated state
to the configured backend. To allow for recovery, the state has been written
to the file "errored.tfstate" in the current working directory.
"""


def found(output: str, profile: str | None = "docustack-dev") -> Failure:
    return classify(output, "terragrunt plan", UNIT, profile)


@pytest.mark.parametrize(
    "output, kind",
    [
        (STATE_LOCK, ErrorType.STATE_LOCKED),
        (UNWRITTEN, ErrorType.UNWRITTEN_STATE),
        ("Error: Saved plan is stale\n\nThe given plan file can no longer be applied", ErrorType.STALE_PLAN),
        ("Error: Mismatch between input and plan variable value\n", ErrorType.STALE_PLAN),
        ("Error: Plugin did not respond\n\n  with aws_vpc.this,\n", ErrorType.PROVIDER_CRASH),
        ("Error: Failed to write plan file\n\nwrite x: no space left on device\n", ErrorType.DISK_FULL),
        ("panic: runtime error: invalid memory address\n", ErrorType.PROVIDER_CRASH),
        (UNSUPPORTED, ErrorType.CONFIGURATION),
        ("Error: No value for required variable\n\n  on main.tf line 1:\n", ErrorType.CONFIGURATION),
        ('There is no variable named "local".', ErrorType.CONFIGURATION),
        (DENIED, ErrorType.CREDENTIALS),
        ("Error: No valid credential sources found\n", ErrorType.CREDENTIALS),
        ("Error: failed to refresh cached credentials, the SSO session has expired\n", ErrorType.CREDENTIALS),
        ("Error: ExpiredToken: The security token included in the request is expired\n", ErrorType.CREDENTIALS),
        ("Error: reading VPC: RequestLimitExceeded: Request limit exceeded.\n", ErrorType.THROTTLED),
        ("Error: listing: ThrottlingException: Rate exceeded\n", ErrorType.THROTTLED),
        ('Error: Get "https://sts.amazonaws.com": dial tcp: lookup sts: no such host\n', ErrorType.UNAVAILABLE),
        ("Error: Failed to load state: StatusCode: 503, Service Unavailable\n", ErrorType.UNAVAILABLE),
        (FROM_AWS, ErrorType.FAILED),
        ("", ErrorType.FAILED),
        ("something unheard of\n", ErrorType.FAILED),
        ("a is a dependency of b but detected no outputs. Either the target module has not …", ErrorType.NO_OUTPUTS),
        ("Error: reading\n\nuser x is not authorized\nto perform: ec2:DescribeVpcs\n", ErrorType.CREDENTIALS),
    ],
)
def test_kinds_are_told_apart(output: str, kind: ErrorType) -> None:
    assert found(output).type is kind


def test_a_word_in_ordinary_output_decides_nothing() -> None:
    output = 'aws_sns_topic.AccessDenied: Creating...\ntags = "Throttling"\n' + FROM_AWS
    assert found(output).type is ErrorType.FAILED


def test_the_message_says_what_failed_where_and_what_to_do() -> None:
    assert found(UNSUPPORTED).message == (
        f"`terragrunt plan` failed for {UNIT}: Unsupported argument (main.tf:3)\n"
        "Correct the configuration at that place and push; the plan is made again by itself."
    )


def test_denied_says_how_to_log_in_with_the_environments_profile() -> None:
    assert "aws sso login --profile docustack-dev" in found(DENIED).message
    assert "aws sso login`" in found(DENIED, profile=None).message


def test_a_held_state_says_by_whom_since_when_and_how_to_free_it() -> None:
    failure = found(STATE_LOCK)
    assert failure.state_lock is not None
    assert failure.state_lock.lock_id == "6a7b1f0e-1c1d-4b0a-9d6e-0c5f3b7f4f11"
    for part in ("anna@laptop", "2026-11-24 16:33:54", "terrateam unlock", "terragrunt force-unlock 6a7b1f0e"):
        assert part in failure.message


def test_a_lock_that_tells_nothing_of_itself_is_still_told() -> None:
    assert state_lock("Error acquiring the state lock") is None
    assert "terragrunt force-unlock <lock-id>" in found("Error: Error acquiring the state lock\n").message


def test_the_useful_lines_are_the_errors_without_noise() -> None:
    output = "Initializing the backend...\naws_vpc.this: Creating...\n" + UNSUPPORTED + "exit status 1\n"
    assert found(output).lines == UNSUPPORTED.strip()


def test_several_errors_are_all_shown_and_counted() -> None:
    failure = found(UNSUPPORTED + FROM_AWS)
    assert "(and 1 more)" in failure.headline
    assert "the name is taken" in failure.lines


REPEATED = """
Planning failed. Terraform encountered an error while generating this plan.

Error: Resource precondition failed

  on main.tf line 10, in resource "terraform_data" "this":
  10:     condition     = length("${var.value}") > 1000

cannot use (sensitive value) here
  + value = "v"

You can apply this plan to save these new output values to the Terraform
state, without changing any real infrastructure.
16:40:42.571 ERROR  error occurred:

* Failed to execute "/opt/tools/terraform plan -out=/data/plan.bin" in ./.terragrunt-cache/n6/Wa

Error: Resource precondition failed

    on main.tf line 10, in resource "terraform_data" "this":
    10:     condition     = length("${var.value}") > 1000

  cannot use (sensitive value) here

  exit status 1
"""


def test_an_error_that_terragrunt_repeats_is_shown_once_and_by_itself() -> None:
    failure = found(REPEATED)
    assert failure.headline.endswith(": Resource precondition failed (main.tf:10)")
    assert failure.lines == (
        "Error: Resource precondition failed\n\n"
        '  on main.tf line 10, in resource "terraform_data" "this":\n'
        '  10:     condition     = length("${var.value}") > 1000\n\n'
        "cannot use (sensitive value) here"
    )


def test_two_errors_that_terragrunt_repeats_are_two() -> None:
    end = "16:40:42.571 ERROR  2 errors occurred:\n\n* Failed to execute x\n"
    indented = "\n".join(f"  {line}" for line in (UNSUPPORTED + FROM_AWS).splitlines())
    failure = found(UNSUPPORTED + FROM_AWS + end + indented + "\n  exit status 1\n")
    assert "(and 1 more)" in failure.headline
    assert failure.lines.count("Error: ") == 2


def test_what_terragrunt_says_of_its_command_is_not_worth_a_line() -> None:
    failure = found('something went wrong\n* Failed to execute "/opt/terraform plan" in ./x\n  exit status 1\n')
    assert failure.lines == "something went wrong"


def test_without_an_error_the_last_lines_are_shown() -> None:
    failure = found("\n".join(f"line {number}" for number in range(100)))
    assert failure.lines.endswith("line 99")
    assert "line 1\n" not in failure.lines


def test_what_the_tools_put_before_each_line_is_taken_away() -> None:
    old = "time=2024-01-01T00:00:00Z level=error msg=Hello"
    assert clean_output(f"\x1b[31m16:33:54.227 STDOUT terraform: Apply\x1b[0m\n│ boxed\n{old}") == "Apply\nboxed\nHello"


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_a_plan_begins_with_what_it_does() -> None:
    does = "Terraform will perform the following actions:\n\n  # x"
    assert plan_text(f"\nTerraform used the selected providers\n  + create\n\n{does}\n") == does
    assert plan_text("\nNo changes. Nothing.\n") == "No changes. Nothing."
    assert plan_text("something else\n") == "something else"


def test_an_apply_is_told_from_its_end_on() -> None:
    output = 'x: Creating...\n\nApply complete! Resources: 3 added, 1 changed, 0 destroyed.\n\nOutputs:\n\na = "b"\n'
    assert apply_text(output).startswith("Apply complete! Resources: 3 added")
    assert apply_text(output).endswith('a = "b"')
    assert applied_summary(output) == PlanSummary(add=3, change=1, destroy=0)
    imported = "Apply complete! Resources: 2 imported, 0 added, 1 changed, 4 destroyed."
    assert applied_summary(imported) == PlanSummary(change=1, destroy=4, imported=2)
    assert applied_summary("Error: no") is None


@pytest.mark.parametrize("limit", [120, 500, 1000])
def test_a_long_text_loses_its_middle_and_says_so(limit: int) -> None:
    text = "\n".join(f"line {number}" for number in range(1000))
    cut = cut_middle(text, limit)
    assert len(cut) <= limit
    assert cut.startswith("line 0")
    assert cut.endswith("line 999")
    assert "lines left out" in cut
    assert cut_middle(text, len(text)) == text


def test_a_preamble_that_says_nothing_is_no_summary() -> None:
    preamble = (
        "Error: Terraform encountered problems during initialisation, including problems\nwith the configuration.\n"
    )
    assert "failed for dev/us-east-1/vpc: Unsupported argument" in found(preamble + UNSUPPORTED).headline
