"""Reasons that one side of the house writes and others know again (RFC 3326): phones show them, call records keep them."""

from __future__ import annotations

TRANSFERRED = "transferred"
"""The end of a call that was handed on."""
REPLACED = "replaced"
"""The end of a call that goes on at another phone."""
