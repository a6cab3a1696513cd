"""Tests of the phone's media."""
