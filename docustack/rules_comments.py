"""How a pull request that changes the rules is marked: what it changes, before and after, and what that needs."""

from collections.abc import Sequence

from docustack.comment_limits import BODY_LIMIT, closed, head_of, size
from docustack.comment_text import code_list, inline_code, table_code
from docustack.rule_changes import NewRules

MARK = "changes the rules"
INVALID_MARK = "its new rules are not valid"


def rules_comment(new: NewRules, *, base_ref: str, owners: str) -> str:
    """The comment beside the plans."""
    marked = (
        f"⚠️ **This pull request {MARK}** ({code_list(new.files)}). It is judged by the rules of "
        f"{inline_code(base_ref)} as they are; its own count once it is merged."
    )
    needs = (
        f"Any apply from here, and the check `docustack/apply`, need an approval by the {inline_code(owners)} team "
        "(rule `rules_owners` in `docustack.yaml`)."
    )
    shown = _invalid(new.problems) if new.problems else _table(new)
    body = f"## Terrateam Rules\n\n{marked}\n\n{shown}\n\n{needs}"
    return body if size(body) <= BODY_LIMIT else closed(head_of(body, BODY_LIMIT - 200)) + "\n\n…"


def rules_note(new: NewRules, owners: str) -> str:
    """The same in short, for the check of the plan."""
    needs = f"Applying or merging it needs an approval by the `{owners}` team."
    if new.problems:
        return f"This pull request {MARK}, and the new ones are not valid: {new.problems[0]}. {needs}"
    return f"This pull request touches {code_list(new.files)} and changes {_named(new)}. {needs}"


def _named(new: NewRules) -> str:
    names = [".".join(part for part in (change.where, change.rule) if part) for change in new.changes]
    return code_list(names, 10) if names else "no rule's value"


def _invalid(problems: Sequence[str]) -> str:
    listed = [f"- {inline_code(problem, 500)}" for problem in problems]
    head = "❌ **The new configuration is not valid.** Once it is merged, nothing would be planned or applied any more:"
    return "\n".join([head, "", *listed])


def _table(new: NewRules) -> str:
    if not new.changes:
        return "No rule gets another value by it."
    rows = [
        f"| {_cell(change.where)} | {_cell(change.rule)} | {_cell(change.before)} | {_cell(change.after)} |"
        for change in new.changes
    ]
    table = "\n".join(["| Where | Rule | Before | After |", "|---|---|---|---|", *rows])
    return f"{table}\n\n… and {new.more:,} more." if new.more else table


def _cell(text: str | None) -> str:
    if text is None:
        return "not there"
    return table_code(text, 300) if text else ""
