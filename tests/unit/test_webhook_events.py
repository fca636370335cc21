"""What GitHub sends is read into one event, ignored with a reason, or refused for what it lacks."""

import copy
import json
from typing import Any

import pytest

from docustack.base_moves import BaseMoved
from docustack.events import COMMENT_LIMIT, PullRequestEvent
from docustack.repository import Repository
from starter.webhook_events import Delivery, Ignored, Malformed, NotJson, Reading, read_delivery

LIVE = {"name": "live", "owner": {"login": "docustack"}, "private": True}
DEVELOPER = {"login": "developer", "type": "User"}
HEAD = "b" * 40

PULL_REQUEST: dict[str, Any] = {
    "number": 7,
    "title": "feat: add new service",
    "html_url": "https://github.com/docustack/live/pull/7",
    "user": DEVELOPER,
    "draft": False,
    "merged": False,
    "head": {"sha": HEAD, "ref": "feature/add-new-service", "repo": LIVE},
    "base": {"sha": "a" * 40, "ref": "main", "repo": LIVE},
}
ISSUE: dict[str, Any] = {
    "number": 7,
    "title": "feat: add new service",
    "html_url": "https://github.com/docustack/live/pull/7",
    "user": DEVELOPER,
    "draft": False,
    "pull_request": {"url": "https://api.github.com/repos/docustack/live/pulls/7"},
}
COMMENT = {
    "id": 11,
    "body": "terrateam apply",
    "html_url": "https://github.com/docustack/live/pull/7#issuecomment-11",
    "created_at": "2026-01-01T00:00:00Z",
}


def pull_request_event(action: str, **changes: object) -> dict[str, Any]:
    return {
        "action": action,
        "number": 7,
        "pull_request": copy.deepcopy(PULL_REQUEST) | changes,
        "repository": LIVE,
        "sender": DEVELOPER,
    }


def comment_event(action: str = "created", *, issue: object = None, comment: object = None) -> dict[str, Any]:
    return {
        "action": action,
        "issue": issue or ISSUE,
        "comment": comment or COMMENT,
        "repository": LIVE,
        "sender": DEVELOPER,
    }


def review_event(action: str, state: str) -> dict[str, Any]:
    review = {"id": 3, "state": state, "commit_id": HEAD, "user": {"login": "lead"}, "body": None}
    simple = {key: value for key, value in PULL_REQUEST.items() if key != "merged"}
    return {
        "action": action,
        "review": review,
        "pull_request": simple,
        "repository": LIVE,
        "sender": {"login": "lead", "type": "User"},
    }


def read(event: str, content: object, *, bot: str = "docustack[bot]", repositories: tuple[str, ...] = ()) -> Reading:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    delivery = Delivery(delivery_id="d-1", event=event, body=body, received_at="2026-01-02T03:04:05+00:00")
    return read_delivery(delivery, bot_login=bot, repositories=repositories)


def accepted(reading: Reading) -> PullRequestEvent:
    assert isinstance(reading, PullRequestEvent), reading
    return reading


def test_an_opened_pull_request_tells_all_that_is_known_of_it() -> None:
    assert accepted(read("pull_request", pull_request_event("opened"))) == PullRequestEvent(
        delivery_id="d-1",
        kind="opened",
        repository=Repository(owner="docustack", name="live"),
        number=7,
        sender="developer",
        title="feat: add new service",
        author="developer",
        url="https://github.com/docustack/live/pull/7",
        head_commit=HEAD,
        head_ref="feature/add-new-service",
        base_ref="main",
        draft=False,
        merged=False,
        from_fork=False,
        received_at="2026-01-02T03:04:05+00:00",
    )


@pytest.mark.parametrize(
    "action", ["opened", "reopened", "ready_for_review", "converted_to_draft", "synchronize", "edited", "closed"]
)
def test_each_action_on_a_pull_request_that_matters_is_a_kind_of_event(action: str) -> None:
    assert accepted(read("pull_request", pull_request_event(action))).kind == action


@pytest.mark.parametrize("action", ["labeled", "assigned", "auto_merge_enabled", "something_new_of_2031"])
def test_other_actions_are_ignored_and_named(action: str) -> None:
    reading = read("pull_request", pull_request_event(action))
    assert isinstance(reading, Ignored)
    assert action in reading.reason


@pytest.mark.parametrize(
    "event",
    [
        comment_event() | {"repository": LIVE | {"name": "../x"}},
        comment_event() | {"repository": LIVE | {"name": ".."}},
        comment_event() | {"repository": LIVE | {"name": "a b"}},
        comment_event() | {"repository": LIVE | {"owner": {"login": "docu/stack"}}},
        comment_event(issue=ISSUE | {"number": 10**30}),
        comment_event(comment=COMMENT | {"id": 10**30}),
        comment_event(comment=COMMENT | {"id": -1}),
    ],
    ids=["path", "dots", "blank", "slash", "number", "id", "negative"],
)
def test_names_and_numbers_that_github_does_not_have_are_refused(event: dict[str, Any]) -> None:
    assert isinstance(read("issue_comment", event), Malformed)


