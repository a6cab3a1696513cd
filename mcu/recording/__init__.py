"""Recordings: the line from a media worker, and the process that writes what comes over it as files in step with each other."""
