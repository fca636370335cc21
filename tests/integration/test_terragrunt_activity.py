"""Plans, applies and locks with the real Terragrunt and Terraform."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import CoverageRequest, PlanRequest, PlanShape
from docustack.errors import ErrorType
from docustack.import_block import FILE
from docustack.plans import OutputsKind, PlanRecord, PlanSummary, PlanVerdict, TypeCount, judge_plan
from tests.integration.units import MOCK, Worker, apply, depends_on, failure, new_worker, plan


@pytest.fixture
async def worker(tmp_path: Path) -> Worker:
    worker = await new_worker(tmp_path, {**os.environ, "DOCUSTACK_GITHUB_TOKEN": "planted-token"})
    worker.repository.unit("dev/a", 'inputs = { value = "real" }')
    worker.repository.unit("dev/b", depends_on("a", MOCK))
    worker.repository.unit("dev/c", depends_on("b"))
    return worker


async def outputs(worker: Worker, unit: str) -> dict[str, OutputsKind]:
    answer = await worker.run(worker.terragrunt.dependency_outputs, worker.unit_request(unit))
    return {each.unit: each.kind for each in answer.dependencies}


# ---- plans -------------------------------------------------------------------------------------------------------


async def test_a_plan_tells_what_it_would_do(worker: Worker) -> None:
    record = await plan(worker, "dev/a")
    assert record.summary == PlanSummary(add=1, outputs_changed=1)
    assert record.text_preview.startswith("Terraform will perform the following actions:")
    assert "# terraform_data.this will be created" in record.text_preview
    assert record.text_preview.endswith("+ value = (known after apply)")
    assert not record.is_preview
    assert (await worker.artifacts.get_text(record.text)) == record.text_preview
    assert json.loads(await worker.artifacts.get_text(record.json_document))["format_version"]
    assert not worker.repository.state_of("dev/a").exists()


async def test_two_plans_that_do_the_same_have_one_digest_and_two_places(worker: Worker) -> None:
    first, second = await plan(worker, "dev/a"), await plan(worker, "dev/a")
    assert first.digest == second.digest
    assert first.binary != second.binary
    worker.repository.unit("dev/a", 'inputs = { value = "other" }')
    assert (await plan(worker, "dev/a")).digest != first.digest


async def test_a_plan_of_nothing_is_empty(worker: Worker) -> None:
    await apply(worker, await plan(worker, "dev/a"))
    record = await plan(worker, "dev/a")
    assert record.summary.is_empty
    assert record.text_preview.startswith("No changes.")


async def test_a_plan_made_from_mocks_is_a_preview_until_the_dependency_is_applied(worker: Worker) -> None:
    preview = await plan(worker, "dev/b")
    assert preview.is_preview
    assert '"MOCK"' in preview.text_preview

    await apply(worker, await plan(worker, "dev/a"))
    present = await worker.run(worker.terragrunt.dependency_outputs, worker.unit_request("dev/b"))
    assert judge_plan(preview, present.dependencies) is PlanVerdict.PLAN_AGAIN

    record = await plan(worker, "dev/b")
    assert not record.is_preview
    assert '"real-a"' in record.text_preview
    assert judge_plan(record, present.dependencies) is PlanVerdict.APPLY
    coverage = await worker.run(worker.terragrunt.plan_coverage, CoverageRequest(approved=preview, new=record))
    assert coverage.covered


@pytest.mark.parametrize("source", [True, False])
async def test_a_file_that_was_generated_from_mocks_does_not_stay_for_the_plan_that_is_applied(
    worker: Worker, source: bool
) -> None:
    """Terragrunt leaves it as it is where the block says `skip`; a file of the author's own stays, too."""
    more = """
    generate "more" {
      path      = "more.tf"
      if_exists = "skip"
      contents  = "resource \\"terraform_data\\" \\"more\\" { input = \\"${dependency.a.outputs.value}\\" }"
    }
    generate "own" {
      path      = "own.tf"
      if_exists = "skip"
      contents  = "output \\"own\\" { value = \\"of Terragrunt\\" }"
    }
    """
    more += 'terraform { source = "../../module" }' if source else ""
    folder = worker.repository.unit("dev/b", depends_on("a", MOCK) + more)
    module = worker.repository.root / "module" if source else folder
    module.mkdir(exist_ok=True)
    (folder / "main.tf").rename(module / "main.tf")
    (module / "own.tf").write_text('output "own" { value = "of the author" }')
    preview = await plan(worker, "dev/b")
    assert preview.is_preview
    assert "MOCK" in preview.text_preview
    await apply(worker, await plan(worker, "dev/a"))
    record = await plan(worker, "dev/b")
    assert "MOCK" not in record.text_preview
    assert "of the author" in record.text_preview
    await apply(worker, record)
    assert "MOCK" not in worker.repository.state_of("dev/b").read_text()


