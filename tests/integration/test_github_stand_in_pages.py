"""The GitHub stand-in's pages: what a person sees of a pull request and does there, and what a comment cannot do."""

import re
from itertools import count

import httpx
import pytest

from local.github.pages.differences import lines
from local.github.pages.markdown import rendered
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn

BOT = "docustack[bot]"
HERE = (OWNER, REPOSITORY)
_numbers = count(1)


def pushed(github: GitHubStandIn, files: dict[str, str] | None = None) -> str:
    branch = f"feature/{next(_numbers)}"
    github.push(branch, files or {f"{branch}.hcl": "a = 1\n"}, base="main", message=f"commit on {branch}")
    return branch


def opened(github: GitHubStandIn, *, draft: bool = False, title: str = "Add a service") -> int:
    pulls = github.client("developer").rest.pulls
    made = pulls.create(*HERE, title=title, head=pushed(github), base="main", body="Why it is **needed**", draft=draft)
    return made.parsed_data.number


def show(github: GitHubStandIn, path: str) -> str:
    response = httpx.get(f"{github.url}/{OWNER}/{REPOSITORY}/{path}", follow_redirects=True)
    assert response.status_code == 200, response.text
    return response.text


def act(github: GitHubStandIn, number: int, action: str, login: str = "developer", **form: str) -> httpx.Response:
    url = f"{github.url}/{OWNER}/{REPOSITORY}/pull/{number}"
    return httpx.post(url, data={"action": action, "login": login, **form})


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_front_page_leads_to_the_list(github: GitHubStandIn) -> None:
    number = opened(github, title="Listed <b>once</b>")
    page = httpx.get(github.url, follow_redirects=True).text
    assert f'href="/{OWNER}/{REPOSITORY}/pull/{number}">Listed &lt;b&gt;once&lt;/b&gt;</a>' in page


def test_conversation_shows_everything_in_order(github: GitHubStandIn) -> None:
    number = opened(github)
    bot = github.client(BOT).rest
    comment = bot.issues.create_comment(*HERE, number, body="## Terrateam Plan\n<!-- hidden key -->").parsed_data
    bot.reactions.create_for_issue_comment(*HERE, comment.id, content="rocket")
    github.client("lead").rest.pulls.create_review(*HERE, number, event="APPROVE", body="Looks right")
    github.client("outsider").rest.pulls.create_review(*HERE, number, event="APPROVE")
    github.push(f"feature/{next(_numbers) - 1}", {"more.hcl": "m\n"}, message="second commit")
    github.client("developer").rest.pulls.update(*HERE, number, title="Renamed")
    page = show(github, f"pull/{number}")
    expected = [
        "Why it is <strong>needed</strong>",
        "commit on feature/",
        "<h2>Terrateam Plan</h2>",
        "🚀 1",
        "</b> approved these changes",
        "Looks right",
        "no write access, does not count",
        "second commit",
        "changed the title <s>Add a service</s> <b>Renamed</b>",
    ]
    places = [page.find(words) for words in expected]
    assert -1 not in places, dict(zip(expected, places, strict=True))
    assert places == sorted(places)
    assert "hidden key" not in page


def test_files_are_shown_with_line_numbers(github: GitHubStandIn) -> None:
    branch = pushed(github, {"dev/us-east-1/vpc/terragrunt.hcl": "line 1\n<new>\n"})
    pulls = github.client("developer").rest.pulls
    number = pulls.create(*HERE, title="T", head=branch, base="main").parsed_data.number
    page = show(github, f"pull/{number}/files")
    assert '<tr class="add"><td class="n"></td><td class="n">2</td><td><span class="sign">+</span>&lt;new&gt;' in page


