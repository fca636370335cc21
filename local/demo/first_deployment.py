"""From an empty AWS account to four deployed environments, as the guide's "Initial Deployment" has it."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from local.demo.command_line import CommandLine, Typed
from local.demo.deployed_facts import Deployed, read_deployed
from local.demo.stage import Stage
from local.places import CHANGES
from local.waiting import wait_for

ORDER = ("management", "dev", "staging", "prod")
ACCOUNTS = {"management": "4" * 12, "dev": "1" * 12, "staging": "2" * 12, "prod": "3" * 12}
TABLE = "docustack-terraform-locks"
MODULES = ("vpc", "ecs-cluster", "rds", "temporal", "terrateam")
APPROVERS = {"management": "second-lead", "staging": "infra-member", "prod": "second-lead"}
"""Who approves what `lead` has ordered."""

AUDIT_LOG, AUDIT_GROUP = "staging/us-east-1/audit-log", "/docustack-staging/audit"
SECONDS = 600.0


def units_of(environment: str) -> list[str]:
    if environment == "management":
        return ["management/scps", "management/cloudtrail"]
    return [f"{environment}/us-east-1/{module}" for module in MODULES]


@dataclass
class Played:
    """What the scenario leaves, for who wants to look closer."""

    first: dict[str, Any] = field(default_factory=dict)  # as `docustack deploy show --json` has it
    second: dict[str, Any] = field(default_factory=dict)
    staging: dict[str, Any] = field(default_factory=dict)


def play(stage: Stage) -> Played:
    """All steps after the start of a world whose AWS is empty.

    Raises:
        Differs: a step was not as it should be.
    """
    typed, played = CommandLine(stage), Played()
    with stage.step("The AWS account is empty"):
        _check_empty(stage)
    with stage.step("lead orders the initial deployment: accounts are bootstrapped, environments deployed in order"):
        played.first = _deploy_all(stage, typed)
    with stage.step("Every unit's resources are in AWS"):
        _check_aws(stage)
    with stage.step("A second deployment changes nothing, and asks nobody"):
        played.second = _deploy_again(stage, typed)
    with stage.step("A unit of staging fails; once it is mended, infra-member decides to retry"):
        played.staging = _fail_and_retry(stage, typed)
    return played


# ---- 2 ---------------------------------------------------------------------------------------------------------------


def _check_empty(stage: Stage) -> None:
    buckets = [one["Name"] for one in stage.doors.aws("s3").list_buckets()["Buckets"]]
    stage.same("no bucket", buckets, [])
    stage.same("no table", stage.doors.aws("dynamodb").list_tables()["TableNames"], [])


# ---- 3 ---------------------------------------------------------------------------------------------------------------


def _deploy_all(stage: Stage, typed: CommandLine) -> dict[str, Any]:
    command = typed.start("lead", "deploy", "initial")
    try:
        for environment in ORDER:
            if environment in APPROVERS:
                _approve(stage, typed, command, environment, APPROVERS[environment])
        stage.same("the command ends well", command.code(SECONDS), 0)
    finally:
        command.kill()
    state = typed.json("lead", "deploy", "show")
    environments = {one["name"]: one for one in state["environments"]}
    stage.same("in the guide's order", list(environments), list(ORDER))
    for name, one in environments.items():
        stage.check(f"{name}: account bootstrapped", "bootstrapped" in one["backend"], one["backend"])
        stage.same(f"{name}: all units applied", one["units"], dict.fromkeys(one["units"], "applied"))
        stage.same(f"{name}: these units", set(one["units"]), set(units_of(name)))
        stage.same(f"{name}: is deployed", one["stage"], "deployed")
    told = state["outcome"]["message"]
    stage.check("the end lists the pull requests to merge", "4 pull requests of bootstraps" in told, told)
    times = [(one["began_at"], one["ended_at"]) for one in environments.values()]
    in_turn = all(before[1] <= after[0] for before, after in pairwise(times))
    stage.check("each environment began when the one before it was done", in_turn)
    return state


def _approve(stage: Stage, typed: CommandLine, command: Typed, environment: str, login: str) -> None:
    """As soon as the environment's run waits for it."""

    def waiting() -> str | None:
        listed = typed.json("lead", "runs", "list", "--environment", environment, "--status", "waiting-for-approval")
        runs = listed.get("runs", [])
        return runs[0]["run_id"] if runs else "none" if command.has_ended else None

    run_id = wait_for(waiting, f"{environment} to wait for approval", SECONDS, every=1.0)
    stage.check(f"{environment} waits for approval", run_id != "none", run_id)
    stage.same(f"{login} approves {environment}", typed.run(login, "approve", run_id).returncode, 0)


# ---- 4 ---------------------------------------------------------------------------------------------------------------