@pytest.mark.parametrize("name", ["live", ".github", "a.b_c-D", "..x", "1"])
def test_every_name_that_github_allows_is_taken(name: str) -> None:
    event = comment_event() | {"repository": LIVE | {"name": name}}
    assert accepted(read("issue_comment", event)).repository == Repository(owner="docustack", name=name)


def test_a_merged_pull_request_is_told_from_a_closed_one() -> None:
    assert accepted(read("pull_request", pull_request_event("closed", merged=True))).merged is True
    assert accepted(read("pull_request", pull_request_event("closed", merged=False))).merged is False


def test_an_edit_tells_whether_the_base_branch_was_changed() -> None:
    title = pull_request_event("edited") | {"changes": {"title": {"from": "x"}}}
    base = pull_request_event("edited") | {"changes": {"base": {"ref": {"from": "staging"}, "sha": {"from": HEAD}}}}
    assert accepted(read("pull_request", title)).base_changed is False
    assert accepted(read("pull_request", base)).base_changed is True


def test_a_head_in_another_repository_is_a_fork() -> None:
    fork = {"sha": HEAD, "ref": "main", "repo": {"name": "live", "owner": {"login": "outsider"}}}
    assert accepted(read("pull_request", pull_request_event("opened", head=fork))).from_fork is True


def test_a_deleted_fork_still_counts_as_a_fork() -> None:
    gone = {"sha": HEAD, "ref": "main", "repo": None}
    assert accepted(read("pull_request", pull_request_event("synchronize", head=gone))).from_fork is True


def test_a_pull_request_of_a_deleted_account_has_a_ghost_as_author() -> None:
    assert accepted(read("pull_request", pull_request_event("closed", user=None))).author == "ghost"


@pytest.mark.parametrize("state", ["approved", "changes_requested", "commented"])
def test_a_review_tells_its_state_and_its_commit(state: str) -> None:
    event = accepted(read("pull_request_review", review_event("submitted", state)))
    assert (event.kind, event.review_state, event.review_commit) == ("review_submitted", state, HEAD)
    assert (event.sender, event.head_commit) == ("lead", HEAD)


def test_a_dismissed_review_is_told() -> None:
    event = accepted(read("pull_request_review", review_event("dismissed", "dismissed")))
    assert (event.kind, event.review_state, event.merged) == ("review_dismissed", "dismissed", None)


def test_an_edited_review_is_ignored() -> None:
    assert isinstance(read("pull_request_review", review_event("edited", "approved")), Ignored)


def test_a_comment_tells_its_text_but_no_commit() -> None:
    event = accepted(read("issue_comment", comment_event()))
    assert (event.kind, event.comment_id, event.comment_body) == ("comment_created", 11, "terrateam apply")
    assert event.comment_url == COMMENT["html_url"]
    assert event.comment_created_at == "2026-01-01T00:00:00Z"
    assert (event.head_commit, event.base_ref, event.merged) == (None, None, None)


@pytest.mark.parametrize("action", ["edited", "deleted"])
def test_a_comment_that_is_changed_is_no_new_command(action: str) -> None:
    assert isinstance(read("issue_comment", comment_event(action)), Ignored)


def test_a_comment_on_an_issue_is_ignored() -> None:
    issue = {key: value for key, value in ISSUE.items() if key != "pull_request"}
    reading = read("issue_comment", comment_event(issue=issue))
    assert reading == Ignored("#7 is an issue, not a pull request")


def test_a_comment_without_text_is_an_empty_one() -> None:
    assert accepted(read("issue_comment", comment_event(comment=COMMENT | {"body": None}))).comment_body == ""


def test_a_huge_comment_is_cut_so_that_it_can_be_signalled() -> None:
    event = accepted(read("issue_comment", comment_event(comment=COMMENT | {"body": "é" * (COMMENT_LIMIT * 2)})))
    assert event.comment_body is not None
    assert len(event.comment_body) == COMMENT_LIMIT


def push_event(ref: str = "refs/heads/main", **changes: object) -> dict[str, Any]:
    return {
        "ref": ref,
        "before": "b" * 40,
        "after": HEAD,
        "deleted": False,
        "repository": LIVE,
        "sender": DEVELOPER,
    } | changes


def test_a_push_moves_its_branch() -> None:
    repository = Repository(owner="docustack", name="live")
    assert read("push", push_event()) == BaseMoved(repository=repository, base_ref="main", commit=HEAD)
    moved = read("push", push_event("refs/heads/release/1"))
    assert isinstance(moved, BaseMoved)
    assert moved.base_ref == "release/1"


