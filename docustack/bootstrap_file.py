"""The edits of `bootstrap/terragrunt.hcl` that the guide makes by hand: `remote_state` on or off, the account's id."""

import re

from docustack.errors import ConfigurationError

UNIT = "bootstrap"
"""The unit of the guide's "Bootstrap State Backend"."""

FILE = f"{UNIT}/terragrunt.hcl"

_ON = re.compile(r"^remote_state\s*\{.*?^\}[ \t]*$", re.MULTILINE | re.DOTALL)
_OFF = re.compile(r"^#[ \t]?remote_state\s*\{.*?^#[ \t]?\}[ \t]*$", re.MULTILINE | re.DOTALL)
_ACCOUNT = re.compile(r'(?P<before>\baccount_id\s*=\s*(?:get_env\(\s*"\w+"\s*,\s*)?")(?P<id>\d{12})(?P<after>")')


def with_remote_state(text: str) -> str:
    """The file with its `remote_state` block switched on, as it is once the state lies in the bucket.

    Raises:
        ConfigurationError: there is no such block, neither in use nor commented out.
    """
    if _ON.search(text):
        return text
    if not _OFF.search(text):
        raise ConfigurationError(
            f"{FILE} has no `remote_state` block, in use or commented out: write there where its state is to lie."
        )
    return _OFF.sub(lambda found: re.sub(r"^#[ \t]?", "", found[0], flags=re.MULTILINE), text, count=1)


def without_remote_state(text: str) -> str:
    """The file with the block commented out: its state is local, until there is a bucket."""
    return _ON.sub(lambda found: "\n".join(f"# {line}".rstrip() for line in found[0].splitlines()), text, count=1)


def with_account_id(text: str, account_id: str) -> str:
    """The guide's "Update account_id in terragrunt.hcl": the first id that stands there, also as a default.

    Raises:
        ConfigurationError: no account id of twelve digits stands there.
    """
    if not _ACCOUNT.search(text):
        raise ConfigurationError(f"{FILE} has no `account_id` of twelve digits that could be corrected.")
    return _ACCOUNT.sub(rf"\g<before>{account_id}\g<after>", text, count=1)


def edited(text: str, *, remote_state: bool, account_id: str | None) -> str:
    """The file as a step of the bootstrap needs it; `account_id` where it is to be corrected."""
    text = with_remote_state(text) if remote_state else without_remote_state(text)
    return text if account_id is None else with_account_id(text, account_id)
