"""Measures DocuStack against what it stands on: `make bench` runs all, and none of it is a test."""
