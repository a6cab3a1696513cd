"""The first bytes of a phone to a relay of desktops, before those of RFC 6143: `ID:` and its ticket, in 250 bytes.

It is the preface of the repeaters that VNC users know, filled with zeros.
"""

from __future__ import annotations

from rtp.errors import ParseError

PREFACE_SIZE = 250


def preface(word: str) -> bytes:
    """The first bytes of a phone to the relay."""
    return f"ID:{word}".encode().ljust(PREFACE_SIZE, b"\0")


def parse_preface(data: bytes) -> str:
    """The word in a preface of 250 bytes. Raises ParseError."""
    word, _, rest = data[3:].partition(b"\0")
    if len(data) != PREFACE_SIZE or not data.startswith(b"ID:") or rest.strip(b"\0") or not word.isalnum():
        raise ParseError("relay: `ID:` and a ticket in 250 bytes expected")
    return word.decode("ascii")
