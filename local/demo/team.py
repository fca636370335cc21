"""A team at work: pull requests over the same units at once, a unit deleted, a merge that applies, a worker killed."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from local.comment_formats import ApplyComment, read_apply, read_plan
from local.demo.stage import Stage
from local.people import Comment, Person, PullRequest
from local.places import CHANGES
from local.waiting import wait_for
from local.work_tree import WorkTree

VPC, AUDIT_LOG = "dev/us-east-1/vpc", "dev/us-east-1/audit-log"
AUDIT_GROUP = "/docustack-dev/audit"
BUCKET = "docustack-terraform-state-111111111111"
SECONDS = 240.0


@dataclass
class Wait:
    """One pull request that stood in line for another."""

    number: int
    behind: int
    unit: str
    began: float
    seconds: float = 0.0


@dataclass
class Played:
    """What the scenario leaves, for who wants to look closer."""

    first: PullRequest
    endpoint: PullRequest
    gateways: PullRequest
    deletion: PullRequest
    killed: str = ""
    waits: list[Wait] = field(default_factory=list)


def play(stage: Stage) -> Played:
    """All steps after the start of the world, which has two workers.

    Raises:
        Differs: a step was not as it should be.
    """
    with stage.step("lead merges what nobody has applied: dev applies on merge, though a worker is killed meanwhile"):
        first, killed = _merge_unapplied(stage)
    with stage.step("Three pull requests at once: two change the VPC, one deletes a unit"):
        played = _open_three(stage, first, killed)
    with stage.step("The first applies, the second waits in line behind it, the third destroys what it deletes"):
        _apply_at_once(stage, played)
    with stage.step("The first is merged; the second, now behind main, is planned on it again and applied by itself"):
        _take_turn(stage, played)
    with stage.step("Every state is right, nothing stays locked"):
        _check_the_end(stage, played)
    _show_waits(stage, played)
    return played


# ---- a merge applies -------------------------------------------------------------------------------------------------


def _merge_unapplied(stage: Stage) -> tuple[PullRequest, str]:
    tree = _tree(stage, "lead")
    tree.branch("network-and-audit-log")
    tree.lay_over(CHANGES / "add-audit-log")
    _edit(tree, 'include "root" {', '# The network of dev.\ninclude "root" {')
    first = _open(stage, "lead", tree, "Make dev's network and its audit log")
    _plans(stage, first, VPC, AUDIT_LOG)
    stage.doors.person("lead").merge(first.number)
    stage.screen.did("lead", f"merges #{first.number}, of which nothing is applied")
    killed = _kill_who_applies(stage)
    _applied(stage, first, VPC, AUDIT_LOG)
    stage.same("AWS has one VPC of the name, not two", len(_vpcs(stage)), 1)
    stage.same("AWS has the audit log", _audit_logs(stage), [AUDIT_GROUP])
    wait_for(lambda: not stage.doors.histories.locked_units(), "the locks of what is merged to be gone", 60)
    return first, killed


def _kill_who_applies(stage: Stage) -> str:
    """kill -9 of the worker whose Terraform creates the VPC, in the middle of it; then it starts again."""
    data = stage.world.places.data_dir
    workers = [name for name in stage.world.part_names() if name.startswith("worker")]

    def creating() -> str | None:
        return next((name for name in workers if any(_creates_vpc(log) for log in _logs(data / name))), None)

    name = wait_for(creating, "Terraform to create the VPC", SECONDS)
    stage.world.kill(name)
    stage.screen.did("somebody", f"kills {name} (kill -9) while its Terraform creates the VPC")
    stage.world.restart(name)
    return name


def _logs(worker: Path) -> list[Path]:
    """Of the applies that run on this worker, or have run."""
    return sorted((worker / "applies").glob("*/log"))


def _creates_vpc(log: Path) -> bool:
    return "aws_vpc.main: Creating" in log.read_text(errors="replace")


# ---- three at once ---------------------------------------------------------------------------------------------------


def _open_three(stage: Stage, first: PullRequest, killed: str) -> Played:
    endpoint, gateways, deletion = (_tree(stage, login) for login in ("developer", "infra-member", "lead"))
    endpoint.branch("dynamodb-endpoint")
    _edit(endpoint, 'gateway_endpoints = ["s3"]', 'gateway_endpoints = ["s3", "dynamodb"]')
    gateways.branch("second-nat-gateway")
    _edit(gateways, "nat_gateways       = include.root.locals.env.vpc.nat_gateways", "nat_gateways       = 2")
    deletion.branch("drop-audit-log")
    deletion.git("rm", "-r", "--quiet", AUDIT_LOG)
    played = Played(
        first=first,
        endpoint=_open(stage, "developer", endpoint, "Reach DynamoDB without the NAT gateway"),
        gateways=_open(stage, "infra-member", gateways, "Give each zone a NAT gateway of its own"),
        deletion=_open(stage, "lead", deletion, "Drop the audit log"),
        killed=killed,
    )
    stage.same("the first adds the endpoint", _plans(stage, played.endpoint, VPC)[VPC], (1, 0, 0))
    stage.same(
        "the second adds gateway and address, and moves a route", _plans(stage, played.gateways, VPC)[VPC], (2, 1, 0)
    )
    stage.same("the third destroys the audit log", _plans(stage, played.deletion, AUDIT_LOG)[AUDIT_LOG], (0, 0, 1))
    return played


def _apply_at_once(stage: Stage, played: Played) -> None:
    infra_member, lead = stage.doors.person("infra-member"), stage.doors.person("lead")
    _command(stage, infra_member, played.endpoint, "terrateam apply")
    _applied(stage, played.endpoint, VPC)
    _command(stage, lead, played.gateways, "terrateam apply")
    began = time.monotonic()
    told = lead.wait_for_comments(
        played.gateways.number,
        lambda comment: _by_bot(comment) and f"held by pull request {played.endpoint.number}" in comment.body,
        "its place in line",
        see=stage.see,
    )[0]
    stage.check("it is told who holds the VPC, and its place", "number 1" in told.body)
    played.waits.append(Wait(played.gateways.number, played.endpoint.number, VPC, began))
    _command(stage, infra_member, played.deletion, "terrateam apply --destroy")
    _applied(stage, played.deletion, AUDIT_LOG)
    stage.same("AWS has no audit log any more", _audit_logs(stage), [])
    held = {VPC: played.endpoint.number, AUDIT_LOG: played.deletion.number}
    stage.same("each holds what it has applied", stage.doors.histories.locked_units(), held)


def _take_turn(stage: Stage, played: Played) -> None:
    for login, pull_request in (("developer", played.endpoint), ("lead", played.deletion)):
        stage.doors.person(login).merge(pull_request.number)
        stage.screen.did(login, f"merges #{pull_request.number}")
    _applied(stage, played.gateways, VPC)
    for wait in played.waits:
        wait.seconds = time.monotonic() - wait.began
    stage.doors.person("infra-member").merge(played.gateways.number)
    stage.screen.did("infra-member", f"merges #{played.gateways.number}")


# ---- what is there at the end ----------------------------------------------------------------------------------------


def _check_the_end(stage: Stage, played: Played) -> None:
    wait_for(lambda: not stage.doors.histories.locked_units(), "all locks to be gone", 60)
    stage.check("nobody holds a lock", True)
    ec2 = stage.doors.aws("ec2")
    vpcs = _vpcs(stage)
    stage.same("one VPC, though its worker was killed while it was created", len(vpcs), 1)
    within = [{"Name": "vpc-id", "Values": vpcs}]
    endpoints = {
        one["ServiceName"].rpartition(".")[2] for one in ec2.describe_vpc_endpoints(Filters=within)["VpcEndpoints"]
    }
    stage.same("it has the endpoint of the first: the second took nothing back", endpoints, {"s3", "dynamodb"})
    gateways = ec2.describe_nat_gateways(Filters=within)["NatGateways"]
    stage.same("and the two gateways of the second", len(gateways), 2)
    stage.same("the audit log is gone", _audit_logs(stage), [])
    stage.same("its state owns nothing", _owned(stage, AUDIT_LOG), 0)
    items = stage.doors.aws("dynamodb").scan(TableName="docustack-terraform-locks")["Items"]
    locks = [item["LockID"]["S"] for item in items if not item["LockID"]["S"].endswith("-md5")]
    stage.same("no state is locked", locks, [])
    wait_for(lambda: not _running(stage), "all workflows of the pull requests to end", 60)
    stage.check("every workflow has ended", True)
    for pull_request in (played.first, played.endpoint, played.gateways, played.deletion):
        bodies = [apply.unit for apply in _applies(stage, pull_request)]
        stage.same(f"#{pull_request.number}: each apply is told once", len(bodies), len(set(bodies)))


def _running(stage: Stage) -> list[str]:
    runs = [one for one in stage.doors.histories.workflows() if one.kind != "LocksWorkflow"]
    return [one.id for one in runs if one.status == "RUNNING"]


def _vpcs(stage: Stage) -> list[str]:
    wanted = [{"Name": "tag:Name", "Values": ["docustack-dev"]}]
    return [one["VpcId"] for one in stage.doors.aws("ec2").describe_vpcs(Filters=wanted)["Vpcs"]]


def _audit_logs(stage: Stage) -> list[str]:
    groups = stage.doors.aws("logs").describe_log_groups(logGroupNamePrefix=AUDIT_GROUP)["logGroups"]
    return [group["logGroupName"] for group in groups]


def _owned(stage: Stage, unit: str) -> int:
    """How many resources a unit's state has."""
    body = stage.doors.aws("s3").get_object(Bucket=BUCKET, Key=f"{unit}/terraform.tfstate")["Body"].read()
    return len(json.loads(body)["resources"])


