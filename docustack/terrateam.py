"""What `.terrateam/config.yml` says that counts here: which changed files start a plan, and of which units."""

from pydantic import Field

from docustack.globs import matches
from docustack.model import Model

DIRECTORY_VARIABLE = "${DIR}"
CONFIGURATION_PATHS = (".terrateam/config.yml", ".terrateam/config.yaml")

_MOST_NAMED = 30


class WhenModified(Model):
    """The globs of the files that start a plan, relative to the repository's root; `!` excludes.

    None is Terrateam's "not given". Terrateam then takes `*.tf` and `*.tfvars` of the directory itself, which would
    miss nearly everything that a Terragrunt unit is made of; here it means every file that a unit is known to read.
    An empty list means that nothing starts a plan.
    """

    file_patterns: tuple[str, ...] | None = None


class Directory(Model):
    """An entry of `dirs`: what is different in the directories that its key, a path or a glob, names."""

    when_modified: WhenModified = WhenModified()


class TerrateamConfiguration(Model):
    """The part of Terrateam's configuration that DocuStack honours; `unsupported` are the other keys, dotted."""

    enabled: bool = True
    when_modified: WhenModified = WhenModified()
    dirs: dict[str, Directory] = Field(default_factory=dict)
    unsupported: tuple[str, ...] = ()

    def starts_plan(self, path: str, unit: str | None = None) -> bool:
        """Whether a changed file starts a plan of the unit that reads it (without a unit: of any unit at all)."""
        if not self.enabled:
            return False
        return _selects(self._patterns_for(unit), path, unit)

    def adds_unit(self, path: str, unit: str) -> bool:
        """Whether an entry of `dirs` ties a changed file to a unit which isn't otherwise known to read it.

        Only patterns that name a place do (`shared/*.tf`, `_templates/**/*.hcl`). One that begins with `**` says which
        kinds of files count, and would tie every unit of the directory to every such file of the repository.
        """
        entry = self._directory_of(unit)
        if not self.enabled or entry is None or entry.when_modified.file_patterns is None:
            return False
        patterns = entry.when_modified.file_patterns
        places = tuple(pattern for pattern in patterns if pattern.startswith("!") or not pattern.startswith("**"))
        return any(not pattern.startswith("!") for pattern in places) and _selects(places, path, unit)

    def warning(self) -> str | None:
        """One sentence that names every key which has no effect here."""
        if not self.unsupported:
            return None
        keys = ", ".join(f"`{key}`" for key in self.unsupported[:_MOST_NAMED])
        more = len(self.unsupported) - _MOST_NAMED
        return f"`{CONFIGURATION_PATHS[0]}`: these keys have no effect in DocuStack: {keys}" + (
            f" and {more} more." if more > 0 else "."
        )

    def _patterns_for(self, unit: str | None) -> tuple[str, ...] | None:
        entry = self._directory_of(unit) if unit is not None else None
        if entry is not None and entry.when_modified.file_patterns is not None:
            return entry.when_modified.file_patterns
        return self.when_modified.file_patterns

    def _directory_of(self, unit: str) -> Directory | None:
        """The entry with the longest key that matches: Terrateam's rule."""
        keys = [key for key in self.dirs if _names_unit(key, unit)]
        return self.dirs[max(keys, key=len)] if keys else None


def _names_unit(key: str, unit: str) -> bool:
    """A key names a directory, or a file in it (`**/terragrunt.hcl`), whose directory is then meant."""
    key = key.strip("/")
    return matches(key, unit) or matches(key, f"{unit}/terragrunt.hcl")


def _selects(patterns: tuple[str, ...] | None, path: str, unit: str | None) -> bool:
    """Terrateam's rule: some pattern matches and no exclusion does; exclusions alone leave all other files in."""
    if patterns is None:
        return True
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    excluded = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if not patterns or any(_pattern_matches(pattern, path, unit) for pattern in excluded):
        return False
    return not wanted or any(_pattern_matches(pattern, path, unit) for pattern in wanted)


def _pattern_matches(pattern: str, path: str, unit: str | None) -> bool:
    directory = unit if unit is not None else "**"
    return matches(pattern.replace(DIRECTORY_VARIABLE, directory).removeprefix("./"), path)
