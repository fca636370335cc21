"""A stand-in for GitHub: REST API, webhooks and web pages of one repository, on real git."""