async def test_where_nobody_wants_a_preview_a_unit_is_deferred_until_its_dependency_is_applied(worker: Worker) -> None:
    wanted = worker.plan_request("dev/b").model_copy(update={"previews": False})
    answer = await worker.run(worker.terragrunt.plan_unit, wanted)
    assert (answer.record, answer.waits_for) == (None, ("dev/a",))
    await apply(worker, await plan(worker, "dev/a"))
    record = (await worker.run(worker.terragrunt.plan_unit, wanted)).record
    assert record is not None
    assert not record.is_preview


async def test_a_unit_without_outputs_and_mocks_to_plan_from_is_deferred(worker: Worker) -> None:
    answer = await worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/c"))
    assert answer.record is None
    assert answer.waits_for == ("dev/b",)


async def test_mocks_that_plan_may_not_use_defer_the_unit(worker: Worker) -> None:
    mocks = 'mock_outputs = { value = "MOCK" }\n mock_outputs_allowed_terraform_commands = ["validate"]'
    worker.repository.unit("dev/b", depends_on("a", mocks))
    answer = await worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/b"))
    assert answer.waits_for == ("dev/a",)


async def test_no_mock_reaches_state_along_a_chain(worker: Worker) -> None:
    """Bare `run --all plan` and `apply` leave `MOCK-b` and `MOCK-c` in the states of these three units."""
    for unit in ("dev/a", "dev/b", "dev/c"):
        record = await plan(worker, unit)
        assert not record.is_preview
        text = await apply(worker, record)
        assert text.startswith("Apply complete! Resources: 1 added, 0 changed, 0 destroyed.")
    for state in worker.repository.state.iterdir():
        assert "MOCK" not in state.read_text()
    assert "real-a-b-c" in worker.repository.state_of("dev/c").read_text()


@pytest.mark.parametrize(
    "strategy, mocks, kind",
    [
        ("no_merge", '{ value = "MOCK", more = "MOCK" }', OutputsKind.REAL),
        ("shallow", '{ value = "MOCK", more = "MOCK" }', OutputsKind.MOCK),
        ("shallow", '{ value = "MOCK" }', OutputsKind.REAL),
        ("shallow", '{ nested = { missing = "MOCK" } }', OutputsKind.REAL),
        ("deep_map_only", '{ nested = { missing = "MOCK" } }', OutputsKind.MOCK),
        ("deep_map_only", '{ nested = { there = "MOCK" } }', OutputsKind.REAL),
    ],
)
async def test_a_mock_that_is_merged_into_real_outputs_counts(
    worker: Worker, strategy: str, mocks: str, kind: OutputsKind
) -> None:
    module = 'output "value" { value = "v" }\noutput "nested" { value = { there = "n" } }'
    worker.repository.unit("dev/a", module=module)
    await apply(worker, await plan(worker, "dev/a"))
    merging = f'mock_outputs = {mocks}\n mock_outputs_merge_strategy_with_state = "{strategy}"'
    worker.repository.unit("dev/b", depends_on("a", merging))
    assert await outputs(worker, "dev/b") == {"dev/a": kind}


async def test_a_dependency_whose_outputs_are_skipped_gives_nothing(worker: Worker) -> None:
    worker.repository.unit("dev/b", depends_on("a", "skip_outputs = true", value='"own"'))
    assert await outputs(worker, "dev/b") == {}
    assert not (await plan(worker, "dev/b")).is_preview


async def test_local_state_inside_the_work_tree_serves_dependants(worker: Worker) -> None:
    worker.repository.unit("dev/a", 'inputs = { value = "real" }', backend=False)
    worker.repository.unit("dev/b", depends_on("a", MOCK), backend=False)
    await apply(worker, await plan(worker, "dev/a"))
    assert await outputs(worker, "dev/b") == {"dev/a": OutputsKind.REAL}
    assert "real-a-b" in await apply(worker, await plan(worker, "dev/b"))


# ---- destruction ---------------------------------------------------------------------------------------------------


def destroying(worker: Worker, unit: str) -> PlanRequest:
    return worker.plan_request(unit).model_copy(update={"destroy": True})


async def destruction(worker: Worker, unit: str) -> PlanRecord:
    answer = await worker.run(worker.terragrunt.plan_unit, destroying(worker, unit))
    assert answer.record is not None
    return answer.record


async def test_a_destruction_is_planned_counted_and_applied_like_any_other_plan(worker: Worker) -> None:
    await apply(worker, await plan(worker, "dev/a"))
    record = await destruction(worker, "dev/a")
    assert record.destroy
    assert (record.summary.add, record.summary.destroy) == (0, 1)
    assert record.destroys == (TypeCount(type="terraform_data", count=1),)
    assert "# terraform_data.this will be destroyed" in record.text_preview
    assert record.digest != (await plan(worker, "dev/a")).digest
    text = await apply(worker, record)
    assert "Resources: 0 added, 0 changed, 1 destroyed." in text
    assert json.loads(worker.repository.state_of("dev/a").read_text())["resources"] == []
    assert (await destruction(worker, "dev/a")).summary.is_empty


