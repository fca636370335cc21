"""The stand-in's web pages: pull requests as a person reads and drives them."""

from local.github.pages import actions, views

routes = [*views.routes, *actions.routes]
