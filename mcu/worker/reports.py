"""What a worker tells control: sent at once when the socket takes it, else kept for a while in a bounded queue."""

from __future__ import annotations

import socket
from collections import deque

from mcu.messages import HandshakeReceived, LegReport, Report, StreamsReport, pack
from mcu.video_messages import PortHandshake, PortReport, PortStreams, ProducerReport

PASSING = (LegReport, StreamsReport, HandshakeReceived, PortReport, PortStreams, PortHandshake, ProducerReport)
"""What isn't kept: figures, of which others come in a second, and what its sender repeats."""

MAX_KEPT = 4096
"""Notices kept while control is slow; figures are not kept, the next second brings others."""


class Reporter:
    """The way from a worker to control. `dropped`: reports that had no room."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._kept: deque[bytes] = deque()
        self.dropped = 0

    def send(self, report: Report) -> None:
        """Send a report, never waiting."""
        data = pack(report)
        if not self._kept and self._try(data):
            return
        if isinstance(report, PASSING) or len(self._kept) >= MAX_KEPT:
            self.dropped += 1
        else:
            self._kept.append(data)

    def flush(self) -> None:
        """Send what was kept, as far as the socket takes it."""
        while self._kept and self._try(self._kept[0]):
            self._kept.popleft()

    def _try(self, data: bytes) -> bool:
        try:
            self._control.send(data)
        except BlockingIOError:
            return False
        except OSError:                     # control is gone: the loop finds out by reading
            self._kept.clear()
        return True
