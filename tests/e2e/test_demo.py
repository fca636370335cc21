"""The demo's scenario, played once, and then looked at in detail: not through the demo's own checks."""

import io
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from local.demo import new_service
from local.demo.new_service import CLUSTER, SERVICE, UNITS, VPC, Played
from local.demo.screen import Screen
from local.demo.stage import Stage
from local.doors import Doors
from local.parts import BOT, github_tokens, slack_token
from local.people import Comment
from tests.e2e.conftest import StartWorld

pytestmark = pytest.mark.timeout(900)  # the whole scenario is the set-up of the first test

STATES = "docustack-terraform-state-111111111111"
TEAM_OF_DEV = "`infra`"


@dataclass
class Demo:
    """What is left when the scenario has been played."""

    doors: Doors
    played: Played
    shown: str

    @property
    def number(self) -> int:
        return self.played.pull_request.number

    @property
    def comments(self) -> list[Comment]:
        return self.doors.person("developer").comments(self.number)

    def of_bot(self, heading: str) -> list[Comment]:
        return [one for one in self.comments if one.author == BOT and one.body.startswith(f"## {heading}\n")]

    def of_unit(self, heading: str, unit: str) -> Comment:
        [found] = [one for one in self.of_bot(heading) if f"\n**Directory:** `{unit}`\n" in one.body]
        return found

    def state(self, unit: str) -> dict[str, object]:
        body = self.doors.aws("s3").get_object(Bucket=STATES, Key=f"{unit}/terraform.tfstate")["Body"].read()
        state: dict[str, object] = json.loads(body)
        return state


@pytest.fixture(scope="module")
def demo(start_world: StartWorld) -> Iterator[Demo]:
    """On a world of its own: the scenario begins where nothing was ever applied."""
    doors = start_world("demo")
    shown = io.StringIO()
    stage = Stage(doors.world, Screen(Console(file=shown, width=140)))
    try:
        played = new_service.play(stage)
    except Exception:
        print(shown.getvalue())  # noqa: T201  # the only way to tell what the scenario saw
        raise
    yield Demo(doors, played, shown.getvalue())
    doors.world.down()


def test_plan_of_the_new_service_is_commented_in_the_guides_format(demo: Demo) -> None:
    body = demo.of_unit("Terrateam Plan", SERVICE).body
    assert body.startswith("## Terrateam Plan\n\n**Directory:** `dev/us-east-1/new-service`\n\n")
    lines = body.splitlines()
    order = [
        "### Plan Output",
        "Terraform will perform the following actions:",
        "# aws_ecs_service.new_service will be created",
        '+ resource "aws_ecs_service" "new_service" {',
        "Plan: 1 to add, 0 to change, 0 to destroy.",
    ]
    assert [line for line in lines if line in order] == order
    assert re.search(r'^\+ +cluster += "arn:aws:ecs:', body, re.MULTILINE)
    assert re.search(r"^\+ +desired_count += 2$", body, re.MULTILINE)
    assert re.search(r'^\+ +name += "new-service"$', body, re.MULTILINE)


@pytest.mark.parametrize("unit,waits_for", [(VPC, []), (CLUSTER, [VPC]), (SERVICE, [CLUSTER, VPC])])
def test_plan_made_from_mock_outputs_is_marked_as_a_preview(demo: Demo, unit: str, waits_for: list[str]) -> None:
    body = demo.of_unit("Terrateam Plan", unit).body
    marks = [line for line in body.splitlines() if "planned again after" in line]
    assert len(marks) == bool(waits_for)
    assert all(f"`{each}`" in mark for mark in marks for each in waits_for)
    assert ("mock" in re.sub(r"(?m)^>.*$", "", body)) == bool(waits_for)


def test_each_unit_is_planned_and_applied_in_one_comment_each(demo: Demo) -> None:
    for heading in ("Terrateam Plan", "Terrateam Apply"):
        units = [re.search(r"Directory:\*\* `(.+)`", one.body)[1] for one in demo.of_bot(heading)]  # type: ignore[index]
        assert sorted(units) == sorted(UNITS)
    markers = Counter(mark for one in demo.comments for mark in re.findall(r"<!-- docustack:(.+?) -->", one.body))
    assert set(markers.values()) == {1}