async def test_no_secret_of_what_is_destroyed_leaves_the_worker(worker: Worker) -> None:
    module = """
variable "value" { type = string }
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "this" { input = { value = var.value, password = var.password } }
output "password" {
  value     = var.password
  sensitive = true
}
"""
    worker.repository.unit("dev/a", 'inputs = { value = "real", password = "correct-horse-battery" }', module)
    await apply(worker, await plan(worker, "dev/a"))
    record = await destruction(worker, "dev/a")
    texts = [record.text_preview, *[await worker.artifacts.get_text(ref) for ref in (record.json_document, record.log)]]
    assert all("correct-horse-battery" not in text for text in texts)
    assert "correct-horse-battery" not in await apply(worker, record)


async def test_a_unit_that_says_prevent_destroy_can_not_be_planned_for_destruction(worker: Worker) -> None:
    await apply(worker, await plan(worker, "dev/a"))
    worker.repository.unit("dev/a", 'prevent_destroy = true\ninputs = { value = "real" }')
    error = await failure(worker.run(worker.terragrunt.plan_unit, destroying(worker, "dev/a")))
    assert "prevent_destroy" in error.message
    assert error.non_retryable


async def test_a_destruction_that_fails_halfway_leaves_the_rest_which_is_planned_again(worker: Worker) -> None:
    stuck = worker.repository.root / "stuck"
    stuck.touch()
    module = f"""
variable "value" {{ type = string }}
resource "terraform_data" "this" {{
  provisioner "local-exec" {{
    when    = destroy
    command = "test ! -e {stuck}"
  }}
}}
resource "terraform_data" "first" {{ input = terraform_data.this.id }}
"""
    worker.repository.unit("dev/a", 'inputs = { value = "real" }', module)
    await apply(worker, await plan(worker, "dev/a"))
    record = await destruction(worker, "dev/a")
    assert record.summary.destroy == 2
    await failure(worker.run(worker.terragrunt.apply_unit, worker.apply_request(record)))
    left = await worker.run(worker.terragrunt.list_resources, destroying(worker, "dev/a"))
    assert left.addresses == ("terraform_data.this",)
    stuck.unlink()
    again = await destruction(worker, "dev/a")
    assert again.summary.destroy == 1
    coverage = await worker.run(worker.terragrunt.plan_coverage, CoverageRequest(approved=record, new=again))
    assert coverage.covered
    await apply(worker, again)


async def test_two_units_with_one_state_and_a_copied_state_are_known_by_place_and_lineage(worker: Worker) -> None:
    await apply(worker, await plan(worker, "dev/a"))
    same = worker.repository.unit("dev/same", 'inputs = { value = "real" }')
    same.joinpath("terragrunt.hcl").write_text((worker.repository.root / "dev/a/terragrunt.hcl").read_text())
    worker.repository.unit("dev/copy", 'inputs = { value = "real" }')
    worker.repository.state_of("dev/copy").write_bytes(worker.repository.state_of("dev/a").read_bytes())
    worker.repository.unit("dev/new", 'inputs = { value = "real" }')
    looks = {
        name: await worker.run(worker.terragrunt.list_resources, worker.unit_request(f"dev/{name}"))
        for name in ("a", "same", "copy", "new")
    }
    assert looks["a"].location == looks["same"].location == f"local:{worker.repository.state_of('dev/a')}"
    assert looks["a"].lineage == looks["same"].lineage == looks["copy"].lineage != ""
    assert looks["copy"].location != looks["a"].location
    assert (looks["new"].known, looks["new"].count, looks["new"].lineage) == (True, 0, "")


# ---- coverage ----------------------------------------------------------------------------------------------------

TWO = """
variable "value" { type = string }
resource "terraform_data" "one" { input = var.value }
resource "terraform_data" "two" { input = var.value }
"""
ONE = """
variable "value" { type = string }
resource "terraform_data" "one" { input = var.value }
"""


async def test_a_plan_that_does_more_is_not_covered(worker: Worker) -> None:
    hcl = 'inputs = { value = "v" }'
    worker.repository.unit("dev/a", hcl, module=ONE)
    approved = await plan(worker, "dev/a")
    worker.repository.unit("dev/a", hcl, module=TWO)
    new = await plan(worker, "dev/a")
    more = await worker.run(worker.terragrunt.plan_coverage, CoverageRequest(approved=approved, new=new))
    assert not more.covered
    assert {each.address for each in more.beyond} == {"terraform_data.two"}
    assert more.beyond_count == len(more.beyond)
    less = await worker.run(worker.terragrunt.plan_coverage, CoverageRequest(approved=new, new=approved))
    assert less.covered


async def test_a_plan_that_is_gone_covers_nothing(worker: Worker) -> None:
    record = await plan(worker, "dev/a")
    gone = record.model_copy(update={"digest": "sha256:0", "json_document": "runs/r0/dev/a/plan/plan.json"})
    request = CoverageRequest(approved=gone, new=record)
    error = await failure(worker.run(worker.terragrunt.plan_coverage, request))
    assert error.type == ErrorType.NOT_FOUND


