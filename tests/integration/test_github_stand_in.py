"""The GitHub stand-in answers githubkit as GitHub does: pull requests, people, checks, git, on real repositories."""

import base64
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from githubkit.exception import RequestFailed, SecondaryRateLimitExceeded
from githubkit_schemas.latest.models import (
    ContentDirectoryItems,
    ContentFile,
    DiffEntry,
    IssueComment,
    PullRequestReview,
    SimpleUser,
    TeamMember,
    TeamSimple,
)

from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn, listed

BOT = "docustack[bot]"
HERE = (OWNER, REPOSITORY)
_numbers = count(1)


@pytest.fixture(autouse=True)
def _no_faults(github: GitHubStandIn) -> Iterator[None]:
    yield
    github.control("DELETE", "faults")


def changed(github: GitHubStandIn, files: dict[str, str] | None = None) -> str:
    """A new pushed branch with one commit."""
    branch = f"feature/{next(_numbers)}"
    github.push(branch, files or {f"dev/{branch}/terragrunt.hcl": "a = 1\n"}, base="main")
    return branch


def opened(github: GitHubStandIn, branch: str | None = None, *, base: str = "main", draft: bool = False) -> int:
    branch = branch or changed(github)
    client = github.client("developer").rest.pulls
    return client.create(
        *HERE, title=f"Add {branch}", head=branch, base=base, body="Why", draft=draft
    ).parsed_data.number


def refusal(error: pytest.ExceptionInfo[RequestFailed]) -> tuple[int, str]:
    return error.value.response.status_code, error.value.response.text


# ---- who asks --------------------------------------------------------------------------------------------------------


def test_token_names_its_login(github: GitHubStandIn) -> None:
    for login in ("developer", "infra-member", "lead", "second-lead", "security-reviewer", "outsider", BOT):
        assert github.client(login).rest.users.get_authenticated().parsed_data.login == login


