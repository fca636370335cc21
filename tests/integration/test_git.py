"""The configuration at a branch's tip and the work trees of runs, with real git."""

import asyncio
import base64
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.git import Git
from activities.git_command import TokenSource, git
from activities.git_messages import AskContained, CheckedOut, CheckOut, CheckOutRef, LoadConfiguration, RemoveWorkTree
from docustack.errors import ErrorType
from docustack.repository import Repository
from tests.integration.origin import Origin

REPOSITORY = Repository(owner="docustack", name="live")
CONFIGURATION = """\
version: 1
teams: {leads: leads}
environments:
  dev: {path: dev, account_id: "111111111111", apply: anyone}
"""


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin", {"docustack.yaml": CONFIGURATION, "a.txt": "1\n2\n3\n4\n5\n", "dev/b.txt": "b"})


def worker(data_dir: Path, url: str, token: TokenSource = None) -> Git:
    return Git(data_dir=data_dir, host="host-1", clone_url=lambda _: url, token=token)


@pytest.fixture
def trees(tmp_path: Path, origin: Origin) -> Git:
    return worker(tmp_path / "data", origin.url)


async def check_out(trees: Git, head: str, *, run_id: str = "run:1", base: str = "main") -> CheckedOut:
    return await trees.check_out(CheckOut(repository=REPOSITORY, run_id=run_id, base_ref=base, head_commit=head))


async def refused(trees: Git, head: str, *, base: str = "main") -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await check_out(trees, head, base=base)
    return caught.value


# ---- what a pull request changes of the rules ------------------------------------------------------------------------


async def test_a_pull_request_that_changes_the_rules_tells_which_and_how(trees: Git, origin: Origin) -> None:
    head = origin.on("rules").commit({"docustack.yaml": CONFIGURATION.replace("apply: anyone", "apply: [leads]")})
    new = (await check_out(trees, head)).new_rules
    assert new is not None
    assert new.files == ("docustack.yaml",)
    assert [(change.where, change.rule, change.before, change.after) for change in new.changes] == [
        ("dev", "apply", "anyone", "leads")
    ]


async def test_what_others_have_changed_of_the_rules_is_no_change_of_a_pull_request_behind_them(
    trees: Git, origin: Origin
) -> None:
    head = origin.on("behind").commit({"a.txt": "one\n2\n3\n4\n5\n"})
    origin.on("main").commit({"docustack.yaml": CONFIGURATION.replace("apply: anyone", "apply: [leads]")})
    assert (await check_out(trees, head)).new_rules is None


async def test_terrateams_file_is_one_of_the_rules(trees: Git, origin: Origin) -> None:
    head = origin.on("filter").commit({".terrateam/config.yml": "enabled: false\n"})
    new = (await check_out(trees, head)).new_rules
    assert new is not None
    assert (new.files, new.changes[0].rule) == ((".terrateam/config.yml",), "enabled")


async def test_broken_new_rules_are_told_with_their_line(trees: Git, origin: Origin) -> None:
    head = origin.on("broken").commit({"docustack.yaml": CONFIGURATION.replace("path:", "pth:")})
    new = (await check_out(trees, head)).new_rules
    assert new is not None
    assert new.problems[0].startswith("docustack.yaml:4:9: environments.dev.pth")


# ---- configuration ---------------------------------------------------------------------------------------------------


async def test_configuration_is_that_of_the_branchs_tip(trees: Git, origin: Origin) -> None:
    first = await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="main"))
    assert first.configuration is not None
    assert first.configuration.environments["dev"].branch == "main"
    origin.commit({"docustack.yaml": CONFIGURATION.replace("path: dev", "path: dev, branch: develop")})
    second = await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="main"))
    assert second.configuration is not None
    assert second.configuration.environments["dev"].branch == "develop"
    assert second.commit == origin.git("rev-parse", "main")


