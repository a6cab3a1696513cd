"""Tests of the mixing room."""
