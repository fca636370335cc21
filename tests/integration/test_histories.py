"""`docustack history`: out of one Temporal, verified, and into the record of an installation that has another."""

import json
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from starter.history.manifest import digest, file_of
from tests.dev_server import address, dev_server
from tests.integration.terminal import Answer, Commands
from tests.integration.test_cli_commands import (
    VPC,
    client,
    elsewhere,
    let_go,
    opened,
    server,
    stage,
)
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit
from worker.wiring import WORKFLOWS, workflow_runner

__all__ = ["client", "elsewhere", "server", "stage"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def another() -> AsyncIterator[str]:
    """The Temporal of the installation that comes later: nothing ever ran there."""
    async with dev_server() as environment:
        yield address(environment)


@pytest.fixture
def later(another: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Later":
    return Later(another, tmp_path, monkeypatch)


class Later:
    """Goes over to the installation that comes later."""

    def __init__(self, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._address = address
        self._monkeypatch = monkeypatch
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir()

    def begin(self) -> None:
        self._monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", self._address)
        self._monkeypatch.setenv("DOCUSTACK_ARTIFACTS", str(self.artifacts))


async def exported(stage: Stage, docustack: Commands, folder: Path) -> str:
    """A pull request that was planned and closed, as files; gives the id of its run."""
    run_id = await opened(stage, {VPC: Unit()})
    await stage.close(merged=False)
    await stage.handle().result()
    number = f"pr:{stage.repository.full_name}#1"
    await docustack.until(is_over, "history", "export", run_id, number, "-o", str(folder), "--json")
    return run_id


def is_over(answer: Answer) -> bool:
    """Temporal's index follows what has ended by some milliseconds."""
    folder = Path(answer.json["folder"]) if answer.code == 0 else None
    return folder is not None and all(entry["status"] == "COMPLETED" for entry in manifest(folder)["histories"])


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def damage(files: Iterable[str]) -> None:
    for file in files:
        Path(file).write_text("damaged")


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


async def test_an_exported_history_replays_and_the_manifest_says_what_it_is(
    stage: Stage, docustack: Commands, tmp_path: Path
) -> None:
    run_id = await exported(stage, docustack, tmp_path / "out")
    entries = manifest(tmp_path / "out")["histories"]
    assert [entry["workflow_type"] for entry in entries] == ["PullRequestWorkflow", "RunWorkflow"]
    run = entries[1]
    assert (run["workflow_id"], run["status"]) == (f"run:{run_id}", "COMPLETED")
    assert run["search_attributes"]["DocustackUnits"] == [VPC]
    assert run["started_at"] < run["closed_at"]
    replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter, workflow_runner=workflow_runner())
    for entry in entries:
        text = (tmp_path / "out" / entry["file"]).read_text()
        assert len(json.loads(text)["events"]) == entry["events"]
        await replayer.replay_workflow(WorkflowHistory.from_json(entry["workflow_id"], text))


async def test_exported_again_only_what_has_gone_on_is_written(
    stage: Stage, docustack: Commands, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    export = ("history", "export", run_id, "-o", str(out), "--json")
    answer = await docustack.until(lambda answer: answer.code == 0, *export)
    assert answer.json == {"folder": str(out), "new": 1, "changed": 0, "unchanged": 0}
    assert manifest(out)["histories"][0]["status"] == "RUNNING"

    let_go(stage)
    await stage.until_ended(1)
    await docustack.until(is_over, *export)
    before = contents(out)
    answer = await docustack(*export)
    assert answer.json == {"folder": str(out), "new": 0, "changed": 0, "unchanged": 1}
    histories = {path: kept for path, kept in before.items() if "manifest" not in path}
    assert histories.items() <= contents(out).items()

    damage(histories)
    assert (await docustack(*export)).json == {"folder": str(out), "new": 0, "changed": 1, "unchanged": 0}
    assert {path: kept[0] for path, kept in contents(out).items()} == {path: kept[0] for path, kept in before.items()}


async def test_imported_runs_are_listed_and_shown_where_another_temporal_is(
    stage: Stage, docustack: Commands, tmp_path: Path, later: Later
) -> None:
    run_id = await exported(stage, docustack, tmp_path / "out")
    mine = await docustack("runs", "show", run_id, "--json")
    later.begin()
    assert (await docustack("runs", "list", "--json")).json == {"runs": []}
    answer = await docustack("history", "import", str(tmp_path / "out"))
    assert "2 histories imported, 0 were there already" in answer.out

    [line] = (await docustack("runs", "list", "--json")).json["runs"]
    assert (line["run_id"], line["operation"], line["status"], line["imported"]) == (run_id, "plan", "succeeded", True)
    assert (await docustack("runs", "list", "-u", VPC, "-s", "succeeded", "--json")).json["runs"] == [line]
    assert (await docustack("runs", "list", "-s", "failed", "--json")).json["runs"] == []
    shown = (await docustack("runs", "show", run_id[:6], "--json")).json
    assert [unit["unit"] for unit in shown["units"]] == [VPC]
    assert shown["message"] == mine.json["message"]
    assert "succeeded, imported" in (await docustack("runs", "list")).out

    listed = (await docustack("history", "list", "--imported", "--json")).json["histories"]
    assert [(line["workflow_id"], line["imported"]) for line in listed] == [
        (f"run:{run_id}", True),
        (f"pr:{stage.repository.full_name}#1", True),
    ]
    told = await docustack("history", "show", run_id)
    assert "activity task completed" in told.out
    assert "plan_unit" in told.out
    assert "Imported: it isn't in this Temporal." in told.err
    whole = (await docustack("history", "show", run_id, "--json")).json
    assert whole == json.loads((tmp_path / "out" / file_of(f"run:{run_id}", listed[0]["run_id"])).read_text())


async def test_imported_again_nothing_changes_and_what_has_gone_on_since_is_added(
    stage: Stage, docustack: Commands, tmp_path: Path, later: Later, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    await docustack.until(lambda answer: answer.code == 0, "history", "export", run_id, "-o", str(out))
    later.begin()
    assert (await docustack("history", "import", str(out), "--json")).json == {"new": 1, "unchanged": 0}
    before = contents(later.artifacts)
    assert (await docustack("history", "import", str(out), "--json")).json == {"new": 0, "unchanged": 1}
    assert {path: kept[0] for path, kept in contents(later.artifacts).items()} == {
        path: kept[0] for path, kept in before.items()
    }
    [line] = (await docustack("runs", "list", "--json")).json["runs"]
    assert line["status"] == "running"
    assert "It had not ended when it was exported" in (await docustack("runs", "show", run_id)).out

    let_go(stage)
    await stage.until_ended(1)
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", server)
    await docustack.until(is_over, "history", "export", run_id, "-o", str(out), "--json")
    later.begin()
    assert (await docustack("history", "import", str(out), "--json")).json == {"new": 1, "unchanged": 0}
    [line] = (await docustack("runs", "list", "--json")).json["runs"]
    assert line["status"] == "succeeded"


async def test_what_isnt_what_was_exported_is_named_and_nothing_is_imported(
    stage: Stage, docustack: Commands, tmp_path: Path, later: Later
) -> None:
    good = tmp_path / "good"
    await exported(stage, docustack, good)
    later.begin()

    async def told(name: str, spoil: Any) -> str:
        folder = tmp_path / name
        shutil.copytree(good, folder)
        entries = manifest(folder)["histories"]
        spoil(folder, entries)
        (folder / "manifest.json").write_text(json.dumps({**manifest(folder), "histories": entries}))
        answer = await docustack("history", "import", str(folder))
        assert answer.code in (1, 2), answer
        assert not list(later.artifacts.rglob("*.json"))
        return answer.err

    def edited(folder: Path, entries: Any) -> None:
        path = folder / entries[1]["file"]
        path.write_text(path.read_text().replace("plan_unit", "plan_another"))

    def outside(folder: Path, entries: Any) -> None:
        shutil.copy(folder / entries[1]["file"], tmp_path / "elsewhere.json")
        entries[1]["file"] = "../elsewhere.json"

    def renamed(folder: Path, entries: Any) -> None:
        entries[1]["workflow_id"] = "run:another"

    def missing(folder: Path, entries: Any) -> None:
        (folder / entries[0]["file"]).unlink()

    assert "its checksum is another" in await told("edited", edited)
    assert "lies outside the folder" in await told("outside", outside)
    assert "history of another workflow than the manifest says" in await told("renamed", renamed)
    assert "is missing" in await told("missing", missing)
    later_format = json.dumps({"format": 2, "histories": []})
    (good / "manifest.json").write_text(later_format)
    assert "has the format 2; this version knows 1" in (await docustack("history", "import", str(good))).err


async def test_another_history_of_a_run_that_is_on_record_is_refused(
    stage: Stage, docustack: Commands, tmp_path: Path, later: Later
) -> None:
    """Its checksum is right, and all the same it isn't what was imported before."""
    out = tmp_path / "out"
    await exported(stage, docustack, out)
    later.begin()
    assert (await docustack("history", "import", str(out))).code == 0
    before = contents(later.artifacts)
    forge(out)
    answer = await docustack("history", "import", str(out))
    assert (answer.code, "another history of this run was imported before" in answer.err) == (1, True)
    assert contents(later.artifacts) == before


def forge(folder: Path) -> None:
    entries = manifest(folder)["histories"]
    path = folder / entries[1]["file"]
    path.write_text(path.read_text().replace("plan_unit", "plan_another"))
    entries[1]["sha256"] = digest(path.read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest(folder), "histories": entries}))


async def test_wrong_names_and_folders_are_told_with_what_to_do(
    client: Client, docustack: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    neither = await docustack("history", "export", "-o", out)
    assert (neither.code, "Name workflows, or say --all" in neither.err) == (2, True)
    unknown = await docustack("history", "export", "bootstrap:9", "-o", out)
    assert (unknown.code, "no workflow 'bootstrap:9'" in unknown.err) == (4, True)
    (tmp_path / "file").touch()
    file = await docustack("history", "export", "--all", "-o", str(tmp_path / "file" / "out"))
    assert (file.code, "can't be written: Not a directory" in file.err) == (2, True)
    empty = await docustack("history", "import", str(tmp_path))
    assert (empty.code, "has no manifest.json" in empty.err) == (2, True)
    nowhere = await docustack("history", "show", "bootstrap:9")
    assert (nowhere.code, "Neither Temporal nor the imported record" in nowhere.err) == (4, True)
    monkeypatch.setenv("DOCUSTACK_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
    (tmp_path / "manifest.json").write_text(json.dumps({"histories": []}))
    store = await docustack("history", "import", str(tmp_path))
    assert (store.code, "artifacts can't be used: Not a directory" in store.err) == (2, True)


def test_a_workflows_id_is_one_name_of_a_folder_whatever_it_holds() -> None:
    assert file_of("pr:a/b#1", "r") == "histories/pr%3Aa%2Fb%231/r.json"
    assert file_of("..", "r") == "histories/%2E%2E/r.json"
    long = file_of("x" * 1_000, "r")
    assert len(long) < 200
    assert long != file_of("x" * 1_001, "r")


async def test_what_temporal_keeps_in_its_memo_stays_as_it_is(
    client: Client, docustack: Commands, tmp_path: Path
) -> None:
    """A codec may have encrypted it, and whoever has its key can read it later."""
    memo = {"from": {"secret": "sealed"}}
    await client.start_workflow("Nobody", id="memo:1", task_queue="nobody", memo=memo)
    answer = await docustack.until(
        lambda answer: answer.code == 0, "history", "export", "memo:1", "-o", str(tmp_path / "out")
    )
    assert "1 histories are new" in answer.out
    [entry] = manifest(tmp_path / "out")["histories"]
    assert entry["memo"]["from"]["metadata"] == {"encoding": "anNvbi9wbGFpbg=="}
    await client.get_workflow_handle("memo:1").terminate()
