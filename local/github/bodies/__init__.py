"""Records in the shape that GitHub's REST API and webhooks give them."""

Body = dict[str, object]
