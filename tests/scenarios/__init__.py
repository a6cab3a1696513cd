"""Scenarios that tests share and a person can run: `python -m tests.scenarios.matrix`."""
