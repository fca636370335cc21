"""One changed file on a branch of ours, on a real remote: once, always forward, and only where it is a change."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.bootstrap_messages import ProposeChange
from activities.git import Git
from activities.git_command import GitError
from activities.git_messages import LoadConfiguration
from activities.git_push import push_failure, try_push
from activities.proposed_change import ProposedChange
from docustack.bootstrap import BRANCHES, bootstrap_branch
from docustack.bootstrap_file import FILE, edited, with_remote_state
from docustack.errors import ErrorType
from docustack.repository import Repository, WorkTree
from tests.integration.origin import Origin

OFF = 'account_id = "999999999999"\n\n# remote_state {\n# }\n'
BRANCH = bootstrap_branch("dev")
REPOSITORY = Repository(owner="docustack", name="live")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin", {FILE: OFF, "other": "1"})


@pytest.fixture
def git(tmp_path: Path, origin: Origin) -> Git:
    return Git(data_dir=tmp_path / "data", host="here", clone_url=lambda _: origin.url)


def change(environment: str = "dev", account_id: str | None = None) -> ProposeChange:
    commit = "a" * 40
    tree = WorkTree(
        repository=REPOSITORY,
        run_id="bootstrap-1",
        base_ref="main",
        base_commit=commit,
        head_commit=commit,
        merge_base=commit,
        tree_commit=commit,
    )
    return ProposeChange(
        tree=tree,
        path=FILE,
        remote_state=True,
        account_id=account_id,
        branch=bootstrap_branch(environment),
        beside=BRANCHES,
        message="Switch it on",
    )


async def test_the_branch_has_the_file_changed_and_nothing_else(origin: Origin, git: Git) -> None:
    pushed = await ProposedChange(git).push_change(change())
    assert origin.git("rev-parse", BRANCH) == pushed.commit
    assert origin.git("diff", "--name-only", "main", BRANCH) == FILE
    assert origin.git("show", f"{BRANCH}:{FILE}") == with_remote_state(OFF).strip()


async def test_a_retry_pushes_the_same_commit(origin: Origin, git: Git, tmp_path: Path) -> None:
    first = await ProposedChange(git).push_change(change())
    elsewhere = Git(data_dir=tmp_path / "other", host="there", clone_url=lambda _: origin.url)
    assert await ProposedChange(elsewhere).push_change(change()) == first


async def test_what_somebody_has_pushed_to_the_branch_stays(origin: Origin, git: Git) -> None:
    await ProposedChange(git).push_change(change())
    theirs = origin.on(BRANCH).commit({"other": "2", FILE: OFF})
    origin.git("checkout", "--quiet", "main")
    pushed = await ProposedChange(git).push_change(change())
    assert origin.git("rev-parse", f"{pushed.commit}^") == theirs


async def test_where_the_base_branch_has_it_so_nothing_is_pushed(origin: Origin, git: Git) -> None:
    origin.commit({FILE: with_remote_state(OFF)})
    assert (await ProposedChange(git).push_change(change())).commit == ""
    assert origin.git("branch", "--list", BRANCH) == ""


async def test_a_branch_that_was_merged_and_left_is_begun_anew_from_the_base(origin: Origin, git: Git) -> None:
    await ProposedChange(git).push_change(change())
    origin.git("merge", "--quiet", BRANCH)
    base = origin.commit({FILE: OFF})
    pushed = await ProposedChange(git).push_change(change())
    assert origin.git("rev-parse", f"{pushed.commit}^") == base


ACCOUNTS = {"prod": "3" * 12, "dev": "1" * 12, "management": "4" * 12}


@pytest.mark.parametrize("fixed", [False, True], ids=["the same", "an account id of its own"])
async def test_the_changes_of_several_accounts_can_be_merged_one_after_the_other(
    origin: Origin, git: Git, fixed: bool
) -> None:
    for environment, account_id in ACCOUNTS.items():
        await ProposedChange(git).push_change(change(environment, account_id if fixed else None))
    for environment in ACCOUNTS:
        origin.git("merge", "--quiet", "--no-edit", bootstrap_branch(environment))
    last = edited(OFF, remote_state=True, account_id=ACCOUNTS["management"] if fixed else None)
    assert (origin.folder / FILE).read_text() == last


async def test_a_branch_that_was_merged_by_another_commit_and_left_is_in_nobodys_way(origin: Origin, git: Git) -> None:
    await ProposedChange(git).push_change(change("dev", ACCOUNTS["dev"]))
    squashed = origin.commit({FILE: edited(OFF, remote_state=True, account_id=ACCOUNTS["dev"])})
    pushed = await ProposedChange(git).push_change(change("prod", ACCOUNTS["prod"]))
    assert origin.git("rev-parse", f"{pushed.commit}^") == squashed


async def test_rules_without_a_branch_are_those_of_the_default_branch(origin: Origin, git: Git) -> None:
    origin.on("another")
    tip = origin.commit({"other": "3"})  # HEAD of the remote is there now
    loaded = await git.load_configuration(LoadConfiguration(repository=REPOSITORY, ref=""))
    assert loaded.commit == tip


# ---- refused ---------------------------------------------------------------------------------------------------------


def protect(origin: Origin, said: str) -> None:
    """With a hook, as GitHub has rules of branches."""
    hook = origin.folder / ".git" / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    hook.chmod(0o755)


async def test_a_protected_branch_is_told_as_one_and_not_tried_again(origin: Origin, git: Git) -> None:
    protect(origin, "error: GH006: Protected branch update failed for refs/heads/docustack/bootstrap-dev.")
    with pytest.raises(ApplicationError, match="let the worker push to `docustack/bootstrap-dev`") as refused:
        await ProposedChange(git).push_change(change())
    assert "GH006: Protected branch update failed" in refused.value.message
    assert "may not read" not in refused.value.message
    assert (refused.value.type, refused.value.non_retryable) == (ErrorType.CREDENTIALS, True)


async def test_a_branch_that_has_moved_meanwhile_is_tried_again(origin: Origin, git: Git) -> None:
    await ProposedChange(git).push_change(change())
    origin.on(BRANCH).commit({"other": "2"})
    origin.git("checkout", "--quiet", "main")
    mirror = git.mirror(REPOSITORY)
    async with mirror.exclusive() as lock:
        late = await mirror.commit_file(await mirror.fetch_branch("main", lock), FILE, "late", "Late", lock)
        with pytest.raises(ApplicationError, match="Somebody else has pushed to `docustack/bootstrap-dev`") as refused:
            await mirror.push(late, BRANCH, lock)
    assert (refused.value.type, refused.value.non_retryable) == (ErrorType.UNAVAILABLE, False)


@pytest.mark.parametrize(
    "said",
    [
        "remote: Permission to docustack/live.git denied to docustack-bot.",
        "remote: Write access to repository not granted.",
        "ERROR: The key you are authenticating with has been marked as read only.",
    ],
    ids=["collaborator", "fine-grained token", "deploy key"],
)
def test_without_the_right_to_push_that_is_what_is_told(said: str) -> None:
    ended = "fatal: unable to access 'https://github.com/docustack/live.git/': The requested URL returned error: 403"
    refused = push_failure(GitError(("push",), 128, f"{said}\n{ended}"), "docustack/live", BRANCH)
    assert "The worker may not push to `docustack/live`" in refused.message
    assert "contents: write" in refused.message
    assert said.partition(": ")[2] in refused.message
    assert refused.non_retryable


async def test_whether_a_push_would_be_taken_is_asked_without_one(origin: Origin, tmp_path: Path) -> None:
    before = origin.git("for-each-ref")
    await try_push(REPOSITORY, origin.url, None)
    assert origin.git("for-each-ref") == before
    with pytest.raises(ApplicationError, match="couldn't be pushed"):
        await try_push(REPOSITORY, str(tmp_path / "nowhere"), None)
