"""Reads VPC, cluster and service back from AWS with boto3: what really is there, not what Terraform says of it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class NewServiceFacts:
    """The real things of the example's three units, and the ids of each other that they hold."""

    vpc_id: str
    subnets: set[str] = field(default_factory=set)
    endpoints: set[str] = field(default_factory=set)  # services with a gateway endpoint in the VPC
    cluster_arn: str = ""
    group_vpc: str = ""  # the VPC of the security group of the cluster's tasks
    group_ports: set[int] = field(default_factory=set)
    service_cluster: str = ""
    service_subnets: set[str] = field(default_factory=set)
    service_groups: set[str] = field(default_factory=set)
    desired_count: int = 0


def read_back(ec2: Any, ecs: Any, *, vpc_id: str, cluster: str, group: str) -> NewServiceFacts:  # boto3's clients
    """Look up by ids; what isn't there stays empty."""
    vpcs = ec2.describe_vpcs(Filters=[_filter("vpc-id", vpc_id)])["Vpcs"]
    in_vpc = [_filter("vpc-id", vpc_id)]
    subnets = ec2.describe_subnets(Filters=in_vpc)["Subnets"]
    endpoints = ec2.describe_vpc_endpoints(Filters=in_vpc)["VpcEndpoints"]
    groups = ec2.describe_security_groups(Filters=[_filter("group-id", group)])["SecurityGroups"]
    clusters = ecs.describe_clusters(clusters=[cluster])["clusters"]
    services = ecs.describe_services(cluster=cluster, services=["new-service"])["services"] if clusters else []
    service = services[0] if services else {}
    network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    return NewServiceFacts(
        vpc_id=vpcs[0]["VpcId"] if vpcs else "",
        subnets={subnet["SubnetId"] for subnet in subnets},
        endpoints={endpoint["ServiceName"].rpartition(".")[2] for endpoint in endpoints},
        cluster_arn=clusters[0]["clusterArn"] if clusters else "",
        group_vpc=groups[0]["VpcId"] if groups else "",
        group_ports={rule.get("FromPort", 0) for one in groups for rule in one["IpPermissions"]},
        service_cluster=service.get("clusterArn", ""),
        service_subnets=set(network.get("subnets", [])),
        service_groups=set(network.get("securityGroups", [])),
        desired_count=service.get("desiredCount", 0),
    )


def _filter(name: str, value: str) -> dict[str, object]:
    return {"Name": name, "Values": [value]}