async def test_mistakes_are_an_answer_and_not_a_failure(trees: Git, origin: Origin) -> None:
    origin.commit({"docustack.yaml": CONFIGURATION.replace("path:", "pth:"), ".terrateam/config.yml": "hooks: {}"})
    loaded = await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="main"))
    assert loaded.configuration is None
    assert loaded.problems == ("docustack.yaml:4:9: environments.dev.pth: there is no such key; did you mean `path`?",)
    assert "`hooks`" in loaded.warnings[0]


async def test_branch_without_the_file_says_so(trees: Git, origin: Origin) -> None:
    origin.on("empty").commit({"docustack.yaml": None})
    loaded = await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="empty"))
    assert loaded.configuration is None
    assert "there is no such file at the root of branch `empty`" in loaded.problems[0]


async def test_branch_that_is_not_there_is_not_found(trees: Git) -> None:
    with pytest.raises(ApplicationError) as caught:
        await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="nowhere"))
    assert caught.value.type == ErrorType.NOT_FOUND
    assert caught.value.non_retryable


async def test_branch_that_became_a_folder_of_branches_is_no_obstacle(trees: Git, origin: Origin) -> None:
    origin.git("branch", "release")
    await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="release"))
    origin.git("branch", "--delete", "release")
    origin.git("branch", "release/1")
    loaded = await trees.load_configuration(LoadConfiguration(repository=REPOSITORY, ref="release/1"))
    assert loaded.configuration is not None


# ---- check out -------------------------------------------------------------------------------------------------------


async def test_tree_is_the_merge_of_head_into_base(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"a.txt": "ONE\n2\n3\n4\n5\n", "new.txt": "new"})
    base = origin.on("main").commit({"a.txt": "1\n2\n3\n4\nFIVE\n", "others.txt": "others"})
    done = await check_out(trees, head)
    path = await trees.ensure(done.tree)
    assert (path / "a.txt").read_text() == "ONE\n2\n3\n4\nFIVE\n"
    assert (path / "new.txt").exists()
    assert (path / "others.txt").exists()
    assert (done.tree.base_commit, done.tree.head_commit, done.host) == (base, head, "host-1")
    assert done.tree.tree_commit not in (base, head)
    assert done.tree.merge_base == origin.git("merge-base", "main", "feature")


async def test_changes_are_those_since_the_merge_base(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"new.txt": "new", "dev/b.txt": None})
    origin.on("main").commit({"others.txt": "others", "a.txt": None})
    done = await check_out(trees, head)
    assert [(file.status, file.path) for file in done.changed_files] == [("deleted", "dev/b.txt"), ("added", "new.txt")]


async def test_renamed_file_tells_where_it_was(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").move("a.txt", 'dev/sub folder/ä "ö".txt')
    (file,) = (await check_out(trees, head)).changed_files
    assert (file.status, file.previous_path, file.path) == ("renamed", "a.txt", 'dev/sub folder/ä "ö".txt')


async def test_merge_is_the_same_commit_on_every_host(trees: Git, origin: Origin, tmp_path: Path) -> None:
    head = origin.on("feature").commit({"new.txt": "new"})
    origin.on("main").commit({"others.txt": "others"})
    first = await check_out(trees, head)
    other = worker(tmp_path / "other-host", origin.url)
    assert (await check_out(other, head)).tree.tree_commit == first.tree.tree_commit


async def test_other_host_makes_the_tree_from_its_description_alone(trees: Git, origin: Origin, tmp_path: Path) -> None:
    head = origin.on("feature").commit({"new.txt": "new"})
    origin.on("main").commit({"others.txt": "others"})
    done = await check_out(trees, head)
    # Meanwhile both branches go on, and the feature is pushed over.
    origin.on("main").commit({"later.txt": "later"})
    origin.on("feature").git("commit", "--quiet", "--amend", "--message", "Again")
    path = await worker(tmp_path / "other-host", origin.url).ensure(done.tree)
    assert sorted(file.name for file in path.glob("*.txt")) == ["a.txt", "new.txt", "others.txt"]


async def test_head_that_contains_the_base_is_its_own_tree(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"new.txt": "new"})
    assert (await check_out(trees, head)).tree.tree_commit == head


