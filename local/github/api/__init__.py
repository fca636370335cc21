"""The REST API, one module a part of GitHub's reference."""

from local.github.api import comments, people, pulls

routes = [*people.routes, *pulls.routes, *comments.routes]
