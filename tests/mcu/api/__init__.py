"""Tests of Confero; see docs/reference/tests.md."""
