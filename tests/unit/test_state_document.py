"""What a state document says of who owns what."""

import json

import pytest

from docustack.state_document import owned_addresses


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
    assert owned_addresses(json.dumps(document)) == [
        "aws_vpc.main",
        'module.net["a"].aws_subnet.private["us-east-1a"]',
        'module.net["a"].aws_subnet.private[1]',
    ]


def test_no_state_yet_owns_nothing() -> None:
    assert owned_addresses("\n") == []


def test_what_is_no_state_document_is_an_error() -> None:
    with pytest.raises(ValueError, match="state document"):
        owned_addresses("Error: no")
