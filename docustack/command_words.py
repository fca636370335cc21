"""The words of comment commands: near misses, commands of others, and what gives a sentence away."""

import re
from collections.abc import Sequence

ACTIONS = ("plan", "apply", "unlock", "dismiss", "help")

DESTROY_OPTION = "--destroy"
"""The one option there is: `apply --destroy` destroys the units that the pull request deletes, too."""

_LONG_DASHES = ("\u2013", "\u2014")

_SYNONYMS = {
    "preview": "plan",
    "replan": "plan",
    "re-plan": "plan",
    "diff": "plan",
    "deploy": "apply",
    "ship": "apply",
    "force-unlock": "unlock",
    "release": "unlock",
    "commands": "help",
    "usage": "help",
}

_ONE_AT_A_TIME = "An apply always asks for the approvals that the environment wants; nothing goes around them."

UNSUPPORTED = {
    "apply-force": _ONE_AT_A_TIME,
    "apply-autoapprove": _ONE_AT_A_TIME,
    "apply-cancel": "Nothing is scheduled, so there is nothing to cancel.",
    "gate": "Approve by reviewing the pull request on GitHub.",
    "approve": "Approve by reviewing the pull request on GitHub.",
    "repo-config": "`docustack config check` shows the configuration of the repository.",
    "index": "Units are found anew for every commit; there is no index to build.",
    "feedback": "Tell the people who run DocuStack for you.",
    "tag": "Name directories instead.",
    "destroy": (
        "Delete the unit's folder in a pull request: its destruction is planned there, and `terrateam apply --destroy` "
        "carries it out."
    ),
    "import": "It is done by hand, in the unit's directory: `terragrunt import ADDRESS ID`.",
    "refresh": "A plan reads the real state of everything: comment `plan` instead.",
    "init": "It is done for you before every plan.",
    "validate": "It is done for you with every plan.",
    "state": "State is changed by hand, in the unit's directory: `terragrunt state`.",
    "fmt": "Run it on your machine, and push.",
    "version": "`docustack tools check` shows the versions in use.",
    "locks": (
        "Who holds which unit is shown in a terminal: `docustack locks list`. A comment can give up what this pull "
        "request holds: `unlock`."
    ),
}
"""Commands that Terrateam, Atlantis or Terraform have and this engine doesn't, with what to do instead."""

_SENTENCE = """
a about after again ago all already also always am an and any anyone are as be because been before broken but by
can cannot can't could did didn't do does doesn't done don't everything fail failed failing fails finally fine for
from good got had has have he here how however i if in into is isn't it it's its just last like look looked looks me
might must my need needs never no not now of on once one only our ours out over please really seems she should
shouldn't so soon some something still than thanks thank that that's the their them then there these they think this
those to today tomorrow too until us very wants was wasn't we went were what when where which while who why will
won't work worked works would yes yesterday yet you your
"""
_SENTENCE_WORDS = frozenset(_SENTENCE.split())


FILLERS = frozenset({"again", "all", "everything", "now", "please", "pls", "plz", "thanks"})
"""Words that people put behind a command to be polite or clear: a command was meant, so they get an answer."""


_ALONE = frozenset({"a", "an", "the", "me"})


def split_fillers(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What may be directories, and what is surely none: polite words, signs, emoji, and all behind a `#`."""
    comment = next((index for index, word in enumerate(words) if word.startswith("#")), len(words))
    fillers = [word for word in words[:comment] if word.lower() in FILLERS or not re.search(r"[\w*./]", word)]
    return [word for word in words[:comment] if word not in fillers], [*fillers, *words[comment:]]


def misspelt_prefix(word: str, prefixes: Sequence[str]) -> str | None:
    """The long name that a word is one or two slips away from; its plural is another word."""
    lowered = word.lower().rstrip(":,")
    for prefix in prefixes:
        known = prefix.lower()
        if len(known) > 6 and lowered not in (known, f"{known}s") and lowered.isalpha() and _slips(lowered, known) <= 2:
            return known
    return None


def is_prose(words: Sequence[str]) -> bool:
    """Whether words are a sentence rather than directories; none is an article alone, but a unit may be `a`."""
    if len(words) == 1 and words[0] in _ALONE:
        return False
    return any(word.lower().strip(".,;:!?\"'()") in _SENTENCE_WORDS for word in words)


def looks_like_directory(word: str) -> bool:
    return "/" in word or "*" in word or word.startswith("dir:")


def nearest_action(word: str) -> str | None:
    """The action that a misspelt word was meant to be: a synonym, or one or two slips of the keyboard away."""
    lowered = word.strip(".,;:!?\"'`")
    if lowered in _SYNONYMS:
        return _SYNONYMS[lowered]
    allowed = 1 if len(lowered) <= 4 else 2
    distances = sorted((_slips(lowered, action), action) for action in ACTIONS)
    return distances[0][1] if lowered and distances[0][0] <= allowed else None


def is_option(word: str) -> bool:
    """Does it look like an option of a command line? Phones and editors make one long dash of two."""
    return word.startswith("-") or (word.startswith(_LONG_DASHES) and is_misspelt_destroy(word))


def is_misspelt_destroy(option: str) -> bool:
    """Was `--destroy` meant: with other dashes, as Terraform writes it, or a slip or two away?"""
    word = option.lower().lstrip("".join(("-", *_LONG_DASHES))).strip(".,;:!?\"'`")
    return _slips(word, DESTROY_OPTION.lstrip("-")) <= 2


def _slips(one: str, other: str) -> int:
    """Letters missing, added, wrong or swapped between two words; words far apart in length are told without work."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        older, before, row = before, row, [i]
        for j, right in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
