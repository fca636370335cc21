"""What touches the outside world: one module an outside system, each a small class with its client in its constructor."""