def _show_waits(stage: Stage, played: Played) -> None:
    table = Table("pull request", "waited for", "unit", "seconds", title="Who waited for whom", title_justify="left")
    for wait in played.waits:
        table.add_row(f"#{wait.number}", f"#{wait.behind}", wait.unit, f"{wait.seconds:.0f}")
    stage.screen.console.print()
    stage.screen.console.print(table)


# ---- words -----------------------------------------------------------------------------------------------------------


def _tree(stage: Stage, login: str) -> WorkTree:
    """This person's clone, made once."""
    path = stage.world.places.people / login
    return WorkTree(path, login) if path.exists() else stage.doors.clone(login)


def _edit(tree: WorkTree, old: str, new: str) -> None:
    path = f"{VPC}/terragrunt.hcl"
    text = tree.read(path)
    if old not in text:
        raise ValueError(f"{path} of the example no longer has {old!r}")
    tree.write(path, text.replace(old, new, 1))


def _open(stage: Stage, login: str, tree: WorkTree, title: str) -> PullRequest:
    tree.commit(title)
    tree.push()
    pull_request = stage.doors.person(login).open_pull_request(tree.git("branch", "--show-current"), title=title)
    stage.screen.did(login, f"opens #{pull_request.number}  {title}")
    return pull_request


def _command(stage: Stage, person: Person, pull_request: PullRequest, command: str) -> None:
    stage.see(person.comment(pull_request.number, command))


