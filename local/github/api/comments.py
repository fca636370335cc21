"""Comments on a pull request and reactions to them: https://docs.github.com/rest/issues/comments."""

from datetime import datetime

from pydantic import BaseModel

from local.github import conversation
from local.github.api.call import Answer, Call, route
from local.github.bodies import pulls as bodies
from local.github.errors import GitHubError, not_found
from local.github.records import Comment, Reaction, ReactionContent


class CommentBody(BaseModel):
    body: str


class ReactionBody(BaseModel):
    content: ReactionContent


def list_comments(call: Call) -> Answer:
    written = call.hub.store.all(Comment, call.hub.pull(call.number("number")).within)
    if since := call.query.get("since"):
        written = [comment for comment in written if comment.updated_at >= _moment(since)]
    return call.page([bodies.comment(call.hub, comment) for comment in written])


def create(call: Call) -> Answer:
    pull = call.hub.pull(call.number("number"))
    written = conversation.comment(call.hub, call.actor, pull, call.read(CommentBody).body)
    return Answer(bodies.comment(call.hub, written), 201)


def get(call: Call) -> Answer:
    return Answer(bodies.comment(call.hub, _comment(call)))


def update(call: Call) -> Answer:
    edited = conversation.edit_comment(call.hub, call.actor, _comment(call), call.read(CommentBody).body)
    return Answer(bodies.comment(call.hub, edited))


def delete(call: Call) -> Answer:
    conversation.delete_comment(call.hub, call.actor, _comment(call))
    return Answer(None, 204)


def list_reactions(call: Call) -> Answer:
    given = call.hub.store.all(Reaction, str(_comment(call).id))
    if content := call.query.get("content"):
        given = [reaction for reaction in given if reaction.content == content]
    return call.page([bodies.reaction(call.hub, reaction) for reaction in given])


def react(call: Call) -> Answer:
    content = call.read(ReactionBody).content
    reaction, new = conversation.react(call.hub, call.actor, _comment(call), content)
    return Answer(bodies.reaction(call.hub, reaction), 201 if new else 200)


def _comment(call: Call) -> Comment:
    written = call.hub.store.find(Comment, call.number("comment"))
    if written is None:
        raise not_found()
    return written


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise GitHubError(422, f"since is not a time: {text}") from error


routes = [
    route("GET", "{repo}/issues/{number}/comments", list_comments),
    route("POST", "{repo}/issues/{number}/comments", create),
    route("GET", "{repo}/issues/comments/{comment}", get),
    route("PATCH", "{repo}/issues/comments/{comment}", update),
    route("DELETE", "{repo}/issues/comments/{comment}", delete),
    route("GET", "{repo}/issues/comments/{comment}/reactions", list_reactions),
    route("POST", "{repo}/issues/comments/{comment}/reactions", react),
]
