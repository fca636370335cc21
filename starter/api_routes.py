"""All endpoints under `/api`, a line each (docs/api.md)."""

from starlette.routing import BaseRoute, Route

from docustack.model import Model
from starter.api import Call, Nothing, api_route, no_such_endpoint


class PersonAnswer(Model):
    """Whose token it is."""

    login: str


async def show_person(call: Call, _: Nothing) -> PersonAnswer:
    """Who the server takes the sender for: tells whether a token is good."""
    return PersonAnswer(login=call.login)


def api_routes() -> list[BaseRoute]:
    """In the order in which they are tried; everything else under `/api` is answered in JSON too."""
    return [
        api_route("GET", "/api/person", Nothing, show_person),
        Route("/api/{rest:path}", no_such_endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
