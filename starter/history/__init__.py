"""Histories of workflows kept as files: out of one Temporal, and into the record of another installation."""