# ---- failures ----------------------------------------------------------------------------------------------------


async def test_invalid_configuration_is_told_with_its_place(worker: Worker) -> None:
    worker.repository.unit("dev/a", module='resource "terraform_data" "this" {\n  nonsense = 1\n}\n')
    error = await failure(worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/a")))
    assert error.type == ErrorType.CONFIGURATION
    assert error.non_retryable
    assert "main.tf:2" in error.message
    assert "nonsense" in error.details[0].text
    assert "nonsense" in await worker.artifacts.get_text(error.details[0].log)


async def test_an_invalid_terragrunt_file_is_told_with_its_place(worker: Worker) -> None:
    (worker.repository.root / "dev/a/terragrunt.hcl").write_text("inputs = {\n  value = local.nothing\n}\n")
    error = await failure(worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/a")))
    assert error.type == ErrorType.CONFIGURATION
    assert "terragrunt.hcl" in error.message


async def test_a_folder_that_is_no_unit_is_not_found(worker: Worker) -> None:
    for unit in ("dev/nowhere", "../outside"):
        error = await failure(worker.run(worker.terragrunt.plan_unit, worker.plan_request(unit)))
        assert error.type == ErrorType.NOT_FOUND


async def test_a_failed_apply_is_told_with_what_was_done(worker: Worker) -> None:
    module = """
    resource "terraform_data" "first" {}
    resource "terraform_data" "second" {
      depends_on = [terraform_data.first]
      provisioner "local-exec" { command = "echo no such subnet >&2; exit 7" }
    }
    """
    worker.repository.unit("dev/a", module=module)
    record = await plan(worker, "dev/a")
    request = worker.apply_request(record)
    error = await failure(worker.run(worker.terragrunt.apply_unit, request))
    assert error.type == ErrorType.FAILED
    assert error.non_retryable
    assert "local-exec provisioner error" in error.message
    assert "no such subnet" in error.details[0].text
    assert "terraform_data.first: Creation complete" in await worker.artifacts.get_text(error.details[0].log)
    assert "first" in worker.repository.state_of("dev/a").read_text()


async def test_a_stale_plan_is_refused(worker: Worker) -> None:
    stale = await plan(worker, "dev/a")
    await apply(worker, await plan(worker, "dev/a"))
    request = worker.apply_request(stale)
    error = await failure(worker.run(worker.terragrunt.apply_unit, request))
    assert error.type == ErrorType.STALE_PLAN
    assert "terrateam plan" in error.message


async def test_one_plan_is_never_applied_by_two_activities(worker: Worker) -> None:
    record = await plan(worker, "dev/a")
    await apply(worker, record)
    serial = json.loads(worker.repository.state_of("dev/a").read_text())["serial"]
    error = await failure(apply(worker, record))
    assert error.type == ErrorType.STALE_PLAN
    assert json.loads(worker.repository.state_of("dev/a").read_text())["serial"] == serial


async def test_a_plan_that_takes_too_long_is_ended(worker: Worker) -> None:
    request = worker.plan_request("dev/a").model_copy(update={"timeout_minutes": 0})
    error = await failure(worker.run(worker.terragrunt.plan_unit, request))
    assert error.type == ErrorType.TIMEOUT


# ---- secrets -----------------------------------------------------------------------------------------------------

SECRET = 'tr0ub4dor&3 "horse"\nsecond-line-of-it'
SECRET_MODULE = """
variable "password" {
  type      = string
  sensitive = true
}
variable "fail" {
  type    = bool
  default = false
}
resource "terraform_data" "this" {
  input = { password = var.password, port = 5432 }
  provisioner "local-exec" {
    command = nonsensitive("printf '%s\\n' \\"$GIVEN\\" >&2")
    environment = { GIVEN = nonsensitive(var.password) }
  }
}
resource "terraform_data" "leak" {
  count      = var.fail ? 1 : 0
  depends_on = [terraform_data.this]
  lifecycle {
    precondition {
      condition     = terraform_data.this.id == ""
      error_message = "It is ${nonsensitive(var.password)} and ${base64encode(nonsensitive(var.password))}"
    }
  }
}
output "password" {
  value     = terraform_data.this.output.password
  sensitive = true
}
output "plain" { value = nonsensitive("seen ${var.password}") }
"""


def hcl_of(secret: str) -> str:
    return f"inputs = {{ password = {json.dumps(secret)} }}"


def written(worker: Worker) -> str:
    """Everything that has left the worker as an artifact, as text."""
    root = worker.data.parent / "artifacts"
    return "\n".join(path.read_bytes().decode(errors="replace") for path in root.rglob("*") if path.is_file())


def assert_hidden(text: str, *secrets: str) -> None:
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1], *secret.splitlines()):
            assert form not in text, form


