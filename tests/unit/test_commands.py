"""The grammar of comment commands."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from docustack.commands import Command, CommandKind, Misunderstood, normalize_directory, parse

BOT = "acme-infra[bot]"


def command(kind: str, *directories: str) -> Command:
    return Command(kind=CommandKind(kind), directories=directories)


@pytest.mark.parametrize(
    "body, expected",
    [
        ("terrateam plan", command("plan")),
        ("docustack plan", command("plan")),
        ("terrateam plan dev/us-east-1/vpc", command("plan", "dev/us-east-1/vpc")),
        ("terrateam apply", command("apply")),
        ("terrateam apply dev/us-east-1/new-service", command("apply", "dev/us-east-1/new-service")),
        ("terrateam unlock", command("unlock")),
        ("terrateam unlock dev/us-east-1/vpc", command("unlock", "dev/us-east-1/vpc")),
        ("terrateam help", command("help")),
        ("terrateam apply a", command("apply", "a")),
        ("terrateam help me", command("help")),
        ("terrateam --help", command("help")),
        ("terrateam", command("help")),
    ],
)
def test_the_guides_commands_are_understood(body: str, expected: Command) -> None:
    assert parse(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "Terrateam Plan dev/A",
        "TERRATEAM PLAN dev/A",
        "  terrateam \t plan \u00a0 dev/A  ",
        "\r\n\r\nterrateam plan dev/A\r\n",
        "`terrateam plan dev/A`",
        "` terrateam plan dev/A `",
        "```terrateam plan dev/A```",
        "terrateam plan `dev/A`",
        "terrateam plan ./dev/A/",
        "terrateam plan dev//A/terragrunt.hcl",
        "terrateam plan dir:dev/A",
        "terrateam plan dev/A.",
        "terrateam: plan dev/A",
        "\ufeffterrateam plan dev/A",
        "@terrateam plan dev/A",
        "@docustack plan dev/A",
        "@docustack[bot] plan dev/A",
        "@docustack, plan dev/A",
        "@acme-infra plan dev/A",
        "@acme-infra[bot] plan dev/A",
        "terraform plan dev/A",
        "tofu plan dev/A",
        "terrateam plan dev/A\nThanks to everybody who looked at it.",
        "terrateam plan dev/A\n\nterrateam plan dev/A",
        "terrateam plan dev/A <!-- from a template -->",
        "Looks good to me.\nterrateam plan dev/A",
        "> terrateam apply\n\nterrateam plan dev/A",
        "> shall we plan it?\nterrateam plan dev/A",
        "> shall we plan it?\n\n`terrateam plan dev/A`",
        "```\nterrateam apply\n```\nterrateam plan dev/A",
        "terrateam plan dev/A\n```\nterrateam apply\n```",
    ],
)
def test_one_command_has_many_ways_to_be_written(body: str) -> None:
    assert parse(body, bot_login=BOT) == command("plan", "dev/A")


@pytest.mark.parametrize(
    "arguments, directories",
    [
        ("dev/a prod/b", ("dev/a", "prod/b")),
        ("dev/a, prod/b", ("dev/a", "prod/b")),
        ("dev/a,prod/b", ("dev/a", "prod/b")),
        ("dev/* {dev,prod}/vpc", ("dev/*", "{dev,prod}/vpc")),
        ("dir:dev/a or dir:dev/b", ("dev/a", "dev/b")),
        ("dev/a ./dev/a/ dev/a", ("dev/a",)),
        ("dev", ("dev",)),
        (".", (".",)),
        ("dev/[ab]?", ("dev/[ab]?",)),
    ],
)
def test_directories_and_globs_are_told_apart(arguments: str, directories: tuple[str, ...]) -> None:
    assert parse(f"terrateam apply {arguments}") == command("apply", *directories)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "   \n\n",
        "Looks good to me.",
        "please terrateam plan",
        "terrateams plan",
        "terrateam-plan",
        "> terrateam apply",
        ">terrateam apply",
        "  > terrateam apply",
        "> > terrateam apply",
        "```\nterrateam apply\n```",
        "```sh\nterrateam apply",
        "~~~\nterrateam apply\n~~~",
        "````\n```\nterrateam apply\n```\n````",
        "- ```\n  terrateam apply\n  ```",
        "    terrateam apply",
        "\tterrateam apply",
        "<!-- terrateam apply -->",
        "<!--\nterrateam apply\n-->",
        "<pre>\nterrateam apply\n</pre>",
        "<code>terrateam apply</code>",
        "Comment `terrateam apply` to apply.",
        "You can comment:\n`terrateam apply`",
        "- terrateam apply",
        "terrateam apply is broken again",
        "terrateam plan looks good to me",
        "terrateam is nice",
        "terrateam apply failed again, please look",
        "terrateam applied this yesterday",
        "terrateam plans look good",
        "terateam is nice",
        "the team can apply",
        "terrateams apply",
        "terateam apply failed again, please look",
        "terraform aply",
        "tofu",
        "terraform init",
        "@somebody plan",
    ],
)
def test_what_is_no_command_starts_nothing_and_gets_no_reply(body: str) -> None:
    assert parse(body, bot_login=BOT) is None


@pytest.mark.parametrize(
    "body, nearest",
    [
        ("terrateam aply", "terrateam apply"),
        ("terrateam paln dev/a", "terrateam plan dev/a"),
        ("terrateam plna", "terrateam plan"),
        ("terrateam applly dev/a", "terrateam apply dev/a"),
        ("docustack unlok", "docustack unlock"),
        ("@docustack aply", "docustack apply"),
        ("terrateam apply.", "terrateam apply"),
        ("terrateam hlep", "terrateam help"),
        ("terrateam deploy dev/a", "terrateam apply dev/a"),
        ("@acme-infra aply", "terrateam apply"),
        ("terrateam apply please", "terrateam apply"),
        ("terrateam plan dev/a again, please", "terrateam plan dev/a"),
        ("LGTM\nterrateam aply", "terrateam apply"),
        ("terrateam appy prod", "terrateam apply prod"),
        ("terrateam applly everything", "terrateam apply"),
        ("terateam apply", "terrateam apply"),
        ("terrrateam plan dev/a", "terrateam plan dev/a"),
        ("terrateam apply, please", "terrateam apply"),
        ("terrateam apply dev/a # only this", "terrateam apply dev/a"),
        ("terrateam apply 👍", "terrateam apply"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_command(body: str, nearest: str) -> None:
    answer = parse(body, bot_login=BOT)
    assert isinstance(answer, Misunderstood)
    assert answer.nearest == nearest
    assert f"Did you mean `{nearest}`?" in answer.reply


@pytest.mark.parametrize(
    "body, reason",
    [
        ("terrateam apply-force", "approvals"),
        ("terrateam apply-autoapprove dev/a", "approvals"),
        ("terrateam gate approve token", "reviewing"),
        ("terrateam repo-config", "config check"),
        ("terrateam destroy dev/a", "`terrateam apply --destroy`"),
        ("terrateam plan tag:prod", "Tag queries"),
        ("terrateam plan (web or api) and prod", "Tag queries"),
        ("terrateam plan workspace:default", "Tag queries"),
        ("terrateam plan app in dir", "Tag queries"),
        ("terrateam plan dir:a and not dir:b", "Tag queries"),
        ("terrateam apply at 2026-01-01T00:00:00Z", "scheduled"),
        ("terrateam apply dev/a at 2026-01-01T00:00:00Z", "scheduled"),
        ("terrateam apply -target=aws_vpc.main", "no such option"),
        ("terrateam apply --auto-approve", "no such option"),
        ("terrateam frobnicate", "`terrateam help`"),
        ("terrateam apply && terrateam plan", "One command"),
        ("terrateam frobnicate dev/a", "`terrateam help`"),
    ],
)
def test_what_is_not_supported_is_said_to_be_so(body: str, reason: str) -> None:
    answer = parse(body)
    assert isinstance(answer, Misunderstood)
    assert reason in answer.reply
    assert "nothing was started" in answer.reply


def test_two_different_commands_start_nothing() -> None:
    answer = parse("terrateam plan\nterrateam apply")
    assert isinstance(answer, Misunderstood)
    assert "`terrateam plan`" in answer.reply
    assert "`terrateam apply`" in answer.reply


def test_a_typo_below_a_command_is_trailing_text() -> None:
    assert parse("terrateam plan\nterrateam aply") == command("plan")


def test_a_command_below_a_typo_is_not_run_before_the_typo_is_answered() -> None:
    assert isinstance(parse("terrateam plna dev/a\nterrateam apply"), Misunderstood)


def test_only_configured_prefixes_count() -> None:
    assert parse("infra plan", ["infra"]) == command("plan")
    assert parse("terrateam plan", ["infra"]) is None
    assert parse("terraform plan", ["infra"]) is None, "Terrateam's other words come with `terrateam` only"
    assert parse("terrateam plan", []) is None
    assert parse("in.fra plan", ["in.fra"]) == command("plan")
    assert parse("inxfra plan", ["in.fra"]) is None


def test_a_reply_shows_what_was_typed_without_pinging_anybody() -> None:
    answer = parse("terrateam @everyone`")
    assert isinstance(answer, Misunderstood)
    assert "`` @everyone` ``" in answer.reply


def test_a_command_can_be_written_out_again() -> None:
    assert parse(command("apply", "dev/a", "prod/*").written()) == command("apply", "dev/a", "prod/*")


def test_names_of_units_keep_their_case_and_lose_only_what_is_idle() -> None:
    assert normalize_directory("././Dev//VPC/") == "Dev/VPC"
    assert normalize_directory("/") == "."
    assert normalize_directory("./") == "."
    assert normalize_directory("../prod") == "../prod"


@pytest.mark.parametrize(
    "line, directories",
    [
        ('terrateam plan "dev/us-east-1/my unit"', ("dev/us-east-1/my unit",)),
        ("terrateam plan dev/a, 'dev/my unit' {dev, prod}/vpc", ("dev/a", "dev/my unit", "{dev, prod}/vpc")),
        ('terrateam plan "dev/**".', ("dev/**",)),
        ('terrateam plan "dev/a b', ("dev/a", "b")),
    ],
)
def test_a_directory_with_a_blank_stands_in_quotation_marks(line: str, directories: tuple[str, ...]) -> None:
    command = parse(line)
    assert isinstance(command, Command)
    assert command.directories == directories
    assert parse(command.written()) == command


# ---- properties ----------------------------------------------------------------------------------------------------

KINDS = st.sampled_from(["plan", "apply", "unlock", "help"])
PATHS = st.lists(
    st.one_of(
        st.from_regex(r"[a-z0-9]{2,8}/[a-z0-9-]{1,8}[a-z0-9]", fullmatch=True),
        st.from_regex(r'"[a-z0-9]{2,8}/[a-z0-9]{1,8} [a-z0-9]{1,8}"', fullmatch=True),
    ),
    max_size=3,
)
COMMANDS = st.builds(lambda kind, paths: " ".join(["terrateam", kind, *paths]), KINDS, PATHS)
PIECES = st.sampled_from(
    ["terrateam apply", "terrateam", " apply", "```", "~~~", "> ", "    ", "\t", "\n", "\n\n", "<!--", "-->", "<pre>",
     "</pre>", "`", "- ", "1. ", "text", " ", "@docustack", "\r\n", "dev/a"]
)  # fmt: skip
SOUP = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join))


@given(SOUP, st.lists(st.text(max_size=10), max_size=3), st.one_of(st.none(), st.text(max_size=10)))
@example("@", [], "@")
@example("@bot plan", [], "bot")
def test_no_text_makes_it_raise(body: str, prefixes: list[str], bot_login: str | None) -> None:
    parse(body, prefixes, bot_login)
    parse(body)


@given(COMMANDS, st.data())
def test_case_and_blanks_of_a_command_mean_nothing(line: str, data: st.DataObject) -> None:
    words = re.findall(r'"[^"]*"|\S+', line)
    words[:2] = [data.draw(st.sampled_from([word, word.upper(), word.title()])) for word in words[:2]]
    blanks = st.sampled_from([" ", "  ", "\t", " \u00a0"])
    written = "".join(word + data.draw(blanks) for word in words)
    assert parse(written) == parse(line)
    assert isinstance(parse(line), Command)


@given(COMMANDS, st.sampled_from(["> {}", "```\n{}\n```", "~~~sh\n{}\n~~~", "    {}", "<!-- {} -->", "`` x {} ``"]))
def test_a_command_in_a_quote_or_code_is_none(line: str, around: str) -> None:
    assert parse(around.format(line)) is None


@given(COMMANDS)
def test_what_was_understood_is_understood_the_same_again(line: str) -> None:
    understood = parse(line)
    assert isinstance(understood, Command)
    if understood.kind is not CommandKind.HELP:
        assert parse(understood.written()) == understood


def _code_and_quotes(tokens: list[Token]) -> set[int]:
    """The lines that a real markdown parser takes for code, hidden HTML, or a quote with its sign."""
    return {
        line for token in tokens if token.type in ("fence", "code_block") and token.map for line in range(*token.map)
    }


@given(st.lists(PIECES, max_size=25).map("".join))
def test_a_line_that_markdown_takes_for_code_is_never_a_command(soup: str) -> None:
    lines = soup.replace("\r\n", "\n").split("\n")
    code = _code_and_quotes(MarkdownIt("commonmark", {"html": False}).parse("\n".join(lines)))
    only_code = "\n".join(line if number in code else "" for number, line in enumerate(lines))
    if parse(soup) == command("apply"):
        outside = [line for number, line in enumerate(lines) if number not in code]
        seen = [re.sub(r"<pre>.*?</pre>|<!--.*?-->|</?pre>", "", line) for line in outside]
        assert any(re.match(r"\s*`*(terrateam|@docustack)", line) for line in seen), only_code


# ---- the one option ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body,directories",
    [
        ("terrateam apply --destroy", ()),
        ("terrateam apply dev/a --destroy", ("dev/a",)),
        ("terrateam apply --destroy dev/a, dev/b", ("dev/a", "dev/b")),
        ("docustack: APPLY --DESTROY.", ()),
    ],
)
def test_apply_with_destroy_is_told_apart_from_apply(body: str, directories: tuple[str, ...]) -> None:
    command = parse(body)
    assert command == Command(kind=CommandKind.APPLY, directories=directories, destroy=True)
    assert command.written() == " ".join(("terrateam apply --destroy", *directories))


@pytest.mark.parametrize(
    "body,nearest",
    [
        ("terrateam apply --destory", "terrateam apply --destroy"),
        ("terrateam apply -destroy dev/a", "terrateam apply --destroy dev/a"),
        ("terrateam apply \u2014destroy", "terrateam apply --destroy"),
        ("terrateam apply --destroyed", "terrateam apply --destroy"),
        ("terrateam plan --destroy", "terrateam apply --destroy"),
        ("terrateam unlock -destroy", "terrateam apply --destroy"),
    ],
)
def test_what_looks_like_the_option_starts_nothing_and_is_answered_with_it(body: str, nearest: str) -> None:
    answer = parse(body)
    assert isinstance(answer, Misunderstood)
    assert answer.nearest == nearest
    assert "nothing was started" in answer.reply
    assert "apply --destroy" in answer.reply


def test_a_sentence_about_the_option_is_no_command() -> None:
    assert parse("terrateam apply --destroy is dangerous, so please don't") is None


def test_two_applies_of_which_one_destroys_are_two_different_commands() -> None:
    answer = parse("terrateam apply\nterrateam apply --destroy")
    assert isinstance(answer, Misunderstood)


@pytest.mark.parametrize("body", ["docustack locks list", "terrateam locks", "terrateam locks show dev/a"])
def test_a_command_of_the_terminal_is_answered_with_what_to_type(body: str) -> None:
    answer = parse(body)
    assert isinstance(answer, Misunderstood)
    assert "in a terminal: `docustack locks list`" in answer.reply


def test_an_unknown_command_is_answered_with_all_that_there_are() -> None:
    answer = parse("terrateam lokks")
    assert isinstance(answer, Misunderstood)
    assert all(f"`{kind.value}`" in answer.reply for kind in CommandKind)
