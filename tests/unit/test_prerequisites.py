"""Verdicts on what was found: what is well, what is not, and the command that mends exactly that."""

from datetime import timedelta

import pytest

from docustack.aws_accounts import CallerIdentity, account_of_arn, bucket_and_table
from docustack.aws_prerequisites import AwsExpectations, BucketFacts, TableFacts
from docustack.configuration import Environment
from docustack.github_prerequisites import Delivery, GitHubExpectations, Webhook
from docustack.prerequisites import CheckStatus, Prerequisite, Prerequisites, unmet_summary
from docustack.repository import Repository
from docustack.temporal_prerequisites import TemporalExpectations

DEV = Environment(path="dev", account_id="111111111111", apply=["infra"], profile="docustack-dev")
URL = "https://docustack.example.com/webhooks/github"
ALL = ("pull_request", "pull_request_review", "issue_comment", "push")


def aws(profile: str | None = "docustack-dev") -> AwsExpectations:
    return AwsExpectations("dev", DEV, profile, "the-bucket", "the-table")


def github(public_url: str = "https://docustack.example.com") -> GitHubExpectations:
    return GitHubExpectations(Repository(owner="acme", name="live"), public_url)


def hook(**changes: object) -> Webhook:
    whole = Webhook(hook_id=7, url=URL, content_type="json", active=True, events=ALL)
    return whole.model_copy(update=changes)


def delivery(number: int, code: int, guid: str = "") -> Delivery:
    return Delivery(
        delivery_id=number,
        guid=guid or f"g{number}",
        event="push",
        status="OK" if code == 200 else "timed out",
        status_code=code,
        delivered_at="2026-01-01T00:00:00Z",
    )


@pytest.mark.parametrize(
    "made, status, found, mend",
    [
        # ---- AWS
        (aws().judge_profile(False), "failed", "no profile docustack-dev", "aws configure sso --profile docustack-dev"),
        (aws().judge_profile(True), "ok", "profile docustack-dev", ""),
        (aws(None).judge_profile(False), "ok", "of the environment or of the machine", ""),
        (aws().no_session("Token has expired"), "failed", "expired", "aws sso login --profile docustack-dev"),
        (aws(None).no_session("ExpiredToken"), "failed", "ExpiredToken", "aws sso login --profile docustack-dev"),
        (aws().judge_bucket(None), "failed", "there is no bucket the-bucket", "docustack bootstrap dev"),
        (
            aws().judge_bucket(BucketFacts(versioned=False, encrypted=True, blocks_public_access=True)),
            "failed",
            "the-bucket: not versioned",
            (
                "aws s3api put-bucket-versioning --bucket the-bucket --versioning-configuration Status=Enabled "
                "--profile docustack-dev"
            ),
        ),
        (
            aws(None).judge_bucket(BucketFacts(versioned=True, encrypted=False, blocks_public_access=True)),
            "failed",
            "the-bucket: not encrypted",
            (
                "aws s3api put-bucket-encryption --bucket the-bucket --server-side-encryption-configuration "
                "'Rules=[{ApplyServerSideEncryptionByDefault={SSEAlgorithm=AES256}}]'"
            ),
        ),
        (
            aws(None).judge_bucket(BucketFacts(versioned=True, encrypted=True, blocks_public_access=False)),
            "failed",
            "the-bucket: may be public",
            (
                "aws s3api put-public-access-block --bucket the-bucket --public-access-block-configuration "
                "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
            ),
        ),
        (aws().judge_table(None), "failed", "there is no table the-table", "docustack bootstrap dev"),
        (aws().judge_table(TableFacts(active=True, key="id")), "failed", "no lock table", None),
        (aws(None).judge_table(TableFacts(active=False, key="LockID")), "failed", "not active yet", None),
        (aws().judge_table(TableFacts(active=True, key="LockID")), "ok", "the-table: active, encrypted", ""),
        # ---- GitHub
        (
            github().judge_push("dana", False),
            "failed",
            "dana may not push",
            "gh api -X PUT repos/acme/live/collaborators/dana -f permission=push",
        ),
        (github().no_team("leads"), "failed", "no team acme/leads", "gh api -X POST orgs/acme/teams -f name=leads"),
        (
            github().judge_team("infra", 2, "dana", False),
            "optional",
            "2 members, dana not among them",
            "gh api -X PUT orgs/acme/teams/infra/memberships/dana",
        ),
        (github().judge_team("infra", 1, "ines", True), "ok", "1 member, ines among them", ""),
        (github().judge_webhook(hook(), [hook()]), "ok", f"to {URL}, active", ""),
        (github().judge_webhook(None, [hook(url="https://other")]), "failed", "only https://other", None),
        (
            github().judge_webhook(hook(active=False), []),
            "failed",
            "is not active",
            "gh api -X PATCH repos/acme/live/hooks/7 -F active=true",
        ),
        (
            github().judge_webhook(hook(content_type="form"), []),
            "failed",
            "gets its events as form",
            "gh api -X PATCH repos/acme/live/hooks/7/config -f content_type=json",
        ),
        (
            github().judge_webhook(hook(events=("push", "issue_comment")), []),
            "failed",
            "without pull_request, pull_request_review",
            (
                "gh api -X PATCH repos/acme/live/hooks/7 -f 'add_events[]=pull_request' -f "
                "'add_events[]=pull_request_review'"
            ),
        ),
        (github().judge_webhook(hook(events=("*",)), []), "ok", "active", ""),
        (github().judge_deliveries(hook(), []), "ok", "none was sent yet", ""),
        (github().judge_deliveries(hook(), [delivery(2, 202), delivery(1, 200)]), "ok", "the last 2 arrived", ""),
        (
            github().judge_deliveries(hook(), [delivery(3, 200), delivery(2, 0), delivery(1, 500)]),
            "failed",
            "2 of the last 3 did not: push of 2026-01-01T00:00:00Z, timed out",
            "gh api -X POST repos/acme/live/hooks/7/deliveries/2/attempts",
        ),
        (
            github().judge_deliveries(hook(), [delivery(2, 200, "again"), delivery(1, 500, "again")]),
            "ok",
            "the only one arrived",
            "",
        ),
        # ---- Temporal
        (
            TemporalExpectations("localhost:7233", "acme").no_namespace(),
            "failed",
            "there is no namespace acme",
            "temporal operator namespace create --namespace acme --retention 90d --address localhost:7233",
        ),
        (
            TemporalExpectations("localhost:7233", "acme").judge_namespace(timedelta(days=1)),
            "optional",
            "acme, keeps histories 1 day: then the audit trail is gone",
            "temporal operator namespace update --namespace acme --retention 90d --address localhost:7233",
        ),
        (
            TemporalExpectations("localhost:7233", "acme").judge_namespace(timedelta(days=30)),
            "ok",
            "acme, keeps histories 30 days",
            "",
        ),
        (
            TemporalExpectations("localhost:7233", "acme").judge_attributes({"DocustackUnits": "KeywordList"}, 7),
            "failed",
            "without DocustackUnits",
            (
                "temporal operator search-attribute create --namespace acme --address localhost:7233 "
                "--name DocustackUnits --type KeywordList"
            ),
        ),
        (
            TemporalExpectations("localhost:7233", "acme").judge_worker("dev", [], 0),
            "failed",
            "there is none",
            "DOCUSTACK_CONTROL_QUEUE=false DOCUSTACK_ENVIRONMENTS=dev docustack worker",
        ),
        (
            TemporalExpectations("localhost:7233", "acme").judge_worker(None, ["7@host"], 200),
            "failed",
            "7@host asked for work 200 s ago: it is gone, or all its places are taken",
            "DOCUSTACK_CONTROL_QUEUE=true docustack worker",
        ),
        (
            TemporalExpectations("localhost:7233", "acme").judge_worker(None, ["7@host", "8@host"], 20),
            "ok",
            "7@host and 1 more",
            "",
        ),
    ],
)
def test_each_check_says_what_was_found_and_what_mends_it(
    made: Prerequisite, status: str, found: str, mend: str | None
) -> None:
    assert made.status == status
    assert found in made.found
    assert bool(made.mend) is (status != "ok")
    if mend is not None:
        assert made.mend == mend


