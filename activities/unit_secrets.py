"""Finds out which values of a unit are secret, before anything about it leaves the worker."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from activities.dependency_outputs import Rendered
from activities.unit_work import Unit
from docustack.module_secrets import ROOT, ModuleSource, constants, read_module, read_values, secrets_of_modules
from docustack.plan_document import Json
from docustack.redaction import Redactor
from docustack.sensitive import Secret, leaves, sensitive_values

_TELLING = re.compile(r"passw(?:or)?d|secret|token|private_?key|api_?key|credential", re.IGNORECASE)
_OWN_CREDENTIALS = re.compile(r"^(?:AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|TF_TOKEN_\w+)$")
_LEAST_CREDENTIAL = 16
"""Shorter ones are placeholders of a simulator, `test`, and ordinary words."""
_VAR = re.compile(r"--?var(?:=|$)")
_VAR_FILE = re.compile(r"--?var-file(?:=|$)")


def redactor_for(
    unit: Unit,
    rendered: Rendered,
    documents: Iterable[Json] = (),
    more: Iterable[Secret] = (),
    folders: Iterable[Path] = (),
) -> Redactor:
    """Knows what Terraform marks as sensitive in the documents (plan, state) and in the modules' sources.

    Blocking. `rendered` has the unit's inputs, as Terragrunt has evaluated them; `more` are secrets known otherwise;
    `folders` those of the worker that mean nothing elsewhere, beside the work tree.
    """
    secrets: set[Secret] = {*more}
    for document in documents:
        secrets |= sensitive_values(document)
    given = _given(unit, rendered)
    secrets |= telling(given)
    for folder in [*unit.prepared(), unit.folder]:
        secrets |= secrets_of_modules(_modules(folder), given)
    secrets |= {
        value
        for name, value in unit.environ.items()
        if _OWN_CREDENTIALS.match(name) and len(value) >= _LEAST_CREDENTIAL
    }
    private = {str(path) for folder in [unit.root, *folders] for path in (folder, folder.resolve())}
    return Redactor(secrets, private)


def telling(values: Mapping[str, Json]) -> set[Secret]:
    """Values under names that say what they are, such as `password`."""
    return {
        leaf
        for name, value in values.items()
        if _TELLING.search(name)
        for leaf in leaves(value)
        if isinstance(leaf, str)
    }


def _given(unit: Unit, rendered: Rendered) -> dict[str, Json]:
    """All that may be given to the root module's variables; of several values of one name all are meant."""
    found: dict[str, list[Json]] = {}
    for values in _all_values(unit, rendered):
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _all_values(unit: Unit, rendered: Rendered) -> Iterator[Mapping[str, Json]]:
    yield rendered.inputs
    arguments = [each for each in rendered.extra_arguments if isinstance(each, dict)]
    environs: list[Mapping[str, Json]] = [unit.environ]
    environs += [given for each in arguments if isinstance(given := each.get("env_vars"), dict)]
    for environ in environs:
        for name, text in environ.items():
            if name.startswith("TF_VAR_") and isinstance(text, str):
                yield {name[7:]: _of_text(text)}
    words = [_words(each, "arguments") for each in arguments]
    for assignment in (each for given in words for each in _options(given, _VAR)):
        name, _, text = assignment.partition("=")
        yield {name: _of_text(text)}
    files = {path for each in arguments for path in _words(each, "required_var_files", "optional_var_files")}
    files |= {path for given in words for path in _options(given, _VAR_FILE)}
    folders = [*unit.prepared(), unit.folder]
    paths = {path for folder in folders for pattern in ("*.tfvars", "*.tfvars.json") for path in folder.glob(pattern)}
    paths |= {folder / name for folder in folders for name in files}
    for path in sorted(paths):
        if path.is_file():
            yield read_values(_text(path), as_json=path.suffix == ".json")


def _of_text(text: str) -> Json:
    """A value as it stands in an environment variable or an argument: the text itself, and what it may say as HCL."""
    parsed = constants(text) if text.lstrip().startswith(("[", "{", '"')) else None
    return [text, parsed] if parsed else text


def _words(arguments: Mapping[str, Json], *names: str) -> list[str]:
    values = [arguments.get(name) for name in names]
    return [each for value in values if isinstance(value, list) for each in value if isinstance(each, str)]


def _options(words: list[str], option: re.Pattern[str]) -> Iterator[str]:
    """What is given to an option: `-var x=1`, `-var=x=1`."""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if found := option.match(word):
            yield word[found.end() :] if "=" in found[0] else following


def _modules(folder: Path) -> dict[str, ModuleSource]:
    """The module in a folder, and those that `terraform init` has found it to call, by their keys."""
    folders = {ROOT: folder}
    try:
        manifest: Json = json.loads((folder / ".terraform" / "modules" / "modules.json").read_text())
    except (OSError, ValueError):
        manifest = None
    entries = manifest.get("Modules") if isinstance(manifest, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("Key"):
            folders[str(entry["Key"])] = folder / str(entry.get("Dir", ""))
    return {key: read_module(_sources(each)) for key, each in folders.items()}


def _sources(folder: Path) -> dict[str, str]:
    patterns = ("*.tf", "*.tofu", "*.tf.json", "*.tofu.json")
    return {path.name: _text(path) for pattern in patterns for path in folder.glob(pattern) if path.is_file()}


def _text(path: Path) -> str:
    return path.read_text(errors="replace")
