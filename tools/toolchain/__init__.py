"""What `make setup` puts in place: `.venv` and `.tools`. Standard library only: there is no `.venv` yet."""
