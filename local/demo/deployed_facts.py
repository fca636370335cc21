"""Reads an environment's VPC, cluster, database and services back from AWS: what really is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SERVICES = frozenset({"temporal", "terrateam"})


@dataclass(frozen=True)
class Deployed:
    """The things that the example's five units of one environment make, by name."""

    vpcs: int
    cluster_of_vpc: bool  # the cluster's security group lies in the VPC
    databases: frozenset[str]
    services: frozenset[str]

    @classmethod
    def wanted(cls, name: str) -> "Deployed":
        return cls(vpcs=1, cluster_of_vpc=True, databases=frozenset({name}), services=SERVICES)


def read_deployed(client: Callable[[str], Any], name: str) -> Deployed:  # boto3's clients
    """By the name that all resources of an environment begin with."""
    ec2, ecs, rds = client("ec2"), client("ecs"), client("rds")
    vpcs = [one["VpcId"] for one in ec2.describe_vpcs(Filters=[_filter("tag:Name", name)])["Vpcs"]]
    groups = ec2.describe_security_groups(Filters=[_filter("vpc-id", *vpcs)])["SecurityGroups"] if vpcs else []
    databases = [one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]]
    clusters = ecs.describe_clusters(clusters=[name])["clusters"]
    services = ecs.list_services(cluster=name)["serviceArns"] if clusters else []
    return Deployed(
        vpcs=len(vpcs),
        cluster_of_vpc=any(one["GroupName"].startswith(f"{name}-") for one in groups),
        databases=frozenset(one for one in databases if one == name),
        services=frozenset(arn.rpartition("/")[2] for arn in services),
    )


def _filter(name: str, *values: str) -> dict[str, object]:
    return {"Name": name, "Values": list(values)}
