"""What a pull request changes of the rules, and whose approval that needs."""

# ruff: noqa: E501 - each changed key is one line

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docustack.access import Person
from docustack.comment_limits import BODY_LIMIT, size
from docustack.configuration_file import load_configuration, read_configuration_files
from docustack.errors import ConfigurationError
from docustack.gate_facts import Review
from docustack.rule_changes import NewRules, RuleChange, digest_of_rules, new_rules
from docustack.rules_approval import decide_rules, rules_check
from docustack.rules_comments import rules_comment, rules_note
from docustack.rules_guard import ShownRules

HEAD, OLD = "a" * 40, "b" * 40
GOOD = """\
version: 1
teams: {infra: infra, leads: leads}
environments:
  dev:
    path: dev
    account_id: "111111111111"
    apply: [infra]
  prod:
    path: prod
    account_id: "222222222222"
    plan: [infra]
    apply: [leads]
    approvals: {from: [leads], minimum: 1}
"""


def compared(after: str, before: str = GOOD, **files: str) -> NewRules:
    old = read_configuration_files({"docustack.yaml": before}, where="branch `main`")
    more = {f".terrateam/{name}.yml": text for name, text in files.items()}
    new = read_configuration_files({"docustack.yaml": after, **more}, where="this pull request")
    return new_rules(("docustack.yaml", *more), old, new)


def rows(after: str, before: str = GOOD, **files: str) -> list[tuple[str, str, str | None, str | None]]:
    found = compared(after, before, **files)
    assert not found.problems
    return [(change.where, change.rule, change.before, change.after) for change in found.changes]


@pytest.mark.parametrize(
    "old,new,row",
    [
        ("apply: [leads]", "apply: [infra, leads]", ("prod", "apply", "leads", "infra, leads")),
        ("plan: [infra]", "plan: anyone", ("prod", "plan", "infra", "anyone")),
        ("minimum: 1", "minimum: 0", ("prod", "approvals.minimum", "1", "0")),
        ("from: [leads]", "from: anyone", ("prod", "approvals.from", "leads", "anyone")),
        ("    path: prod\n", "    path: prod\n    trust_temporal_operators: true\n", ("prod", "trust_temporal_operators", "false", "true")),
        ("    path: dev\n", "    path: dev\n    mode: plan-only\n", ("dev", "mode", "full", "plan-only")),
        ("    path: dev\n", "    path: dev\n    roles: {plan: \"arn:aws:iam::111111111111:role/p\", apply: \"arn:aws:iam::111111111111:role/a\"}\n", ("dev", "roles.plan", None, "arn:aws:iam::111111111111:role/p")),
        ("leads: leads}", "leads: everybody}", ("teams", "leads", "leads", "everybody")),
        ("version: 1", "version: 1\nrules_owners: infra", ("", "rules_owners", "leads", "infra")),
        ("version: 1", "version: 1\napply: {require_mergeable: false}", ("", "apply.require_mergeable", "true", "false")),
    ],
)  # fmt: skip
def test_a_changed_key_is_a_row_with_its_value_before_and_after(
    old: str, new: str, row: tuple[str, str, str | None, str | None]
) -> None:
    assert row in rows(GOOD.replace(old, new, 1))


def test_a_mode_of_the_whole_file_shows_at_every_environment_that_it_reaches() -> None:
    after = GOOD.replace("version: 1", "version: 1\nmode: plan-only").replace(
        "    path: dev", "    path: dev\n    mode: full"
    )
    assert rows(after) == [("prod", "mode", "full", "plan-only"), ("", "mode", "full", "plan-only")]


def test_access_and_approvals_come_first() -> None:
    after = (
        GOOD.replace("path: prod", "path: live/prod")
        .replace("minimum: 1", "minimum: 0")
        .replace("[leads]\n", "anyone\n")
    )
    assert [row[1] for row in rows(after)] == ["apply", "approvals.minimum", "path"]


def test_a_new_environment_shows_who_may_do_what_there_and_a_removed_one_is_one_row() -> None:
    added = rows(GOOD, before=GOOD.partition("  prod:")[0])
    assert ("prod", "apply", None, "leads") in added
    assert ("prod", "approvals.minimum", None, "1") in added
    assert not [row for row in added if row[1] == "account_id"]
    assert rows(GOOD.partition("  prod:")[0]) == [("prod", "", "an environment", None)]