def test_checks_are_shown_with_state_and_link(github: GitHubStandIn) -> None:
    number = opened(github)
    sha = github.git("rev-parse", "HEAD")
    output = {"title": "1 unit planned", "summary": "Plan **good**"}
    address = "http://127.0.0.1:8233/run"
    wanted = {
        "name": "docustack/plan",
        "head_sha": sha,
        "details_url": address,
        "conclusion": "success",
        "output": output,
    }
    github.request(BOT, "POST", "check-runs", wanted)
    github.request(
        BOT, "POST", "check-runs", {"name": "docustack/apply", "head_sha": sha, "details_url": "javascript:0"}
    )
    page = show(github, f"pull/{number}/checks")
    assert f'href="{address}"' in page
    assert "Plan <strong>good</strong>" in page
    assert "javascript:" not in page
    assert "Some checks are still running" in show(github, f"pull/{number}")


def test_commit_has_a_page(github: GitHubStandIn) -> None:
    opened(github)
    assert "commit on feature/" in show(github, f"commit/{github.git('rev-parse', 'HEAD')}")


def test_links_of_a_conversation_lead_somewhere(github: GitHubStandIn) -> None:
    page = show(github, f"pull/{opened(github)}")
    for link in set(re.findall(r'(?:href|src)="(/[^"#]*)', page)):
        assert httpx.get(github.url + link).status_code in (200, 307), link


def test_unknown_pages_are_not_found(github: GitHubStandIn) -> None:
    for path in ("pull/9999", "commit/abc", "nothing"):
        assert httpx.get(f"{github.url}/{OWNER}/{REPOSITORY}/{path}").status_code == 404
    assert httpx.get(f"{github.url}/{OWNER}/other/pulls").status_code == 404


# ---- what a person does ----------------------------------------------------------------------------------------------


def test_comment_is_written_as_the_chosen_login(github: GitHubStandIn) -> None:
    number = opened(github)
    response = act(github, number, "comment", "infra-member", body="terrateam apply\r\nsecond line")
    assert response.status_code == 303
    [one] = github.receiver.wait_for("issue_comment.created", about=f"/{number}#")
    comment = one.content["comment"]
    assert isinstance(comment, dict)
    assert (comment["body"], comment["user"]["login"]) == ("terrateam apply\nsecond line", "infra-member")


def test_refused_action_says_why_and_keeps_what_was_typed(github: GitHubStandIn) -> None:
    number = opened(github)
    response = act(github, number, "approve", "developer", body="My own <work>")
    assert response.status_code == 422
    assert "Can not approve your own pull request" in response.text
    assert "My own &lt;work&gt;</textarea>" in response.text


def test_refused_close_leaves_no_comment_behind(github: GitHubStandIn) -> None:
    number = opened(github)
    assert act(github, number, "close", "outsider", body="closing this").status_code == 403
    assert "closing this" not in show(github, f"pull/{number}")


def test_pull_request_is_approved_and_merged_by_buttons(github: GitHubStandIn) -> None:
    number = opened(github)
    assert act(github, number, "approve", "lead").status_code == 303
    assert act(github, number, "merge", "lead", method="squash").status_code == 303
    page = show(github, f"pull/{number}")
    assert "Pull request successfully merged and closed" in page
    assert github.client(BOT).rest.pulls.get(*HERE, number).parsed_data.merged


def test_blocked_merge_says_why_and_its_button_is_off(github: GitHubStandIn) -> None:
    number = opened(github, draft=True)
    page = show(github, f"pull/{number}")
    assert "This pull request is still a draft." in page
    assert re.search(r'value="merge" disabled title="This pull request is still a draft\."', page)
    assert act(github, number, "merge", "lead").status_code == 405
    assert act(github, number, "ready").status_code == 303
    assert act(github, number, "merge", "outsider").status_code == 403


def test_pull_request_is_closed_and_reopened_by_buttons(github: GitHubStandIn) -> None:
    number = opened(github)
    act(github, number, "close", body="not now")
    assert "Closed with unmerged commits" in show(github, f"pull/{number}")
    assert "not now" in show(github, f"pull/{number}")
    act(github, number, "reopen")
    assert github.client(BOT).rest.pulls.get(*HERE, number).parsed_data.state == "open"


