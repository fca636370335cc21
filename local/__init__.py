"""The outside world on one machine, for the demo and the tests; imports nothing of the engine."""
