"""Which values Terraform would mark as sensitive, told by the sources of modules and by what they are given."""

import json

import pytest

from docustack.module_secrets import ModuleSource, constants, read_module, read_values, secrets_of_modules
from docustack.plan_document import Json
from docustack.sensitive import Secret

VARIABLE = 'variable "value" {\n  type      = string\n  sensitive = true\n}\n'


def found(root: str, given: dict[str, Json] | None = None, **called: str) -> set[Secret]:
    """`called` are the modules by the names of their calls; `_` stands for the dot of a key."""
    modules = {"": read_module({"main.tf": root})}
    modules |= {name.replace("_", "."): read_module({"main.tf": text}) for name, text in called.items()}
    return secrets_of_modules(modules, given or {})


def test_sensitive_variables_are_told_from_others() -> None:
    source = """
    variable "password" {
      type      = string
      sensitive = true # really
    }
    variable "name" { type = string }
    variable "token" { sensitive = true }
    # variable "commented" { sensitive = true }
    variable "object" {
      type = object({ sensitive = bool })
      validation {
        condition     = true
        error_message = "sensitive = true"
      }
      description = <<-TEXT
        variable "inner" {
          sensitive = true
        }
      TEXT
    }
    variable "last" {
      description = "a } brace and ${"a \\" quote"}"
      sensitive   = true
    }
    """
    assert read_module({"main.tf": source}).sensitive == {"password", "token", "last"}


def test_a_json_source_and_an_override_count_too() -> None:
    document = {"variable": {"value": {"type": "string", "sensitive": True, "default": "from-json-${x}"}}}
    module = read_module({"variables.tf.json": json.dumps(document)})
    assert secrets_of_modules({"": module}, {}) == {"from-json-${x}"}
    files = {"main.tf": 'variable "value" { default = "kept" }', "main_override.tf": VARIABLE}
    assert secrets_of_modules({"": read_module(files)}, {}) == {"kept"}
    assert read_module({"broken.tf.json": "{", "odd.tf.json": '[{"variable": 1}]'}) == ModuleSource()


def test_a_given_value_is_the_secret_else_the_default() -> None:
    source = 'variable "value" {\n  sensitive = true\n  default   = "the-default"\n}'
    assert found(source, {"value": "the-given"}) == {"the-given"}
    assert found(source) == {"the-default"}


@pytest.mark.parametrize(
    "default, secrets",
    [
        ('"a \\" b"', {'a " b'}),
        ("4815162342", {4815162342}),
        ("1.5", {1.5}),
        ('["one", "two"]', {"one", "two"}),
        ('{ name = "one", "other" = "two", third = { fourth = 7 } }', {"one", "two", 7}),
        ("<<-EOT\n    in a heredoc\n    of two lines\n  EOT", {"    in a heredoc\n    of two lines\n"}),
        ("null", set()),
    ],
)
def test_every_kind_of_default_is_read(default: str, secrets: set[Secret]) -> None:
    assert found(f'variable "v" {{\n  sensitive = true\n  default = {default}\n}}\n') == secrets


PASSED = [
    ("var.value", {"s3cret"}),
    ("local.inner", {"s3cret"}),
    ('"pre-${var.value}"', {"pre-s3cret"}),
    ('"${var.value}-${data.x.y}"', {"s3cret"}),
    ("var.object.password", {"in-object"}),
    ('var.object["password"]', {"in-object"}),
    ("nonsensitive(var.value)", {"s3cret"}),
    ('lookup(var.map, "key")', {"in-map"}),
    ('"a literal"', {"a literal"}),
    ('{ password = var.value, other = "a literal" }', {"s3cret", "a literal"}),
]


@pytest.mark.parametrize("expression, secrets", PASSED)
def test_what_a_sensitive_variable_of_a_called_module_gets_is_secret(expression: str, secrets: set[Secret]) -> None:
    root = f"""
    locals {{ inner = var.value }}
    module "m" {{
      source = "./m"
      pw     = {expression} # here
      name   = "not-a-secret"
    }}
    """
    given: dict[str, Json] = {
        "value": "s3cret",
        "object": {"password": "in-object", "user": "anna"},
        "map": {"key": "in-map"},
    }
    assert found(root, given, m='variable "pw" { sensitive = true }\nvariable "name" {}') == secrets


def test_a_secret_is_followed_through_modules_of_modules() -> None:
    root = 'module "m" {\n  source = "./m"\n  for_each = var.users\n  pw = each.value\n}'
    middle = 'variable "pw" {}\nmodule "n" {\n  source = "./n"\n  inner = var.pw\n}'
    inner = 'variable "inner" { sensitive = true }'
    assert found(root, {"users": {"anna": "s3cret"}, "other": "seen"}, m=middle, m_n=inner) == {"s3cret"}


def test_what_is_marked_in_an_expression_is_secret() -> None:
    assert found('locals { a = sensitive("in-call") }') == {"in-call"}
    assert found('output "o" {\n  sensitive = true\n  value = "in-output"\n}') == {"in-output"}
    assert found('resource "x" "y" {\n  z = sensitive(var.v)\n}', {"v": "s3cret"}) == {"s3cret"}


def test_locals_that_name_each_other_end() -> None:
    assert found("locals {\n  a = local.b\n  b = local.a\n  c = sensitive(local.a)\n}") == set()


def test_files_of_values_are_read_in_both_notations() -> None:
    text = '# a = "no"\nvalue = "one" # two\nnumber = 3\nlist = [\n  "four",\n  "five",\n]\n'
    assert read_values(text) == {"value": "one", "number": 3, "list": ["four", "five"]}
    assert read_values('{"value": {"a": "one"}}', as_json=True) == {"value": {"a": "one"}}
    assert read_values("{", as_json=True) == {}


@pytest.mark.parametrize("broken", ['"', "<<EOT\nx", "{", '"${', "[1, ", "", "}}}", "a = = b", 'x "${"${"${"'])
def test_what_is_broken_breaks_nothing(broken: str) -> None:
    constants(broken)
    read_values(broken)
    found(f'variable "v" {{\n  sensitive = true\n  default = {broken}\n')
