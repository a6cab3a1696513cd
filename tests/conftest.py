"""Fixtures of all tests: the same ones that a user of the library gets."""

pytest_plugins = ["confero.testing"]