async def test_a_secret_is_nowhere_outside_the_worker(worker: Worker) -> None:
    worker.repository.unit("dev/a", hcl_of(SECRET), module=SECRET_MODULE)
    record = await plan(worker, "dev/a")
    text = await apply(worker, record)
    assert "(sensitive value)" in record.text_preview
    assert "seen (sensitive value)" in text
    assert_hidden(record.model_dump_json() + text + written(worker), SECRET)
    # It was there to be found: in the state, and in what the provisioner wrote.
    assert json.dumps(SECRET)[1:-1].replace("&", "\\u0026") in worker.repository.state_of("dev/a").read_text()
    assert "second-line-of-it" in "".join(path.read_text() for path in worker.data.glob("applies/*/log"))


MARKED_MODULE = """
resource "terraform_data" "this" {
  input = sensitive(join("-", ["nobody", "names", "it"]))
  provisioner "local-exec" { command = "echo nobody-names-it" }
}
output "plain" { value = "seen ${nonsensitive(terraform_data.this.input)}" }
"""


@pytest.mark.parametrize("on_record", [True, False])
async def test_an_apply_hides_what_its_plan_marks_and_asks_terraform_only_where_that_is_not_on_record(
    worker: Worker, tmp_path: Path, on_record: bool
) -> None:
    called = counted(worker, tmp_path, "terraform")
    worker.repository.unit("dev/a", module=MARKED_MODULE)
    record = await plan(worker, "dev/a")
    (marked,) = (tmp_path / "artifacts").rglob("marked")
    if not on_record:
        marked.unlink()
    called.unlink()
    text = await apply(worker, record)
    assert "seen (sensitive value)" in text
    assert "nobody-names-it" not in text + written(worker)
    assert "nobody-names-it" in "".join(path.read_text() for path in worker.data.glob("applies/*/log"))
    assert ("show" in called.read_text().split()) is not on_record


SECRET_OUTPUT = """
variable "value" { type = string }
output "value" {
  value     = "${var.value}-secret-words"
  sensitive = true
}
"""
PASSED_ON = """
variable "value" { type = string }
resource "terraform_data" "this" {
  input = var.value
  provisioner "local-exec" { command = "echo ${var.value}" }
}
output "plain" { value = "seen ${var.value}" }
"""


def counted(worker: Worker, tmp_path: Path, tool: str) -> Path:
    """From now on the file has the first argument of each call of the tool."""
    called, script = tmp_path / f"{tool}-called", tmp_path / tool
    script.write_text(f'#!/bin/sh\necho "$1" >> "{called}"\nexec "{getattr(worker.command, tool)}" "$@"\n')
    script.chmod(0o755)
    replaced: dict[str, Any] = {tool: str(script)}
    worker.command = dataclasses.replace(worker.command, **replaced)
    return called


@pytest.mark.parametrize("known_by", ["its plan", "its judgement", "nobody"])
async def test_an_apply_looks_at_its_dependencies_once_and_hides_what_is_secret_of_them(
    worker: Worker, tmp_path: Path, known_by: str
) -> None:
    worker.repository.unit("dev/a", 'inputs = { value = "of-a" }', module=SECRET_OUTPUT)
    worker.repository.unit("dev/b", depends_on("a"), module=PASSED_ON)
    await apply(worker, await plan(worker, "dev/a"))
    called = counted(worker, tmp_path, "terragrunt")
    terragrunt = planned_by = worker.terragrunt
    if known_by != "its plan":
        planned_by = worker.terragrunt  # another one
    record = (await worker.run(planned_by.plan_unit, worker.plan_request("dev/b"))).record
    assert record is not None
    if known_by == "its judgement":
        await worker.run(terragrunt.dependency_outputs, worker.unit_request("dev/b"))
    called.unlink()
    text = (await worker.run(terragrunt.apply_unit, worker.apply_request(record))).text
    assert "seen (sensitive value)" in text
    assert "of-a-secret-words" not in text + written(worker)
    assert "of-a-secret-words" in "".join(path.read_text() for path in worker.data.glob("applies/*/log"))
    assert called.read_text().split().count("render") == (3 if known_by == "nobody" else 0)


@pytest.mark.parametrize("here", [True, False])
async def test_which_outputs_are_sensitive_is_told_by_the_plan_of_who_was_applied_here(
    worker: Worker, tmp_path: Path, here: bool
) -> None:
    module = f'{SECRET_OUTPUT}\noutput "open" {{ value = "open-words" }}'
    worker.repository.unit("dev/a", 'inputs = { value = "of-a" }', module=module)
    both = '"${dependency.a.outputs.open} ${dependency.a.outputs.value}"'
    worker.repository.unit("dev/b", depends_on("a", value=both), module=PASSED_ON)
    called = counted(worker, tmp_path, "terragrunt")
    terragrunt, record = worker.terragrunt, await plan(worker, "dev/a")
    await worker.run(terragrunt.apply_unit, worker.apply_request(record))
    called.unlink()
    planned_by = terragrunt if here else worker.terragrunt  # as of another process
    planned = (await worker.run(planned_by.plan_unit, worker.plan_request("dev/b"))).record
    assert planned is not None
    assert "open-words (sensitive value)" in planned.text_preview
    assert "of-a-secret-words" not in written(worker)
    assert called.read_text().split().count("output") == (0 if here else 1)


