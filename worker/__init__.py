"""Wiring: settings, clients, activities, and the Temporal workers of one process."""
