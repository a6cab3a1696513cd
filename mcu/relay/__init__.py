"""Desktops that are shared through the server: a process of its own that joins two ends and lets input through, or not."""
