"""The deployment guide's own example: a pull request with a new service becomes applied infrastructure."""

import re
from dataclasses import dataclass, field

from local.comment_formats import ApplyComment, PlanComment, read_apply, read_plan
from local.demo.new_service_facts import read_back
from local.demo.stage import Stage
from local.people import Comment, Person, PullRequest
from local.places import CHANGES
from local.waiting import wait_for

BRANCH = "feature/add-new-service"
VPC, CLUSTER, SERVICE = (f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "new-service"))
UNITS = (VPC, CLUSTER, SERVICE)
"""In the order in which they are to be applied."""

MOCKS_OF = {VPC: (), CLUSTER: (VPC,), SERVICE: (CLUSTER, VPC)}
"""From whose mock outputs each is planned, as long as nothing is applied."""

APPLY_SECONDS = 300.0
_MOCK = re.compile(r"\bmock\b")


@dataclass
class Played:
    """What the scenario leaves, for who wants to look closer."""

    pull_request: PullRequest
    plans: dict[str, PlanComment] = field(default_factory=dict)
    refusal: Comment | None = None
    applies: list[ApplyComment] = field(default_factory=list)


def play(stage: Stage) -> Played:
    """Steps 2 to 5; the world is up.

    Raises:
        Differs: a step was not as it should be.
    """
    developer, infra_member = stage.doors.person("developer"), stage.doors.person("infra-member")
    with stage.step("The state's bucket and lock table are there"):
        _check_state_backend(stage)
    with stage.step("developer opens a pull request, and the plans appear by themselves"):
        played = Played(_open_pull_request(stage, developer))
        played.plans = _wait_for_plans(stage, developer, played.pull_request)
    with stage.step("developer may not apply; infra-member may, and the three units are applied in order"):
        played.refusal = _be_refused(stage, developer, played.pull_request.number)
        played.applies = _apply(stage, infra_member, played)
        _check_aws(stage, {apply.unit: apply for apply in played.applies})
    with stage.step("The pull request is merged, its locks are gone, Slack has heard of it"):
        _merge(stage, developer, played.pull_request.number)
        _check_slack(stage, played)
        _check_workflows(stage, played.pull_request.number)
    return played


# ---- 2 ---------------------------------------------------------------------------------------------------------------


def _check_state_backend(stage: Stage) -> None:
    s3, dynamodb = stage.doors.aws("s3"), stage.doors.aws("dynamodb")
    bucket = "docustack-terraform-state-111111111111"
    stage.same(f"{bucket} keeps versions", s3.get_bucket_versioning(Bucket=bucket).get("Status"), "Enabled")
    table = dynamodb.describe_table(TableName="docustack-terraform-locks")["Table"]
    stage.same("docustack-terraform-locks locks by LockID", table["KeySchema"][0]["AttributeName"], "LockID")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    stage.same("no unit has a state: nothing was applied yet", keys, [])


# ---- 3 ---------------------------------------------------------------------------------------------------------------


def _open_pull_request(stage: Stage, developer: Person) -> PullRequest:
    tree = stage.doors.clone(developer.login)
    tree.branch(BRANCH)
    tree.lay_over(CHANGES / "add-new-service")
    tree.commit("feat: add new service infrastructure")
    changed = tree.git("diff", "--name-only", "origin/main", "HEAD").splitlines()
    commit = tree.push()
    stage.screen.did("developer", f"pushes {BRANCH} ({commit[:7]}, {len(changed)} files)")
    units = {name.removesuffix("/terragrunt.hcl") for name in changed if name.endswith("/terragrunt.hcl")}
    stage.same("it changes the three units", units, set(UNITS))
    pull_request = developer.open_pull_request(
        BRANCH,
        title="Add new service infrastructure",
        body="The service `new-service`, its port in the cluster, and a gateway endpoint for DynamoDB in the VPC.",
    )
    stage.screen.did("developer", f"opens #{pull_request.number}  {pull_request.html_url}")
    return pull_request


