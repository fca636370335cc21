"""The REST API, one module a part of GitHub's reference."""

from local.github.api import checks, comments, contents, hooks, people, pulls, reviews

# `contents` comes last: its paths end in free text, as branch names contain slashes.
routes = [
    *people.routes,
    *pulls.routes,
    *reviews.routes,
    *comments.routes,
    *checks.routes,
    *hooks.routes,
    *contents.routes,
]
