"""The domain, pure: what a deployment is and what is allowed, with no input or output of its own."""
