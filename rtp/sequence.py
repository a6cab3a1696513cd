"""Arithmetic of wrapping counters (RFC 3550 §5.1, A.1; RFC 1982)."""

from __future__ import annotations


def extend_sequence(value: int, reference: int) -> int:
    """The 16-bit sequence number nearest to an extended reference, as an extended number (may be negative at the start)."""
    return reference + ((value - reference + 0x8000) & 0xFFFF) - 0x8000


def extend_timestamp(value: int, reference: int) -> int:
    """The 32-bit timestamp nearest to an extended reference, as an extended number."""
    return reference + ((value - reference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
