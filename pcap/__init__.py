"""Capture files for people and for Wireshark: read, write and explain what was on the wire."""
