"""Everything that starts or signals workflows: the command line and the webhook server."""
