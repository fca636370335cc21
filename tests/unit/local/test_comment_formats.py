"""The guide's two formats are read to the letter, and nothing else is taken for them."""

import pytest

from local.comment_formats import read_apply, read_plan

PLAN = """## Terrateam Plan

**Directory:** `dev/us-east-1/new-service`

### Plan Output

```diff
+ resource "aws_ecs_service" "new_service" {
```

Plan: 1 to add, 2 to change, 3 to destroy.

<sub>Commit `b1314cb`</sub>
"""
PREVIEW = (
    "> **Preview:** made from mock outputs, since `dev/b` and `dev/a` have none yet. "
    "It will be planned again after `dev/b` and `dev/a`.\n\n"
)
APPLY = """## Terrateam Apply

**Directory:** `dev/us-east-1/ecs-cluster`

**Status:** ✅ Success

### Apply Output

```
Apply complete! Resources: 3 added, 1 changed, 0 destroyed.

Outputs:

cluster_name = "docustack-dev"
subnets = [
  "subnet-1",
  "subnet-2",
]
```
"""


def test_plan_tells_its_unit_and_counts() -> None:
    plan = read_plan(PLAN)
    assert plan is not None
    assert (plan.unit, plan.counts, plan.is_preview) == ("dev/us-east-1/new-service", (1, 2, 3), False)


def test_preview_tells_after_which_units_it_is_planned_again() -> None:
    plan = read_plan(PLAN.replace("### Plan Output", PREVIEW + "### Plan Output"))
    assert plan is not None
    assert plan.planned_again_after == ("dev/b", "dev/a")


@pytest.mark.parametrize(
    "changed",
    [
        ("## Terrateam Plan", "# Terrateam Plan"),
        ("**Directory:** `dev/us-east-1/new-service`", "**Directory:** dev/us-east-1/new-service"),
        ("### Plan Output", "### Output"),
        ("Plan: 1 to add, 2 to change, 3 to destroy.", "Plan: 1 to add"),
        ("## Terrateam Plan", "> ## Terrateam Plan"),
    ],
)
def test_plan_that_is_not_to_the_letter_is_none(changed: tuple[str, str]) -> None:
    assert read_plan(PLAN.replace(*changed)) is None


def test_apply_tells_status_counts_and_outputs() -> None:
    apply = read_apply(APPLY)
    assert apply is not None
    assert (apply.unit, apply.succeeded, apply.counts) == ("dev/us-east-1/ecs-cluster", True, (3, 1, 0))
    assert apply.text("cluster_name") == "docustack-dev"
    assert apply.texts("subnets") == ["subnet-1", "subnet-2"]
    assert (apply.text("subnets"), apply.texts("cluster_name"), apply.text("nothing")) == ("", [], "")


def test_failed_apply_is_none() -> None:
    assert read_apply("## Terrateam Apply\n\n**Directory:** `dev/a`\n\n**Status:** ❌ Failed\n\nIt failed.") is None


def test_plan_is_no_apply_and_apply_no_plan() -> None:
    assert (read_apply(PLAN), read_plan(APPLY)) == (None, None)
