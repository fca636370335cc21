"""Answers which of many paths lie below a folder or fit a pattern, without looking at each for each question."""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection
from functools import cached_property

from docustack.globs import matches

_ABOUT_THE_REPOSITORY = re.compile(r"(?:.*/)?(?:\.[^/]+/.*|\.[^/]+|[^/]*\.md|LICENSE[^/]*|CODEOWNERS|docustack\.ya?ml)")


class PathIndex:
    """A set of paths of files.

    Args:
        owner: the unit in whose folder a file lies, None for a file outside of all units.
        is_code: whether all that is read of a file is known from texts, so that it is never read by chance.
    """

    def __init__(
        self, paths: Collection[str], owner: Callable[[str], str | None], is_code: Callable[[str], bool]
    ) -> None:
        self._paths = sorted(paths)
        self._owner = owner
        self._is_code = is_code
        self._matching: dict[str, frozenset[str]] = {}
        self._data_under: dict[str, frozenset[str]] = {}

    def under(self, folder: str) -> list[str]:
        """The paths below a folder; the empty one is the root."""
        if folder == "":
            return self._paths
        first, last = (bisect_left(self._paths, f"{folder}{end}") for end in ("/", "0"))  # "0" follows "/"
        return self._paths[first:last]

    def matching(self, pattern: str) -> frozenset[str]:
        """What a path with unknown parts may mean."""
        if pattern not in self._matching:
            self._matching[pattern] = frozenset(
                path for path in self._paths if matches(pattern, path) and not _ABOUT_THE_REPOSITORY.fullmatch(path)
            )
        return self._matching[pattern]

    def data_under(self, folder: str, unit: str) -> frozenset[str]:
        """What a unit may read below a folder by a path of which nothing is known; never files of other units."""
        if folder not in self._data_under:
            self._data_under[folder] = frozenset(
                path for path in self.under(folder) if self._is_data(path) and self._owner(path) is None
            )
        own = self._data_of.get(unit, ())
        return self._data_under[folder].union(path for path in own if folder == "" or path.startswith(f"{folder}/"))

    @cached_property
    def _data_of(self) -> dict[str, list[str]]:
        owned: dict[str, list[str]] = {}
        for path in self._paths:
            if self._is_data(path) and (owner := self._owner(path)) is not None:
                owned.setdefault(owner, []).append(path)
        return owned

    def _is_data(self, path: str) -> bool:
        return not self._is_code(path) and not _ABOUT_THE_REPOSITORY.fullmatch(path)
