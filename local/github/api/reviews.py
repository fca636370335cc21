"""Reviews of a pull request: https://docs.github.com/rest/pulls/reviews."""

from pydantic import BaseModel

from local.github import conversation
from local.github.api.call import Answer, Call, route
from local.github.bodies import pulls as bodies
from local.github.errors import not_found
from local.github.records import Review


class ReviewCreate(BaseModel):
    """GitHub makes a pending review where `event` is missing; here there are none, so it must be given."""

    event: conversation.Verdict
    body: str = ""
    commit_id: str | None = None


class ReviewUpdate(BaseModel):
    body: str


class Dismissal(BaseModel):
    message: str


def list_reviews(call: Call) -> Answer:
    pull = call.hub.pull(call.number("number"))
    return call.page([bodies.review(call.hub, review) for review in call.hub.store.all(Review, pull.within)])


def create(call: Call) -> Answer:
    wanted, pull = call.read(ReviewCreate), call.hub.pull(call.number("number"))
    written = conversation.review(
        call.hub, call.actor, pull, verdict=wanted.event, body=wanted.body, commit=wanted.commit_id
    )
    return Answer(bodies.review(call.hub, written))


def get(call: Call) -> Answer:
    return Answer(bodies.review(call.hub, _review(call)))


def update(call: Call) -> Answer:
    written, pull = _review(call), call.hub.pull(call.number("number"))
    edited = conversation.edit_review(call.hub, call.actor, pull, written, call.read(ReviewUpdate).body)
    return Answer(bodies.review(call.hub, edited))


def dismiss(call: Call) -> Answer:
    written, pull = _review(call), call.hub.pull(call.number("number"))
    dismissed = conversation.dismiss(call.hub, call.actor, pull, written, call.read(Dismissal).message)
    return Answer(bodies.review(call.hub, dismissed))


def _review(call: Call) -> Review:
    written = call.hub.store.find(Review, call.number("review"))
    if written is None or written.number != call.number("number"):
        raise not_found()
    return written


routes = [
    route("GET", "{repo}/pulls/{number}/reviews", list_reviews),
    route("POST", "{repo}/pulls/{number}/reviews", create),
    route("GET", "{repo}/pulls/{number}/reviews/{review}", get),
    route("PUT", "{repo}/pulls/{number}/reviews/{review}", update),
    route("PUT", "{repo}/pulls/{number}/reviews/{review}/dismissals", dismiss),
]
