"""One module a workflow: what is decided, awaited and undone; nothing here touches the outside world."""
