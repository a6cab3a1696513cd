"""A capture as what it is about: SIP messages over UDP and TCP, and RTP packets, in order. It is read afresh at each walk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pcap.dissect import SeenPacket, dissect
from pcap.sip_ladder import SeenMessage

__all__ = ["SeenPacket", "walk"]


def walk(path: Path) -> Iterator[SeenMessage | SeenPacket]:
    """Messages and packets of a capture. Raises CaptureError where the file breaks off."""
    for one in dissect(path):
        if isinstance(one, SeenMessage | SeenPacket):
            yield one
