"""Media sockets: the system's time of arrival, the traffic class, nothing to read is no error."""

from __future__ import annotations

import errno
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.kernel.sockets import BurstSender, prepare, receive

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


class _Refuses:
    """A socket that cannot cut a run: says so, and notes what is sent one by one."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs = 0
        self.sent: list[bytes] = []

    def sendmsg(self, *_: object) -> int:
        self.runs += 1
        raise OSError(self.number, "no")

    def sendto(self, data: bytes, _: object) -> int:
        self.sent.append(data)
        return len(data)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=150), st.booleans())
def test_burst_arrives_as_it_was_given_with_offload_and_without(sizes: list[int], has_offload: bool) -> None:
    datagrams = [bytes((number & 0xFF,)) * (size // 100 * 100 + 1) for number, size in enumerate(sizes)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        theirs.setblocking(False)
        sender = BurstSender(has_offload)
        sender.send(ours, theirs.getsockname(), datagrams)
        assert [theirs.recv(2048) for _ in datagrams] == datagrams
        assert sender.lost == 0


@pytest.mark.parametrize(("number", "runs"), [(errno.EIO, 1), (errno.EINVAL, 8), (errno.EMSGSIZE, 8)])
def test_system_that_refuses_runs_gets_datagrams_one_by_one(number: int, runs: int) -> None:
    refuses, sender = _Refuses(number), BurstSender()
    for _ in range(20):
        sender.send(refuses, ("192.0.2.1", 9), [b"abc", b"def", b"g"])  # type: ignore[arg-type]
    assert refuses.sent == [b"abc", b"def", b"g"] * 20
    assert (refuses.runs, sender.has_offload) == (runs, False)


def test_full_buffer_is_counted_and_is_no_reason_to_do_without_runs() -> None:
    sender = BurstSender()
    sender.send(_Refuses(errno.EAGAIN), ("192.0.2.1", 9), [b"abc", b"def"])  # type: ignore[arg-type]
    assert (sender.lost, sender.has_offload) == (2, True)
