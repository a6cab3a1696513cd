"""The loop of a media worker: a tick of 20 ms for each of its rooms on an absolute clock, control's messages in between.

A tick is told when it was due, not when it ran, so the mix is regular though the machine is not. After a stall a few ticks are
caught up with, the rest is dropped in and out. What a room raises costs a tick of that room; a room that raises for a second
is given up. Ends when control closes its socket.
"""

from __future__ import annotations

import logging
import resource
import socket
import time
from pathlib import Path

from mcu.messages import MAX_MESSAGE, Heartbeat
from mcu.worker.reports import Reporter
from mcu.worker.rooms import Rooms
from rtp.kernel.spec import TICK_NS

MAX_CATCH_UP = 3
"""Ticks made one after the other when they are due together; a peer's jitter buffer takes as much."""
MAX_COMMANDS = 64
"""Control's messages taken at once; the rest is taken while there is time, and waits in the socket otherwise."""
RELAY_NS = 5_000_000
"""How often calls between two, and pictures, are looked after: their packets aren't kept for the tick."""
HEARTBEAT_NS = 250_000_000
"""By the clock, not by ticks: a worker with too much to do makes few of them, and is late but alive."""

logger = logging.getLogger(__name__)


class Worker:
    """Rooms, their clock and the line to control. prompts: the folder of what is said to callers."""

    def __init__(self, control: socket.socket, prompts: Path | None = None) -> None:
        control.setblocking(False)
        self._control = control
        self._reporter = Reporter(control)
        self.rooms = Rooms(self._reporter.send, prompts)
        self.late_ticks = 0
        self._ticks = self._beats_at = 0
        self._is_open = True
        self._is_behind = False

    def run(self) -> None:
        """Work until control is gone."""
        due = time.monotonic_ns() + TICK_NS
        self._heartbeat()
        while self._is_open:
            self._wait(due)
            if self._is_open:
                due = self._tick(due, time.monotonic_ns())
        self.rooms.close()

    def _wait(self, due: int) -> None:
        """Sleep until the tick is due, looking after calls between two and pictures; then take the commands that have come.

        No command is needed before the tick, and one that woke us would cost more than it says. A port that is given back is
        free from then on.
        """
        if self.rooms.has_relays:
            for look_at in range(time.monotonic_ns() + RELAY_NS, due, RELAY_NS):
                self._sleep_until(look_at)
                self.rooms.relay(time.monotonic_ns())
        self._sleep_until(due)
        self._take_commands()

    def _sleep_until(self, due: int) -> None:
        while self._is_behind and time.monotonic_ns() < due:
            self._take_commands()
        if (left := due - time.monotonic_ns()) > 0:
            time.sleep(left / 1e9)

    def _take_commands(self) -> None:
        self._is_behind = False
        for _ in range(MAX_COMMANDS):
            try:
                data, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE + 1, 2)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data, descriptors = b"", []
            if not data:
                self._is_open = False
                return
            self.rooms.take(data, descriptors)
        self._is_behind = True

    def _tick(self, due: int, now: int) -> int:
        """Make the tick that was due, and tell when the next one is."""
        behind = (now - due) // TICK_NS
        self.late_ticks += behind > 0
        for _ in range(max(0, behind - MAX_CATCH_UP)):
            self.rooms.skip(due)
            due += TICK_NS
        self.rooms.tick(due)
        self._ticks += 1
        self.rooms.report(self._ticks, due)
        if now >= self._beats_at:
            self._beats_at = now + HEARTBEAT_NS
            self._heartbeat()
        self._reporter.flush()
        return due + TICK_NS

    def _heartbeat(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_us = round((usage.ru_utime + usage.ru_stime) * 1e6)
        rooms = self.rooms
        self._reporter.send(Heartbeat(len(rooms), rooms.legs, cpu_us, self.late_ticks, rooms.failures, self._reporter.dropped))
