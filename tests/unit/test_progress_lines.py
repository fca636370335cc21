"""What is shown of an apply while it runs: lines whose every word is Terraform's own."""

import pytest

from docustack.progress_lines import progress_lines


def shown(*lines: str, known: tuple[str, ...] = ()) -> list[str]:
    return list(progress_lines(lines, known))


@pytest.mark.parametrize(
    "line,told",
    [
        ("aws_vpc.main: Creating...", "aws_vpc.main: Creating..."),
        ("aws_vpc.main: Creation complete after 3s [id=vpc-12]", "aws_vpc.main: Creation complete after 3s"),
        ("aws_vpc.main: Still creating... [10s elapsed]", "aws_vpc.main: Still creating... [10s elapsed]"),
        (
            "module.a[0].aws_x.b: Still destroying... [id=i-1, 00m20s elapsed]",
            "module.a[0].aws_x.b: Still destroying... [00m20s elapsed]",
        ),
        ("aws_x.b: Modifying... [id=hunter2]", "aws_x.b: Modifying..."),
        ("data.aws_ami.this: Reading...", "data.aws_ami.this: Reading..."),
        (
            "aws_x.b (deposed object 0a1b2c3d): Destroying... [id=i-1]",
            "aws_x.b (deposed object 0a1b2c3d): Destroying...",
        ),
        ("terraform_data.x: Provisioning with 'local-exec'...", "terraform_data.x: Provisioning with 'local-exec'..."),
        ("Apply complete! Resources: 3 added, 1 changed, 0 destroyed.",) * 2,
    ],
)
def test_how_far_terraform_is_is_told_without_ids(line: str, told: str) -> None:
    assert shown(line) == [told]


@pytest.mark.parametrize(
    "line",
    [
        "terraform_data.x (local-exec): the password is hunter2",
        "terraform_data.x (local-exec): aws_vpc.main: Creating... hunter2",
        "Error: creating RDS instance with password hunter2",
        'value = "hunter2"',
        '  + password = "hunter2"',
        "Outputs:",
        "hunter2: Creating...",
    ],
)
def test_what_providers_provisioners_and_errors_say_is_kept_back(line: str) -> None:
    assert shown(line) == []


def test_nothing_that_follows_the_words_is_told() -> None:
    assert shown("aws_x.b: Creating... hunter2") == ["aws_x.b: Creating..."]


def test_a_key_is_told_only_where_the_plan_has_shown_it() -> None:
    line = 'aws_x.b["hunter2"]: Creating...'
    assert shown(line) == ['aws_x.b["…"]: Creating...']
    assert shown(line, known=('aws_x.b["hunter2"]',)) == [line]


def test_a_token_in_an_address_is_masked_all_the_same() -> None:
    token = "ghp_" + "a1" * 15
    line = f'aws_x.b["{token}"]: Creating...'
    assert token not in shown(line, known=(f'aws_x.b["{token}"]',))[0]