async def test_head_that_is_merged_already_changes_nothing(trees: Git, origin: Origin) -> None:
    head = origin.git("rev-parse", "main")
    base = origin.commit({"later.txt": "later"})
    done = await check_out(trees, head)
    assert (done.tree.tree_commit, done.changed_files) == (base, ())


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_merged_pull_request_is_checked_out_as_it_came_into_the_branch(
    trees: Git, origin: Origin, how: str
) -> None:
    origin.on("merged").commit({"dev/new.txt": "one"})
    head = origin.on("merged").commit({"dev/b.txt": None, "dev/c.txt": "c"})
    before = origin.on("main").commit({"a.txt": "1\n2\n3\n4\nfive\n"})
    merge = merged(origin, how)
    origin.on("main").commit({"later.txt": "later"})
    question = CheckOut(repository=REPOSITORY, run_id="run:1", base_ref="main", head_commit=head, merge_commit=merge)
    checked_out = await trees.check_out(question)
    tree = checked_out.tree
    assert (tree.base_commit, tree.head_commit, tree.tree_commit) == (before, merge, merge)
    changed = {file.path: file.status for file in checked_out.changed_files}
    assert changed == {"dev/new.txt": "added", "dev/b.txt": "deleted", "dev/c.txt": "added"}
    folder = await trees.ensure(tree)
    assert (folder / "dev/c.txt").exists()
    assert not (folder / "later.txt").exists()
    assert (await trees.ensure(tree.of_base()) / "dev/b.txt").exists(), "the base of it still has what it deletes"
    assert (await trees.ask_contained(AskContained(tree=tree, commit=before))).contained
    later = origin.git("rev-parse", "main")
    assert not (await trees.ask_contained(AskContained(tree=tree, commit=later))).contained


async def test_merge_that_was_pushed_out_of_the_branch_is_not_checked_out(trees: Git, origin: Origin) -> None:
    head = origin.on("merged").commit({"dev/new.txt": "one"})
    merge = merged(origin, "merge")
    origin.git("reset", "--quiet", "--hard", "HEAD~1")
    question = CheckOut(repository=REPOSITORY, run_id="run:1", base_ref="main", head_commit=head, merge_commit=merge)
    with pytest.raises(ApplicationError, match="it was pushed over") as caught:
        await trees.check_out(question)
    assert caught.value.type == ErrorType.NOT_FOUND


def merged(origin: Origin, how: str) -> str:
    """As GitHub does it; a rebase makes each commit anew, also where it would not have to."""
    origin.on("main")
    if how == "merge":
        origin.git("merge", "--quiet", "--no-ff", "--no-edit", "merged")
    elif how == "squash":
        origin.git("merge", "--quiet", "--squash", "merged")
        origin.git("commit", "--quiet", "--message", "Squashed")
    else:
        origin.git("cherry-pick", "main..merged")
    return origin.git("rev-parse", "HEAD")


async def test_conflict_names_the_files_and_what_to_do(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"a.txt": "mine\n", "dev/b.txt": "mine"})
    origin.on("main").commit({"a.txt": "theirs\n", "dev/b.txt": "theirs"})
    error = await refused(trees, head)
    assert (error.type, error.non_retryable) == (ErrorType.MERGE_CONFLICT, True)
    assert "doesn't merge into `main`: there are conflicts in `a.txt`, `dev/b.txt`" in error.message
    assert "git merge origin/main" in error.message


async def test_histories_without_a_common_commit_are_refused(trees: Git, origin: Origin) -> None:
    origin.git("checkout", "--quiet", "--orphan", "island")
    head = origin.commit({"island.txt": "x"})
    assert (await refused(trees, head)).type == ErrorType.MERGE_CONFLICT