def _check_aws(stage: Stage) -> None:
    for name, account in ACCOUNTS.items():
        states = _states(stage, account)
        wanted = {f"{unit}/terraform.tfstate" for unit in units_of(name)} | {"bootstrap/terraform.tfstate"}
        stage.same(f"{name}: each unit has its state in the account's bucket", states, wanted)
    for name in ("dev", "staging", "prod"):
        found = read_deployed(stage.doors.aws, f"docustack-{name}")
        stage.same(f"{name}: VPC, cluster, database and both services", found, Deployed.wanted(f"docustack-{name}"))
    policies = stage.doors.aws("organizations").list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
    own = {one["Name"] for one in policies if not one["AwsManaged"]}
    stage.check("management: service control policies", len(own) == 2, own)
    trails = [one["Name"] for one in stage.doors.aws("cloudtrail").describe_trails()["trailList"]]
    stage.same("management: the trail", trails, ["docustack-organization"])
    items = stage.doors.aws("dynamodb").scan(TableName=TABLE)["Items"]
    locks = [item["LockID"]["S"] for item in items if not item["LockID"]["S"].endswith("-md5")]
    stage.same("no state is locked", locks, [])
    offered = [one["head"]["ref"] for one in stage.doors.person("lead").request("GET", "pulls?state=open").json()]
    branches = {f"docustack/bootstrap-{name}" for name in ORDER}
    stage.same("each bootstrap offers its change of terragrunt.hcl", set(offered), branches)


def _states(stage: Stage, account: str) -> set[str]:
    listed = stage.doors.aws("s3").list_objects_v2(Bucket=f"docustack-terraform-state-{account}")
    return {one["Key"] for one in listed.get("Contents", [])}


# ---- 5 ---------------------------------------------------------------------------------------------------------------


def _deploy_again(stage: Stage, typed: CommandLine) -> dict[str, Any]:
    command = typed.start("lead", "deploy", "initial")
    try:
        stage.same("the command ends well", command.code(SECONDS), 0)
    finally:
        command.kill()
    state = typed.json("lead", "deploy", "show")
    stage.same("nothing was changed", state["outcome"]["end"], "nothing-to-do")
    phases = {phase for one in state["environments"] for phase in one["units"].values()}
    stage.same("every unit is as its commit has it", phases, {"no-changes"})
    return state


# ---- 6 ---------------------------------------------------------------------------------------------------------------


def _fail_and_retry(stage: Stage, typed: CommandLine) -> dict[str, Any]:
    """Somebody has made by hand what a new unit is to make."""
    logs = stage.doors.aws("logs")
    logs.create_log_group(logGroupName=AUDIT_GROUP)
    stage.screen.did("somebody", f"has made the log group {AUDIT_GROUP} by hand")
    tree = stage.doors.clone("infra-member")
    tree.branch("staging", base="staging")
    tree.lay_over(CHANGES / "add-audit-log")
    of_dev = "dev/us-east-1/audit-log/terragrunt.hcl"
    tree.write(f"{AUDIT_LOG}/terragrunt.hcl", tree.read(of_dev))
    (tree.path / of_dev).unlink()
    tree.commit("Give staging its audit log")
    tree.push()
    command = typed.start("infra-member", "deploy", "environment", "staging")
    try:
        _approve(stage, typed, command, "staging", "lead")
        question = wait_for(lambda: typed.json("lead", "deploy", "show").get("question"), "a question", SECONDS)
        stage.same("the new unit has failed", question["failed"], [AUDIT_LOG])
        stage.check("Terraform's reason is told", "AlreadyExists" in question["message"], question["message"][:90])
        logs.delete_log_group(logGroupName=AUDIT_GROUP)
        stage.screen.did("somebody", "has removed it")
        stage.same("the retry counts", typed.run("infra-member", "deploy", "retry").returncode, 0)
        _approve(stage, typed, command, "staging", "lead")
        stage.same("the command ends well", command.code(SECONDS), 0)
    finally:
        command.kill()
    state = typed.json("lead", "deploy", "show")
    [staging] = state["environments"]
    stage.same("the unit is applied", staging["units"][AUDIT_LOG], "applied")
    again = typed.json("lead", "runs", "show", staging["run_id"])
    stage.same("the retry worked on this unit alone", [one["unit"] for one in again["units"]], [AUDIT_LOG])
    groups = logs.describe_log_groups(logGroupNamePrefix=AUDIT_GROUP)["logGroups"]
    stage.same("AWS has the log group", [one["logGroupName"] for one in groups], [AUDIT_GROUP])
    decisions = [(one["login"], one["kind"], one["counts"]) for one in state["decisions"]]
    stage.same("who decided is on record", decisions, [("infra-member", "retry", True)])
    return state