def _plans(stage: Stage, pull_request: PullRequest, *units: str) -> dict[str, tuple[int, int, int]]:
    """The counts of each unit's plan, once all are there."""

    def look() -> dict[str, tuple[int, int, int]] | None:
        comments = stage.doors.person("developer").comments(pull_request.number)
        found = {plan.unit: plan.counts for comment in comments if (plan := read_plan(comment.body))}
        return found if found.keys() >= set(units) else None

    plans = wait_for(look, f"the plans of #{pull_request.number}", SECONDS)
    check = stage.doors.person("developer").wait_for_check(pull_request.commit, "docustack/plan")
    stage.check(f"#{pull_request.number} is planned", check.is_green, check.output.title or "")
    return plans


def _applied(stage: Stage, pull_request: PullRequest, *units: str) -> None:
    """Wait until these units are applied, and show it."""

    def look() -> bool:
        return {apply.unit for apply in _applies(stage, pull_request)} >= set(units)

    wait_for(look, f"the applies of #{pull_request.number}", SECONDS, found_instead=lambda: _last(stage, pull_request))
    for apply in _applies(stage, pull_request):
        stage.same(f"#{pull_request.number} {apply.unit}", apply.status, "✅ Success")


def _applies(stage: Stage, pull_request: PullRequest) -> list[ApplyComment]:
    comments = stage.doors.person("developer").comments(pull_request.number)
    return [apply for comment in comments if (apply := read_apply(comment.body)) is not None]


def _last(stage: Stage, pull_request: PullRequest) -> str:
    comments = stage.doors.person("developer").comments(pull_request.number)
    return f"the last comment is: {comments[-1].body}" if comments else "there is no comment"


def _by_bot(comment: Comment) -> bool:
    return comment.author.endswith("[bot]")
