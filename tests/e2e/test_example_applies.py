"""All units of the example's dev environment are applied by Terragrunt alone, and a second plan finds nothing to do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from local import aws

EXAMPLE = Path(__file__).parents[2] / "examples" / "docustack-infrastructure-live"
NO_CHANGES, CHANGES = 0, 2
UNITS = ("vpc", "ecs-cluster", "rds", "temporal", "terrateam")


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An AWS account with nothing in it but what bootstrap makes."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        aws.prepare_state_backend(url, ["docustack-terraform-state-111111111111"], "docustack-terraform-locks")
        yield url
    finally:
        server.stop()


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
