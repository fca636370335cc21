"""All units of the example's dev environment are applied by Terragrunt alone, and a second plan finds nothing to do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import aws
from local.state import HOST, free_ports, is_free
from local.waiting import wait_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "docustack-infrastructure-live"
NO_CHANGES, CHANGES = 0, 2
UNITS = ("vpc", "ecs-cluster", "rds", "temporal", "terrateam")


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An AWS account with nothing in it but what bootstrap makes: in a process of its own, since moto keeps one for
    each process, and other tests have things in ours."""
    port = free_ports(["moto"])["moto"]
    url = f"http://{HOST}:{port}"
    with subprocess.Popen([sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]) as server:
        try:
            wait_for(lambda: not is_free(port), f"moto at {url}", 120)
            aws.prepare_state_backend(url, ["docustack-terraform-state-111111111111"], "docustack-terraform-locks")
            yield url
        finally:
            server.terminate()


@pytest.mark.timeout(600)
def test_all_five_units_of_dev_apply_and_then_plan_to_nothing(endpoint: str, tmp_path: Path) -> None:
    live = tmp_path / "live"
    shutil.copytree(EXAMPLE, live, ignore=shutil.ignore_patterns(".terragrunt-cache", ".terraform*"))

    def terragrunt(*arguments: str) -> int:
        done = subprocess.run(
            ["terragrunt", "run", "--all", "--non-interactive", "--", *arguments],
            cwd=live / "dev" / "us-east-1",
            env=os.environ | {"AWS_ENDPOINT_URL": endpoint, "TG_TF_PATH": "terraform"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (NO_CHANGES, CHANGES), done.stderr[-5000:]
        return done.returncode

    terragrunt("apply", "-auto-approve")
    states = aws.client("s3", endpoint).list_objects_v2(Bucket="docustack-terraform-state-111111111111")
    assert sorted(item["Key"] for item in states["Contents"]) == sorted(
        f"dev/us-east-1/{unit}/terraform.tfstate" for unit in UNITS
    )
    networks = [found for found in aws.client("ec2", endpoint).describe_vpcs()["Vpcs"] if not found["IsDefault"]]
    groups = aws.client("rds", endpoint).describe_db_subnet_groups()["DBSubnetGroups"]
    assert [group["VpcId"] for group in groups] == [network["VpcId"] for network in networks], "real ids, no mocks"
    assert terragrunt("plan", "-detailed-exitcode") == NO_CHANGES