def _wait_for_plans(stage: Stage, developer: Person, pull_request: PullRequest) -> dict[str, PlanComment]:
    comments = developer.wait_for_comments(
        pull_request.number,
        lambda comment: _by_bot(comment) and read_plan(comment.body) is not None,
        "plan comments",
        count=len(UNITS),
        see=stage.see,
    )
    found = [plan for comment in comments if (plan := read_plan(comment.body)) is not None]
    plans = {plan.unit: plan for plan in found}
    stage.same(
        "one plan comment for each unit, in the guide's format", sorted(plan.unit for plan in found), sorted(UNITS)
    )
    for unit, plan in plans.items():
        waits_for = f"a preview, to be planned again after {_names(MOCKS_OF[unit])}" if MOCKS_OF[unit] else "no preview"
        stage.same(f"{_name(unit)} is {waits_for}", sorted(plan.planned_again_after), sorted(MOCKS_OF[unit]))
    stage.same("the guide's line for the new service", plans[SERVICE].counts, (1, 0, 0))
    wanted = "# aws_ecs_service.new_service will be created"
    stage.check(f"the new service's plan says `{wanted}`", wanted in plans[SERVICE].output)
    _check_is_green(stage, developer, pull_request.commit, "docustack/plan")
    return plans


# ---- 4 ---------------------------------------------------------------------------------------------------------------


def _be_refused(stage: Stage, developer: Person, number: int) -> Comment:
    command = developer.comment(number, "terrateam apply")
    stage.see(command)
    answer = developer.wait_for_comments(
        number,
        lambda comment: _by_bot(comment) and comment.id > command.id,
        "an answer to the developer",
        see=stage.see,
    )[0]
    told = answer.body.replace("\u200b", "")
    stage.check("the refusal names the person, the environment and the team", _refuses(told), _first_line(told))
    developer.wait_for_reaction(command, "-1")
    stage.same("nobody holds a lock", stage.doors.histories.locked_units(), {})
    return answer


def _refuses(text: str) -> bool:
    return all(word in text for word in ("@developer", "may not apply", "`dev`", "`infra`"))


def _apply(stage: Stage, infra_member: Person, played: Played) -> list[ApplyComment]:
    number = played.pull_request.number
    command = infra_member.comment(number, "terrateam apply")
    stage.see(command)
    infra_member.wait_for_reaction(command, "eyes")
    comments = infra_member.wait_for_comments(
        number,
        lambda comment: comment.id > command.id and comment.body.startswith("## Terrateam Apply"),
        "apply comments",
        count=len(UNITS),
        seconds=APPLY_SECONDS,
        see=stage.see,
    )
    applies = [apply for comment in comments if (apply := read_apply(comment.body)) is not None]
    stage.same("applied in order, each comment in the guide's format", [apply.unit for apply in applies], list(UNITS))
    for apply in applies:
        stage.same(f"{_name(apply.unit)}: status", apply.status, "✅ Success")
        planned = played.plans[apply.unit].counts
        stage.same(f"{_name(apply.unit)}: as much as was planned and approved", apply.counts, planned)
        again = "Planned again before the apply" in apply.notes
        stage.same(f"{_name(apply.unit)}: planned again on real outputs", again, bool(MOCKS_OF[apply.unit]))
        stage.check(f"{_name(apply.unit)}: has outputs", bool(apply.outputs), ", ".join(apply.outputs))
    infra_member.wait_for_reaction(command, "rocket")
    _check_is_green(stage, infra_member, played.pull_request.commit, "docustack/apply")
    held = dict.fromkeys(UNITS, number)
    stage.same(f"#{number} holds the three units until it is merged", stage.doors.histories.locked_units(), held)
    return applies


