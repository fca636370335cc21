"""What touches the outside world: one module an outside system, each a small class that is given its client."""
