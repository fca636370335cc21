"""The comments of plans and applies: the guide's formats, GitHub's limit, and text of others that breaks nothing."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from docustack.access import Decision
from docustack.comment_limits import COMMENT_LIMIT, closed, cut_middle, fair_shares, size
from docustack.comment_markers import find_marker, is_outdated, marker, outdated, with_marker
from docustack.comment_plan_text import as_diff, essence, without_plan_line
from docustack.comment_text import as_text, code_list, fence, inline_code, link, moment, plain, prose, table_code
from docustack.comments import Links, apply_comment, help_comment, plan_comment
from docustack.decisions import GivenDecision, decisions_comment
from docustack.deleted_units import DeletedUnit, Fate
from docustack.errors import ErrorType
from docustack.gate_facts import Door
from docustack.lock_comments import held_meanwhile, in_line_comment, turn_comment
from docustack.locks import Grant, LockAnswer
from docustack.plans import Change, DependencyOutputs, OutputsKind, PlanRecord, PlanSummary
from docustack.pull_request_state import PullRequestState
from docustack.repository import ChangedUnit, Discovery, Repository, UnitStatus
from docustack.run_comments import (
    configuration_problem_comment,
    more_than_approved,
    nothing_to_apply_comment,
    refusal_comment,
    unknown_directory_comment,
    unlock_comment,
    waiting_for_approval_comment,
)
from docustack.run_remarks import deferred_message, not_planned_remark, remarks, remarks_comment
from docustack.runs import Operation, PullRequestRef, RunInput, UnitOutcome, UnitPhase
from docustack.summary_comments import applies_summary_comment, plans_summary_comment
from docustack.units import UnknownDirectory
from docustack.unknown_signals import unknown_signal_reply

UNIT = "dev/us-east-1/new-service"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINKS = Links(run="https://temporal.example/run", log=lambda reference: f"https://logs.example/{reference}")

PLAN_TEXT = """
Terraform used the selected providers to generate the following execution
plan. Resource actions are indicated with the following symbols:
  + create

Terraform will perform the following actions:

  # aws_ecs_service.new_service will be created
  + resource "aws_ecs_service" "new_service" {
      + cluster       = "arn:aws:ecs:us-east-1:123456789:cluster/docustack-dev"
      + desired_count = 2
      + name          = "new-service"
    }

Plan: 1 to add, 0 to change, 0 to destroy.

─────────────────────────────────────────────────────────────────────────────

Saved the plan to: plan.out
"""

GUIDES_PLAN = """\
## Terrateam Plan

**Directory:** `dev/us-east-1/new-service`

### Plan Output

```diff
Terraform will perform the following actions:

# aws_ecs_service.new_service will be created
+ resource "aws_ecs_service" "new_service" {
+     cluster       = "arn:aws:ecs:us-east-1:123456789:cluster/docustack-dev"
+     desired_count = 2
+     name          = "new-service"
  }
```

Plan: 1 to add, 0 to change, 0 to destroy.

<sub>Commit `0123456`</sub>"""

APPLY_TEXT = """Apply complete! Resources: 3 added, 1 changed, 0 destroyed.

Outputs:

cluster_arn = "arn:aws:ecs:us-east-1:123456789:cluster/docustack-dev"
cluster_name = "docustack-dev"
"""

GUIDES_APPLY = """\
## Terrateam Apply

**Directory:** `dev/us-east-1/ecs-cluster`

**Status:** ✅ Success

### Apply Output

