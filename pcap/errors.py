"""What can be wrong with a capture file."""

from __future__ import annotations


class CaptureError(Exception):
    """The file is not a capture, or breaks off; the message says where (byte offset)."""
