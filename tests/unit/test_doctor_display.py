"""`docustack doctor` on a small and on a wide terminal."""

from io import StringIO

from rich.console import Console

from docustack.prerequisites import Area, Expected, Prerequisite, Prerequisites
from starter.doctor_display import show_checks

MEND = (
    "aws s3api put-bucket-versioning --bucket docustack-terraform-state-111111111111 "
    "--versioning-configuration Status=Enabled --profile docustack-dev"
)
TERRAFORM = Expected(area=Area.TOOLS, name="terraform", needed=">= 1.5.0").met(f"1.11.4 at /{'long/' * 20}terraform")
BUCKET = Expected(
    area=Area.AWS, name="state bucket", environment="dev", needed="versioned, encrypted, not public"
).failed("docustack-terraform-state-111111111111: not versioned, and a good deal more of the same", MEND)
TABLE = Expected(area=Area.AWS, name="lock table", environment="dev", needed="active").skipped("not asked")


def shown(width: int, *checks: Prerequisite) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False, markup=False)
    with console.capture() as written:
        show_checks(console, Prerequisites(checks=checks))
    return written.get().splitlines()


def test_on_a_small_terminal_what_is_well_takes_a_line_and_what_failed_has_room() -> None:
    tools, terraform, aws, *bucket, table, verdict = shown(80, TERRAFORM, BUCKET, TABLE)
    assert (tools, aws) == ("Tools", "AWS")
    assert terraform.startswith("  ✓ terraform          1.11.4 at /long/")
    assert (len(terraform), terraform[-1]) == (80, "…")
    assert [line.strip() for line in bucket] == [
        "✗ dev: state bucket  FAILED",
        "found:  docustack-terraform-state-111111111111: not versioned, and a good",
        "deal more of the same",
        "needed: versioned, encrypted, not public",
        MEND,  # whole, however long: it is copied
    ]
    assert table == "  - dev: lock table    not asked"
    assert verdict == "1 needed check failed."


def test_a_table_is_shown_where_each_of_its_rows_fits_on_a_line() -> None:
    head, row, mend, _ = shown(200, BUCKET)
    assert head.split() == ["CHECK", "FOUND", "NEEDED"]
    assert row.rstrip().endswith("versioned, encrypted, not public")
    assert mend == f"dev: state bucket: {MEND}"


def test_what_is_optional_is_shown_with_its_command_and_fails_nothing() -> None:
    aws = Expected(area=Area.TOOLS, name="aws", needed=">= 2.0.0, optional").optional("There is none.", "get it")
    lines = shown(40, TERRAFORM, aws)
    assert [line.strip() for line in lines[2:]] == [
        "! aws        optional",
        "found:  There is none.",
        "needed: >= 2.0.0, optional",
        "get it",
        "All that is needed is there.",
    ]