```
Apply complete! Resources: 3 added, 1 changed, 0 destroyed.

Outputs:

cluster_arn = "arn:aws:ecs:us-east-1:123456789:cluster/docustack-dev"
cluster_name = "docustack-dev"
```"""


def record(text: str = PLAN_TEXT, *, mocks: tuple[str, ...] = (), **counts: int) -> PlanRecord:
    return PlanRecord(
        unit=UNIT,
        run_id="r1",
        commit=COMMIT,
        tree_commit=COMMIT,
        digest="sha256:0",
        summary=PlanSummary(**(counts or {"add": 1})),
        dependencies=tuple(DependencyOutputs(unit=unit, kind=OutputsKind.MOCK) for unit in mocks),
        binary="b",
        json_document="j",
        text="t",
        log="plan.log",
        text_preview=text,
    )


def planned(plan: PlanRecord | None = None, unit: str = UNIT) -> UnitOutcome:
    return UnitOutcome(unit=unit, environment="dev", phase=UnitPhase.PLANNED, plan=plan or record())


def ended(
    phase: UnitPhase, unit: str = UNIT, *, message: str = "", error: str | None = None, text: str = ""
) -> UnitOutcome:
    return UnitOutcome(unit=unit, environment="dev", phase=phase, message=message, error_type=error, text=text)


def rendered(body: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))


# ---- the two formats -----------------------------------------------------------------------------------------------


def test_a_plan_comment_is_the_guides() -> None:
    assert plan_comment(planned()) == GUIDES_PLAN


def test_an_apply_comment_is_the_guides() -> None:
    outcome = ended(UnitPhase.APPLIED, "dev/us-east-1/ecs-cluster", text=APPLY_TEXT)
    assert apply_comment(outcome) == GUIDES_APPLY


def test_a_preview_names_the_unit_after_which_it_is_planned_again() -> None:
    body = plan_comment(planned(record(mocks=("dev/us-east-1/vpc",))))
    assert "> **Preview:**" in body
    assert "will be planned again after `dev/us-east-1/vpc`." in body


def test_a_deferred_unit_says_for_what_it_waits_and_is_no_failure() -> None:
    body = plan_comment(ended(UnitPhase.DEFERRED, message=deferred_message(["dev/us-east-1/vpc"])))
    assert "**Status:** ⏳ Deferred" in body
    assert "Waits for the first apply of `dev/us-east-1/vpc`, which has no outputs yet." in body
    assert "❌" not in body


def test_a_plan_of_nothing_says_so() -> None:
    body = plan_comment(ended(UnitPhase.NO_CHANGES))
    assert "No changes. Your infrastructure matches the configuration." in body
    assert "```" not in body


def test_outputs_alone_are_a_plan_with_something_to_show() -> None:
    text = 'Changes to Outputs:\n  + name = "x"\n'
    body = plan_comment(planned(record(text, outputs_changed=1)))
    assert '+ name = "x"' in body
    assert "Plan: 0 to add, 0 to change, 0 to destroy." in body


def test_an_apply_says_that_it_was_planned_again() -> None:
    body = apply_comment(ended(UnitPhase.APPLIED, text=APPLY_TEXT), planned_again=True)
    assert "does nothing beyond what was approved" in body


def test_next_steps_come_last_but_for_the_small_print() -> None:
    body = plan_comment(planned(), next_steps=["Comment `terrateam apply`."], links=LINKS)
    assert body.splitlines()[-3] == "Comment `terrateam apply`."
    small_print = body.splitlines()[-1]
    assert "[Whole log](https://logs.example/plan.log)" in small_print
    assert "[Run](https://temporal.example/run)" in small_print


def test_changes_from_outside_bring_the_guides_advice() -> None:
    note = "Note: Objects have changed outside of Terraform\n\n  # aws_vpc.main has changed\n"
    body = plan_comment(planned(record(note + PLAN_TEXT)))
    assert "terragrunt refresh" in body
    assert "aws_vpc.main has changed" in body


# ---- bad ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phase, error, status",
    [
        (UnitPhase.FAILED, ErrorType.FAILED, "❌ Failed"),
        (UnitPhase.SKIPPED, None, "⏭️ Skipped"),
        (UnitPhase.UNKNOWN, ErrorType.INTERRUPTED, "⚠️ Unknown"),
        (UnitPhase.SKIPPED, ErrorType.CANCELLED, "🛑 Cancelled"),
        (UnitPhase.FAILED, ErrorType.CANCELLED, "🛑 Cancelled"),
    ],
)
def test_a_bad_end_is_never_shown_as_a_success(phase: UnitPhase, error: ErrorType | None, status: str) -> None:
    for body in (apply_comment(ended(phase, error=error)), plan_comment(ended(phase, error=error))):
        assert f"**Status:** {status}" in body
        assert "✅" not in body


@pytest.mark.parametrize(
    "error, advice",
    [
        (ErrorType.STATE_LOCKED, f"`terrateam unlock {UNIT}`"),
        (ErrorType.STATE_LOCKED, "`terragrunt force-unlock <lock-id>`"),
        (ErrorType.LOCK_LOST, "Terraform's own lock is another one"),
        (ErrorType.LOCK_LOST, f"`terrateam apply {UNIT}`"),
        (
            ErrorType.CREDENTIALS,
            "aws sso login --profile docustack-dev\naws sts get-caller-identity\necho $AWS_PROFILE",
        ),
        (ErrorType.STALE_PLAN, "`terragrunt import ADDRESS ID`"),
        (ErrorType.CONFIGURATION, "Fix the code and push"),
        (ErrorType.TIMEOUT, "`apply.timeout_minutes`"),
        (ErrorType.PROVIDER_CRASH, f"`terrateam plan {UNIT}`"),
        (ErrorType.NO_OUTPUTS, "Apply the units that it depends on first"),
        (ErrorType.UNAVAILABLE, f"`terrateam apply {UNIT}`"),
    ],
)
def test_a_failure_says_what_to_do(error: ErrorType, advice: str) -> None:
    body = apply_comment(ended(UnitPhase.FAILED, message="It failed.", error=error, text="Error: x"))
    assert "It failed." in body
    assert "**What to do:**" in body
    assert advice in body


@pytest.mark.parametrize("error", list(ErrorType))
def test_every_kind_of_failure_has_advice(error: ErrorType) -> None:
    for phase in (UnitPhase.FAILED, UnitPhase.UNKNOWN):
        assert "**What to do:** " in plan_comment(ended(phase, error=error))


def test_a_failure_that_brings_its_own_advice_gets_no_second_one() -> None:
    message = "`terragrunt apply` failed for dev/x: locked\nThe state is locked by bob since noon."
    body = apply_comment(ended(UnitPhase.FAILED, message=message, error=ErrorType.STATE_LOCKED))
    assert "**What to do:** The state is locked by bob since noon." in body
    assert body.count("What to do") == 1
    assert "force-unlock" not in body


def test_the_last_lines_of_a_failure_are_folded() -> None:
    body = plan_comment(ended(UnitPhase.FAILED, text="Error: no such VPC", error=ErrorType.FAILED))
    assert "<details><summary>Last lines of the output</summary>\n\n```\nError: no such VPC\n```" in body


def test_an_unknown_end_asks_for_a_plan_before_anything_else() -> None:
    body = apply_comment(ended(UnitPhase.UNKNOWN, error=ErrorType.INTERRUPTED))
    assert f"Comment `terrateam plan {UNIT}` before anything else." in body


def test_a_skipped_unit_names_the_reason_and_gives_no_advice() -> None:
    body = apply_comment(ended(UnitPhase.SKIPPED, message="`dev/us-east-1/vpc` failed."))
    assert "`dev/us-east-1/vpc` failed." in body
    assert "What to do" not in body


# ---- plan text -----------------------------------------------------------------------------------------------------


def test_signs_move_to_column_zero_and_text_stays_aligned() -> None:
    text = '  ~ resource "a" "b" {\n'
    text += '        id   = 1\n      ~ name = "x" -> "y"\n      - old  = 2\n    }\n-/+ resource "c" "d" {'
    assert as_diff(text) == (
        '! resource "a" "b" {\n      id   = 1\n!     name = "x" -> "y"\n-     old  = 2\n  }\n-/+ resource "c" "d" {'
    )


def test_lists_inside_a_new_multi_line_string_are_no_removals() -> None:
    text = "      + doc = <<-EOT\n            - item\n            + plus\n        EOT\n      - gone = 1"
    assert as_diff(text) == "+     doc = <<-EOT\n          - item\n          + plus\n      EOT\n-     gone = 1"


def test_changes_inside_a_multi_line_string_are_coloured() -> None:
    text = "      ~ doc = <<-EOT\n            #!/bin/bash\n"
    text += "          - - one\n          + - two\n            - three\n        EOT"
    assert as_diff(text).splitlines()[1:5] == [
        "          #!/bin/bash",
        "-         - one",
        "+         - two",
        "          - three",
    ]


def test_the_end_of_a_multi_line_string_may_be_followed_by_an_arrow() -> None:
    text = "      ~ output = <<-EOT\n            x\n        EOT -> (known after apply)\n      + y = 1"
    assert as_diff(text).splitlines()[-1] == "+     y = 1"


def test_the_legend_and_the_advice_to_save_are_left_out() -> None:
    text = essence(PLAN_TEXT)
    assert text.startswith("Terraform will perform the following actions:")
    assert text.endswith("Plan: 1 to add, 0 to change, 0 to destroy.")


def test_a_text_of_unknown_form_is_kept_whole() -> None:
    assert essence("something new\n") == "something new"
    assert without_plan_line("something new") == ("something new", None)


def test_a_resource_line_that_looks_like_the_plan_line_is_not_taken_for_it() -> None:
    text = "Plan: 9 to add, in a string\n" + PLAN_TEXT
    rest, line = without_plan_line(text)
    assert line == "Plan: 1 to add, 0 to change, 0 to destroy."
    assert "Plan: 9 to add" in rest


# ---- limits --------------------------------------------------------------------------------------------------------


def long_text(lines: int, line: str = '+ name = "é ✅ 漢字"') -> str:
    return (
        "Terraform will perform the following actions:\n\n"
        + "\n".join(f"  {line} {n}" for n in range(lines))
        + ("\n\nPlan: 7 to add, 0 to change, 0 to destroy.\n")
    )


def test_a_plan_of_a_megabyte_fits_and_shows_its_beginning_its_end_and_where_the_rest_is() -> None:
    text = long_text(40_000)
    assert size(text) > 1_000_000
    body = with_marker(plan_comment(planned(record(text)), links=LINKS), "run:unit")
    assert size(body) <= COMMENT_LIMIT
    assert size(body) > COMMENT_LIMIT * 9 // 10, "the room is used"
    assert re.search(
        r"… [\d,]+ lines \([\d,]+ bytes\) are left out here; all of it: https://logs.example/plan.log …", body
    )
    assert "Terraform will perform" in body
    assert "39999" in body
    assert "Plan: 7 to add, 0 to change, 0 to destroy." in body
    assert body.endswith(marker("run:unit"))


def test_a_long_plan_is_folded_with_its_counts_in_sight() -> None:
    body = plan_comment(planned(record(long_text(30))))
    visible = re.sub(r"<details>.*</details>", "", body, flags=re.DOTALL)
    assert "Plan: 7 to add, 0 to change, 0 to destroy." in visible
    assert "漢字" not in visible


@pytest.mark.parametrize("lines, folded", [(10, False), (18, False), (30, True)])
def test_only_a_long_plan_is_folded(lines: int, folded: bool) -> None:
    assert ("<details>" in plan_comment(planned(record(long_text(lines))))) is folded


@pytest.mark.parametrize("text", ["x" * 1_000_000, "`" * 300_000, "✅" * 200_000, "\n" * 500_000, "```\n" * 25_000])
def test_no_text_makes_a_comment_too_long_or_leaves_it_open(text: str) -> None:
    for body in (
        plan_comment(planned(record(text))),
        apply_comment(ended(UnitPhase.APPLIED, text="Apply complete!" + text)),
        apply_comment(ended(UnitPhase.FAILED, text=text, message=text, error=ErrorType.FAILED)),
        plans_summary_comment([planned(record(text), f"dev/u{n}") for n in range(12)]),
        refusal_comment(text),
    ):
        assert size(with_marker(body, "k")) <= COMMENT_LIMIT
        assert "PROBE" in rendered(with_marker(body, "k") + "\n\nPROBE").split("</code></pre>")[-1]
        assert body.count("<details>") == body.count("</details>")


@given(st.text(alphabet="ab\n`é✅", max_size=400), st.integers(0, 300))
def test_cutting_keeps_the_room_and_loses_nothing_that_fits(text: str, room: int) -> None:
    cut = cut_middle(text, room)
    assert size(cut) <= room
    if size(text) <= room:
        assert cut == text


@given(st.lists(st.integers(0, 500), max_size=12), st.integers(0, 2_000))
def test_shares_are_fair(wanted: list[int], room: int) -> None:
    shares = fair_shares(wanted, room)
    assert sum(shares) <= room
    assert all(share <= want for share, want in zip(shares, wanted, strict=True))
    cut = [share for share, want in zip(shares, wanted, strict=True) if share < want]
    if cut:
        assert max(shares) - min(cut) <= 1, "nobody has more than one who wants more"
        assert sum(shares) >= room - len(wanted)


def test_closing_ends_what_is_open() -> None:
    assert closed("a") == "a"
    assert closed("<details>\n\n````\n```\nx").endswith("x\n````\n\n</details>")
    assert closed("```\n<details>\n```") == "```\n<details>\n```"


# ---- many units ----------------------------------------------------------------------------------------------------


def test_a_summary_counts_lists_and_folds_every_unit() -> None:
    outcomes = [planned(unit=f"dev/us-east-1/u{n}") for n in range(11)]
    outcomes.append(
        ended(UnitPhase.FAILED, "dev/us-east-1/bad", message="boom", error=ErrorType.FAILED, text="Error: boom")
    )
    body = plans_summary_comment(outcomes, links=LINKS)
    assert body.startswith("## Terrateam Plan\n\n**12 units:** 11 planned, 1 failed\n\nPlan: 11 to add, 0 to change")
    assert body.index("bad") < body.index("u0"), "what went wrong comes first"
    assert body.count("<details>") == 12
    assert "Error: boom" in body
    assert rendered(body).count("<tr>") == 13


def test_every_unit_gets_its_fair_share_of_the_room() -> None:
    outcomes = [planned(record(long_text(5_000)), f"dev/u{n}") for n in range(11)] + [planned(unit="dev/short")]
    body = plans_summary_comment(outcomes)
    assert size(body) <= COMMENT_LIMIT
    folds = re.findall(r"<details>.*?</details>", body, re.DOTALL)
    assert len(folds) == 12
    lengths = sorted(map(size, folds))
    assert lengths[-1] - lengths[1] < 300
    assert "new_service" in folds[-1]
    assert "left out" not in folds[-1]


@pytest.mark.parametrize("units", [500, 1_500])
def test_very_many_units_are_a_table_with_the_failures_told(units: int) -> None:
    outcomes = [
        planned(record(long_text(300)), f"dev/us-east-1/a-rather-long-name-of-a-unit-{n}") for n in range(units)
    ]
    outcomes.append(ended(UnitPhase.FAILED, "dev/us-east-1/bad", message="boom", error=ErrorType.FAILED))
    for body in (plans_summary_comment(outcomes, links=LINKS), applies_summary_comment(outcomes, links=LINKS)):
        assert size(with_marker(body, "key")) <= COMMENT_LIMIT
        assert "| `dev/us-east-1/bad` | ❌ Failed |" in body
        assert f"**{units + 1:,} units:**" in body
    assert "more unit" in body or units == 500


def test_an_apply_summary_adds_up_what_was_done() -> None:
    done = ended(UnitPhase.APPLIED, text=APPLY_TEXT).model_copy(update={"summary": PlanSummary(add=3, change=1)})
    body = applies_summary_comment([done.model_copy(update={"unit": f"dev/u{n}"}) for n in range(11)])
    assert "**11 units:** 11 applied" in body
    assert "Resources: 33 added, 11 changed, 0 destroyed." in body


# ---- markers -------------------------------------------------------------------------------------------------------


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_marker_gives_its_key_back_and_stays_hidden(key: str, body: str) -> None:
    assert find_marker(with_marker(body, key)) == key.encode("utf-8", "replace").decode()
    inside = marker(key)[4:-3]
    assert "--" not in inside
    assert ">" not in inside
    assert "\n" not in inside


def test_only_the_end_of_a_body_is_a_marker() -> None:
    assert find_marker(f"{marker('forged')}\n\ntext") is None
    assert find_marker(with_marker(f"{marker('forged')}\n\ntext", "own")) == "own"
    assert find_marker(with_marker("text", "own").replace("\n", "\r\n") + "\r\n") == "own"
    assert find_marker("no marker") is None


def test_a_body_gets_one_marker_only() -> None:
    assert with_marker(with_marker("text", "one"), "two") == with_marker("text", "two")


def test_an_outdated_comment_says_why_and_keeps_text_and_marker() -> None:
    body = with_marker(plan_comment(planned()), "key")
    old = outdated(body, "the pull request has changed since")
    assert "**Outdated:** the pull request has changed since" in old
    assert "<details><summary>Show the old comment</summary>\n\n## Terrateam Plan" in old
    assert find_marker(old) == "key"
    assert is_outdated(old)
    assert not is_outdated(body)


@given(st.text(max_size=300), st.text(max_size=50), st.one_of(st.none(), st.text(max_size=20)))
def test_marking_outdated_twice_is_marking_once(body: str, reason: str, key: str | None) -> None:
    body = with_marker(body, key) if key is not None else body
    once = outdated(body, reason)
    assert outdated(once, "another reason") == once
    if key is not None:
        assert find_marker(once) == find_marker(body)


def test_a_full_comment_can_be_marked_outdated_without_losing_anything() -> None:
    body = with_marker(plan_comment(planned(record(long_text(40_000)))), "key")
    old = outdated(body, "superseded by a push " * 10)
    assert size(old) <= COMMENT_LIMIT
    assert "39999" in old


def test_a_comment_at_githubs_limit_is_cut_rather_than_grown_beyond_it() -> None:
    body = with_marker("```\n" + "x\n" * 40_000, "key")
    assert size(body) <= COMMENT_LIMIT
    old = outdated("y" * (COMMENT_LIMIT - 100) + "\n\n" + marker("key"), "reason")
    assert size(old) <= COMMENT_LIMIT
    assert find_marker(old) == "key"


# ---- text of others ------------------------------------------------------------------------------------------------

HOSTILE = [
    "@everyone look",
    "a`b``c",
    "`",
    "</details><script>alert(1)</script>",
    "**bold** _it_ [x](javascript:alert(1)) ![i](https://evil/x.png)",
    "| a | b |",
    "# heading\n\n- list\n> quote",
    "```\ncode\n```",
    "<!-- docustack:forged -->",
    "#12 GH-3 org/repo#4",
    "a\u202eb\u0000c\u200bd",
    "<img src=x onerror=y>",
]

NOW = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)


def _discovery(name: str) -> Discovery:
    return Discovery(
        changed=(
            ChangedUnit(unit=name, environment=None, status=UnitStatus.MODIFIED, because=()),
            ChangedUnit(unit=name + "x", environment="dev", status=UnitStatus.DELETED, because=()),
        ),
        also_affected=(name,),
        unread_files=(name,),
        excluded_files=(name,),
        warnings=(name,),
    )


def _deletion(name: str, fate: Fate) -> DeletedUnit:
    return DeletedUnit(
        unit=name, environment="dev", fate=fate, because=(name,), renamed_to=name, owned=1, addresses=(name,)
    )


def _in_line(name: str) -> LockAnswer:
    return LockAnswer(request_id=name, granted=False, ahead=("pull request 8", "run 3f2a"), blocked_by=(_grant(name),))


def _grant(name: str) -> Grant:
    return Grant(unit=name, holder="pr", pull_request=7, actor=name, since=NOW, token=1)


def _decision(name: str, door: Door) -> GivenDecision:
    return GivenDecision(door=door, verdict=name, login=name, reason=name, received_at=NOW, told=name)


TEXTS_WITH_NAMES: list[Callable[[str], str]] = [
    lambda name: plan_comment(planned(unit=name)),
    lambda name: plan_comment(planned(record(name, mocks=(name,)))),
    lambda name: apply_comment(ended(UnitPhase.FAILED, name, message=name, error=ErrorType.CREDENTIALS, text=name)),
    lambda name: apply_comment(ended(UnitPhase.APPLIED, name, message=name, text=name)),
    lambda name: plans_summary_comment(
        [planned(record(name), unit=name), ended(UnitPhase.DEFERRED, name, message=name)]
    ),
    lambda name: applies_summary_comment([ended(UnitPhase.SKIPPED, name, message=name, text=name)]),
    lambda name: refusal_comment(unknown_directory_comment(UnknownDirectory(name, (name,)), [name])),
    lambda name: refusal_comment(configuration_problem_comment([name])),
    lambda name: in_line_comment(_in_line(name), name),
    lambda name: turn_comment([name], NOW),
    lambda name: waiting_for_approval_comment([name], name, held_meanwhile(_in_line(name).blocked_by)),
    lambda name: decisions_comment(name, [_decision(name, Door.SERVER), _decision(name, Door.TEMPORAL)]),
    lambda name: unknown_signal_reply(PullRequestState(), name),
    lambda name: refusal_comment(more_than_approved(name, [Change(address=name, action="create", attribute=name)])),
    lambda name: remarks_comment(
        _discovery(name), remarks(_discovery(name), [name], deleted=[_deletion(name, fate) for fate in Fate])
    ),
    lambda name: outdated("old", name),
    help_comment,
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("text", range(len(TEXTS_WITH_NAMES)))
def test_text_of_others_pings_nobody_and_breaks_nothing(name: str, text: int) -> None:
    body = TEXTS_WITH_NAMES[text](name) + "\n\nPROBE"
    html = re.sub(r"<code[^>]*>.*?</code>", "", rendered(body), flags=re.DOTALL)
    assert "<p>PROBE</p>" in html, "nothing is left open"
    assert not re.search(r"<(script|img|a\b[^>]*javascript)", html)
    assert not re.search(r"@\w", html), "no mention outside of code"
    assert not re.search(r"#\d", html), "no reference outside of code"
    assert not re.search(r"<h[1-6]>(?!Terrateam|Plan Output|Apply Output)", html), "no heading of others"
    assert "docustack:forged" not in html or "&lt;!--" in html
    assert html.count("<details>") == html.count("</details>")
    assert "\u202e" not in body


@given(st.text(max_size=60))
def test_inline_code_shows_exactly_one_piece_of_code(text: str) -> None:
    html = MarkdownIt().render(f"a {inline_code(text)} b")
    assert html.count("<code>") == 1
    assert html.startswith("<p>a <code>")
    assert html.endswith("</code> b</p>\n")


@given(st.text(max_size=200))
def test_a_fence_holds_whatever_is_put_into_it(text: str) -> None:
    html = MarkdownIt().render(f"{fence(text, 'diff')}\n\nafter")
    assert html.endswith("</code></pre>\n<p>after</p>\n")
    assert html.count("<pre>") == 1


@given(st.text(alphabet="ab`*_<>&[]()!@#1 \n|\\~-", max_size=80))
def test_prose_renders_as_the_words_that_it_is(text: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).render("x " + plain(text))
    assert not re.search(r"<(?!/?p>)", html), html
    assert not re.search(r"@\w|#\d", html)


def test_prose_keeps_code_and_addresses_of_ours() -> None:
    text = "See `a_b` and ``c`d`` at https://example.org/a_b?c=d, not [x](y)."
    assert prose(text) == "See `a_b` and ``c`d`` at https://example.org/a_b?c=d, not \\[x\\]\\(y\\)."


def test_a_bar_does_not_end_a_table_cell() -> None:
    row = rendered(f"| a | b |\n|---|---|\n| {table_code('x|y')} | z |")
    assert row.count("<td>") == 2


def test_only_web_addresses_become_links() -> None:
    assert link("x", "javascript:alert(1)") == "x"
    assert link("x", None) == "x"
    assert link("x", "https://a.b/c d") == "x"
    assert link("x", "https://a.b/(c)") == "[x](https://a.b/%28c%29)"


# ---- what the run itself says --------------------------------------------------------------------------------------


def test_times_are_utc_for_everybody() -> None:
    berlin = timezone(timedelta(hours=2))
    at = datetime(2026, 3, 1, 14, 5, tzinfo=berlin)
    assert moment(at) == "2026-03-01 12:05 UTC"
    assert moment(at, datetime(2026, 3, 1, 14, 5, tzinfo=UTC)) == "2026-03-01 12:05 UTC (2 hours ago)"
    assert moment(NOW, NOW) == "2026-03-01 14:05 UTC (just now)"
    assert moment(NOW, NOW + timedelta(days=1, hours=3)).endswith("(1 day ago)")


def test_who_waits_in_line_is_told_holder_since_when_and_place() -> None:
    body = in_line_comment(_in_line("dev/x"))
    assert "number 3" in body.splitlines()[0]
    assert "- `dev/x`: held by pull request 7 (" in body
    assert ") since 2026-03-01 14:05 UTC\n" in body
    assert "- before it in line: 2 others (pull request 8, run 3f2a)" in body
    assert "`terrateam unlock` here leaves the line" in body


def test_a_long_line_still_fits_into_a_comment() -> None:
    grants = tuple(_grant(f"dev/unit-{number:04}") for number in range(2_000))
    answer = LockAnswer(
        request_id="",
        granted=False,
        ahead=tuple(f"pull request {number}" for number in range(1, 2_000)),
        blocked_by=grants,
    )
    body = in_line_comment(answer)
    assert len(body) < 10_000
    assert "- and 1,970 more units" in body
    assert "1,999 others" in body


def test_an_unknown_directory_is_answered_with_those_that_changed() -> None:
    body = unknown_directory_comment(UnknownDirectory("dev/nope", ("dev/a", "dev/b")), ["dev/a", "dev/b"])
    assert "`dev/nope` is no unit of this repository" in body
    assert "- `dev/a`\n- `dev/b`" in body
    assert len(unknown_directory_comment(UnknownDirectory("x", tuple(f"dev/{n}" for n in range(5_000))), [])) < 2_000


def test_a_directory_that_is_no_unit_is_told_from_one_that_is_not_changed_and_the_nearest_is_named() -> None:
    there = ("dev/vpc", "dev/rds", "lab/x")

    def told(directory: str) -> str:
        return unknown_directory_comment(UnknownDirectory(directory, ("dev/vpc",)), there)

    assert "`dev/vcp` is no unit of this repository. Did you mean `dev/vpc`?" in told("dev/vcp")
    assert "`dev/rds` is a unit that this pull request doesn't change." in told("dev/rds")
    assert "`lab` holds units, but none that this pull request changes." in told("lab")


def test_remarks_name_every_thing_that_a_person_should_know() -> None:
    discovery = Discovery(
        changed=(
            ChangedUnit(unit="dev/gone", environment="dev", status=UnitStatus.DELETED, because=()),
            ChangedUnit(unit="lab/x", environment=None, status=UnitStatus.ADDED, because=()),
        ),
        also_affected=("dev/rds",),
        unread_files=("scripts/a.sh",),
        excluded_files=("docs/a.md",),
        warnings=("odd",),
    )
    gone = DeletedUnit(
        unit="dev/gone", environment="dev", fate=Fate.NEEDED, because=("dev/rds",), owned=1, addresses=("aws_vpc.main",)
    )
    body = remarks_comment(discovery, remarks(discovery, ["odd", "key"], deleted=[gone]))
    for part in ("`dev/gone` is deleted", "`aws_vpc.main`", "`dev/rds` still depends", "`lab/x` lies in no environment",
                 "`scripts/a.sh`", "`docs/a.md`", "`dev/rds`", "key"):  # fmt: skip
        assert part in body
    assert body.count("odd") == 1


def test_without_remarks_there_is_no_comment() -> None:
    plain_discovery = Discovery(
        changed=(ChangedUnit(unit="a", environment="dev", status=UnitStatus.ADDED, because=()),)
    )
    assert remarks_comment(plain_discovery, remarks(plain_discovery)) == ""


def test_an_environment_that_was_not_planned_says_who_can() -> None:
    decision = Decision(allowed=False, rule="r", who_can=("infra",), message="@dev may not plan `prod`.")
    assert "`terrateam plan` by a member of `infra` plans it" in not_planned_remark(decision, automatic=True)
    assert not_planned_remark(decision, automatic=False) == decision.message


def test_nothing_to_apply_says_why() -> None:
    start = RunInput(
        run_id="r", repository=Repository(owner="o", name="n"), operation=Operation.APPLY, actor="a",
        pull_request=PullRequestRef(number=1, author="a", head_commit=COMMIT, base_ref="main"), applied=("dev/a",),
    )  # fmt: skip
    assert "applied already" in nothing_to_apply_comment(["dev/a"], start)
    assert "`dev/b` has no plan at `0123456`" in nothing_to_apply_comment(["dev/a", "dev/b"], start)
    nothing = start.model_copy(update={"applied": ()})
    assert "no plan of `0123456` yet" in nothing_to_apply_comment(["dev/b"], nothing)
    assert "changes no unit" in nothing_to_apply_comment([], start)
    empty = record().model_copy(update={"unit": "dev/b"})
    assert "has no changes" in nothing_to_apply_comment(["dev/b"], start.model_copy(update={"plans": (empty,)}))


class Lock:
    """A state lock that was found."""

    def __init__(self, locked: bool, freed: bool, message: str = "") -> None:
        self.locked, self.freed, self.message = locked, freed, message
        self.who: str | None = "bob@host"
        self.since: str | None = "2026-03-01"


def test_unlock_tells_which_state_locks_were_freed_and_which_were_not() -> None:
    body = unlock_comment(["dev/a", "dev/b"], {"dev/a": Lock(True, True), "dev/b": Lock(True, False, "it lives")})
    assert body.startswith(
        "⚠️ This pull request holds no lock of `dev/a` and `dev/b` any more. The Terraform state of `dev/b` stays"
    )
    assert "`dev/a`: Terraform's state lock was freed." in body
    assert "`dev/b`: the state is still locked by `bob@host`: it lives" in body


def test_help_shows_the_guides_table_with_the_configured_prefix() -> None:
    body = help_comment("infra")
    for command in ("plan", "plan <dir>", "apply", "apply <dir>", "unlock", "help"):
        assert f"| `infra {command}` |" in body
    assert "| `infra unlock` | Release state lock |" in body


def test_long_lists_are_counted() -> None:
    assert code_list([]) == ""
    assert code_list(["a"]) == "`a`"
    assert code_list(["a", "b", "c"]) == "`a`, `b` and `c`"
    assert code_list([str(n) for n in range(25)]).endswith("`19` and 5 more")


@pytest.mark.parametrize(
    "told",
    [
        "@lead may not apply `prod/a_b`: ask the team leads (#7), or see https://example.com/a_b.",
        "resource <name> isn't there & `x < y \\*` is; 50% of [it] costs $3!",
    ],
)
def test_a_comment_is_read_at_a_terminal_as_it_was_meant(told: str) -> None:
    body = refusal_comment(told)
    assert body != f"⛔ {told}", "GitHub needs its escapes"
    assert as_text(body) == f"⛔ {told}"