def test_the_order_of_environments_is_a_rule() -> None:
    head, _, prod = GOOD.partition("  prod:")
    first, _, dev = head.partition("  dev:")
    assert rows(f"{first}  prod:{prod}  dev:{dev}") == [("", "order of environments", "dev, prod", "prod, dev")]


def test_comments_and_the_order_of_keys_change_no_rule() -> None:
    after = "# a remark\n" + GOOD.replace(
        '    path: dev\n    account_id: "111111111111"', '    account_id: "111111111111"\n    path: dev'
    )
    found = compared(after)
    assert found.changes == ()
    assert "No rule gets another value" in rules_comment(found, base_ref="main", owners="leads")


def test_what_terrateams_file_filters_is_compared_too() -> None:
    assert rows(GOOD, config="enabled: false\nwhen_modified: {file_patterns: ['*.tf']}") == [
        (".terrateam", "enabled", "true", "false"),
        (".terrateam", "when_modified.file_patterns", None, "*.tf"),
    ]


def test_an_invalid_new_configuration_is_told_with_its_line() -> None:
    found = compared(GOOD.replace("apply: [infra]", "aply: [infra]"))
    assert found.problems == ("docustack.yaml:7:5: environments.dev.aply: there is no such key; did you mean `apply`?",)
    comment = rules_comment(found, base_ref="main", owners="leads")
    assert "docustack.yaml:7:5: environments.dev.aply" in comment
    assert "not valid" in comment
    assert "docustack.yaml:7:5" in rules_note(found, "leads")


def test_a_deleted_configuration_is_told() -> None:
    old = read_configuration_files({"docustack.yaml": GOOD}, where="branch `main`")
    new = read_configuration_files({}, where="this pull request")
    assert "there is no such file" in new_rules(("docustack.yaml",), old, new).problems[0]


def test_a_huge_file_is_not_read_at_all() -> None:
    found = compared(GOOD + "#" * 300_000)
    assert "is larger than 200,000 characters" in found.problems[0]


def test_the_comment_is_a_table_and_names_the_team() -> None:
    comment = rules_comment(compared(GOOD.replace("minimum: 1", "minimum: 0")), base_ref="main", owners="leads")
    assert "This pull request changes the rules" in comment
    assert "| `prod` | `approvals.minimum` | `1` | `0` |" in comment
    assert "need an approval by the `leads` team" in comment
    assert "judged by the rules of `main` as they are" in comment


@given(st.lists(st.text(max_size=400), max_size=80))
def test_whatever_stands_in_the_new_rules_the_comment_fits_and_keeps_its_table(values: list[str]) -> None:
    changes = tuple(RuleChange(where=text, rule=text, before=text, after=None) for text in values[:60])
    comment = rules_comment(
        NewRules(files=("docustack.yaml",), changes=changes, more=3), base_ref="main", owners="leads"
    )
    assert size(comment) <= BODY_LIMIT
    lines = [line for line in comment.splitlines() if line.startswith("| ")]
    assert len(lines) == (len(changes) + 1 if changes else 0)


@pytest.mark.parametrize(
    "given,told",
    [
        ("rules_owners: infra", None),
        ("rules_owners: infar", "docustack.yaml:2:1: rules_owners: there is no team `infar`; did you mean `infra`?"),
        ("rules_owners: [infra]", "docustack.yaml:2:1: rules_owners: must be text, not `['infra']`"),
    ],
)  # fmt: skip
def test_rules_owners_names_a_configured_team(given: str, told: str | None) -> None:
    text = GOOD.replace("version: 1", f"version: 1\n{given}")
    if told is None:
        assert load_configuration(text).rules_owners == "infra"
        return
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(text)
    assert [problem.describe() for problem in caught.value.problems] == [told]


def test_without_rules_owners_they_are_the_team_leads_on_github() -> None:
    text = GOOD.replace("leads: leads", "chiefs: chiefs").replace("[leads]", "[chiefs]")
    configuration = load_configuration(text)
    assert configuration.rules_owners == "leads"
    assert configuration.known_teams()["leads"] == "leads"
    assert configuration.known_teams()["chiefs"] == "chiefs"


# ---- the approval ----------------------------------------------------------------------------------------------------