def test_pushed_branch_becomes_a_pull_request_by_form(github: GitHubStandIn) -> None:
    branch = pushed(github)
    assert f"<option>{branch}</option>" in show(github, "compare")
    form = {"title": "By form", "head": branch, "base": "main", "login": "developer"}
    url = f"{github.url}/{OWNER}/{REPOSITORY}/compare"
    assert httpx.post(url, data={**form, "login": "outsider"}).status_code == 403
    response = httpx.post(url, data=form)
    assert response.status_code == 303
    assert "By form" in httpx.get(github.url + response.headers["location"]).text


@pytest.mark.parametrize(
    "form,status",
    [({"action": "explode"}, 422), ({"login": "nobody"}, 404), ({"action": "merge", "method": "octopus"}, 422)],
)
def test_wrong_form_is_refused(github: GitHubStandIn, form: dict[str, str], status: int) -> None:
    arguments = {"action": "comment", "login": "lead", "body": "x", **form}
    assert act(github, opened(github), **arguments).status_code == status


def test_form_of_another_site_is_refused(github: GitHubStandIn) -> None:
    number = opened(github)
    url = f"{github.url}/{OWNER}/{REPOSITORY}/pull/{number}"
    form = {"action": "comment", "login": "lead", "body": "terrateam apply"}
    assert httpx.post(url, data=form, headers={"origin": "http://evil.example"}).status_code == 403
    assert httpx.post(url, data=form, headers={"origin": github.url}).status_code == 303


# ---- markdown --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<svg onload=alert(1)>",
        "<details ontoggle=alert(1) open>x</details>",
        "<p style='background:url(http://x)'>x</p>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<style>*{display:none}</style>",
        "<form action=http://x><input></form>",
        "`<script>alert(1)</script>`",
        "```diff\n+<script>alert(1)</script>\n```",
        "<scr<script>ipt>alert(1)</script>",
        '[x](http://a"onclick="alert(1))',
    ],
)
def test_no_comment_can_run_or_hide_anything(text: str) -> None:
    shown = str(rendered(text))
    tags = re.findall(r"<[^>]*>", shown)
    assert not [tag for tag in tags if re.search(r"script|\son\w+=|style|img|svg|iframe|form|input", tag)], shown


@pytest.mark.parametrize(
    "text,expected",
    [
        ("| a | b |\n|---|--:|\n| 1 | 2 |", '<td style="text-align:right">2</td>'),
        ("~~old~~", "<s>old</s>"),
        ("```diff\n+ a\n- b\n  c\n```", '<span class="diff-add">+ a</span>\n<span class="diff-del">- b</span>\n  c\n'),
        ("<details><summary>Plan</summary>\n\n`x`\n\n</details>", "<details><summary>Plan</summary>"),
        ("one\ntwo", "one<br>\ntwo"),
        ("before <!-- docustack:key --> after", "before  after"),
        (
            "see http://a.b/c?d=e&f=g.",
            '<a href="http://a.b/c?d=e&amp;f=g" rel="nofollow">http://a.b/c?d=e&amp;f=g</a>.',
        ),
        ("- [x] done\n- [ ] open", "<li>☑ done</li>\n<li>☐ open</li>"),
        ("cc @lead", '<b class="mention">@lead</b>'),
    ],
)
def test_markdown_is_rendered_as_on_github(text: str, expected: str) -> None:
    assert expected in str(rendered(text, frozenset({"lead"})))


def test_fold_left_open_ends_with_its_comment() -> None:
    shown = str(rendered("<details><summary>x</summary>\n\n**y"))
    assert shown.count("<details>") == shown.count("</details>") == 1


def test_patch_lines_carry_both_numbers() -> None:
    found = lines("@@ -3,2 +3,3 @@ x\n a\n-b\n+c\n+d\n\\ No newline at end of file")
    numbers = [(line.kind, line.old, line.new) for line in found]
    assert numbers == [
        ("hunk", None, None),
        ("same", 3, 3),
        ("del", 4, None),
        ("add", None, 4),
        ("add", None, 5),
        ("hunk", None, None),
    ]