async def test_commit_that_is_gone_is_not_found(trees: Git) -> None:
    error = await refused(trees, "1" * 40)
    assert (error.type, error.non_retryable) == (ErrorType.NOT_FOUND, True)


@pytest.mark.parametrize("head", ["--upload-pack=touch /tmp/x", "main", "", "A" * 40, "1" * 39])
async def test_what_is_no_commit_id_never_reaches_git(trees: Git, head: str) -> None:
    assert (await refused(trees, head)).type == ErrorType.INVALID_INPUT


async def test_commit_of_a_fork_comes_by_its_pull_request(trees: Git, origin: Origin, tmp_path: Path) -> None:
    origin.on("feature")
    head = origin.commit({"fork.txt": "x"})
    origin.on("main").git("update-ref", "refs/pull/7/head", head)
    origin.git("branch", "--quiet", "--delete", "--force", "feature")
    question = CheckOut(repository=REPOSITORY, run_id="run:1", base_ref="main", head_commit=head, pull_request=7)
    done = await trees.check_out(question)
    assert (await trees.ensure(done.tree) / "fork.txt").exists()
    unnumbered = await check_out(worker(tmp_path / "other-host", origin.url), head)
    assert unnumbered.tree == done.tree


# ---- what has no pull request ----------------------------------------------------------------------------------------


async def at(trees: Git, ref: str) -> CheckedOut:
    return await trees.check_out_ref(CheckOutRef(repository=REPOSITORY, run_id="run:1", base_ref="main", ref=ref))


async def test_what_a_branch_has_to_contain_is_checked_out_only_if_it_does(trees: Git, origin: Origin) -> None:
    first = origin.git("rev-parse", "main")
    origin.commit({"a.txt": "later"})
    feature = origin.on("feature/x").commit({"new.txt": "new"})
    question = CheckOutRef(repository=REPOSITORY, run_id="run:1", base_ref="main", ref=first, on_branch=True)
    assert (await trees.check_out_ref(question)).tree.tree_commit == first
    with pytest.raises(ApplicationError, match="`main` doesn't contain"):
        await trees.check_out_ref(question.model_copy(update={"ref": feature}))


async def test_a_branch_a_tag_and_a_commit_are_checked_out_as_they_are(trees: Git, origin: Origin) -> None:
    first = origin.git("rev-parse", "main")
    origin.git("tag", "--annotate", "v1", "--message", "One")
    second = origin.commit({"a.txt": "later"})
    feature = origin.on("feature/x").commit({"new.txt": "new"})
    expected = {"": second, "main": second, "v1": first, "feature/x": feature, first: first, feature[:9]: feature}
    for ref, commit in expected.items():
        tree = (await at(trees, ref)).tree
        assert (tree.tree_commit, tree.head_commit, tree.base_commit) == (commit,) * 3, ref
        assert _head_of(await trees.ensure(tree)) == commit


