"""The activities on GitHub: what they write is there once, what they read is what the gate may trust."""

import dataclasses
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

import httpx
import pytest
from githubkit import AppInstallationAuthStrategy, TokenAuthStrategy
from githubkit import GitHub as Client
from githubkit.auth import BaseAuthStrategy
from githubkit_schemas.latest.models import IssueComment
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.github import MERGEABLE_ATTEMPTS, GitHub
from activities.github_checks import SUMMARY_LIMIT, TITLE_LIMIT, cut
from activities.github_messages import (
    AskAnswered,
    ListPullRequests,
    MarkForgotten,
    MarkOutdated,
    PostComment,
    React,
    ReadGate,
    ReadPerson,
    ReadPullRequest,
    SetCheck,
)
from docustack.access import Person
from docustack.comment_markers import find_marker, is_outdated, marker
from docustack.gate_facts import GateFacts
from docustack.repository import Repository
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn, listed

BOT = "docustack[bot]"
LIVE = Repository(owner=OWNER, name=REPOSITORY)
TEAMS = {"infra": "infra", "leads": "leads"}
_numbers = count(1)
Q = TypeVar("Q")
A = TypeVar("A")


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    github = GitHubStandIn(root=tmp_path_factory.mktemp("github"))
    github.prepare()
    github.start()
    yield github
    github.close()


@pytest.fixture(autouse=True)
def _no_faults(stand_in: GitHubStandIn) -> Iterator[None]:
    yield
    stand_in.control("DELETE", "faults")


@pytest.fixture
def github(stand_in: GitHubStandIn) -> GitHub:
    return as_bot(stand_in)


def as_bot(stand_in: GitHubStandIn, clock: Callable[[], float] = time.monotonic) -> GitHub:
    client = Client(
        TokenAuthStrategy(stand_in.token(BOT)),
        base_url=stand_in.url,
        auto_retry=False,
        http_cache=False,
        ssl_verify=False,  # plain HTTP: spares each call the reading of all authorities
    )
    return GitHub(client, bot_login=BOT, clock=clock)


def on_attempt(number: int) -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(ActivityEnvironment.default_info(), attempt=number)
    return environment


async def failing(
    environment: ActivityEnvironment, activity: Callable[[Q], Awaitable[A]], question: Q
) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await environment.run(activity, question)
    return caught.value


def opened(stand_in: GitHubStandIn, *, draft: bool = False, base: str = "main") -> int:
    branch = f"feature/{next(_numbers)}"
    stand_in.push(branch, {f"dev/{branch}/terragrunt.hcl": "a = 1\n"}, base=base)
    pulls = stand_in.client("developer").rest.pulls
    return pulls.create(
        OWNER, REPOSITORY, title=f"Add {branch}", head=branch, base=base, draft=draft
    ).parsed_data.number


def head_of(stand_in: GitHubStandIn, number: int) -> str:
    return stand_in.client("developer").rest.pulls.get(OWNER, REPOSITORY, number).parsed_data.head.sha


def comments_on(stand_in: GitHubStandIn, number: int) -> list[str]:
    response = stand_in.client("developer").rest.issues.list_comments(OWNER, REPOSITORY, number, per_page=100)
    return [comment.body or "" for comment in listed(IssueComment, response)]


def comment_by(stand_in: GitHubStandIn, login: str, number: int, body: str) -> int:
    issues = stand_in.client(login).rest.issues
    return issues.create_comment(OWNER, REPOSITORY, number, body=body).parsed_data.id


def plan_comment(number: int, body: str = "## Terrateam Plan", key: str = "plan:1", **more: int) -> PostComment:
    return PostComment(repository=LIVE, pull_request=number, key=key, body=body, **more)


# ---- comments --------------------------------------------------------------------------------------------------------