def _check_aws(stage: Stage, applies: dict[str, ApplyComment]) -> None:
    if set(applies) != set(UNITS):
        return  # told already
    vpc_id, group = applies[VPC].text("vpc_id"), applies[CLUSTER].text("tasks_security_group_id")
    cluster = applies[CLUSTER].text("cluster_arn")
    real = read_back(stage.doors.aws("ec2"), stage.doors.aws("ecs"), vpc_id=vpc_id, cluster=cluster, group=group)
    stage.same("AWS has the VPC of the comment", real.vpc_id, vpc_id)
    stage.check("the VPC has its new gateway endpoint", "dynamodb" in real.endpoints, ", ".join(sorted(real.endpoints)))
    stage.same("AWS has the cluster of the comment", real.cluster_arn, cluster)
    stage.same("the security group of the cluster's tasks is in that VPC", real.group_vpc, vpc_id)
    stage.check("and has the port of the new service", 8000 in real.group_ports, sorted(real.group_ports))
    stage.same("the service runs on that cluster", real.service_cluster, cluster)
    private = set(applies[VPC].texts("private_subnet_ids"))
    stage.check("the private subnets of the comment are in that VPC", bool(private) and private <= real.subnets)
    stage.same("the service runs in these subnets", real.service_subnets, private)
    stage.same("with that security group", real.service_groups, {group})
    stage.same("as often as the pull request says", real.desired_count, 2)
    _check_state(stage)


def _check_state(stage: Stage) -> None:
    s3, bucket = stage.doors.aws("s3"), "docustack-terraform-state-111111111111"
    keys = {one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}
    stage.same("each unit has its state in the bucket", keys, {f"{unit}/terraform.tfstate" for unit in UNITS})
    mocked = [key for key in keys if _MOCK.search(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())]
    stage.same("no state holds a mock value", mocked, [])
    items = stage.doors.aws("dynamodb").scan(TableName="docustack-terraform-locks")["Items"]
    locks = [item["LockID"]["S"] for item in items if not item["LockID"]["S"].endswith("-md5")]
    stage.same("no state is locked", locks, [])


# ---- 5 ---------------------------------------------------------------------------------------------------------------


def _merge(stage: Stage, developer: Person, number: int) -> None:
    developer.merge(number)
    stage.screen.did("developer", f"merges #{number}")
    stage.check("the pull request is merged", developer.pull_request(number).merged)
    response = developer.request("GET", f"contents/{SERVICE}/terragrunt.hcl?ref=main")
    stage.same("main has the new unit", response.status_code, 200)
    wait_for(lambda: not stage.doors.histories.locked_units(), "the locks to be gone", 30)
    stage.check("its locks are gone", True)


def _check_slack(stage: Stage, played: Played) -> None:
    add = sum(plan.counts[0] for plan in played.plans.values())
    wanted = [
        ["Plan started for dev/us-east-1/... (3 units)", f"Plan completed: {add} to add, 0 to change"],
        ["Apply started for dev/us-east-1/... (3 units)", "Apply completed successfully"],
    ]
    wait_for(
        lambda: [thread.texts for thread in stage.doors.slack.threads()] == wanted,
        f"the guide's messages in Slack, {wanted}",
        30,
        found_instead=lambda: f"there is {[thread.texts for thread in stage.doors.slack.threads()]}",
    )
    for text in (text for thread in wanted for text in thread):
        stage.check("#infra-alerts", True, text)
    heads = [thread.text for thread in stage.doors.slack.threads()]
    linked = all(played.pull_request.html_url in head and "|Temporal>" in head for head in heads)
    stage.check("each thread links to the pull request and to Temporal", linked, "" if linked else heads)


def _check_workflows(stage: Stage, number: int) -> None:
    def running() -> list[str]:
        runs = [one for one in stage.doors.histories.workflows() if one.kind != "LocksWorkflow"]
        return [one.id for one in runs if one.status != "COMPLETED"]

    wait_for(lambda: not running(), "the pull request's workflows to end", 60, found_instead=lambda: str(running()))
    kinds = [one.kind for one in stage.doors.histories.workflows()]
    stage.same("a plan, a refused apply and an apply ran", kinds.count("RunWorkflow"), 3)
    stage.same(f"the workflow of #{number} has ended", kinds.count("PullRequestWorkflow"), 1)


# ---- words -----------------------------------------------------------------------------------------------------------


def _check_is_green(stage: Stage, who: Person, commit: str, name: str) -> None:
    check = who.wait_for_check(commit, name)
    stage.check(f"the check {name} is green", check.is_green, f"{check.conclusion}: {check.output.title}")


def _by_bot(comment: Comment) -> bool:
    return comment.author.endswith("[bot]")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _name(unit: str) -> str:
    return unit.rpartition("/")[2]


def _names(units: tuple[str, ...]) -> str:
    return " and ".join(_name(unit) for unit in units)
