"""Long runs of a whole server: comings and goings, floods, starts and stops."""