def test_another_account_wants_its_own_profile_or_no_other_credentials() -> None:
    other = CallerIdentity(account="222222222222", arn="arn:aws:iam::222222222222:user/dana")
    with_profile = aws().judge_account(other, None)
    assert with_profile.status is CheckStatus.FAILED
    assert with_profile.mend == "aws configure sso --profile docustack-dev"
    assert with_profile.needed == "account 111111111111"
    from_variables = aws(None).judge_account(other, None)
    assert from_variables.mend.startswith("unset AWS_ACCESS_KEY_ID ")
    assert from_variables.mend.endswith("; aws sso login --profile docustack-dev")
    assert aws().judge_account(other, "222222222222").is_ok  # that of a simulator


def test_a_webhook_that_is_missing_is_made_with_address_secret_and_events() -> None:
    made = github().judge_webhook(None, [])
    assert made.found == "there is none"
    assert "gh api -X POST repos/acme/live/hooks " in made.mend
    assert f"'config[url]={URL}'" in made.mend
    assert '"config[secret]=$DOCUSTACK_WEBHOOK_SECRET"' in made.mend
    assert all(f"'events[]={event}'" in made.mend for event in ALL)


def test_our_webhook_is_told_from_others_by_its_address() -> None:
    other = hook(hook_id=1, url="https://old.example.com/webhooks/github")
    assert github().choose([other, hook()]) == hook()
    assert github().choose([other]) is None
    assert github("").choose([hook(active=False), other]) == other  # nobody knows our address: the active one


def test_only_the_last_deliveries_count() -> None:
    lost_long_ago = [*(delivery(number, 200) for number in range(20, 10, -1)), delivery(10, 0)]
    assert github().judge_deliveries(hook(), lost_long_ago).is_ok


def test_names_of_bucket_and_table_come_from_the_patterns() -> None:
    names = bucket_and_table("s-{account_id}-{region}", "l-{environment}", "dev", DEV)
    assert names == ("s-111111111111-us-east-1", "l-dev")


def test_the_account_of_an_arn() -> None:
    assert account_of_arn("arn:aws-us-gov:sts::111111111111:assumed-role/plan/me") == "111111111111"
    assert account_of_arn("nobody") == ""


def test_what_is_optional_or_skipped_fails_nothing_and_what_failed_is_told_with_its_command() -> None:
    team = github().judge_team("infra", 1, "dana", False)
    assert Prerequisites(checks=(team, github().nobody())).are_met
    made = Prerequisites(checks=(team, aws().judge_bucket(None)))
    assert not made.are_met
    assert unmet_summary(made.checks) == (
        "state bucket of dev: there is no bucket the-bucket; needed: versioned, encrypted, not public. To mend it:\n"
        "  docustack bootstrap dev"
    )
