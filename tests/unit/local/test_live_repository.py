"""What becomes of a folder or a repository as the live repository, and what is read from its configuration."""

from pathlib import Path

import pytest

from local.live_repository import Facts, SeedError, git, identity, read_facts, seed
from local.places import EXAMPLE


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return tmp_path / "remotes" / "live.git"


def test_folder_becomes_one_commit_on_main_and_staging(source: Path, bare: Path) -> None:
    write(source, docustack_yaml="version: 1", dev__vpc="a")
    seed(source, bare)
    assert git(bare, "ls-tree", "-r", "--name-only", "main").splitlines() == ["dev/vpc", "docustack.yaml"]
    assert git(bare, "rev-parse", "main") == git(bare, "rev-parse", "staging")
    assert git(bare, "symbolic-ref", "HEAD") == "refs/heads/main"


def test_what_tools_left_in_a_folder_is_left_out(source: Path, bare: Path) -> None:
    (source / "unit" / ".terragrunt-cache").mkdir(parents=True)
    (source / "unit" / ".terragrunt-cache" / "x").write_text("x")
    (source / "unit" / "terraform.tfstate").write_text("{}")
    write(source, unit__a="a")
    seed(source, bare)
    assert git(bare, "ls-tree", "-r", "--name-only", "main") == "unit/a"


def test_head_of_a_repository_becomes_main_with_its_history(source: Path, bare: Path) -> None:
    git(source, "init", "-q", "-b", "trunk")
    first = commit(source, "first")
    git(source, "branch", "staging")
    second = commit(source, "second")
    write(source, not__committed="x")
    seed(source, bare)
    assert git(bare, "log", "--format=%H", "main").splitlines() == [second, first]
    assert git(bare, "rev-parse", "staging") == first
    assert git(bare, "branch", "--format=%(refname:short)").split() == ["main", "staging"]


def test_staging_is_branched_where_a_repository_lacks_it(source: Path, bare: Path) -> None:
    git(source, "init", "-q", "-b", "trunk")
    head = commit(source, "first")
    seed(source, bare)
    assert git(bare, "rev-parse", "staging") == head


def test_detached_head_becomes_main(source: Path, bare: Path) -> None:
    git(source, "init", "-q", "-b", "main")
    first = commit(source, "first")
    commit(source, "second")
    git(source, "checkout", "-q", "--detach", first)
    seed(source, bare)
    assert git(bare, "rev-parse", "main") == first


def test_shallow_clone_becomes_a_live_repository(source: Path, bare: Path, tmp_path: Path) -> None:
    git(source, "init", "-q", "-b", "main")
    commit(source, "first")
    head = commit(source, "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{source}", "shallow")
    seed(tmp_path / "shallow", bare)
    assert git(bare, "rev-parse", "main") == head


def test_repository_without_a_commit_is_refused(source: Path, bare: Path) -> None:
    git(source, "init", "-q")
    with pytest.raises(SeedError, match="without a commit"):
        seed(source, bare)


def test_missing_folder_is_refused(source: Path, bare: Path) -> None:
    with pytest.raises(SeedError, match="is no folder"):
        seed(source / "nowhere", bare)


def test_identity_changes_with_the_head_of_a_repository(source: Path) -> None:
    assert identity(source) == str(source)
    git(source, "init", "-q")
    assert identity(source) == str(source)
    commit(source, "first")
    before = identity(source)
    commit(source, "second")
    assert before != identity(source)


def facts_of(text: str, source: Path, bare: Path) -> Facts:
    write(source, docustack_yaml=text)
    seed(source, bare)
    return read_facts(bare)


def test_facts_of_the_example_are_the_defaults(bare: Path) -> None:
    seed(EXAMPLE, bare)
    facts = read_facts(bare)
    assert facts.problem == ""
    assert facts.model_copy(update={"environments": {}}) == Facts(environments={})
    assert facts.environments == Facts().environments
    assert "docustack-terraform-state-111111111111" in facts.buckets


def test_facts_are_read_each_by_itself(source: Path, bare: Path) -> None:
    text = "repository: acme/live\nenvironments:\n  one: {account_id: '1'}\n  two: {account_id: '1'}\nstate: 7\n"
    facts = facts_of(text, source, bare)
    assert (facts.owner, facts.name) == ("acme", "live")
    assert (facts.environments, facts.lock_table) == ({"one": "1", "two": "1"}, "docustack-terraform-locks")
    assert facts.buckets == ["docustack-terraform-state-1"]


@pytest.mark.parametrize("text", ["a: [", "", "- a\n", "\x00", "repository: live"])
def test_configuration_that_says_nothing_gives_defaults_and_the_reason(text: str, source: Path, bare: Path) -> None:
    facts = facts_of(text, source, bare)
    assert "docustack.yaml" in facts.problem
    assert facts.model_copy(update={"problem": ""}) == Facts()


def test_missing_configuration_gives_defaults_and_the_reason(source: Path, bare: Path) -> None:
    write(source, a="a")
    seed(source, bare)
    assert read_facts(bare) == Facts(problem="docustack.yaml is not on main")


def test_pattern_of_buckets_with_an_unknown_word_keeps_the_default(source: Path, bare: Path) -> None:
    text = "state: {bucket: 'b-{region}'}\nenvironments: {dev: {account_id: '1'}}\n"
    assert facts_of(text, source, bare).bucket == Facts().bucket