def test_developer_is_refused_and_told_which_team_may(demo: Demo) -> None:
    [command] = [one for one in demo.comments if one.author == "developer"]
    [answer] = [one for one in demo.comments if one.author == BOT and "may not apply" in one.body]
    assert command.body == "terrateam apply"
    assert TEAM_OF_DEV in answer.body
    assert "environments.dev.apply" in answer.body
    signs = {one.content for one in demo.doors.person("developer").reactions(command)}
    assert signs == {"eyes", "-1"}


def test_nothing_is_applied_before_infra_member_says_so(demo: Demo) -> None:
    [command] = [one for one in demo.comments if one.author == "infra-member"]
    assert all(one.id > command.id for one in demo.of_bot("Terrateam Apply"))
    signs = [one.content for one in demo.doors.person("developer").reactions(command)]
    assert signs == ["eyes", "rocket"]


def test_units_are_applied_in_the_order_of_their_dependencies(demo: Demo) -> None:
    written = {}
    for unit in UNITS:
        versions = demo.doors.aws("s3").list_object_versions(Bucket=STATES, Prefix=f"{unit}/")["Versions"]
        written[unit] = [version["LastModified"] for version in versions]
    assert max(written[VPC]) <= min(written[CLUSTER])
    assert max(written[CLUSTER]) <= min(written[SERVICE])


