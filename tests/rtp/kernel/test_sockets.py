"""Media sockets: the system's time of arrival, the traffic class, nothing to read is no error."""

from __future__ import annotations

import socket
import time

import pytest

from rtp.kernel.sockets import prepare, receive

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_packet_carries_the_time_at_which_it_came_and_not_at_which_it_was_read(host: str, family: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as ours, socket.socket(family, socket.SOCK_DGRAM) as theirs:
        ours.bind((host, 0))
        theirs.bind((host, 0))
        prepare(ours)
        _wait_until_the_system_stamps(ours, theirs)
        assert receive(ours, 0, 0) is None
        before = time.monotonic_ns()
        theirs.sendto(b"hello", ours.getsockname())
        after = time.monotonic_ns()
        time.sleep(0.05)
        packet = receive(ours, time.time_ns() - time.monotonic_ns(), time.monotonic_ns())
        assert packet is not None
        data, source, arrival = packet
        assert (data, source) == (b"hello", theirs.getsockname()[:2])
        assert before - 10_000_000 <= arrival <= after + 10_000_000


def _wait_until_the_system_stamps(ours: socket.socket, theirs: socket.socket) -> None:
    """The first socket of a machine that wants times of arrival has them switched on a little later (by a kernel worker)."""
    for _ in range(100):
        theirs.sendto(b"first", ours.getsockname())
        sent = time.time_ns()
        time.sleep(0.02)
        packet = receive(ours, 0, 0)
        if packet is not None and packet[2] - sent < 10_000_000:
            return
    raise AssertionError("the system stamps no packets")


def test_without_the_systems_time_the_time_of_reading_counts() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.setblocking(False)
        ours.sendto(b"x", ours.getsockname())
        assert receive(ours, 0, 4711) == (b"x", ours.getsockname(), 4711)
