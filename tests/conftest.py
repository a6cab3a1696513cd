"""Fixtures of all tests: those that a user of the library gets. Properties have no deadline: the machine may be busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["confero.testing"]

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