def test_each_unit_is_applied_exactly_once(demo: Demo) -> None:
    lineages = {demo.state(unit)["lineage"] for unit in UNITS}
    assert len(lineages) == len(UNITS)
    services = demo.doors.aws("ecs").list_services(cluster="docustack-dev")["serviceArns"]
    assert len(services) == 1
    vpcs = demo.doors.aws("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    assert [vpc["CidrBlock"] for vpc in vpcs] == ["10.10.0.0/16"]


def test_apply_comments_show_outcome_and_outputs_in_the_guides_format(demo: Demo) -> None:
    body = demo.of_unit("Terrateam Apply", CLUSTER).body
    head = "## Terrateam Apply\n\n**Directory:** `dev/us-east-1/ecs-cluster`\n\n**Status:** ✅ Success\n\n"
    assert body.startswith(head)
    order = ["### Apply Output", "Outputs:", 'cluster_name = "docustack-dev"']
    assert [line for line in body.splitlines() if line in order] == order
    assert re.search(r"^Apply complete! Resources: \d+ added, 0 changed, 0 destroyed\.$", body, re.MULTILINE)
    assert re.search(r'^cluster_arn = "arn:aws:ecs:us-east-1:\d+:cluster/docustack-dev"$', body, re.MULTILINE)


def test_service_holds_the_real_ids_of_vpc_and_cluster(demo: Demo) -> None:
    ec2, ecs = demo.doors.aws("ec2"), demo.doors.aws("ecs")
    [service] = ecs.describe_services(cluster="docustack-dev", services=["new-service"])["services"]
    [cluster] = ecs.describe_clusters(clusters=["docustack-dev"])["clusters"]
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    subnets = ec2.describe_subnets(SubnetIds=network["subnets"])["Subnets"]
    [group] = ec2.describe_security_groups(GroupIds=network["securityGroups"])["SecurityGroups"]
    assert service["clusterArn"] == cluster["clusterArn"]
    assert {subnet["VpcId"] for subnet in subnets} == {group["VpcId"]}
    assert f'vpc_id = "{group["VpcId"]}"' in demo.of_unit("Terrateam Apply", VPC).body
    assert (service["desiredCount"], len(subnets)) == (2, 2)


@pytest.mark.parametrize("unit", UNITS)
def test_no_mock_value_has_reached_a_state(demo: Demo, unit: str) -> None:
    text = json.dumps(demo.state(unit))
    assert "-mock" not in text
    assert "192.0.2.0" not in text
    assert "/mock" not in text


def test_main_says_what_is_there(demo: Demo, tmp_path: Path) -> None:
    tree = demo.doors.clone("infra-member", tmp_path / "clone")
    endpoint = {"AWS_ENDPOINT_URL": demo.doors.status.aws.endpoint_url}
    for unit in UNITS:
        done = subprocess.run(
            ["terragrunt", "plan", "-detailed-exitcode", "-lock=false"],
            cwd=tree.path / unit,
            env=os.environ | endpoint | {"TG_NON_INTERACTIVE": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{unit} would change:\n{done.stdout}{done.stderr}"


def test_checks_are_green_and_lead_to_their_runs(demo: Demo) -> None:
    checks = demo.doors.person("developer").checks(demo.played.pull_request.commit)
    assert {name: (check.status, check.conclusion) for name, check in checks.items()} == {
        "docustack/plan": ("completed", "success"),
        "docustack/apply": ("completed", "success"),
    }
    for check in checks.values():
        assert check.details_url is not None
        assert check.details_url.startswith(demo.doors.status.temporal.ui_url)
        assert httpx.get(check.details_url, follow_redirects=True, trust_env=False).is_success


@pytest.mark.parametrize("unit", UNITS)
def test_apply_comment_leads_to_the_whole_log(demo: Demo, unit: str) -> None:
    found = re.search(r"\[Whole log\]\((\S+)\)", demo.of_unit("Terrateam Apply", unit).body)
    assert found
    log = httpx.get(found[1], trust_env=False)
    assert log.is_success
    assert "Apply complete! Resources:" in log.text


def test_locks_are_gone_with_the_merge(demo: Demo) -> None:
    assert demo.doors.person("developer").pull_request(demo.number).merged
    assert demo.doors.histories.locked_units() == {}
    items = demo.doors.aws("dynamodb").scan(TableName="docustack-terraform-locks")["Items"]
    assert {item["LockID"]["S"] for item in items} == {f"{STATES}/{unit}/terraform.tfstate-md5" for unit in UNITS}


def test_slack_has_the_guides_messages_in_a_thread_for_each_run(demo: Demo) -> None:
    plan, apply = demo.doors.slack.threads()
    assert plan.texts == ["Plan started for dev/us-east-1/... (3 units)", "Plan completed: 34 to add, 0 to change"]
    assert apply.texts == ["Apply started for dev/us-east-1/... (3 units)", "Apply completed successfully"]
    for head in (plan.text, apply.text):
        assert f"<{demo.played.pull_request.html_url}|PR #{demo.number}>" in head
        assert f"<{demo.doors.status.temporal.ui_url}/namespaces/" in head


async def test_no_workflow_task_has_failed_and_no_activity_timed_out(demo: Demo) -> None:
    client = await demo.doors.histories.connect()
    kinds: Counter[str] = Counter()
    bad = []
    async for execution in client.list_workflows():
        kinds[execution.workflow_type] += 1
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        names = [event.WhichOneof("attributes") async for event in handle.fetch_history_events()]
        bad += [f"{execution.id}: {name}" for name in names if name and ("failed" in name or "timed_out" in name)]
    assert (kinds["PullRequestWorkflow"], kinds["RunWorkflow"], kinds["LocksWorkflow"]) == (1, 3, 1)
    assert bad == []


def test_nothing_that_was_posted_holds_a_token(demo: Demo) -> None:
    places = demo.doors.world.places
    secrets = [*github_tokens(places).values(), slack_token(places), demo.doors.status.webhook.secret]
    said = [one.body for one in demo.comments] + [head.text for head in demo.doors.slack.threads()]
    logs = [log.read_text(errors="replace") for log in (places.data_dir / "logs").glob("*.log")]
    assert [text[:200] for text in [*said, *logs] if any(secret in text for secret in secrets)] == []


def test_screen_tells_each_step_with_its_checks(demo: Demo) -> None:
    for words in ("developer opens #1", "infra-member comments terrateam apply", "merges #1", "Apply complete!"):
        assert words in demo.shown
    assert "✘" not in demo.shown
