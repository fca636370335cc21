"""No secret is left in what a redactor has been through, in any notation that tools use."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docustack.plan_document import Json
from docustack.redaction import Redactor
from docustack.sensitive import MASK

secrets = st.text(min_size=4, max_size=40).filter(
    lambda text: len(text.strip()) >= 4 and text.strip() not in MASK and text.strip() not in ("true", "false", "null")
)
# What stands around a secret must not be able to make it up anew together with the mask.
surroundings = st.text(alphabet="\n\t 0=:{}", max_size=40)


def rebuilt(secret: str, text: str) -> bool:
    """The mask itself, or what stands beside it, happens to spell the secret."""
    return secret.strip() in text.replace(MASK, "\x00")


@given(secret=secrets, before=surroundings, after=surroundings)
def test_a_secret_is_gone_wherever_it_stands(secret: str, before: str, after: str) -> None:
    assert not rebuilt(secret, Redactor([secret]).text(before + secret + after))


@given(secret=secrets)
@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps(json.dumps(text)[1:-1]),
        lambda text: json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        lambda text: json.dumps(text).replace("${", "$${").replace("%{", "%%{"),
        lambda text: base64.b64encode(text.encode("utf-8", "surrogatepass")).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode(),
        lambda text: quote(text.encode("utf-8", "surrogatepass"), safe=""),
    ],
    ids=["json", "json-unicode", "json-in-json", "go-json", "hcl", "base64", "base64-url", "address"],
)
def test_a_secret_is_gone_in_every_notation(secret: str, write: Callable[[str], str]) -> None:
    written = write(secret)
    redacted = Redactor([secret]).text(f"value = {written}\n")
    assert written.strip('"') not in redacted.replace(MASK, "\x00")


@given(lines=st.lists(st.text(alphabet="abcdefgh XYZ/+=", min_size=4, max_size=30), min_size=2, max_size=6))
def test_each_line_of_a_secret_is_gone_however_it_is_indented(lines: list[str]) -> None:
    shown = "\n".join(f"      + {line}" for line in lines)
    redacted = Redactor(["\n".join(lines)]).text(shown).replace(MASK, "\x00")
    for line in lines:
        if len(line.strip()) >= 4:
            assert line.strip() not in redacted


@given(secret=secrets)
def test_a_secret_is_gone_from_a_document_and_from_its_keys(secret: str) -> None:
    document: Json = {"a": [secret, {secret: f"in {secret}!"}], "n": 1, "b": True, "none": None}
    redacted = Redactor([secret]).document(document)
    assert isinstance(redacted, dict)
    assert redacted["n"] == 1
    assert not rebuilt(json.dumps(secret)[1:-1], json.dumps(redacted))


def test_of_overlapping_secrets_no_end_is_left() -> None:
    assert Redactor(["abcdef", "defghi"]).text("x abcdefghi y") == f"x {MASK} y"


def test_a_short_secret_is_masked_where_it_is_a_whole_value() -> None:
    redactor = Redactor(["1", "xy", 5432, 7])
    assert redactor.text("Plan: 1 to add, 7 to change") == "Plan: 1 to add, 7 to change"
    assert redactor.text('pin = "1"') == f'pin = "{MASK}"'
    assert redactor.text("+ port = 5432\n") == f"+ port = {MASK}\n"
    assert redactor.text("galaxy") == "galaxy"
    assert redactor.document({"port": 5432, "other": 54320}) == {"port": MASK, "other": 54320}


def test_paths_on_the_worker_are_told_from_the_repositorys_root_on() -> None:
    redactor = Redactor(folders=["/data/worktrees/d640", "/data/scratch"])
    for text, told in (
        ("no module in file:///data/worktrees/d640/modules/vpc here", "no module in modules/vpc here"),
        ('read "/data/worktrees/d640": denied', 'read ".": denied'),
        ("-out=/data/scratch/terragrunt-x/plan.bin", "-out=terragrunt-x/plan.bin"),
        ("/data/worktrees/d640b/x", "/data/worktrees/d640b/x"),
    ):
        assert redactor.text(text) == told


@pytest.mark.parametrize("number, written", [(4815162342, "4815162342"), (1234.5, "1234.5"), (1e22, "1" + "0" * 22)])
def test_a_long_number_is_masked_wherever_it_stands_by_itself(number: float, written: str) -> None:
    redactor = Redactor([number])
    assert redactor.text(f"cannot use {written} here, {written}.") == f"cannot use {MASK} here, {MASK}."
    for other in (f"{written}0", f"7{written}", f"{written}.25", f"3.{written}"):
        assert redactor.text(f"cannot use {other} here") == f"cannot use {other} here"


@given(
    words=st.lists(st.text(alphabet="abcdefghXYZ019$|.\\", min_size=2, max_size=12), min_size=2, max_size=8),
    gaps=st.lists(st.sampled_from([" ", "\n", "\n    ", "\n│ ", "\n  │   ", "  "]), min_size=7, max_size=7),
)
def test_a_secret_with_blanks_is_gone_however_its_line_is_wrapped(words: list[str], gaps: list[str]) -> None:
    secret = " ".join(words)
    written = words[0] + "".join(gap + word for gap, word in zip(gaps, words[1:], strict=False))
    redacted = Redactor([secret]).text(f'It says "{written}" here')
    assert redacted == f'It says "{MASK}" here'


def test_truth_values_and_nothing_are_no_secrets() -> None:
    redactor = Redactor(["true", "false", "null", "", "   "])
    assert redactor.text("enabled = true, null, false") == "enabled = true, null, false"


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
        "ghs_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
        "github_pat_" + "11ABCDEFG0abcdefghij_klmnop",
        "xoxb-" + "123456789012-abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "abcdefghijklmn.atlasv1." + "x" * 64,
        "hvs." + "CAESIJ1234567890abcdefgh",
        "https://hooks.slack.com/services/" + "T000/B000/XXXX",
        "npm_" + "a1B2" * 9,
        "sk-ant-api03-" + "aB3d" * 12,
        "sk-proj-" + "aB3d" * 12,
        "pypi-AgEIcHlwaS5vcmc" + "aB3d" * 12,
        "SG." + "a1" * 11 + "." + "b2" * 21,
        "dop_v1_" + "a1" * 32,
        "shpat_" + "a1" * 16,
        "rk_live_" + "a1B2" * 6,
        "ya29." + "a1B2" * 20,
        "glsa_" + "a1B2" * 8,
        "glrt-" + "a1B2" * 6,
    ],
)
def test_known_shapes_are_masked_though_nobody_marked_them(token: str) -> None:
    assert Redactor().text(f"got {token} back") == f"got {MASK} back"


def test_a_private_key_is_masked_whole_even_if_it_is_cut_off() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n"
    assert Redactor().text(f"a\n{key}-----END RSA PRIVATE KEY-----\nb") == f"a\n{MASK}\nb"
    assert "MIIEow" not in Redactor().text(f"a\n{key}")


@pytest.mark.parametrize(
    "text, redacted",
    [
        ("https://user:hunter2@example.com/x", f"https://user:{MASK}@example.com/x"),
        ("postgres://app:p%40ss@db:5432/app", f"postgres://app:{MASK}@db:5432/app"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MASK}"),
        ('aws_secret_access_key = "wJalrXUtnFEMI"', f'aws_secret_access_key = "{MASK}"'),
        ('{"db_password": "hunter2"}', f'{{"db_password": "{MASK}"}}'),
        ('{\\"password\\": \\"hunter2\\"}', f'{{\\"password\\": \\"{MASK}\\"}}'),
        ("run --password=hunter2 now", f"run --password={MASK} now"),
        ("run --password hunter2 now", f"run --password {MASK} now"),
        ("run --db-token hunter2 --now", f"run --db-token {MASK} --now"),
        ("PGPASSWORD=hunter2 psql", f"PGPASSWORD={MASK} psql"),
        ("password = hunter2", f"password = {MASK}"),
        ("db_password: hunter2", f"db_password: {MASK}"),
        ("aws_session_token = IQoJb3JpZ2luX2VjE/+=", f"aws_session_token = {MASK}"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7", f"AWS_SECRET_ACCESS_KEY={MASK}"),
        ('"SecretAccessKey": "wJalrXUtnFEMI/K7"', f'"SecretAccessKey": "{MASK}"'),
        ("x;AccountKey=A1b2A1b2==;y", f"x;AccountKey={MASK};y"),
        ("sent Bearer a1B2a1B2a1B2a1B2 along", f"sent Bearer {MASK} along"),
        ('{"SecretString":"hunter2000"}', f'{{"SecretString":"{MASK}"}}'),
        ('{"password":"a\\"b-rest"}', f'{{"password":"{MASK}"}}'),
        ('{\\"password\\":\\"a\\\\\\"b-rest\\"}', f'{{\\"password\\":\\"{MASK}\\"}}'),
        ('~ password = "old-one" -> "new-one"', f'~ password = "{MASK}" -> "{MASK}"'),
        ('secret = "hunter2"', f'secret = "{MASK}"'),
        ("Server=x;Password=hunter2;", f"Server=x;Password={MASK};"),
    ],
)
def test_a_value_whose_name_says_what_it_is_is_masked(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "+ password = (sensitive value)",
        "+ password_length = 16",
        "manage_master_user_password = true",
        "password_length = 12",
        "+ password      = (known after apply)",
        "  10: password = var.password",
        "password = random_password.db.result",
        "password = data.aws_secretsmanager_secret_version.db.secret_string",
        'password = "${var.password}"',
        "password = file(var.path)",
        "- password = null",
        "condition = var.password == null",
        "Error: invalid password: must be longer",
        'secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"',
        '+ creation_token = "efs-for-files"',
        '+ secret_name = "db/password"',
        "PGPASSWORD=$PASSWORD psql",
        "a bearer certificate-of-deposit",
        "--password-file /run/secret",
        'arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"',
        "https://registry.terraform.io/providers",
        'source = "git::https://github.com/o/r.git?ref=v1"',
        "Plan: 1 to add, 0 to change, 0 to destroy.",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor(["correct-horse"]).text(text) == text
