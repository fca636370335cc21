"""The answer to `terrateam help`: the guide's table of commands, and its troubleshooting in short."""

from docustack.comment_advice import UNEXPECTED_CHANGES
from docustack.comment_text import fold, one_line, table_code

_COMMANDS = (
    ("plan", "Re-run plan for all changed directories"),
    ("plan <dir>", "Plan specific directory"),
    ("apply", "Apply all planned changes"),
    ("apply <dir>", "Apply specific directory"),
    ("apply --destroy", "Apply all planned changes, and destroy the units that the pull request deletes"),
    ("unlock", "Release state lock"),
    ("dismiss <unit>", "After a merge: take a unit that it has left owned by nobody off the record"),
    ("help", "Show available commands"),
)

_TROUBLE = (
    f"- **The plan shows changes that you didn't make.** {UNEXPECTED_CHANGES}",
    "- **Error acquiring the state lock.** Comment `{prefix} unlock`. By hand: `terragrunt force-unlock <lock-id>`.",
    "- **AccessDenied.** `aws sso login --profile docustack-<environment>`, then `aws sts get-caller-identity`.",
    "- **No plan appears.** See Settings > Webhooks > Recent Deliveries, and the patterns in `.terrateam/config.yml`.",
)


def help_comment(prefix: str = "terrateam") -> str:
    """The guide's "Terrateam Commands", with the prefix that is configured."""
    rows = [f"| {table_code(f'{prefix} {command}')} | {description} |" for command, description in _COMMANDS]
    table = "\n".join(["| Command | Description |", "|---|---|", *rows])
    directories = (
        "`<dir>` is a unit, a directory above units, or a glob such as `dev/**`; several are separated by blanks. "
        "One command a comment, at the beginning of a line."
    )
    trouble = "\n".join(line.replace("{prefix}", one_line(prefix, 40).replace("`", "")) for line in _TROUBLE)
    return "\n\n".join(["## Terrateam Help", table, directories, fold("When something is wrong", trouble)])