MADE_SECRET = """
resource "terraform_data" "made" { input = "of-nobody" }
resource "terraform_data" "this" {
  input = sensitive(terraform_data.made.id)
  provisioner "local-exec" { command = "echo it is ${nonsensitive(terraform_data.made.id)}" }
}
"""


@pytest.mark.parametrize("arguments, by_terragrunt", [("", 0), ('env_vars = { TF_WORKSPACE = "default" }', 1)])
async def test_a_secret_that_an_apply_has_made_is_read_from_the_state_that_the_unit_has(
    worker: Worker, tmp_path: Path, arguments: str, by_terragrunt: int
) -> None:
    extra = f'extra_arguments "more" {{\n commands = ["plan", "apply", "show"]\n {arguments}\n}}' if arguments else ""
    worker.repository.unit("dev/a", f"terraform {{\n{extra}\n}}\n", module=MADE_SECRET)
    called, record = counted(worker, tmp_path, "terragrunt"), await plan(worker, "dev/a")
    called.unlink()
    text = await apply(worker, record)
    state = json.loads(worker.repository.state_of("dev/a").read_text())
    made = next(each for each in state["resources"] if each["name"] == "made")["instances"][0]["attributes"]["id"]
    assert made not in written(worker) + text
    assert "it is (sensitive value)" in written(worker)
    assert called.read_text().split().count("show") == by_terragrunt


async def test_a_secret_is_nowhere_in_a_failure(worker: Worker) -> None:
    inputs = f"inputs = {{ password = {json.dumps(SECRET)}, fail = true }}"
    worker.repository.unit("dev/a", inputs, module=SECRET_MODULE)
    record = await plan(worker, "dev/a")
    request = worker.apply_request(record)
    error = await failure(worker.run(worker.terragrunt.apply_unit, request))
    assert "It is (sensitive value)" in error.details[0].text
    assert_hidden(error.message + error.details[0].model_dump_json() + written(worker), SECRET)


