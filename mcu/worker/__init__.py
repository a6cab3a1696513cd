"""The media worker: one process, one tick of 20 ms, many rooms."""
