"""`.terrateam/config.yml`: which changed files start a plan, by the rules of Terrateam's own reference."""

import pytest

from docustack.globs import is_glob, matches
from docustack.terrateam import TerrateamConfiguration
from docustack.terrateam_file import load_terrateam


def load(text: str) -> TerrateamConfiguration:
    configuration, problems = load_terrateam(text)
    assert not problems
    return configuration


@pytest.mark.parametrize(
    "pattern,path,expected",
    [
        ("**/*.tf", "main.tf", True),
        ("**/*.tf", "a/b/main.tf", True),
        ("*.tf", "a/main.tf", False),
        ("a/*/c.tf", "a/b/c.tf", True),
        ("a/*/c.tf", "a/b/b/c.tf", False),
        ("a/**", "a/b/c", True),
        ("a/**", "ab", False),
        ("a/**/c", "a/c", True),
        ("prod/**/ec2/**", "prod/ec2/us-east-1", True),
        ("a?.tf", "ab.tf", True),
        ("a?.tf", "a/.tf", False),
        ("*.{tf,tfvars}", "x.tfvars", True),
        ("*.{tf,tfvars}", "x.hcl", False),
        ("[a-c].tf", "b.tf", True),
        ("[!a-c].tf", "b.tf", False),
        ("[!a-c].tf", "/.tf", False),
        ("[z-a].tf", "[z-a].tf", True),
        ("a+(b).tf", "a+(b).tf", True),
        ("ünï/*.tf", "ünï/x y.tf", True),
    ],
)
def test_globs(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


def test_what_is_a_glob() -> None:
    assert is_glob("dev/*")
    assert not is_glob("dev/us-east-1")


def test_without_the_file_every_file_that_a_unit_reads_starts_a_plan() -> None:
    assert TerrateamConfiguration().starts_plan("configs/any.yaml", "dev/vpc")


def test_patterns_decide_and_exclusions_win() -> None:
    configuration = load("when_modified: {file_patterns: ['**/*.tf', '!modules/**', '**/*.hcl']}")
    assert configuration.starts_plan("dev/vpc/terragrunt.hcl", "dev/vpc")
    assert configuration.starts_plan("main.tf", "dev/vpc")
    assert not configuration.starts_plan("modules/vpc/main.tf", "dev/vpc")
    assert not configuration.starts_plan("dev/vpc/note.txt", "dev/vpc")


def test_exclusions_alone_leave_everything_else_in() -> None:
    configuration = load("when_modified: {file_patterns: ['!**/*.md']}")
    assert configuration.starts_plan("dev/vpc/main.tf", "dev/vpc")
    assert not configuration.starts_plan("dev/vpc/README.md", "dev/vpc")


def test_empty_list_starts_nothing() -> None:
    assert not load("when_modified: {file_patterns: []}").starts_plan("dev/vpc/main.tf", "dev/vpc")


def test_directory_variable_is_the_unit() -> None:
    configuration = load("when_modified: {file_patterns: ['${DIR}/*.hcl']}")
    assert configuration.starts_plan("dev/vpc/terragrunt.hcl", "dev/vpc")
    assert not configuration.starts_plan("dev/vpc/terragrunt.hcl", "dev/rds")
    assert configuration.starts_plan("dev/vpc/terragrunt.hcl")  # of some unit


def test_directory_entry_overrides_and_the_longest_key_wins() -> None:
    configuration = load(
        """
        when_modified: {file_patterns: ['**/*.hcl']}
        dirs:
          prod/**: {when_modified: {file_patterns: ['${DIR}/*.tf']}}
          prod/**/ec2/**: {when_modified: {file_patterns: []}}
          dev/vpc/: {when_modified: {file_patterns: ['${DIR}/*']}}
        """
    )
    assert configuration.starts_plan("x.hcl", "staging/vpc")
    assert not configuration.starts_plan("x.hcl", "prod/vpc")
    assert configuration.starts_plan("prod/vpc/main.tf", "prod/vpc")
    assert not configuration.starts_plan("prod/a/ec2/b/main.tf", "prod/a/ec2/b")
    assert configuration.starts_plan("dev/vpc/note.txt", "dev/vpc")


def test_directory_key_may_name_the_unit_file() -> None:
    configuration = load("""dirs: {"**/terragrunt.hcl": {when_modified: {file_patterns: ['_templates/**/*.hcl']}}}""")
    assert configuration.starts_plan("_templates/a/x.hcl", "dev/vpc")
    assert configuration.adds_unit("_templates/a/x.hcl", "dev/vpc")


def test_directory_entry_ties_a_unit_to_a_place_but_not_to_a_kind_of_file() -> None:
    configuration = load("""dirs: {ec2: {when_modified: {file_patterns: ["**/*.tf", "iam/*.tf", "!iam/x.tf"]}}}""")
    assert configuration.adds_unit("iam/main.tf", "ec2")
    assert not configuration.adds_unit("iam/x.tf", "ec2")
    assert not configuration.adds_unit("vpc/main.tf", "ec2")
    assert not configuration.adds_unit("iam/main.tf", "rds")


def test_disabled_starts_nothing() -> None:
    configuration = load("enabled: false")
    assert not configuration.enabled
    assert not configuration.starts_plan("dev/vpc/terragrunt.hcl", "dev/vpc")


def test_every_key_without_effect_is_named_in_one_warning() -> None:
    configuration = load(
        """
        version: "1"
        enabled: true
        when_modified: {file_patterns: ["**/*.tf"], autoplan: true, autoapply: true}
        dirs: {ec2: {tags: [a], workspaces: {default: {}}}, rds: }
        hooks: {all: {pre: []}}
        """
    )
    assert configuration.unsupported == ("dirs.ec2.tags", "dirs.ec2.workspaces", "hooks", "when_modified.autoapply")
    warning = configuration.warning()
    assert warning is not None
    assert "`dirs.ec2.tags`, `dirs.ec2.workspaces`, `hooks`, `when_modified.autoapply`." in warning


def test_switched_off_automatic_plan_is_named_since_it_has_no_effect() -> None:
    assert load("when_modified: {autoplan: false}").unsupported == ("when_modified.autoplan",)


def test_nothing_unsupported_is_no_warning() -> None:
    assert load("").warning() is None


@pytest.mark.parametrize(
    "text,line,what",
    [
        ("enabled: perhaps", 1, "must be `true` or `false`"),
        ("version: '1'\nwhen_modified:\n  file_patterns: '*.tf'", 3, "list of globs"),
        ("version: '1'\ndirs: [a]", 2, "mapping"),
        ("a: [", 1, "isn't valid YAML"),
        ("- a", 1, "mapping"),
    ],
)
def test_wrong_file_is_pointed_at(text: str, line: int, what: str) -> None:
    _, problems = load_terrateam(text)
    assert [problem.line for problem in problems] == [line]
    assert what in problems[0].what


@pytest.mark.parametrize(
    "text,told",
    [
        ("enabld: false", "config.yml:1:1: enabld: there is no such key; did you mean `enabled`?"),
        (
            "when_modified:\n  file_paterns: ['x']",
            "config.yml:2:3: when_modified.file_paterns: there is no such key; did you mean `file_patterns`?",
        ),
        (
            "dirs:\n  dev:\n    when_modifed: {}",
            "config.yml:3:5: dirs.dev.when_modifed: there is no such key; did you mean `when_modified`?",
        ),
        ("when_modified:\n  file_patterns:\n    - '${DIRR}/*'", "config.yml:3:7: when_modified.file_patterns[0]: "),
        ("when_modified:\n  file_patterns: ['a/*', '[abc']", "`[abc`: a `[` and `]` have no partner"),
    ],
)
def test_mistake_in_a_key_or_pattern_is_told_with_its_place_and_remedy(text: str, told: str) -> None:
    _, problems = load_terrateam(text)
    assert told in "\n".join(problem.describe() for problem in problems)


def test_keys_of_terrateams_own_are_no_mistakes() -> None:
    text = "drift: {enabled: true}\nworkflows: []\nindexer: {}\nwhen_modified: {autoapply: true, depends_on: x}"
    assert load_terrateam(text)[1] == []
