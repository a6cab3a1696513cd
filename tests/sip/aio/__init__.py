"""Tests of the drivers, over loopback."""