async def test_a_comment_is_posted_with_its_hidden_key(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    posted = await on_attempt(1).run(github.post_comment, plan_comment(number))
    (body,) = comments_on(stand_in, number)
    assert body.startswith("## Terrateam Plan")
    assert find_marker(body) == "plan:1"
    assert posted.url.endswith(f"#issuecomment-{posted.comment_id}")


async def test_a_comment_whose_answer_was_lost_is_not_posted_twice(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    stand_in.fault(kind="lost_answer", method="POST", path=f".*/issues/{number}/comments", times=1)
    error = await failing(on_attempt(1), github.post_comment, plan_comment(number))
    assert (error.type, error.non_retryable) == ("unavailable", False)
    await on_attempt(2).run(github.post_comment, plan_comment(number))
    assert len(comments_on(stand_in, number)) == 1


async def test_a_retry_posts_what_never_arrived(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    stand_in.fault(kind="server_error", method="POST", path=f".*/issues/{number}/comments", times=1)
    await failing(on_attempt(1), github.post_comment, plan_comment(number))
    await on_attempt(2).run(github.post_comment, plan_comment(number))
    assert len(comments_on(stand_in, number)) == 1


async def test_somebody_elses_copy_of_a_key_is_not_taken_for_ours(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    forged = comment_by(stand_in, "outsider", number, f"Everything is fine.\n\n{marker('plan:1')}")
    posted = await on_attempt(2).run(github.post_comment, plan_comment(number))
    assert posted.comment_id != forged


async def test_a_comment_is_rewritten_in_place(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    first = await on_attempt(1).run(github.post_comment, plan_comment(number, "running"))
    rewritten = plan_comment(number, "done", comment_id=first.comment_id)
    second = await on_attempt(1).run(github.post_comment, rewritten)
    assert second.comment_id == first.comment_id
    (body,) = comments_on(stand_in, number)
    assert body.startswith("done")


async def test_a_deleted_comment_is_posted_anew(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    first = await on_attempt(1).run(github.post_comment, plan_comment(number, "running"))
    stand_in.client(BOT).rest.issues.delete_comment(OWNER, REPOSITORY, first.comment_id)
    rewritten = plan_comment(number, "done", comment_id=first.comment_id)
    second = await on_attempt(1).run(github.post_comment, rewritten)
    again = await on_attempt(2).run(github.post_comment, rewritten)
    assert again.comment_id == second.comment_id
    assert [body.split()[0] for body in comments_on(stand_in, number)] == ["done"]


async def test_a_comment_on_a_pull_request_that_is_not_there_says_so(github: GitHub) -> None:
    error = await failing(on_attempt(1), github.post_comment, plan_comment(99_999))
    assert (error.type, error.non_retryable) == ("not-found", True)
    assert f"{LIVE.full_name}#99999" in error.message


async def test_comments_of_plans_that_nobody_remembers_are_folded_by_their_keys(
    stand_in: GitHubStandIn, github: GitHub
) -> None:
    number = opened(stand_in)
    keys = ("r1:dev/a:plan", "r1:plans", "r1:dev/a:again:2", "r1:dev/a:apply", "r1:refused")
    for key in keys:
        await on_attempt(1).run(github.post_comment, plan_comment(number, key, key=key))
    comment_by(stand_in, "developer", number, f"copied\n\n{marker('r1:plans')}")
    order = MarkForgotten(repository=LIVE, pull_request=number, before="2999-01-01T00:00:00Z", reason="planned anew")
    await on_attempt(1).run(github.mark_forgotten, order.model_copy(update={"before": "2020-01-01T00:00:00Z"}))
    assert not any(is_outdated(body) for body in comments_on(stand_in, number))
    for attempt in (1, 2):
        await on_attempt(attempt).run(github.mark_forgotten, order)
        assert [is_outdated(body) for body in comments_on(stand_in, number)] == [True, True, True, False, False, False]


async def test_a_comment_counts_as_answered_by_a_sign_of_ours_and_by_nobody_elses(
    stand_in: GitHubStandIn, github: GitHub
) -> None:
    number = opened(stand_in)
    comment = comment_by(stand_in, "developer", number, "terrateam apply")
    question = AskAnswered(repository=LIVE, comment_id=comment)
    await on_attempt(1).run(as_bot(stand_in).react, React(repository=LIVE, comment_id=comment, content="eyes"))
    other = comment_by(stand_in, "developer", number, "terrateam plan")
    stand_in.client("lead").rest.reactions.create_for_issue_comment(OWNER, REPOSITORY, other, content="eyes")
    assert (await on_attempt(1).run(github.ask_answered, question)).answered
    unanswered = AskAnswered(repository=LIVE, comment_id=other)
    assert not (await on_attempt(1).run(github.ask_answered, unanswered)).answered


async def test_a_comment_that_is_gone_can_not_be_answered_any_more(stand_in: GitHubStandIn, github: GitHub) -> None:
    comment = comment_by(stand_in, "developer", opened(stand_in), "terrateam apply")
    stand_in.client("developer").rest.issues.delete_comment(OWNER, REPOSITORY, comment)
    assert (await on_attempt(1).run(github.ask_answered, AskAnswered(repository=LIVE, comment_id=comment))).answered


async def test_old_comments_are_folded_away_once_and_keep_their_text(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    posted = await on_attempt(1).run(github.post_comment, plan_comment(number, "the old plan"))
    deleted = await on_attempt(1).run(github.post_comment, plan_comment(number, "gone", key="plan:2"))
    stand_in.client(BOT).rest.issues.delete_comment(OWNER, REPOSITORY, deleted.comment_id)
    order = MarkOutdated(
        repository=LIVE, pull_request=number, comment_ids=(deleted.comment_id, posted.comment_id), reason="a push came"
    )
    await on_attempt(1).run(github.mark_outdated, order)
    (once,) = comments_on(stand_in, number)
    await on_attempt(2).run(github.mark_outdated, order)
    (twice,) = comments_on(stand_in, number)
    assert is_outdated(once)
    assert "the old plan" in once
    assert once == twice


async def test_a_reaction_given_twice_is_there_once(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    comment = comment_by(stand_in, "developer", number, "terrateam plan")
    for attempt in (1, 2):
        await on_attempt(attempt).run(github.react, React(repository=LIVE, comment_id=comment, content="eyes"))
    response = stand_in.client(BOT).rest.reactions.list_for_issue_comment(OWNER, REPOSITORY, comment)
    assert [one["content"] for one in response.json()] == ["eyes"]


async def test_a_deleted_comment_needs_no_reaction(github: GitHub) -> None:
    await on_attempt(1).run(github.react, React(repository=LIVE, comment_id=99_999, content="eyes"))


async def test_a_reaction_that_github_does_not_know_is_refused(github: GitHub) -> None:
    error = await failing(on_attempt(1), github.react, React(repository=LIVE, comment_id=1, content="shrug"))
    assert (error.type, error.non_retryable) == ("invalid-input", True)


# ---- checks ----------------------------------------------------------------------------------------------------------


def plan_check(commit: str, **changes: object) -> SetCheck:
    check = SetCheck(
        repository=LIVE,
        head_commit=commit,
        name="docustack/plan",
        external_id="run-1",
        status="in_progress",
        title="Planning",
        summary="Three units",
    )
    return check.model_copy(update=changes)


def checks_of(stand_in: GitHubStandIn, commit: str) -> list[tuple[int, str, str | None]]:
    response = stand_in.client("developer").rest.checks.list_for_ref(OWNER, REPOSITORY, commit, filter_="all")
    return [(run.id, run.status, run.conclusion) for run in response.parsed_data.check_runs]


async def test_a_check_is_created_then_completed(stand_in: GitHubStandIn, github: GitHub) -> None:
    commit = head_of(stand_in, opened(stand_in))
    created = await on_attempt(1).run(github.set_check, plan_check(commit))
    done = plan_check(commit, status="completed", conclusion="success", check_run_id=created.check_run_id)
    await on_attempt(1).run(github.set_check, done)
    assert checks_of(stand_in, commit) == [(created.check_run_id, "completed", "success")]


async def test_a_check_whose_answer_was_lost_is_not_created_twice(stand_in: GitHubStandIn, github: GitHub) -> None:
    commit = head_of(stand_in, opened(stand_in))
    stand_in.fault(kind="lost_answer", method="POST", path=".*/check-runs", times=1)
    await failing(on_attempt(1), github.set_check, plan_check(commit))
    await on_attempt(2).run(github.set_check, plan_check(commit))
    assert len(checks_of(stand_in, commit)) == 1


async def test_another_runs_check_of_the_same_name_is_left_alone(stand_in: GitHubStandIn, github: GitHub) -> None:
    commit = head_of(stand_in, opened(stand_in))
    first = await on_attempt(1).run(github.set_check, plan_check(commit))
    second = await on_attempt(2).run(github.set_check, plan_check(commit, external_id="run-2"))
    assert second.check_run_id != first.check_run_id


async def test_a_check_is_ended_for_a_run_that_can_not_and_never_made_for_it(
    stand_in: GitHubStandIn, github: GitHub
) -> None:
    commit = head_of(stand_in, opened(stand_in))
    made = await on_attempt(1).run(github.set_check, plan_check(commit))
    end = {"status": "completed", "conclusion": "cancelled", "only_existing": True}
    ended = await on_attempt(1).run(github.set_check, plan_check(commit, **end))
    assert ended.check_run_id == made.check_run_id
    assert (
        await on_attempt(1).run(github.set_check, plan_check(commit, external_id="run-2", **end))
    ).check_run_id is None
    checks = stand_in.client(BOT).rest.checks.list_for_ref(OWNER, REPOSITORY, commit, filter_="all").json()
    assert [check["conclusion"] for check in checks["check_runs"]] == ["cancelled"]


async def test_a_long_title_and_summary_fit_into_githubs_limits(stand_in: GitHubStandIn, github: GitHub) -> None:
    commit = head_of(stand_in, opened(stand_in))
    created = await on_attempt(1).run(github.set_check, plan_check(commit, title="é" * 300, summary="ü" * 70_000))
    assert created.check_run_id is not None
    output = stand_in.client(BOT).rest.checks.get(OWNER, REPOSITORY, created.check_run_id).parsed_data.output
    assert output.title is not None
    assert output.summary is not None
    assert len(output.title.encode()) <= TITLE_LIMIT
    assert SUMMARY_LIMIT - 4 <= len(output.summary.encode()) <= SUMMARY_LIMIT
    assert output.summary.endswith("ü…")


def test_a_text_within_the_limit_is_not_cut() -> None:
    assert cut("é" * 5, 10) == "é" * 5
    assert cut("é" * 6, 10) == "é" * 3 + "…"


# ---- people ----------------------------------------------------------------------------------------------------------


def person(login: str) -> ReadPerson:
    return ReadPerson(repository=LIVE, login=login, teams=TEAMS)


async def test_each_login_has_its_teams_and_its_rights(github: GitHub) -> None:
    read = on_attempt(1).run
    assert await read(github.read_person, person("developer")) == Person(login="developer", can_push=True)
    assert await read(github.read_person, person("outsider")) == Person(login="outsider", can_push=False)
    assert (await read(github.read_person, person("infra-member"))).teams == ("infra",)
    assert "leads" in (await read(github.read_person, person("lead"))).teams
    assert await read(github.read_person, person("nobody-at-all")) == Person(login="nobody-at-all")


async def test_an_invitation_that_is_not_accepted_is_no_membership(stand_in: GitHubStandIn, github: GitHub) -> None:
    stand_in.control("PUT", "teams/invited", {"members": {"developer": "pending", "lead": "active"}})
    teams = {"invited": "invited"}
    read = on_attempt(1).run
    invited = await read(github.read_person, ReadPerson(repository=LIVE, login="developer", teams=teams))
    member = await read(github.read_person, ReadPerson(repository=LIVE, login="lead", teams=teams))
    assert (invited.teams, member.teams) == ((), ("invited",))


async def test_a_member_of_a_child_team_is_a_member_of_its_parent(stand_in: GitHubStandIn, github: GitHub) -> None:
    stand_in.control("PUT", "teams/platform", {"members": {}})
    stand_in.control("PUT", "teams/platform-east", {"members": {"developer": "active"}, "parent": "platform"})
    question = ReadPerson(repository=LIVE, login="developer", teams={"platform": "platform"})
    assert (await on_attempt(1).run(github.read_person, question)).teams == ("platform",)


async def test_a_team_that_is_not_there_has_no_members(github: GitHub) -> None:
    question = ReadPerson(repository=LIVE, login="lead", teams={"gone": "no-such-team"})
    assert (await on_attempt(1).run(github.read_person, question)).teams == ()


async def test_a_membership_is_remembered_for_a_minute_and_no_longer(stand_in: GitHubStandIn) -> None:
    now = [0.0]
    github = as_bot(stand_in, clock=lambda: now[0])
    question = ReadPerson(repository=LIVE, login="developer", teams={"changing": "changing"})
    stand_in.control("PUT", "teams/changing", {"members": {"developer": "active"}})
    assert (await on_attempt(1).run(github.read_person, question)).teams == ("changing",)
    stand_in.control("PUT", "teams/changing", {"members": {}})
    now[0] = 59.0
    assert (await on_attempt(1).run(github.read_person, question)).teams == ("changing",)
    now[0] = 60.0
    assert (await on_attempt(1).run(github.read_person, question)).teams == ()


# ---- the gate --------------------------------------------------------------------------------------------------------


async def gate(github: GitHub, number: int, *, actor: str = "infra-member") -> GateFacts:
    question = ReadGate(repository=LIVE, pull_request=number, actor=actor, teams=TEAMS)
    return await on_attempt(MERGEABLE_ATTEMPTS).run(github.read_gate, question)


def review(stand_in: GitHubStandIn, login: str, number: int, event: str) -> int:
    content = {"event": event, "body": "because"}
    answer = stand_in.request(login, "POST", f"pulls/{number}/reviews", content)
    answer.raise_for_status()
    number_of_review: int = answer.json()["id"]
    return number_of_review


async def test_the_gate_reads_the_pull_request_and_its_actor(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    facts = await gate(github, number)
    assert (facts.author, facts.base_ref, facts.state) == ("developer", "main", "open")
    assert (facts.merged, facts.draft, facts.from_fork) == (False, False, False)
    assert facts.head_commit == head_of(stand_in, number)
    assert facts.mergeable is True
    assert facts.actor.teams == ("infra",)


async def test_an_approval_names_its_person_with_teams_and_its_commit(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    review(stand_in, "lead", number, "APPROVE")
    (found,) = (await gate(github, number)).reviews
    assert (found.reviewer.login, found.state, found.commit) == ("lead", "APPROVED", head_of(stand_in, number))
    assert "leads" in found.reviewer.teams


async def test_a_comment_after_an_approval_takes_nothing_back(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    review(stand_in, "lead", number, "APPROVE")
    review(stand_in, "lead", number, "COMMENT")
    assert [one.state for one in (await gate(github, number)).reviews] == ["APPROVED"]


async def test_a_later_refusal_takes_an_approval_back(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    review(stand_in, "lead", number, "APPROVE")
    review(stand_in, "lead", number, "REQUEST_CHANGES")
    assert [one.state for one in (await gate(github, number)).reviews] == ["CHANGES_REQUESTED"]


async def test_a_dismissed_approval_is_dismissed(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    given = review(stand_in, "lead", number, "APPROVE")
    dismissal = stand_in.request("lead", "PUT", f"pulls/{number}/reviews/{given}/dismissals", {"message": "no"})
    dismissal.raise_for_status()
    assert [one.state for one in (await gate(github, number)).reviews] == ["DISMISSED"]


async def test_mergeability_that_is_not_computed_yet_is_asked_for_again(
    stand_in: GitHubStandIn, github: GitHub
) -> None:
    number = opened(stand_in)
    stand_in.fault(kind="mergeability_unknown")
    question = ReadGate(repository=LIVE, pull_request=number, actor="lead", teams={})
    for attempt in range(1, MERGEABLE_ATTEMPTS):
        error = await failing(on_attempt(attempt), github.read_gate, question)
        assert (error.type, error.non_retryable) == ("unavailable", False)
        assert error.next_retry_delay is not None
        assert error.next_retry_delay < timedelta(seconds=10)
    assert (await on_attempt(MERGEABLE_ATTEMPTS).run(github.read_gate, question)).mergeable is None


async def test_a_closed_pull_request_is_not_asked_for_its_mergeability(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    stand_in.request("developer", "PATCH", f"pulls/{number}", {"state": "closed"}).raise_for_status()
    stand_in.fault(kind="mergeability_unknown")
    question = ReadGate(repository=LIVE, pull_request=number, actor="lead", teams={})
    assert (await on_attempt(1).run(github.read_gate, question)).state == "closed"


async def test_a_pull_request_is_read_without_its_reviews(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in, draft=True, base="staging")
    facts = await on_attempt(1).run(github.read_pull_request, ReadPullRequest(repository=LIVE, pull_request=number))
    assert (facts.number, facts.author, facts.state, facts.draft) == (number, "developer", "open", True)
    assert facts.base_ref == "staging"
    assert facts.closed_at is None
    assert facts.url.endswith(f"/pull/{number}")


async def test_the_sweep_sees_all_open_pull_requests_and_no_closed_one(stand_in: GitHubStandIn, github: GitHub) -> None:
    closed, left = opened(stand_in), opened(stand_in)
    stand_in.request("developer", "PATCH", f"pulls/{closed}", {"state": "closed"}).raise_for_status()
    found = await on_attempt(1).run(github.list_open_pull_requests, ListPullRequests(repository=LIVE))
    numbers = [one.number for one in found.pull_requests]
    assert left in numbers
    assert closed not in numbers
    assert numbers == sorted(numbers)


# ---- what GitHub refuses ---------------------------------------------------------------------------------------------

Answer = Callable[[httpx.Request], httpx.Response]


def fake_github(answer: Answer, auth: BaseAuthStrategy | None = None) -> GitHub:
    client = Client(
        auth or TokenAuthStrategy("token"),
        base_url="https://github.example.com/api/v3",
        auto_retry=False,
        http_cache=False,
        async_transport=httpx.MockTransport(answer),
    )
    return GitHub(client, bot_login=BOT)


def always(status: int, content: object = None, **headers: str) -> Answer:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, json=content or {"message": "no"}, headers=fields)


async def posting(github: GitHub) -> ApplicationError:
    return await failing(on_attempt(1), github.post_comment, plan_comment(7))


async def test_a_refused_token_names_the_setting_and_is_not_retried() -> None:
    error = await posting(fake_github(always(401, {"message": "Bad credentials"})))
    assert (error.type, error.non_retryable) == ("credentials", True)
    assert "DOCUSTACK_GITHUB_TOKEN" in error.message
    assert "Bad credentials" in error.message


async def test_a_missing_right_is_named() -> None:
    refusal = {"message": "Resource not accessible by integration"}
    error = await posting(fake_github(always(403, refusal, x_accepted_github_permissions="issues=write")))
    assert (error.type, error.non_retryable) == ("credentials", True)
    assert "pull requests: write" in error.message
    assert "issues=write" in error.message


async def test_a_check_with_a_plain_token_says_that_it_takes_a_github_app() -> None:
    github = fake_github(always(403, {"message": "You must authenticate via a GitHub App."}))
    error = await failing(on_attempt(1), github.set_check, plan_check("a" * 40))
    assert error.non_retryable
    assert "DOCUSTACK_GITHUB_APP_ID" in error.message


async def test_a_secondary_rate_limit_says_when_to_come_back(stand_in: GitHubStandIn, github: GitHub) -> None:
    number = opened(stand_in)
    stand_in.fault(kind="secondary_rate_limit", method="POST", retry_after=40, times=1)
    error = await failing(on_attempt(1), github.post_comment, plan_comment(number))
    assert (error.type, error.non_retryable) == ("throttled", False)
    assert error.next_retry_delay == timedelta(seconds=41)


async def test_a_spent_rate_limit_says_when_it_is_reset() -> None:
    reset = int((datetime.now(UTC) + timedelta(minutes=10)).timestamp())
    refusal = {"message": "API rate limit exceeded for installation ID 1."}
    error = await posting(fake_github(always(403, refusal, x_ratelimit_remaining="0", x_ratelimit_reset=str(reset))))
    assert (error.type, error.non_retryable) == ("throttled", False)
    assert error.next_retry_delay is not None
    assert timedelta(minutes=9) < error.next_retry_delay <= timedelta(minutes=10, seconds=1)


@pytest.mark.parametrize("status", [403, 429])
async def test_a_rate_limit_without_a_time_is_still_no_missing_right(status: int) -> None:
    error = await posting(fake_github(always(status, {"message": "You have exceeded a secondary rate limit."})))
    assert (error.type, error.non_retryable) == ("throttled", False)
    assert error.next_retry_delay == timedelta(minutes=1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_broken_github_is_asked_again(status: int) -> None:
    github = fake_github(lambda _: httpx.Response(status, text="<html>Unicorn!</html>"))
    error = await posting(github)
    assert (error.type, error.non_retryable) == ("unavailable", False)


@pytest.mark.parametrize("cause", [httpx.ConnectError("no route"), httpx.ReadTimeout("slow"), OSError("cable")])
async def test_a_network_that_fails_is_asked_again(cause: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise cause

    error = await posting(fake_github(fail))
    assert (error.type, error.non_retryable) == ("unavailable", False)


async def test_input_that_github_refuses_is_told_in_its_own_words() -> None:
    refusal = {
        "message": "Validation Failed",
        "errors": [
            {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long"}
        ],
    }
    error = await posting(fake_github(always(422, refusal)))
    assert (error.type, error.non_retryable) == ("invalid-input", True)
    assert "Validation Failed: Body is too long" in error.message


async def test_an_answer_that_is_not_githubs_points_at_the_address() -> None:
    error = await posting(fake_github(lambda _: httpx.Response(200, text="<html>Please sign in</html>")))
    assert (error.type, error.non_retryable) == ("unavailable", False)
    assert "DOCUSTACK_GITHUB_API_URL" in error.message


async def test_fields_that_github_drops_or_adds_stop_nothing() -> None:
    github = fake_github(always(201, {"id": 5, "brand_new": {"a": 1}}))
    assert (await on_attempt(1).run(github.post_comment, plan_comment(7))).comment_id == 5


async def test_the_lost_comment_is_found_beyond_the_first_page() -> None:
    ours = {"id": 500, "body": f"The plan\n\n{marker('plan:1')}", "user": {"login": BOT}}
    comments: list[dict[str, object]] = [
        *({"id": number, "body": "Remark", "user": {"login": "developer"}} for number in range(100)),
        ours,
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            return httpx.Response(200, json=ours)
        assert request.method == "GET", "posted twice"
        size, page = int(request.url.params["per_page"]), int(request.url.params["page"])
        return httpx.Response(200, json=comments[size * (page - 1) : size * page])

    assert (await on_attempt(2).run(fake_github(answer).post_comment, plan_comment(7))).comment_id == 500


# ---- signed in as a GitHub App ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def as_app(answer: Answer, key: str) -> GitHub:
    # Another app each time: githubkit keeps its tokens for the whole process.
    return fake_github(answer, AppInstallationAuthStrategy(next(_numbers), key, 1))


async def test_a_github_app_signs_in_as_its_installation(app_key: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        if request.url.path.endswith("/access_tokens"):
            expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return httpx.Response(201, json={"token": "ghs_1", "expires_at": expires, "permissions": {}})
        return httpx.Response(201, json={"id": 5, "body": json.loads(request.content)["body"]})

    await on_attempt(1).run(as_app(answer, app_key).post_comment, plan_comment(7))
    assert [kind.split()[0] for kind in seen] == ["Bearer", "token"]
    assert seen[1] == "token ghs_1"


async def test_an_app_that_is_not_installed_says_what_is_wrong(app_key: str) -> None:
    error = await posting(as_app(always(404, {"message": "Integration not found"}), app_key))
    assert error.non_retryable
    assert "sign in as the GitHub App" in error.message


async def test_an_app_is_throttled_while_it_signs_in(app_key: str) -> None:
    error = await posting(as_app(always(403, {"message": "secondary rate"}, retry_after="5"), app_key))
    assert (error.type, error.next_retry_delay) == ("throttled", timedelta(seconds=6))


async def test_an_app_with_a_broken_key_names_the_setting() -> None:
    error = await posting(as_app(always(500), "no key at all"))
    assert (error.type, error.non_retryable) == ("credentials", True)
    assert "DOCUSTACK_GITHUB_APP_PRIVATE_KEY" in error.message