def test_tokens_are_readable_by_their_owner_only(github: GitHubStandIn) -> None:
    assert (github.root / "data" / "tokens.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("header", [{}, {"authorization": "token wrong"}, {"authorization": "basic abc"}])
def test_request_without_a_good_token_is_refused(github: GitHubStandIn, header: dict[str, str]) -> None:
    response = httpx.get(f"{github.url}/user", headers=header)
    assert response.status_code == 401
    assert response.json()["message"] in ("Requires authentication", "Bad credentials")


def test_another_repository_is_not_found(github: GitHubStandIn) -> None:
    with pytest.raises(RequestFailed) as error:
        github.client(BOT).rest.repos.get(OWNER, "other")
    assert refusal(error)[0] == 404


def test_foreign_host_name_is_refused(github: GitHubStandIn) -> None:
    assert httpx.get(f"{github.url}/_stand_in/health", headers={"host": "evil.example"}).status_code == 400


def test_repository_names_its_default_branch_and_git_address(github: GitHubStandIn) -> None:
    repository = github.client(BOT).rest.repos.get(*HERE).parsed_data
    assert (repository.full_name, repository.default_branch) == (f"{OWNER}/{REPOSITORY}", "main")
    assert repository.clone_url == str(github.bare)


def test_rate_limit_can_be_read(github: GitHubStandIn) -> None:
    assert github.client(BOT).rest.rate_limit.get().parsed_data.resources.core.remaining > 0


# ---- teams and rights ------------------------------------------------------------------------------------------------


def test_team_membership_is_active_or_absent(github: GitHubStandIn) -> None:
    teams = github.client(BOT).rest.teams
    assert teams.get_membership_for_user_in_org(OWNER, "infra", "lead").parsed_data.state == "active"
    with pytest.raises(RequestFailed) as error:
        teams.get_membership_for_user_in_org(OWNER, "leads", "infra-member")
    assert refusal(error)[0] == 404


def test_member_of_a_child_team_is_member_of_the_parent(github: GitHubStandIn) -> None:
    github.control("PUT", "teams/platform", {"members": {}})
    github.control("PUT", "teams/platform-night", {"members": {"developer": "active"}, "parent": "platform"})
    teams = github.client(BOT).rest.teams
    assert teams.get_membership_for_user_in_org(OWNER, "platform", "developer").parsed_data.state == "active"
    members = listed(TeamMember, teams.list_members_in_org(OWNER, "platform"))
    assert [user.login for user in members] == ["developer"]
    parent = teams.get_by_name(OWNER, "platform-night").parsed_data.parent
    assert isinstance(parent, TeamSimple)
    assert parent.slug == "platform"


def test_pending_membership_is_told_and_is_no_member(github: GitHubStandIn) -> None:
    github.control("PUT", "teams/new", {"members": {"developer": "pending"}})
    teams = github.client(BOT).rest.teams
    assert teams.get_membership_for_user_in_org(OWNER, "new", "developer").parsed_data.state == "pending"
    assert teams.list_members_in_org(OWNER, "new").parsed_data == []


def test_teams_are_listed_in_pages(github: GitHubStandIn) -> None:
    client = github.client(BOT)
    slugs = [team.slug for team in client.rest.paginate(client.rest.teams.list, org=OWNER, per_page=1)]
    assert slugs[:3] == ["infra", "leads", "security"]


def test_outsider_does_not_see_teams(github: GitHubStandIn) -> None:
    with pytest.raises(RequestFailed) as error:
        github.client("outsider").rest.teams.list(OWNER)
    assert refusal(error)[0] == 403


def test_permission_tells_who_may_push(github: GitHubStandIn) -> None:
    repos = github.client(BOT).rest.repos
    found = {
        login: repos.get_collaborator_permission_level(*HERE, login).parsed_data.permission
        for login in ("developer", "lead", "outsider")
    }
    assert found == {"developer": "write", "lead": "admin", "outsider": "read"}
    assert repos.check_collaborator(*HERE, "developer").status_code == 204
    with pytest.raises(RequestFailed):
        repos.check_collaborator(*HERE, "outsider")


# ---- pull requests ---------------------------------------------------------------------------------------------------


def test_opened_pull_request_shows_head_base_and_size(github: GitHubStandIn) -> None:
    branch = changed(github, {"dev/us-east-1/size/terragrunt.hcl": "a = 1\nb = 2\n"})
    pull = github.client(BOT).rest.pulls.get(*HERE, opened(github, branch)).parsed_data
    assert (pull.state, pull.mergeable, pull.mergeable_state, pull.draft) == ("open", True, "clean", False)
    assert (pull.head.ref, pull.head.sha, pull.base.ref) == (branch, github.git("rev-parse", branch), "main")
    assert (pull.commits, pull.changed_files, pull.additions, pull.deletions) == (1, 1, 2, 0)
    assert pull.user.login == "developer"


def test_head_of_a_pull_request_can_be_fetched_by_its_number(github: GitHubStandIn) -> None:
    branch = changed(github)
    number = opened(github, branch)
    github.git("fetch", "-q", "origin", f"refs/pull/{number}/head")
    assert github.git("rev-parse", "FETCH_HEAD") == github.git("rev-parse", branch)


@pytest.mark.parametrize(
    "wrong,words",
    [
        ({"head": "no-such-branch"}, "head"),
        ({"base": "no-such-branch"}, "base"),
        ({"head": "main"}, "No commits between"),
        ({"title": " "}, "title"),
    ],
)
def test_wrong_pull_request_is_refused(github: GitHubStandIn, wrong: dict[str, str], words: str) -> None:
    wanted = {"title": "T", "head": changed(github), "base": "main", **wrong}
    response = github.request("developer", "POST", "pulls", wanted)
    assert response.status_code == 422
    assert words in response.text


def test_second_pull_request_of_a_branch_is_refused(github: GitHubStandIn) -> None:
    branch = changed(github)
    opened(github, branch)
    with pytest.raises(RequestFailed) as error:
        opened(github, branch)
    assert "A pull request already exists" in refusal(error)[1]


def test_outsider_may_not_open_from_a_branch_of_the_repository(github: GitHubStandIn) -> None:
    branch = changed(github)
    with pytest.raises(RequestFailed) as error:
        github.client("outsider").rest.pulls.create(*HERE, title="T", head=branch, base="main")
    assert refusal(error)[0] == 403


def test_outsider_opens_from_a_fork(github: GitHubStandIn) -> None:
    fork = str(github.control("POST", "forks", {"owner": "outsider"})["git_dir"])
    github.git("checkout", "-q", "-B", "from-fork", "origin/main")
    github.write("dev/fork/terragrunt.hcl", "a = 1\n")
    github.git("add", ".")
    github.git("commit", "-q", "-m", "from a fork", author="outsider")
    github.git("push", "-q", fork, "from-fork")
    created = github.client("outsider").rest.pulls.create(*HERE, title="T", head="outsider:from-fork", base="main")
    number = created.parsed_data.number
    github.git("commit", "-q", "--amend", "-m", "again", author="outsider")
    github.git("push", "-q", "-f", fork, "from-fork")
    pull = github.client(BOT).rest.pulls.get(*HERE, number).parsed_data
    assert pull.head.repo is not None
    assert (pull.head.repo.fork, pull.head.repo.full_name) == (True, f"outsider/{REPOSITORY}")
    assert pull.head.sha == github.git("rev-parse", "from-fork")
    github.git("fetch", "-q", "origin", f"refs/pull/{number}/head")
    assert github.git("rev-parse", "FETCH_HEAD") == pull.head.sha


def test_pull_requests_are_found_by_state_head_and_base(github: GitHubStandIn) -> None:
    branch = changed(github)
    number = opened(github, branch, base="staging")
    client = github.client(BOT).rest.pulls
    assert [pull.number for pull in client.list(*HERE, head=f"{OWNER}:{branch}").parsed_data] == [number]
    assert number in [pull.number for pull in client.list(*HERE, base="staging").parsed_data]
    assert number not in [pull.number for pull in client.list(*HERE, base="main").parsed_data]
    github.client("developer").rest.pulls.update(*HERE, number, state="closed")
    assert client.list(*HERE, head=f"{OWNER}:{branch}").parsed_data == []
    assert client.list(*HERE, head=f"{OWNER}:{branch}", state="all").parsed_data[0].number == number


def test_pull_request_is_edited_closed_and_reopened(github: GitHubStandIn) -> None:
    number = opened(github)
    pulls = github.client("developer").rest.pulls
    edited = pulls.update(*HERE, number, title="Other", body="More", base="staging").parsed_data
    assert (edited.title, edited.body, edited.base.ref) == ("Other", "More", "staging")
    assert pulls.update(*HERE, number, state="closed").parsed_data.closed_at is not None
    assert pulls.update(*HERE, number, state="open").parsed_data.state == "open"


def test_draft_is_set_and_taken_away(github: GitHubStandIn) -> None:
    number = opened(github, draft=True)
    client = github.client("developer")
    assert client.rest.pulls.get(*HERE, number).parsed_data.mergeable_state == "draft"
    ready = client.request("PATCH", f"/repos/{OWNER}/{REPOSITORY}/pulls/{number}", json={"draft": False})
    assert ready.json()["draft"] is False


def test_outsider_may_not_edit(github: GitHubStandIn) -> None:
    with pytest.raises(RequestFailed) as error:
        github.client("outsider").rest.pulls.update(*HERE, opened(github), state="closed")
    assert refusal(error)[0] == 403


def test_changed_files_tell_status_and_patch(github: GitHubStandIn) -> None:
    branch = f"feature/{next(_numbers)}"
    github.push(branch, {"one.hcl": "a\nb\nc\nd\ne\n", "two.hcl": "2\n"}, base="main")
    github.git("push", "-q", "origin", f"{branch}:files-base")
    github.git("mv", "one.hcl", "moved ä.hcl")
    github.git("rm", "-q", "two.hcl")
    github.push(branch, {"three.hcl": "-- not a header\n++ neither\n", "four.bin": "\0\1"})
    number = opened(github, branch, base="files-base")
    found = listed(DiffEntry, github.client(BOT).rest.pulls.list_files(*HERE, number))
    files = {entry.filename: entry for entry in found}
    assert {name: entry.status for name, entry in files.items()} == {
        "four.bin": "added",
        "moved ä.hcl": "renamed",
        "three.hcl": "added",
        "two.hcl": "removed",
    }
    assert files["moved ä.hcl"].previous_filename == "one.hcl"
    assert files["three.hcl"].patch == "@@ -0,0 +1,2 @@\n+-- not a header\n+++ neither"
    assert files["two.hcl"].patch == "@@ -1 +0,0 @@\n-2"


def test_push_moves_the_head(github: GitHubStandIn) -> None:
    branch = changed(github)
    number = opened(github, branch)
    sha = github.push(branch, {"more.hcl": "a = 2\n"})
    assert github.client(BOT).rest.pulls.get(*HERE, number).parsed_data.head.sha == sha


def test_deleted_head_branch_closes_the_pull_request(github: GitHubStandIn) -> None:
    branch = changed(github)
    number = opened(github, branch)
    github.git("push", "-q", "origin", f":{branch}")
    pulls = github.client("developer").rest.pulls
    closed = pulls.get(*HERE, number).parsed_data
    assert (closed.state, closed.merged) == ("closed", False)
    with pytest.raises(RequestFailed) as error:
        pulls.update(*HERE, number, state="open")
    assert "branch was deleted" in refusal(error)[1]


# ---- merging ---------------------------------------------------------------------------------------------------------


def test_merge_makes_a_merge_commit(github: GitHubStandIn) -> None:
    branch = changed(github, {"merge/terragrunt.hcl": "a = 1\n"})
    number = opened(github, branch)
    result = github.client("infra-member").rest.pulls.merge(*HERE, number).parsed_data
    github.git("fetch", "-q", "origin")
    assert github.git("rev-parse", "origin/main") == result.sha
    assert github.git("rev-parse", "origin/main^2") == github.git("rev-parse", branch)
    assert github.git("show", "origin/main:merge/terragrunt.hcl") == "a = 1"
    assert github.git("log", "-1", "--format=%an|%s", "origin/main") == (
        f"Ines Infra|Merge pull request #{number} from {OWNER}/{branch}"
    )
    pull = github.client(BOT).rest.pulls.get(*HERE, number).parsed_data
    assert pull.merged_by is not None
    assert (pull.state, pull.merged, pull.merged_by.login) == ("closed", True, "infra-member")


def test_squash_makes_one_commit_on_the_base(github: GitHubStandIn) -> None:
    branch = changed(github)
    github.push(branch, {"squash.hcl": "a = 1\n"})
    number = opened(github, branch)
    github.git("fetch", "-q", "origin")
    before = github.git("rev-parse", "origin/main")
    github.client("developer").rest.pulls.merge(
        *HERE, number, merge_method="squash", sha=github.git("rev-parse", branch)
    )
    github.git("fetch", "-q", "origin")
    assert github.git("rev-parse", "origin/main^") == before
    assert github.git("log", "-1", "--format=%s", "origin/main") == f"Add {branch} (#{number})"


def test_rebase_puts_each_commit_on_a_base_that_went_on(github: GitHubStandIn) -> None:
    branch = changed(github)
    github.push(branch, {"rebase.hcl": "a = 1\n"}, message="second of two")
    number = opened(github, branch)
    github.push("main", {f"other-{number}.hcl": "b = 1\n"}, base="main", message="meanwhile")
    github.client("developer").rest.pulls.merge(*HERE, number, merge_method="rebase")
    github.git("fetch", "-q", "origin")
    log = github.git("log", "-3", "--format=%an|%s", "origin/main").splitlines()
    assert log == ["developer|second of two", "developer|change", "developer|meanwhile"]
    assert github.git("show", "origin/main:rebase.hcl") == "a = 1"
    assert github.git("show", f"origin/main:other-{number}.hcl") == "b = 1"


def test_conflict_is_dirty_and_not_mergeable(github: GitHubStandIn) -> None:
    path = f"conflict-{next(_numbers)}.hcl"
    branch = changed(github, {path: "mine\n"})
    number = opened(github, branch)
    github.push("main", {path: "theirs\n"}, base="main")
    pull = github.client(BOT).rest.pulls.get(*HERE, number).parsed_data
    assert (pull.mergeable, pull.mergeable_state) == (False, "dirty")
    with pytest.raises(RequestFailed) as error:
        github.client("developer").rest.pulls.merge(*HERE, number)
    assert refusal(error)[0] == 405


def test_merge_of_an_old_head_is_refused(github: GitHubStandIn) -> None:
    branch = changed(github)
    old = github.git("rev-parse", branch)
    number = opened(github, branch)
    github.push(branch, {"newer.hcl": "a = 1\n"})
    with pytest.raises(RequestFailed) as error:
        github.client("developer").rest.pulls.merge(*HERE, number, sha=old)
    assert refusal(error)[0] == 409


def test_merge_needs_the_push_right(github: GitHubStandIn) -> None:
    with pytest.raises(RequestFailed) as error:
        github.client("outsider").rest.pulls.merge(*HERE, opened(github))
    assert refusal(error)[0] == 403


def test_draft_and_closed_are_not_merged(github: GitHubStandIn) -> None:
    draft, closed = opened(github, draft=True), opened(github)
    client = github.client("developer").rest.pulls
    client.update(*HERE, closed, state="closed")
    for number in (draft, closed):
        with pytest.raises(RequestFailed) as error:
            client.merge(*HERE, number)
        assert refusal(error)[0] == 405


def test_base_that_was_pushed_with_the_head_counts_as_merged(github: GitHubStandIn) -> None:
    branch = changed(github)
    number = opened(github, branch)
    github.git("push", "-q", "origin", f"{branch}:main")
    assert github.client(BOT).rest.pulls.get(*HERE, number).parsed_data.merged


def test_protection_blocks_until_check_and_approval_are_there(github: GitHubStandIn) -> None:
    github.git("push", "-q", "origin", "main:release")
    github.control("PUT", "protection/release", {"required_checks": ["docustack/plan"], "required_approvals": 1})
    branch = changed(github)
    number = opened(github, branch, base="release")
    client, bot = github.client("developer").rest, github.client(BOT).rest
    with pytest.raises(RequestFailed) as error:
        client.pulls.merge(*HERE, number)
    status, text = refusal(error)
    assert status == 405
    assert "docustack/plan" in text
    assert "approving review" in text
    sha = github.git("rev-parse", branch)
    bot.checks.create(*HERE, name="docustack/plan", head_sha=sha, status="completed", conclusion="success")
    github.client("outsider").rest.pulls.create_review(*HERE, number, event="APPROVE")
    assert bot.pulls.get(*HERE, number).parsed_data.mergeable_state == "blocked"
    github.client("lead").rest.pulls.create_review(*HERE, number, event="APPROVE")
    assert bot.pulls.get(*HERE, number).parsed_data.mergeable_state == "clean"
    assert bot.repos.get_branch(*HERE, "release").parsed_data.protected
    assert client.pulls.merge(*HERE, number).parsed_data.merged


# ---- conversation ----------------------------------------------------------------------------------------------------


def test_comment_is_written_read_changed_and_deleted(github: GitHubStandIn) -> None:
    number = opened(github)
    issues = github.client(BOT).rest.issues
    made = issues.create_comment(*HERE, number, body="one <!-- key:1 -->").parsed_data
    assert issues.get_comment(*HERE, made.id).parsed_data.body == "one <!-- key:1 -->"
    assert issues.update_comment(*HERE, made.id, body="two").parsed_data.body == "two"
    assert [comment.body for comment in listed(IssueComment, issues.list_comments(*HERE, number))] == ["two"]
    issues.delete_comment(*HERE, made.id)
    assert issues.list_comments(*HERE, number).parsed_data == []


def test_comments_come_in_pages_with_links(github: GitHubStandIn) -> None:
    number, client = opened(github), github.client("outsider")
    for text in ("a", "b", "c"):
        client.rest.issues.create_comment(*HERE, number, body=text)
    first = client.rest.issues.list_comments(*HERE, number, per_page=2)
    assert 'rel="next"' in first.headers["link"]
    second = client.rest.issues.list_comments(*HERE, number, per_page=2, page=2)
    pages = [[comment.body for comment in listed(IssueComment, page)] for page in (first, second)]
    assert pages == [["a", "b"], ["c"]]


def test_comment_has_at_most_65536_characters(github: GitHubStandIn) -> None:
    number, issues = opened(github), github.client(BOT).rest.issues
    assert issues.create_comment(*HERE, number, body="ä" * 65_536).status_code == 201
    with pytest.raises(RequestFailed) as error:
        issues.create_comment(*HERE, number, body="ä" * 65_537)
    status, text = refusal(error)
    assert status == 422
    assert "maximum is 65536 characters" in text


def test_only_author_or_pusher_changes_a_comment(github: GitHubStandIn) -> None:
    made = github.client("developer").rest.issues.create_comment(*HERE, opened(github), body="mine").parsed_data
    with pytest.raises(RequestFailed) as error:
        github.client("outsider").rest.issues.update_comment(*HERE, made.id, body="not mine")
    assert refusal(error)[0] == 403


def test_same_reaction_twice_is_one(github: GitHubStandIn) -> None:
    client = github.client(BOT).rest
    made = client.issues.create_comment(*HERE, opened(github), body="terrateam plan").parsed_data
    statuses = [client.reactions.create_for_issue_comment(*HERE, made.id, content="eyes").status_code for _ in "12"]
    assert statuses == [201, 200]
    given = client.reactions.list_for_issue_comment(*HERE, made.id).parsed_data
    assert [(reaction.content, reaction.user and reaction.user.login) for reaction in given] == [("eyes", BOT)]
    reactions = client.issues.get_comment(*HERE, made.id).parsed_data.reactions
    assert reactions
    assert reactions.eyes == 1


def test_review_stays_on_the_commit_it_was_given_for(github: GitHubStandIn) -> None:
    branch = changed(github)
    number, reviewed = opened(github, branch), github.git("rev-parse", branch)
    github.client("lead").rest.pulls.create_review(*HERE, number, event="APPROVE", body="Good")
    github.push(branch, {"after-review.hcl": "a = 1\n"})
    [review] = listed(PullRequestReview, github.client(BOT).rest.pulls.list_reviews(*HERE, number))
    assert (review.state, review.commit_id) == ("APPROVED", reviewed)
    assert review.user is not None
    assert review.user.login == "lead"


def test_nobody_approves_their_own(github: GitHubStandIn) -> None:
    with pytest.raises(RequestFailed) as error:
        github.client("developer").rest.pulls.create_review(*HERE, opened(github), event="APPROVE")
    assert "your own pull request" in refusal(error)[1]


def test_dismissed_review_says_so(github: GitHubStandIn) -> None:
    number, client = opened(github), github.client("infra-member").rest.pulls
    review = github.client("lead").rest.pulls.create_review(*HERE, number, event="APPROVE").parsed_data
    with pytest.raises(RequestFailed) as error:
        github.client("outsider").rest.pulls.dismiss_review(*HERE, number, review.id, message="no")
    assert refusal(error)[0] == 403
    assert client.dismiss_review(*HERE, number, review.id, message="stale").parsed_data.state == "DISMISSED"
    assert client.get_review(*HERE, number, review.id).parsed_data.state == "DISMISSED"


# ---- checks ----------------------------------------------------------------------------------------------------------


def test_check_run_goes_from_queued_to_concluded(github: GitHubStandIn) -> None:
    branch = changed(github)
    sha, number = github.git("rev-parse", branch), opened(github, branch)
    checks = github.client(BOT).rest.checks
    made = checks.create(
        *HERE, name="docustack/plan", head_sha=sha, external_id="run:1", details_url="http://x/"
    ).parsed_data
    assert (made.status, made.conclusion, made.external_id) == ("queued", None, "run:1")
    checks.update(*HERE, made.id, status="in_progress")
    pulls = github.client(BOT).rest.pulls
    assert pulls.get(*HERE, number).parsed_data.mergeable_state == "unstable"
    done = checks.update(
        *HERE, made.id, conclusion="success", output={"title": "3 to add", "summary": "**Good**", "text": "all"}
    ).parsed_data
    assert (done.status, done.conclusion, done.output.title) == ("completed", "success", "3 to add")
    assert done.completed_at is not None
    assert [pull.number for pull in done.pull_requests] == [number]
    assert pulls.get(*HERE, number).parsed_data.mergeable_state == "clean"
    assert checks.get(*HERE, made.id).parsed_data.output.text == "all"


def test_newest_check_run_of_a_name_is_listed_alone(github: GitHubStandIn) -> None:
    branch = changed(github)
    sha, checks = github.git("rev-parse", branch), github.client(BOT).rest.checks
    ids = [checks.create(*HERE, name="docustack/plan", head_sha=sha).parsed_data.id for _ in range(2)]
    checks.create(*HERE, name="docustack/apply", head_sha=sha)
    named = checks.list_for_ref(*HERE, sha, check_name="docustack/plan").parsed_data
    assert [run.id for run in named.check_runs] == [ids[1]]
    assert checks.list_for_ref(*HERE, branch).parsed_data.total_count == 2
    every = checks.list_for_ref(*HERE, branch, check_name="docustack/plan", filter_="all").parsed_data
    assert [run.id for run in every.check_runs] == ids[::-1]


def test_only_an_app_makes_check_runs(github: GitHubStandIn) -> None:
    sha = github.git("rev-parse", "origin/main")
    with pytest.raises(RequestFailed) as error:
        github.client("lead").rest.checks.create(*HERE, name="docustack/plan", head_sha=sha)
    assert refusal(error)[0] == 403


def test_check_summary_has_at_most_65535_characters(github: GitHubStandIn) -> None:
    sha = github.git("rev-parse", "origin/main")
    output = {"title": "T", "summary": "s" * 65_536}
    wanted = {"name": "docustack/plan", "head_sha": sha, "output": output}
    assert github.request(BOT, "POST", "check-runs", wanted).status_code == 422


# ---- git through the API ---------------------------------------------------------------------------------------------


def test_comparison_counts_both_sides(github: GitHubStandIn) -> None:
    branch = changed(github)
    github.push("main", {f"compare-{next(_numbers)}.hcl": "a\n"}, base="main")
    found = github.client(BOT).rest.repos.compare_commits(*HERE, f"main...{branch}").parsed_data
    assert (found.status, found.ahead_by, found.behind_by) == ("diverged", 1, 1)
    assert found.files
    assert len(found.files) == 1


def test_commit_tells_author_parents_and_files(github: GitHubStandIn) -> None:
    branch = changed(github)
    commit = github.client(BOT).rest.repos.get_commit(*HERE, branch).parsed_data
    assert commit.sha == github.git("rev-parse", branch)
    assert [parent.sha for parent in commit.parents] == [github.git("rev-parse", f"{branch}^")]
    assert isinstance(commit.author, SimpleUser)
    assert commit.author.login == "developer"
    assert commit.files
    assert commit.files[0].status == "added"


def test_branch_is_made_moved_and_deleted(github: GitHubStandIn) -> None:
    branch = changed(github)
    first, second = github.git("rev-parse", f"{branch}^"), github.git("rev-parse", branch)
    client = github.client(BOT).rest
    client.git.create_ref(*HERE, ref="refs/heads/rollback/one", sha=first)
    with pytest.raises(RequestFailed) as error:
        client.git.create_ref(*HERE, ref="refs/heads/rollback/one", sha=first)
    assert "already exists" in refusal(error)[1]
    assert client.git.update_ref(*HERE, "heads/rollback/one", sha=second).parsed_data.object_.sha == second
    with pytest.raises(RequestFailed) as error:
        client.git.update_ref(*HERE, "heads/rollback/one", sha=first)
    assert "not a fast forward" in refusal(error)[1]
    assert client.repos.get_branch(*HERE, "rollback/one").parsed_data.commit.sha == second
    client.git.delete_ref(*HERE, "heads/rollback/one")
    with pytest.raises(RequestFailed) as error:
        client.git.get_ref(*HERE, "heads/rollback/one")
    assert refusal(error)[0] == 404


def test_file_is_read_at_a_commit(github: GitHubStandIn) -> None:
    path = "dev/us-east-1/vpc/terragrunt.hcl"
    repos = github.client(BOT).rest.repos
    content = repos.get_content(*HERE, path, ref=github.git("rev-parse", "origin/main")).parsed_data
    assert isinstance(content, ContentFile)
    assert base64.b64decode(content.content).startswith(b"line 1\n")
    folder = listed(ContentDirectoryItems, repos.get_content(*HERE, "dev/us-east-1"))
    assert [entry.name for entry in folder] == ["vpc"]
    with pytest.raises(RequestFailed) as error:
        repos.get_content(*HERE, "no/such/file")
    assert refusal(error)[0] == 404


# ---- bad days --------------------------------------------------------------------------------------------------------


def test_secondary_rate_limit_says_when_to_come_back(github: GitHubStandIn) -> None:
    github.fault(kind="secondary_rate_limit", path=r"/repos/.*/comments", times=1, retry_after=7)
    number, issues = opened(github), github.client(BOT).rest.issues
    with pytest.raises(SecondaryRateLimitExceeded) as error:
        issues.create_comment(*HERE, number, body="x")
    assert error.value.retry_after.total_seconds() == 7
    assert issues.create_comment(*HERE, number, body="x").status_code == 201


def test_server_error_does_nothing(github: GitHubStandIn) -> None:
    number, issues = opened(github), github.client(BOT).rest.issues
    github.fault(kind="server_error", method="POST", times=2, status=503)
    for _ in range(2):
        with pytest.raises(RequestFailed) as error:
            issues.create_comment(*HERE, number, body="x")
        assert refusal(error)[0] == 503
    assert issues.list_comments(*HERE, number).parsed_data == []


def test_lost_answer_did_what_was_asked(github: GitHubStandIn) -> None:
    number, issues = opened(github), github.client(BOT).rest.issues
    github.fault(kind="lost_answer", method="POST", times=1)
    with pytest.raises(RequestFailed) as error:
        issues.create_comment(*HERE, number, body="x")
    assert refusal(error)[0] == 502
    assert [comment.body for comment in listed(IssueComment, issues.list_comments(*HERE, number))] == ["x"]


def test_fault_ends_with_its_time(github: GitHubStandIn) -> None:
    github.fault(kind="server_error", seconds=0.001)
    assert github.client(BOT).rest.users.get_authenticated().status_code == 200
    assert github.control("GET", "faults") == {"faults": []}


def test_mergeability_may_be_unknown_for_a_while(github: GitHubStandIn) -> None:
    number, pulls = opened(github), github.client(BOT).rest.pulls
    github.fault(kind="mergeability_unknown", times=1)
    answers = [pulls.get(*HERE, number).parsed_data.mergeable for _ in range(2)]
    assert answers == [None, True]


@pytest.mark.parametrize("body,status", [(b"{", 400), (b"[]", 422), (b'{"title": 3}', 422), (b"\xff", 400)])
def test_malformed_body_is_refused(github: GitHubStandIn, body: bytes, status: int) -> None:
    headers = {"authorization": f"token {github.token('developer')}"}
    response = httpx.post(f"{github.url}/repos/{OWNER}/{REPOSITORY}/pulls", content=body, headers=headers)
    assert response.status_code == status
    assert response.json()["message"]


@pytest.mark.parametrize("path", ["pulls/99999", "pulls/x", "issues/comments/99999999", "check-runs/0", "no/such"])
def test_what_is_not_there_is_not_found(github: GitHubStandIn, path: str) -> None:
    headers = {"authorization": f"Bearer {github.token('developer')}"}
    response = httpx.get(f"{github.url}/repos/{OWNER}/{REPOSITORY}/{path}", headers=headers)
    assert (response.status_code, response.json()["message"]) == (404, "Not Found")