async def test_a_secret_is_nowhere_in_a_failed_plan(worker: Worker) -> None:
    module = """
    variable "password" {
      type      = string
      sensitive = true
    }
    resource "terraform_data" "this" {
      lifecycle {
        precondition {
          condition     = length(var.password) > 1000
          error_message = "Too short: ${nonsensitive(var.password)}"
        }
      }
    }
    """
    worker.repository.unit("dev/a", hcl_of(SECRET), module=module)
    error = await failure(worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/a")))
    assert "Too short: (sensitive value)" in error.details[0].text
    assert_hidden(error.message + error.details[0].model_dump_json() + written(worker), SECRET)


async def test_a_failure_tells_paths_from_the_root_of_the_repository_on(worker: Worker) -> None:
    root = worker.repository.root
    worker.repository.unit(
        "dev/a", 'terraform { source = "${get_repo_root()}/modules/missing" }'.replace("${get_repo_root()}", str(root))
    )
    error = await failure(worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/a")))
    told = error.message + error.details[0].text
    assert "modules/missing" in told
    assert str(root) not in told
    assert "file://" not in told
    assert str(root) not in written(worker)


FAILS = """
resource "terraform_data" "this" {
  lifecycle {
    precondition {
      condition     = "${var.value}" == "nothing else"
      error_message = "The database refused this login of the application: ${nonsensitive(var.value)} is not valid"
    }
  }
}
"""
SENSITIVE = 'variable "value" {\n  sensitive = true\n  DEFAULT\n}\n'
LOGIN = "correct horse battery staple violet"  # long enough to be wrapped in the message above
INPUT = f'inputs = {{ value = "{LOGIN}" }}'
VAR_FILE = """
terraform {
  extra_arguments "login" {
    commands           = ["plan"]
    required_var_files = ["${get_terragrunt_dir()}/../login.vars"]
    arguments          = ["-compact-warnings"]
  }
}
"""
ARGUMENT = f"""
terraform {{
  extra_arguments "login" {{
    commands  = ["plan"]
    arguments = ["-var", "value={LOGIN}"]
  }}
}}
"""
CALLS = 'variable "value" {}\nmodule "m" {\n  source = "./m"\n  value  = var.value\n}\n'
IN_JSON = json.dumps({"variable": {"value": {"sensitive": True}}})


@pytest.mark.parametrize(
    "hcl, module, beside",
    [
        (INPUT, SENSITIVE + FAILS, {}),
        (INPUT, FAILS, {"variables.tf.json": IN_JSON}),
        ("", SENSITIVE.replace("DEFAULT", f'default = "{LOGIN}"') + FAILS, {}),
        ("", SENSITIVE + FAILS, {"terraform.tfvars.json": json.dumps({"value": LOGIN})}),
        ("", SENSITIVE + FAILS, {"x.auto.tfvars": f'value = "{LOGIN}" # here'}),
        (VAR_FILE, SENSITIVE + FAILS, {"../login.vars": f'value = "{LOGIN}"'}),
        (ARGUMENT, SENSITIVE + FAILS, {}),
        (INPUT, CALLS, {"m/main.tf": SENSITIVE + FAILS}),
        (INPUT.replace(f'"{LOGIN}"', "4815162342"), SENSITIVE + FAILS, {}),
    ],
    ids=["input", "json-source", "default", "json-values", "values", "var-file", "argument", "called-module", "number"],
)
async def test_a_failed_plan_shows_no_secret_wherever_it_is_declared_and_given(
    worker: Worker, hcl: str, module: str, beside: dict[str, str]
) -> None:
    folder = worker.repository.unit("dev/a", hcl, module=module.replace("DEFAULT", ""))
    for name, text in beside.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace("DEFAULT", ""))
    error = await failure(worker.run(worker.terragrunt.plan_unit, worker.plan_request("dev/a")))
    assert "application: (sensitive value) is not valid" in " ".join(error.details[0].text.split())
    left = " ".join((error.message + error.details[0].text + written(worker)).split())
    for part in (LOGIN, "correct horse", "staple violet", "4815162342"):
        assert part not in left


async def test_a_sensitive_output_stays_hidden_where_a_dependant_uses_it_plainly(worker: Worker) -> None:
    """Terragrunt passes a dependency's outputs on without Terraform's mark."""
    worker.repository.unit("dev/a", hcl_of("correct-horse"), module=SECRET_MODULE)
    await apply(worker, await plan(worker, "dev/a"))
    worker.repository.unit("dev/b", depends_on("a", value="dependency.a.outputs.password"))
    record = await plan(worker, "dev/b")
    text = await apply(worker, record)
    assert "(sensitive value)" in record.text_preview
    assert_hidden(record.model_dump_json() + text + written(worker), "correct-horse")


async def test_children_get_credentials_of_the_cloud_and_none_of_ours(worker: Worker) -> None:
    module = """
    resource "terraform_data" "this" {
      provisioner "local-exec" { command = "env > ${path.module}/seen; cp ${path.module}/seen TARGET" }
    }
    """
    seen = worker.data / "seen"
    worker.repository.unit("dev/a", module=module.replace("TARGET", str(seen)))
    worker.environ |= {
        "AWS_SESSION_TOKEN": "cloud",
        "DOCUSTACK_SLACK_TOKEN": "planted-token",
        "GITHUB_TOKEN": "planted-token",
    }
    await apply(worker, await plan(worker, "dev/a"))
    assert "AWS_SESSION_TOKEN=cloud" in seen.read_text()
    assert "planted-token" not in seen.read_text()


# ---- command lines -----------------------------------------------------------------------------------------------


def test_older_versions_are_called_in_their_own_way() -> None:
    old = TerragruntCommand("terragrunt", "terraform", (0, 55, 0))
    new = TerragruntCommand("terragrunt", "terraform", (1, 1, 3))
    assert old.render(Path("out.json")) == ["terragrunt", "render-json", "--terragrunt-json-out", "out.json"]
    assert new.render(Path("out.json")) == ["terragrunt", "render", "--format", "json"]
    assert old.settings()["TERRAGRUNT_TFPATH"] == new.settings()["TG_TF_PATH"] == "terraform"
    assert not any(name.startswith("TG_") for name in old.settings())


# ---- plans of an order -----------------------------------------------------------------------------------------------

OF_TWO = """
variable "value" { type = string }
resource "terraform_data" "one" { input = var.value }
resource "terraform_data" "two" { input = var.value }
output "value" { value = var.value }
"""


async def shaped(worker: Worker, unit: str, **shape: Any) -> PlanRecord:
    request = worker.plan_request(unit).model_copy(update={"shape": PlanShape(**shape)})
    answer = await worker.run(worker.terragrunt.plan_unit, request)
    assert answer.record is not None
    return answer.record


async def test_targets_narrow_a_plan_and_say_so(worker: Worker) -> None:
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', OF_TWO)
    record = await shaped(worker, "dev/two", targets=("terraform_data.one",))
    assert record.summary.add == 1
    assert "Resource targeting is in effect" in await worker.artifacts.get_text(record.log)
    await apply(worker, record)
    assert [one["name"] for one in state(worker, "dev/two")["resources"]] == ["one"]


async def test_a_target_that_names_nothing_is_told_with_the_nearest(worker: Worker) -> None:
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', OF_TWO)
    error = await failure(shaped(worker, "dev/two", targets=("terraform_data.one", "terraform_data.tow")))
    assert error.type == ErrorType.INVALID_INPUT
    assert "`terraform_data.tow` is no resource or module of this unit. Did you mean `terraform_data.two`?" in str(
        error
    )


async def test_a_refresh_takes_what_is_there_into_the_state_and_changes_nothing_else(worker: Worker) -> None:
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', OF_TWO)
    await apply(worker, await plan(worker, "dev/two"))
    worker.repository.unit("dev/two", 'inputs = { value = "y" }', OF_TWO)
    record = await shaped(worker, "dev/two", refresh_only=True)
    assert record.summary == PlanSummary(outputs_changed=1)
    await apply(worker, record)
    after = state(worker, "dev/two")
    assert after["outputs"]["value"]["value"] == "y"
    assert {one["instances"][0]["attributes"]["input"]["value"] for one in after["resources"]} == {"x"}


async def test_an_import_is_planned_shown_and_applied_like_any_other_change(worker: Worker) -> None:
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', OF_TWO)
    record = await shaped(worker, "dev/two", address="terraform_data.one", resource_id='it "is" ${there}')
    assert record.summary.imported == 1
    assert not record.summary.is_empty
    assert "terraform_data.one will be" in record.text_preview
    await apply(worker, record)
    [one] = state(worker, "dev/two")["resources"]
    assert (one["name"], one["instances"][0]["attributes"]["id"]) == ("one", 'it "is" ${there}')


async def test_an_import_over_what_is_managed_already_is_refused_with_the_id_that_it_has(worker: Worker) -> None:
    """Terraform itself passes over the block in silence, and would apply whatever else has changed there."""
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', OF_TWO)
    await apply(worker, await plan(worker, "dev/two"))
    has = next(one for one in state(worker, "dev/two")["resources"] if one["name"] == "one")["instances"][0]
    worker.repository.unit("dev/two", 'inputs = { value = "drifted" }', OF_TWO)
    error = await failure(shaped(worker, "dev/two", address="terraform_data.one", resource_id="another"))
    assert (error.type, error.non_retryable) == (ErrorType.INVALID_INPUT, True)
    assert f"already, as `{has['attributes']['id']}`" in error.message
    assert "terragrunt state rm terraform_data.one" in error.message

    same = await shaped(worker, "dev/two", address="terraform_data.one", resource_id=has["attributes"]["id"])
    assert same.summary.imported == 0


async def test_an_import_that_would_create_what_it_depends_on_is_refused(worker: Worker) -> None:
    module = OF_TWO + 'resource "terraform_data" "user" { input = terraform_data.one.id }\n'
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', module)
    error = await failure(shaped(worker, "dev/two", address="terraform_data.user", resource_id="there"))
    assert error.type == ErrorType.INVALID_INPUT
    assert "would also create `terraform_data.one`, and an import does nothing else" in error.message


async def test_an_import_that_would_replace_what_it_takes_in_is_refused(worker: Worker) -> None:
    module = OF_TWO + 'resource "terraform_data" "other" { triggers_replace = "x" }\n'
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', module)
    error = await failure(shaped(worker, "dev/two", address="terraform_data.other", resource_id="there"))
    assert "`there` would be destroyed and created anew as `terraform_data.other`" in error.message
    assert "`triggers_replace`" in error.message


@pytest.mark.parametrize(
    "address, told",
    [
        ("terraform_data.tow", "Did you mean `terraform_data.two`"),
        (
            "terraform_data.a_database",
            "It has `module.inner.terraform_data.three`, `terraform_data.one`, `terraform_data.two`.",
        ),
        ("module.inner.terraform_data.thre", "Did you mean `module.inner.terraform_data.three`?"),
        ("module.innr.terraform_data.three", "Did you mean `module.inner.terraform_data.three`?"),
    ],
)
async def test_an_address_that_the_configuration_does_not_have_is_told_with_the_nearest(
    worker: Worker, address: str, told: str
) -> None:
    called = OF_TWO + 'module "inner" {\n  source = "./inner"\n}\n'
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', called)
    inner = worker.repository.root / "dev/two/inner"
    inner.mkdir()
    (inner / "main.tf").write_text('resource "terraform_data" "three" {}\n')
    error = await failure(shaped(worker, "dev/two", address=address, resource_id="x"))
    assert (error.type, error.non_retryable) == (ErrorType.INVALID_INPUT, True)
    assert f"`dev/two` has no resource `{address}`." in error.message
    assert told in error.message
    assert FILE not in error.message


async def test_a_key_that_the_resource_does_not_have_is_told(worker: Worker) -> None:
    worker.repository.unit("dev/two", 'inputs = { value = "x" }', OF_TWO)
    error = await failure(shaped(worker, "dev/two", address="terraform_data.one[0]", resource_id="x"))
    assert "`dev/two` has a resource `terraform_data.one`, but none at `terraform_data.one[0]`" in error.message
    assert FILE not in error.message


async def test_an_address_that_is_none_reaches_no_file(worker: Worker) -> None:
    error = await failure(shaped(worker, "dev/a", address='x.y\n}\nresource "a" "b" {', resource_id="z"))
    assert error.type == ErrorType.INVALID_INPUT
    assert not (worker.repository.root / "dev/a" / FILE).exists()


def state(worker: Worker, unit: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(worker.repository.state_of(unit).read_text())
    return found
