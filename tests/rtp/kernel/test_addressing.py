"""Whose packets are a leg's: the SDP's address, or another port of the caller's host after a while."""

from __future__ import annotations

import struct

from rtp.kernel.addressing import PROBATION, RELEARN_NS, SourceFilter

PHONE, MOVED, STRANGER = ("192.0.2.1", 4000), ("192.0.2.1", 5000), ("198.51.100.9", 4000)
LATER = RELEARN_NS + 1


def rtp(sequence: int, ssrc: int = 1, payload_type: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, 0, ssrc)


def test_the_address_of_the_sdp_is_taken_at_once() -> None:
    assert SourceFilter(PHONE, PHONE[0]).accepts(PHONE, rtp(1), 0)


def test_another_host_is_never_taken() -> None:
    source = SourceFilter(PHONE, PHONE[0])
    assert not any(source.accepts(STRANGER, rtp(n), LATER + n) for n in range(20))


def test_another_port_is_taken_at_its_fifth_packet_when_the_known_one_never_sent() -> None:
    source = SourceFilter(("10.0.0.7", 4000), PHONE[0])
    taken = [source.accepts(PHONE, rtp(65533 + n), n) for n in range(PROBATION + 1)]
    assert taken == [False] * (PROBATION - 1) + [True, True]
    assert source.accepted == PHONE


def test_another_port_is_not_taken_while_the_known_one_sends() -> None:
    source = SourceFilter(PHONE, PHONE[0])
    for n in range(20):
        assert source.accepts(PHONE, rtp(n), LATER * n // 2)
        assert not source.accepts(MOVED, rtp(n, 2), LATER * n // 2)


def test_packets_that_do_not_fit_each_other_begin_probation_anew() -> None:
    for odd in (rtp(9), rtp(3, ssrc=2), rtp(3, payload_type=8), b"\x80"):
        source = SourceFilter(None, PHONE[0])
        stream = [rtp(0), rtp(1), rtp(2), odd, rtp(4), rtp(5), rtp(6)]
        assert not any(source.accepts(MOVED, data, LATER) for data in stream)