def _head_of(folder: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("ref", ["nope", "--upload-pack=x", "deadbeef", "f" * 40, "refs/heads/main", "ma*"])
async def test_a_name_that_nothing_has_is_not_found(trees: Git, ref: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await at(trees, ref)
    assert caught.value.type == ErrorType.NOT_FOUND
    assert caught.value.non_retryable


# ---- work trees ------------------------------------------------------------------------------------------------------


async def test_many_may_ask_for_a_tree_at_once(trees: Git, origin: Origin, tmp_path: Path) -> None:
    head = origin.on("feature").commit({"new.txt": "new"})
    done = await check_out(trees, head)
    await trees.remove_work_tree(RemoveWorkTree(repository=REPOSITORY, run_id="run:1"))
    second_worker = worker(tmp_path / "data", origin.url)
    paths = await asyncio.gather(*(asker.ensure(done.tree) for asker in (trees, second_worker) for _ in range(10)))
    assert len(set(paths)) == 1
    assert (paths[0] / "new.txt").read_text() == "new"


async def test_tree_that_is_ready_is_left_as_it_is(trees: Git, origin: Origin) -> None:
    done = await check_out(trees, origin.git("rev-parse", "main"))
    path = await trees.ensure(done.tree)
    (path / ".terragrunt-cache").mkdir()
    (path / "a.txt").write_text("touched")
    assert await trees.ensure(done.tree) == path
    assert (path / ".terragrunt-cache").is_dir()
    assert (path / "a.txt").read_text() == "touched"


async def test_half_made_tree_is_made_anew(trees: Git, origin: Origin) -> None:
    done = await check_out(trees, origin.git("rev-parse", "main"))
    path = await trees.ensure(done.tree)
    git_directory = Path((path / ".git").read_text().removeprefix("gitdir:").strip())
    (git_directory / "docustack-ready").unlink()  # as a kill in the middle of the check out leaves it
    (git_directory / "index.lock").touch()
    (path / "a.txt").unlink()
    assert (await trees.ensure(done.tree) / "a.txt").exists()


@pytest.mark.parametrize("lost", ["worktrees", "mirrors"])
async def test_lost_folder_is_made_anew(trees: Git, origin: Origin, tmp_path: Path, lost: str) -> None:
    done = await check_out(trees, origin.git("rev-parse", "main"))
    shutil.rmtree(tmp_path / "data" / lost)
    assert (await trees.ensure(done.tree) / "a.txt").exists()


async def test_two_runs_have_two_trees(trees: Git, origin: Origin) -> None:
    first = await check_out(trees, origin.git("rev-parse", "main"), run_id="run:1")
    second = await check_out(trees, origin.commit({"a.txt": "changed"}), run_id="run:2")
    assert (await trees.ensure(first.tree) / "a.txt").read_text() != (
        await trees.ensure(second.tree) / "a.txt"
    ).read_text()


async def test_run_that_follows_its_base_branch_keeps_what_works_in_its_old_tree(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"new.txt": "new"})
    before = await check_out(trees, head)
    origin.on("main").commit({"others.txt": "others"})
    after = await check_out(trees, head)
    old, new = await trees.ensure(before.tree), await trees.ensure(after.tree)
    assert not (old / "others.txt").exists()
    assert (new / "others.txt").exists()
    await trees.remove_work_tree(RemoveWorkTree(repository=REPOSITORY, run_id="run:1"))
    assert not old.exists()
    assert not new.exists()


async def test_commits_of_a_run_survive_the_collection_of_garbage(trees: Git, origin: Origin) -> None:
    head = origin.on("feature").commit({"new.txt": "new"})
    origin.on("main").commit({"others.txt": "others"})
    done = await check_out(trees, head)
    shutil.rmtree(await trees.ensure(done.tree))
    origin.git("branch", "--quiet", "--delete", "--force", "feature")
    mirror = trees.mirror(REPOSITORY)
    await git(mirror.path, "worktree", "prune", "--expire", "now")
    await git(mirror.path, "gc", "--quiet", "--prune=now")
    assert (await trees.ensure(done.tree) / "new.txt").exists()


async def test_removal_may_come_twice_and_before_anything_was_made(trees: Git, origin: Origin) -> None:
    question = RemoveWorkTree(repository=REPOSITORY, run_id="run:1")
    await trees.remove_work_tree(question)
    done = await check_out(trees, origin.git("rev-parse", "main"))
    path = await trees.ensure(done.tree)
    await trees.remove_work_tree(question)
    await trees.remove_work_tree(question)
    assert not path.exists()


@pytest.mark.parametrize("run_id", ["../../etc", "..", "a/b", "run:1 x"])
async def test_run_id_never_leads_out_of_the_folder(trees: Git, tmp_path: Path, run_id: str) -> None:
    assert trees.work_tree_path(run_id, "c" * 40).parent == tmp_path / "data" / "worktrees"


async def test_lock_files_of_a_dead_git_are_no_obstacle(trees: Git, origin: Origin) -> None:
    await check_out(trees, origin.git("rev-parse", "main"))
    mirror = trees.mirror(REPOSITORY).path
    for name in ("packed-refs.lock", "config.lock", "refs/docustack/branches/main.lock"):
        (mirror / name).touch()
    head = origin.on("feature").commit({"new.txt": "new"})
    origin.on("main").commit({"later.txt": "later"})
    await check_out(trees, head, run_id="run:2")


async def test_settings_and_hooks_of_the_person_who_runs_the_worker_stay_out(
    trees: Git, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "hooks/post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[core]\n\thooksPath = {hook.parent}\n[diff]\n\trenames = false\n")
    head = origin.git("rev-parse", "main")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    done = await check_out(trees, head)
    assert (await trees.ensure(done.tree) / "a.txt").exists()
    assert not (tmp_path / "hook-ran").exists()


# ---- the remote ------------------------------------------------------------------------------------------------------


class Refusing(BaseHTTPRequestHandler):
    """Says no to everybody, and remembers what it was told."""

    status = 401
    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.send_response(self.status)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def refusing() -> Iterator[ThreadingHTTPServer]:
    Refusing.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


async def test_token_goes_into_the_header_and_nowhere_else(tmp_path: Path, refusing: ThreadingHTTPServer) -> None:
    async def token() -> SecretStr:
        return SecretStr("ghs_planted")

    url = f"http://127.0.0.1:{refusing.server_port}/docustack/live.git"
    error = await refused(worker(tmp_path / "data", url, token), "1" * 40)
    assert (error.type, error.non_retryable) == (ErrorType.CREDENTIALS, True)
    assert Refusing.seen[0] == "Basic " + base64.b64encode(b"x-access-token:ghs_planted").decode()
    assert "ghs_planted" not in str(error)
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"ghs_planted" not in path.read_bytes()


@pytest.mark.parametrize(
    "status,error_type", [(403, ErrorType.CREDENTIALS), (404, ErrorType.NOT_FOUND), (503, ErrorType.UNAVAILABLE)]
)
async def test_answers_of_the_remote_are_told_apart(
    tmp_path: Path, refusing: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, status: int, error_type: ErrorType
) -> None:
    monkeypatch.setattr(Refusing, "status", status)
    url = f"http://127.0.0.1:{refusing.server_port}/docustack/live.git"
    error = await refused(worker(tmp_path / "data", url), "1" * 40)
    assert error.type == error_type
    assert error.non_retryable is (error_type is not ErrorType.UNAVAILABLE)


async def test_remote_that_cannot_be_reached_is_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = await refused(worker(tmp_path / "data", f"http://127.0.0.1:{port}/x.git"), "1" * 40)
    assert (error.type, error.non_retryable) == (ErrorType.UNAVAILABLE, False)


async def test_only_the_protocol_of_the_address_is_spoken(tmp_path: Path) -> None:
    error = await refused(worker(tmp_path / "data", f"ext::touch {tmp_path}/ran"), "1" * 40)
    assert error.type == ErrorType.UNAVAILABLE
    assert not (tmp_path / "ran").exists()


async def test_cancelled_fetch_leaves_the_mirror_free(tmp_path: Path, origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        hanging = asyncio.create_task(check_out(worker(tmp_path / "data", url), "1" * 40))
        await asyncio.get_running_loop().sock_accept(_nonblocking(silent))
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
    async with asyncio.timeout(120):
        await check_out(worker(tmp_path / "data", origin.url), origin.git("rev-parse", "main"))


def _nonblocking(server: socket.socket) -> socket.socket:
    server.setblocking(False)
    return server


async def test_cancelled_git_ends_though_nobody_reads_its_output(origin: Origin) -> None:
    origin.commit({"big.txt": "x" * 5_000_000})
    async with asyncio.timeout(120):
        for moment in range(20):
            task = asyncio.create_task(git(origin.folder, "show", "HEAD:big.txt"))
            await asyncio.sleep(moment / 1000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled() or task.exception() is None