SHOWN = ShownRules(commit=HEAD, digest="sha256:1", shown_at="2026-01-01T10:00:00Z", number=2)
BEFORE, AFTER = "2026-01-01T09:59:59Z", "2026-01-01T10:00:01Z"


def review(
    login: str, *teams: str, state: str = "APPROVED", commit: str = HEAD, at: str = AFTER, seen: int | None = None
) -> Review:
    who = Person(login=login, teams=teams, can_push=True)
    return Review(reviewer=who, state=state, commit=commit, submitted_at=at, seen=seen)


@pytest.mark.parametrize(
    "reviews,satisfied",
    [
        ([], False),
        ([review("infra-member", "infra")], False),
        ([review("lead", "leads")], True),
        ([review("lead", "leads", commit=OLD)], False),
        ([review("author", "leads")], False),
        ([review("lead", "leads", state="DISMISSED")], False),
        ([review("lead", "leads"), review("other", "leads", state="CHANGES_REQUESTED")], False),
        ([review("lead", "leads"), review("other", "infra", state="CHANGES_REQUESTED")], True),
    ],
)  # fmt: skip
def test_one_of_the_owners_other_than_the_author_approves_this_commit(reviews: list[Review], satisfied: bool) -> None:
    decision = decide_rules("leads", "author", HEAD, reviews, SHOWN)
    assert decision.satisfied is satisfied
    check = rules_check(decision, ())
    assert check.conclusion == ("success" if satisfied else "action_required")


@pytest.mark.parametrize("at,seen", [(BEFORE, None), (AFTER, 1), ("", None)])
def test_an_approval_from_before_the_change_could_be_read_does_not_count(at: str, seen: int | None) -> None:
    decision = decide_rules("leads", "author", HEAD, [review("lead", "leads", at=at, seen=seen)], SHOWN)
    assert not decision.satisfied
    assert "@lead doesn't count, who approved before the change of the rules could be read" in decision.message


def test_nobody_approves_what_has_not_been_shown_but_a_no_stands() -> None:
    reviews = [review("lead", "leads"), review("other", "leads", state="CHANGES_REQUESTED")]
    decision = decide_rules("leads", "author", HEAD, reviews, None)
    assert (decision.satisfied, decision.counted, decision.blocked_by) == (False, (), ("other",))
    assert "has not been shown yet" in decision.message


def test_what_an_approval_is_of_is_the_whole_change_and_the_branch() -> None:
    easier = compared(GOOD.replace("apply: [leads]", "apply: anyone"))
    assert digest_of_rules(easier, "main") == digest_of_rules(
        compared(GOOD.replace("apply: [leads]", "apply: anyone")), "main"
    )
    other = compared(GOOD.replace("apply: [leads]", "apply: [infra]"))
    assert (
        len({digest_of_rules(easier, "main"), digest_of_rules(easier, "staging"), digest_of_rules(other, "main")}) == 3
    )


def test_changes_that_differ_only_where_they_are_cut_off_are_two() -> None:
    def environments(last: str) -> str:
        more = "".join(
            f"  e{number}: {{path: e{number}, account_id: '{number:012}', apply: [infra]}}\n" for number in range(60)
        )
        return f"{GOOD}{more}  last: {{path: last, account_id: '999999999999', apply: {last}}}\n"

    one, other = compared(environments("[infra]")), compared(environments("[leads]"))
    assert one.changes == other.changes
    assert one.more == other.more > 0
    assert digest_of_rules(one, "main") != digest_of_rules(other, "main")


def test_the_refusal_names_the_team_and_the_rule() -> None:
    message = decide_rules("leads", "author", HEAD, [review("infra-member", "infra")], SHOWN).message
    assert "The change of the rules needs 1 approval from a member of the `leads` team, and has 0." in message
    assert "@infra-member doesn't count" in message
    assert "(Rule `rules_owners` in `docustack.yaml`.)" in message


def test_an_approved_change_of_the_rules_is_green_only_once_everything_is_applied() -> None:
    decision = decide_rules("leads", "author", HEAD, [review("lead", "leads")], SHOWN)
    assert rules_check(decision, ["dev/vpc"]).conclusion == "action_required"
    assert "`dev/vpc`" in rules_check(decision, ["dev/vpc"]).summary
