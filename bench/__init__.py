"""Measurements: CPU time and ratios within one run, never a verdict on a wall clock."""