@pytest.mark.parametrize("changes", [{"ref": "refs/tags/v1"}, {"deleted": True, "after": "0" * 40}])
def test_a_push_of_a_tag_or_of_nothing_moves_no_branch(changes: dict[str, object]) -> None:
    assert isinstance(read("push", push_event() | changes), Ignored)


def test_the_merge_queues_own_branches_are_nobodys_base() -> None:
    ref = f"refs/heads/gh-readonly-queue/main/pr-7-{'b' * 40}"
    assert isinstance(read("push", push_event(ref=ref)), Ignored)


def test_a_push_to_a_repository_that_is_not_served_is_ignored() -> None:
    assert isinstance(read("push", push_event(), repositories=("docustack/other",)), Ignored)


@pytest.mark.parametrize("after", ["", "main", "--upload-pack=x"])
def test_a_push_of_what_is_no_commit_is_refused(after: str) -> None:
    assert isinstance(read("push", push_event(after=after)), Malformed)


def merge_group_event(action: str = "checks_requested", pull_request: str = "7") -> dict[str, Any]:
    ref = f"refs/heads/gh-readonly-queue/release/1/pr-{pull_request}-{'b' * 40}"
    group = {"head_sha": HEAD, "head_ref": ref, "base_ref": "refs/heads/release/1", "base_sha": "b" * 40}
    return {"action": action, "merge_group": group, "repository": LIVE, "sender": DEVELOPER}


def test_a_merge_group_goes_to_the_pull_request_that_its_branch_names() -> None:
    event = accepted(read("merge_group", merge_group_event()))
    assert (event.kind, event.number) == ("checks_requested", 7)
    assert (event.group_commit, event.group_base) == (HEAD, "b" * 40)


@pytest.mark.parametrize("event", [merge_group_event("destroyed"), merge_group_event(pull_request="x")])
def test_other_merge_groups_ask_for_nothing(event: dict[str, Any]) -> None:
    assert isinstance(read("merge_group", event), Ignored)


@pytest.mark.parametrize(
    "sender",
    [
        {"login": "dependabot[bot]", "type": "Bot"},
        {"login": "renovate[bot]"},
        {"login": "Docustack-Bot", "type": "User"},
    ],
)
def test_bots_are_told_from_people_also_one_that_is_a_user_with_a_token(sender: dict[str, str]) -> None:
    content = comment_event() | {"sender": sender}
    assert accepted(read("issue_comment", content, bot="docustack-bot")).sender_is_bot is True
    assert accepted(read("issue_comment", comment_event(), bot="docustack-bot")).sender_is_bot is False


def test_only_listed_repositories_are_served_in_any_case() -> None:
    content = pull_request_event("opened")
    accepted(read("pull_request", content, repositories=("DocuStack/Live",)))
    reading = read("pull_request", content, repositories=("docustack/other",))
    assert reading == Ignored("docustack/live is not in DOCUSTACK_REPOSITORIES")


@pytest.mark.parametrize("event", ["ping", "check_suite", "something_new_of_2031"])
def test_events_from_which_nothing_follows_are_ignored_whatever_their_shape(event: str) -> None:
    reading = read(event, {"zen": "Keep it logically awesome."})
    assert isinstance(reading, Ignored)
    assert event in reading.reason


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'"text"', b"[]", b"null", b"[" * 100_000, b'{"a": NaN}', b'{"a": "\\ud800"}']
)
def test_what_is_no_json_object_is_told_from_json_of_the_wrong_shape(body: bytes) -> None:
    assert isinstance(read("pull_request", body), NotJson)


@pytest.mark.parametrize("missing", ["action", "pull_request", "repository", "sender"])
def test_a_missing_part_is_named(missing: str) -> None:
    content = pull_request_event("opened")
    del content[missing]
    reading = read("pull_request", content)
    assert isinstance(reading, Malformed)
    assert missing in reading.reason


@pytest.mark.parametrize(
    "changes",
    [{"number": "seven"}, {"number": 0}, {"head": None}, {"head": {"sha": HEAD}}],
)
def test_a_part_of_the_wrong_shape_is_refused(changes: dict[str, object]) -> None:
    assert isinstance(read("pull_request", pull_request_event("opened", **changes)), Malformed)


def test_what_github_adds_one_day_refuses_nothing() -> None:
    content = pull_request_event("opened") | {"something_new": [1, {"deep": None}]}
    content["pull_request"]["new_field"] = {"a": 1}
    accepted(read("pull_request", content))


def test_an_event_of_an_unknown_kind_still_decodes() -> None:
    event = PullRequestEvent.model_validate({"kind": "levitated", "number": 3, "from_2031": True})
    assert event.known_kind is None
