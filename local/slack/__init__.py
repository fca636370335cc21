"""A stand-in for Slack: the methods that post to channels and read them, and a page that shows them."""
