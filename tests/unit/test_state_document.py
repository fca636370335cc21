"""What a state document says of who owns what."""

import json

import pytest

from docustack.state_document import OwnedResources, owned_resources, state_location


def test_every_instance_of_a_managed_resource_is_owned_and_data_is_not() -> None:
    document = {
        "version": 4,
        "resources": [
            {"mode": "managed", "type": "aws_vpc", "name": "main", "instances": [{}]},
            {
                "module": 'module.net["a"]',
                "mode": "managed",
                "type": "aws_subnet",
                "name": "private",
                "instances": [{"index_key": "us-east-1a"}, {"index_key": 1}],
            },
            {"mode": "data", "type": "aws_region", "name": "current", "instances": [{}]},
        ],
    }
    found = owned_resources(json.dumps(document))
    assert list(found.addresses) == [
        "aws_vpc.main",
        'module.net["a"].aws_subnet.private["us-east-1a"]',
        'module.net["a"].aws_subnet.private[1]',
    ]


def test_no_state_yet_owns_nothing() -> None:
    assert owned_resources("\n") == OwnedResources(known=True)


def test_what_is_no_state_document_is_an_error() -> None:
    with pytest.raises(ValueError, match="state document"):
        owned_resources("Error: no")


def test_a_state_is_known_by_its_lineage_and_its_place() -> None:
    found = owned_resources('{"lineage": "1f2e", "resources": []}', "s3:states/dev/vpc")
    assert (found.lineage, found.location, found.count) == ("1f2e", "s3:states/dev/vpc", 0)


@pytest.mark.parametrize(
    "backend,config,location",
    [
        ("s3", {"bucket": "b", "key": "dev/vpc/terraform.tfstate", "encrypt": True}, "s3:b/dev/vpc/terraform.tfstate"),
        ("gcs", {"bucket": "b", "prefix": "dev/vpc"}, "gcs:b/dev/vpc"),
        ("local", {"path": "/states/vpc.tfstate"}, "local:/states/vpc.tfstate"),
        ("local", {"path": "terraform.tfstate"}, ""),
        ("pg", {"conn_str": "postgres://user:secret@host/db"}, ""),
        ("s3", None, ""),
    ],
)
def test_where_a_state_lies_is_told_without_secrets(backend: str, config: object, location: str) -> None:
    assert state_location({"backend": backend, "config": config}) == location


def test_without_remote_state_no_place_is_known() -> None:
    assert state_location(None) == ""
