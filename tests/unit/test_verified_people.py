"""Whose token it is, is asked of GitHub: remembered for a minute, never kept, never guessed while GitHub is away."""

from collections.abc import Callable

import httpx
import pytest
from starlette.requests import Request

from docustack.repository import Repository
from starter.api_refusals import ApiRefused
from starter.verified_people import REMEMBERED_SECONDS, VerifiedPeople

LIVE = Repository(owner="docustack", name="live")
TOKEN = "ghp_0123456789abcdef"


class GitHub:
    """Answers as scripted, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, httpx.Response | Exception] = {}
        self.now = 1_000.0

    def says(self, path: str, status: int, content: object = None, **headers: str) -> None:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = httpx.Response(status, json=content or {}, headers=headers)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        answer = self.answers[request.url.path]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def people(self) -> VerifiedPeople:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        return VerifiedPeople(http, "https://github.example/api/v3/", clock=lambda: self.now)


@pytest.fixture
def github() -> GitHub:
    scripted = GitHub()
    scripted.says("/api/v3/user", 200, {"login": "lead", "type": "User"})
    scripted.says("/api/v3/repos/docustack/live", 200, {"permissions": {"push": True}})
    return scripted


def request(authorization: str | None = f"Bearer {TOKEN}") -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return Request({"type": "http", "method": "POST", "path": "/api/x", "query_string": b"", "headers": headers})


async def refused(people: VerifiedPeople, authorization: str | None = f"Bearer {TOKEN}") -> ApiRefused:
    with pytest.raises(ApiRefused) as caught:
        await people.verify_person(request(authorization))
    return caught.value


async def test_the_login_is_the_one_that_github_names(github: GitHub) -> None:
    assert await github.people().verify_person(request()) == "lead"


async def test_github_is_asked_once_a_minute(github: GitHub) -> None:
    people = github.people()
    for _ in range(3):
        await people.verify_person(request())
    assert len(github.asked) == 1
    github.now += REMEMBERED_SECONDS
    github.says("/api/v3/user", 401)
    assert (await refused(people)).status == 401, "a revoked token is good for a minute at most"


async def test_a_token_is_remembered_only_as_a_hash(github: GitHub) -> None:
    people = github.people()
    await people.verify_person(request())
    assert TOKEN not in repr(vars(people))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic bGVhZDp4", "Bearer two words", "Bearer x"])
async def test_what_is_no_token_is_never_shown_to_github(github: GitHub, header: str | None) -> None:
    told = await refused(github.people(), header)
    assert told.status == 401
    assert "gh auth token" in told.what_to_do
    assert github.asked == []


async def test_a_token_that_github_does_not_know_is_refused(github: GitHub) -> None:
    github.says("/api/v3/user", 401, {"message": "Bad credentials"})
    assert (await refused(github.people())).status == 401


async def test_an_app_is_not_a_person(github: GitHub) -> None:
    github.says("/api/v3/user", 403, {"message": "Resource not accessible by integration"})
    assert (await refused(github.people())).status == 403
    github.says("/api/v3/user", 200, {"login": "docustack[bot]", "type": "Bot"})
    assert (await refused(github.people())).status == 403


@pytest.mark.parametrize("status,headers", [(500, {}), (403, {"retry_after": "60"}), (429, {"retry_after": "60"})])
async def test_a_github_that_can_not_answer_lets_nobody_in(
    github: GitHub, status: int, headers: dict[str, str]
) -> None:
    github.says("/api/v3/user", status, {}, **headers)
    assert (await refused(github.people())).status == 503


@pytest.mark.parametrize("error", [httpx.ConnectError("no route"), httpx.ReadTimeout("slow")])
async def test_a_github_that_is_away_lets_nobody_in(github: GitHub, error: Exception) -> None:
    github.answers["/api/v3/user"] = error
    told = await refused(github.people())
    assert told.status == 503
    assert TOKEN not in told.error


async def test_a_page_of_something_else_lets_nobody_in(github: GitHub) -> None:
    github.answers["/api/v3/user"] = httpx.Response(200, text="<html>sign in</html>")
    assert (await refused(github.people())).status == 503


# ---- what the token itself may do ------------------------------------------------------------------------------------


async def test_a_token_that_can_push_is_enough(github: GitHub) -> None:
    people = github.people()
    await people.require_push(request(), LIVE)
    await people.require_push(request(), LIVE)
    assert len(github.asked) == 2, "one question each, then remembered"


NO_PUSH: list[Callable[[GitHub], None]] = [
    lambda github: github.says("/api/v3/repos/docustack/live", 404),
    lambda github: github.says("/api/v3/repos/docustack/live", 200, {"permissions": {"push": False}}),
    lambda github: github.says("/api/v3/repos/docustack/live", 200),
    lambda github: github.says(
        "/api/v3/repos/docustack/live", 200, {"permissions": {"push": True}}, x_oauth_scopes="read:user, gist"
    ),
]


@pytest.mark.parametrize("script", NO_PUSH, ids=["not seen", "read only", "nothing said", "classic without scope"])
async def test_a_token_that_was_given_away_to_read_changes_nothing(
    github: GitHub, script: Callable[[GitHub], None]
) -> None:
    script(github)
    with pytest.raises(ApiRefused) as caught:
        await github.people().require_push(request(), LIVE)
    assert caught.value.status == 403
    assert "scope `repo`" in caught.value.what_to_do


async def test_a_classic_token_with_the_scope_is_enough(github: GitHub) -> None:
    github.says("/api/v3/repos/docustack/live", 200, {"permissions": {"push": True}}, x_oauth_scopes="gist, repo")
    await github.people().require_push(request(), LIVE)


async def test_a_right_that_can_not_be_asked_is_none(github: GitHub) -> None:
    github.says("/api/v3/repos/docustack/live", 502)
    with pytest.raises(ApiRefused) as caught:
        await github.people().require_push(request(), LIVE)
    assert caught.value.status == 503
