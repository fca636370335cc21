"""What may be shown of an apply while it runs: Terraform's own lines about its progress, and nothing else.

Which values are secret is known for sure only once an apply has ended. Until then nothing is told of what providers,
provisioners and errors say; and of the lines that are told neither ids nor keys that the plan didn't show.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from docustack.secret_shapes import mask_shapes

_ADDRESS = r"(?P<address>[\w-]+(?:\.[\w-]+|\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\])+)"
_DOES = (
    r"(?P<does>(?:Creating|Modifying|Destroying|Reading|Opening|Closing|Importing|Refreshing state)\.\.\."
    r"|Provisioning with '[\w-]+'\.\.\."
    r"|Still (?:creating|modifying|destroying|reading|opening|closing)\.\.\. "
    r"\[(?:id=.*, )?(?P<elapsed>[\dhms]+) elapsed\]"
    r"|(?:Creation|Modifications|Destruction|Read|Opening|Closing|Import) complete(?: after [\dhms]+)?)"
)
_PROGRESS = re.compile(rf"^{_ADDRESS}(?P<deposed> \(deposed object [0-9a-f]+\))?: {_DOES}")
_ALONE = re.compile(r"^(?:Apply|Destroy) complete! Resources: [\d ,a-z]+\.")
_KEY = re.compile(r"\[\"(?:[^\"\\]|\\.)*\"\]")


def progress_lines(lines: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """The lines that tell how far Terraform is; `known` are the addresses that people could read in the plan."""
    for line in lines:
        if match := _PROGRESS.match(line):
            address = match["address"]
            if address not in known:
                address = _KEY.sub('["…"]', address)
            yield mask_shapes(f"{address}{match['deposed'] or ''}: {_told(match)}")
        elif match := _ALONE.match(line):
            yield match[0]


def _told(match: re.Match[str]) -> str:
    if match["elapsed"]:
        return f"{match['does'].partition('[')[0]}[{match['elapsed']} elapsed]"
    return match["does"]
