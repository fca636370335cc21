"""Scenarios that drive the local world through its public doors alone, show what happens, and check all they claim."""
